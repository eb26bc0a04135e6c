//! The archive: what a journal knows, for pages, API, metrics and commands, and what people decide with it.
//!
//! What a person decides is written here: to send again, to park, to go on, to compare a bill. That is an order to
//! whoever works on the [queue](super::Queue), in the same process or in another, and is no work itself. It is written
//! in one transaction with the line of the audit trail that says who wanted it, and durable before the call returns; a
//! decision takes no lease and does not wait for one. So a command beside a gate that runs needs the archive alone.
//!
//! A read shows what is durable when it begins, all of it as of one moment; an event that was
//! [appended](super::Queue::append) just before may be lacking. Times are by the store's clock, as on the queue.

use super::{
    Audits, BoxFuture, Callback, Figures, PendingOrder, Record, Redeliveries, Refused, Search, SourceHealth, Sweeps,
    Views,
};
use crate::observe::metrics::Moment;
use jiff::Timestamp;
use std::fmt;

/// What is known. All methods may be called from any task, and none of them blocks it. Reading holds up no worker of
/// the queue, however long it takes.
pub trait Archive: Views + Audits + Redeliveries + Sweeps + Send + Sync + fmt::Debug {
    /// What is known of the callbacks that match, the latest first, or with [`Search::after`] the oldest first; at most
    /// `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>>;

    /// Callbacks that were refused before they were taken in, the latest first; at most `limit`. Of `search` only
    /// `order` and `request_id` count.
    ///
    /// # Errors
    /// If it cannot be read.
    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>>;

    /// The latest callbacks that were confirmed as paid, at most `limit` of each channel in each of
    /// [`Delivering`](super::State::Delivering) and [`Accepted`](super::State::Accepted). Entries without a callback
    /// are none.
    ///
    /// # Errors
    /// If they cannot be read.
    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>>;

    /// The pending orders that each source lists, and those that it listed until lately, with the name of their source;
    /// at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn pending_orders(&self, limit: usize) -> BoxFuture<'_, Vec<(String, PendingOrder)>>;

    /// The latest health of every source of pending orders that was ever read, whether or not it is still configured.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sources(&self) -> BoxFuture<'_, Vec<SourceHealth>>;

    /// What happened in each minute of the last day, over all processes, the oldest first; a minute in which nothing
    /// happened may be lacking.
    ///
    /// # Errors
    /// If they cannot be read.
    fn minutes(&self) -> BoxFuture<'_, Vec<Moment>>;

    /// How much there is of what, counted at one moment. It may take seconds in a journal of millions of entries.
    ///
    /// # Errors
    /// If it cannot be read.
    fn figures(&self) -> BoxFuture<'_, Figures>;

    /// When the journal was made; `None` as long as no process that worked on it had a clock to be believed.
    ///
    /// # Errors
    /// If it cannot be read.
    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>>;

    /// Writes something small, durably, to find out whether anything can be written.
    ///
    /// # Errors
    /// If it cannot be at the moment.
    fn probe(&self) -> BoxFuture<'_, ()>;
}
