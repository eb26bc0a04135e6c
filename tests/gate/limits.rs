//! Every limit has an answer, and the gate goes on serving the others (docs/config.md, `limits`; R-01 to R-05, E-07,
//! E-14).

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::harness::{World, at_once, until};
use crate::wire::{FORM, Request, Wire};
use serde_json::json;
use std::io::Write;
use std::time::{Duration, Instant};

/// A gate with this one limit set.
fn limited(name: &str, value: serde_json::Value) -> World {
    let world = World::with(|setup| setup.config["limits"] = json!({ name: value }));
    world.wechat.order(&APP, "LIMIT-1").paid(100);
    world
}

/// A paid form callback whose body has exactly this many bytes.
fn sized(bytes: usize) -> Request {
    let start = "OrderID=LIMIT-1&x=";
    Request::post("/pay/success").form(format!("{start}{}", "x".repeat(bytes - start.len())))
}

#[test]
fn a_body_larger_than_the_limit_is_413() {
    // R-03
    let world = limited("body", json!("1KiB"));
    assert_eq!(world.send(&sized(1023)).status(), 200);
    assert_eq!(world.send(&sized(1024)).status(), 200);
    let answer = world.send(&sized(1025));
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (413, "body-too-large"));
    assert_eq!(world.upstream.requests().len(), 2);
}

#[test]
fn a_body_that_is_announced_too_large_is_413_before_it_is_sent() {
    let world = limited("body", json!("1KiB"));
    let head = format!("{FORM}Content-Length: 1025\r\n\r\n");
    assert_eq!(world.send_bytes(head.as_bytes()).status(), 413);
}

