//! The beginning of an attempt: which number it has, and whether it may be sent at all. A process that has its journal to
//! itself counts in memory; where several gates share one, the journal says both before a byte leaves.

use super::decide::Pass;
use super::delivery::{Attempt, Origin};
use super::event::Event;
use super::outgoing::UpstreamRequest;
use super::record::{Record, verified};
use super::records::Records;
use crate::domain::order::{ChannelId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::{self, Acceptance, Begun, JournalError, Sending, Shared, State, Transition};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What is to be sent, and how.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'r> {
    /// The record of the callback.
    pub record: &'r Record,
    /// What brings it.
    pub origin: Origin,
    /// Where it goes on if it is not accepted.
    pub next: Option<Transition>,
    /// On which terms.
    pub terms: Terms,
}

/// On which terms a delivery is sent that others may send too.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether only one may send it at a time.
    pub alone: bool,
    /// Whether who sends has the entry's lease, and may not send without it.
    pub leased: bool,
    /// Whether it is not sent if the upstream took this very payment before.
    pub unless_accepted: bool,
    /// Whether it is not sent if its order was paid by another payment before.
    pub unless_paid: bool,
    /// Until when its number is waited for.
    pub until: Instant,
}

/// Why a delivery is not sent now. The upstream saw nothing of it.
#[derive(Debug)]
pub enum NotSent {
    /// The upstream took this payment before, and said this.
    Accepted(Box<Acceptance>),
    /// The order is paid by this payment, on this channel.
    PaidBy(ChannelId, TransactionId),
    /// Another sends it now.
    Busy,
    /// Another has the entry's lease, or this process has none any more.
    Lost,
    /// The journal does not say, for this reason.
    Unavailable(Reason),
}

/// An attempt that has begun, and its line in the journal if it has one. Where others wait for its end, one of which nothing
/// more is said is given up.
#[derive(Debug)]
pub(super) struct UnderWay<'g> {
    pub(super) attempt: Attempt,
    pub(super) line: Option<journal::Attempt>,
    shared: Option<&'g dyn Shared>,
}

impl UnderWay<'_> {
    /// It was said what came of it.
    pub(super) fn ended(&mut self) {
        self.shared = None;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let (Some(shared), Some(line)) = (self.shared, self.line) {
            shared.abandon(line);
        }
    }
}

/// How long before its sender has to be answered a callback stops waiting for a number.
const TO_ANSWER: Duration = Duration::from_millis(100);

/// Until when a callback that has to be answered by `deadline` waits for a journal that others work on too.
pub(super) fn in_time(deadline: Instant) -> Instant {
    deadline.checked_sub(TO_ANSWER).unwrap_or(deadline)
}

impl<'g> UnderWay<'g> {
    /// Takes the next attempt number, and appends to the journal that the attempt begins.
    ///
    /// # Errors
    /// Why it may not begin; never where this process has its journal to itself.
    pub(super) async fn begin(
        records: &'g Records,
        callback: &UpstreamRequest<'_, '_>,
        pass: &Pass,
        errand: Errand<'_>,
    ) -> Result<Self, NotSent> {
        if let Some(shared) = records.shared() {
            // Boxed, since a process that is alone should not carry the room for it.
            return Box::pin(Self::begin_among_others(records, shared, callback, pass, errand)).await;
        }
        let Errand { record, origin, next, .. } = errand;
        let attempt = record.delivery.next(origin);
        let noted = |payment| records.attempt_started(record, payment, &attempt, meanwhile(next));
        let line = pass.confirmed().and_then(|confirmed| noted(confirmed.payment()));
        Ok(Self { attempt, line, shared: None })
    }

    async fn begin_among_others(
        records: &'g Records,
        shared: &'g dyn Shared,
        callback: &UpstreamRequest<'_, '_>,
        pass: &Pass,
        errand: Errand<'_>,
    ) -> Result<Self, NotSent> {
        let Errand { record, origin, next, terms } = errand;
        let known = record.entry.zip(pass.confirmed()).zip(callback.channel.zip(callback.order));
        let Some(((entry, confirmed), (channel, order))) = known else {
            // What tells of a refund is kept nowhere, and each process counts how often it sent it.
            let attempt = match callback.event {
                Event::Refund(_) => record.delivery.next(origin),
                Event::Payment => record.delivery.attempt(None, origin),
            };
            return Ok(Self { attempt, line: None, shared: None });
        };
        let Terms { alone, leased, unless_accepted, unless_paid, until } = terms;
        let delivery = record.delivery.id;
        let sending = Sending {
            entry,
            delivery,
            order,
            origin,
            verified: verified(confirmed.payment()),
            next: meanwhile(next),
            alone,
            leased,
            unless_accepted,
            same_order_on: if unless_paid { records.same_order_on(channel.id) } else { Vec::new() },
        };
        match timeout_at(until, shared.begin(sending)).await {
            Ok(Ok(Begun::Number(number))) => {
                let attempt = record.delivery.attempt(Some(number), origin);
                let line = Some(journal::Attempt { entry, delivery, number, origin });
                Ok(Self { attempt, line, shared: Some(shared) })
            }
            Ok(Ok(Begun::Accepted(acceptance))) => {
                record.delivery.accept(acceptance.clone());
                Err(NotSent::Accepted(Box::new(acceptance)))
            }
            Ok(Ok(Begun::PaidBy(channel, payment))) => {
                records.is_paid_by(record, (channel, payment));
                Err(NotSent::PaidBy(channel, payment))
            }
            Ok(Ok(Begun::Busy)) => Err(NotSent::Busy),
            Ok(Ok(Begun::Lost)) => Err(NotSent::Lost),
            Ok(Err(JournalError::Busy)) => Err(NotSent::Unavailable(Reason::Overloaded)),
            Ok(Err(_)) | Err(_) => Err(NotSent::Unavailable(Reason::JournalUnavailable)),
        }
    }
}

/// Where a record goes on if nothing more is heard of its attempt.
fn meanwhile(next: Option<Transition>) -> Option<Transition> {
    next.filter(|next| next.state() == State::Delivering)
}
