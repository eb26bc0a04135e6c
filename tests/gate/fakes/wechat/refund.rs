//! Refund notifications as WeChat Pay sends them: no signature, and what they say sealed in `req_info`. The library that seals
//! is the gate's; that it seals as others do is held against OpenSSL in `provider/wechat/v2/refund`.

use super::{Merchant, transaction_id, xml};
use aws_lc_rs::cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey};
use base64::Engine;
use md5::{Digest, Md5};

/// What a refund notification says, in the clear and sealed.
#[derive(Debug, Clone)]
pub struct Refund {
    pub clear: Vec<(String, String)>,
    pub sealed: Vec<(String, String)>,
}

impl Refund {
    /// Of an order of which this much came back.
    pub fn of(merchant: &Merchant, out_trade_no: &str, total_fee: u64, refund_fee: u64) -> Self {
        let (total_fee, refund_fee) = (total_fee.to_string(), refund_fee.to_string());
        let clear = [
            ("return_code", "SUCCESS"),
            ("appid", merchant.appid),
            ("mch_id", merchant.mch_id),
            ("nonce_str", "f3a1b2c4d5e6f7081920a1b2c3d4e5f6"),
        ];
        let sealed = [
            ("out_refund_no", &*format!("R-{out_trade_no}")),
            ("out_trade_no", out_trade_no),
            ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS"),
            ("refund_fee", &refund_fee),
            ("refund_id", "50000000382019052709732678859"),
            ("refund_recv_accout", "支付用户零钱"),
            ("refund_request_source", "API"),
            ("refund_status", "SUCCESS"),
            ("settlement_refund_fee", &refund_fee),
            ("settlement_total_fee", &total_fee),
            ("success_time", "2026-11-23 10:11:12"),
            ("total_fee", &total_fee),
            ("transaction_id", &transaction_id(merchant, out_trade_no)),
        ];
        Self { clear: super::message::own(&clear), sealed: super::message::own(&sealed) }
    }

    /// Another value.
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        super::set(&mut self.sealed, name, value);
        self
    }

    /// Another value, or a further field, in the clear.
    pub fn openly(mut self, name: &str, value: &str) -> Self {
        super::set(&mut self.clear, name, value);
        self
    }

    /// The notification, sealed with this key.
    pub fn xml(&self, key: &str) -> String {
        let text = xml(&self.sealed).replace("<xml>", "<root>").replace("</xml>", "</root>");
        let mut fields = self.clear.clone();
        fields.push(("req_info".to_owned(), seal(text, key)));
        xml(&fields)
    }
}

fn seal(text: String, key: &str) -> String {
    let digits = hex::encode(Md5::digest(key));
    let key = UnboundCipherKey::new(&AES_256, digits.as_bytes()).unwrap();
    let mut text = text.into_bytes();
    PaddedBlockEncryptingKey::ecb_pkcs7(key).unwrap().encrypt(&mut text).unwrap();
    base64::prelude::BASE64_STANDARD.encode(text)
}
