//! One payment in the words of either API (`docs/reference/wechatpay-v3.md` section 10,
//! `docs/reference/wechatpay-v2.md` section 7.6). An account may be asked in one language, and its order system told in
//! the other. What has no counterpart is left out: nothing is made up.

use super::v3::json::{Malformed, Object};
use crate::domain::clock;
use crate::net::xml::Fields;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Name and value of a field of API v2.
pub(super) type Field = (Cow<'static, str>, String);

/// Fields that are texts on both sides, and mean the same: API v3's path and API v2's name.
const TEXTS: [(&str, &str); 6] = [
    ("trade_type", "trade_type"),
    ("bank_type", "bank_type"),
    ("transaction_id", "transaction_id"),
    ("out_trade_no", "out_trade_no"),
    ("attach", "attach"),
    ("scene_info.device_id", "device_info"),
];

/// Who was paid and who has paid, for a merchant and for a service provider: the same two columns.
const OWN: [(&str, &str); 3] = [("appid", "appid"), ("mchid", "mch_id"), ("payer.openid", "openid")];
const PROVIDERS: [(&str, &str); 6] = [
    ("sp_appid", "appid"),
    ("sp_mchid", "mch_id"),
    ("sub_appid", "sub_appid"),
    ("sub_mchid", "sub_mch_id"),
    ("payer.sp_openid", "openid"),
    ("payer.sub_openid", "sub_openid"),
];

/// API v2 says of each payer whether he follows the merchant's account; by now that is always no.
const IS_SUBSCRIBE: (&str, &str) = ("is_subscribe", "N");

/// The most coupons of a payment that are told of. Real ones have a few.
const MOST_COUPONS: usize = 100;

/// The fields that API v2 would tell a paid transaction of API v3 in.
///
/// # Errors
/// If the transaction has another kind of value where one of them stands.
pub(super) fn to_v2(transaction: &Object) -> Result<Vec<Field>, Malformed> {
    let named = if transaction.has("sp_mchid") { PROVIDERS.as_slice() } else { OWN.as_slice() };
    let mut fields: Vec<Field> = vec![plain("return_code", "SUCCESS"), plain("result_code", "SUCCESS")];
    for (v3, v2) in named.iter().chain(&TEXTS) {
        fields.extend(transaction.text(v3)?.map(|text| plain(v2, text)));
    }
    let (subscribes, no) = IS_SUBSCRIBE;
    fields.extend(fields.iter().any(|(name, _)| name == "openid").then(|| plain(subscribes, no)));
    let (total, paid) = (transaction.integer("amount.total")?, transaction.integer("amount.payer_total")?);
    fields.extend(total.map(|total| number("total_fee", total)));
    fields.extend(paid.map(|paid| number("cash_fee", paid)));
    fields.extend(transaction.text("amount.currency")?.map(|currency| plain("fee_type", currency)));
    let paid_at = transaction.text("success_time")?.and_then(|at| at.parse::<Timestamp>().ok());
    fields.extend(paid_at.map(|at| (Cow::Borrowed("time_end"), clock::time_end(at))));
    coupons_to_v2(transaction, total.zip(paid).map(|(total, paid)| total.saturating_sub(paid)), &mut fields)?;
    Ok(fields)
}

fn coupons_to_v2(transaction: &Object, fee: Option<u64>, fields: &mut Vec<Field>) -> Result<(), Malformed> {
    let coupons = transaction.objects("promotion_detail")?;
    if coupons.is_empty() {
        return Ok(());
    }
    fields.extend(fee.map(|fee| number("coupon_fee", fee)));
    fields.push((Cow::Borrowed("coupon_count"), coupons.len().to_string()));
    for (index, coupon) in coupons.iter().enumerate() {
        let kind = coupon.text("type")?.map(|kind| if kind == "NOCASH" { "NO_CASH" } else { kind }.to_owned());
        let (id, fee) = (coupon.text("coupon_id")?.map(str::to_owned), coupon.integer("amount")?);
        let of_this = [("type", kind), ("id", id), ("fee", fee.map(|fee| fee.to_string()))];
        let named =
            |(what, value): (&str, Option<String>)| Some((Cow::Owned(format!("coupon_{what}_{index}")), value?));
        fields.extend(of_this.into_iter().filter_map(named));
    }
    Ok(())
}

fn plain(name: &'static str, text: &str) -> Field {
    (Cow::Borrowed(name), text.to_owned())
}

fn number(name: &'static str, number: u64) -> Field {
    (Cow::Borrowed(name), number.to_string())
}

/// The transaction that API v3 would tell the payment of an answer of API v2 in.
pub(super) fn to_v3(answer: &Fields<'_>) -> Map<String, Value> {
    let named = if answer.filled("sub_mch_id").is_some() { PROVIDERS.as_slice() } else { OWN.as_slice() };
    let mut transaction = Map::new();
    for (v3, v2) in named.iter().chain(&TEXTS) {
        if let Some(text) = answer.filled(v2) {
            put(&mut transaction, v3, text.into());
        }
    }
    let fen = |name: &str| answer.filled(name).and_then(|text| text.parse::<u64>().ok()).map(Value::from);
    let currency = answer.filled("fee_type").unwrap_or(CNY);
    let amounts = [
        ("amount.total", fen("total_fee")),
        ("amount.payer_total", fen("cash_fee")),
        ("amount.currency", Some(currency.into())),
        ("amount.payer_currency", Some(answer.filled("cash_fee_type").unwrap_or(currency).into())),
    ];
    for (path, value) in amounts {
        if let Some(value) = value {
            put(&mut transaction, path, value);
        }
    }
    if let Some(at) = answer.filled("time_end").and_then(clock::from_time_end) {
        put(&mut transaction, "success_time", clock::rfc3339_beijing(at).into());
    }
    put(&mut transaction, "promotion_detail", coupons_to_v3(answer));
    mark_as_paid(&mut transaction);
    transaction
}

/// What an answer without a currency counts in.
const CNY: &str = "CNY";

/// What a notification of a payment says of its state, also where money went back since.
pub(super) fn mark_as_paid(transaction: &mut Map<String, Value>) {
    transaction.insert("trade_state".to_owned(), "SUCCESS".into());
    transaction.insert("trade_state_desc".to_owned(), "支付成功".into());
}

fn coupons_to_v3(answer: &Fields<'_>) -> Value {
    let coupon = |index: usize| {
        let of_this = |what: &str| answer.filled(&format!("coupon_{what}_{index}"));
        let id = of_this("id")?;
        let mut coupon = Map::from_iter([("coupon_id".to_owned(), id.into()), ("currency".to_owned(), CNY.into())]);
        if let Some(kind) = of_this("type") {
            coupon.insert("type".to_owned(), if kind == "NO_CASH" { "NOCASH" } else { kind }.into());
        }
        if let Some(fee) = of_this("fee").and_then(|fee| fee.parse::<u64>().ok()) {
            coupon.insert("amount".to_owned(), fee.into());
        }
        Some(Value::Object(coupon))
    };
    (0..MOST_COUPONS).map_while(coupon).collect()
}

/// Puts a value at a path of one or two keys.
fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(object.insert(path.to_owned(), value)),
        Some((key, rest)) => {
            if let Value::Object(inner) = object.entry(key).or_insert_with(|| json!({})) {
                inner.insert(rest.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wechat::v3::json;

    fn fields(transaction: &Value) -> Vec<(String, String)> {
        let transaction = json::object(transaction.to_string().as_bytes()).unwrap();
        let mut fields: Vec<_> =
            to_v2(&transaction).unwrap().into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        fields.sort();
        fields
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn transaction(fields: &[(&str, &str)]) -> Value {
        let document = crate::net::xml::write(fields.iter().copied());
        Value::Object(to_v3(&Fields::read(document.as_bytes()).unwrap()))
    }

    /// Example A of API v2's fact sheet, and the transaction of API v3's with its coupon.
    const V2: [(&str, &str); 20] = [
        ("appid", "wxd930ea5d5a258f4f"),
        ("attach", "channel=7&shop=<A>"),
        ("bank_type", "OTHERS"),
        ("cash_fee", "90"),
        ("coupon_count", "1"),
        ("coupon_fee", "10"),
        ("coupon_fee_0", "10"),
        ("coupon_id_0", "10000"),
        ("coupon_type_0", "NO_CASH"),
        ("device_info", "013467007045764"),
        ("fee_type", "CNY"),
        ("is_subscribe", "N"),
        ("mch_id", "1900009191"),
        ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
        ("out_trade_no", "ORDER20240101000001"),
        ("result_code", "SUCCESS"),
        ("return_code", "SUCCESS"),
        ("time_end", "20240101123456"),
        ("total_fee", "100"),
        ("transaction_id", "4200000000202401010000000001"),
    ];

    fn v3() -> Value {
        json!({
            "amount": {"currency": "CNY", "payer_currency": "CNY", "payer_total": 90, "total": 100},
            "appid": "wxd930ea5d5a258f4f", "attach": "channel=7&shop=<A>", "bank_type": "OTHERS", "mchid": "1900009191",
            "out_trade_no": "ORDER20240101000001", "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            "promotion_detail": [{"amount": 10, "coupon_id": "10000", "currency": "CNY", "type": "NOCASH"}],
            "scene_info": {"device_id": "013467007045764"},
            "success_time": "2024-01-01T12:34:56+08:00", "trade_state": "SUCCESS", "trade_state_desc": "支付成功",
            "transaction_id": "4200000000202401010000000001"
        })
    }

    #[test]
    fn a_payment_is_told_in_either_language() {
        assert_eq!(fields(&v3()), pairs(&V2));
        assert_eq!(transaction(&V2), v3());
    }

    #[test]
    fn a_service_providers_payment_keeps_who_is_who() {
        let sub = json!({
            "amount": {"currency": "CNY", "payer_currency": "CNY", "total": 1},
            "sp_appid": "wxsp", "sp_mchid": "1900000001", "sub_appid": "wxsub", "sub_mchid": "1900000002",
            "payer": {"sp_openid": "o-sp", "sub_openid": "o-sub"}, "promotion_detail": [],
            "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "trade_type": "APP",
        });
        let told = [
            ("appid", "wxsp"),
            ("fee_type", "CNY"),
            ("is_subscribe", "N"),
            ("mch_id", "1900000001"),
            ("openid", "o-sp"),
            ("result_code", "SUCCESS"),
            ("return_code", "SUCCESS"),
            ("sub_appid", "wxsub"),
            ("sub_mch_id", "1900000002"),
            ("sub_openid", "o-sub"),
            ("total_fee", "1"),
            ("trade_type", "APP"),
        ];
        assert_eq!(fields(&sub), pairs(&told));
        assert_eq!(transaction(&told), sub);
    }

    #[test]
    fn what_has_no_counterpart_is_left_out() {
        let only = json!({
            "amount": {"total": 5, "currency": "HKD"}, "mchid": "19", "trade_state": "REFUND", "success_time": "soon",
            "installment_info": {"x": 1}, "promotion_detail": []
        });
        let told = [
            ("fee_type", "HKD"),
            ("mch_id", "19"),
            ("result_code", "SUCCESS"),
            ("return_code", "SUCCESS"),
            ("total_fee", "5"),
        ];
        assert_eq!(fields(&only), pairs(&told));
        let back = transaction(&[("mch_id", "19"), ("total_fee", "5"), ("rate", "1"), ("sign", "S"), ("attach", "")]);
        assert_eq!(
            back,
            json!({
                "amount": {"total": 5, "currency": "CNY", "payer_currency": "CNY"}, "mchid": "19",
                "promotion_detail": [], "trade_state": "SUCCESS", "trade_state_desc": "支付成功"
            })
        );
    }
}
