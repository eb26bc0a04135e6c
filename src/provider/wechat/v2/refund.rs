//! Refund notifications of API v2. They have no signature: what they say is sealed, in `req_info`, by AES-256 in ECB
//! mode with PKCS#7 padding, under the MD5 of the account's key in lower-case hexadecimal digits.
//!
//! ECB hides, and does not authenticate: an attacker who has seen several notifications can put one together from
//! blocks of them. So nothing in one is believed that the order query does not say as well.

use super::super::Credentials;
use super::Keys;
use crate::domain::money::Fen;
use crate::domain::order::{AppId, OutTradeNo, TransactionId};
use crate::net::xml::Fields;
use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

/// What a refund notification tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The payment's `transaction_id`.
    pub transaction_id: TransactionId,
    /// The payment's `out_trade_no`.
    pub out_trade_no: OutTradeNo,
    /// What the order costs, `total_fee`. Its currency is not told.
    pub total_fee: Fen,
    /// WeChat Pay's number of the refund.
    pub refund_id: String,
    /// The merchant's number of the refund.
    pub out_refund_no: String,
    /// `SUCCESS`, `CHANGE` (it failed, and needs another account) or `REFUNDCLOSE`.
    pub refund_status: String,
}

/// Why a refund notification cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// None of the account's keys opens it.
    #[error("none of the channel's keys opens req_info")]
    Sealed,
    /// What is sealed lacks this field.
    #[error("{0} within req_info is absent or empty")]
    Missing(&'static str),
    /// What is sealed has this field malformed.
    #[error("{0} within req_info is malformed")]
    Malformed(&'static str),
}

/// The element that is sealed.
pub const REQ_INFO: &str = "req_info";

/// Characters that `req_info` may have. WeChat Pay's have about a thousand.
const LONGEST: usize = 16 * 1024;

/// The root of what is sealed.
const ROOT: &str = "root";

/// Opens `req_info` with whichever of the account's keys fits, and reads it strictly.
///
/// # Errors
/// If no key opens it, or it is not what WeChat Pay seals.
pub fn open(keys: &Keys, req_info: &str) -> Result<Refund, Unopened> {
    if req_info.len() > LONGEST {
        return Err(Unopened::Sealed);
    }
    // Line ends within base64 mean nothing to any decoder.
    let digits: Vec<u8> = req_info.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let sealed = BASE64_STANDARD.decode(digits).map_err(|_| Unopened::Sealed)?;
    for key in keys.verifying() {
        let Some(text) = decrypted(key, sealed.clone()) else { continue };
        // A wrong key makes a right padding of one in 256 texts, and never this XML.
        let Ok(fields) = Fields::read_below(ROOT, &text) else { continue };
        // Blocks of other notifications within a text could be tags to a blunter reader.
        if fields.iter().any(|(_, value)| value.contains(['<', '&'])) {
            return Err(Unopened::Malformed("a text"));
        }
        return Refund::read(&fields);
    }
    Err(Unopened::Sealed)
}

fn decrypted(key: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let digits = hex::encode(Md5::digest(key));
    let key = UnboundCipherKey::new(&AES_256, digits.as_bytes()).ok()?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).ok()?;
    let length = key.decrypt(&mut sealed, DecryptionContext::None).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

impl Refund {
    fn read(fields: &Fields<'_>) -> Result<Self, Unopened> {
        let text = |name: &'static str| fields.filled(name).ok_or(Unopened::Missing(name));
        let word = |name: &'static str, longest: usize| {
            let value = text(name)?;
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte);
            let plain = value.len() <= longest && value.bytes().all(is_plain);
            plain.then(|| value.to_owned()).ok_or(Unopened::Malformed(name))
        };
        Ok(Self {
            transaction_id: TransactionId::parse(text("transaction_id")?)
                .map_err(|_| Unopened::Malformed("transaction_id"))?,
            out_trade_no: OutTradeNo::parse(text("out_trade_no")?).map_err(|_| Unopened::Malformed("out_trade_no"))?,
            total_fee: Fen::parse(text("total_fee")?).map_err(|_| Unopened::Malformed("total_fee"))?,
            refund_id: word("refund_id", 32)?,
            out_refund_no: word("out_refund_no", 64)?,
            refund_status: word("refund_status", 16)?,
        })
    }
}

/// Whether a refund notification is about a payment to this account, by the part of it that is not sealed. A
/// sub-merchant's application need not be named.
#[must_use]
pub fn is_addressed_to(account: &Credentials, notification: &Fields<'_>) -> bool {
    let field = |name| notification.filled(name);
    let own_app = account.sub_appid.as_ref().map(AppId::as_str);
    account.is_merchant(field("mch_id"), field("sub_mch_id"))
        && account.is_app(field("appid"), field("sub_appid").or(own_app))
}

#[cfg(test)]
mod tests;
