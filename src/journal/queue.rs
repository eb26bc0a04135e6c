//! The queue: what the gate, its follow-up, the sweeper and the sources put into a journal, and get out of it when it is due.
//!
//! **Durability.** A method that writes and returns a future has written durably when that is ready without an error.
//! After an error the caller takes it for not written. A store that cannot know whether its last commit arrived does the same
//! again until it knows, and a caller may ask again: whatever is written twice does no harm. [`append`](Queue::append) alone
//! returns before that.
//!
//! **Order.** What one process asks for is done in the order in which it asked, but for events: an event comes before
//! everything else that still waits, because what it says was told to a sender already. So whatever is asked for after an event
//! finds it done, but for reads, which see what is durable when they begin. Between processes the order of commits counts.
//!
//! **Leases.** Several workers, in one process or in several, may work on one journal, and an entry is worked on by one at a
//! time: by the worker that holds its lease. A lease is given with an entry that was [taken in](Queue::take_in) just now, with
//! one that was [due](Queue::lease_due), and with one that waits for an upstream ([`Recovery`]). It ends
//!
//! - when a [`Decided`](JournalEvent::Decided) or an [`AttemptEnded`](JournalEvent::AttemptEnded) says where the entry goes on,
//!   and that is durable. The transition of an [`AttemptStarted`](JournalEvent::AttemptStarted) ends no lease: it says what
//!   holds if nothing more is heard of the attempt;
//! - when the worker [releases](Queue::release) or [postpones](Queue::postpone) the entry;
//! - when the worker's process ends, in whatever way.
//!
//! A worker that may have lost its lease begins nothing with it. A lease that has ended leaves the entry as the journal has it:
//! in the state and due at the time that were durable last.
//!
//! A store that one process has to itself, as SQLite's file, keeps leases in memory: they end with the process, and its next
//! start finds nothing leased. There a callback that repeats an entry may say where it goes on while the follow-up holds its
//! lease; the rules of [`append`](Queue::append) make that safe. A store of several processes keeps with each lease which
//! process holds it and until when, gives it to another only once the holder is known to have ended or to have let that time
//! pass, and lets no other process lead the entry on or begin an attempt with it.
//!
//! **Attempts** of a delivery are numbered 1, 2, 3 ... over all who send it, so that the upstream sees no number twice, and
//! tells a late attempt from a newer one. The worker counts on from [`Taken::attempts`] and [`Job::attempts`], which is enough
//! where all workers are in one process; between several, the store has to give the number out. Whoever begins an attempt says so
//! with its number before a byte is sent, and has that made durable ([`flush`](Queue::flush)) first where no sender waits for the
//! answer. An attempt that the upstream certainly did not see ([`UpstreamUnreachable`](crate::domain::reason::Reason)) gives its
//! number back, if it is still the highest.
//!
//! **Time** is the store's. Callers say in how long something is due, never when, and the store stamps what it writes. Where a
//! caller gives a [`Timestamp`](jiff::Timestamp) to compare with, it is by the clock of this process
//! ([`clock`](crate::domain::clock)), which SQLite's file shares; a store with a clock of its own converts it.

use super::sweeps::Standing;
use super::{
    Acceptance, BoxFuture, Callback, DeliveryId, EntryId, Job, JournalEvent, Owners, PendingOrder, PendingOrderQueue,
    Recovery, State, SweepQueue, Throttled, Upkeep,
};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use std::fmt;
use std::time::Duration;

/// What is to be done. All methods may be called from any task, and none of them blocks it: reading and writing is done
/// elsewhere.
pub trait Queue: Owners + Recovery + SweepQueue + PendingOrderQueue + Upkeep + Send + Sync + fmt::Debug {
    /// Writes a callback down. When this is ready the callback survives whatever happens to the processes that work on the
    /// journal and, as far as its disk keeps its word, to the machine.
    ///
    /// A claim ([`EntryKey`](super::EntryKey)) that has an entry is not written again, so that repeating it costs no write, and
    /// it gets no lease. Only where that entry is [`Closed`](State::Closed) it gives way to a new one, with what this callback
    /// brings. Of several that take the same claim in at once, in whatever process, one is [`fresh`](Taken::fresh).
    ///
    /// What is fresh begins in [`State::Asking`], leased to the caller, and is due `due_in` from now: the follow-up goes on with
    /// it then if that lease has ended without a word of where the entry goes on. If the caller drops the future, the callback
    /// may be taken in all the same, and the lease is given back.
    ///
    /// `trust` says what may be spent of the budget ([`Room`](super::Room)) for unconfirmed callbacks. Where it is spent, what is
    /// done with gives way, the oldest first: closed entries, or else parked ones, as long as they were never confirmed.
    ///
    /// # Errors
    /// Nothing was taken in then. [`Full`](super::JournalError::Full) if the budget is spent and nothing can give way; not for
    /// [`Trust::Confirmed`]. [`Busy`](super::JournalError::Busy) if too many wait.
    fn take_in(&self, callback: Box<Callback>, trust: Trust, due_in: Duration) -> BoxFuture<'_, Taken>;

