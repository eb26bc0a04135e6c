//! Signing notifications in WeChat Pay's stead, with a key that the order system is given for them: the headers are
//! those of `docs/reference/wechatpay-v3.md` section 4.

use super::headers::{self, NONCE, SERIAL, SIGNATURE, SIGNATURE_TYPE, TIMESTAMP};
use super::rsa::PrivateKey;
use super::serial::Serial;
use super::signer::SCHEME;
use crate::provider::{CannotNotify, Resign};
use aws_lc_rs::rand;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;

/// The gate's own key, by the name that the order system knows it under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resigner {
    /// `Wechatpay-Serial`: the id of a public key, or a certificate's serial number.
    pub serial: Serial,
    /// What signs.
    pub key: PrivateKey,
}

/// Random bytes of a nonce, which is written in twice as many hexadecimal digits: 32, as WeChat Pay's.
const NONCE_BYTES: usize = 16;

impl Resign for Resigner {
    fn serial(&self) -> &str {
        self.serial.as_str()
    }

    fn public_key(&self) -> &[u8] {
        self.key.modulus()
    }

    fn resign(&self, headers: &mut HeaderMap, body: &[u8], at: Timestamp) -> Result<(), CannotNotify> {
        let theirs: Vec<HeaderName> = headers.keys().filter(|name| headers::is_one(name)).cloned().collect();
        for name in theirs {
            headers.remove(name);
        }
        let (timestamp, nonce) = (at.as_second(), nonce()?);
        let message = headers::message(timestamp, &nonce, body);
        let signature = self.key.sign(&message).map_err(|_| CannotNotify::Sign)?;
        let text = |text: &str| HeaderValue::from_str(text).map_err(|_| CannotNotify::Sign);
        headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
        headers.insert(NONCE, text(&nonce)?);
        headers.insert(SIGNATURE, text(&signature)?);
        headers.insert(SERIAL, text(self.serial.as_str())?);
        headers.insert(SIGNATURE_TYPE, HeaderValue::from_static(SCHEME));
        Ok(())
    }
}

fn nonce() -> Result<String, CannotNotify> {
    let mut bytes = [0; NONCE_BYTES];
    rand::fill(&mut bytes).map_err(|_| CannotNotify::Sign)?;
    Ok(hex::encode_upper(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wechat::v3::headers::SignatureHeaders;
    use std::sync::LazyLock;

    static RESIGNER: LazyLock<Resigner> = LazyLock::new(|| Resigner {
        serial: Serial::of_public_key("PUB_KEY_ID_9999000000000000000000000000000001").unwrap(),
        key: PrivateKey::generate().unwrap(),
    });

    fn resigned(headers: &HeaderMap, body: &[u8]) -> HeaderMap {
        let mut headers = headers.clone();
        RESIGNER.resign(&mut headers, body, Timestamp::from_second(1_704_085_201).unwrap()).unwrap();
        headers
    }

    #[test]
    fn five_fresh_headers_stand_in_place_of_wechat_pays_in_whatever_spelling() {
        let mut theirs = HeaderMap::new();
        for name in [
            "wechatpay-timestamp",
            "wechatpay-nonce",
            "wechatpay-signature",
            "wechatpay-serial",
            "wechatpay-signature-type",
            "wechatpay_serial",
            "wechatpay.signature",
            "request-id",
            "content-type",
        ] {
            theirs.append(name, HeaderValue::from_static("theirs"));
        }
        theirs.append("wechatpay-serial", HeaderValue::from_static("another"));
        let ours = resigned(&theirs, b"{}");
        let mut kept: Vec<_> =
            ours.iter().filter(|(_, value)| *value == "theirs").map(|(name, _)| name.as_str()).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["content-type", "request-id"]);
        assert_eq!(ours.len(), 7);
        let read = SignatureHeaders::read(&ours).unwrap();
        assert_eq!((read.timestamp, read.serial), (1_704_085_201, RESIGNER.serial.as_str()));
        assert_eq!(ours.get(SIGNATURE_TYPE).unwrap(), "WECHATPAY2-SHA256-RSA2048");
        assert_eq!(read.nonce.len(), 32);
    }

    #[test]
    fn the_signature_is_over_the_body_as_it_is_and_the_nonce_is_another_each_time() {
        let (first, second) = (resigned(&HeaderMap::new(), b"{\"a\": 1}"), resigned(&HeaderMap::new(), b"{\"a\": 1}"));
        let public = RESIGNER.key.public().unwrap();
        let read = SignatureHeaders::read(&first).unwrap();
        assert!(read.verifies(&public, b"{\"a\": 1}"));
        assert!(!read.verifies(&public, b"{\"a\":1}"));
        assert_ne!(first.get(NONCE), second.get(NONCE));
        assert_ne!(first.get(SIGNATURE), second.get(SIGNATURE));
    }
}
