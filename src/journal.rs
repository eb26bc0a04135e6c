//! What happened, kept durably: every callback that was taken in, what WeChat Pay said of it, and every time it was sent,
//! because a callback that only memory knows is lost with the process.
//!
//! This is the interface, in the domain's words; [`sqlite`] keeps it in one file of this machine. It knows the words and
//! nothing of the gate. The store has the clock: callers say in how long something is due, never when.
//!
//! Two things are told apart. An *entry* is one claim on one route, with the callback that made it; several claims can
//! name the same order, and a forged one must not take the true one's place. A *delivery* is an order on a route, what
//! `X-Tollgate-Delivery` names: its attempts are counted, and the upstream accepts it or not, whichever entry was sent.

pub mod audit;

pub mod bounds;

pub mod callback;

pub mod event;

pub mod history;

pub mod ids;

pub mod job;

pub mod pending_orders;

pub mod owners;

pub mod overrides;

pub mod recovery;

pub mod state;

pub mod sweeps;

pub mod times;

pub mod minutes;

pub mod view;

pub mod sqlite;

#[cfg(test)]
mod suite;

pub use audit::{Act, Audit, Audits, By};
pub use bounds::{Forgotten, Keep, Room};
pub use callback::{Callback, Claimed, Request, Taken, Trust, Verified};
pub use event::{Acceptance, Attempt, JournalEvent, Outcome};
pub use history::{AttemptRecord, Event, Figures, Record, Refused, Search};
pub use ids::{DeliveryId, EntryId, EntryKey};
pub use job::{DueGroup, Job, Rank};
pub use minutes::Minutes;
pub use overrides::{Override, Overrides, Redeliveries};
pub use owners::Owners;
pub use pending_orders::PendingOrders;
pub use recovery::{Outlet, Recovery, Shut};
pub use state::{Origin, State, Transition};
pub use sweeps::Sweeps;
pub use times::{Times, gate_since};
pub use view::Views;

use crate::domain::order::{ChannelId, OutTradeNo};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

/// What a call on the journal will have found out or done.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// The durable record. All methods may be called from any task; none of them does disk work in it.
pub trait Journal:
    Sweeps + PendingOrders + Owners + Views + Audits + Redeliveries + Recovery + Minutes + Times + Send + Sync + fmt::Debug
{
    /// Writes a callback down; when it is ready the callback survives whatever happens to this machine's processes and,
    /// as far as its disk keeps its word, to the machine. A claim that is known already costs no write.
    ///
    /// What is [`fresh`](Taken::fresh) is in the caller's hand: nobody is given it as [`lease_due`](Self::lease_due) until something
    /// was [appended](Self::append) of it that says when, or until it is [released](Self::release).
    ///
    /// # Errors
    /// Nothing was taken in then. [`JournalError::Full`] not for [`Trust::Confirmed`].
    fn take_in(&self, callback: Box<Callback>, worth: Trust, due_in: Duration) -> BoxFuture<'_, Taken>;

    /// Notes what happened, in the order of the calls. It is durable a moment later; [`flush`](Self::flush) waits for
    /// that. While the disk fails notes are held in memory, and written when it recovers.
    fn append(&self, event: JournalEvent);

    /// Waits until everything that was noted before is durable.
    ///
    /// # Errors
    /// If it cannot be at the moment. It is not lost then while the process lives.
    fn flush(&self) -> BoxFuture<'_, ()>;

    /// Writes something small, to find out whether anything can be.
    ///
    /// # Errors
    /// If it cannot be at the moment.
    fn probe(&self) -> BoxFuture<'_, ()>;

    /// Gives back what the caller holds in hand and will not go on with. It is due when it was before.
    fn release(&self, entry: EntryId);

    /// The same, for what is not its turn: nobody is given it before `again_in` is over. A restart forgets that.
    fn postpone(&self, entry: EntryId, again_in: Duration);

    /// Up to `limit` entries that are due, into the caller's hand: nobody else is given them. Groups take turns, but for what
    /// is `shut`, so that no backlog holds up another. Of what is delivered those come first that are due longest; of what is
    /// asked about by turns those, and those that have become due last.
    ///
    /// # Errors
    /// If it cannot be read.
    fn lease_due(&self, limit: usize, shut: Shut) -> BoxFuture<'_, Vec<Job>>;

    /// Callbacks of this channel that wait to be asked about have a number that `looks` like confirmed ones, as was not known
    /// when they were taken in: they are likely from now on. Not if there are more than [`MOST_LIFTED`] of them, since it says
    /// nothing then. Nobody waits for it.
    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()>;

    /// The latest callbacks that were confirmed, at most `limit` of each channel in each state.
    ///
    /// # Errors
    /// If they cannot be read.
    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>>;

    /// That a delivery was accepted, if it was, with the upstream's answer as far as that is kept.
    ///
    /// # Errors
    /// If it cannot be read.
    fn acceptance(&self, delivery: DeliveryId) -> BoxFuture<'_, Option<Acceptance>>;

    /// What is known of some callbacks, the latest first; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>>;

    /// Callbacks that were refused before they were taken in, the latest first; at most `limit`. Of `search` only `order`
    /// and `request_id` count.
    ///
    /// # Errors
    /// If it cannot be read.
    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>>;

    /// Removes accepted and closed entries, parked ones that were never confirmed, and what people did, after `keep.entries`;
    /// the requests of accepted and closed ones and the upstream's answers after `keep.bodies`, of closed ones after a minute
    /// at most: a small step of at most `limit` of each. What is removed is overwritten; of that nothing is left in the store
    /// once a step has found nothing to do, unless somebody reads it at that moment.
    ///
    /// # Errors
    /// If it cannot be written.
    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten>;

    /// How much there is of what.
    ///
    /// # Errors
    /// If it cannot be read.
    fn figures(&self) -> BoxFuture<'_, Figures>;
}

/// Whether a number looks like those that were confirmed.
pub type Looks = Box<dyn Fn(&OutTradeNo) -> bool + Send>;

/// How many callbacks are found to be likely at once.
pub const MOST_LIFTED: usize = 256;

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk is full, fails or hangs. Nothing was written; it is tried again until it works.
    #[error("the journal cannot be written at the moment")]
    Unavailable,
    /// More callbacks wait to be written than may.
    #[error("too many callbacks wait for the journal")]
    Busy,
    /// There are as many records of unconfirmed orders as there may be (`journal.unconfirmed`), or as many bytes of them
    /// (`journal.unconfirmed_bytes`).
    #[error("there are as many records of unconfirmed orders as there may be, or as many bytes of them")]
    Full,
    /// It cannot be read.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
}
