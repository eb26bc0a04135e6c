//! Questions that are not answered (`docs/reference/wechatpay-v3.md` sections 3.1 and 5).

use super::asking::{Counter, SCHEME, Signed, nonce, now};
use crate::harness::*;
use serde_json::json;

fn target() -> String {
    format!("/v3/pay/transactions/out-trade-no/A1?mchid={MCH_ID}")
}

/// What a refusal says is wrong; nothing signs it.
fn field(answer: &Signed) -> String {
    assert_eq!(answer.code(), (401, "SIGN_ERROR".to_owned()), "{answer:?}");
    assert!(!answer.0.head.to_ascii_lowercase().contains("wechatpay"), "{answer:?}");
    answer.json()["detail"]["field"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn clock_serial_and_signature_are_told_apart() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (target, merchant) = (target(), &counter.merchant);
    let mut messages = Vec::new();
    let right = |at: i64| merchant.authorization("GET", &target, at, &nonce());
    let serial = merchant.text("serial").to_owned();
    for (authorization, wrong) in [
        (right(now() - 302), "timestamp"),
        (right(now() + 302), "timestamp"),
        (right(now()).replace(&serial, &"5".repeat(40)), "serial_no"),
        (right(now()).replace(&serial, &serial.to_lowercase()), "serial_no"),
        (right(now()).replace(&serial, counter.provider.text("serial")), "serial_no"),
        (right(now()).replace("10000100", "19999999"), "serial_no"),
        (merchant.authorization("GET", &format!("{target}&x=1"), now(), &nonce()), "signature"),
        (merchant.authorization("POST", &target, now(), &nonce()), "signature"),
        (
            counter
                .provider
                .authorization("GET", &target, now(), &nonce())
                .replace(PROVIDER, MCH_ID)
                .replace(counter.provider.text("serial"), &serial),
            "signature",
        ),
    ] {
        let answer = counter.send("GET", &target, &authorization, None).await;
        assert_eq!(field(&answer), wrong, "{authorization}");
        messages.push((wrong, answer.json()["message"].clone()));
    }
    messages.sort_by_key(|message| message.0);
    messages.dedup();
    assert_eq!(messages.len(), 3, "{messages:?}");
    for at in [now() - 295, now() + 295] {
        assert_eq!(counter.send("GET", &target, &right(at), None).await.0.status, 200);
    }
}

#[tokio::test]
async fn an_authorization_has_its_scheme_and_five_items_and_nothing_else() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let target = target();
    let right = || counter.merchant.authorization("GET", &target, now(), &nonce());
    let without = |name: &str| {
        let right = right();
        let (scheme, items) = right.split_once(' ').unwrap();
        let items: Vec<&str> = items.split(',').filter(|item| !item.starts_with(name)).collect();
        format!("{scheme} {}", items.join(","))
    };
    let mut wrong = vec![
        "x".to_owned(),
        right().replace(SCHEME, "WECHATPAY2-SM2-WITH-SM3"),
        right().replace("2048 ", "2048  "),
        right().replace("\",", "\", "),
        right().replace('"', ""),
        right() + ",x=\"1\"",
        right() + &format!(",mchid=\"{MCH_ID}\""),
        right().replace("timestamp=\"", "timestamp=\"+"),
    ];
    wrong.extend(["mchid", "nonce_str", "timestamp", "serial_no", "signature"].map(without));
    for authorization in wrong {
        let answer = counter.send("GET", &target, &authorization, None).await;
        assert_eq!(field(&answer), "Authorization", "{authorization}");
    }
    let none = http(counter.world.api, "GET", &target, &["Accept: */*", "User-Agent: x"], "").await.unwrap();
    assert_eq!(field(&Signed(none)), "Authorization");
    let other_order: Vec<_> = right().split_once(' ').unwrap().1.split(',').rev().map(str::to_owned).collect();
    let other_order = format!("{SCHEME} {}", other_order.join(","));
    assert_eq!(counter.send("GET", &target, &other_order, None).await.0.status, 200);
}

#[tokio::test]
async fn a_nonce_is_good_once() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let target = target();
    let authorization = counter.merchant.authorization("GET", &target, now(), "ONCE");
    assert_eq!(counter.send("GET", &target, &authorization, None).await.0.status, 200);
    assert_eq!(field(&counter.send("GET", &target, &authorization, None).await), "nonce_str");
    let later = counter.merchant.authorization("GET", &target, now() + 1, "ONCE");
    assert_eq!(field(&counter.send("GET", &target, &later, None).await), "nonce_str");
}

#[tokio::test]
async fn the_target_is_signed_as_it_was_sent() {
    let counter = Counter::open().await;
    counter.world.pay("A|1");
    let [sent, decoded] =
        ["A%7C1", "A|1"].map(|order| format!("/v3/pay/transactions/out-trade-no/{order}?mchid={MCH_ID}"));
    let authorization = counter.merchant.authorization("GET", &decoded, now(), &nonce());
    let answer = counter.send("GET", &sent, &authorization, None).await;
    assert_eq!(field(&answer), "signature");
    let shown = &answer.json()["detail"]["sign_information"];
    assert_eq!((&shown["url"], &shown["method"]), (&json!(sent), &json!("GET")));
}

#[tokio::test]
async fn what_is_missing_or_misplaced_has_its_own_answer() {
    let counter = Counter::open().await;
    for (target, status, code) in [
        ("/v3/pay/transactions/out-trade-no/A1", 400, "PARAM_ERROR"),
        ("/v3/pay/transactions/out-trade-no/A%201?mchid=10000100", 400, "PARAM_ERROR"),
        ("/v3/pay/transactions/id/4200-1?mchid=10000100", 400, "PARAM_ERROR"),
        ("/v3/bill/tradebill", 400, "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=20240101", 400, "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=2024-01-01&tar_type=ZIP", 400, "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=2024-01-01&bill_type=NONE", 400, "PARAM_ERROR"),
    ] {
        let answer = counter.get(target).await;
        assert_eq!(answer.code(), (status, code.to_owned()), "{target}");
        assert!(!answer.is_signed_for(&counter.merchant), "{target}");
    }
    let elsewhere = counter.get("/v3/pay/transactions/jsapi").await;
    assert_eq!((elsewhere.0.status, elsewhere.0.body.as_str()), (404, ""));
    let authorization = counter.merchant.authorization("POST", "/v3/certificates", now(), &nonce());
    let post = counter.send("POST", "/v3/certificates", &authorization, None).await;
    assert_eq!((post.0.status, post.0.body.as_str()), (405, ""));
    let authorization = format!("Authorization: {}", counter.merchant.authorization("GET", &target(), now(), &nonce()));
    let bare = http(counter.world.api, "GET", &target(), &[&authorization], "").await.unwrap();
    assert_eq!(Signed(bare).code(), (400, "INVALID_REQUEST".to_owned()));
}
