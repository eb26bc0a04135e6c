//! WeChat Pay's two languages: asking what it knows of an order, because a callback alone is only a claim.
//!
//! Nothing of the gate's policy is in here. [`WeChatPay::order_query`] returns what was answered and whether the
//! answer's signature holds; [`judge`] says what that establishes of the order. [`bill`] is the other thing
//! it can be asked for. The gate sees all of it as an [`Account`].

pub mod sign;

pub mod v2;

pub mod v3;

pub mod bill;

mod translate;

mod made;

mod account;

mod answer;

mod service;

mod trade_state;

mod client;

mod budget;

mod breaker;

pub use account::Account;
pub use answer::{Answer, judge};
pub use client::{Asked, BillStream, BuildError, Settings, WeChatPay};
pub use service::Service;

use crate::domain::order::{AppId, MerchantId};
use crate::domain::reason::Reason;
use crate::domain::secret::Secret;
use crate::provider::Fingerprint;

/// One merchant account as WeChat Pay knows it: one book of orders, and the keys of one or both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The API that it is asked by, and its keys.
    pub api: Api,
    /// The keys of the other API, if its notifications are read too.
    pub also: Option<Api>,
    /// `appid`; in service-provider mode the provider's.
    pub appid: AppId,
    /// Further applications of the same merchant, whose payments are the account's too.
    pub other_appids: Vec<AppId>,
    /// `mch_id`; in service-provider mode the provider's.
    pub mch_id: MerchantId,
    /// The sub-merchant, in service-provider mode (`docs/reference/wechatpay-v2.md` section 6).
    pub sub_mch_id: Option<MerchantId>,
    /// The sub-merchant's application, if it has one.
    pub sub_appid: Option<AppId>,
}

impl Credentials {
    /// Whether a message that names these is about this merchant. A provider's account is one of its sub-merchants
    /// only: a payment to one of them must not confirm another's order.
    #[must_use]
    pub fn is_merchant(&self, mch_id: Option<&str>, sub_mch_id: Option<&str>) -> bool {
        mch_id == Some(self.mch_id.as_str()) && sub_mch_id == self.sub_mch_id.as_ref().map(MerchantId::as_str)
    }

    /// Stands for all that an answer of these hosts depends on.
    #[must_use]
    pub fn fingerprint<'h>(&'h self, hosts: impl IntoIterator<Item = &'h str>) -> Fingerprint {
        let ids = [self.appid.as_str(), self.mch_id.as_str()];
        let of_sub_merchant =
            [self.sub_mch_id.as_ref().map(MerchantId::as_str), self.sub_appid.as_ref().map(AppId::as_str)];
        let of_sub_merchant = of_sub_merchant.map(Option::unwrap_or_default);
        let others = self.other_appids.iter().map(AppId::as_str);
        let words = ids.into_iter().chain(of_sub_merchant).chain(others).chain(hosts).map(str::as_bytes);
        let keys = std::iter::once(&self.api).chain(&self.also);
        Fingerprint::of(words.chain(keys.flat_map(Api::parts)))
    }

    /// The keys of API v2, if it has some.
    #[must_use]
    pub fn v2(&self) -> Option<&v2::Keys> {
        std::iter::once(&self.api).chain(&self.also).find_map(|api| match api {
            Api::V2(keys) => Some(keys),
            Api::V3(_) => None,
        })
    }

    /// The keys of API v3, if it has some.
    #[must_use]
    pub fn v3(&self) -> Option<&v3::Keys> {
        std::iter::once(&self.api).chain(&self.also).find_map(|api| match api {
            Api::V2(_) => None,
            Api::V3(keys) => Some(keys),
        })
    }

    /// Whether a message that names these is about this application. `sub_appid` counts only if the account has one:
    /// WeChat Pay adds it where it was used to place the order.
    #[must_use]
    pub fn is_app(&self, appid: Option<&str>, sub_appid: Option<&str>) -> bool {
        let own = std::iter::once(&self.appid).chain(&self.other_appids);
        let is_own = own.map(AppId::as_str).any(|own| appid == Some(own));
        is_own && self.sub_appid.as_ref().is_none_or(|own| sub_appid == Some(own.as_str()))
    }
}

/// An API, and what an account signs and verifies with there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// API v2: XML, and a key shared with WeChat Pay.
    V2(v2::Keys),
    /// API v3: JSON, and a pair of keys on either side.
    V3(v3::Keys),
}

impl Api {
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (word, v2, v3): (&[u8], _, _) = match self {
            Self::V2(keys) => (b"v2", Some(keys.parts()), None),
            Self::V3(keys) => (b"v3", None, Some(keys.parts())),
        };
        std::iter::once(word).chain(v2.into_iter().flatten()).chain(v3.into_iter().flatten())
    }
}

