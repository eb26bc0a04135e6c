//! WeChat Pay's word is right and the callback's is not: refused, and the honest callback after it still passes.

use crate::fakes::wechat::{self, APP, C1, Fault, SignType, notification, set, signed_xml, xml};
use crate::harness::{World, return_code};
use crate::wire::Request;
use serde_json::json;

#[test]
fn another_amount_is_refused() {
    // V-07
    let world = World::new();
    world.wechat.order(&APP, "AMOUNT-1").paid(6600);
    for amount in ["1", "0", "66", "6601", "660000"] {
        let answer = world.callback(&format!("OrderID=AMOUNT-1&TotalFee={amount}"));
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "amount-differs"), "{amount}");
    }
    for amount in ["-1", "66.00", "1e2", "06600", "6600%20", "%EF%BC%96%EF%BC%96", "6600.0", "0x19c8"] {
        assert_eq!(world.callback(&format!("OrderID=AMOUNT-1&TotalFee={amount}")).status(), 400, "{amount}");
    }
    world.upstream_saw_nothing();
    assert_eq!(world.callback("OrderID=AMOUNT-1&TotalFee=6600").status(), 200);
}

#[test]
fn an_amount_in_another_currency_is_not_the_amount() {
    // V-07
    let world = World::new();
    world.wechat.order(&APP, "HKD-1").field("fee_type", "HKD").paid(6600);
    let answer = world.callback("OrderID=HKD-1&TotalFee=6600");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "amount-differs"));
    world.upstream_saw_nothing();
}

#[test]
fn somebody_elses_transaction_id_is_refused() {
    let world = World::new();
    world.wechat.order(&APP, "MINE-1").paid(100);
    let theirs = world.wechat.order(&APP, "THEIRS-1").paid(100);
    let answer = world.callback(&format!("OrderID=MINE-1&WeixinTransactionID={theirs}"));
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "transaction-differs"));
    world.upstream_saw_nothing();
}

#[test]
fn a_paid_transaction_does_not_vouch_for_an_unpaid_order() {
    // V-01: asked by transaction id, the answer is signed, paid, and for another order.
    let world = World::new();
    world.wechat.order(&C1, "UNPAID-1");
    let paid = world.wechat.order(&C1, "SOMEBODYS-1").paid(100);
    let form = format!("OrderID=X&paymentcenter_id=UNPAID-1&ChannelID=2&CustomerID=c1&WeixinTransactionID={paid}");
    let answer = world.callback(&form);
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "transaction-of-other-order"));
    world.upstream_saw_nothing();
    for query in world.wechat.queries() {
        assert!(query.field("transaction_id").is_empty() || query.field("out_trade_no").is_empty(), "{query:?}");
    }
}

#[test]
fn a_contradiction_is_no_fact_about_the_order() {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "HONEST-2").paid(100);
    assert_eq!(world.callback("OrderID=HONEST-2&TotalFee=1").status(), 403);
    let honest = format!("OrderID=HONEST-2&TotalFee=100&WeixinTransactionID={transaction_id}");
    assert_eq!(world.callback(&honest).status(), 200);
    assert_eq!(world.callback("OrderID=HONEST-2&TotalFee=1").status(), 403);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn a_forged_notification_costs_no_query() {
    let world = World::new();
    world.wechat.order(&APP, "FORGED-1").paid(100);
    let good = notification(&APP, "FORGED-1", 100);
    let mut tampered = good.clone();
    tampered.push(("sign".to_owned(), wechat::sign(&good, APP.key, SignType::Md5)));
    set(&mut tampered, "total_fee", "1");
    let mut zeros = good.clone();
    set(&mut zeros, "sign", &"0".repeat(32));
    let mut short = good.clone();
    set(&mut short, "sign", "A");
    let mut empty = good.clone();
    set(&mut empty, "sign", "");
    for (forged, reason) in [
        (signed_xml(good.clone(), C1.key, SignType::Md5), "notification-badly-signed"),
        (signed_xml(good.clone(), "", SignType::HmacSha256), "notification-badly-signed"),
        (xml(&tampered), "notification-badly-signed"),
        (xml(&zeros), "notification-badly-signed"),
        (xml(&short), "notification-badly-signed"),
        (xml(&empty), "notification-unsigned"),
        (xml(&good), "notification-unsigned"),
    ] {
        let answer = world.notify("app", &forged);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{forged}");
        let summary = world.summary(&answer);
        assert_eq!((&summary["verdict"], &summary["reason"]), (&json!("contradicted"), &json!(reason)));
    }
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn a_rightly_signed_notification_for_somebody_else_is_refused() {
    let world = World::new();
    world.wechat.order(&APP, "ELSE-1").paid(100);
    for (name, value, reason) in [
        ("mch_id", C1.mch_id, "notification-for-other-merchant"),
        ("appid", C1.appid, "notification-for-other-merchant"),
        ("sub_mch_id", "1900000998", "notification-for-other-merchant"),
    ] {
        let mut fields = notification(&APP, "ELSE-1", 100);
        set(&mut fields, name, value);
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{name}");
        assert_eq!(world.reason(&answer), reason, "{name}");
    }
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn a_signed_notification_is_still_only_a_claim() {
    let world = World::new();
    world.wechat.order(&APP, "CLAIM-1");
    world.wechat.order(&APP, "CLAIM-2").paid(100);
    world.wechat.order(&APP, "CLAIM-3").fault(Fault::Unsigned).paid(100);
    for (order, amount, reason) in
        [("CLAIM-1", 100, "not-paid-yet"), ("CLAIM-2", 1, "amount-differs"), ("CLAIM-3", 100, "answer-unsigned")]
    {
        let fields = notification(&APP, order, amount);
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{order}");
        assert_eq!(world.reason(&answer), reason, "{order}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn payment_at_one_merchant_proves_nothing_at_another() {
    // V-06
    let world = World::new();
    world.wechat.order(&APP, "SAME-ID").paid(100);
    let at_c1 = Request::post("/pay/json").json(r#"{"data":{"order_id":"SAME-ID","channel":"hmac"}}"#);
    assert_eq!(world.send(&at_c1).status(), 503);
    world.upstream_saw_nothing();
    assert_eq!(world.app_callback("SAME-ID").status(), 200);
    assert_eq!(world.send(&at_c1).status(), 503);
    assert_eq!(world.upstream.requests().len(), 1);
}
