//! The journal's own time: when it was made, how far it has come, and that the clock was set meanwhile.

use super::BoxFuture;
use crate::domain::clock;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

/// What a journal knows of time.
pub trait Times: Send + Sync {
    /// When the journal was made; `None` while no clock was to be believed.
    ///
    /// # Errors
    /// If it cannot be read.
    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>>;

    /// Notes that this moment has come, so that the next start knows how long no gate ran; and whatever is due in longer
    /// than any schedule says is due now.
    ///
    /// # Errors
    /// If it cannot be written.
    fn beat(&self) -> BoxFuture<'_, ()>;

    /// The clock was set by so much, from now on: what waits goes on waiting as long as it would have, and nothing is older
    /// for it. The process's own clock is [settled](clock::settle) in the same moment.
    ///
    /// # Errors
    /// If it cannot be written; nothing was set then.
    fn clock_was_set(&self, by: SignedDuration) -> BoxFuture<'_, ()>;
}

/// The first whole day, in Beijing, of a gate whose journal was made then: the day after. What was paid before it may have
/// come to the order system without the gate.
#[must_use]
pub fn gate_since(made_at: Timestamp) -> Option<Date> {
    clock::beijing(made_at).date().tomorrow().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_gates_first_whole_day_is_the_beijing_day_after_its_journal_was_made() {
        for (made_at, since) in [
            ("2026-11-30T15:59:59Z", date(2026, 12, 1)),
            ("2026-11-30T16:00:00Z", date(2026, 12, 2)),
            ("2026-12-31T17:00:00Z", date(2027, 1, 2)),
        ] {
            assert_eq!(gate_since(made_at.parse().unwrap()), Some(since), "{made_at}");
        }
    }
}
