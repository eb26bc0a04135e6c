//! X.509 certificates: WeChat Pay's platform certificates, and the merchant's own for its serial number
//! (`docs/reference/wechatpay-v3.md` sections 2 and 7). No chain is checked: a platform certificate is believed because
//! it came sealed with the APIv3 key, or from the configuration.

use super::rsa::{BadKey, PublicKey};
use super::serial::{BadSerial, Serial};
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::time::Time;

/// A certificate, as far as it is used here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// Its key.
    pub key: PublicKey,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Why bytes are no usable certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Not X.509 in DER.
    #[error("is no X.509 certificate")]
    Shape,
    /// Its serial number is not one of WeChat Pay's.
    #[error("its serial number {0}")]
    Serial(#[from] BadSerial),
    /// Its key is of another kind.
    #[error("its key {0}")]
    Key(#[from] BadKey),
}

impl PlatformCertificate {
    /// Reads DER.
    ///
    /// # Errors
    /// If it is no certificate of an RSA key, or its serial number does not have 40 digits.
    pub fn from_der(der: &[u8]) -> Result<Self, BadCertificate> {
        let certificate = Certificate::from_der(der).map_err(|_| BadCertificate::Shape)?.tbs_certificate;
        // A leading zero keeps DER's number positive, and a number may be shorter than its digits.
        let number = hex::encode(certificate.serial_number.as_bytes());
        let serial = Serial::of_certificate(&format!("{:0>40}", number.trim_start_matches('0')))?;
        let key = certificate.subject_public_key_info.to_der().map_err(|_| BadCertificate::Shape)?;
        let at = |time: Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        let validity = certificate.validity;
        let (not_before, not_after) =
            at(validity.not_before).zip(at(validity.not_after)).ok_or(BadCertificate::Shape)?;
        Ok(Self { serial, key: PublicKey::from_der(&key)?, not_before, not_after })
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.not_after < now
    }
}