#[test]
fn a_chunked_body_larger_than_the_limit_is_413() {
    let world = limited("body", json!("1KiB"));
    let head = format!("{FORM}Transfer-Encoding: chunked\r\n\r\n");
    let chunks = format!("200\r\n{}\r\n", "x".repeat(0x200)).repeat(3);
    assert_eq!(world.send_bytes(format!("{head}{chunks}").as_bytes()).status(), 413);
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn the_default_body_limit_is_64_kib() {
    let world = limited("headers", json!(64));
    assert_eq!(world.send(&sized(64 * 1024)).status(), 200);
    assert_eq!(world.send(&sized(64 * 1024 + 1)).status(), 413);
}

#[test]
fn a_head_larger_than_the_limit_is_431() {
    let world = limited("head", json!("4KiB"));
    let padded = |bytes| Request::post("/pay/success").form("OrderID=LIMIT-1").header("X-Pad", &"x".repeat(bytes));
    assert_eq!(world.send(&padded(3000)).status(), 200);
    let answer = world.send(&padded(5000));
    assert_eq!(answer.status(), 431);
    assert_eq!(world.send(&padded(200_000)).status(), 431);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn more_headers_than_the_limit_are_431() {
    let world = limited("headers", json!(20));
    let many = |count| {
        let request = Request::post("/pay/success").form("OrderID=LIMIT-1");
        (0..count).fold(request, |request, index| request.header(&format!("X-{index}"), "1"))
    };
    assert_eq!(world.send(&many(10)).status(), 200);
    assert_eq!(world.send(&many(21)).status(), 431);
    assert_eq!(world.send(&many(200)).status(), 431);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn a_target_that_is_too_long_is_414() {
    let world = limited("headers", json!(64));
    let target = format!("/pay/success?OrderID=LIMIT-1&x={}", "x".repeat(15_000));
    assert_eq!(world.send(&Request::get(&target)).status(), 414);
    world.upstream_saw_nothing();
}

#[test]
fn a_head_that_does_not_come_is_408() {
    // R-01
    let world = limited("head_timeout", json!("250ms"));
    let answer = world.send_bytes(b"POST /pay/success HTTP/1.1\r\nHost: s\r\n");
    assert_eq!(answer.status(), 408);
}

#[test]
fn a_silent_connection_is_closed() {
    // R-01
    let world = limited("head_timeout", json!("250ms"));
    let mut wire = Wire::to(world.gate.addr);
    let answer = wire.answer();
    assert!(answer.is_none_or(|answer| answer.status() == 408));
    assert!(wire.closes());
}

#[test]
fn a_head_that_comes_byte_by_byte_has_no_more_time() {
    // R-01, slowloris
    let world = limited("head_timeout", json!("250ms"));
    let since = Instant::now();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(b"POST /pay/success HTTP/1.1\r\n");
    while since.elapsed() < Duration::from_secs(4) && wire.send(b"X-Slow: 1\r\n") {
        std::thread::sleep(Duration::from_millis(30));
    }
    assert!(since.elapsed() < Duration::from_secs(3), "still open after {:?}", since.elapsed());
    assert_eq!(world.app_callback("LIMIT-1").status(), 200);
}

#[test]
fn a_later_head_has_no_more_time_than_the_first() {
    let world = World::with(|setup| setup.config["limits"] = json!({ "head_timeout": "250ms", "idle_timeout": "9s" }));
    world.wechat.order(&APP, "LIMIT-1").paid(100);
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=LIMIT-1").kept_alive());
    assert_eq!(wire.answer().unwrap().status(), 200);
    let since = Instant::now();
    wire.send(b"POST /pay/success HTTP/1.1\r\n");
    assert!(wire.answer().is_none_or(|answer| answer.status() == 408));
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn a_body_that_does_not_come_is_408() {
    // R-02
    let world = limited("body_timeout", json!("250ms"));
    for framing in ["Content-Length: 30", "Transfer-Encoding: chunked"] {
        let head = format!("{FORM}{framing}\r\n\r\n");
        let answer = world.send_bytes(head.as_bytes());
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (408, "request-timeout"), "{framing}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn a_body_that_comes_byte_by_byte_has_no_more_time() {
    // R-02
    let world = limited("body_timeout", json!("250ms"));
    let since = Instant::now();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(format!("{FORM}Content-Length: 9000\r\n\r\n").as_bytes());
    while since.elapsed() < Duration::from_secs(4) && wire.send(b"x") {
        std::thread::sleep(Duration::from_millis(30));
    }
    assert!(since.elapsed() < Duration::from_secs(3), "still open after {:?}", since.elapsed());
    world.upstream_saw_nothing();
}

#[test]
fn an_idle_connection_is_closed() {
    let world = limited("idle_timeout", json!("250ms"));
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=LIMIT-1").kept_alive());
    assert_eq!(wire.answer().unwrap().status(), 200);
    let since = Instant::now();
    assert!(wire.closes());
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn a_sender_that_does_not_read_its_answer_is_let_go_of() {
    // R-02
    let world = World::with(|setup| setup.config["limits"] = json!({ "answer_timeout": "250ms", "connections": 1 }));
    world.wechat.order(&APP, "LIMIT-1").paid(100);
    world.upstream.answers_once(Reply::ok(&vec![b'x'; 1_000_000]));
    let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    deaf.set_recv_buffer_size(1024).unwrap();
    deaf.connect(&world.gate.addr.into()).unwrap();
    let mut deaf = std::net::TcpStream::from(deaf);
    deaf.write_all(&Request::post("/pay/success").form("OrderID=LIMIT-1").kept_alive()).unwrap();
    until("the large answer", || world.gate.summaries().iter().any(|line| line["status"] == 200));
    // Its place is the only one.
    until("its place to be free", || {
        let mut wire = Wire::to(world.gate.addr);
        wire.send(&Request::get("/nowhere").bytes());
        wire.answer().is_some_and(|answer| answer.status() == 404)
    });
    drop(deaf);
}

#[test]
fn more_connections_than_the_limit_are_503_and_the_others_are_served() {
    // R-04
    let world = limited("connections", json!(4));
    let mut first = Wire::to(world.gate.addr);
    first.send(&Request::post("/pay/success").form("OrderID=LIMIT-1").kept_alive());
    assert_eq!(first.answer().unwrap().status(), 200);
    let idle: Vec<_> = (0..3).map(|_| Wire::to(world.gate.addr)).collect();
    let answer = world.app_callback("LIMIT-1");
    assert_eq!(answer.status(), 503);
    assert!(answer.header("Retry-After").is_some());
    first.send(&Request::post("/pay/success").form("OrderID=LIMIT-1").kept_alive());
    assert_eq!(first.answer().unwrap().status(), 200);
    drop((first, idle));
    until("places to be free again", || world.app_callback("LIMIT-1").status() == 200);
}

#[test]
fn a_process_out_of_descriptors_recovers() {
    // R-04: EMFILE in accept
    use nix::sys::resource::{Resource, getrlimit};
    let world = limited("connections", json!(8192));
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let open = std::fs::read_dir(format!("/proc/{}/fd", world.gate.pid())).unwrap().count();
    assert!(u64::try_from(open).unwrap() < hard);
    let lower = std::process::Command::new("prlimit")
        .args([format!("--pid={}", world.gate.pid()), format!("--nofile={}:{hard}", open + 8)])
        .status();
    if !lower.is_ok_and(|status| status.success()) {
        return; // without util-linux there is no way to lower another process's limit
    }
    let flood: Vec<_> = (0..40).map(|_| Wire::to(world.gate.addr)).collect();
    drop(flood);
    until("the gate to serve again", || {
        let mut wire = Wire::to(world.gate.addr);
        wire.send(&Request::get("/nowhere").bytes());
        wire.answer().is_some_and(|answer| answer.status() == 404)
    });
    assert!(world.gate.is_running());
}

#[test]
fn one_address_that_sends_too_many_callbacks_gets_429() {
    // R-05
    let world = limited("rate_per_address", json!(2));
    let statuses: Vec<_> = (0..20).map(|_| world.app_callback("LIMIT-1").status()).collect();
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    until("the bucket to fill again", || world.app_callback("LIMIT-1").status() == 200);
}

#[test]
fn a_method_the_route_does_not_take_is_405_with_allow() {
    let world = limited("headers", json!(64));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"] {
        let answer = world.send(&Request::of(method, "/pay/success?OrderID=LIMIT-1"));
        assert_eq!(answer.status(), 405, "{method}");
        let mut allow: Vec<_> = answer.header("Allow").unwrap().split(", ").map(str::to_owned).collect();
        allow.sort();
        assert_eq!(allow, ["GET", "POST"], "{method}");
    }
    let answer = world.send(&Request::get("/wxpay/notify/app"));
    assert_eq!((answer.status(), answer.header("Allow").as_deref()), (405, Some("POST")));
    world.upstream_saw_nothing();
}

#[test]
fn e07_another_kind_of_body_than_the_routes_is_415() {
    let world = limited("headers", json!(64));
    for kind in [
        "application/json",
        "text/plain",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=utf-7",
        "application/x-www-form-urlencoded-x",
        "application/x-www-form-urlencoded, text/plain",
        "",
    ] {
        let request = Request::post("/pay/success").header("Content-Type", kind).body("OrderID=LIMIT-1");
        assert_eq!(world.send(&request).status(), 415, "{kind:?}");
    }
    let twice = Request::post("/pay/success").form("OrderID=LIMIT-1").header("Content-Type", "text/plain");
    assert!([400, 415].contains(&world.send(&twice).status()));
    let json = Request::post("/pay/json").form(r#"{"data":{"order_id":"LIMIT-1"}}"#);
    assert_eq!(world.send(&json).status(), 415);
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn e07_content_types_that_say_the_same_are_the_same() {
    let world = limited("headers", json!(64));
    for kind in [
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
    ] {
        let request = Request::post("/pay/success").header("Content-Type", kind).body("OrderID=LIMIT-1");
        assert_eq!(world.send(&request).status(), 200, "{kind:?}");
    }
}

#[test]
fn e14_a_compressed_body_is_415() {
    let world = limited("headers", json!(64));
    for coding in ["gzip", "br", "deflate", "gzip, gzip", "GZIP", "x"] {
        let request = Request::post("/pay/success").form("OrderID=LIMIT-1").header("Content-Encoding", coding);
        assert_eq!(world.send(&request).status(), 415, "{coding}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn silent_connections_do_not_slow_honest_ones() {
    // R-01
    let world = limited("head_timeout", json!("5s"));
    let silent: Vec<_> = (0..300).map(|_| Wire::to(world.gate.addr)).collect();
    let since = Instant::now();
    at_once(20, |_| assert_eq!(world.app_callback("LIMIT-1").status(), 200));
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    drop(silent);
}
