//! The headers that sign a message (`docs/reference/wechatpay-v3.md` section 4), right or wrong.

use super::account::Key;
use crate::wechatpay_v3::sign;
use std::time::{SystemTime, UNIX_EPOCH};

/// Headers in order.
pub type Headers = Vec<(String, String)>;

/// How WeChat Pay signs.
pub const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// How a signature begins that is wrong on purpose.
pub const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// What signs a message.
#[derive(Debug, Clone)]
pub struct Stamp {
    pub serial: String,
    /// The name of the key that signs.
    pub key: String,
    pub timestamp: String,
    pub nonce: String,
}

impl Stamp {
    /// By this key, now.
    pub fn by(key: Key) -> Self {
        let nonce = (0..32).map(|_| fastrand::alphanumeric()).collect();
        Self { serial: key.serial.to_owned(), key: key.name.to_owned(), timestamp: now().to_string(), nonce }
    }

    /// So many seconds from now.
    pub fn offset(mut self, seconds: i64) -> Self {
        self.timestamp = (now() + seconds).to_string();
        self
    }

    /// Another key under the same serial.
    pub fn but_by(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Under another serial.
    pub fn called(mut self, serial: &str) -> Self {
        serial.clone_into(&mut self.serial);
        self
    }

    /// The five headers for this body.
    pub fn headers(&self, body: &[u8]) -> Headers {
        let Self { serial, key, timestamp, nonce } = self;
        let message = [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n"].concat();
        [
            ("Wechatpay-Nonce", nonce.clone()),
            ("Wechatpay-Serial", serial.clone()),
            ("Wechatpay-Signature", sign(&message, key)),
            ("Wechatpay-Signature-Type", SCHEME.to_owned()),
            ("Wechatpay-Timestamp", timestamp.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

/// Sets a header's value.
pub fn set_header(headers: &mut Headers, name: &str, value: &str) {
    for (_, old) in headers.iter_mut().filter(|(found, _)| found.eq_ignore_ascii_case(name)) {
        value.clone_into(old);
    }
}

/// Unix seconds.
#[expect(clippy::disallowed_methods, reason = "the stand-in has a clock of its own")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}
