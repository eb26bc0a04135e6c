//! Wrong answers on request, as the caller sees them on the wire.

use crate::harness::*;
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tollgate::sandbox::{Fault, FaultKind, Faults, Host, OrderFields, TradeState};

fn fault(kind: FaultKind, count: u32) -> Fault {
    Fault { kind, delay_ms: 0, count: Some(count) }
}

/// Paid order A1, whose next answer is faulty; that answer and the one after it.
async fn faulty(kind: FaultKind) -> (std::io::Result<Answer>, Answer) {
    let world = World::new().await;
    world.pay("A1");
    world.sandbox.order_faults(world.key("A1"), Faults::from([fault(kind, 1)])).unwrap();
    let answer = world.ask("A1").await;
    let next = world.ask("A1").await.unwrap();
    assert!(is_signed(&next.fields()) && next.fields()["trade_state"] == "SUCCESS", "{kind:?} stayed");
    (answer, next)
}

#[tokio::test]
async fn a_reset_and_a_half_answer_break_the_connection() {
    let (answer, _) = faulty(FaultKind::Reset).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let (answer, _) = faulty(FaultKind::Truncated).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn documents_are_spoilt_within_a_right_http_answer() {
    let (answer, next) = faulty(FaultKind::HalfXml).await;
    let half = answer.unwrap().body;
    assert!(half.starts_with("<xml>") && !half.contains("</xml>") && half.len() < next.body.len());
    let (answer, _) = faulty(FaultKind::Doctype).await;
    assert!(answer.unwrap().body.starts_with("<!DOCTYPE"));
    let (answer, _) = faulty(FaultKind::Html502).await;
    let answer = answer.unwrap();
    assert!(answer.status == 502 && answer.body.starts_with("<html>"));
}

#[tokio::test]
async fn signatures_are_spoilt() {
    let (answer, next) = faulty(FaultKind::Unsigned).await;
    let mut expected = next.fields();
    expected.remove("sign");
    assert!(answer.unwrap().fields().keys().eq(expected.keys()));
    let (answer, next) = faulty(FaultKind::BadlySigned).await;
    let fields = answer.unwrap().fields();
    assert!(!is_signed(&fields) && fields["sign"].len() == 32 && fields.keys().eq(next.fields().keys()));
    let (answer, _) = faulty(FaultKind::Tampered).await;
    let mut fields = answer.unwrap().fields();
    assert!(!is_signed(&fields));
    assert_eq!(fields.insert("total_fee".to_owned(), "100".to_owned()).unwrap(), "101");
    assert!(is_signed(&fields), "more than the amount was tampered with");
}

#[tokio::test]
async fn lies_are_rightly_signed() {
    let (answer, next) = faulty(FaultKind::OtherOrder).await;
    let fields = answer.unwrap().fields();
    assert!(is_signed(&fields) && fields["trade_state"] == "SUCCESS");
    assert_ne!(fields["out_trade_no"], "A1");
    assert_ne!(fields["transaction_id"], next.fields()["transaction_id"]);
    for (kind, field) in [(FaultKind::OtherMerchant, "mch_id"), (FaultKind::OtherApp, "appid")] {
        let (answer, next) = faulty(kind).await;
        let fields = answer.unwrap().fields();
        assert!(is_signed(&fields) && fields[field] != next.fields()[field], "{kind:?}");
    }
    let (answer, _) = faulty(FaultKind::ExtraField).await;
    let fields = answer.unwrap().fields();
    assert!(is_signed(&fields) && fields.contains_key("future_field"));
}

#[tokio::test]
async fn errors_look_like_wechat_pays() {
    for (kind, code) in [
        (FaultKind::SystemError, "SYSTEMERROR"),
        (FaultKind::FrequencyLimited, "FREQUENCY_LIMITED"),
        (FaultKind::OrderNotExist, "ORDERNOTEXIST"),
    ] {
        let fields = faulty(kind).await.0.unwrap().fields();
        assert!(is_signed(&fields) && fields["err_code"] == code);
    }
    let fields = faulty(FaultKind::SystemErrorUnsigned).await.0.unwrap().fields();
    let names: Vec<_> = fields.keys().map(String::as_str).collect();
    assert_eq!(names, ["err_code", "err_code_des", "result_code", "return_code", "return_msg"]);
    assert_eq!(fields["err_code"], "SYSTEMERROR");
    let fields = faulty(FaultKind::NotPaid).await.0.unwrap().fields();
    assert!(is_signed(&fields) && fields["trade_state"] == "NOTPAY" && !fields.contains_key("transaction_id"));
}

#[tokio::test]
async fn an_unpaid_order_is_tampered_into_a_paid_one() {
    let world = World::new().await;
    let faults = OrderFields { faults: Some(Faults::from([fault(FaultKind::Tampered, 1)])), ..said(100) };
    world.sandbox.put(world.key("A1"), TradeState::NotPay, faults).unwrap();
    let fields = world.ask("A1").await.unwrap().fields();
    assert!(fields["trade_state"] == "SUCCESS" && !is_signed(&fields));
}

#[tokio::test]
async fn a_payment_is_seen_after_so_many_queries() {
    let world = World::new().await;
    world.pay("A1");
    world.sandbox.order_faults(world.key("A1"), Faults::from([fault(FaultKind::NotPaid, 2)])).unwrap();
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(world.ask("A1").await.unwrap().fields()["trade_state"].clone());
    }
    assert_eq!(states, ["NOTPAY", "NOTPAY", "SUCCESS"]);
}

#[tokio::test]
async fn one_host_is_down_while_the_other_answers() {
    let world = World::new().await;
    world.pay("A1");
    world.sandbox.host_faults(Host::Api, Faults::from([Fault { kind: FaultKind::Reset, delay_ms: 0, count: None }]));
    assert_eq!(world.ask("A1").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let answer = order_query(world.api2, &question(&[("out_trade_no", "A1")])).await.unwrap();
    assert_eq!(answer.fields()["trade_state"], "SUCCESS");
    assert_eq!(world.control("GET", "/sandbox/orders", "").await.0, 200, "control calls are not touched by faults");
    world.sandbox.host_faults(Host::Api, Faults::default());
    assert_eq!(world.ask("A1").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_slow_host_is_slow_for_faulty_orders_too() {
    let world = World::new().await;
    world.pay("A1");
    let slow = Fault { kind: FaultKind::Delay, delay_ms: 200, count: None };
    world.sandbox.host_faults(Host::Api, Faults::from([slow]));
    world.sandbox.order_faults(world.key("A1"), Faults::from([fault(FaultKind::Unsigned, 1)])).unwrap();
    let started = Instant::now();
    let fields = world.ask("A1").await.unwrap().fields();
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(!fields.contains_key("sign"));
}