    /// Says what happened. Events of one process are applied in the order of the calls, and are durable a moment later;
    /// [`flush`](Self::flush) waits for that. While the store fails events are held in memory, and written when it recovers; those
    /// that only add a line to the history may be dropped then. An event of an entry that is not there any more changes no other:
    /// numbers of entries are never used again.
    ///
    /// Where several say where one entry goes on, these rules hold in whatever order that arrives:
    ///
    /// - what is accepted stays accepted, until a person has it sent again;
    /// - that an upstream accepted a delivery is a fact: it counts whoever says it, with or without a lease, and the first
    ///   acceptance is the one that is kept;
    /// - what a person parked is led on by a person, or by being accepted;
    /// - an entry is closed only from [`State::Asking`];
    /// - a confirmed payment stays; what is found out later about it replaces what was known.
    fn append(&self, event: JournalEvent);

    /// Waits until everything that this process has appended before is durable.
    ///
    /// # Errors
    /// If it cannot be made so at the moment. It is not lost then while the process lives.
    fn flush(&self) -> BoxFuture<'_, ()>;

    /// Up to `limit` entries that are due and not leased, leased to the caller. Groups take turns, but for what is `throttled`,
    /// so that no backlog holds up another. In a group that is delivered those come first that are due longest; in one that is
    /// asked about it is by turns those, and those that have become due last. An entry that cannot be read is passed over, and
    /// hides none behind it.
    ///
    /// A store that one process has to itself also gives out, while it fails, what is due by an event that is not durable yet.
    ///
    /// The caller awaits this: what a call that was dropped has leased may stay leased until the process ends.
    ///
    /// # Errors
    /// If it cannot be read; then nothing was leased.
    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>>;

    /// Ends the caller's lease of an entry that it does not go on with; the entry is due when it was before. Returns at once: a
    /// store that has to write for this tries until it is written or the process ends. Nothing happens if the caller has no
    /// lease of it, or has said already where it goes on.
    fn release(&self, entry: EntryId);

    /// Ends the caller's lease of an entry whose turn it is not, as [`release`](Self::release) does, but it is leased to no worker before
    /// `again_in` is over. The time at which it is due stays as it was, and a process that ends forgets the pause.
    fn postpone(&self, entry: EntryId, again_in: Duration);

    /// Ranks callbacks of this channel as likely that wait to be asked about and whose number `looks` like confirmed ones, which
    /// was not known when they were taken in. If there are more than [`MOST_LIFTED`] of them none is ranked anew, since the
    /// number's look says nothing then.
    ///
    /// # Errors
    /// If it cannot be written.
    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()>;

    /// That the delivery of an order was accepted, if it was, with the upstream's answer as far as that is kept
    /// ([`Keep::bodies`](super::Keep::bodies)).
    ///
    /// # Errors
    /// If it cannot be read.
    fn acceptance(&self, delivery: DeliveryId, order: OrderId) -> BoxFuture<'_, Option<Acceptance>>;

    /// How these payments stand, in the order of `payments`; `None` where no entry that is not closed has the payment.
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
    /// Not yet, but the callback looks like what was confirmed before: the last part of that budget is left for these.
    Likely,
    /// It has: this is always taken in.
    Confirmed,
}

/// What became of a callback that was taken in.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The number of its entry.
    pub entry: EntryId,
    /// Whether it was written just now.
    pub fresh: bool,
    /// How the entry stands.
    pub state: State,
    /// The highest number that an attempt of its delivery has; 0 if it was never sent.
    pub attempts: u64,
    /// That the upstream accepted its delivery, whichever entry was sent; `None` if it did not so far.
    pub accepted: Option<Acceptance>,
    /// The payments that were confirmed for its order so far and not refunded since, each with its channel, on whatever
    /// route; the earliest first.
    pub paid_by: Vec<(ChannelId, TransactionId)>,
    /// What the order costs by a source of pending orders, kept since another amount was paid: the source itself may not list
    /// the order any more.
    pub price: Option<Money>,
    /// What each source lists now of the order's number, or did until lately, with the source's name; `None` where this process
    /// alone reads the sources, and so knows it.
    pub listed: Option<Vec<(String, PendingOrder)>>,
}
