//! Signing what is asked (`docs/reference/wechatpay-v3.md` section 3.1).

use super::rsa::{BadKey, PrivateKey};
use super::serial::Serial;
use crate::domain::order::MerchantId;
use jiff::Timestamp;

/// The scheme of `Authorization`, and the value of `Wechatpay-Signature-Type`.
pub const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// A merchant's private key, and the serial number of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// `serial_no`.
    pub serial: Serial,
    /// What signs.
    pub key: PrivateKey,
    /// When its certificate ends, if that is there to tell.
    pub ends_at: Option<Timestamp>,
}

impl Signer {
    /// The value of `Authorization` for a GET of `target`, the path and query exactly as they are sent. `timestamp` is in
    /// seconds; `nonce_str` has at most 32 letters and digits and is another each time.
    ///
    /// # Errors
    /// If the library fails.
    pub fn authorization(
        &self,
        mchid: &MerchantId,
        target: &str,
        timestamp: i64,
        nonce_str: &str,
    ) -> Result<String, BadKey> {
        let signature = self.key.sign(signed_text(target, timestamp, nonce_str).as_bytes())?;
        let serial_no = self.serial;
        Ok(format!(
            "{SCHEME} mchid=\"{mchid}\",nonce_str=\"{nonce_str}\",timestamp=\"{timestamp}\",serial_no=\"{serial_no}\",signature=\"{signature}\""
        ))
    }
}

/// What is signed of a GET: five lines, each ended, the last of which is the empty body.
#[must_use]
pub fn signed_text(target: &str, timestamp: i64, nonce_str: &str) -> String {
    format!("GET\n{target}\n{timestamp}\n{nonce_str}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Section 3.1.
    #[test]
    fn the_text_that_is_signed_is_that_of_the_fact_sheets_vectors() {
        for (target, length, digest) in [
            (
                "/v3/pay/transactions/id/4200000000202401010000000001?mchid=1900009191",
                119,
                "65f84e82dd2a7c155e1ca85b75db00ac5c4f9bf7558bd8313e3308ed66e30803",
            ),
            (
                "/v3/pay/transactions/out-trade-no/ORDER20240101000001?mchid=1900009191",
                120,
                "83248e96f85122520482ed6f9a7863fc682d7921e949df49fa84f7061af0ae10",
            ),
        ] {
            let text = signed_text(target, 1_704_085_200, "593BEC0C930BF1AFEB40B4A08C8FB242");
            assert_eq!((text.len(), hex::encode(Sha256::digest(&text)).as_str()), (length, digest));
        }
    }
}
