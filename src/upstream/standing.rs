//! Whether an upstream takes what it is sent. Several deliveries in a row that were not accepted make it *failing*, one
//! that was makes it *well*; and what the follow-up has to do about either is kept here, since all senders share it.

use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::EntryId;
use hyper::StatusCode;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// So many deliveries in a row that were not accepted,
const IN_A_ROW: u32 = 5;

/// of so many orders at least, make an upstream failing: one order alone may be at fault itself.
const ORDERS: usize = 3;

/// Orders that were tried and have no turn again before the others had theirs.
const TURNS: usize = 1024;

/// Probes that may be under way to an upstream that hangs.
const AT_ONCE: u32 = 4;

/// How long after a probe that did not come to be sent there is another, at most.
const NOT_SENT: Duration = Duration::from_secs(1);

/// How an upstream stands.
#[derive(Debug, Default)]
pub struct Standing {
    /// Deliveries in a row that were not accepted, and the first orders among them.
    in_a_row: u32,
    orders: Vec<OrderId>,
    failing_since: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    /// How many were accepted so far.
    accepted: u64,
    failure: Option<Failure>,
    /// The channels whose upstream it is.
    channels: Vec<ChannelId>,
    errands: Errands,
    probes: Probes,
}

/// That a delivery was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// When the gate knew that it was not accepted.
    pub at: Timestamp,
    /// What the upstream answered, if it did.
    pub status: Option<StatusCode>,
    /// Why it does not count as taken.
    pub reason: Reason,
}

/// What a delivery has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The upstream is failing from now on.
    Fails,
    /// The upstream was failing since this time, and is well again.
    Recovers(Timestamp),
}

/// What the follow-up does in the journal for an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// What was brought forward before may be again.
    Anew,
    /// What waits is due now.
    BringForward(Bring),
}

/// What is brought forward: what was not accepted before another delivery was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bring {
    /// When the other delivery was accepted.
    pub accepted_at: Timestamp,
    /// Deliveries that were not accepted until then.
    failures: u64,
}

/// The errands that are left for the upstream.
#[derive(Debug)]
struct Errands {
    anew: bool,
    /// Whether that was to be done since it is failing.
    is_anew: bool,
    bring: Option<Bring>,
    /// Deliveries that were not accepted, so far and of what was brought forward.
    failures: u64,
    brought: Option<u64>,
}

impl Default for Errands {
    /// What was before this process is not known, so something may wait.
    fn default() -> Self {
        Self { anew: true, is_anew: false, bring: None, failures: 0, brought: None }
    }
}

/// When probes are sent, and which entries had their turn.
#[derive(Debug)]
struct Probes {
    next: Option<Instant>,
    /// Sent, and not ended: one that hangs takes all of `follow_up.upstream_timeout`, and must not hide that it is
    /// back.
    under_way: u32,
    tried: VecDeque<EntryId>,
    /// Probes that are left to find out how it is, of what was sent by a process before this one.
    doubts: u32,
}

impl Default for Probes {
    fn default() -> Self {
        Self { next: None, under_way: 0, tried: VecDeque::new(), doubts: IN_A_ROW }
    }
}

impl Standing {
    /// A delivery was accepted.
    pub fn accepted(&mut self, at: Timestamp) -> Option<Change> {
        self.in_a_row = 0;
        self.orders.clear();
        self.accepted_at = Some(at);
        self.accepted += 1;
        self.probes.doubts = 0;
        let since = self.failing_since.take();
        if since.is_some() {
            self.probes.tried.clear();
        }
        let failures = self.errands.failures;
        if since.is_some() || self.errands.brought != Some(failures) {
            self.errands.bring = Some(Bring { accepted_at: at, failures });
        }
        since.map(Change::Recovers)
    }

    /// How many deliveries were accepted so far.
    #[must_use]
    pub fn accepted_so_far(&self) -> u64 {
        self.accepted
    }

