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
