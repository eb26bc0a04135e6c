//! What a step came to: where the entry goes on, and what the log and the span say.

use super::jitter::jittered;
use super::lanes::Lane;
use super::{BUSY_PAUSE, FollowUp};
use crate::domain::reason::{Reason, Verdict};
use crate::gate::decide::Confirmed;
use crate::gate::delivery::Origin;
use crate::gate::record::{self, Record};
use crate::journal::{Claimed, EntryId, Job, State, Transition};
use crate::observe::traces::Span;
use crate::provider::order_state::OrderState;
use std::time::Duration;
use tokio::time::Instant;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The upstream accepted the delivery.
    Delivered,
    /// The upstream had accepted the order before.
    AcceptedBefore,
    /// The delivery was not accepted, and is sent again later.
    NotAccepted,
    /// The order is not decided, and is asked about again later.
    Undecided(Reason),
    /// The order is confirmed, and cannot be sent before its provider sends it again.
    Waits(Reason),
    /// The entry is parked (dead letter): a person has to look.
    Parked(Reason),
    /// The entry is closed: the order is not paid, or was accepted before.
    Closed(Reason),
    /// Another step or a callback is delivering the order, or the entry's turn comes at once.
    Deferred,
    /// The entry's channel gets no more for the moment, in this state.
    Throttled,
}

/// How long an order over a month old waits for its turn.
const OLD_AGAIN: Duration = Duration::from_secs(6);

/// How long a confirmed order waits at most when it cannot be confirmed again at the moment.
const UNTIL_CONFIRMED_AGAIN: Duration = Duration::from_secs(60);

impl Step {
    /// The word in logs, metrics and spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::AcceptedBefore => "accepted-before",
            Self::NotAccepted => "not-accepted",
            Self::Undecided(_) => "undecided",
            Self::Waits(_) => "waits",
            Self::Parked(_) => "parked",
            Self::Closed(_) => "closed",
            Self::Deferred => "deferred",
            Self::Throttled => "throttled",
        }
    }
}

impl FollowUp {
    /// Where an entry goes on that is not confirmed, or not any more.
    pub(super) fn not_confirmed(&self, job: &Job, record: &Record, reason: Reason, order_state: &OrderState) -> Step {
        let delivering = job.state == State::Delivering;
        if !delivering && job.callback.origin.is_found() {
            return self.not_confirmed_without_callback(job, record, reason, order_state);
        }
        match reason.verdict() {
            _ if reason.holds_payment() => self.park_payment(record, reason, order_state),
            Some(Verdict::Unpaid) if !delivering => self.close(record, reason),
            // A person looks at what was paid and is not any more; so at a claim that is wrong.
            Some(Verdict::Unpaid | Verdict::Refunded | Verdict::Contradicted) => self.park(record, reason),
            Some(Verdict::Pending | Verdict::Unknown | Verdict::Paid) | None if delivering => {
                let Some(delay) = self.redeliver.after(job.retries, job.age) else {
                    return self.park(record, Reason::GaveUpDelivering);
                };
                let again_in = jittered(delay.min(UNTIL_CONFIRMED_AGAIN));
                self.gate.records.decided(
                    record,
                    reason,
                    None,
                    Some(Transition::Deliver { again_in, retries: job.retries }),
                );
                Step::Undecided(reason)
            }
            Some(Verdict::Pending | Verdict::Unknown | Verdict::Paid) | None => {
                let Some(delay) = self.ask_again.after(job.retries + 1, job.age) else {
                    return self.give_up(record, reason, order_state);
                };
                let next = Transition::Ask { again_in: jittered(delay), retries: job.retries + 1 };
                self.gate.records.decided(record, reason, None, Some(next));
                Step::Undecided(reason)
            }
        }
    }

    /// The order is asked about no longer. That it is paid and its number not proven is said as it is, and its payment
    /// is not recorded.
    pub(super) fn give_up(&self, record: &Record, reason: Reason, order_state: &OrderState) -> Step {
        if reason == Reason::NumberNotListed {
            return self.park(record, reason);
        }
        self.park_payment(record, Reason::GaveUpAsking, order_state)
    }

