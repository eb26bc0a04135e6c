//! The headers that sign a message, rightly or not (`docs/reference/wechatpay-v3.md` section 4).

use crate::provider::wechat::v3::headers::{NONCE, PROBE, SERIAL, SIGNATURE, SIGNATURE_TYPE, TIMESTAMP, message};
use crate::provider::wechat::v3::rsa::PrivateKey;
use crate::provider::wechat::v3::signer::SCHEME;
use crate::sandbox::keys::SigningKey;
use hyper::header::{HeaderName, HeaderValue};

/// Who signs, when, and with which nonce.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) key: SigningKey,
    pub(super) nonce: String,
    /// Unix seconds.
    pub(super) at: i64,
}

/// What is wrong with a signature on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoilt {
    Not,
    /// The signature alone is missing.
    Unsigned,
    /// All are missing.
    NoHeaders,
    /// Nobody's key, under WeChat Pay's serial.
    Stranger,
    /// Nobody's key under nobody's serial.
    UnknownSerial,
    /// A probe (section 4.1).
    Probe,
    /// Signed a while ago.
    Old,
}

/// A certificate that WeChat Pay has never had.
const UNKNOWN_SERIAL: &str = "7F00000000000000000000000000000000000000";

/// How old an old message is, in seconds: twice what is believed.
const OLD: i64 = 600;

impl Signed {
    /// The headers for these bytes.
    pub(super) fn headers(&self, body: &[u8], spoilt: Spoilt, stranger: &PrivateKey) -> Vec<(HeaderName, HeaderValue)> {
        let key = match spoilt {
            Spoilt::Stranger | Spoilt::UnknownSerial => stranger,
            _ => &self.key.key,
        };
        let at = if spoilt == Spoilt::Old { self.at - OLD } else { self.at };
        let signature = key.sign(&message(at, &self.nonce, body)).unwrap_or_default();
        let (signature, serial) = match spoilt {
            Spoilt::NoHeaders => return Vec::new(),
            Spoilt::Unsigned => (None, self.key.serial.as_str()),
            Spoilt::Probe => (Some(format!("{PROBE}{signature}")), self.key.serial.as_str()),
            Spoilt::UnknownSerial => (Some(signature), UNKNOWN_SERIAL),
            _ => (Some(signature), self.key.serial.as_str()),
        };
        let headers = [
            (TIMESTAMP, Some(at.to_string())),
            (NONCE, Some(self.nonce.clone())),
            (SIGNATURE, signature),
            (SERIAL, Some(serial.to_owned())),
            (SIGNATURE_TYPE, Some(SCHEME.to_owned())),
        ];
        let written = |(name, value): (_, Option<String>)| Some((name, HeaderValue::try_from(value?).ok()?));
        headers.into_iter().filter_map(written).collect()
    }
}
