//! The records of callbacks: in memory what the gate needs at once, in the journal what must not be lost.
//!
//! Nothing is answered before the callback it answers is on disk, and nothing is on disk twice: a claim that was taken
//! in is known from then on, and costs no further wait for the disk.

mod keeper;

mod names;

mod owner;

mod payments;

use super::channel::Channel;
use super::delivery::{Acceptance, Accepted, Attempt, Delivery, DeliveryId, Latest, Origin};
use super::policy::Duplicates;
use super::record::{FirstPayment, Lease, Record, TakenIn, verified};
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::domain::quick_map::QuickHash;
use crate::domain::reason::Reason;
use crate::journal::owners::Owner;
use crate::journal::{
    self, Callback, Claimed, EntryId, EntryKey, Journal, JournalError, JournalEvent, Outcome, Refused, Shared, State,
    Taken, Transition, Trust, Verified,
};
use crate::provider::payment::Payment;
use crate::upstream::Upstream;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use keeper::Keeper;
use names::Names;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use uuid::Uuid;

/// The records, under one configuration.
#[derive(Debug)]
pub struct Records {
    kept: Arc<Kept>,
    /// Channels whose orders are the same ones have the same number: those of one upstream.
    scopes: HashMap<ChannelId, usize>,
    first: First,
}

/// What does not change with the configuration.
#[derive(Debug)]
struct Kept {
    keeper: Keeper,
    names: Names,
    known: Latest<EntryKey, Arc<Record>, QuickHash>,
    deliveries: Latest<DeliveryId, Arc<Delivery>, QuickHash>,
    /// The first payment of each order, on whatever route.
    payments: Latest<(usize, OrderId), FirstPayment>,
    /// The order that each payment is for.
    owners: Latest<TransactionId, Owner, QuickHash>,
    /// Every upstream there was; its place is its number.
    upstreams: Mutex<Vec<Upstream>>,
    /// Deliveries whose count is ahead of the journal's, each by one of its entries.
    unflushed: Mutex<Vec<(EntryId, Arc<Delivery>)>>,
    /// How many refused callbacks get a line of their own.
    refused: DefaultDirectRateLimiter,
}

/// The follow-up's first delays.
#[derive(Debug, Clone, Copy)]
pub struct First {
    /// Before an order is asked about again.
    pub ask: Duration,
    /// Before it is sent again.
    pub deliver: Duration,
}

/// How many further callbacks of one claim get a line each.
const AGAIN: u32 = 16;

/// Refused callbacks a second that get a line each; more are told in the log alone.
const REFUSED_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

