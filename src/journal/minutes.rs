//! What happened in each minute of the last day, kept so that a restart goes on with the picture of it.

use super::BoxFuture;
use crate::observe::metrics::Moment;

/// What a journal keeps of minutes.
pub trait Minutes: Send + Sync {
    /// Adds what happened in a minute to what is kept of it, and forgets those that are over a day old.
    ///
    /// # Errors
    /// If it cannot be written.
    fn keep_minute(&self, minute: Moment) -> BoxFuture<'_, ()>;

    /// The minutes that are kept, the oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    fn minutes(&self) -> BoxFuture<'_, Vec<Moment>>;
}
