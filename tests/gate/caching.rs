//! One question for all who ask the same, an answer believed for a while, and a failure believed by nobody (C-01 to
//! C-04).

use crate::fakes::wechat::{APP, C1, Fault};
use crate::harness::{World, at_once, until};
use crate::wire::{Request, Wire};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn c03_a_herd_is_one_query() {
    let world = World::new();
    world.wechat.order(&APP, "HERD-1").delay(Duration::from_millis(300)).paid(100);
    at_once(110, |_| assert_eq!(world.app_callback("HERD-1").status(), 200));
    assert_eq!(world.wechat.asked("HERD-1"), 1);
    assert_eq!(world.upstream.requests().len(), 110);
    until("every summary line", || world.gate.summaries().len() == 110);
    let source = |name| world.gate.summaries().iter().filter(|line| line["source"] == name).count();
    assert_eq!(source("miss"), 1);
    assert_eq!(source("miss") + source("coalesced") + source("hit"), 110);
}

#[test]
fn an_unpaid_herd_is_one_query_too() {
    let world = World::new();
    world.wechat.order(&APP, "HERD-2").delay(Duration::from_millis(300));
    at_once(100, |_| assert_eq!(world.app_callback("HERD-2").status(), 503));
    assert_eq!(world.wechat.asked("HERD-2"), 1);
    world.upstream_saw_nothing();
}

#[test]
fn r05_a_herd_behind_a_failure_does_not_become_a_herd_of_queries() {
    let world = World::new();
    world.wechat.order(&APP, "HERD-3").delay(Duration::from_millis(300)).fault(Fault::Unsigned).paid(100);
    at_once(60, |_| assert_eq!(world.app_callback("HERD-3").status(), 503));
    // One query and its one retry; a few more for those who came only after both had failed.
    assert!(world.wechat.asked("HERD-3") <= 10, "{} queries", world.wechat.asked("HERD-3"));
    world.upstream_saw_nothing();
}

