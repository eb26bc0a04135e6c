//! An order as API v3 tells it: what queries are answered with, and what notifications hold
//! (`docs/reference/wechatpay-v3.md` sections 3.2 and 3.3). Keys are in alphabetical order, as in real answers.

use crate::domain::clock;
use crate::domain::order::{AppId, TransactionId};
use crate::sandbox::order::{Order, TradeState};
use serde_json::{Map, Value, json};

/// The fields of an order. `appid` is the merchant's, for orders that name none.
pub(super) fn fields(order: &Order, appid: AppId) -> Map<String, Value> {
    let mut fields = parties(order, appid);
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("amount", amount(order));
    put("out_trade_no", json!(order.key.out_trade_no.as_str()));
    put("promotion_detail", promotion(order));
    put("trade_state", json!(order.trade_state.as_str()));
    put("trade_state_desc", json!(order.trade_state.text()));
    if order.trade_state != TradeState::NotPay {
        put("attach", json!(order.attach));
    }
    if order.trade_state.is_paid() {
        put("bank_type", json!(order.bank_type));
        put("payer", payer(order));
        put(
            "success_time",
            json!(order.time_end.as_deref().and_then(clock::from_time_end).map(clock::rfc3339_beijing)),
        );
        put("trade_type", json!(order.trade_type));
        put("transaction_id", json!(order.transaction_id.as_ref().map(TransactionId::as_str)));
    } else {
        put("payer", json!({}));
    }
    fields
}

/// Whose order it is: a merchant's, or one of a provider's sub-merchants'.
fn parties(order: &Order, appid: AppId) -> Map<String, Value> {
    let (appid, mchid) = (order.appid.unwrap_or(appid), order.key.mch_id);
    let mut parties = match order.key.sub_mch_id {
        None => json!({ "appid": appid.as_str(), "mchid": mchid.as_str() }),
        Some(sub) => {
            json!({ "sp_appid": appid.as_str(), "sp_mchid": mchid.as_str(), "sub_mchid": sub.as_str() })
        }
    };
    let parties = parties.as_object_mut().map(std::mem::take).unwrap_or_default();
    let sub_appid = order.sub_appid.filter(|_| order.key.sub_mch_id.is_some());
    parties.into_iter().chain(sub_appid.map(|appid| ("sub_appid".to_owned(), json!(appid.as_str())))).collect()
}

fn payer(order: &Order) -> Value {
    match (order.key.sub_mch_id, order.sub_appid) {
        (None, _) => json!({ "openid": order.openid }),
        (Some(_), None) => json!({ "sp_openid": order.openid }),
        (Some(_), Some(_)) => json!({ "sp_openid": order.openid, "sub_openid": order.openid }),
    }
}

fn amount(order: &Order) -> Value {
    let total = order.total_fee;
    if order.trade_state.is_paid() {
        let payer_total = total - order.coupon_fee;
        json!({ "currency": "CNY", "payer_currency": "CNY", "payer_total": payer_total, "total": total })
    } else {
        json!({ "payer_currency": "CNY", "total": total })
    }
}

/// The one recharge coupon of an order that was paid with one.
fn promotion(order: &Order) -> Value {
    if order.coupon_fee == 0 || !order.trade_state.is_paid() {
        return json!([]);
    }
    json!([{
        "amount": order.coupon_fee, "coupon_id": "10000", "currency": "CNY", "merchant_contribute": 0,
        "name": "sandbox", "other_contribute": 0, "scope": "GLOBAL", "stock_id": "10000", "type": "CASH",
        "wechatpay_contribute": order.coupon_fee,
    }])
}

/// The fields of a refund of `fen`, of which `status` is told (`SUCCESS`, `ABNORMAL`, `CLOSED`).
pub(super) fn refund(order: &Order, status: &str, fen: u64) -> Map<String, Value> {
    let number = order.key.out_trade_no.as_str();
    let paid = order.transaction_id.as_ref().map_or("", TransactionId::as_str);
    let refunded_at = order.refund_time.as_deref().or(order.time_end.as_deref());
    let mut refund = match order.key.sub_mch_id {
        None => json!({ "mchid": order.key.mch_id.as_str() }),
        Some(sub) => json!({ "sp_mchid": order.key.mch_id.as_str(), "sub_mchid": sub.as_str() }),
    };
    let mut refund = refund.as_object_mut().map(std::mem::take).unwrap_or_default();
    let payer_refund = fen.min(order.total_fee - order.coupon_fee);
    let amount = json!({
        "payer_refund": payer_refund, "payer_total": order.total_fee - order.coupon_fee, "refund": fen,
        "total": order.total_fee,
    });
    for (name, value) in [
        ("amount", amount),
        ("out_refund_no", json!(format!("R{number}"))),
        ("out_trade_no", json!(number)),
        ("refund_id", json!(format!("50{}", paid.get(2..).unwrap_or_default()))),
        ("refund_status", json!(status)),
        ("transaction_id", json!(paid)),
        ("user_received_account", json!("支付用户零钱")),
    ] {
        refund.insert(name.to_owned(), value);
    }
    if status == "SUCCESS" {
        let time = refunded_at.and_then(clock::from_time_end).map(clock::rfc3339_beijing);
        refund.insert("success_time".to_owned(), json!(time));
    }
    refund
}