impl Records {
    /// Remembers `capacity` claims in memory, and what must not be lost in `journal`. Orders of the same id are the
    /// same on channels with the same upstream.
    #[must_use]
    pub fn new<'c>(
        journal: Option<Journal>,
        capacity: usize,
        first: First,
        channels: impl IntoIterator<Item = &'c Channel>,
    ) -> Self {
        let kept = Kept {
            keeper: journal.into(),
            names: Names::new(capacity),
            known: Latest::new(capacity),
            deliveries: Latest::new(capacity),
            payments: Latest::new(capacity),
            owners: Latest::new(capacity),
            upstreams: Mutex::default(),
            unflushed: Mutex::default(),
            refused: RateLimiter::direct(Quota::per_second(REFUSED_PER_SECOND)),
        };
        let scopes = kept.scopes(channels);
        Self { kept: Arc::new(kept), scopes, first }
    }

    /// These records, under another configuration.
    #[must_use]
    pub fn under<'c>(&self, capacity: usize, first: First, channels: impl IntoIterator<Item = &'c Channel>) -> Self {
        let kept = Arc::clone(&self.kept);
        kept.set_capacity(capacity);
        let scopes = kept.scopes(channels);
        if self.scopes.iter().any(|(channel, scope)| scopes.get(channel).is_some_and(|other| other != scope)) {
            // Each record remembers its order's first payment, which is another order's now.
            kept.known.clear();
        }
        Self { kept, scopes, first }
    }

    /// The follow-up's first delays.
    #[must_use]
    pub const fn first(&self) -> First {
        self.first
    }

    /// Whether there is a journal.
    #[must_use]
    pub fn are_kept(&self) -> bool {
        self.kept.keeper.queue().is_some()
    }

    /// What gates share that work on the same journal; `None` if this process alone says what becomes of records.
    #[must_use]
    pub fn shared(&self) -> Option<&dyn Shared> {
        self.kept.keeper.shared().map(Arc::as_ref)
    }

    /// The record of a claim, if what this process remembers of it is enough. Where others work on the journal too, that is only
    /// what was accepted, on a route that absorbs: everything else may have been led on, closed or forgotten since.
    #[must_use]
    pub fn vouched(&self, route: &str, duplicates: Duplicates, claimed: &Claimed) -> Option<Arc<Record>> {
        let known = self.known(route, claimed)?;
        let is_done = || duplicates == Duplicates::Absorb && known.delivery.accepted().is_some();
        (self.shared().is_none() || is_done()).then_some(known)
    }

    /// The record of a claim on a route whose callback was taken in before and is not done with.
    #[must_use]
    pub fn known(&self, route: &str, claimed: &Claimed) -> Option<Arc<Record>> {
        let key = self.kept.names.key(route, claimed);
        // What is parked or closed may have given way to others, so the journal is asked again.
        self.kept.known.get(&key).filter(|record| !matches!(record.state(), State::Parked | State::Closed))
    }

    /// The journal does not have these any more.
    pub fn forget(&self, keys: &[EntryKey]) {
        keys.iter().for_each(|key| self.kept.known.remove(key));
    }

    /// Forgets what the upstream answered, where the journal does not keep it any more.
    pub fn forget_answers(&self, deliveries: &[DeliveryId]) {
        for delivery in deliveries.iter().filter_map(|id| self.kept.deliveries.get(id)) {
            delivery.forget_answer();
        }
    }

    /// The record of a delivery that no journal keeps.
    #[must_use]
    pub fn unkept(&self, id: DeliveryId) -> Arc<Record> {
        let delivery = self.delivery(id, 0, None);
        Arc::new(Record::new(None, State::Asking, delivery, FirstPayment::default()))
    }

    /// Takes a callback in; when this is ready it is on disk. `None` if it may not be kept before it is confirmed.
    ///
    /// # Errors
    /// If the journal could not write it.
    pub async fn take_in(&self, callback: Box<Callback>, worth: Trust) -> Result<Option<TakenIn>, Reason> {
        let Some(queue) = self.kept.keeper.queue() else { return Ok(None) };
        let (key, delivery) = (callback.key(), callback.delivery());
        let Claimed { channel, order, .. } = callback.claimed;
        match queue.take_in(callback, worth, self.first.ask).await {
            Ok(mut taken) => {
                let lease = || Lease { queue: Arc::clone(queue), entry: Some(taken.entry) };
                let (lease, listed) = (taken.fresh.then(lease), taken.listed.take());
                Ok(Some(TakenIn { record: self.remember(key, delivery, (channel, &order), taken), lease, listed }))
            }
            Err(JournalError::Full) => Ok(None),
            Err(JournalError::Busy) => Err(Reason::Overloaded),
            Err(JournalError::Unavailable | JournalError::Unreadable(_)) => Err(Reason::JournalUnavailable),
        }
    }

    fn remember(
        &self,
        key: EntryKey,
        delivery: DeliveryId,
        (channel, order): (ChannelId, &OrderId),
        taken: Taken,
    ) -> Arc<Record> {
        let Taken { entry, state, attempts, accepted, price, paid_by, .. } = taken;
        let payment = self.first_payment(channel, order, &paid_by);
        let made = || {
            let delivery = self.delivery(delivery, attempts, accepted.clone());
            Arc::new(Record::new(Some(entry), state, delivery, Arc::clone(&payment)))
        };
        let mut known = self.kept.known.get_or(&key, made);
        if known.entry != Some(entry) {
            // It began anew.
            self.kept.known.remove(&key);
            known = self.kept.known.get_or(&key, made);
        }
        known.costs(price);
        if self.shared().is_some() {
            known.stands(state, self.standing(channel, &paid_by));
            known.delivery.stands(attempts, accepted);
        }
        known
    }

    /// The record of what the follow-up works on.
    #[must_use]
    pub fn of_job(&self, job: &journal::Job) -> Arc<Record> {
        let taken = Taken {
            entry: job.entry,
            fresh: false,
            state: job.state,
            attempts: job.attempts,
            accepted: job.accepted.clone(),
            paid_by: job.paid_by.clone(),
            price: job.price,
            listed: None,
        };
        let Claimed { channel, order, .. } = &job.callback.claimed;
        self.remember(job.callback.key(), job.callback.delivery(), (*channel, order), taken)
    }

    fn delivery(&self, id: DeliveryId, attempts: u64, accepted: Option<Acceptance>) -> Arc<Delivery> {
        self.kept.deliveries.get_or(&id, || Arc::new(Delivery::new(id, attempts, accepted)))
    }

    /// The order is decided, for this reason; `next` is where its entry goes on.
    pub fn decided(&self, record: &Record, reason: Reason, verified: Option<Verified>, next: Option<Transition>) {
        let (Some(queue), Some(entry)) = (self.kept.keeper.queue(), record.entry) else { return };
        if next.is_none() {
            return;
        }
        record.set(next);
        queue.append(JournalEvent::Decided { entry, reason, verified, next });
    }

    /// Where a record goes on when its delivery for a waiting callback has no answer, or is not accepted: what the
    /// follow-up has begun stays as it is.
    #[must_use]
    pub fn after_callback(&self, record: &Record, fresh: bool) -> Option<Transition> {
        let begun = !fresh && record.state() == State::Delivering;
        (!begun).then_some(Transition::Deliver { again_in: self.first.deliver, retries: 0 })
    }

    /// The callback of a record came once more, under a younger signature: it is what is sent again. `has_window` if it
    /// is sent for as long as that is young, and so has to be soon.
    pub(super) fn renewed(&self, record: &Record, request: journal::Request, has_window: bool) {
        let (Some(queue), Some(entry)) = (self.kept.keeper.queue(), record.entry) else { return };
        if record.state() != State::Accepted {
            let again_in = has_window.then_some(self.first.deliver);
            queue.append(JournalEvent::Renewed { entry, request: Box::new(request), again_in });
        }
    }

    /// An attempt begins. `next` is where the record goes on if nothing more is heard of it. Returns the attempt's line
    /// in the journal, if it has one.
    pub fn attempt_started(
        &self,
        record: &Record,
        payment: &Payment,
        attempt: &Attempt,
        next: Option<Transition>,
    ) -> Option<journal::Attempt> {
        let queue = self.kept.keeper.queue()?;
        let line = line(record, attempt)?;
        queue.append(JournalEvent::AttemptStarted { attempt: line, verified: Some(verified(payment)), next });
        Some(line)
    }

    /// An attempt ended with this outcome.
    pub fn attempt_ended(
        &self,
        record: &Record,
        attempt: &Attempt,
        line: Option<journal::Attempt>,
        outcome: Outcome,
        next: Option<Transition>,
    ) {
        if let Outcome::Failed(Reason::UpstreamUnreachable) = outcome {
            record.delivery.was_not_seen(attempt.number);
        }
        let next = match &outcome {
            Outcome::Accepted(acceptance) => {
                record.delivery.accept(acceptance.clone());
                Some(Transition::Accepted)
            }
            Outcome::Answered(_) | Outcome::Failed(_) => next,
        };
        match (self.kept.keeper.queue(), line) {
            (Some(queue), Some(attempt)) => {
                record.set(next);
                queue.append(JournalEvent::AttemptEnded { attempt, outcome, next });
            }
            (Some(_), None) => self.remember_unflushed(record),
            (None, _) => {}
        }
    }

    /// The upstream took once more what it had taken before, and the attempt has no line: it is counted, and the answer
    /// that counts is known.
    pub(super) fn accepted_again(&self, record: &Record) {
        if self.are_kept() {
            self.remember_unflushed(record);
        }
    }

    fn remember_unflushed(&self, record: &Record) {
        if let Some(entry) = record.entry
            && record.delivery.mark_unflushed()
        {
            self.kept.unflushed.lock().push((entry, Arc::clone(&record.delivery)));
        }
    }

    /// What the upstream said when it took a delivery.
    ///
    /// # Errors
    /// If the journal has it and cannot be read.
    pub async fn answer(
        &self,
        delivery: &Delivery,
        order: OrderId,
        accepted: &Accepted,
    ) -> Result<Arc<Acceptance>, Reason> {
        if let Some(answer) = accepted.answer.load_full() {
            return Ok(answer);
        }
        let queue = self.kept.keeper.queue().ok_or(Reason::InternalError)?;
        if let Some(shared) = self.shared() {
            // It is read as it is durable, and may have come just now. What cannot be written cannot be read either.
            let _ = tokio::time::timeout(shared.timeout(), queue.flush()).await;
        }
        let answer = queue.acceptance(delivery.id, order).await.ok().flatten();
        answer.map(Arc::new).ok_or(Reason::JournalUnavailable)
    }

    /// Another callback of a record came to this.
    pub fn again(&self, record: &Record, request_id: Uuid, reason: Reason) {
        if let (Some(queue), Some(entry)) = (self.kept.keeper.queue(), record.entry)
            && record.again.load(Ordering::Relaxed) < AGAIN
            && record.again.fetch_add(1, Ordering::Relaxed) < AGAIN
        {
            queue.append(JournalEvent::Again { entry, request_id, reason });
        }
    }

    /// A callback was refused and has no record.
    pub fn refused(&self, refused: impl FnOnce() -> Refused) {
        if let Some(queue) = self.kept.keeper.queue()
            && self.kept.refused.check().is_ok()
        {
            queue.append(JournalEvent::Refused(Box::new(refused())));
        }
    }

    /// Writes the counts that are ahead of the journal.
    pub fn flush_attempt_counts(&self) {
        let unflushed = std::mem::take(&mut *self.kept.unflushed.lock());
        if let Some(queue) = self.kept.keeper.queue() {
            for (entry, delivery) in unflushed {
                delivery.mark_flushed();
                queue.append(JournalEvent::Counted { entry, delivery: delivery.id, attempts: delivery.attempts() });
            }
        }
    }

    /// Waits until all events that were appended so far are on disk, if they can be.
    pub async fn flush(&self) {
        if let Some(queue) = self.kept.keeper.queue() {
            // What cannot be written stays in memory until it can, and is said in the log.
            let _ = queue.flush().await;
        }
    }
}

