//! The decision, as pure functions: no I/O, no clock, no logging. The only maker of [`Confirmed`], and so of permission
//! to pass.
//!
//! What is known of an order comes from its provider, checked; [`decide`] holds one callback's claim against it.

use super::policy::{Mode, OnRefunded};
use crate::domain::money::Money;
use crate::domain::reason::{Reason, Stage};
use crate::journal::Claimed;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use std::sync::Arc;

/// What is known of a claim's pair of order id and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// The two belong together as far as the route wants it proven.
    Proven,
    /// The number is another order's.
    OfAnotherOrder,
    /// No source lists it, or did.
    NotListed,
}

/// What stands behind a callback that may pass as paid. Only [`decide`] makes one; `stamp` writes headers from nothing
/// else.
#[derive(Debug, Clone)]
pub struct Confirmed {
    payment: Arc<Payment>,
}

impl Confirmed {
    /// The payment that was confirmed for this very claim.
    #[must_use]
    pub fn payment(&self) -> &Payment {
        &self.payment
    }
}

/// Permission to go on to the upstream. Only [`permit`] makes one.
#[derive(Debug, Clone)]
pub struct Pass(PassKind);

#[derive(Debug, Clone)]
enum PassKind {
    Confirmed(Confirmed),
    Observed(Reason),
}

impl Pass {
    /// What was confirmed; `None` for a callback that passes only because its mode is observe.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Confirmed> {
        match &self.0 {
            PassKind::Confirmed(confirmed) => Some(confirmed),
            PassKind::Observed(_) => None,
        }
    }

    /// Why enforce would have held it back.
    #[must_use]
    pub fn would_refuse(&self) -> Option<Reason> {
        match &self.0 {
            PassKind::Confirmed(_) => None,
            PassKind::Observed(reason) => Some(*reason),
        }
    }
}

/// Holds a claim against what is known of its order. Its `out_trade_no` is what the provider calls the order that the
/// upstream will mark as paid: comparing it is what stops a paid transaction from vouching for another order. `pair` is
/// what is known of the claim's order id and number.
///
/// # Errors
/// The reason why the callback may not pass.
pub fn decide(
    claimed: &Claimed,
    expected: Option<Money>,
    pair: Pair,
    state: &OrderState,
    on_refunded: OnRefunded,
) -> Result<Confirmed, Reason> {
    let payment = match state {
        OrderState::Paid(payment) => payment,
        OrderState::NotPaid(reason) => return Err(*reason),
    };
    if payment.out_trade_no != claimed.out_trade_no {
        return Err(Reason::TransactionOfOtherOrder);
    }
    if claimed.transaction_id.is_some_and(|id| id != payment.transaction_id) {
        return Err(Reason::TransactionDiffers);
    }
    if pair == Pair::OfAnotherOrder {
        return Err(Reason::NumberOfAnotherOrder);
    }
    if claimed.amount.is_some_and(|amount| amount != payment.amount) {
        return Err(Reason::AmountDiffers);
    }
    if pair == Pair::NotListed {
        return Err(Reason::NumberNotListed);
    }
    if expected.is_some_and(|expected| expected != payment.amount) {
        return Err(Reason::ExpectedAmountDiffers);
    }
    if payment.refunded && on_refunded == OnRefunded::Refuse {
        return Err(Reason::Refunded);
    }
    Ok(Confirmed { payment: Arc::clone(payment) })
}

/// Turns a decision, or a refusal before one, into permission: what is confirmed passes; in observe mode so does what
/// was refused for its claim or its verdict. What is not a clean request to a known route never does.
///
/// # Errors
/// The reason why the callback may not pass.
pub fn permit(outcome: Result<Confirmed, Reason>, mode: Mode) -> Result<Pass, Reason> {
    match outcome {
        Ok(confirmed) => Ok(Pass(PassKind::Confirmed(confirmed))),
        Err(reason) => match (mode, reason.stage()) {
            (Mode::Observe, Stage::Claim | Stage::Verdict(_)) => Ok(Pass(PassKind::Observed(reason))),
            (Mode::Observe, Stage::Request | Stage::Upstream | Stage::FollowUp | Stage::Gate) | (Mode::Enforce, _) => {
                Err(reason)
            }
        },
    }
}

#[cfg(test)]
mod tests;
