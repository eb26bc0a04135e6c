//! The archive: what a journal knows, for pages, API, metrics and commands, and what people decide with it.
//!
//! What a person decides is written here: to send again, to park, to close, to compare a bill. It is no work but an order to
//! whoever works on the [queue](super::Queue), in the same process or in another; it is written together with the line of the
//! audit trail that says who wanted it. So a command beside a gate that runs needs the archive alone.

use super::{
    Audits, BoxFuture, Callback, Figures, PendingOrder, Record, Redeliveries, Refused, Search, SourceHealth, Sweeps,
    Views,
};
use crate::observe::metrics::Moment;
use jiff::Timestamp;
use std::fmt;

/// What is known. All methods may be called from any task; none of them does disk work in it, and reading holds up nobody
/// who works on the queue.
pub trait Archive: Views + Audits + Redeliveries + Sweeps + Send + Sync + fmt::Debug {
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

    /// The latest callbacks that were confirmed, at most `limit` of each channel in each state.
    ///
    /// # Errors
    /// If they cannot be read.
    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>>;

    /// Every pending order that is listed, and that was until a while ago, with the name of its source; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn pending_orders(&self, limit: usize) -> BoxFuture<'_, Vec<(String, PendingOrder)>>;

    /// How all sources of pending orders are that there ever were.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sources(&self) -> BoxFuture<'_, Vec<SourceHealth>>;

    /// The minutes that are kept, the oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn minutes(&self) -> BoxFuture<'_, Vec<Moment>>;

    /// How much there is of what.
    ///
    /// # Errors
    /// If it cannot be read.
    fn figures(&self) -> BoxFuture<'_, Figures>;

    /// When the journal was made; `None` while no clock was to be believed.
    ///
    /// # Errors
    /// If it cannot be read.
    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>>;

    /// Writes something small, to find out whether anything can be written.
    ///
    /// # Errors
    /// If it cannot be at the moment.
    fn probe(&self) -> BoxFuture<'_, ()>;
}
