//! What is done for a journal from time to time: forgetting, keeping time, and a line for each minute.

use super::{BoxFuture, Forgotten, Keep};
use crate::observe::metrics::Moment;
use jiff::SignedDuration;

/// What a journal needs from time to time. Every process that works on it asks for this; where that is several, one of
/// them is enough for [`forget`](Self::forget), and the store sees to it that several do no harm.
pub trait Upkeep: Send + Sync {
    /// Removes accepted and closed entries, parked ones that were never confirmed, and what people did, after
    /// `keep.entries`; the requests of accepted and closed ones and the upstream's answers after `keep.bodies`, of
    /// closed ones after a minute at most: at most `limit` rows, since whoever is taken in may wait meanwhile. What is
    /// removed is overwritten; of that nothing is left in the store once a call has found nothing to do, unless it is
    /// read at that moment.
    ///
    /// # Errors
    /// If it cannot be written.
    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten>;

    /// Writes down that this moment has come, so that the next start knows how long no gate ran; and makes due at once
    /// whatever is due in longer than any schedule says.
    ///
    /// # Errors
    /// If it cannot be written.
    fn beat(&self) -> BoxFuture<'_, ()>;

    /// The clock was set by so much, from now on: what waits goes on waiting as long as it would have, and nothing is
    /// older for it. The process's own clock is [settled](crate::domain::clock::settle) in the same moment, so that no
    /// reader sees times of the one clock at a time of the other. A store with a clock of its own only settles the
    /// process's.
    ///
    /// # Errors
    /// If it cannot be written; nothing was set then.
    fn clock_was_set(&self, by: SignedDuration) -> BoxFuture<'_, ()>;

    /// Adds what happened in a minute in this process to what is kept of it, and forgets minutes that are over a day
    /// old.
    ///
    /// # Errors
    /// If it cannot be written.
    fn keep_minute(&self, minute: Moment) -> BoxFuture<'_, ()>;
}
