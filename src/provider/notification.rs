//! Notifications that the gate makes in a provider's stead.

use bytes::Bytes;
use hyper::HeaderMap;
use std::borrow::Cow;
use std::fmt;

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

/// Why no notification can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotNotify {
    /// The evidence is not what the provider answers. Says what is wrong with it, and quotes none of it.
    #[error("{0}")]
    Evidence(Cow<'static, str>),
}
