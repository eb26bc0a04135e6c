//! WeChat Pay's messages: flat XML and its signature (`docs/reference/wechatpay-v2.md` sections 2 and 7.3), written
//! here a second time on purpose.

use super::{Merchant, OPENID, transaction_id};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignType {
    Md5,
    HmacSha256,
}

/// An XML message's elements in the order they are written.
pub type Fields = Vec<(String, String)>;

/// WeChat Pay's signature over fields (`docs/reference/wechatpay-v2.md` section 2).
pub fn sign(fields: &Fields, key: &str, sign_type: SignType) -> String {
    let mut parts: Vec<_> = fields.iter().filter(|(name, value)| name != "sign" && !value.is_empty()).collect();
    parts.sort();
    let parts: String = parts.iter().map(|(name, value)| format!("{name}={value}&")).collect();
    let text = format!("{parts}key={key}");
    match sign_type {
        SignType::Md5 => hex::encode_upper(Md5::digest(text)),
        SignType::HmacSha256 => {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
            mac.update(text.as_bytes());
            hex::encode_upper(mac.finalize().into_bytes())
        }
    }
}

/// Fields as XML the way WeChat Pay writes it, with their signature last.
pub fn signed_xml(mut fields: Fields, key: &str, sign_type: SignType) -> String {
    let sign = sign(&fields, key, sign_type);
    fields.push(("sign".to_owned(), sign));
    xml(&fields)
}

pub fn xml(fields: &Fields) -> String {
    let elements: Vec<_> = fields.iter().map(|(name, value)| format!("<{name}><![CDATA[{value}]]></{name}>")).collect();
    format!("<xml>{}\n</xml>", elements.join("\n"))
}

/// The fields of a notification that an order was paid (`docs/reference/wechatpay-v2.md` section 7.3).
pub fn notification(merchant: &Merchant, out_trade_no: &str, total_fee: u64) -> Fields {
    let transaction_id = transaction_id(merchant, out_trade_no);
    let total_fee = total_fee.to_string();
    let fields = [
        ("appid", merchant.appid),
        ("attach", "channel=7&shop=<A>"),
        ("bank_type", "OTHERS"),
        ("cash_fee", &total_fee),
        ("fee_type", "CNY"),
        ("is_subscribe", "N"),
        ("mch_id", merchant.mch_id),
        ("nonce_str", "f3a1b2c4d5e6f7081920a1b2c3d4e5f6"),
        ("openid", OPENID),
        ("out_trade_no", out_trade_no),
        ("result_code", "SUCCESS"),
        ("return_code", "SUCCESS"),
        ("time_end", "20261122101112"),
        ("total_fee", &total_fee),
        ("trade_type", "APP"),
        ("transaction_id", &transaction_id),
    ];
    own(&fields)
}

/// Sets or adds a field.
pub fn set(fields: &mut Fields, name: &str, value: &str) {
    match fields.iter_mut().find(|(found, _)| found == name) {
        Some((_, old)) => value.clone_into(old),
        None => fields.push((name.to_owned(), value.to_owned())),
    }
}

/// The elements of a flat XML message, by a scan that is good enough for what the gate sends.
pub fn scan(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim().strip_prefix("<xml>").unwrap_or_default();
    while let Some((name, behind)) = rest.trim_start().strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        let Some((value, behind)) = behind.split_once(&format!("</{name}>")) else { break };
        let cdata = value.strip_prefix("<![CDATA[").and_then(|value| value.strip_suffix("]]>"));
        let plain = || value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        fields.insert(name.to_owned(), cdata.map_or_else(plain, str::to_owned));
        rest = behind;
    }
    fields
}

pub fn own(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_fake_signs_as_the_documentation_does() {
    let fields = own(&[
        ("appid", "wxd930ea5d5a258f4f"),
        ("mch_id", "10000100"),
        ("device_info", "1000"),
        ("body", "test"),
        ("nonce_str", "ibuaiVcKdpRxkhJA"),
    ]);
    let key = "192006250b4c09247ec02edce69f6a2d";
    assert_eq!(sign(&fields, key, SignType::Md5), "9A0A8659F005D6984697E2CA0A9CF3B7");
    let hmac = "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6";
    assert_eq!(sign(&fields, key, SignType::HmacSha256), hmac);
}
