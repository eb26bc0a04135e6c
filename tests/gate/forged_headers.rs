//! The upstream sees exactly one verified header, ours, whatever the sender writes into the head (P-08 to P-13).

use crate::fakes::wechat::APP;
use crate::harness::World;
use crate::wire::{Message, Request};
use serde_json::json;

/// What the upstream sees of a paid callback with these headers. The ledger checks that ours are there once.
fn seen_with(headers: &[(&str, &str)]) -> Message {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "SPOOF-1").paid(100);
    let request = Request::post("/pay/success").form("OrderID=SPOOF-1");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    assert_eq!(world.send(&request).status(), 200, "{headers:?}");
    let seen = world.upstream_received();
    assert_eq!(seen.folded("X-Verified-Transaction-Id"), [transaction_id]);
    seen
}

#[test]
fn p09_p10_no_spelling_of_a_verified_header_survives() {
    seen_with(&[
        ("X-Verified-Transaction-Id", "FAKE"),
        ("x-verified-transaction-id", "FAKE"),
        ("X-VERIFIED-TRANSACTION-ID", ""),
        ("X_Verified_Transaction_Id", "FAKE"),
        ("X.Verified.Transaction.Id", "FAKE"),
        ("X-Verified_Transaction.Id", "FAKE"),
        ("x-verified-out_trade_no", "FAKE"),
        ("X_Verified-Total-Fee", "0"),
        ("X-Verified-Fee.Type", "XXX"),
        ("X_VERIFIED_TIME_END", "FAKE"),
        ("x.verified.trade.state", "REFUND"),
        ("X-Verified-Channel", "2/c1"),
        ("X_Tollgate_Delivery", "FAKE"),
        ("X-Tollgate-Attempt", "99"),
        ("x-tollgate_origin", "sweep"),
    ]);
}

