use super::*;
use crate::gate::accepted::Accepted;
use crate::gate::claim::ClaimReader;
use crate::gate::claim::{Carrier, ClaimFields, Field, Place, Strictness};
use crate::gate::reply::ReplyStyle;
use hyper::Request;

fn route(name: &str, path: &str, methods: &[Method]) -> Route {
    Route {
        name: name.to_owned(),
        path: PathPattern::parse(path).unwrap(),
        query: QueryMatch::default(),
        methods: methods.to_vec(),
        main: Reading {
            preset: None,
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
            accepted: Accepted::any_2xx(),
            reply: ReplyStyle { dialect: None, success: None, failure: None },
        },
        also: Vec::new(),
        events: Events::default(),
        resign: None,
        upstream_window: None,
        number_proof: NumberProof::First,
        deadline: None,
        duplicates: Duplicates::Forward,
        synthesize: None,
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
fn a_body_is_read_and_answered_in_its_own_language() {
    use crate::provider::wechat::{v2, v3};
    let with = |preset: &'static crate::provider::Preset| {
        let Route { main: Reading { claim, accepted, .. }, .. } = route("any", "/any", &[Method::POST]);
        let fields = ClaimFields { carrier: preset.carrier, ..claim.fields().clone() };
        let reply = ReplyStyle { dialect: Some(preset.dialect), success: None, failure: None };
        Reading { preset: Some(preset), claim: ClaimReader::new(fields), accepted, reply }
    };
    let both = Route {
        main: with(&v3::preset::PRESET),
        also: vec![with(&v2::preset::PRESET)],
        ..route("any", "/any", &[Method::POST])
    };
    let language = |reading: &Reading| reading.preset.unwrap().name;
    for (body, expected) in [
        ("{}", Some("wechat-v3")),
        (" \r\n\t{", Some("wechat-v3")),
        ("<xml/>", Some("wechat-v2")),
        ("\n<?xml?>", Some("wechat-v2")),
        ("", None),
        ("OrderID=1", None),
        ("[{}]", None),
        ("\u{feff}{}", None),
    ] {
        assert_eq!(both.reading(body.as_bytes()).ok().map(language), expected, "{body:?}");
    }
    for (content_type, expected) in [
        (Some("application/json; charset=utf-8"), "wechat-v3"),
        (Some("Application/JSON"), "wechat-v3"),
        (Some("text/xml"), "wechat-v2"),
        (Some("application/xml; charset=utf-8"), "wechat-v2"),
        (Some("text/plain"), "wechat-v3"),
        (None, "wechat-v3"),
    ] {
        let value = content_type.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value)));
        assert_eq!(language(both.reading_of_head(&value.into_iter().collect())), expected, "{content_type:?}");
    }
}
