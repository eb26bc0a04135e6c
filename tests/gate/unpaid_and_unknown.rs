//! Whatever WeChat Pay says other than "paid", signed, for this order: nothing passes, and the sender may try again
//! where that could help (docs/reasons.md; V-02, V-03, V-05, F-01).

use crate::fakes::nobody;
use crate::fakes::wechat::{APP, Fault, SignType, WeChat, notification, set};
use crate::harness::{World, return_code};
use serde_json::json;
use std::time::Duration;

/// One callback for an order that is answered for so; the status, reason code and verdict of it.
fn held_back(world: &World, order: &str, status: u16, verdict: &str, reason: &str) {
    let answer = world.app_callback(order);
    let summary = world.summary(&answer);
    assert_eq!(answer.status(), status, "{order}: {summary}");
    assert_eq!((summary["verdict"].as_str(), summary["reason"].as_str()), (Some(verdict), Some(reason)), "{order}");
    assert_eq!(answer.header("Retry-After").is_some(), status == 503, "{order}");
    assert!(world.upstream.requests_for(order).is_empty(), "{order} passed");
}

/// A fresh gate and one order with this fault, which claims to be paid. The deadline is long, since only silence is to reach it.
fn faulty(fault: Fault, reason: &str) {
    faulty_within("15s", fault, reason);
}

fn faulty_within(deadline: &str, fault: Fault, reason: &str) {
    let world = World::with(|setup| {
        setup.config["deadline"] = json!("25s");
        setup.config["confirm_deadline"] = json!(deadline);
    });
    world.wechat.order(&APP, "FAULTY-1").fault(fault).paid(100);
    held_back(&world, "FAULTY-1", 503, "unknown", reason);
    assert!(world.wechat.asked("FAULTY-1") <= 2, "{fault:?}: one retry at most");
    let repeated = world.app_callback("FAULTY-1");
    assert_eq!(repeated.status(), 503);
    world.upstream_saw_nothing();
}

#[test]
fn every_state_but_success_holds_the_callback_back() {
    let world = World::new();
    for (state, status, verdict, reason) in [
        ("NOTPAY", 503, "pending", "not-paid-yet"),
        ("USERPAYING", 503, "pending", "user-paying"),
        ("ACCEPT", 503, "pending", "awaiting-deduction"),
        ("PAID_IN_SHELLS", 503, "pending", "trade-state-unknown"),
        ("success", 503, "pending", "trade-state-unknown"),
        ("CLOSED", 402, "unpaid", "closed"),
        ("REVOKED", 402, "unpaid", "revoked"),
        ("PAYERROR", 402, "unpaid", "pay-error"),
        ("REFUND", 402, "refunded", "refunded"),
    ] {
        let order = format!("STATE-{state}");
        world.wechat.order(&APP, &order).state(state);
        held_back(&world, &order, status, verdict, reason);
    }
    held_back(&world, "NEVER-HEARD-OF", 503, "pending", "order-not-found");
    world.upstream_saw_nothing();
}

#[test]
fn an_answer_that_cannot_be_trusted_confirms_nothing() {
    let world = World::new();
    for (fault, reason) in [
        (Fault::Unsigned, "answer-unsigned"),
        (Fault::EmptySign, "answer-unsigned"),
        (Fault::BadSign, "answer-badly-signed"),
        (Fault::SignedWithAnotherKey, "answer-badly-signed"),
        (Fault::AmountTampered, "answer-badly-signed"),
        (Fault::ForAnotherOrder, "answer-for-other-order"),
        (Fault::ForAnotherMerchant, "answer-for-other-merchant"),
        (Fault::ForAnotherApp, "answer-for-other-app"),
        (Fault::ForAnotherSubMerchant, "answer-for-other-merchant"),
        (Fault::Without("trade_state"), "answer-incomplete"),
        (Fault::Without("transaction_id"), "answer-incomplete"),
        (Fault::Without("total_fee"), "answer-incomplete"),
        (Fault::Without("out_trade_no"), ""),
        (Fault::Without("mch_id"), ""),
        (Fault::Without("appid"), ""),
        (Fault::FieldTwice, "answer-unreadable"),
        (Fault::Truncated, "answer-unreadable"),
        (Fault::Doctype, "answer-unreadable"),
        (Fault::Empty, "answer-unreadable"),
        (Fault::SystemErrorUnsigned, "wechat-system-error"),
        (Fault::Error("SYSTEMERROR"), "wechat-system-error"),
        (Fault::Error("BIZERR_NEED_RETRY"), "wechat-system-error"),
        (Fault::Error("FREQUENCY_LIMITED"), "wechat-rate-limited"),
        (Fault::Error("SIGNERROR"), "query-refused"),
        (Fault::Error("APPID_MCHID_NOT_MATCH"), "query-refused"),
        (Fault::Error("NOBODY_KNOWS"), ""),
        (Fault::ReturnFail("签名错误"), "query-refused"),
    ] {
        let order = format!("LIE-{:x}", hash(&format!("{fault:?}")));
        world.wechat.order(&APP, &order).fault(fault).paid(100);
        let answer = world.app_callback(&order);
        let summary = world.summary(&answer);
        assert_eq!(answer.status(), 503, "{fault:?}: {summary}");
        assert_eq!(summary["verdict"], "unknown", "{fault:?}");
        if !reason.is_empty() {
            assert_eq!(summary["reason"], reason, "{fault:?}");
        }
        assert!(world.wechat.asked(&order) <= 2, "{fault:?}: one retry at most");
    }
    world.upstream_saw_nothing();
}

