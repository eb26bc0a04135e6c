//! What is told of callbacks afterwards: to the one who refunds, to the one who asks why, and in figures.

use super::ids::{DeliveryId, EntryId};
use super::overrides::Price;
use super::pending_orders::SourceHealth;
use super::{Claimed, Origin, State, Verified};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, MerchantId, OrderId};
use crate::domain::reason::{Reason, Verdict};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// What is known of an entry.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number in the journal, ascending with the time at which entries were taken in.
    pub entry: EntryId,
    /// The delivery that it belongs to, which other entries of its order on its route share.
    pub delivery: DeliveryId,
    /// The `X-Request-Id` of the callback that made it.
    pub request_id: Uuid,
    /// The name of the route that it came on, or that a found order is sent on.
    pub route: String,
    /// What brought it: a callback, or where the order was found without one.
    pub origin: Origin,
    /// What its callback claims, or what the bill or source says.
    pub claimed: Claimed,
    /// When it was taken in, by the store's clock.
    pub received_at: Timestamp,
    /// How it stands.
    pub state: State,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Why it is in this state; `None` before anything is known of its order.
    pub reason: Option<Reason>,
    /// When the follow-up goes on with it; `None` if it is accepted, parked or closed.
    pub due_at: Option<Timestamp>,
    /// How often the follow-up tried in this state.
    pub retries: u32,
    /// The payment, once confirmed.
    pub verified: Option<Verified>,
    /// When it was confirmed the last time.
    pub verified_at: Option<Timestamp>,
    /// The highest number that an attempt of its delivery has; 0 if it was never sent.
    pub attempts: u64,
    /// When the upstream accepted the delivery.
    pub accepted_at: Option<Timestamp>,
    /// Whether its request is there, to be sent again.
    pub request_kept: bool,
    /// What the order costs by a source of pending orders.
    pub price: Option<Price>,
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// The attempts of its delivery, oldest first, as far as each has a line.
    pub attempt_log: Vec<AttemptRecord>,
}

/// Something that happened to an entry.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// `found`, `again`, `asked-for`, `unparked`, `flagged`.
    pub what: String,
    /// The reason code it came with.
    pub reason: Option<Reason>,
    /// The callback it came with.
    pub request_id: Option<Uuid>,
    /// The name of the replica that wrote it, where several work on the journal.
    pub replica: Option<String>,
}

/// An attempt of a delivery.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// Its number among the attempts of its delivery, from 1.
    pub attempt: u64,
    /// Why it was sent.
    pub origin: Origin,
    /// When it began.
    pub began_at: Timestamp,
    /// When the upstream answered, or was waited for no longer; `None` while it is under way, or if the process that
    /// sent it ended before.
    pub ended_at: Option<Timestamp>,
    /// The HTTP status that the upstream answered.
    pub status: Option<u16>,
    /// Whether that counts as accepted.
    pub accepted: bool,
    /// Why there was no status.
    pub reason: Option<Reason>,
    /// The name of the replica that sent it, where several work on the journal.
    pub replica: Option<String>,
}

/// A callback that was refused before it was taken in: what it was about, and why; none of its content.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its `X-Request-Id`.
    pub request_id: Uuid,
    /// When it came; the journal fills it in.
    pub at: Option<Timestamp>,
    /// Its route, if one was found.
    pub route: Option<String>,
    /// Its channel, if one was found.
    pub channel: Option<ChannelId>,
    /// Its order, if that was readable.
    pub order: Option<OrderId>,
    /// Why it was refused.
    pub reason: Reason,
    /// Which field or rule.
    pub detail: Option<String>,
}

/// What is held for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGroup {
    /// Delivering, parked or asking.
    pub state: State,
    /// Why: of what is being delivered what came of sending it the last time, unless there are too many to tell them
    /// apart.
    pub reason: Option<Reason>,
    /// Payments that were not accepted, and entries that have none.
    pub count: u64,
    /// What was paid for them, one sum for each currency.
    pub sums: Vec<Money>,
}