/// Why there is no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// Connection, TLS or DNS failed.
    #[error("WeChat Pay could not be reached")]
    Transport,
    /// The merchant's query budget is used up; nothing was sent.
    #[error("the query budget is used up")]
    RateLimited,
    /// The account has nothing to sign with, or the library failed; nothing was sent.
    #[error("the query could not be signed")]
    NotSigned,
    /// A status that WeChat Pay does not answer in that way.
    #[error("HTTP status {0}")]
    HttpStatus(u16),
    /// Larger than any answer is.
    #[error("the answer is too large")]
    TooLarge,
    /// Not the flat XML, or the strict JSON, that WeChat Pay sends.
    #[error("the answer is unreadable")]
    Unreadable,
}

impl QueryError {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::RateLimited => "rate-limited",
            Self::NotSigned => "not-signed",
            Self::HttpStatus(_) => "http-status",
            Self::TooLarge => "too-large",
            Self::Unreadable => "unreadable",
        }
    }

    /// What is said of the order then.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Timeout => Reason::QueryTimeout,
            Self::Transport => Reason::QueryFailed,
            Self::RateLimited => Reason::RateLimited,
            Self::NotSigned => Reason::QueryRefused,
            Self::HttpStatus(_) => Reason::AnswerHttpStatus,
            Self::TooLarge => Reason::AnswerTooLarge,
            Self::Unreadable => Reason::AnswerUnreadable,
        }
    }
}

/// The key that WeChat Pay's public documentation prints; an account that uses it is open to everybody.
pub const DOCUMENTED_SAMPLE_KEY: &str = "192006250b4c09247ec02edce69f6a2d";

/// Wraps an APIv2 key: 32 letters and digits (`docs/reference/wechatpay-v2.md` section 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey(Secret);

/// Why a text is not an APIv2 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadApiKey {
    /// Other than 32 letters and digits.
    #[error("is not 32 letters and digits")]
    Shape,
    /// [`DOCUMENTED_SAMPLE_KEY`].
    #[error("is the sample key of WeChat Pay's documentation")]
    Sample,
}

impl ApiKey {
    /// Checks the shape and takes the key into custody.
    ///
    /// # Errors
    /// If it is not 32 letters and digits, or is the documented sample.
    pub fn parse(key: Secret) -> Result<Self, BadApiKey> {
        let text = key.expose();
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BadApiKey::Shape);
        }
        if text.eq_ignore_ascii_case(DOCUMENTED_SAMPLE_KEY) {
            return Err(BadApiKey::Sample);
        }
        Ok(Self(key))
    }

    /// The key's bytes, for signing and for opening what is sealed with it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sign::SignType;

    #[test]
    fn whatever_an_answer_depends_on_is_in_the_fingerprint() {
        let key = |text: &str| ApiKey::parse(Secret::new(text.repeat(32))).unwrap();
        let keys =
            |list: &[&str], sign_type| v2::Keys::from_list(list.iter().map(|text| key(text)), sign_type).unwrap();
        let own = Credentials {
            api: Api::V2(keys(&["a", "b"], SignType::Md5)),
            also: None,
            other_appids: Vec::new(),
            appid: AppId::parse("wx1").unwrap(),
            mch_id: MerchantId::parse("19").unwrap(),
            sub_mch_id: None,
            sub_appid: None,
        };
        let hosts = ["https://one", "https://two"];
        let (merchant, app) = (MerchantId::parse("20").unwrap(), AppId::parse("wx2").unwrap());
        let with = |keys| Credentials { api: Api::V2(keys), ..own.clone() };
        let others = [
            with(keys(&["c", "b"], SignType::Md5)),
            with(keys(&["b", "a"], SignType::Md5)),
            with(keys(&["a"], SignType::Md5)),
            with(keys(&["a", "b", "c"], SignType::Md5)),
            with(keys(&["a", "b"], SignType::HmacSha256)),
            Credentials { appid: app, ..own.clone() },
            Credentials { mch_id: merchant, ..own.clone() },
            Credentials { sub_mch_id: Some(merchant), ..own.clone() },
            Credentials { sub_appid: Some(app), ..own.clone() },
        ];
        assert_eq!(own.fingerprint(hosts), own.clone().fingerprint(hosts));
        for (index, other) in others.iter().enumerate() {
            assert_ne!(own.fingerprint(hosts), other.fingerprint(hosts), "{index}");
        }
        for other in [&hosts[..1], &["https://two", "https://one"], &["https://one", "https://two", "https://three"]] {
            assert_ne!(own.fingerprint(hosts), own.fingerprint(other.iter().copied()), "{other:?}");
        }
    }
}
