//! The record of one claim on one route, as far as this process needs it in memory.

use super::delivery::Delivery;
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, TransactionId};
use crate::journal::{EntryId, PendingOrder, Queue, State, Transition, Verified};
use crate::provider::payment::Payment;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};
use tokio::time::Instant;

/// The payment that confirmed an order first.
pub(super) type FirstPayment = Arc<Mutex<Option<Standing>>>;

/// A payment that stands for its order.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// The channel whose account was paid.
    pub channel: ChannelId,
    /// WeChat Pay's id of the payment.
    pub transaction_id: TransactionId,
    /// When WeChat Pay said the last time, asked because of another payment, that it was not refunded.
    pub asked_at: Option<Instant>,
}

/// What is kept of one claim on one route.
#[derive(Debug)]
pub struct Record {
    /// Its number in the journal, if there is one.
    pub entry: Option<EntryId>,
    /// The delivery of its order, with count and answer.
    pub delivery: Arc<Delivery>,
    pub(super) payment: FirstPayment,
    /// What the order costs by the journal, when another amount was paid.
    price: Mutex<Option<Money>>,
    state: AtomicU8,
    pub(super) again: AtomicU32,
    pub(super) flags: AtomicU8,
    /// When the youngest of its callbacks was signed, in Unix seconds, as far as this process has seen them.
    signed_at: AtomicI64,
}

/// A callback that is on disk.
#[derive(Debug)]
pub struct TakenIn {
    /// Its record.
    pub record: Arc<Record>,
    /// There if this callback made the record, which is then gone on with.
    pub lease: Option<Lease>,
    /// What each source lists of its number by the journal, with the source's name, where this process alone does not know it.
    pub listed: Option<Vec<(String, PendingOrder)>>,
}

/// The lease of a record that was made just now. It is released when this is dropped, unless the record was gone on
/// with.
#[derive(Debug)]
pub struct Lease {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) entry: Option<EntryId>,
}

impl Lease {
    /// The journal has an event of where the record goes on.
    pub fn done(mut self) {
        self.entry = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.queue.release(entry);
        }
    }
}

impl Record {
    pub(super) fn new(entry: Option<EntryId>, state: State, delivery: Arc<Delivery>, payment: FirstPayment) -> Self {
        let state = AtomicU8::new(state as u8);
        let price = Mutex::default();
        let (again, flags, signed_at) = (AtomicU32::new(0), AtomicU8::new(0), AtomicI64::new(i64::MIN));
        Self { entry, delivery, payment, price, state, again, flags, signed_at }
    }

    /// How it stands, as far as this process knows.
    #[must_use]
    pub fn state(&self) -> State {
        let state = self.state.load(Ordering::Relaxed);
        State::ALL.into_iter().find(|other| *other as u8 == state).unwrap_or(State::Asking)
    }

    /// Whether the upstream took this very payment before.
    #[must_use]
    pub fn was_accepted(&self, payment: &Payment) -> bool {
        let paid_by = Some(payment.transaction_id);
        self.delivery.accepted().is_some_and(|accepted| accepted.transaction_id == paid_by)
    }

    /// What its order costs by the journal, when another amount was paid.
    #[must_use]
    pub fn price(&self) -> Option<Money> {
        *self.price.lock()
    }

    /// A callback of it was signed at this time. `true` if none was later before: the same one, sent again by whoever
    /// saw it, is not.
    pub(super) fn is_signed(&self, at: Timestamp) -> bool {
        self.signed_at.fetch_max(at.as_second(), Ordering::Relaxed) < at.as_second()
    }

    /// Whether a callback of it has come that was signed after this time, and takes the place of the one that is kept. None does
    /// once it was accepted.
    #[must_use]
    pub fn is_signed_after(&self, at: Timestamp) -> bool {
        self.state() != State::Accepted && self.signed_at.load(Ordering::Relaxed) > at.as_second()
    }

    /// It stands so by the journal, which others lead it on in too.
    pub(super) fn stands(&self, state: State, first: Option<Standing>) {
        self.state.store(state as u8, Ordering::Relaxed);
        let mut known = self.payment.lock();
        // That a payment was found to stand is no news to the journal.
        let is_known = |first: &Standing| known.is_some_and(|known| known.transaction_id == first.transaction_id);
        if let Some(first) = first.filter(|first| !is_known(first)) {
            *known = Some(first);
        }
    }

    pub(super) fn costs(&self, price: Option<Money>) {
        *self.price.lock() = price;
    }

    pub(super) fn set(&self, next: Option<Transition>) {
        let stays = |next: &Transition| match self.state() {
            State::Accepted => true,
            State::Asking => false,
            State::Delivering | State::Parked | State::Closed => next.state() == State::Closed,
        };
        if let Some(next) = next.filter(|next| !stays(next)) {
            self.state.store(next.state() as u8, Ordering::Relaxed);
        }
    }
}

/// The payment as the journal has it.
#[must_use]
pub const fn verified(payment: &Payment) -> Verified {
    let Payment { transaction_id, amount, paid_at, refunded, .. } = payment;
    Verified { transaction_id: *transaction_id, amount: *amount, paid_at: *paid_at, refunded: *refunded }
}
