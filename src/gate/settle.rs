//! The end of the request flow in the journal: what the journal does not have yet is appended, so that the follow-up
//! goes on from there.

use super::context::CallbackContext;
use super::record::{Record, verified};
use super::records::Records;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{Refused, State, Transition};
use crate::provider::Payment;
use std::time::Duration;

/// Appends where the record goes on, that there was another callback of it, or that one without a record was refused.
pub(super) fn settle(context: &mut CallbackContext<'_>, records: &Records, refused: Option<Reason>) {
    let Some(record) = &context.record else {
        if let (Some(reason), Some(route)) = (refused, context.route) {
            records.refused(|| Refused {
                request_id: context.id,
                at: None,
                route: Some(route.name.clone()),
                channel: context.channel.map(|channel| channel.id),
                order: context.order,
                reason,
                detail: context.detail.clone(),
            });
        }
        return;
    };
    let (fresh, would_refuse) = (context.lease.is_some(), context.would_refuse());
    match (refused, would_refuse) {
        // Whatever the upstream did with it: nothing more is done about what passed unconfirmed.
        (_, Some(reason)) => records.decided(record, reason, None, fresh.then_some(Transition::Close)),
        // What went wrong with the upstream was written when it was sent.
        (Some(reason), None) if context.passed.is_none() || fresh => {
            held(records, record, fresh, reason, context.held_payment.as_deref());
        }
        _ => {}
    }
    match context.lease.take() {
        Some(lease) if refused.is_some() || would_refuse.is_some() => lease.done(),
        None if !context.made_record => records.again(record, context.id, context.reason(refused)),
        // The journal has no decision, so the follow-up is to ask.
        Some(_) | None => {}
    }
}

/// A callback was not forwarded, for this reason, although its order is paid if there is a payment; `fresh` if it
/// made the record.
fn held(records: &Records, record: &Record, fresh: bool, reason: Reason, payment: Option<&Payment>) {
    let next = after_refusal(record.state(), fresh, reason, records.first().ask);
    // What was delivered by a decision is done, whatever claim names it afterwards.
    let is_done = reason.is_overridable() && payment.is_some_and(|payment| record.was_accepted(payment));
    let (reason, next) = if is_done && next == Some(Transition::Park) {
        (Reason::Paid, Some(Transition::Accepted))
    } else {
        (reason, next)
    };
    records.decided(record, reason, payment.map(verified), next);
}

/// Where a record goes on after a callback of it was not forwarded; `None` leaves that as it is.
fn after_refusal(state: State, fresh: bool, reason: Reason, ask: Duration) -> Option<Transition> {
    match (state, reason.verdict()) {
        (State::Accepted | State::Delivering | State::Parked, _) => None,
        _ if reason.holds_payment() => Some(Transition::Park),
        (_, Some(Verdict::Unpaid | Verdict::Contradicted)) => Some(Transition::Close),
        (State::Asking, _) if !fresh => None,
        (State::Asking | State::Closed, _) => Some(Transition::Ask { again_in: ask, retries: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leads_on_by_state_and_verdict() {
        let ask = Duration::from_secs(5);
        let again = Some(Transition::Ask { again_in: ask, retries: 0 });
        for (state, fresh, reason, next) in [
            (State::Asking, true, Reason::NotPaidYet, again),
            (State::Asking, true, Reason::QueryTimeout, again),
            (State::Asking, true, Reason::InternalError, again),
            (State::Asking, true, Reason::Closed, Some(Transition::Close)),
            (State::Asking, true, Reason::AmountDiffers, Some(Transition::Close)),
            (State::Asking, true, Reason::Refunded, Some(Transition::Park)),
            (State::Asking, true, Reason::ExpectedAmountDiffers, Some(Transition::Park)),
            (State::Asking, true, Reason::SecondPayment, Some(Transition::Park)),
            (State::Accepted, false, Reason::SecondPayment, None),
            (State::Asking, false, Reason::NotPaidYet, None),
            (State::Asking, false, Reason::Revoked, Some(Transition::Close)),
            (State::Delivering, false, Reason::QueryTimeout, None),
            (State::Delivering, false, Reason::AmountDiffers, None),
            (State::Accepted, false, Reason::Refunded, None),
            (State::Parked, false, Reason::NotPaidYet, None),
        ] {
            assert_eq!(after_refusal(state, fresh, reason, ask), next, "{state} {fresh} {reason}");
        }
    }
}
