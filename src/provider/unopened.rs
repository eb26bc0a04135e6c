//! Why a notification is not taken for a claim.

use crate::domain::reason::Reason;
use std::borrow::Cow;

/// Why a notification is not taken for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unopened {
    /// The reason, of a stage before the order query.
    pub reason: Reason,
    /// What is wrong, for the operator, without any of the sender's bytes; `None` where the reason says it all.
    pub detail: Option<Cow<'static, str>>,
}

impl From<Reason> for Unopened {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}
