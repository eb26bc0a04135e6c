//! Durations, sizes and numbers as people write them.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadValue {
    #[error("is not a duration")]
    Duration,
    #[error("has no unit")]
    Unit,
    #[error("is not a size")]
    Size,
    #[error("is not a whole number")]
    Number,
    #[error("is outside {0} to {1}")]
    Range(String, String),
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than anything the gate waits for or keeps.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Reads `250ms`, `2s`, `5m`, `24h` or `90d`, more than nothing and at most ten years.
pub(super) fn duration(text: &str) -> Result<Duration, BadValue> {
    let (number, unit) = split(text).ok_or(BadValue::Duration)?;
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(60 * 60),
        "d" => DAY,
        "" => return Err(BadValue::Unit),
        _ => return Err(BadValue::Duration),
    };
    let number = u32::try_from(number).map_err(|_| BadValue::Duration)?;
    unit.checked_mul(number)
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
        .ok_or_else(|| BadValue::Range("1ms".to_owned(), "3650d".to_owned()))
}

/// Reads `512`, `64KiB` or `1MiB`, in bytes.
pub(super) fn size(text: &str, range: RangeInclusive<u64>) -> Result<u64, BadValue> {
    let (number, unit) = split(text).ok_or(BadValue::Size)?;
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => MIB,
        _ => return Err(BadValue::Size),
    };
    let within = number.checked_mul(unit).filter(|bytes| range.contains(bytes));
    within.ok_or_else(|| BadValue::Range(show_size(*range.start()), show_size(*range.end())))
}

/// Reads a plain decimal number.
pub(super) fn number(text: &str, range: RangeInclusive<u64>) -> Result<u64, BadValue> {
    let (number, "") = split(text).ok_or(BadValue::Number)? else { return Err(BadValue::Number) };
    if !range.contains(&number) {
        return Err(BadValue::Range(range.start().to_string(), range.end().to_string()));
    }
    Ok(number)
}

/// Digits, and what stands behind them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

fn show_size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{}MiB", bytes / MIB),
        _ if bytes >= KIB && bytes.is_multiple_of(KIB) => format!("{}KiB", bytes / KIB),
        _ => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_number_and_one_unit() {
        let ms = Duration::from_millis;
        let read = [("250ms", ms(250)), ("2s", ms(2000)), ("5m", ms(300_000)), ("24h", DAY), ("90d", DAY * 90)];
        for (text, wanted) in read {
            assert_eq!(duration(text), Ok(wanted), "{text}");
        }
        for text in ["", "s", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1h30m", "5S", "5sec", "99999999999s", "１s"]
        {
            assert_eq!(duration(text), Err(BadValue::Duration), "{text:?}");
        }
        assert_eq!(duration("5"), Err(BadValue::Unit));
        for text in ["0s", "0ms", "3651d", "4294967295d"] {
            assert!(matches!(duration(text), Err(BadValue::Range(..))), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_counted_in_1024() {
        let all = 0..=u64::MAX;
        for (text, wanted) in [("512", 512), ("512B", 512), ("64KiB", 65_536), ("2MiB", 2_097_152)] {
            assert_eq!(size(text, all.clone()), Ok(wanted), "{text}");
        }
        for text in ["", "KiB", "64KB", "64k", "1.5MiB", "-1", "64 KiB", "1GiB"] {
            assert_eq!(size(text, all.clone()), Err(BadValue::Size), "{text:?}");
        }
        let over = BadValue::Range("1KiB".to_owned(), "1MiB".to_owned());
        assert_eq!(size("2MiB", KIB..=MIB), Err(over.clone()));
        assert_eq!(size("18446744073709551615MiB", KIB..=MIB), Err(over));
    }

    #[test]
    fn numbers_are_plain() {
        assert_eq!(number("5000", 1..=10_000), Ok(5000));
        for text in ["", "5_000", "0x10", "1e3", "5.0", "-5"] {
            assert_eq!(number(text, 1..=10_000), Err(BadValue::Number), "{text:?}");
        }
        assert_eq!(number("0", 1..=9), Err(BadValue::Range("1".to_owned(), "9".to_owned())));
    }
}
