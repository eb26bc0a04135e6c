//! Where one request ends and the next begins: two readers that disagree would let a callback through unseen, so what
//! is not clean HTTP/1.1 is refused and the connection closed (P-01 to P-07, P-12, P-13).

use crate::fakes::wechat::APP;
use crate::harness::World;
use crate::wire::{FORM, Request, Wire};

/// Behind everything stands a paid callback: whoever takes the bytes apart wrongly will execute it.
const MARKER: &str = "GET /pay/success?OrderID=MARKER HTTP/1.1\r\nHost: s\r\n\r\n";

fn world() -> World {
    let world = World::new();
    world.wechat.order(&APP, "MARKER").paid(100);
    world.wechat.order(&APP, "A").paid(100);
    world
}

/// Answered by one refusal, after which the connection ends and nobody has heard of it.
fn refuses(world: &World, bytes: &[u8], statuses: &[u16]) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&[bytes, MARKER.as_bytes()].concat());
    let answer = wire.answer().unwrap_or_else(|| panic!("no answer to {shown:?}"));
    world.heard(&answer);
    assert!(statuses.contains(&answer.status()), "{}: {shown:?}", answer.line());
    let rest = wire.rest();
    assert!(rest.is_empty(), "after {shown:?} came {}", String::from_utf8_lossy(&rest));
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn p01_two_ways_of_saying_the_length_are_refused() {
    let world = world();
    for lengths in [
        "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\ncontent-length: 3\r\n",
    ] {
        refuses(&world, format!("{FORM}{lengths}\r\n9\r\nOrderID=A\r\n0\r\n\r\n").as_bytes(), &[400]);
    }
}

#[test]
fn p02_an_odd_content_length_is_refused() {
    let world = world();
    for lengths in [
        "Content-Length: 9\r\nContent-Length: 9\r\n",
        "Content-Length: 9\r\nContent-Length: 8\r\n",
        "Content-Length: 9, 9\r\n",
        "Content-Length: +9\r\n",
        "Content-Length: -9\r\n",
        "Content-Length: 0x9\r\n",
        "Content-Length: 009\r\n",
        "Content-Length: 9 9\r\n",
        "Content-Length: 9a\r\n",
        "Content-Length: 9.0\r\n",
        "Content-Length: \r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 9\r\n",
    ] {
        refuses(&world, format!("{FORM}{lengths}\r\nOrderID=A").as_bytes(), &[400, 413]);
    }
}

#[test]
fn p03_a_transfer_encoding_other_than_chunked_is_refused() {
    let world = world();
    for encoding in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: \x0cchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: \r\n",
    ] {
        refuses(&world, format!("{FORM}{encoding}\r\n9\r\nOrderID=A\r\n0\r\n\r\n").as_bytes(), &[400, 501]);
    }
    let old = FORM.replace("HTTP/1.1", "HTTP/1.0");
    refuses(&world, format!("{old}Transfer-Encoding: chunked\r\n\r\n9\r\nOrderID=A\r\n0\r\n\r\n").as_bytes(), &[400]);
}

#[test]
fn p04_a_chunk_that_is_not_one_is_refused() {
    let world = world();
    for chunks in [
        "0x9\r\nOrderID=A\r\n0\r\n\r\n",
        "+9\r\nOrderID=A\r\n0\r\n\r\n",
        "-9\r\nOrderID=A\r\n0\r\n\r\n",
        "\r\nOrderID=A\r\n0\r\n\r\n",
        "9\nOrderID=A\r\n0\r\n\r\n",
        "9\r\nOrderID=A0\r\n\r\n",
        "8\r\nOrderID=A\r\n0\r\n\r\n",
        "9;\nOrderID=A\r\n0\r\n\r\n",
        "9;a\nb\r\nOrderID=A\r\n0\r\n\r\n",
        "9;a\rb\r\nOrderID=A\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nOrderID=A\r\n0\r\n\r\n",
        "g\r\nOrderID=A\r\n0\r\n\r\n",
    ] {
        refuses(&world, format!("{FORM}Transfer-Encoding: chunked\r\n\r\n{chunks}").as_bytes(), &[400, 413]);
    }
}

