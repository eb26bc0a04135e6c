//! Which days a scheduled sweep compares, and of which it delivers what it finds.

use super::BeforeGate;
use jiff::civil::Date;

/// What a schedule does with a day's bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing.
    Leave,
    /// It is compared, in a dry run.
    Compare,
    /// It is compared, and what is found is delivered.
    Deliver,
}

/// What a channel's schedule does with the bill of `day`: it begins with `from`, or else with the gate's first whole
/// day.
pub(super) fn way(from: Option<Date>, before_gate: BeforeGate, gate_since: Date, day: Date) -> Way {
    if day < from.unwrap_or(gate_since) {
        Way::Leave
    } else if day < gate_since && before_gate == BeforeGate::Compare {
        Way::Compare
    } else {
        Way::Deliver
    }
}

/// The days whose bills are compared on `today`, the earliest first: the last `days` before it, so that one missed run
/// heals; and, no further back than `reach`, those since the first that was ever `done` that were not.
#[must_use]
pub fn dates(today: Date, days: u8, reach: u16, done: &[Date]) -> Vec<Date> {
    let back = |date: Date| date.yesterday().ok();
    let days_before = std::iter::successors(back(today), |date| back(*date)).take(usize::from(reach));
    let began = done.iter().min();
    let missed = |date: &Date| began.is_some_and(|began| began < date) && !done.contains(date);
    let wanted = |(ago, date): &(usize, Date)| *ago < usize::from(days) || missed(date);
    let mut dates: Vec<Date> = days_before.enumerate().filter(wanted).map(|(_, date)| date).collect();
    dates.reverse();
    dates
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn nothing_before_the_gates_first_whole_day_is_delivered_unless_that_is_wanted() {
        let day = |day| date(2026, 12, day);
        for (from, before_gate, ways) in [
            (None, BeforeGate::Compare, [Way::Leave, Way::Leave, Way::Deliver]),
            (None, BeforeGate::Deliver, [Way::Leave, Way::Leave, Way::Deliver]),
            (Some(day(2)), BeforeGate::Compare, [Way::Leave, Way::Compare, Way::Deliver]),
            (Some(day(2)), BeforeGate::Deliver, [Way::Leave, Way::Deliver, Way::Deliver]),
            (Some(day(4)), BeforeGate::Deliver, [Way::Leave, Way::Leave, Way::Leave]),
        ] {
            assert_eq!([1, 2, 3].map(|of| way(from, before_gate, day(3), day(of))), ways, "{from:?} {before_gate:?}");
        }
    }

    #[test]
    fn the_last_days_and_what_was_missed_are_compared() {
        let today = date(2026, 3, 2);
        let all = |days, done: &[Date]| {
            dates(today, days, 90, done).iter().map(|date| date.strftime("%m%d").to_string()).collect::<Vec<_>>()
        };
        assert_eq!(all(1, &[]), ["0301"]);
        assert_eq!(all(3, &[]), ["0227", "0228", "0301"]);
        assert_eq!(all(1, &[date(2026, 2, 26)]), ["0227", "0228", "0301"]);
        assert_eq!(all(2, &[date(2026, 3, 1)]), ["0228", "0301"]);
        // One that failed while later ones did not.
        assert_eq!(all(1, &[date(2026, 2, 24), date(2026, 2, 26), date(2026, 2, 28)]), ["0225", "0227", "0301"]);
        assert_eq!(all(1, &[date(2025, 1, 1)]).len(), 90);
        assert_eq!(dates(today, 3, 2, &[]), [date(2026, 2, 28), date(2026, 3, 1)]);
    }
}
