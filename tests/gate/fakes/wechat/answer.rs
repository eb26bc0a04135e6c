//! An answer to an order query, right or wrong.

use super::message::own;
use super::{Fault, Fields, OPENID, Order, SignType, set, sign, xml};

/// What an answer carries in each state (`docs/reference/wechatpay-v2.md` section 4.2).
pub(super) fn state_fields(order: &Order, out_trade_no: &str, state: &str) -> Fields {
    let total_fee = order.total_fee.to_string();
    let mut fields = own(&[
        ("result_code", "SUCCESS"),
        ("out_trade_no", out_trade_no),
        ("trade_state", state),
        ("trade_state_desc", "说明"),
    ]);
    match state {
        "SUCCESS" | "REFUND" => fields.extend(own(&[
            ("device_info", ""),
            ("openid", OPENID),
            ("is_subscribe", "N"),
            ("trade_type", "APP"),
            ("bank_type", "OTHERS"),
            ("total_fee", &total_fee),
            ("fee_type", "CNY"),
            ("cash_fee", "1"),
            ("coupon_fee", "0"),
            ("coupon_fee_0", "3"),
            ("coupon_fee_10", "4"),
            ("coupon_fee_2", "5"),
            ("transaction_id", &order.transaction_id),
            ("attach", "channel=7&shop=<A>"),
            ("time_end", "20261122101112"),
            ("Zzz_new_field", "值 <&>"),
        ])),
        "NOTPAY" => fields.extend(own(&[("device_info", ""), ("total_fee", &total_fee)])),
        _ => fields.extend(own(&[("attach", "")])),
    }
    fields
}

/// The signed answer, made as wrong as the fault wants it.
pub(super) fn distorted(mut fields: Fields, key: &str, sign_type: SignType, fault: Fault) -> Vec<u8> {
    match fault {
        Fault::ForAnotherOrder => set(&mut fields, "out_trade_no", "SOMEBODY-ELSES"),
        Fault::ForAnotherMerchant => set(&mut fields, "mch_id", "1900000999"),
        Fault::ForAnotherApp => set(&mut fields, "appid", "wx0000000000000000"),
        Fault::ForAnotherSubMerchant => set(&mut fields, "sub_mch_id", "1900000998"),
        Fault::Without(name) => fields.retain(|(found, _)| found != name),
        _ => {}
    }
    let signature = match fault {
        Fault::SignedWithAnotherKey => sign(&fields, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", sign_type),
        Fault::OtherAlgorithm if sign_type == SignType::HmacSha256 => sign(&fields, key, SignType::Md5),
        Fault::OtherAlgorithm => sign(&fields, key, SignType::HmacSha256),
        Fault::BadSign => "0".repeat(32),
        Fault::EmptySign => String::new(),
        _ => sign(&fields, key, sign_type),
    };
    if fault == Fault::AmountTampered {
        set(&mut fields, "total_fee", "1");
    }
    if fault != Fault::Unsigned {
        set(&mut fields, "sign", &signature);
    }
    if fault == Fault::FieldTwice {
        fields.push(("trade_state".to_owned(), "SUCCESS".to_owned()));
    }
    let text = xml(&fields);
    match fault {
        Fault::Truncated => text.as_bytes()[..text.len() / 2].to_vec(),
        Fault::Empty => Vec::new(),
        Fault::Doctype => format!("<?xml version=\"1.0\"?><!DOCTYPE xml [<!ENTITY a \"SUCCESS\">]>{text}").into_bytes(),
        Fault::Comment => text.replace("<trade_state>", "<!-- --><trade_state>").into_bytes(),
        Fault::Huge => text.replace("</xml>", &format!("<pad>{}</pad></xml>", "x".repeat(8_000_000))).into_bytes(),
        _ => text.into_bytes(),
    }
}
