//! The headers that sign an answer or a notification (`docs/reference/wechatpay-v3.md` section 4).

use super::rsa::PublicKey;
use super::signer::SCHEME;
use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName};
use jiff::Timestamp;
use std::fmt;

/// Unix seconds.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("wechatpay-timestamp");
/// Random text.
pub const NONCE: HeaderName = HeaderName::from_static("wechatpay-nonce");
/// The signature, in base64.
pub const SIGNATURE: HeaderName = HeaderName::from_static("wechatpay-signature");
/// Which key signed.
pub const SERIAL: HeaderName = HeaderName::from_static("wechatpay-serial");
/// How; absent means [`SCHEME`].
pub const SIGNATURE_TYPE: HeaderName = HeaderName::from_static("wechatpay-signature-type");

/// How the signature of a probe begins, which is wrong on purpose (section 4.1).
pub const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// A message is believed while its time is less than so many seconds from ours.
pub const WINDOW_SECONDS: i64 = 300;

/// What signs a message. Each of the headers is there once, and nothing is verified yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SignatureHeaders<'h> {
    /// `Wechatpay-Timestamp`, in Unix seconds.
    pub timestamp: i64,
    /// `Wechatpay-Nonce`.
    pub nonce: &'h str,
    /// `Wechatpay-Signature`.
    pub signature: &'h str,
    /// `Wechatpay-Serial`.
    pub serial: &'h str,
}

/// Why a message has no signature that could be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeaders {
    /// This header is absent or empty.
    #[error("{0} is absent or empty")]
    Missing(&'static str),
    /// It stands twice, in a second spelling, or is named by Connection, which makes a proxy drop it.
    #[error("{0} stands twice, in a second spelling, or in Connection")]
    Repeated(&'static str),
    /// It is not text, or no plain number.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// `Wechatpay-Signature-Type` names another way of signing.
    #[error("Wechatpay-Signature-Type is not WECHATPAY2-SHA256-RSA2048")]
    OtherType,
}

impl<'h> SignatureHeaders<'h> {
    /// Reads them.
    ///
    /// # Errors
    /// If one of the first four is not there exactly once, or the type is another one.
    pub fn read(headers: &'h HeaderMap) -> Result<Self, BadHeaders> {
        refuse_twins(headers)?;
        let [known_timestamp, known_nonce, known_signature, known_serial, _] = NAMES;
        let timestamp = one(headers, &TIMESTAMP, known_timestamp)?;
        let nonce = one(headers, &NONCE, known_nonce)?;
        let signature = one(headers, &SIGNATURE, known_signature)?;
        let serial = one(headers, &SERIAL, known_serial)?;
        if headers.get(&SIGNATURE_TYPE).is_some_and(|scheme| scheme != SCHEME) {
            return Err(BadHeaders::OtherType);
        }
        let timestamp = seconds(timestamp).ok_or(BadHeaders::Malformed("Wechatpay-Timestamp"))?;
        Ok(Self { timestamp, nonce, signature, serial })
    }

    /// Whether WeChat Pay sent it to see whether a wrong signature is refused.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.signature.starts_with(PROBE)
    }

    /// Whether its time is near enough to `now`.
    #[must_use]
    pub fn is_within_window(&self, now: Timestamp) -> bool {
        self.offset(now).unsigned_abs() < WINDOW_SECONDS.unsigned_abs()
    }

    /// How many seconds its time is ahead of `now`.
    #[must_use]
    pub fn offset(&self, now: Timestamp) -> i64 {
        self.timestamp.saturating_sub(now.as_second())
    }

    /// Whether the signature over these bytes is one of this key.
    #[must_use]
    pub fn verifies(&self, key: &PublicKey, body: &[u8]) -> bool {
        key.verifies(&message(self.timestamp, self.nonce, body), self.signature.as_bytes())
    }
}

/// What is signed: time, nonce and the body as it is, each line ended.
#[must_use]
pub fn message(timestamp: i64, nonce: &str, body: &[u8]) -> Vec<u8> {
    [format!("{timestamp}\n{nonce}\n").as_bytes(), body, b"\n"].concat()
}

/// When a message says that it was signed, whoever signed it.
#[must_use]
pub fn signed_at(headers: &HeaderMap) -> Option<Timestamp> {
    let [known, ..] = NAMES;
    Timestamp::from_second(seconds(one(headers, &TIMESTAMP, known).ok()?)?).ok()
}

/// Whether a program that folds case and punctuation could take this name for one of ours.
#[must_use]
pub fn is_one(name: &HeaderName) -> bool {
    known_as(name.as_str()).is_some()
}

fn refuse_twins(headers: &HeaderMap) -> Result<(), BadHeaders> {
    for name in headers.keys() {
        if let Some(known) = known_as(name.as_str())
            && (!known.eq_ignore_ascii_case(name.as_str()) || headers.get_all(name).iter().nth(1).is_some())
        {
            return Err(BadHeaders::Repeated(known));
        }
    }
    let named = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    match named.filter_map(|name| str::from_utf8(name.trim_ascii()).ok()).find_map(known_as) {
        Some(known) => Err(BadHeaders::Repeated(known)),
        None => Ok(()),
    }
}

