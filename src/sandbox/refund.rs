//! The notification of a refund: no signature, and what it says sealed with the merchant's key.

use super::merchant::Merchant;
use super::message::Message;
use super::notification::Forgery;
use super::order::Order;
use super::seed::Seed;
use crate::domain::order::TransactionId;
use aws_lc_rs::cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

/// The document; `None` only by a fault of the cipher. A forger seals with nobody's key, or another amount.
pub(super) fn compose(
    order: &Order,
    merchant: &Merchant,
    refund_fee: u64,
    nonce_str: String,
    forge: Forgery,
    seed: Seed,
) -> Option<String> {
    let total_fee = if forge == Forgery::Amount { order.total_fee + 1 } else { order.total_fee };
    let number = order.key.out_trade_no.as_str();
    let mut told = Message::default();
    told.push("out_refund_no", format!("R{number}"));
    told.push("out_trade_no", number);
    told.push("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS");
    told.push("refund_fee", refund_fee.to_string());
    told.push("refund_id", format!("50{}", digits(number)));
    told.push("refund_recv_accout", "支付用户零钱");
    told.push("refund_request_source", "API");
    told.push("refund_status", "SUCCESS");
    told.push("settlement_refund_fee", refund_fee.to_string());
    told.push("settlement_total_fee", total_fee.to_string());
    told.push("total_fee", total_fee.to_string());
    told.push_some("transaction_id", order.transaction_id.as_ref().map(TransactionId::as_str));
    let sealed = match forge {
        Forgery::WrongKey | Forgery::Unsigned => seal(seed.wrong_key().as_bytes(), told.to_xml_below("root", &[])),
        _ => seal(merchant.v2_key(), told.to_xml_below("root", &[])),
    };
    let mut message = Message::default();
    message.push("return_code", "SUCCESS");
    message.push("appid", merchant.appid.as_str());
    message.push("mch_id", merchant.mch_id.as_str());
    message.push_some("sub_mch_id", order.key.sub_mch_id.map(|id| id.to_string()));
    message.push("nonce_str", nonce_str);
    message.push("req_info", sealed?);
    let document = message.to_xml(&[]);
    Some(match forge {
        Forgery::Doctype => format!("<!DOCTYPE xml [<!ENTITY paid SYSTEM \"file:///etc/hostname\">]>\n{document}"),
        _ => document,
    })
}

/// Digits made of an order's number: an order has one refund id, however often it is asked for.
fn digits(number: &str) -> String {
    Md5::digest(number).iter().take(13).map(|byte| format!("{:02}", byte % 100)).collect()
}

fn seal(key: &[u8], text: String) -> Option<String> {
    let digits = hex::encode(Md5::digest(key));
    let key = UnboundCipherKey::new(&AES_256, digits.as_bytes()).ok()?;
    let mut text = text.into_bytes();
    PaddedBlockEncryptingKey::ecb_pkcs7(key).ok()?.encrypt(&mut text).ok()?;
    Some(BASE64_STANDARD.encode(text))
}
