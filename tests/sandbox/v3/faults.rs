//! Wrong answers on request (`docs/reference/wechatpay-v3.md` section 4).

use super::asking::{Counter, Signed};
use crate::wechatpay_v3::{about, verify};
use serde_json::json;
use std::io::ErrorKind;
use tollgate::sandbox::{Fault, FaultKind, Faults, Host};

/// Paid order A1, whose next answer is faulty; and the merchant.
async fn faulty(kind: FaultKind) -> (Signed, Counter) {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let fault = Fault { kind, delay_ms: 0, count: Some(1) };
    counter.world.sandbox.order_faults(counter.world.key("A1"), Faults::from([fault])).unwrap();
    let answer = counter.order("A1").await;
    let next = counter.order("A1").await;
    assert!(next.is_signed_for(&counter.merchant) && next.json()["trade_state"] == "SUCCESS", "{kind:?} stayed");
    (answer, counter)
}

/// What was signed with these headers.
fn message(answer: &Signed, body: &str) -> Vec<u8> {
    let [timestamp, nonce] = ["Wechatpay-Timestamp", "Wechatpay-Nonce"].map(|name| answer.header(name).unwrap());
    format!("{timestamp}\n{nonce}\n{body}\n").into_bytes()
}

#[tokio::test]
async fn errors_have_their_status_and_code() {
    for (kind, status, code, signed) in [
        (FaultKind::OrderNotExist, 404, "ORDER_NOT_EXIST", true),
        (FaultKind::SystemError, 500, "SYSTEM_ERROR", true),
        (FaultKind::SystemErrorUnsigned, 500, "SYSTEM_ERROR", false),
        (FaultKind::FrequencyLimited, 429, "FREQUENCY_LIMITED", true),
        (FaultKind::Http401, 401, "SIGN_ERROR", false),
        (FaultKind::Http429, 429, "RATELIMIT_EXCEEDED", false),
        (FaultKind::Http500, 500, "SYSTEM_ERROR", false),
    ] {
        let (answer, counter) = faulty(kind).await;
        assert_eq!(answer.code(), (status, code.to_owned()), "{kind:?}");
        assert_eq!(answer.is_signed_for(&counter.merchant), signed, "{kind:?}");
    }
    let (answer, _) = faulty(FaultKind::Html502).await;
    assert!(answer.0.status == 502 && answer.0.body.starts_with("<html>"));
}

#[tokio::test]
async fn signatures_are_wrong_each_in_its_way() {
    let (answer, counter) = faulty(FaultKind::Probe).await;
    assert!(answer.header("Wechatpay-Signature").unwrap().starts_with("WECHATPAY/SIGNTEST/"));
    assert_eq!(answer.header("Wechatpay-Serial"), Some(counter.merchant.text("public_key_id")));

    let (answer, counter) = faulty(FaultKind::UnknownSerial).await;
    let serial = answer.header("Wechatpay-Serial").unwrap();
    assert!(serial.len() == 40 && about(counter.merchant.text("platform_certificate"))["serial"] != serial);

    let (answer, counter) = faulty(FaultKind::BadlySigned).await;
    assert_eq!(answer.header("Wechatpay-Serial"), Some(counter.merchant.text("public_key_id")));
    assert!(!answer.is_signed_for(&counter.merchant));

    let (answer, counter) = faulty(FaultKind::Skewed).await;
    let (at, public) = (answer.header("Wechatpay-Timestamp").unwrap(), counter.merchant.text("public_key"));
    assert!(super::asking::now() - at.parse::<i64>().unwrap() > 300);
    let signature = answer.header("Wechatpay-Signature").unwrap();
    assert!(verify(&message(&answer, &answer.0.body), signature, public), "it is rightly signed, but long ago");

    let (answer, _) = faulty(FaultKind::Unsigned).await;
    assert!(answer.header("Wechatpay-Signature").is_none() && answer.header("Wechatpay-Serial").is_some());
    let (answer, _) = faulty(FaultKind::NoHeaders).await;
    assert!(answer.0.status == 200 && !answer.0.head.contains("wechatpay-"));
}

#[tokio::test]
async fn what_was_signed_is_changed() {
    let (answer, counter) = faulty(FaultKind::Tampered).await;
    let (signature, public) = (answer.header("Wechatpay-Signature").unwrap(), counter.merchant.text("public_key"));
    assert_eq!(answer.json()["amount"]["total"], 101);
    let signed = answer.0.body.replace(r#""total":101"#, r#""total":100"#);
    assert!(verify(&message(&answer, &signed), signature, public), "more than the amount was changed");

    let (answer, counter) = faulty(FaultKind::Reserialised).await;
    let (signature, public) = (answer.header("Wechatpay-Signature").unwrap(), counter.merchant.text("public_key"));
    assert!(!answer.is_signed_for(&counter.merchant));
    assert!(verify(&message(&answer, &answer.json().to_string()), signature, public), "it says something else");
}

#[tokio::test]
async fn lies_are_rightly_signed() {
    for (kind, name, value) in [
        (FaultKind::NotPaid, "trade_state", json!("NOTPAY")),
        (FaultKind::OtherOrder, "out_trade_no", json!("SOMEBODY_ELSES_ORDER")),
        (FaultKind::OtherMerchant, "mchid", json!("10000101")),
        (FaultKind::OtherApp, "appid", json!("wx0000000000000000")),
        (FaultKind::ExtraField, "future_field", json!("x")),
        (FaultKind::Doctype, "trade_state", json!("SUCCESS")),
    ] {
        let (answer, counter) = faulty(kind).await;
        assert!(answer.is_signed_for(&counter.merchant), "{kind:?}");
        assert_eq!(answer.json()[name], value, "{kind:?}");
    }
    let (answer, counter) = faulty(FaultKind::HalfXml).await;
    assert!(
        answer.is_signed_for(&counter.merchant) && serde_json::from_str::<serde_json::Value>(&answer.0.body).is_err()
    );
}

#[tokio::test]
async fn a_connection_is_reset_or_ends_in_the_middle() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    for (kind, error) in
        [(FaultKind::Reset, ErrorKind::ConnectionReset), (FaultKind::Truncated, ErrorKind::UnexpectedEof)]
    {
        let fault = Fault { kind, delay_ms: 0, count: Some(1) };
        counter.world.sandbox.host_faults(Host::Api, Faults::from([fault]));
        let target = "/v3/certificates";
        let authorization =
            counter.merchant.authorization("GET", target, super::asking::now(), &super::asking::nonce());
        let authorization = format!("Authorization: {authorization}");
        let headers = [authorization.as_str(), "Accept: */*", "User-Agent: x"];
        let answer = crate::harness::http(counter.world.api, "GET", target, &headers, "").await;
        assert_eq!(answer.unwrap_err().kind(), error, "{kind:?}");
    }
}

#[tokio::test]
async fn v2_knows_the_statuses_and_leaves_the_rest() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    for (kind, status) in [
        (FaultKind::Http401, 401),
        (FaultKind::Http429, 429),
        (FaultKind::Http500, 500),
        (FaultKind::Probe, 200),
        (FaultKind::Skewed, 200),
    ] {
        let fault = Fault { kind, delay_ms: 0, count: Some(1) };
        counter.world.sandbox.order_faults(counter.world.key("A1"), Faults::from([fault])).unwrap();
        assert_eq!(counter.world.ask("A1").await.unwrap().status, status, "{kind:?}");
    }
}