#[test]
fn p08_connection_cannot_take_away_what_the_callback_is_read_by() {
    let world = World::with(|setup| {
        let by_header = json!({ "name": "by-header", "path": "/by-header", "methods": ["POST"], "carrier": "form",
                                "order": "header.X-Order", "channel": "app" });
        setup.config["routes"].as_array_mut().unwrap().push(by_header);
    });
    world.wechat.order(&APP, "READ-1").paid(100);
    for connection in ["Content-Type", "close, content-type", "keep-alive,X-Order", "\u{e9}, content-type, x-order"] {
        let form = Request::post("/pay/success").form("OrderID=READ-1").header("Connection", connection);
        let by_header =
            Request::post("/by-header").form("").header("X-Order", "READ-1").header("Connection", connection);
        let request = if connection.to_lowercase().contains("content-type") { form } else { by_header };
        assert_eq!(world.send(&request).status(), 400, "{connection}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn a_name_of_ours_is_not_passed_even_where_it_is_not_used() {
    let world = World::with(|setup| setup.config["headers"] = json!({ "transaction_id": "X-Pay-Id" }));
    world.wechat.order(&APP, "RENAMED-1").paid(100);
    let request = Request::post("/pay/success").form("OrderID=RENAMED-1");
    let request = request.header("X-Verified-Transaction-Id", "FAKE").header("X_Verified_Signature", "FAKE");
    assert_eq!(world.send(&request).status(), 200);
    let seen = world.upstream_received();
    assert!(seen.folded("X-Verified-Transaction-Id").is_empty() && seen.folded("X-Verified-Signature").is_empty());
    assert_eq!(seen.folded("X-Pay-Id").len(), 1);
}

#[test]
fn p09_a_symbol_that_some_backend_folds_is_folded() {
    for name in [
        "X~Verified~Transaction~Id",
        "X!Verified!Transaction!Id",
        "X+Verified+Transaction+Id",
        "X'Verified'Transaction'Id",
    ] {
        let world = World::new();
        let transaction_id = world.wechat.order(&APP, "SYMBOL-1").paid(100);
        let answer = world.send(&Request::post("/pay/success").form("OrderID=SYMBOL-1").header(name, "FAKE"));
        assert!([200, 400].contains(&answer.status()), "{name}: {}", answer.line());
        for seen in world.upstream.requests() {
            let read: Vec<_> = seen.folded("X-Verified-Transaction-Id");
            assert!(read == [transaction_id.clone()], "{name} survived: {read:?}");
        }
    }
}

#[test]
fn p08_connection_cannot_take_a_verified_header_away() {
    for connection in [
        &[("Connection", "X-Verified-Transaction-Id")][..],
        &[("Connection", "close, x-verified-transaction-id, X-Verified-Channel")],
        &[("Connection", ""), ("Connection", "X-Verified-Transaction-Id")],
        &[("Connection", "keep-alive"), ("Proxy-Connection", "X-Verified-Transaction-Id")],
        &[("Connection", "Content-Length, Host, Accept")],
    ] {
        let mut headers = connection.to_vec();
        headers.push(("Keep-Alive", "timeout=5"));
        let seen = seen_with(&headers);
        let tokens = seen.folded("Connection").join(",").to_lowercase();
        assert!(!tokens.contains("verified") && !tokens.contains("content"), "{tokens}");
        assert!(seen.folded("Keep-Alive").is_empty() && seen.folded("Proxy-Connection").is_empty());
        assert_eq!(seen.folded("Host"), ["shop.example"]);
    }
}

#[test]
fn what_connection_names_is_for_this_hop_only() {
    let seen = seen_with(&[("Connection", "close, X-Hop"), ("X-Hop", "1"), ("X-Stay", "1")]);
    assert!(seen.folded("X-Hop").is_empty());
    assert_eq!(seen.folded("X-Stay"), ["1"]);
}

#[test]
fn hop_by_hop_headers_end_here() {
    let names =
        ["TE", "Trailer", "Proxy-Authorization", "Proxy-Authenticate", "Keep-Alive", "Proxy-Connection", "Proxy"];
    let headers: Vec<_> = names.iter().map(|name| (*name, "x")).collect();
    let seen = seen_with(&headers);
    for name in names {
        assert!(seen.folded(name).is_empty(), "{name} passed");
    }
}

#[test]
fn p11_method_override_and_rewrites_end_here() {
    let names = [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "x_http_method_override",
    ];
    let headers: Vec<_> = names.iter().map(|name| (*name, "DELETE")).collect();
    let seen = seen_with(&headers);
    for name in names {
        assert!(seen.folded(name).is_empty(), "{name} passed");
    }
}

#[test]
fn p11_a_callback_is_no_conditional_request_and_none_for_a_part() {
    let names = [
        ("Range", "bytes=0-0"),
        ("If-Range", "\"a\""),
        ("If-Match", "\"a\""),
        ("If-None-Match", "*"),
        ("If-Modified-Since", "Sun, 22 Nov 2026 00:00:00 GMT"),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("if_none_match", "*"),
    ];
    let seen = seen_with(&names);
    for (name, _) in names {
        assert!(seen.folded(name).is_empty(), "{name} passed");
    }
}

#[test]
fn p11_where_the_callback_came_from_is_the_gates_own_knowledge() {
    let seen = seen_with(&[
        ("X-Forwarded-For", "6.6.6.6"),
        ("X_Forwarded_For", "6.6.6.6"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Real-IP", "6.6.6.6"),
        ("Forwarded", "for=6.6.6.6"),
    ]);
    let head = String::from_utf8_lossy(&seen.head).into_owned();
    for lie in ["6.6.6.6", "gopher", "evil.example"] {
        assert!(!head.contains(lie), "{head}");
    }
    assert_eq!(seen.folded("X-Forwarded-For"), ["127.0.0.1"]);
}

#[test]
fn p11_a_trusted_proxys_word_is_kept() {
    let world = World::with(|setup| {
        setup.config["forwarding"] = serde_json::json!({ "trusted_proxies": ["127.0.0.0/8"] });
    });
    world.wechat.order(&APP, "PROXIED-1").paid(100);
    let request = Request::post("/pay/success").form("OrderID=PROXIED-1").header("X-Forwarded-For", "203.0.113.9");
    assert_eq!(world.send(&request).status(), 200);
    let seen = world.upstream_received().folded("X-Forwarded-For").join(", ");
    assert!(seen.starts_with("203.0.113.9"), "{seen}");
}

#[test]
fn p10_trailers_end_here() {
    let world = World::new();
    world.wechat.order(&APP, "TRAILER-1").paid(100);
    let bytes = "POST /pay/success HTTP/1.1\r\nHost: s\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Trailer: X-Verified-Transaction-Id\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                 11\r\nOrderID=TRAILER-1\r\n0\r\nX-Verified-Transaction-Id: FAKE\r\n\r\n";
    assert_eq!(world.send_bytes(bytes.as_bytes()).status(), 200);
    let seen = world.upstream_received();
    assert!(seen.folded("Trailer").is_empty());
    assert_eq!(seen.text(), "OrderID=TRAILER-1");
}

#[test]
fn p12_nothing_is_upgraded() {
    let seen = seen_with(&[
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]);
    for name in ["Upgrade", "HTTP2-Settings"] {
        assert!(seen.folded(name).is_empty(), "{name} passed");
    }
    assert!(!seen.folded("Connection").join(",").to_lowercase().contains("upgrade"));
}

#[test]
fn p13_expect_ends_here() {
    for expect in ["100-continue", "y 100-continue"] {
        let world = World::new();
        world.wechat.order(&APP, "EXPECT-1").paid(100);
        let request = Request::post("/pay/success").form("OrderID=EXPECT-1").header("Expect", expect);
        let answer = world.send(&request);
        assert!([200, 400, 417].contains(&answer.status()), "{}", answer.line());
        for seen in world.upstream.requests() {
            assert!(seen.folded("Expect").is_empty());
        }
    }
}

#[test]
fn a_backend_sees_a_host_of_our_choice_where_the_config_says_so() {
    for (host, seen) in [("upstream", None), ("orders.internal", Some("orders.internal"))] {
        let world = World::with(|setup| setup.config["forwarding"] = serde_json::json!({ "host": host }));
        world.wechat.order(&APP, "HOST-1").paid(100);
        assert_eq!(world.app_callback("HOST-1").status(), 200);
        let expected = seen.map_or_else(|| world.upstream.addr.to_string(), str::to_owned);
        assert_eq!(world.upstream_received().folded("Host"), [expected]);
    }
}

#[test]
fn bytes_that_are_no_text_in_a_header_hurt_nobody() {
    let world = World::new();
    world.wechat.order(&APP, "BYTES-1").paid(100);
    let mut bytes = b"POST /pay/success HTTP/1.1\r\nHost: s\r\nX-Odd: \xd6\xd0\xff\r\nContent-Length: 15\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
        .to_vec();
    bytes.extend(b"OrderID=BYTES-1");
    let answer = world.send_bytes(&bytes);
    assert!([200, 400].contains(&answer.status()));
    assert_eq!(world.app_callback("BYTES-1").status(), 200);
}
