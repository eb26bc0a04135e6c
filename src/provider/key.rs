//! Keys, as far as they may be shown.

use jiff::Timestamp;

/// A key that an account signs with, or believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// What it is for.
    pub of: KeyOf,
    /// What names it. No secret.
    pub serial: Box<str>,
    /// When it ends, if it does and that is known.
    pub ends_at: Option<Timestamp>,
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyOf {
    /// The merchant's own, which signs what is asked.
    Merchant,
    /// The provider's, in a certificate.
    Platform,
    /// The provider's, without one.
    PublicKey,
}

impl KeyOf {
    /// The word in metrics and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merchant => "merchant",
            Self::Platform => "platform",
            Self::PublicKey => "public-key",
        }
    }
}
