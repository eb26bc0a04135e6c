//! Which keys sign what the provider sends.

use crate::admin;
use crate::admin::records::words;
use crate::domain::clock;
use crate::observe::metrics;
use crate::provider::KeyInfo;
use serde::Serialize;
use utoipa::ToSchema;

/// The keys of a channel, and what they have signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelKeys {
    /// The channel.
    pub(super) channel: String,
    /// The merchant's and WeChat Pay's keys, by their names.
    pub(super) keys: Vec<Key>,
    /// Answers that were verified since the process began.
    pub(super) answers: Signed,
    /// Notifications that were.
    pub(super) notifications: Signed,
}

/// A key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    /// What it is for: `merchant` (signs what is asked), `platform` or `public-key` (verify what WeChat Pay sends).
    #[serde(rename = "use")]
    pub(super) of: &'static str,
    /// What names it: a certificate's serial number, or the id of a public key.
    pub(super) serial: String,
    /// When it ends; null if it does not, or that is not known.
    #[schema(value_type = Option<words::Time>)]
    pub(super) ends_at: Option<String>,
}

/// How many messages which kind of key has signed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Signed {
    /// Those that the public key has signed.
    pub(super) by_public_key: u64,
    /// Those that platform certificates have signed.
    pub(super) by_certificate: u64,
    /// The latest; null if there is none.
    pub(super) latest: Option<Latest>,
}

/// The latest message that was verified.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Latest {
    /// The key that signed it.
    pub(super) serial: String,
    /// Its kind: `public-key` or `certificate`.
    pub(super) kind: &'static str,
    /// When.
    #[schema(value_type = words::Time)]
    pub(super) at: String,
}

impl From<admin::ChannelKeys> for ChannelKeys {
    fn from(channel: admin::ChannelKeys) -> Self {
        let admin::ChannelKeys { channel, keys, signed: [answers, notifications] } = channel;
        Self {
            channel: channel.to_string(),
            keys: keys.into_iter().map(Key::from).collect(),
            answers: answers.into(),
            notifications: notifications.into(),
        }
    }
}

impl From<KeyInfo> for Key {
    fn from(key: KeyInfo) -> Self {
        Self { of: key.of.as_str(), serial: key.serial.into(), ends_at: key.ends_at.map(clock::rfc3339) }
    }
}

impl From<metrics::Signed> for Signed {
    fn from(signed: metrics::Signed) -> Self {
        let latest = signed.latest.map(|latest| Latest {
            serial: latest.serial.into(),
            kind: latest.kind,
            at: clock::rfc3339(latest.at),
        });
        Self { by_public_key: signed.by_public_key, by_certificate: signed.by_certificate, latest }
    }
}
