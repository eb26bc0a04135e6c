//! A provider's own notification: it is opened before anything is asked, so that a forgery costs no query. A right one is still
//! only a claim.

pub mod refund;

use super::claim::Unreadable;
use super::story::Story;
use crate::domain::reason::Reason;
use crate::journal::DeliveryId;
use crate::provider::Unopened;

/// What a route takes notifications of, beside payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Refunds, for order systems that have one address for both.
    pub refund: bool,
}

/// What a callback tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Event {
    /// That an order was paid.
    #[default]
    Payment,
    /// That money of a paid order went back, or did not. Such a one is a delivery of its own.
    Refund(DeliveryId),
}

/// Why an account does not take a notification for a claim: the reason, and what the log is told beside it.
pub(super) fn unopened(unopened: Unopened, story: &mut Story<'_>) -> Reason {
    match unopened.detail {
        Some(detail) => story.unreadable(Unreadable { reason: unopened.reason, detail: detail.into_owned() }),
        None => unopened.reason,
    }
}