    pub(super) fn park(&self, record: &Record, reason: Reason) -> Step {
        self.gate.records.decided(record, reason, None, Some(Transition::Park));
        Step::Parked(reason)
    }

    /// Parks what is paid.
    pub(super) fn park_payment(&self, record: &Record, reason: Reason, order_state: &OrderState) -> Step {
        let verified = match order_state {
            OrderState::Paid(payment) => Some(record::verified(payment)),
            OrderState::NotPaid(_) => None,
        };
        self.gate.records.decided(record, reason, verified, Some(Transition::Park));
        Step::Parked(reason)
    }

    pub(super) fn close(&self, record: &Record, reason: Reason) -> Step {
        self.gate.records.decided(record, reason, None, Some(Transition::Close));
        Step::Closed(reason)
    }

    /// The lane of the entry is full. Old orders share theirs with younger ones that need not wait.
    pub(super) fn not_now(&self, job: &Job) -> Step {
        if job.callback.request.is_none() && Lane::of_recovered(job) == Lane::Old {
            self.queue.postpone(job.entry, jittered(OLD_AGAIN));
            return Step::Deferred;
        }
        self.throttle(job)
    }

    pub(super) fn defer(&self, job: &Job) -> Step {
        self.queue.postpone(job.entry, jittered(BUSY_PAUSE));
        Step::Deferred
    }

    pub(super) fn throttle(&self, job: &Job) -> Step {
        self.queue.release(job.entry);
        Step::Throttled
    }

    /// The order is confirmed, and the upstream gets enough for the moment.
    pub(super) fn defer_confirmed(&self, job: &Job, record: &Record, confirmed: &Confirmed) -> Step {
        if job.state == State::Delivering {
            return self.throttle(job);
        }
        let verified = Some(record::verified(confirmed.payment()));
        let next = Transition::Deliver { again_in: Duration::ZERO, retries: 0 };
        self.gate.records.decided(record, Reason::Paid, verified, Some(next));
        Step::Deferred
    }
}

/// Gives the span of a step the fields of its log line.
pub(super) fn end_span(span: &mut Span, claimed: &Claimed, origin: Origin, step: Step) {
    if !span.is_wanted() {
        return;
    }
    span.set("tollgate.channel", claimed.channel);
    span.set("tollgate.order", claimed.order);
    span.set("tollgate.out_trade_no", claimed.out_trade_no);
    span.set("tollgate.origin", origin.as_str());
    span.set("tollgate.step", step.as_str());
    if let Step::Undecided(reason) | Step::Waits(reason) | Step::Parked(reason) | Step::Closed(reason) = step {
        span.set("tollgate.reason", reason);
        if let Some(verdict) = reason.verdict() {
            span.set("tollgate.verdict", verdict);
        }
    }
    if matches!(step, Step::NotAccepted | Step::Parked(_)) {
        span.failed(step.as_str());
    }
}

/// One line in the log for what was done; its fields are those of a callback's.
pub(super) fn tell(claimed: &Claimed, entry: EntryId, origin: Origin, step: Step, attempts: u64, began: Instant) {
    let (order, channel) = (claimed.order.as_str(), claimed.channel.as_str());
    let reason = match step {
        Step::Undecided(reason) | Step::Waits(reason) | Step::Parked(reason) | Step::Closed(reason) => {
            Some(reason.code())
        }
        Step::Delivered | Step::AcceptedBefore | Step::NotAccepted | Step::Deferred | Step::Throttled => None,
    };
    let (entry, origin, outcome) = (entry.0, origin.as_str(), step.as_str());
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match step {
        Step::Deferred | Step::Throttled => {
            tracing::debug!(order, channel, entry, origin, outcome, attempts, elapsed_ms, "follow-up")
        }
        Step::Parked(_) => {
            tracing::warn!(order, channel, entry, origin, outcome, reason, attempts, elapsed_ms, "follow-up")
        }
        _ => tracing::info!(order, channel, entry, origin, outcome, reason, attempts, elapsed_ms, "follow-up"),
    }
}
