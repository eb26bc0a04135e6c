use super::*;
use crate::gate::accepted::Accepted;
use crate::gate::claim::{Carrier, ClaimFields, Field, Place, Strictness};
use crate::gate::reply::Dialect;
use hyper::Request;

fn route(name: &str, path: &str, methods: &[Method]) -> Route {
    Route {
        name: name.to_owned(),
        path: PathPattern::parse(path).unwrap(),
        query: QueryMatch::default(),
        methods: methods.to_vec(),
        claim: ClaimReader::new(ClaimFields {
            carrier: Carrier::Form,
            order: Field { place: Place::Carrier, name: "OrderID".to_owned() },
            out_trade_no: None,
            transaction: None,
            amount: None,
            fill: None,
            channel: Vec::new(),
            strictness: Strictness::default(),
        }),
        notification: false,
        events: Events::default(),
        number_proof: NumberProof::First,
        reply: ReplyStyle { dialect: Dialect::Http, success: None, failure: None },
        accepted: Accepted::any_2xx(),
        deadline: None,
        duplicates: Duplicates::Forward,
        synthesize: None,
    }
}

#[test]
fn a_pattern_is_filled_with_what_a_sender_could_send() {
    let pattern = PathPattern::parse("/wxpay/{channel}/{order}").unwrap();
    let fill = |channel, order| {
        pattern.fill(|name| match name {
            "channel" => Some(channel),
            "order" => order,
            _ => None,
        })
    };
    assert_eq!(fill("app", Some("A_|*@-1")).unwrap(), "/wxpay/app/A_%7C%2A%40-1");
    assert_eq!(fill("app", None), Err(NotFilled::Unknown("order".to_owned())));
    for channel in ["2/c1", ".", "..", ""] {
        assert_eq!(fill(channel, Some("1")), Err(NotFilled::NotCanonical), "{channel:?}");
    }
}

fn routes() -> Routes {
    Routes::new(vec![
        route("app", "/pay/success", &[Method::POST]),
        route("app-get", "/pay/success", &[Method::GET]),
        route("notify", "/wxpay/notify/{channel}", &[Method::POST]),
    ])
}

/// The route's name, or why there is none.
fn find(method: Method, target: &str) -> Result<String, RouteError> {
    let head =
        Request::builder().method(method).uri(target).header(HOST, "shop.example").body(()).unwrap().into_parts().0;
    routes().find(&head).map(|(route, _)| route.name.clone())
}

#[test]
fn a_route_is_found_by_path_and_method() {
    assert_eq!(find(Method::POST, "/pay/success").as_deref(), Ok("app"));
    assert_eq!(find(Method::GET, "/pay/success?OrderID=1").as_deref(), Ok("app-get"));
    assert_eq!(find(Method::POST, "/wxpay/notify/app").as_deref(), Ok("notify"));
    assert_eq!(find(Method::POST, "http://shop.example/pay/success").as_deref(), Ok("app"));
    assert_eq!(find(Method::POST, "http://SHOP.example/pay/success").as_deref(), Ok("app"));
}

#[test]
fn a_wrong_method_gets_the_right_ones() {
    let allowed = vec![Method::POST, Method::GET];
    assert_eq!(find(Method::HEAD, "/pay/success"), Err(RouteError::Method(allowed.clone())));
    assert_eq!(find(Method::PUT, "/pay/success"), Err(RouteError::Method(allowed)));
    assert_eq!(find(Method::GET, "/wxpay/notify/app"), Err(RouteError::Method(vec![Method::POST])));
    assert_eq!(find(Method::OPTIONS, "*"), Err(RouteError::Method(Vec::new())));
    assert_eq!(find(Method::CONNECT, "shop.example:443"), Err(RouteError::Method(Vec::new())));
    assert_eq!(find(Method::CONNECT, "/pay/success"), Err(RouteError::Method(Vec::new())));
}

