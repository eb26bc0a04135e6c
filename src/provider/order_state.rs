//! What a provider says of an order, checked.

use super::payment::Payment;
use crate::domain::reason::{Reason, Verdict};
use std::sync::Arc;

/// The state of an order, as its provider established it: the answer is authentic, it is about the merchant and the
/// application that asked, and about the order that was asked for. The gate compares claims with it and checks nothing
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// It was paid, and perhaps refunded since ([`Payment::refunded`]).
    Paid(Arc<Payment>),
    /// Anything else, and why. A reason of verdict `unknown` (no answer, none that can be believed) is no fact about
    /// the order and is never cached.
    NotPaid(Reason),
}

impl OrderState {
    /// The reason code of the state, whatever a callback claims of the order.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Paid(payment) if payment.refunded => Reason::Refunded,
            Self::Paid(_) => Reason::Paid,
            Self::NotPaid(reason) => *reason,
        }
    }

    /// Whether it says something about the order, rather than that nothing is known.
    #[must_use]
    pub fn is_fact(&self) -> bool {
        self.reason().verdict() != Some(Verdict::Unknown)
    }
}
