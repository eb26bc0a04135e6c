//! How times, ages, amounts and sizes stand on a page: for people, with the exact value beside.

use super::words::{Language, fill};
use crate::domain::clock;
use crate::domain::money::Money;
use askama::filters::HtmlSafe;
use jiff::Timestamp;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// A moment: Beijing's clock, with the day unless that is today's; UTC in the title.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    at: Timestamp,
    today: bool,
    precise: bool,
}

/// An amount: yuan, with fen in the title.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amount {
    money: Money,
    language: Language,
}

// Both write nothing but digits, letters of a currency, and their own tags.
impl HtmlSafe for Moment {}
impl HtmlSafe for Amount {}

/// A moment of the overview or a list.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Moment {
    Moment { at, today: clock::beijing(at).date() == clock::beijing(now).date(), precise: false }
}

/// A moment to the millisecond, where the order of events counts.
pub(super) fn precise(at: Timestamp, now: Timestamp) -> Moment {
    Moment { precise: true, ..moment(at, now) }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let utc = self.at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC");
        let format = match (self.today, self.precise) {
            (true, false) => "%H:%M:%S",
            (true, true) => "%H:%M:%S%.3f",
            (false, false) => "%Y-%m-%d %H:%M:%S",
            (false, true) => "%Y-%m-%d %H:%M:%S%.3f",
        };
        let shown = clock::beijing(self.at).strftime(format);
        write!(f, r#"<time datetime="{:.3}" title="{utc}">{shown}</time>"#, self.at)
    }
}

/// An amount in one language.
pub(super) const fn amount(money: Money, language: Language) -> Amount {
    Amount { money, language }
}

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fen = self.money.fen.0;
        let title = fill(self.language.words().fen, &[&fen]);
        write!(f, r#"<span class="amount" title="{title}">{}</span>"#, plain_amount(self.money))
    }
}

/// An amount as text: `¥12.34`, or `USD 12.34`.
pub(super) fn plain_amount(money: Money) -> String {
    let (yuan, fen) = (money.fen.0 / 100, money.fen.0 % 100);
    match money.currency.as_str() {
        "CNY" => format!("¥{yuan}.{fen:02}"),
        // Which place the point has differs by currency, and no table here has all of them.
        code => format!("{code} {}", money.fen.0),
    }
}

/// How long something is, in its two largest units.
pub(super) fn span(length: Duration, language: Language) -> String {
    let words = language.words();
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => fill(words.seconds, &[&seconds]),
        60..3600 => fill(words.minutes, &[&minutes]),
        3600..86_400 if minutes % 60 == 0 => fill(words.hours, &[&hours]),
        3600..86_400 => fill(words.hours_minutes, &[&hours, &(minutes % 60)]),
        _ if hours % 24 == 0 => fill(words.days, &[&days]),
        _ => fill(words.days_hours, &[&days, &(hours % 24)]),
    }
}

/// How long ago a moment is, or in how long it comes.
pub(super) fn away(at: Timestamp, now: Timestamp, language: Language) -> String {
    let words = language.words();
    let distance = now.duration_since(at);
    let length = distance.unsigned_abs();
    if length < Duration::from_secs(1) {
        words.just_now.to_owned()
    } else if distance.is_negative() {
        fill(words.in_future, &[&span(length, language)])
    } else {
        fill(words.ago, &[&span(length, language)])
    }
}

/// How long something took: milliseconds, or seconds where those are many.
pub(super) fn took(length: Duration, language: Language) -> String {
    let ms = length.as_millis();
    if ms < 10_000 { fill(language.words().ms, &[&ms]) } else { span(length, language) }
}

/// Bytes in the unit that leaves the fewest digits.
pub(super) fn bytes(count: u64) -> String {
    let mut unit = "B";
    let (mut whole, mut tenths) = (count, 0);
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = larger;
    }
    if whole < 10 && unit != "B" { format!("{whole}.{tenths} {unit}") } else { format!("{whole} {unit}") }
}

/// A number with its thousands apart by a thin blank that does not break.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + 8);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{Currency, Fen};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_beijings_with_utc_beside() {
        let (now, morning) = (at("2026-11-24T15:59:59Z"), at("2026-11-23T16:00:00.123Z"));
        let shown = moment(morning, now).to_string();
        assert!(shown.contains(">00:00:00<") && shown.contains("2026-11-23 16:00:00.123 UTC"), "{shown}");
        assert!(precise(morning, now).to_string().contains(">00:00:00.123<"));
        assert!(moment(morning, at("2026-11-24T16:00:00Z")).to_string().contains(">2026-11-24 00:00:00<"));
    }

    #[test]
    fn an_amount_is_yuan_with_fen_beside() {
        let money = |fen, code: &str| Money { fen: Fen(fen), currency: Currency::parse(code).unwrap() };
        assert_eq!(plain_amount(money(1234, "CNY")), "¥12.34");
        assert_eq!(plain_amount(money(5, "CNY")), "¥0.05");
        assert_eq!(plain_amount(money(500, "JPY")), "JPY 500");
        let shown = amount(money(6600, "CNY"), Language::English).to_string();
        assert_eq!(shown, r#"<span class="amount" title="6600 fen">¥66.00</span>"#);
    }

    #[test]
    fn lengths_have_at_most_two_units() {
        for (seconds, shown) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (3660, "1 h 1 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds), Language::English), shown);
        }
        let now = at("2026-11-24T12:00:00Z");
        assert_eq!(away(at("2026-11-24T11:58:00Z"), now, Language::English), "2 min ago");
        assert_eq!(away(at("2026-11-24T12:00:05Z"), now, Language::Chinese), "5 秒后");
    }

    #[test]
    fn sizes_and_counts_are_short() {
        for (size, shown) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (10 << 20, "10 MiB"), (3 << 40, "3.0 TiB")]
        {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!([1, 999, 1000, 1_234_567].map(count), ["1", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }
}