    /// A delivery of `order` was not accepted; when it began, so many had been. If there are more by now it says
    /// nothing of how the upstream is, and need not wait for the next accepted one.
    pub fn failed(&mut self, order: OrderId, failure: Failure, accepted_before: u64) -> Option<Change> {
        self.failure = Some(failure);
        self.errands.failures += 1;
        if accepted_before < self.accepted {
            if self.failing_since.is_none() {
                self.errands.bring = Some(Bring { accepted_at: failure.at, failures: self.errands.failures });
            }
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.orders.len() < ORDERS && !self.orders.contains(&order) {
            self.orders.push(order);
        }
        let fails = self.failing_since.is_none() && self.in_a_row >= IN_A_ROW && self.orders.len() >= ORDERS;
        if !fails {
            return None;
        }
        self.failing_since = Some(failure.at);
        self.errands.bring = None;
        self.errands.is_anew = false;
        Some(Change::Fails)
    }

    /// These channels' upstream it is. What waits for one that had another upstream was not tried here.
    pub fn serves(&mut self, channels: &[ChannelId]) {
        if self.channels != channels {
            self.channels = channels.to_vec();
            self.errands.anew = true;
            self.errands.brought = None;
            self.probes.doubts = IN_A_ROW;
        }
    }

    /// Since when it is failing, if it is.
    #[must_use]
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing_since
    }

    /// When it accepted a delivery the last time.
    #[must_use]
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.accepted_at
    }

    /// The latest delivery that it did not accept.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// In how long the next probe is sent, if it is failing.
    #[must_use]
    pub fn next_probe_in(&self, now: Instant) -> Option<Duration> {
        self.failing_since?;
        Some(self.probes.next?.saturating_duration_since(now))
    }

    /// What is to be done next in the journal.
    #[must_use]
    pub fn errand(&self) -> Option<Errand> {
        match self.errands {
            Errands { anew: true, .. } => Some(Errand::Anew),
            Errands { bring, .. } => bring.map(Errand::BringForward),
        }
    }

    /// The errand is done to its end.
    pub fn did(&mut self, errand: Errand) {
        match errand {
            Errand::Anew => self.errands.anew = false,
            Errand::BringForward(Bring { failures, .. }) => {
                self.errands.brought = Some(failures);
                self.errands.bring = self.errands.bring.filter(|latest| latest.failures != failures);
            }
        }
    }

    /// Whether probes find out how it is, since what waits may have been sent by a process before this one.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.probes.doubts > 0
    }

    /// Begins a probe if it is time for one. `every` is how long there is between two. Returns what had its turn
    /// before.
    pub fn begin_probe(&mut self, now: Instant, every: Duration) -> Option<Vec<EntryId>> {
        let is_wanted = self.failing_since.is_some() || self.probes.doubts > 0;
        if !is_wanted {
            self.probes.next = None;
            return None;
        }
        let next = *self.probes.next.get_or_insert(now + every);
        // A shorter time may have been configured meanwhile.
        let is_time = now >= next || now + every.mul_f64(2.0) < next;
        if self.probes.under_way >= AT_ONCE || !is_time {
            return None;
        }
        self.probes.next = Some(now + every);
        self.probes.under_way += 1;
        Some(self.probes.tried.iter().copied().collect())
    }

    /// The entry that has its turn; `None` if there is none that did not have it, after which all may have it again.
    pub fn has_turn(&mut self, entry: Option<EntryId>) {
        match entry {
            Some(entry) => {
                if self.probes.tried.len() >= TURNS {
                    self.probes.tried.pop_front();
                }
                self.probes.tried.push_back(entry);
            }
            None => {
                self.probes.tried.clear();
                // So many orders are enough to find out with.
                if self.orders.len() < ORDERS {
                    self.probes.doubts = 0;
                }
            }
        }
    }

    /// A probe has ended; `sent` if the upstream was asked by it.
    pub fn end_probe(&mut self, now: Instant, sent: bool) {
        self.probes.under_way = self.probes.under_way.saturating_sub(1);
        if !sent {
            self.probes.next = self.probes.next.map(|next| next.min(now + NOT_SENT));
            return;
        }
        self.probes.doubts = self.probes.doubts.saturating_sub(1);
        // It lasts. Where some orders are refused and others accepted, five refused ones in a row are no outage, and
        // what was refused is not brought forward for them.
        if self.failing_since.is_some() && !std::mem::replace(&mut self.errands.is_anew, true) {
            self.errands.anew = true;
        }
    }
}

#[cfg(test)]
mod tests;