/// How much there is of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Entries by state, in the order of [`State::ALL`].
    pub entries: [u64; 5],
    /// Entries that were ever taken in. Those that were not forgotten are there, in one state or another.
    pub taken_in: u64,
    /// Those of [`taken_in`](Self::taken_in) that were forgotten.
    pub forgotten: u64,
    /// How long ago the oldest entry was taken in that is asked about or sent again.
    pub oldest_unfinished: Option<Duration>,
    /// Entries whose order was never confirmed as paid.
    pub unconfirmed: u64,
    /// Bytes of their requests, head and body, as they stand in the store.
    pub unconfirmed_bytes: u64,
    /// Refused callbacks that are kept.
    pub refused: u64,
    /// Orders that WeChat Pay confirmed as paid and the upstream has not accepted: being delivered, or parked.
    pub paid_not_accepted: u64,
    /// What was paid for them, one sum for each currency.
    pub paid_not_accepted_sums: Vec<Money>,
    /// How long ago the oldest of them was paid, or confirmed where that is not known.
    pub oldest_not_accepted: Option<Duration>,
    /// All that is held, by why it is. A payment is counted once, however many claims name it.
    pub held: Vec<HeldGroup>,
    /// Orders of each channel that are being delivered: what waits for its upstream, counted like what is held.
    pub waiting: Vec<(ChannelId, u64)>,
    /// Paid orders that a bill brought to light, of those that are kept. None in a healthy shop.
    pub found_by_sweep: u64,
    /// Paid orders that a source of pending orders brought to light.
    pub found_by_pending: u64,
    /// Second payments of an order, of those that are kept.
    pub second_payments: u64,
    /// Payments of orders that were closed at their source before.
    pub paid_after_close: u64,
    /// When each merchant's bill was compared the last time.
    pub last_sweeps: Vec<(MerchantId, Timestamp)>,
    /// Bills that a schedule wanted and that could not be compared so far.
    pub sweeps_missing: u64,
    /// Rows that cannot be read of the bills that were compared in the last 24 hours.
    pub rows_malformed: u64,
    /// Payments in them whose order no callback and no source has named.
    pub rows_unknown: u64,
    /// How the sources of pending orders are.
    pub sources: Vec<SourceHealth>,
    /// Bytes of the file and its log.
    pub bytes: u64,
    /// Bytes in it that are free.
    pub free_bytes: u64,
}

impl Record {
    /// Whether its request was there and is not kept any more (`journal.keep.bodies`).
    #[must_use]
    pub fn is_without_request(&self) -> bool {
        let had_one = !self.origin.is_found() || self.accepted_at.is_some();
        had_one && !self.request_kept && self.state != State::Closed
    }

    /// What an operator may want to know of its payment, whatever became of it.
    pub fn flags(&self) -> impl Iterator<Item = Reason> {
        self.events.iter().filter(|event| event.what == "flagged").filter_map(|event| event.reason)
    }

    /// Why it is not done: what came of sending it the last time, while it is delivered; but that it waits for its sender, if it
    /// does.
    #[must_use]
    pub fn why(&self) -> Option<Reason> {
        if self.reason == Some(Reason::WindowOver) {
            return self.reason;
        }
        let last = self.attempt_log.last().filter(|last| self.state == State::Delivering && !last.accepted);
        let refused = |last: &AttemptRecord| last.reason.or(last.status.map(|_| Reason::NotAccepted));
        last.and_then(refused).or(self.reason)
    }

    /// The verdict its reason belongs to; `paid` while it is delivered, whatever the upstream says.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self.reason.and_then(Reason::verdict) {
            None => self.verified.map(|verified| if verified.refunded { Verdict::Refunded } else { Verdict::Paid }),
            verdict => verdict,
        }
    }
}

impl Figures {
    /// Entries in one state.
    #[must_use]
    pub fn in_state(&self, state: State) -> u64 {
        State::ALL.iter().zip(self.entries).find(|(other, _)| **other == state).map_or(0, |(_, count)| count)
    }
}