impl Kept {
    fn scopes<'c>(&self, channels: impl IntoIterator<Item = &'c Channel>) -> HashMap<ChannelId, usize> {
        let mut upstreams = self.upstreams.lock();
        let mut scope = |channel: &Channel| {
            let known = upstreams.iter().position(|upstream| *upstream == channel.upstream);
            known.unwrap_or_else(|| {
                upstreams.push(channel.upstream.clone());
                upstreams.len() - 1
            })
        };
        channels.into_iter().map(|channel| (channel.id, scope(channel))).collect()
    }

    fn set_capacity(&self, capacity: usize) {
        self.names.set_capacity(capacity);
        self.known.set_capacity(capacity);
        self.deliveries.set_capacity(capacity);
        self.payments.set_capacity(capacity);
        self.owners.set_capacity(capacity);
    }
}

/// The attempt as the journal has it, if it is worth a line: what was accepted before is only counted, unless the
/// follow-up was told to send it.
fn line(record: &Record, attempt: &Attempt) -> Option<journal::Attempt> {
    let Attempt { number, origin, .. } = *attempt;
    let counted = origin == Origin::Callback && record.state() == State::Accepted;
    let entry = record.entry.filter(|_| !counted)?;
    Some(journal::Attempt { entry, delivery: record.delivery.id, number: number?, origin })
}

#[cfg(test)]
mod tests;