#[test]
fn c04_a_leader_that_hangs_up_changes_nothing_for_the_others() {
    let world = World::new();
    world.wechat.order(&APP, "LEADER-1").paid(100);
    world.wechat.hold();
    let mut leader = Wire::to(world.gate.addr);
    leader.send(&Request::post("/pay/success").form("OrderID=LEADER-1").bytes());
    until("the leader's query", || world.wechat.asked("LEADER-1") == 1);
    drop(leader);
    let mut followers: Vec<_> = (0..30).map(|_| Wire::to(world.gate.addr)).collect();
    for follower in &mut followers {
        follower.send(&Request::post("/pay/success").form("OrderID=LEADER-1").bytes());
    }
    world.wechat.release();
    for follower in &mut followers {
        let answer = follower.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(world.wechat.asked("LEADER-1"), 1);
}

#[test]
fn a_late_answer_is_found_by_the_retry() {
    let world = World::with(|setup| setup.config["confirm_deadline"] = json!("250ms"));
    world.wechat.order(&APP, "LATE-1").paid(100);
    world.wechat.hold();
    let since = Instant::now();
    let answer = world.app_callback("LATE-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "query-timeout"));
    assert!(since.elapsed() < Duration::from_millis(2500), "{:?}", since.elapsed());
    world.upstream_saw_nothing();
    world.wechat.release();
    until("the late answer to be found", || world.app_callback("LATE-1").status() == 200);
    assert_eq!(world.wechat.asked("LATE-1"), 1, "the retry found the answer and did not ask");
}

#[test]
fn a_query_that_hangs_does_not_keep_later_callbacks_waiting_for_it() {
    let world = World::with(|setup| setup.config["confirm_deadline"] = json!("400ms"));
    world.wechat.order(&APP, "HANGS-1").paid(100);
    world.wechat.hold();
    assert_eq!(world.app_callback("HANGS-1").status(), 503);
    world.wechat.answers_new_queries();
    assert_eq!(world.app_callback("HANGS-1").status(), 200);
    assert_eq!(world.wechat.asked("HANGS-1"), 2);
}

#[test]
fn a_paid_order_is_asked_for_once() {
    let world = World::new();
    world.wechat.order(&APP, "CACHED-1").paid(100);
    for _ in 0..10 {
        assert_eq!(world.app_callback("CACHED-1").status(), 200);
    }
    world.wechat.goes_down();
    assert_eq!(world.app_callback("CACHED-1").status(), 200);
    assert_eq!(world.wechat.asked("CACHED-1"), 1);
    assert_eq!(world.upstream.requests().len(), 11);
}

#[test]
fn a_paid_verdict_is_believed_as_long_as_the_config_says() {
    // V-08
    let world = World::with(|setup| setup.config["cache"] = json!({ "paid": "50ms" }));
    world.wechat.order(&APP, "REFUNDED-LATER").states(&["SUCCESS", "REFUND"]);
    assert_eq!(world.app_callback("REFUNDED-LATER").status(), 200);
    until("the refund to be noticed", || world.app_callback("REFUNDED-LATER").status() == 402);
}

#[test]
fn c02_a_pending_verdict_lives_shortly() {
    let world = World::with(|setup| setup.config["cache"] = json!({ "pending": "60ms" }));
    world.wechat.order(&APP, "SOON-1").states(&["NOTPAY", "NOTPAY", "SUCCESS"]);
    assert_eq!(world.app_callback("SOON-1").status(), 503);
    until("the payment to be noticed", || world.app_callback("SOON-1").status() == 200);
    assert_eq!(world.wechat.asked("SOON-1"), 3);
}

#[test]
fn a_pending_verdict_spares_wechat_pay_a_storm_of_questions() {
    let world = World::with(|setup| setup.config["cache"] = json!({ "pending": "30s" }));
    world.wechat.order(&APP, "STORM-1");
    for _ in 0..20 {
        assert_eq!(world.app_callback("STORM-1").status(), 503);
    }
    assert_eq!(world.wechat.asked("STORM-1"), 1);
}

#[test]
fn c02_no_failure_is_ever_cached() {
    let world = World::with(|setup| setup.config["cache"] = json!({ "pending": "30s" }));
    for (index, fault) in [
        Fault::Unsigned,
        Fault::BadSign,
        Fault::ForAnotherOrder,
        Fault::Error("SYSTEMERROR"),
        Fault::Error("FREQUENCY_LIMITED"),
        Fault::Error("SIGNERROR"),
        Fault::ReturnFail("签名错误"),
        Fault::Html502,
        Fault::Truncated,
        Fault::Without("trade_state"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("FAILURE-{index}");
        world.wechat.order(&APP, &order).fault(fault).paid(100);
        assert_eq!(world.app_callback(&order).status(), 503, "{fault:?}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200, "{fault:?}");
    }
}

#[test]
fn c01_the_same_id_at_two_merchants_is_two_orders() {
    let world = World::with(|setup| setup.config["channels"]["hmac"]["on_second_payment"] = json!("forward"));
    let first = world.wechat.order(&APP, "SAME-1").paid(100);
    let second = world.wechat.order(&C1, "SAME-1").paid(200);
    let at = |channel: &str| {
        Request::post("/pay/json").json(format!(r#"{{"data":{{"order_id":"SAME-1","channel":"{channel}"}}}}"#))
    };
    for _ in 0..2 {
        assert_eq!(world.send(&at("app")).status(), 200);
        assert_eq!(world.send(&at("hmac")).status(), 200);
    }
    let seen: Vec<_> =
        world.upstream.requests().iter().map(|seen| seen.folded("X-Verified-Transaction-Id").join("")).collect();
    assert_eq!(seen, [first.clone(), second.clone(), first, second]);
    assert_eq!(world.wechat.asked("SAME-1"), 2);
}

#[test]
fn every_follower_is_held_to_its_own_claim() {
    let world = World::new();
    world.wechat.order(&APP, "CLAIMS-1").delay(Duration::from_millis(200)).paid(100);
    let statuses = at_once(40, |index| {
        let amount = if index % 2 == 0 { 100 } else { 1 };
        (index, world.callback(&format!("OrderID=CLAIMS-1&TotalFee={amount}")).status())
    });
    for (index, status) in statuses {
        assert_eq!(status, if index % 2 == 0 { 200 } else { 403 });
    }
    assert_eq!(world.wechat.asked("CLAIMS-1"), 1);
    assert_eq!(world.upstream.requests().len(), 20);
}

#[test]
fn c06_the_cache_has_a_ceiling_and_goes_on_confirming() {
    let world = World::with(|setup| setup.config["cache"] = json!({ "capacity": 10 }));
    world.wechat.order(&APP, "HOT-1").paid(100);
    for index in 0..60 {
        world.app_callback(&format!("COLD-{index}"));
    }
    assert_eq!(world.app_callback("HOT-1").status(), 200);
}
