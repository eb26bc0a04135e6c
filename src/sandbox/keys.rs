//! What the simulated WeChat Pay and its merchants sign, seal and verify with in API v3
//! (`docs/reference/wechatpay-v3.md` section 2).
//!
//! Nothing of it derives from the seed: who wrote a merchant's files once can start the sandbox again.

mod files;

mod merchant;

mod pair;

mod platform;

pub use files::{CannotWrite, Papers};

pub(super) use merchant::MerchantKeys;
pub(super) use platform::PlatformKey;

use super::merchant::Merchant;
use crate::domain::order::MerchantId;
use crate::provider::wechat::v3::issue::CannotIssue;
use crate::provider::wechat::v3::rsa::PrivateKey;
use crate::provider::wechat::v3::serial::Serial;
use pair::Pairs;
use platform::Platform;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What notifications are signed with. Answers are signed with what their question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Signing {
    /// With the merchant's WeChat Pay public key.
    #[default]
    PublicKey,
    /// With a platform certificate.
    Certificate,
    /// Now with this and now with that, as while an account is switched over.
    Mixed,
}

/// Everybody's keys.
#[derive(Debug)]
pub(super) struct Keyring {
    merchants: Vec<MerchantKeys>,
    platform: Platform,
    /// What belongs to nobody here.
    pub(super) stranger: PrivateKey,
    pub(super) signing: Signing,
}

/// What signs a message, and what it is called.
#[derive(Debug, Clone)]
pub(super) struct SigningKey {
    pub(super) serial: Serial,
    pub(super) key: PrivateKey,
}

impl Keyring {
    /// The keys of these merchants, each number once.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub(super) fn of(merchants: &[Merchant]) -> Result<Self, CannotIssue> {
        let mut keyring = Self {
            merchants: Vec::new(),
            platform: Platform::new()?,
            stranger: pair::stranger()?,
            signing: Signing::default(),
        };
        let first = keyring.platform.newest().signing.serial;
        let pairs = Pairs::read()?;
        let mut numbers: Vec<MerchantId> = Vec::new();
        for Merchant { mch_id, .. } in merchants {
            if !numbers.contains(mch_id) {
                numbers.push(*mch_id);
                let configured = merchants.iter().filter(|other| other.mch_id == *mch_id);
                let configured = configured.filter_map(|other| other.v3.as_deref()).next();
                keyring.merchants.extend(MerchantKeys::of(*mch_id, configured, (numbers.len(), &pairs), &first)?);
            }
        }
        Ok(keyring)
    }

    /// Back to the first certificate, and the usual way of signing.
    pub(super) fn reset(&mut self) {
        self.signing = Signing::default();
        self.platform.reset();
    }

    /// The keys of a merchant; `None` if there is none of this number, or if it cannot be served.
    pub(super) fn merchant(&self, mch_id: &str) -> Option<&MerchantKeys> {
        self.merchants.iter().find(|keys| keys.mch_id.as_str() == mch_id)
    }

    /// The merchants whose answers nobody could sign so that they were believed.
    pub(super) fn without(&self, merchants: &[Merchant]) -> Vec<MerchantId> {
        let numbers = merchants.iter().map(|merchant| merchant.mch_id);
        let mut without: Vec<_> = numbers.filter(|mch_id| self.merchant(mch_id.as_str()).is_none()).collect();
        without.dedup();
        without
    }

    /// The platform certificates that can be downloaded, the newest last.
    pub(super) fn certificates(&self) -> &[PlatformKey] {
        self.platform.listed()
    }

    /// Issues a new platform certificate; the one before it stays listed until the next one.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub(super) fn rotate(&mut self) -> Result<(), CannotIssue> {
        self.platform.rotate()
    }

    /// What signs the answer of this number, where the question asks for `wanted`. Who asks for nothing, or for what there
    /// is not, gets a platform certificate's.
    pub(super) fn for_answer(&self, merchant: &MerchantKeys, wanted: Option<&str>, number: u64) -> SigningKey {
        let public = merchant.public_key.as_ref().filter(|key| wanted == Some(key.serial.as_str()));
        public.cloned().unwrap_or_else(|| self.platform.select(wanted, number))
    }

    /// What signs the delivery of a notification of this number.
    pub(super) fn for_notification(&self, merchant: &MerchantKeys, number: u64) -> SigningKey {
        let with_public_key = match self.signing {
            Signing::PublicKey => true,
            Signing::Certificate => false,
            Signing::Mixed => number.is_multiple_of(2),
        };
        let public = merchant.public_key.as_ref().filter(|_| with_public_key);
        // Half the number, or mixed signing would always meet the same of two certificates.
        public.cloned().unwrap_or_else(|| self.platform.select(None, number / 2))
    }

    /// What a merchant platform gives out for this number; `None` if it knows none, or its keys were brought along.
    pub(super) fn papers(&self, mch_id: &str) -> Option<Papers> {
        Papers::of(self.merchant(mch_id)?).ok().flatten()
    }

    /// Writes the files of these merchants into a directory, which is made if it is not there.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(super) fn write(&self, merchants: &[Merchant], directory: &Path) -> Result<(), CannotWrite> {
        files::write(self, merchants, directory)
    }
}
