//! What a sender is told: enough to act on, never why in detail (docs/reasons.md).

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, Fault, SignType, notification};
use crate::harness::{World, return_code};
use crate::wire::{Message, Request};
use serde_json::json;
use std::collections::BTreeSet;

/// A problem document (RFC 9457) of this status, with an id to find the reason by.
fn is_problem(answer: &Message, status: u16) {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.header("Content-Type").as_deref(), Some("application/problem+json"));
    assert!(answer.header("X-Request-Id").is_some_and(|id| id.len() >= 8));
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string(), "{problem}");
}

#[test]
fn refusals_over_http_are_problem_documents() {
    let world = World::with(|setup| setup.config["limits"] = json!({ "body": "1KiB" }));
    world.wechat.order(&APP, "UNPAID-1");
    world.wechat.order(&APP, "CLOSED-1").state("CLOSED");
    world.wechat.order(&APP, "PAID-1").paid(100);
    world.upstream.answers(Reply::Breaks);
    is_problem(&world.app_callback("UNPAID-1"), 503);
    is_problem(&world.app_callback("CLOSED-1"), 402);
    is_problem(&world.callback("OrderID=PAID-1&TotalFee=1"), 403);
    is_problem(&world.callback("OrderID=PAID-1&OrderID=PAID-1"), 400);
    is_problem(&world.callback("OrderID=A&paymentcenter_id=B&ChannelID=9&CustomerID=9"), 404);
    is_problem(&world.app_callback("PAID-1"), 502);
    is_problem(&world.send(&Request::get("/nowhere")), 404);
    is_problem(&world.send(&Request::of("PUT", "/pay/success")), 405);
    is_problem(&world.callback(&"x".repeat(2000)), 413);
    is_problem(&world.send(&Request::post("/pay/success").header("Content-Type", "text/plain").body("a")), 415);
}

#[test]
fn every_answer_brings_an_id_of_its_own() {
    let world = World::new();
    world.wechat.order(&APP, "ID-1").paid(100);
    let spoofed = Request::post("/pay/success").form("OrderID=ID-1").header("X-Request-Id", "mine");
    let answers =
        [world.app_callback("ID-1"), world.app_callback("ID-1"), world.app_callback("ID-2"), world.send(&spoofed)];
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.folded("X-Request-Id").join(",")).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids.iter().all(|id| !id.contains("mine") && !id.contains(',')), "{ids:?}");
}

#[test]
fn v10_a_sender_cannot_tell_one_not_now_from_another() {
    let world = World::new();
    world.wechat.order(&APP, "ORACLE-1");
    world.wechat.order(&APP, "ORACLE-2").fault(Fault::BadSign).paid(100);
    world.wechat.order(&APP, "ORACLE-3").fault(Fault::Error("SYSTEMERROR"));
    let told: BTreeSet<_> = ["ORACLE-1", "ORACLE-2", "ORACLE-3", "ORACLE-4"]
        .into_iter()
        .map(|order| {
            let answer = world.app_callback(order);
            let id = answer.header("X-Request-Id").unwrap();
            (answer.status(), answer.header("Retry-After"), answer.text().replace(&id, "").replace(order, ""))
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn wechat_pay_is_told_fail_in_its_own_words() {
    let world = World::new();
    world.wechat.order(&APP, "FAIL-1");
    world.wechat.order(&APP, "FAIL-2").state("CLOSED");
    world.wechat.order(&APP, "FAIL-3").paid(100);
    for (order, amount) in [("FAIL-1", 100), ("FAIL-2", 100), ("FAIL-3", 1), ("FAIL-4", 100)] {
        let fields = notification(&APP, order, amount);
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{order}");
        assert!(answer.header("Content-Type").unwrap().starts_with("text/xml"));
        assert!(answer.header("X-Request-Id").is_some());
    }
    let malformed = world.notify("app", "<xml><a>1</b></xml>");
    assert_eq!((malformed.status(), return_code(&malformed).as_str()), (400, "FAIL"));
}

#[test]
fn wechat_pay_is_told_fail_when_the_upstream_is_gone() {
    let world = World::with(|setup| setup.config["upstream"] = json!(format!("http://{}", crate::fakes::nobody())));
    world.wechat.order(&APP, "GONE-1").paid(100);
    let answer = world.wechat_calls_back("app", notification(&APP, "GONE-1", 100), APP.key, SignType::Md5);
    assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"));
}

#[test]
fn a_route_may_refuse_in_words_of_its_own() {
    let world = World::with(|setup| {
        setup.route("app")["reply"] = json!({
            "success": { "status": 200, "type": "text/plain", "body": "success" },
            "failure": { "status": 500, "type": "text/plain; charset=utf-8", "body": "稍后再试" },
        });
    });
    world.wechat.order(&APP, "OWN-1");
    world.wechat.order(&APP, "OWN-2").paid(100);
    let answer = world.app_callback("OWN-1");
    assert_eq!((answer.status(), answer.text().as_str()), (500, "稍后再试"));
    assert_eq!(answer.header("Content-Type").as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(world.app_callback("OWN-2").text(), "order-marked-paid");
}

#[test]
fn an_answer_never_shows_what_the_sender_wrote() {
    let world = World::new();
    let evil = "%3Cscript%3Ealert(1)%3C/script%3E";
    for answer in [
        world.callback(&format!("OrderID={evil}")),
        world.send(&Request::get(&format!("/pay/success?OrderID={evil}"))),
        world.send(&Request::get(&format!("/{evil}"))),
        world.notify("app", "<xml><out_trade_no><![CDATA[<script>alert(1)</script>]]></out_trade_no></xml>"),
    ] {
        assert!(!answer.text().contains("alert"), "{}", answer.text());
    }
}
