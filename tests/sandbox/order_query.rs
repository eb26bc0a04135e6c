//! `POST /pay/orderquery` against `docs/reference/wechatpay-v2.md` sections 3 to 6.

use crate::harness::*;
use std::collections::BTreeSet;
use tollgate::sandbox::{OrderFields, TradeState};

const BASE: &str = "return_code return_msg appid mch_id nonce_str sign result_code";
const PAID: &str = "openid is_subscribe trade_type bank_type total_fee fee_type transaction_id out_trade_no attach \
                    time_end trade_state cash_fee trade_state_desc cash_fee_type";
const COUPON: &str = "coupon_fee coupon_count coupon_type_0 coupon_id_0 coupon_fee_0";
const NOT_PAID: &str = "device_info total_fee out_trade_no trade_state trade_state_desc";
const OTHER: &str = "out_trade_no attach trade_state trade_state_desc";

fn names(lists: &[&str]) -> BTreeSet<String> {
    lists.iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect()
}

fn names_of(answer: &Answer) -> BTreeSet<String> {
    answer.fields().into_keys().collect()
}

/// Section 4.2.
#[tokio::test]
async fn every_state_is_answered_with_exactly_its_fields() {
    let world = World::new().await;
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
        world.sandbox.put(world.key("A1"), state, said(6600)).unwrap();
        let answer = world.ask("A1").await.unwrap();
        assert_eq!(names_of(&answer), names(&[BASE, fields]), "{name}");
        let fields = answer.fields();
        assert_eq!(fields["trade_state"], name);
        assert_eq!(fields["out_trade_no"], "A1");
        assert!(is_signed(&fields), "{name}");
        assert!(answer.status == 200 && answer.head.contains("content-type: text/plain"), "{name}");
    }
}

#[tokio::test]
async fn a_coupon_is_counted_out_of_the_cash() {
    let world = World::new().await;
    let coupon = OrderFields { coupon_fee: Some(10), attach: Some("channel=7&shop=<A>".into()), ..said(100) };
    world.sandbox.pay(world.key("A1"), coupon).unwrap();
    let answer = world.ask("A1").await.unwrap();
    assert_eq!(names_of(&answer), names(&[BASE, PAID, COUPON]));
    let fields = answer.fields();
    assert_eq!([&fields["total_fee"], &fields["cash_fee"], &fields["coupon_fee_0"]], ["100", "90", "10"]);
    assert_eq!(fields["attach"], "channel=7&shop=<A>");
    assert!(is_signed(&fields));
    for bare in ["total_fee", "cash_fee", "coupon_fee", "coupon_count"] {
        assert!(answer.body.contains(&format!("<{bare}>{}</{bare}>\n", fields[bare])), "{bare} is not bare");
    }
}

/// Example B, but for nonce and signature.
#[tokio::test]
async fn answers_are_laid_out_like_real_ones() {
    let world = World::new().await;
    world.sandbox.put(world.key("ORDER20240101000001"), TradeState::NotPay, said(100)).unwrap();
    let answer = world.ask("ORDER20240101000001").await.unwrap();
    let fields = answer.fields();
    let body = answer.body.replace(&fields["nonce_str"], "NONCE").replace(&fields["sign"], "SIGN");
    let expected = "<xml><return_code><![CDATA[SUCCESS]]></return_code>
<return_msg><![CDATA[OK]]></return_msg>
<appid><![CDATA[wxd930ea5d5a258f4f]]></appid>
<mch_id><![CDATA[10000100]]></mch_id>
<nonce_str><![CDATA[NONCE]]></nonce_str>
<sign><![CDATA[SIGN]]></sign>
<result_code><![CDATA[SUCCESS]]></result_code>
<device_info><![CDATA[]]></device_info>
<total_fee>100</total_fee>
<out_trade_no><![CDATA[ORDER20240101000001]]></out_trade_no>
<trade_state><![CDATA[NOTPAY]]></trade_state>
<trade_state_desc><![CDATA[订单未支付]]></trade_state_desc>
</xml>";
    assert_eq!(body, expected);
}

/// Section 2: with the algorithm that the request used.
#[tokio::test]
async fn answers_are_signed_as_the_question_was() {
    let world = World::new().await;
    world.pay("A1");
    for order in ["A1", "NOBODY_ORDERED_THIS"] {
        let question = question(&[("out_trade_no", order), ("sign_type", "HMAC-SHA256")]);
        let fields = order_query(world.api, &question).await.unwrap().fields();
        assert_eq!(fields["sign"], hmac_sign(borrowed(&fields)));
        assert!(!fields.contains_key("sign_type"));
    }
}

/// Example C.
#[tokio::test]
async fn an_unknown_order_is_a_signed_business_error() {
    let world = World::new().await;
    let answer = world.ask("A1").await.unwrap();
    assert_eq!(names_of(&answer), names(&[BASE, "err_code err_code_des"]));
    let fields = answer.fields();
    assert_eq!(
        [&fields["return_code"], &fields["result_code"], &fields["err_code"]],
        ["SUCCESS", "FAIL", "ORDERNOTEXIST"]
    );
    assert!(is_signed(&fields));
}

