//! The queue: what the gate, its follow-up, the sweeper and the sources put into a journal, and get out of it when it is due.
//!
//! **Leases.** Several workers, in one process or in several, may work on one journal, and an entry is worked on by one at a
//! time: by the worker that holds its lease. A lease is given with an entry that was [taken in](Queue::take_in) just now, and
//! with one that was [due](Queue::lease_due). It ends when the worker says where the entry goes on
//! ([`JournalEvent`] with a [`Transition`](super::Transition)) and that is durable, when it [releases](Queue::release) or
//! [postpones](Queue::postpone) it, and when the worker's process ends, in whatever way. A worker that may have lost its lease
//! begins nothing with it. That an upstream accepted a delivery is a fact, which counts whoever says it.
//!
//! A store that one process has to itself, as SQLite's file, keeps leases in memory: they end with the process, and its next
//! start finds nothing leased. A store of several processes keeps with each lease who holds it and until when, gives it to
//! another only once the holder is known to have ended or to have let that time pass, and lets nobody but the holder lead the
//! entry on.
//!
//! **Attempts** of a delivery are numbered 1, 2, 3 ... over all who send it, so that the upstream sees no number twice, and
//! tells a late attempt from a newer one. Whoever begins an attempt says so with its number before a byte is sent, and has that
//! made durable ([`flush`](Queue::flush)) where nobody waits for the answer. An attempt that the upstream certainly did not see
//! gives its number back.
//!
//! **Time** is the journal's. Callers say in how long something is due, never when.

use super::sweeps::Standing;
use super::{
    Acceptance, BoxFuture, Callback, DeliveryId, EntryId, Job, JournalEvent, Owners, PendingOrderQueue, Recovery,
    State, SweepQueue, Throttled, Upkeep,
};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OutTradeNo, TransactionId};
use std::fmt;
use std::time::Duration;

/// What is to be done. All methods may be called from any task; none of them does disk work in it.
pub trait Queue: Owners + Recovery + SweepQueue + PendingOrderQueue + Upkeep + Send + Sync + fmt::Debug {
    /// Writes a callback down. When this is ready the callback survives whatever happens to the processes that work on the
    /// journal and, as far as its disk keeps its word, to the machine. A claim that is known already costs no write.
    ///
    /// What is [`fresh`](Taken::fresh) is leased to the caller. It is due in `due_in` once that lease has ended without a word of
    /// where it goes on.
    ///
    /// # Errors
    /// Nothing was taken in then. [`JournalError::Full`](super::JournalError::Full) not for [`Trust::Confirmed`].
    fn take_in(&self, callback: Box<Callback>, trust: Trust, due_in: Duration) -> BoxFuture<'_, Taken>;

    /// Says what happened, in the order of the calls. It is durable a moment later; [`flush`](Self::flush) waits for that.
    /// While the store fails events are held in memory, and written when it recovers. An event that says where a leased entry
    /// goes on ends the lease once it is durable.
    fn append(&self, event: JournalEvent);

    /// Waits until everything that this process has appended before is durable.
    ///
    /// # Errors
    /// If it cannot be at the moment. It is not lost then while the process lives.
    fn flush(&self) -> BoxFuture<'_, ()>;

    /// Up to `limit` entries that are due and leased to no other, leased to the caller. Groups take turns, but for what is
    /// `throttled`, so that no backlog holds up another. Of what is delivered those come first that are due longest; of what is asked
    /// about by turns those, and those that have become due last.
    ///
    /// # Errors
    /// If it cannot be read.
    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>>;

    /// Ends the caller's lease of an entry that it does not go on with. The entry is due when it was before.
    fn release(&self, entry: EntryId);

    /// Ends the caller's lease of an entry whose turn it is not: it is leased to no other before `again_in` is over. A process
    /// that ends forgets that.
    fn postpone(&self, entry: EntryId, again_in: Duration);

    /// Callbacks of this channel that wait to be asked about have a number that `looks` like confirmed ones, as was not known
    /// when they were taken in: they are likely from now on. Not if there are more than [`MOST_LIFTED`] of them, since it says
    /// nothing then.
    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()>;

    /// That a delivery was accepted, if it was, with the upstream's answer as far as that is kept.
    ///
    /// # Errors
    /// If it cannot be read.
    fn acceptance(&self, delivery: DeliveryId) -> BoxFuture<'_, Option<Acceptance>>;

    /// How these payments stand, in the same order.
    ///
    /// # Errors
    /// If it cannot be read.
    fn standing(&self, payments: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>>;
}

/// Whether a number looks like those that were confirmed.
pub type Looks = Box<dyn Fn(&OutTradeNo) -> bool + Send>;

/// How many callbacks are found to be likely at once.
pub const MOST_LIFTED: usize = 256;

/// Whether WeChat Pay has confirmed what is to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Not yet, or never: anybody can make such callbacks up, so there is a budget for them.
    Unconfirmed,
    /// The same, but it looks like what was confirmed before: the last part of that budget is left for these.
    Likely,
    /// It has: this is always taken in.
    Confirmed,
}

/// What became of a callback that was taken in.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its number.
    pub entry: EntryId,
    /// Whether it was written just now.
    pub fresh: bool,
    /// How it stands.
    pub state: State,
    /// How often its delivery was sent so far.
    pub attempts: u64,
    /// That the upstream accepted its delivery.
    pub accepted: Option<Acceptance>,
    /// The payments that were confirmed for its order so far and not refunded since, each with its channel, on whatever
    /// route; the earliest first.
    pub paid_by: Vec<(ChannelId, TransactionId)>,
    /// What it costs, noted when another amount was paid: whoever said so may have forgotten it since.
    pub price: Option<Money>,
}
