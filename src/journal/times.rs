//! What a journal's age says of the gate: its first whole day.

use crate::domain::clock;
use jiff::Timestamp;
use jiff::civil::Date;

/// The first whole day, in Beijing, of a gate whose journal was made then: the day after. What was paid before it may
/// have come to the order system without the gate.
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
