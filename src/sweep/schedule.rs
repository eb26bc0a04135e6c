//! Which days a scheduled sweep compares.

use jiff::civil::Date;

/// WeChat Pay keeps bills for three months (`wechatpay-v2.md` section 10).
const MOST_DAYS: u8 = 90;

/// The days whose bills are compared on `today`, the earliest first: the last `days` before it, so that one missed run
/// heals; and all since the last that was compared, if that is longer ago.
#[must_use]
pub fn dates(today: Date, days: u8, last_done: Option<Date>) -> Vec<Date> {
    let back = |date: Date| date.yesterday().ok();
    let days_before = std::iter::successors(back(today), |date| back(*date)).take(usize::from(MOST_DAYS));
    let wanted = |(ago, date): &(usize, Date)| *ago < usize::from(days) || last_done.is_some_and(|last| *date > last);
    let mut dates: Vec<Date> = days_before.enumerate().take_while(wanted).map(|(_, date)| date).collect();
    dates.reverse();
    dates
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_last_days_and_what_was_missed_are_compared() {
        let today = date(2026, 3, 2);
        let all = |days, last_done| dates(today, days, last_done).iter().map(Date::to_string).collect::<Vec<_>>();
        assert_eq!(all(1, None), ["2026-03-01"]);
        assert_eq!(all(3, None), ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(all(1, Some(date(2026, 2, 26))), ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(all(2, Some(date(2026, 3, 1))), ["2026-02-28", "2026-03-01"]);
        assert_eq!(all(1, Some(date(2025, 1, 1))).len(), 90);
    }
}
