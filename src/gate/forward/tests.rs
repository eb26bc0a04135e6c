use super::*;
use hyper::header::{HeaderValue, SERVER};

#[test]
fn an_upstream_is_an_origin_and_nothing_more() {
    for text in ["http://127.0.0.1:5000", "https://legacy.example", "http://[::1]:5000", "http://legacy.example/"] {
        let upstream = Upstream::parse(text).unwrap();
        assert_eq!(upstream.to_string(), text.trim_end_matches('/'));
    }
    for (text, expected) in [
        ("127.0.0.1:5000", BadUpstream::Url),
        ("/pay", BadUpstream::Url),
        ("http://legacy.example:", BadUpstream::Url),
        ("ftp://legacy.example", BadUpstream::Scheme),
        ("http://legacy.example/pay", BadUpstream::Path),
        ("http://legacy.example/?a=1", BadUpstream::Path),
        ("http://user@legacy.example", BadUpstream::Path),
    ] {
        assert_eq!(Upstream::parse(text), Err(expected), "{text}");
    }
}

/// D-09.
#[test]
fn every_rule_of_accepted_must_hold() {
    let answer = |status: u16, body: &'static str| UpstreamAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    };
    let rule = |status, body_contains: Option<&str>, return_code: Option<&str>| Accepted {
        status,
        body_contains: body_contains.map(str::to_owned),
        return_code: return_code.map(str::to_owned),
    };
    let class = AcceptedStatus::Class(2);
    let success = "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>";
    let fail = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg>SUCCESS</return_msg></xml>";
    for (rule, answer, holds) in [
        (rule(class, None, None), answer(204, ""), true),
        (rule(class, None, None), answer(302, ""), false),
        (rule(AcceptedStatus::Exactly(StatusCode::OK), None, None), answer(201, ""), false),
        (rule(class, Some("success"), None), answer(200, "it is a success"), true),
        (rule(class, Some("success"), None), answer(200, "SUCCESS"), false),
        (rule(class, Some("success"), None), answer(500, "success"), false),
        (rule(class, None, Some("SUCCESS")), answer(200, success), true),
        (rule(class, None, Some("SUCCESS")), answer(200, fail), false),
        (rule(class, None, Some("SUCCESS")), answer(200, "SUCCESS"), false),
    ] {
        assert_eq!(rule.holds(&answer), holds, "{rule:?} {answer:?}");
    }
}

#[test]
fn fields_of_the_connection_end_at_the_gate() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "keep-alive, X-Hop"),
        ("connection", "\u{e9}, X-Hop-Too"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "1"),
        ("x-hop-too", "1"),
        ("trailer", "X-Sum"),
        ("server", "legacy"),
    ] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let left = without_connection_fields(headers);
    assert_eq!(left.keys().collect::<Vec<_>>(), [SERVER]);
}