#[test]
fn p_06_targets_that_are_not_the_configured_path_reach_no_route() {
    use RouteError::{Malformed, Misdirected, NotCanonical, Unknown};
    let targets = [
        ("*", Malformed),
        ("shop.example:80", Malformed),
        ("http://other.example/pay/success", Misdirected),
        ("http://shop.example:80/pay/success", Misdirected),
        ("http://user@shop.example/pay/success", Misdirected),
        ("//pay/success", NotCanonical),
        ("/pay//success", NotCanonical),
        ("/pay/success//", NotCanonical),
        ("/pay/./success", NotCanonical),
        ("/pay/success/.", NotCanonical),
        ("/pay/x/../success", NotCanonical),
        ("/pay/success/..", NotCanonical),
        ("/pay/%2e%2e/success", NotCanonical),
        ("/pay/%2E/success", NotCanonical),
        ("/pay%2fsuccess", NotCanonical),
        ("/pay%2Fsuccess", NotCanonical),
        ("/pay%5csuccess", NotCanonical),
        ("/pay\\success", NotCanonical),
        ("/p%61y/success", NotCanonical),
        ("/pay/success%", NotCanonical),
        ("/pay/success%2", NotCanonical),
        ("/pay/success%zz", NotCanonical),
        ("/pay/success%00", NotCanonical),
        ("/pay/success%0a", NotCanonical),
        ("/pay/success%252e", NotCanonical),
        ("/pay/success;OrderID=1", NotCanonical),
        ("/pay/success%3bOrderID=1", NotCanonical),
        ("/pay/success%3Fa=1", NotCanonical),
        ("/pay/success%23", NotCanonical),
        ("/pay/succ\u{e9}ss", NotCanonical),
        ("/pay/success?a=\u{e9}", NotCanonical),
        ("/nowhere/..", NotCanonical),
        ("/pay/success/", Unknown),
        ("/pay/success%20", Unknown),
        ("/PAY/success", Unknown),
        ("/pay", Unknown),
        ("/", Unknown),
        ("/wxpay/notify/", Unknown),
        ("/wxpay/notify", Unknown),
        ("/wxpay/notify/a/b", Unknown),
        ("http://shop.example", Unknown),
    ];
    for (target, error) in targets {
        assert_eq!(find(Method::POST, target), Err(error), "{target}");
    }
}

#[test]
fn an_absolute_target_needs_exactly_one_host_that_says_the_same() {
    for hosts in [&[][..], &["shop.example", "shop.example"], &["shop.example:80"]] {
        let mut request = Request::builder().method(Method::POST).uri("http://shop.example/pay/success");
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let head = request.body(()).unwrap().into_parts().0;
        assert_eq!(routes().find(&head).map(|_| ()), Err(RouteError::Misdirected), "{hosts:?}");
    }
}

#[test]
fn placeholders_stand_for_whole_segments_as_sent() {
    let pattern = PathPattern::parse("/{shop}/notify/{channel}").unwrap();
    assert_eq!(pattern.placeholders().collect::<Vec<_>>(), ["shop", "channel"]);
    let values = pattern.matches("/s1/notify/a%7Cb").unwrap();
    assert_eq!((values.get("shop"), values.get("channel"), values.get("x")), (Some("s1"), Some("a%7Cb"), None));
    assert!(pattern.matches("//notify/a").is_none());
}

#[test]
fn patterns_that_could_never_match_or_mean_two_things_are_refused() {
    for (text, error) in [
        ("pay", BadPattern::NotAbsolute),
        ("", BadPattern::NotAbsolute),
        ("/a//b", BadPattern::NotCanonical),
        ("/a/../b", BadPattern::NotCanonical),
        ("/a;b", BadPattern::NotCanonical),
        ("/%41", BadPattern::NotCanonical),
        ("/a?b=c", BadPattern::NotCanonical),
        ("/支付", BadPattern::NotCanonical),
        ("/a{b}", BadPattern::Placeholder),
        ("/{}", BadPattern::Placeholder),
        ("/{a b}", BadPattern::Placeholder),
        ("/{a", BadPattern::Placeholder),
        ("/{a}/{b}/{a}", BadPattern::Repeated("a".to_owned())),
    ] {
        assert_eq!(PathPattern::parse(text), Err(error), "{text}");
    }
    for text in ["/", "/a/", "/a/{b}/", "/a%7Cb", "/a:b@c/+$"] {
        assert_eq!(PathPattern::parse(text).map(|pattern| pattern.as_str().to_owned()).as_deref(), Ok(text));
    }
}

#[test]
fn patterns_overlap_if_a_path_matches_both() {
    for (one, other, overlap) in [
        ("/a", "/a", true),
        ("/a", "/b", false),
        ("/a", "/a/", false),
        ("/{x}", "/a", true),
        ("/{x}", "/", false),
        ("/a/{x}", "/{y}/b", true),
        ("/a/{x}", "/b/{x}", false),
        ("/a/{x}", "/a/{x}/c", false),
    ] {
        let (one, other) = (PathPattern::parse(one).unwrap(), PathPattern::parse(other).unwrap());
        assert_eq!((one.overlaps(&other), other.overlaps(&one)), (overlap, overlap), "{one:?} {other:?}");
    }
}