/// Section 5: nothing but return_code and return_msg.
#[tokio::test]
async fn what_cannot_be_accepted_is_refused_without_a_signature() {
    let world = World::new().await;
    world.pay("A1");
    let asked = |over: &[(&str, &str)]| question(&[&[("out_trade_no", "A1")], over].concat());
    for (question, message) in [
        ("not xml".to_owned(), "XML格式错误"),
        (String::new(), "XML格式错误"),
        (asked(&[]).replace("<xml>", "<!DOCTYPE xml><xml>"), "XML格式错误"),
        (asked(&[("sign", "0123456789ABCDEF0123456789ABCDEF")]), "签名错误"),
        (asked(&[("sign", "")]), "签名错误"),
        (asked(&[("sign_type", "SHA1")]), "签名错误"),
        (asked(&[]).replace(">A1<", ">A2<"), "签名错误"),
        (asked(&[("mch_id", "10009999")]), "签名错误"),
        (asked(&[("appid", "wx2421b1c4370ec43b")]), "商户号mch_id与appid不匹配"),
        (asked(&[("appid", "wx8888888888888888"), ("mch_id", PROVIDER)]), "受理机构必须传入sub_mch_id"),
    ] {
        let answer = order_query(world.api, &question).await.unwrap();
        assert_eq!((answer.status, names_of(&answer)), (200, names(&["return_code return_msg"])), "{message}");
        assert_eq!(answer.fields()["return_msg"], message, "{question}");
    }
    let get = http(world.api, "GET", "/pay/orderquery", &[], "").await.unwrap();
    assert_eq!((get.status, get.fields()["return_code"].as_str()), (200, "FAIL"));
}

#[tokio::test]
async fn a_question_that_lacks_something_is_a_signed_business_error() {
    let world = World::new().await;
    for (over, code) in [
        (&[][..], "LACK_PARAMS"),
        (&[("out_trade_no", "A1"), ("nonce_str", "")][..], "LACK_PARAMS"),
        (&[("transaction_id", "4200-1")][..], "INVALID_TRANSACTIONID"),
        (&[("out_trade_no", "a b")][..], "ORDERNOTEXIST"),
    ] {
        let fields = order_query(world.api, &question(over)).await.unwrap().fields();
        assert_eq!(fields["err_code"], code);
        assert!(is_signed(&fields), "{code}");
    }
}

/// Section 3.
#[tokio::test]
async fn the_transaction_id_wins_if_both_ids_are_sent() {
    let world = World::new().await;
    world.pay("A1");
    world.sandbox.put(world.key("A2"), TradeState::NotPay, OrderFields::default()).unwrap();
    let paid = world.sandbox.order(world.key("A1")).unwrap().transaction_id.unwrap();
    let both = question(&[("out_trade_no", "A2"), ("transaction_id", paid.as_str())]);
    let fields = order_query(world.api, &both).await.unwrap().fields();
    assert_eq!([&fields["out_trade_no"], &fields["trade_state"]], ["A1", "SUCCESS"]);
    let foreign =
        question(&[("appid", "wx2421b1c4370ec43b"), ("mch_id", "10000101"), ("transaction_id", paid.as_str())]);
    let fields = order_query(world.api, &foreign).await.unwrap().fields();
    assert_eq!(fields["err_code"], "ORDERNOTEXIST", "another merchant's payment");
}

/// Section 6.
#[tokio::test]
async fn a_service_providers_sub_merchants_do_not_see_each_others_orders() {
    let world = World::new().await;
    let key = world.sandbox.key(Some(PROVIDER), Some("777"), "S1").unwrap();
    world.sandbox.pay(key, said(100)).unwrap();
    let asked = |over: &[(&str, &str)]| {
        question(&[&[("appid", "wx8888888888888888"), ("mch_id", PROVIDER), ("out_trade_no", "S1")], over].concat())
    };
    let own = asked(&[("sub_mch_id", "777"), ("sub_appid", "wx7777")]);
    let answer = order_query(world.api, &own).await.unwrap();
    let sub = "sub_mch_id sub_appid sub_openid sub_is_subscribe";
    assert_eq!(names_of(&answer), names(&[BASE, PAID, sub]));
    let answer = order_query(world.api, &asked(&[("sub_mch_id", "777")])).await.unwrap();
    assert_eq!(names_of(&answer), names(&[BASE, PAID, "sub_mch_id"]));
    let other = order_query(world.api, &asked(&[("sub_mch_id", "778")])).await.unwrap();
    assert_eq!(other.fields()["err_code"], "ORDERNOTEXIST");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_answers() {
    let (one, two) = (World::new().await, World::new().await);
    for world in [&one, &two] {
        world.pay("A1");
    }
    assert_eq!(one.ask("A1").await.unwrap().body, two.ask("A1").await.unwrap().body);
    let other = World::with(tollgate::sandbox::Seed(2), 1).await;
    other.pay("A1");
    assert_ne!(
        one.ask("A1").await.unwrap().fields()["transaction_id"],
        other.ask("A1").await.unwrap().fields()["transaction_id"]
    );
}
