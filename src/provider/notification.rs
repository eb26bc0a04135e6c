//! Notifications that the gate makes in a provider's stead.

use super::payment::Payment;
use super::preset::Preset;
use bytes::Bytes;
use hyper::HeaderMap;
use jiff::Timestamp;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// What proves a payment, as the provider gave it. Only the account that it came from reads it, to make a notification
/// of it; for everybody else it is bytes, which hold a signature and are never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Evidence(pub Bytes);

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({} bytes)", self.0.len())
    }
}

/// A notification as it is sent, but for its target.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What it must have: its Content-Type, and what it is signed by where that is a header.
    pub headers: HeaderMap,
    /// The body, as the provider would have written it.
    pub body: Bytes,
}

/// What a notification is to be made of.
#[derive(Debug, Clone, Copy)]
pub struct ToNotify<'n> {
    /// In which language.
    pub preset: &'static Preset,
    /// The payment that it tells of.
    pub payment: &'n Payment,
    /// What came with the state that says so.
    pub evidence: &'n Evidence,
    /// The id of the delivery: the notification's own, where it has one.
    pub id: Uuid,
    /// The time of day.
    pub at: Timestamp,
}

/// Signs a provider's notifications afresh, with a key that the order system is given for them. Only what was opened,
/// or was made of a confirmed payment, is ever signed.
pub trait Resign: fmt::Debug + Send + Sync {
    /// The name that the order system knows the key by.
    fn serial(&self) -> &str;

    /// The public half, as RFC 8017's `RSAPublicKey`.
    fn public_key(&self) -> &[u8];

    /// Puts fresh headers in place of the provider's, whatever their spelling. Takes about a millisecond of one core.
    ///
    /// # Errors
    /// If the library fails; the headers are not to be sent then.
    fn resign(&self, headers: &mut HeaderMap, body: &[u8], at: Timestamp) -> Result<(), CannotNotify>;
}

/// Why no notification can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotNotify {
    /// The evidence is not what the provider answers. Says what is wrong with it, and quotes none of it.
    #[error("{0}")]
    Evidence(Cow<'static, str>),
    /// The account lacks the key that such a notification is sealed or signed with.
    #[error("the channel has no {0}, which such a notification is made with")]
    NoKey(&'static str),
    /// A library failed.
    #[error("the notification cannot be signed")]
    Sign,
}