fn hash(text: &str) -> u32 {
    text.bytes().fold(7, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

#[test]
fn an_answer_in_the_other_algorithm_confirms_nothing() {
    faulty(Fault::OtherAlgorithm, "answer-badly-signed");
}

#[test]
fn an_answer_with_a_comment_inside_confirms_nothing() {
    faulty(Fault::Comment, "answer-unreadable");
}

#[test]
fn a_bad_gateways_page_confirms_nothing() {
    faulty(Fault::Html502, "answer-http-status");
}

#[test]
fn a_server_error_confirms_nothing() {
    faulty(Fault::Http500, "answer-http-status");
}

#[test]
fn an_endless_answer_confirms_nothing() {
    faulty(Fault::Huge, "answer-too-large");
}

#[test]
fn a_broken_connection_confirms_nothing() {
    faulty(Fault::Reset, "query-failed");
}

#[test]
fn silence_confirms_nothing_and_the_sender_is_answered_in_time() {
    faulty_within("700ms", Fault::Silence, "query-timeout");
}

#[test]
fn a_wechat_pay_that_is_not_there_confirms_nothing() {
    let world = World::with(|setup| setup.config["wechat"]["hosts"] = json!([format!("http://{}", nobody())]));
    world.wechat.order(&APP, "NOBODY-1").paid(100);
    held_back(&world, "NOBODY-1", 503, "unknown", "query-failed");
}

#[test]
fn a_slow_wechat_pay_does_not_eat_the_senders_patience() {
    // F-02
    let world = World::with(|setup| setup.config["confirm_deadline"] = json!("200ms"));
    world.wechat.order(&APP, "SLOW-1").delay(Duration::from_secs(3)).paid(100);
    let since = std::time::Instant::now();
    held_back(&world, "SLOW-1", 503, "unknown", "query-timeout");
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[test]
fn wechat_pays_own_sender_is_told_fail_with_status_200() {
    // I7
    let world = World::new();
    world.wechat.order(&APP, "PLAIN-1");
    let xml = "<xml><out_trade_no>PLAIN-1</out_trade_no></xml>";
    let answer = world.send(&crate::wire::Request::post("/wxpay/plain").xml(xml));
    assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"));
    world.upstream_saw_nothing();
}

#[test]
fn one_badly_signed_answer_is_asked_again_once() {
    // V-04: WeChat Pay itself probes with bad signatures.
    let world = World::new();
    world.wechat.order(&APP, "PROBE-1").faults(&[Fault::BadSign, Fault::None]).paid(100);
    assert_eq!(world.app_callback("PROBE-1").status(), 200);
    assert_eq!(world.wechat.asked("PROBE-1"), 2);
    let nonces: Vec<_> = world.wechat.queries().iter().map(|query| query.field("nonce_str").to_owned()).collect();
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn bad_signatures_do_not_open_the_breaker() {
    // V-04, F-05
    let world = World::new();
    for index in 0..40 {
        world.wechat.order(&APP, &format!("PROBES-{index}")).fault(Fault::BadSign).paid(100);
        assert_eq!(world.app_callback(&format!("PROBES-{index}")).status(), 503);
    }
    world.wechat.order(&APP, "HONEST-1").paid(100);
    assert_eq!(world.app_callback("HONEST-1").status(), 200);
}

#[test]
fn an_outage_ends_when_wechat_pay_is_back() {
    let world = World::new();
    world.wechat.order(&APP, "OUTAGE-1").paid(100);
    world.wechat.goes_down();
    for _ in 0..30 {
        assert_eq!(world.app_callback("OUTAGE-1").status(), 503);
    }
    world.upstream_saw_nothing();
    world.wechat.comes_back();
    crate::harness::until("the breaker to close", || world.app_callback("OUTAGE-1").status() == 200);
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    // V-11
    let canary = WeChat::start();
    let world = World::with(|setup| {
        for (name, value) in &mut setup.env {
            if name.to_lowercase().ends_with("proxy") {
                *value = format!("http://{}", canary.addr);
            }
        }
    });
    world.wechat.order(&APP, "PROXY-1").paid(100);
    assert_eq!(world.app_callback("PROXY-1").status(), 200);
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_signed_notification_of_a_payment_that_failed_is_no_forgery() {
    let world = World::new();
    for name in ["result_code", "return_code"] {
        let mut fields = notification(&APP, "FAILED-1", 100);
        set(&mut fields, name, "FAIL");
        set(&mut fields, "err_code", "NOTENOUGH");
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        // I7: what was not delivered is not answered as success, so WeChat Pay sends it again.
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{name}");
        let summary = world.summary(&answer);
        assert_eq!((&summary["verdict"], &summary["level"]), (&json!("unpaid"), &json!("INFO")), "{summary}");
        assert_eq!(summary["reason"], "notification-not-success");
    }
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
    let verdicts = |verdict| world.scrape().one("tollgate_verdicts_total", &[("channel", "app"), ("verdict", verdict)]);
    assert_eq!((verdicts("unpaid"), verdicts("contradicted")), (2.0, 0.0));
}
