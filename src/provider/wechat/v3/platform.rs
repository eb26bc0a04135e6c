//! WeChat Pay's platform certificates as they are downloaded (`docs/reference/wechatpay-v3.md` section 7), by merchant.

use super::aead::ApiV3Key;
use super::certificate::PlatformCertificate;
use super::json::{self, Object};
use super::pem::{self, Kind, Material};
use super::rsa::PublicKey;
use crate::domain::order::MerchantId;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;

/// What is known. One that WeChat Pay lists no longer stays until it expires.
#[derive(Debug, Default)]
pub struct Downloaded(Mutex<HashMap<MerchantId, Vec<PlatformCertificate>>>);

impl Downloaded {
    /// The key of this serial number, if it was downloaded for the merchant and has not expired.
    #[must_use]
    pub fn find(&self, merchant: &MerchantId, serial: &str, now: Timestamp) -> Option<PublicKey> {
        find(self.0.lock().get(merchant)?, serial, now)
    }

    /// Keeps these beside what is known of the merchant already, and forgets what has expired.
    pub fn keep(&self, merchant: MerchantId, listed: Vec<PlatformCertificate>, now: Timestamp) {
        let mut by_merchant = self.0.lock();
        let known = by_merchant.entry(merchant).or_default();
        known.retain(|known| !known.has_expired(now) && !listed.iter().any(|listed| listed.serial == known.serial));
        known.extend(listed.into_iter().filter(|listed| !listed.has_expired(now)));
    }

    /// All that are known of a merchant.
    #[must_use]
    pub fn of(&self, merchant: &MerchantId) -> Vec<PlatformCertificate> {
        self.0.lock().get(merchant).cloned().unwrap_or_default()
    }

    /// When the last of the merchant's ends; `None` without any.
    #[must_use]
    pub fn last_ends(&self, merchant: &MerchantId) -> Option<Timestamp> {
        self.0.lock().get(merchant)?.iter().map(|known| known.not_after).max()
    }
}

/// The key of this serial number among certificates, if it has not expired.
#[must_use]
pub fn find(certificates: &[PlatformCertificate], serial: &str, now: Timestamp) -> Option<PublicKey> {
    let found = certificates.iter().find(|certificate| certificate.serial.as_str() == serial)?;
    (!found.has_expired(now)).then(|| found.key.clone())
}

/// Why a list of certificates is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// Not what WeChat Pay answers.
    #[error("the list of platform certificates is unreadable")]
    Unreadable,
    /// None of the APIv3 keys opens it.
    #[error("api_v3_key does not open the platform certificates: is it the APIv3 key of this merchant?")]
    Sealed,
    /// What was sealed is no usable certificate, or has another serial number than the list says.
    #[error("a platform certificate is not what the list says")]
    Certificate,
}

/// Reads the list that WeChat Pay answers, and opens it with any of the keys: who can seal with one of them is WeChat
/// Pay. The answer's own signature is another matter.
///
/// # Errors
/// If one of those listed cannot be used, whatever the others are.
pub fn read(document: &[u8], keys: &[ApiV3Key]) -> Result<Vec<PlatformCertificate>, BadList> {
    let list = json::object(document).map_err(|_| BadList::Unreadable)?;
    let listed = list.objects("data").map_err(|_| BadList::Unreadable)?;
    listed.into_iter().map(|listed| open(listed, keys)).collect()
}

fn open(listed: &Object, keys: &[ApiV3Key]) -> Result<PlatformCertificate, BadList> {
    let text = |path| listed.text(path).ok().flatten();
    let required = |path| text(path).ok_or(BadList::Unreadable);
    if required("encrypt_certificate.algorithm")? != ALGORITHM {
        return Err(BadList::Unreadable);
    }
    let (serial, nonce) = (required("serial_no")?, required("encrypt_certificate.nonce")?.as_bytes());
    let associated_data = text("encrypt_certificate.associated_data").unwrap_or_default().as_bytes();
    let ciphertext = required("encrypt_certificate.ciphertext")?;
    let opened = keys.iter().find_map(|key| key.open(nonce, associated_data, ciphertext)).ok_or(BadList::Sealed)?;
    let text = str::from_utf8(&opened).map_err(|_| BadList::Certificate)?;
    match pem::read(text, Kind::Certificate) {
        Ok(Material::Certificate(certificate)) if certificate.serial.as_str() == serial => Ok(certificate),
        _ => Err(BadList::Certificate),
    }
}

/// How certificates are sealed.
const ALGORITHM: &str = "AEAD_AES_256_GCM";

#[cfg(test)]
mod tests;
