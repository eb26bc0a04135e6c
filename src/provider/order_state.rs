//! What is known of an order.

use super::payment::Payment;
use crate::domain::reason::{Reason, Verdict};
use std::sync::Arc;

/// What an answer establishes about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was paid.
    Paid(Arc<Payment>),
    /// Anything else, and why. A reason of verdict `unknown` is no fact about the order and is never cached.
    Not(Reason),
}

impl Finding {
    /// The reason code of the order's state, whatever a callback claims of it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Paid(payment) if payment.refunded => Reason::Refunded,
            Self::Paid(_) => Reason::Paid,
            Self::Not(reason) => *reason,
        }
    }

    /// Whether it says something about the order, rather than that nothing is known.
    #[must_use]
    pub fn is_fact(&self) -> bool {
        self.reason().verdict() != Some(Verdict::Unknown)
    }
}
