//! What the writer was asked for and has not done. Events go first: a sender was told already what they say, so each
//! moment that they are not on disk is one in which a crash makes the gate do it again. Whoever waits to be taken in is
//! told nothing before it is durable.
//!
//! Nobody waits for an event, so it waits a moment for company ([`COMPANY`]), and is then written with what somebody
//! waits for, or with others. That an attempt for a waiting callback began says nothing any more once its end is known,
//! which mostly comes soon: it is held a little longer ([`BEGUN`]), and both are written as one.

use super::begun::Begun;
use super::mailbox::Emptier;
use super::op::{Op, Stamped};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long an event waits for company; as long as a transaction may take, so that it is on disk no later than one that
/// came while another transaction was under way.
const COMPANY: Duration = Duration::from_millis(10);

/// How long the beginning of an attempt waits for its end.
const BEGUN: Duration = Duration::from_millis(20);

/// Operations that wait, in two queues, and attempts whose end is awaited.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    events: VecDeque<Stamped>,
    /// When the first of the events came, at the latest.
    since: Option<Instant>,
    begun: Begun,
    others: VecDeque<Stamped>,
    /// Whether the next batch holds nothing back.
    holds_nothing: bool,
    /// Empty but while it is filled.
    taken: Vec<Stamped>,
}

impl Inbox {
    /// Takes over everything that has come; waits for at most `timeout` while nothing has to be done at once. `many`
    /// events are company enough. `false` if nobody can ask any more and everything is done.
    pub(super) fn fill(&mut self, mailbox: &Emptier, many: usize, timeout: Duration) -> bool {
        let mut now = Instant::now();
        let give_up = now + timeout;
        loop {
            if !self.take_over(mailbox, now) {
                self.release(now, now);
                return !(self.events.is_empty() && self.others.is_empty());
            }
            let due = self.due(now, many);
            if now >= give_up || due.is_some_and(|due| due <= now) {
                return true;
            }
            // No longer than an event that comes meanwhile may wait.
            let until = due.map_or(give_up, |due| due.min(now + COMPANY).min(give_up));
            mailbox.sleep(until, due.is_some());
            now = Instant::now();
        }
    }

    /// Sorts what has come. Returns whether more can come.
    fn take_over(&mut self, mailbox: &Emptier, now: Instant) -> bool {
        let mut taken = std::mem::take(&mut self.taken);
        let (since, is_open) = mailbox.take(&mut taken);
        for stamped in taken.drain(..) {
            if matches!(stamped.op, Op::Append { .. }) {
                self.begun.put(stamped, now, &mut self.events);
            } else {
                self.others.push_back(stamped);
            }
        }
        self.taken = taken;
        if !self.events.is_empty() {
            self.since = self.since.or(since);
        }
        if let Some(long_ago) = now.checked_sub(BEGUN) {
            self.release(long_ago, now);
        }
        is_open
    }

    /// When something has to be done; `None` while there is nothing.
    fn due(&self, now: Instant, many: usize) -> Option<Instant> {
        if !self.others.is_empty() || self.events.len() >= many {
            return Some(now);
        }
        let company = self.since.filter(|_| !self.events.is_empty()).map(|since| since + COMPANY);
        let begun = self.begun.since().map(|since| since + BEGUN);
        company.into_iter().chain(begun).min()
    }

    /// Waits no longer for the ends of attempts that began until then, only for company.
    fn release(&mut self, until: Instant, now: Instant) {
        if self.begun.release(until, &mut self.events) {
            self.since.get_or_insert(now);
        }
    }

    /// The next batch has everything that was said of an entry before.
    pub(super) fn hold_nothing(&mut self) {
        self.holds_nothing = true;
    }

    /// Whether something is held that is said of an entry.
    pub(super) fn holds_any(&self) -> bool {
        self.begun.since().is_some()
    }

    /// The next `most` operations at most. Anything but an event comes after all events that were appended before it,
    /// so that [`Op::Flush`] means what it says; only who is taken in does not wait for the ends of attempts.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Stamped> {
        let is_patient = |stamped: &Stamped| matches!(stamped.op, Op::TakeIn { .. });
        if self.holds_nothing || !self.others.iter().take(most).all(is_patient) {
            self.begun.release(Instant::now(), &mut self.events);
        }
        let events = self.events.len().min(most);
        let mut batch: Vec<Stamped> = self.events.drain(..events).collect();
        if self.events.is_empty() {
            (self.since, self.holds_nothing) = (None, false);
        }
        let others = self.others.len().min(most - events);
        batch.extend(self.others.drain(..others));
        batch
    }

    /// Gives back the end of a batch, none of it events, to be done first.
    pub(super) fn put_back(&mut self, rest: impl DoubleEndedIterator<Item = Stamped>) {
        rest.rev().for_each(|stamped| self.others.push_front(stamped));
    }
}
