//! Order queries (`docs/reference/wechatpay-v3.md` section 3).

use super::asking::Counter;
use crate::harness::*;
use serde_json::{Value, json};
use tollgate::sandbox::{OrderFields, TradeState};

const PAID: &str = "amount appid attach bank_type mchid out_trade_no payer promotion_detail success_time trade_state \
                    trade_state_desc trade_type transaction_id";
const NOT_PAID: &str = "amount appid mchid out_trade_no payer promotion_detail trade_state trade_state_desc";
const OTHER: &str = "amount appid attach mchid out_trade_no payer promotion_detail trade_state trade_state_desc";

/// The keys as they come in the text, of the outermost object.
fn keys(value: &Value) -> String {
    value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_state_is_answered_with_exactly_its_fields_and_signed() {
    let counter = Counter::open().await;
    for (state, name, fields) in [
        (TradeState::Success, "SUCCESS", PAID),
        (TradeState::Refund, "REFUND", PAID),
        (TradeState::NotPay, "NOTPAY", NOT_PAID),
        (TradeState::Closed, "CLOSED", OTHER),
        (TradeState::Revoked, "REVOKED", OTHER),
        (TradeState::UserPaying, "USERPAYING", OTHER),
        (TradeState::PayError, "PAYERROR", OTHER),
        (TradeState::Accept, "ACCEPT", OTHER),
    ] {
        counter.world.sandbox.put(counter.world.key("A1"), state, said(6600)).unwrap();
        let answer = counter.order("A1").await;
        assert!(answer.0.status == 200 && answer.is_signed_for(&counter.merchant), "{answer:?}");
        let json = answer.json();
        assert_eq!((keys(&json).as_str(), &json["trade_state"]), (fields, &json!(name)));
        assert_eq!(answer.header("Wechatpay-Serial"), Some(counter.merchant.text("public_key_id")));
        assert!(answer.header("Request-ID").is_some_and(|id| id.ends_with("-0")));
    }
}

/// The shape of `docs/reference/wechatpay-v3.md` section 3.2.
#[tokio::test]
async fn answers_are_written_like_real_ones() {
    let counter = Counter::open().await;
    let order = counter.world.sandbox.pay(counter.world.key("ORDER20240101000001"), said(100)).unwrap();
    let (openid, id) = (&order.openid, order.transaction_id.unwrap());
    let expected = format!(
        r#"{{"amount":{{"currency":"CNY","payer_currency":"CNY","payer_total":100,"total":100}},"appid":"{APPID}","attach":"","bank_type":"OTHERS","mchid":"{MCH_ID}","out_trade_no":"ORDER20240101000001","payer":{{"openid":"{openid}"}},"promotion_detail":[],"success_time":"2024-01-01T12:34:56+08:00","trade_state":"SUCCESS","trade_state_desc":"支付成功","trade_type":"APP","transaction_id":"{id}"}}"#
    );
    assert_eq!(counter.order("ORDER20240101000001").await.0.body, expected);
    let by_id = counter.get(&format!("/v3/pay/transactions/id/{id}?mchid={MCH_ID}")).await;
    assert_eq!(by_id.0.body, expected);
}

#[tokio::test]
async fn a_coupon_is_counted_out_of_what_the_payer_paid() {
    let counter = Counter::open().await;
    let coupon = OrderFields { coupon_fee: Some(10), ..said(100) };
    counter.world.sandbox.pay(counter.world.key("A1"), coupon).unwrap();
    let answer = counter.order("A1").await.json();
    assert_eq!((&answer["amount"]["total"], &answer["amount"]["payer_total"]), (&json!(100), &json!(90)));
    let coupon = &answer["promotion_detail"][0];
    assert_eq!((&coupon["amount"], &coupon["type"]), (&json!(10), &json!("CASH")));
}

#[tokio::test]
async fn the_key_that_the_question_asks_for_signs_the_answer() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let target = format!("/v3/pay/transactions/out-trade-no/A1?mchid={MCH_ID}");
    let merchant = &counter.merchant;
    let platform = crate::wechatpay_v3::about(merchant.text("platform_certificate"))["serial"].clone();
    let platform = platform.as_str().unwrap();
    for (asks_for, signs) in [
        (Some(merchant.text("public_key_id")), merchant.text("public_key_id")),
        (Some(platform), platform),
        (None, platform),
        (Some("PUB_KEY_ID_0000"), platform),
        (Some(counter.provider.text("public_key_id")), platform),
    ] {
        let answer = counter.ask(merchant, &target, asks_for).await;
        assert_eq!(answer.header("Wechatpay-Serial"), Some(signs), "{asks_for:?}");
        assert!(answer.is_signed_for(merchant), "{asks_for:?}");
    }
}

#[tokio::test]
async fn a_sub_merchants_order_is_told_to_its_provider_only() {
    let counter = Counter::open().await;
    let sandbox = &counter.world.sandbox;
    let key = sandbox.key(Some(PROVIDER), Some("10000300"), "A1").unwrap();
    sandbox.pay(key, OrderFields { sub_appid: Some("wx77".to_owned()), ..said(5) }).unwrap();
    let target =
        |sub: &str| format!("/v3/pay/partner/transactions/out-trade-no/A1?sp_mchid={PROVIDER}&sub_mchid={sub}");
    let answer = counter.ask(&counter.provider, &target("10000300"), None).await;
    assert!(answer.is_signed_for(&counter.provider), "{answer:?}");
    let json = answer.json();
    assert_eq!((&json["sp_mchid"], &json["sub_mchid"]), (&json!(PROVIDER), &json!("10000300")));
    assert_eq!((&json["sp_appid"], &json["sub_appid"]), (&json!("wx8888888888888888"), &json!("wx77")));
    assert_eq!(keys(&json["payer"]), "sp_openid sub_openid");
    assert!(json.get("mchid").is_none() && json.get("appid").is_none());
    let other = counter.ask(&counter.provider, &target("10000301"), None).await;
    assert_eq!(other.code(), (404, "ORDER_NOT_EXIST".to_owned()));
    for (account, target) in [
        (&counter.merchant, target("10000300")),
        (&counter.provider, format!("/v3/pay/transactions/out-trade-no/A1?mchid={PROVIDER}")),
        (&counter.merchant, format!("/v3/pay/transactions/out-trade-no/A1?mchid={PROVIDER}")),
    ] {
        assert_eq!(counter.ask(account, &target, None).await.code(), (403, "NO_AUTH".to_owned()), "{target}");
    }
}

#[tokio::test]
async fn an_order_that_is_not_there_is_a_signed_404() {
    let counter = Counter::open().await;
    let answer = counter.order("NOBODYS").await;
    assert_eq!(answer.code(), (404, "ORDER_NOT_EXIST".to_owned()));
    assert!(answer.is_signed_for(&counter.merchant));
    assert!(answer.header("Request-ID").is_some_and(|id| id.ends_with("-268512771")));
    counter.world.pay("A|1");
    assert_eq!(counter.order("A%7C1").await.0.status, 200);
}

#[tokio::test]
async fn both_languages_see_the_same_order() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let v2 = counter.world.ask("A1").await.unwrap().fields();
    assert_eq!(counter.order("A1").await.json()["transaction_id"], v2["transaction_id"]);
    let (_, queries) = counter.world.control("GET", "/sandbox/queries", "").await;
    let apis: Vec<_> = queries.as_array().unwrap().iter().map(|query| query["api"].clone()).collect();
    assert_eq!(apis, ["v2", "v3"]);
    assert_eq!(queries[1]["answer"], "SUCCESS");
}
