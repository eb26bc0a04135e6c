//! What the legacy system does wrong is told to the sender truthfully, once, in time, and never tried again behind its
//! back (D-06, F-04, P-12, P-15). What it does wrong on a connection that was used before is in `kept_connections`.

use crate::fakes::nobody;
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::harness::World;
use serde_json::json;
use std::time::{Duration, Instant};

/// A paid callback when the upstream does this, of which it must have seen exactly one.
fn told_when(reply: Reply, status: u16, reason: &str) {
    let world = World::new();
    world.wechat.order(&APP, "UPSTREAM-1").paid(100);
    let shown = format!("{reply:?}").chars().take(200).collect::<String>();
    world.upstream.answers(reply);
    let answer = world.app_callback("UPSTREAM-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (status, reason), "{shown}");
    world.upstream_received();
}

fn writes(bytes: &str) -> Reply {
    Reply::Writes(bytes.as_bytes().to_vec())
}

#[test]
fn an_upstream_that_is_not_there_is_502() {
    let world = World::with(|setup| setup.config["upstream"] = json!(format!("http://{}", nobody())));
    world.wechat.order(&APP, "NOBODY-1").paid(100);
    let answer = world.app_callback("NOBODY-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (502, "upstream-unreachable"));
}

#[test]
fn d06_an_upstream_that_breaks_off_is_502_and_is_not_asked_again() {
    told_when(Reply::Breaks, 502, "upstream-broke");
    told_when(writes(""), 502, "upstream-broke");
}

#[test]
fn an_upstream_that_does_not_answer_in_time_is_504() {
    let world = World::with(|setup| {
        setup.config["deadline"] = json!("500ms");
        setup.config["confirm_deadline"] = json!("300ms");
    });
    world.wechat.order(&APP, "SLOW-1").paid(100);
    world.upstream.answers(Reply::Hangs);
    let since = Instant::now();
    let answer = world.app_callback("SLOW-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (504, "upstream-timeout"));
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    world.upstream_received();
}

#[test]
fn an_upstream_that_stops_in_the_middle_is_no_success() {
    told_when(Reply::half(), 502, "upstream-broke");
    told_when(writes("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nhalf"), 502, "upstream-broke");
    told_when(writes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), 502, "upstream-broke");
}

#[test]
fn an_upstream_that_does_not_speak_http_is_502() {
    told_when(writes("SSH-2.0-OpenSSH_9.7\r\n"), 502, "upstream-broke");
    told_when(writes("\0\0\0"), 502, "upstream-broke");
}

#[test]
fn p12_an_upstream_that_switches_protocols_is_502() {
    let reply = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x02";
    told_when(writes(reply), 502, "upstream-broke");
}

#[test]
fn p15_an_answer_with_two_lengths_is_502() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n";
    told_when(writes(reply), 502, "upstream-broke");
    told_when(writes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhalfs"), 502, "upstream-broke");
}

#[test]
fn p15_an_answer_without_end_is_502() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    told_when(Reply::Writes([head.as_bytes(), &vec![b'x'; 40 << 20]].concat()), 502, "upstream-answer-too-large");
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx";
    told_when(writes(announced), 502, "upstream-answer-too-large");
}

#[test]
fn p15_an_answers_head_without_end_is_502() {
    let head = format!("HTTP/1.1 200 OK\r\nX-Pad: {}\r\n", "x".repeat(8 << 20));
    told_when(writes(&head), 502, "upstream-broke");
}

#[test]
fn hop_by_hop_headers_of_the_answer_end_here() {
    let world = World::new();
    world.wechat.order(&APP, "HOPS-1").paid(100);
    world.upstream.answers(writes(
        "HTTP/1.1 200 OK\r\nX-Legacy: hops\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nok",
    ));
    let answer = world.app_callback("HOPS-1");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    for name in ["X-Hop", "Keep-Alive"] {
        assert!(answer.header(name).is_none(), "{name} passed");
    }
    assert_eq!(answer.folded("Set-Cookie"), ["a=b", "c=d"]);
}

#[test]
fn an_answer_that_ends_with_its_connection_passes() {
    let world = World::new();
    world.wechat.order(&APP, "UNTIL-CLOSE-1").paid(100);
    world.upstream.answers(writes("HTTP/1.0 200 OK\r\nX-Legacy: old\r\nContent-Type: text/plain\r\n\r\nold but true"));
    assert_eq!(world.app_callback("UNTIL-CLOSE-1").text(), "old but true");
}

#[test]
fn a_chunked_answer_passes() {
    let world = World::new();
    world.wechat.order(&APP, "CHUNKS-1").paid(100);
    world.upstream.answers(writes(
        "HTTP/1.1 200 OK\r\nX-Legacy: chunks\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nyes\r\n4\r\n sir\r\n0\r\nX-Trailer: 1\r\n\r\n",
    ));
    assert_eq!(world.app_callback("CHUNKS-1").text(), "yes sir");
}

#[test]
fn an_answer_without_a_body_passes() {
    let world = World::new();
    world.wechat.order(&APP, "EMPTY-1").paid(100);
    world.upstream.answers_once(writes("HTTP/1.1 204 No Content\r\nConnection: close\r\nX-Legacy: none\r\n\r\n"));
    assert_eq!(world.app_callback("EMPTY-1").status(), 204);
    world.upstream.answers_once(writes("HTTP/1.1 200 OK\r\nX-Legacy: empty\r\nContent-Length: 0\r\n\r\n"));
    let answer = world.app_callback("EMPTY-1");
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
}

#[test]
fn an_interim_answer_is_not_the_answer() {
    let world = World::new();
    world.wechat.order(&APP, "INTERIM-1").paid(100);
    world.upstream.answers(writes(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-Legacy: final\r\nContent-Length: 2\r\n\r\nok",
    ));
    assert_eq!(world.app_callback("INTERIM-1").text(), "ok");
}

#[test]
fn a_connection_the_upstream_closed_between_callbacks_costs_no_callback() {
    // D-06: nothing was written, so a fresh connection is no repetition.
    let world = World::new();
    for index in 0..8 {
        let order = format!("KEPT-{index}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200, "{order}");
        assert_eq!(world.upstream.requests_for(&order).len(), 1, "{order}");
        world.upstream.closes_its_connections();
    }
}

#[test]
fn one_broken_delivery_does_not_touch_another() {
    // F-04
    let world = World::new();
    for index in 0..10 {
        let order = format!("MIXED-{index}");
        world.wechat.order(&APP, &order).paid(100);
        // What was broken goes out again with the next one that is accepted, and may take an answer that is told once.
        world.upstream.answers(if index % 2 == 1 { Reply::half() } else { Reply::ok(b"booked") });
        let expected = if index % 2 == 1 { 502 } else { 200 };
        assert_eq!(world.app_callback(&order).status(), expected, "{order}");
    }
}

#[test]
fn the_whole_way_has_one_deadline() {
    let world = World::with(|setup| {
        setup.config["deadline"] = json!("800ms");
        setup.config["confirm_deadline"] = json!("500ms");
    });
    world.wechat.order(&APP, "BUDGET-1").delay(Duration::from_millis(300)).paid(100);
    world.upstream.answers(Reply::Hangs);
    let since = Instant::now();
    assert_eq!(world.app_callback("BUDGET-1").status(), 504);
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
}