/// The header that a name is, or looks like to a program that reads headers as variables.
fn known_as(name: &str) -> Option<&'static str> {
    let mut letters = name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    // All of them begin so, and hardly any other.
    if letters.next() != Some(b'w') {
        return None;
    }
    let is = |known: &&str| {
        let known = known.bytes().skip(1).filter(|byte| *byte != b'-').map(|byte| byte.to_ascii_lowercase());
        letters.clone().eq(known)
    };
    let as_written = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    as_written.or_else(|| NAMES.into_iter().find(is))
}

/// The five as they are told of, in the order of the constants above.
const NAMES: [&str; 5] =
    ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial", "Wechatpay-Signature-Type"];

/// The value of a header, which is called `known` where it is told of.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName, known: &'static str) -> Result<&'h str, BadHeaders> {
    let value = headers.get(name).ok_or(BadHeaders::Missing(known))?;
    let text = value.to_str().map_err(|_| BadHeaders::Malformed(known))?;
    if text.is_empty() { Err(BadHeaders::Missing(known)) } else { Ok(text) }
}

/// Plain digits. Some verifiers sign the number and some the text, so it must be written as a number is.
fn seconds(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

impl fmt::Debug for SignatureHeaders<'_> {
    /// Without the signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureHeaders")
            .field("timestamp", &self.timestamp)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use sha2::{Digest, Sha256};

    /// Section 4.
    #[test]
    fn the_message_is_that_of_the_fact_sheets_vectors() {
        let body = r#"{"amount":{"currency":"CNY","payer_currency":"CNY","payer_total":90,"total":100},"appid":"wxd930ea5d5a258f4f","mchid":"1900009191","out_trade_no":"ORDER20240101000001","trade_state":"SUCCESS","trade_state_desc":"支付成功"}"#;
        for (body, length, digest) in [
            (body, 271, "544eb7cda23e6220c8ca0728bef031631052de1e39c3e119c2aea70aebc3bd7a"),
            ("", 45, "41505c1e72ad04f536b3f262f47fdaf92780e5d78ffeb92a941df29a260d7751"),
        ] {
            let message = message(1_704_085_201, "c5ac7061fccab6bf3e254dcf98995b8c", body.as_bytes());
            assert_eq!((message.len(), hex::encode(Sha256::digest(&message)).as_str()), (length, digest));
        }
    }

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn each_header_is_there_once_and_in_one_spelling() {
        const FOUR: [(&str, &str); 4] = [
            ("wechatpay-timestamp", "1704085201"),
            ("wechatpay-nonce", "n"),
            ("wechatpay-signature", "c2ln"),
            ("wechatpay-serial", "PUB_KEY_ID_1"),
        ];
        assert_eq!(SignatureHeaders::read(&headers(&FOUR)).unwrap().timestamp, 1_704_085_201);
        let with = |more: &[(&'static str, &str)]| headers(&[&FOUR, more].concat());
        assert!(SignatureHeaders::read(&with(&[("wechatpay-signature-type", SCHEME)])).is_ok());
        for (name, value, bad) in [
            ("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3", BadHeaders::OtherType),
            ("wechatpay-serial", "PUB_KEY_ID_1", BadHeaders::Repeated("Wechatpay-Serial")),
            ("wechatpay_signature", "c2ln", BadHeaders::Repeated("Wechatpay-Signature")),
            ("connection", "close, Wechatpay_Nonce", BadHeaders::Repeated("Wechatpay-Nonce")),
        ] {
            assert_eq!(SignatureHeaders::read(&with(&[(name, value)])).unwrap_err(), bad, "{name}");
        }
        let mut beside_no_text = with(&[]);
        beside_no_text.insert(CONNECTION, HeaderValue::from_bytes(b"\xe9, wechatpay-signature").unwrap());
        assert_eq!(SignatureHeaders::read(&beside_no_text).unwrap_err(), BadHeaders::Repeated("Wechatpay-Signature"));
        for (at, name) in
            ["Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Serial"].iter().enumerate()
        {
            let mut three = FOUR.to_vec();
            let (lower, _) = three.remove(at);
            assert_eq!(SignatureHeaders::read(&headers(&three)).unwrap_err(), BadHeaders::Missing(name));
            three.push((lower, ""));
            assert_eq!(SignatureHeaders::read(&headers(&three)).unwrap_err(), BadHeaders::Missing(name));
        }
        for timestamp in ["+1704085201", "01704085201", "1704085201.0", "x", "99999999999999999999"] {
            let mut four = FOUR;
            four[0].1 = timestamp;
            assert_eq!(
                SignatureHeaders::read(&headers(&four)).unwrap_err(),
                BadHeaders::Malformed("Wechatpay-Timestamp")
            );
        }
    }

    #[test]
    fn the_window_is_five_minutes_less_a_second_on_both_sides() {
        let at = |timestamp| SignatureHeaders { timestamp, nonce: "n", signature: "s", serial: "x" };
        let now = Timestamp::from_second(1_704_085_201).unwrap();
        for (offset, within) in [(0, true), (299, true), (-299, true), (300, false), (-300, false)] {
            assert_eq!(at(1_704_085_201 + offset).is_within_window(now), within, "{offset}");
        }
    }
}
