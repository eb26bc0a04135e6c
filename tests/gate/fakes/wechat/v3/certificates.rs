//! `/v3/certificates` (`docs/reference/wechatpay-v3.md` section 7).

use super::account::{Account, Key, PLATFORM_1, STRANGER, VALID};
use super::wrong::Answer;
use crate::wechatpay_v3::seal;
use serde_json::{Value, json};
use std::ops::Range;

/// How a download goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCertificates {
    /// An error with this status and code, unsigned.
    Coded(u16, &'static str),
    /// The connection breaks.
    Reset,
    /// A list of none, signed.
    Empty,
    /// Right, but unsigned.
    Unsigned,
    /// Right, but signed by somebody else under the right serial.
    SignedByStranger,
    /// Sealed with another key.
    Undecipherable,
    /// The certificate has another serial number than the list says.
    OtherSerial,
}

/// What is served.
pub(super) struct Certificates {
    /// The last one signs.
    pub list: Vec<(Key, Range<i64>)>,
    pub fault: Option<NoCertificates>,
    /// Which merchant asked, each time.
    pub downloads: Vec<&'static str>,
}

impl Default for Certificates {
    fn default() -> Self {
        Self { list: vec![(PLATFORM_1, VALID)], fault: None, downloads: Vec::new() }
    }
}

impl Certificates {
    /// The answer; `None` if the connection breaks.
    pub fn answer(&self, account: &Account) -> Option<Answer> {
        let signer = self.list.last().map_or(PLATFORM_1, |(key, _)| *key);
        let data: Vec<_> = self.list.iter().map(|(key, valid)| self.item(account, *key, valid.clone())).collect();
        let answer = Answer::json(200, &json!({ "data": data }));
        match self.fault {
            Some(NoCertificates::Reset) => None,
            Some(NoCertificates::Coded(status, code)) => Some(Answer::error(status, code)),
            Some(NoCertificates::Empty) => Some(Answer::json(200, &json!({ "data": [] })).signed(signer)),
            Some(NoCertificates::Unsigned) => Some(answer),
            Some(NoCertificates::SignedByStranger) => {
                Some(answer.signed(Key { serial: signer.serial, name: STRANGER.name }))
            }
            None if self.list.is_empty() => Some(Answer::error(404, "RESOURCE_NOT_EXISTS")),
            _ => Some(answer.signed(signer)),
        }
    }

    fn item(&self, account: &Account, key: Key, valid: Range<i64>) -> Value {
        let other = "0123456789abcdef0123456789ABCDEF";
        let api_v3_key = if self.fault == Some(NoCertificates::Undecipherable) { other } else { account.api_v3_key };
        let listed = if self.fault == Some(NoCertificates::OtherSerial) { STRANGER.serial } else { key.serial };
        let nonce: String = (0..12).map(|_| fastrand::alphanumeric()).collect();
        let sealed = seal(key.certificate(valid).as_bytes(), &nonce, "certificate", api_v3_key);
        json!({
            "serial_no": listed,
            "effective_time": "2026-01-01T00:00:00+08:00", "expire_time": "2031-01-01T00:00:00+08:00",
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": "certificate", "ciphertext": sealed,
            },
        })
    }
}