#[test]
fn p05_a_head_that_is_not_clean_is_refused() {
    let world = world();
    let get = "GET /pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\n";
    let heads: Vec<Vec<u8>> = vec![
        format!("{get}X-Folded: a\r\n b\r\n\r\n").into(),
        format!("{get}X-Name : a\r\n\r\n").into(),
        format!("{get} X-Name: a\r\n\r\n").into(),
        format!("{get}: a\r\n\r\n").into(),
        format!("{get}X-Name\r\n\r\n").into(),
        format!("{get}X Name: a\r\n\r\n").into(),
        format!("{get}X-Nul: a\0b\r\n\r\n").into(),
        format!("{get}X-Cr: a\rb\r\n\r\n").into(),
        format!("{get}X-Lf: a\nX-Injected: b\r\n\r\n").into(),
        get.replace("\r\n", "\n").into_bytes().into_iter().chain(*b"\n").collect(),
        "GET /pay/success?OrderID=A\r\n\r\n".into(),
        "GET /pay/success?OrderID=A HTTP/1.9\r\nHost: s\r\n\r\n".into(),
        "GET /pay/success?OrderID=A HTTP/2.0\r\nHost: s\r\n\r\n".into(),
        "GET  /pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\n\r\n".into(),
        "GET /pay/success?OrderID=A  HTTP/1.1\r\nHost: s\r\n\r\n".into(),
        "GET /pay/success?OrderID=A B HTTP/1.1\r\nHost: s\r\n\r\n".into(),
        "GE T /pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\n\r\n".into(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"GET /pay/success?OrderID=A&n=\xe5\xba\x97 HTTP/1.1\r\nHost: s\r\n\r\n".to_vec(),
    ];
    for head in heads {
        refuses(&world, &head, &[400, 505]);
    }
}

#[test]
fn p05_a_head_that_breaks_off_is_answered_by_silence_or_refusal() {
    let world = world();
    for part in ["G", "GET /pay/success?OrderID=A", "GET /pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\n"] {
        let stream = crate::wire::connect(world.gate.addr);
        let mut wire = Wire::over(stream.try_clone().unwrap());
        wire.send(part.as_bytes());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = wire.answer();
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{part}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn a_body_that_breaks_off_is_nobodys_callback() {
    let world = world();
    for framing in ["Content-Length: 30\r\n\r\nOrderID=A", "Transfer-Encoding: chunked\r\n\r\n9\r\nOrderID=A\r\n"] {
        let stream = crate::wire::connect(world.gate.addr);
        let mut wire = Wire::over(stream.try_clone().unwrap());
        wire.send(format!("{FORM}{framing}").as_bytes());
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = wire.answer();
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{framing}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn p06_a_target_that_two_programs_read_differently_is_refused() {
    let world = world();
    for target in [
        "//pay/success",
        "/pay//success",
        "/pay/success/",
        "/pay/./success",
        "/pay/../pay/success",
        "/x/../pay/success",
        "/pay/%2e%2e/pay/success",
        "/pay/%2E/success",
        "/pay%2fsuccess",
        "/pay%2Fsuccess",
        "/pay/succes%73",
        "/%70ay/success",
        "/pay/success;x=1",
        "/pay;x/success",
        "/pay\\success",
        "/pay%5csuccess",
        "/pay/success%00",
        "/pay/success%20",
        "/pay/success%3fOrderID=A",
        "/pay/success%",
        "/pay/success%zz",
        "/PAY/success",
        "/pay/Success",
        "/pay",
        "/",
        "pay/success",
        "*",
        "",
    ] {
        let bytes = format!("GET {target}?OrderID=A HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
        refuses(&world, bytes.as_bytes(), &[400, 404]);
    }
}

#[test]
fn p06_a_fragment_is_refused() {
    let world = world();
    let bytes = "GET /pay/success?OrderID=A#&OrderID=B HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n";
    refuses(&world, bytes.as_bytes(), &[400]);
}

#[test]
fn p06_an_absolute_target_for_somebody_else_is_misdirected() {
    let world = world();
    let bytes = "GET http://evil.example/pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n";
    refuses(&world, bytes.as_bytes(), &[421]);
}

#[test]
fn p06_an_absolute_target_for_this_host_arrives_in_origin_form() {
    let world = world();
    let bytes = "GET http://s/pay/success?OrderID=A HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n";
    let answer = world.send_bytes(bytes.as_bytes());
    assert!([200, 400].contains(&answer.status()), "{}", answer.line());
    for seen in world.upstream.requests() {
        assert_eq!(seen.line(), "GET /pay/success?OrderID=A HTTP/1.1");
    }
}

#[test]
fn p07_no_host_and_two_hosts_are_refused() {
    let world = world();
    for hosts in [
        "",
        "Host: s\r\nHost: s\r\n",
        "Host: s\r\nHost: t\r\n",
        "Host: s, t\r\n",
        "Host: a b\r\n",
        "Host: s/x\r\n",
        "Host: u@s\r\n",
    ] {
        refuses(&world, format!("GET /pay/success?OrderID=A HTTP/1.1\r\n{hosts}\r\n").as_bytes(), &[400]);
    }
}

#[test]
fn an_old_sender_without_a_host_does_not_make_a_request_without_one() {
    let world = world();
    let answer = world.send_bytes(b"GET /pay/success?OrderID=A HTTP/1.0\r\n\r\n");
    assert!([200, 400].contains(&answer.status()), "{}", answer.line());
    let answer = world.send_bytes(b"GET /pay/success?OrderID=A HTTP/1.0\r\nHost: s\r\n\r\n");
    assert_eq!(answer.status(), 200);
}

#[test]
fn p12_connect_is_no_method_here() {
    let world = world();
    refuses(&world, b"CONNECT s:443 HTTP/1.1\r\nHost: s:443\r\nConnection: close\r\n\r\n", &[405]);
}

#[test]
fn p13_a_body_behind_an_early_answer_is_never_read_as_a_request() {
    let world = world();
    let early = format!("POST /nowhere HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\n\r\n", MARKER.len());
    let mut wire = Wire::to(world.gate.addr);
    wire.send(format!("{early}{MARKER}").as_bytes());
    assert_eq!(wire.answer().unwrap().status(), 404);
    wire.send(&Request::get("/nowhere").bytes());
    if let Some(answer) = wire.answer() {
        assert_eq!(answer.status(), 404);
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn p13_a_body_behind_a_cached_answer_is_never_read_as_a_request() {
    let world = world();
    assert_eq!(world.app_callback("A").status(), 200);
    let body = format!("OrderID=A&x={}", MARKER.replace("\r\n", "%0d%0a").replace(' ', "+"));
    let mut wire = Wire::to(world.gate.addr);
    wire.send(format!("{FORM}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    let answer = wire.answer().unwrap();
    world.heard(&answer);
    assert_eq!(answer.status(), 200);
    wire.send(&Request::get("/nowhere").bytes());
    assert_eq!(wire.answer().unwrap().status(), 404);
    assert_eq!(world.wechat.asked("MARKER"), 0);
}

#[test]
fn a_connection_serves_one_callback_after_another() {
    let world = world();
    let mut wire = Wire::to(world.gate.addr);
    for _ in 0..5 {
        wire.send(&Request::post("/pay/success").form("OrderID=A").kept_alive());
        let answer = wire.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
    }
}
