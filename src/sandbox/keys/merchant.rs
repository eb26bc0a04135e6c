//! The keys of one merchant number.

use super::SigningKey;
use super::pair::Pairs;
use super::platform::serial;
use crate::domain::order::MerchantId;
use crate::domain::secret::Secret;
use crate::provider::wechat::v3::aead::ApiV3Key;
use crate::provider::wechat::v3::issue::CannotIssue;
use crate::provider::wechat::v3::rsa::{BadKey, PrivateKey, PublicKey};
use crate::provider::wechat::v3::serial::Serial;
use crate::provider::wechat::v3::{Keys, PlatformCertificates};

/// What a merchant and WeChat Pay have of each other's.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct MerchantKeys {
    pub(in crate::sandbox) mch_id: MerchantId,
    pub(in crate::sandbox) api_v3_key: ApiV3Key,
    /// The serial number of the merchant's certificate.
    pub(in crate::sandbox) serial: Serial,
    /// What its questions are verified with.
    pub(in crate::sandbox) key: PublicKey,
    /// What it signs with, if that is the sandbox's to give away.
    pub(super) own: Option<PrivateKey>,
    /// What is signed with as its WeChat Pay public key; `None` if that is a real one, or if it has none.
    pub(in crate::sandbox) public_key: Option<SigningKey>,
}

impl MerchantKeys {
    /// The keys of the merchant at this position, from 1: the configured ones as far as they will do. `None` if nothing
    /// that the sandbox could sign would be believed by this configuration. `platform` is the first platform certificate.
    pub(super) fn of(
        mch_id: MerchantId,
        configured: Option<&Keys>,
        (position, pairs): (usize, &Pairs),
        platform: &Serial,
    ) -> Result<Option<Self>, CannotIssue> {
        let made = Self::made(mch_id, position, pairs)?;
        match configured {
            Some(configured) => made.configured(configured, pairs, platform),
            None => Ok(Some(made)),
        }
    }

    fn made(mch_id: MerchantId, position: usize, pairs: &Pairs) -> Result<Self, CannotIssue> {
        let (own, wechat_pays) = pairs.of(position)?.clone();
        Ok(Self {
            api_v3_key: api_v3_key(mch_id)?,
            serial: serial(&["merchant", mch_id.as_str()])?,
            key: own.public()?,
            own: Some(own),
            public_key: Some(SigningKey { serial: public_key_id(mch_id, position)?, key: wechat_pays }),
            mch_id,
        })
    }

    fn configured(self, keys: &Keys, pairs: &Pairs, platform: &Serial) -> Result<Option<Self>, CannotIssue> {
        let public_key = keys.public_key.as_ref().and_then(|(serial, key)| {
            let key = pairs.wechat_pays(key.der())?.clone();
            Some(SigningKey { serial: *serial, key })
        });
        let believes_certificate = match &keys.platform {
            PlatformCertificates::Auto => keys.downloads(),
            PlatformCertificates::None => false,
            PlatformCertificates::Files(files) => files.iter().any(|file| file.serial == *platform),
        };
        if public_key.is_none() && !believes_certificate {
            return Ok(None);
        }
        let signer = keys.signer.as_ref();
        Ok(Some(Self {
            mch_id: self.mch_id,
            api_v3_key: keys.api_v3.first().cloned().unwrap_or(self.api_v3_key),
            serial: signer.map_or(self.serial, |signer| signer.serial),
            key: signer.map_or(Ok(self.key), |signer| signer.key.public())?,
            own: None,
            public_key,
        }))
    }
}

/// 32 characters, as an APIv3 key has them.
fn api_v3_key(mch_id: MerchantId) -> Result<ApiV3Key, BadKey> {
    let text = format!("tollgateSandboxV3KeyOf{:0>10}", mch_id.as_str());
    let key = text.get(text.len().saturating_sub(32)..).unwrap_or_default();
    ApiV3Key::parse(Secret::new(key.to_owned())).map_err(|_| BadKey)
}

/// An id as WeChat Pay's are: the merchant's number and a day are in it.
fn public_key_id(mch_id: MerchantId, position: usize) -> Result<Serial, CannotIssue> {
    let digits: String = mch_id.as_str().chars().filter(char::is_ascii_digit).collect();
    let digits = format!("{digits:0>10}");
    let last = digits.get(digits.len() - 10..).unwrap_or_default();
    Ok(Serial::of_public_key(&format!("PUB_KEY_ID_01{last}20241101{:014}", position))?)
}
