//! WeChat Pay's platform certificates as they were downloaded (`docs/reference/wechatpay-v3.md` section 7), by merchant.

use super::certificate::PlatformCertificate;
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
        let by_merchant = self.0.lock();
        let known = by_merchant.get(merchant)?.iter().find(|known| known.serial.as_str() == serial)?;
        (!known.has_expired(now)).then(|| known.key.clone())
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
