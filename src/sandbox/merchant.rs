//! The merchants the sandbox knows, because WeChat Pay answers nobody whose key it does not have.

use crate::domain::order::{AppId, MerchantId};
use crate::domain::secret::Secret;
use crate::net::xml::Fields;
use crate::provider::wechat::sign::{self, SignType};
use crate::provider::wechat::{ApiKey, Credentials, v3};

/// An account at the simulated WeChat Pay. A merchant number with several applications is several of these.
#[derive(Debug, Clone)]
pub struct Merchant {
    /// The application.
    pub appid: AppId,
    /// The merchant number.
    pub mch_id: MerchantId,
    /// The APIv2 key that both sides sign with; a configured merchant may have none.
    pub key: Option<ApiKey>,
    /// What a configuration says of its API v3; without it the sandbox gives it keys.
    pub v3: Option<Box<v3::Keys>>,
    /// Whether this is a service provider, whose queries must name a `sub_mch_id` (`docs/reference/wechatpay-v2.md`
    /// section 6).
    pub service_provider: bool,
}

/// Why a text is not a merchant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMerchant {
    /// The wrong number of parts.
    #[error("write it as APPID,MCH_ID,KEY, and append ,sp for a service provider")]
    Shape,
    /// A part is malformed. The key is never quoted.
    #[error("{part} {why}")]
    Part {
        /// Which.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Merchant {
    /// Reads `appid,mch_id,key` or `appid,mch_id,key,sp`, as on the command line.
    ///
    /// # Errors
    /// If a part is missing or malformed.
    ///
    /// ```
    /// use tollgate::sandbox::Merchant;
    /// let merchant = Merchant::parse("wxd930ea5d5a258f4f,1900000109,abcdefghijklmnopqrstuvwxyz012345")?;
    /// assert_eq!(merchant.mch_id.as_str(), "1900000109");
    /// assert!(Merchant::parse("wxd930ea5d5a258f4f,1900000109,too-short").is_err());
    /// # Ok::<(), tollgate::sandbox::BadMerchant>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadMerchant> {
        let parts: Vec<&str> = text.split(',').collect();
        let (appid, mch_id, key, service_provider) = match *parts.as_slice() {
            [appid, mch_id, key] => (appid, mch_id, key, false),
            [appid, mch_id, key, "sp"] => (appid, mch_id, key, true),
            _ => return Err(BadMerchant::Shape),
        };
        Ok(Self {
            appid: AppId::parse(appid).map_err(|why| bad("appid", &why))?,
            mch_id: MerchantId::parse(mch_id).map_err(|why| bad("mch_id", &why))?,
            key: Some(ApiKey::parse(Secret::new(key.to_owned())).map_err(|why| bad("the key", &why))?),
            v3: None,
            service_provider,
        })
    }

    /// The merchant behind a channel of the gate's configuration.
    #[must_use]
    pub fn of_account(account: &Credentials) -> Self {
        Self {
            appid: account.appid,
            mch_id: account.mch_id,
            key: account.v2().map(|keys| keys.signing.clone()),
            v3: account.v3().cloned().map(Box::new),
            service_provider: account.sub_mch_id.is_some(),
        }
    }
}

impl Merchant {
    /// What its messages of API v2 are signed with; nothing where it has no key, and nothing is signed then.
    pub(super) fn v2_key(&self) -> &[u8] {
        self.key.as_ref().map_or(&[], ApiKey::expose)
    }
}

/// Why nobody is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// No merchant of that number has made the signature.
    Sign,
    /// It is not this merchant's application.
    AppId,
}

/// Who has signed a question, and how; checked in WeChat Pay's order: signature, then application.
pub(super) fn asking<'m>(merchants: &'m [Merchant], fields: &Fields<'_>) -> Result<(&'m Merchant, SignType), Stranger> {
    let sign_type = fields.filled("sign_type").map_or(Some(SignType::Md5), SignType::parse).ok_or(Stranger::Sign)?;
    let given = fields.filled("sign").ok_or(Stranger::Sign)?;
    let known = |merchant: &&Merchant| {
        Some(merchant.mch_id.as_str()) == fields.filled("mch_id")
            && merchant.key.as_ref().is_some_and(|key| sign::verify(fields.iter(), given, [key.expose()], sign_type))
    };
    let mut accounts = merchants.iter().filter(known).peekable();
    accounts.peek().ok_or(Stranger::Sign)?;
    let merchant = accounts.find(|merchant| Some(merchant.appid.as_str()) == fields.filled("appid"));
    Ok((merchant.ok_or(Stranger::AppId)?, sign_type))
}

fn bad(part: &'static str, why: &dyn std::error::Error) -> BadMerchant {
    BadMerchant::Part { part, why: why.to_string() }
}

/// The merchants of the shipped `config.yaml`, a service provider, and one that the demo asks by API v3, as [`Merchant::parse`] reads them. Their keys
/// are public and open nothing but sandboxes.
pub const DEMO_MERCHANTS: [&str; 4] = [
    "wxd930ea5d5a258f4f,1900000109,tollgateSandboxKeyForApp00000109",
    "wx2421b1c4370ec43b,1900000110,tollgateSandboxKeyForC1000000110",
    "wx8888888888888888,1900000111,tollgateSandboxKeyForSp000000111,sp",
    "wx5e8a1f0c2b7d4936,1900000112,tollgateSandboxKeyForV3000000112",
];

/// [`DEMO_MERCHANTS`], read.
///
/// # Errors
/// Never, as its test shows.
pub fn demo_merchants() -> Result<Vec<Merchant>, BadMerchant> {
    DEMO_MERCHANTS.into_iter().map(Merchant::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_merchants_are_merchants() {
        let merchants = demo_merchants().unwrap();
        assert_eq!(merchants.len(), DEMO_MERCHANTS.len());
        assert_eq!(merchants.iter().filter(|merchant| merchant.service_provider).count(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_merchant_is_said_without_its_key() {
        assert_eq!(Merchant::parse("wx1,2").unwrap_err(), BadMerchant::Shape);
        let message = Merchant::parse("wx1,2,not-the-length-of-a-key").unwrap_err().to_string();
        assert_eq!(message, "the key is not 32 letters and digits");
        let message = Merchant::parse("wx-1,2,abcdefghijklmnopqrstuvwxyz012345").unwrap_err().to_string();
        assert!(message.starts_with("appid has a character other than"), "{message}");
    }
}
