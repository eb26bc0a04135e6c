//! Values as databases, pages and programs write them. None of them passes through a float of ours.

use crate::domain::clock;
use crate::domain::money::{AmountUnit, Fen};
use crate::domain::order::BadId;
use jiff::Timestamp;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A value of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Cell<'c> {
    /// NULL, or not there.
    #[default]
    Null,
    /// A text, also a date as text.
    Text(Cow<'c, str>),
    /// A number, in the characters it was written in.
    Number(Cow<'c, str>),
    /// Bytes, a list, true or false.
    Other,
}

/// What is wrong with a value, or with a row as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCell {
    /// A required value that is not there.
    #[error("is empty")]
    Absent,
    /// No id.
    #[error(transparent)]
    Id(BadId),
    /// A number that stands for an id, and has a fraction or an exponent: its digits may not be all of them.
    #[error("is a number with a fraction or an exponent")]
    NotWhole,
    /// No amount of fen.
    #[error("is not an amount in fen: a whole number is wanted, or amount_unit: yuan")]
    Fen,
    /// No amount of yuan.
    #[error("is not an amount in yuan: a number with at most two places is wanted")]
    Yuan,
    /// No time.
    #[error("is not a time: seconds since 1970, or a date and time are wanted")]
    Time,
    /// Neither text nor number.
    #[error("is neither text nor a number")]
    NotAScalar,
    /// A key that stands twice in one object.
    #[error("is there twice")]
    Twice,
    /// A row that is no object.
    #[error("it is no JSON object")]
    NotAnObject,
}

impl<'c> Cell<'c> {
    pub(super) fn text(text: impl Into<Cow<'c, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(literal: impl Into<Cow<'c, str>>) -> Self {
        Self::Number(literal.into())
    }

    /// A float, in the fewest digits that mean it; with a point, so that no id is made of it.
    pub(super) fn float(value: f64) -> Self {
        Self::Number(format!("{value:?}").into())
    }

    /// Bytes that are text if they are UTF-8.
    pub(super) fn bytes(bytes: &'c [u8]) -> Self {
        std::str::from_utf8(bytes).map_or(Self::Other, Self::text)
    }

    /// What is written there, without the blanks that fixed-length columns are filled up with; `None` if nothing is.
    fn written(&self) -> Result<Option<&str>, BadCell> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) | Self::Number(text) => {
                Ok(Some(text.trim_end_matches(' ')).filter(|text| !text.is_empty()))
            }
            Self::Other => Err(BadCell::NotAScalar),
        }
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written().ok().flatten().unwrap_or_default())
    }
}

/// An id, if there is one.
pub(super) fn id<I: FromStr<Err = BadId>>(cell: &Cell<'_>) -> Result<Option<I>, BadCell> {
    let Some(written) = cell.written()? else { return Ok(None) };
    if matches!(cell, Cell::Number(_)) && !is_digits(written) {
        return Err(BadCell::NotWhole);
    }
    written.parse().map(Some).map_err(BadCell::Id)
}

/// An amount, if there is one. Zeros behind the last place that counts are the column's, not the amount's; also of fen, since
/// a list that was configured with its unit is not taken for yuan.
pub(super) fn amount(cell: &Cell<'_>, unit: AmountUnit) -> Result<Option<Fen>, BadCell> {
    let Some(written) = cell.written()? else { return Ok(None) };
    let fen = match (unit, written.split_once('.')) {
        (AmountUnit::Yuan, _) => Fen::parse_yuan(written),
        (AmountUnit::Fen, None) => Fen::parse(written),
        (AmountUnit::Fen, Some((whole, places))) if is_digits(places) && places.bytes().all(|place| place == b'0') => {
            Fen::parse(whole)
        }
        (AmountUnit::Fen, Some(_)) => return Err(refused(unit)),
    };
    fen.map(Some).map_err(|_| refused(unit))
}

/// A time, if there is one: seconds or milliseconds since 1970, `20261124100000`, RFC 3339 or SQL's spelling of it.
/// Where no offset is written it is Beijing time, as all of WeChat Pay's times are.
pub(super) fn time(cell: &Cell<'_>) -> Result<Option<Timestamp>, BadCell> {
    let Some(written) = cell.written()? else { return Ok(None) };
    let (whole, fraction) = written.split_once('.').unwrap_or((written, "0"));
    let time = if is_digits(whole) && is_digits(fraction) { counted(whole) } else { dated(written) };
    time.map(Some).ok_or(BadCell::Time)
}

/// The number of digits tells what is counted, from 1973 to 2286.
fn counted(digits: &str) -> Option<Timestamp> {
    match digits.len() {
        9 | 10 => Timestamp::from_second(digits.parse().ok()?).ok(),
        12 | 13 => Timestamp::from_millisecond(digits.parse().ok()?).ok(),
        14 => clock::from_time_end(digits),
        _ => None,
    }
}

fn dated(text: &str) -> Option<Timestamp> {
    let time_of_day = text.get("2026-11-24".len()..)?;
    if time_of_day.contains(['+', '-', 'Z', 'z', '[']) {
        return text.parse().ok();
    }
    clock::from_beijing(text.parse().ok()?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const fn refused(unit: AmountUnit) -> BadCell {
    match unit {
        AmountUnit::Fen => BadCell::Fen,
        AmountUnit::Yuan => BadCell::Yuan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OrderId;

    #[test]
    fn numbers_are_ids_if_every_digit_is_there() {
        let read = |cell: &Cell<'_>| id::<OrderId>(cell).map(|id| id.map(|id| id.to_string()));
        for (cell, wanted) in [
            (Cell::number("9223372036854775807"), "9223372036854775807"),
            (Cell::number("0"), "0"),
            (Cell::text("007"), "007"),
            (Cell::text("padded   "), "padded"),
            (Cell::text("1e5"), "1e5"),
        ] {
            assert_eq!(read(&cell), Ok(Some(wanted.to_owned())), "{cell:?}");
        }
        for literal in ["1e5", "12.0", "-1", "1E5"] {
            assert_eq!(read(&Cell::number(literal)), Err(BadCell::NotWhole), "{literal}");
        }
        assert_eq!(read(&Cell::float(12.0)), Err(BadCell::NotWhole));
        assert_eq!(read(&Cell::Other), Err(BadCell::NotAScalar));
        assert_eq!((read(&Cell::Null), read(&Cell::text("  "))), (Ok(None), Ok(None)));
        for text in [" leading", "two words", "订单", "a\0"] {
            assert!(matches!(read(&Cell::text(text)), Err(BadCell::Id(_))), "{text:?}");
        }
    }

    #[test]
    fn amounts_are_exact_in_either_unit() {
        for (unit, text, fen) in [
            (AmountUnit::Fen, "6600", 6600),
            (AmountUnit::Fen, "6600.00", 6600),
            (AmountUnit::Fen, "0", 0),
            (AmountUnit::Yuan, "66", 6600),
            (AmountUnit::Yuan, "66.5", 6650),
            (AmountUnit::Yuan, "66.5000", 6650),
            (AmountUnit::Yuan, "0.01", 1),
            (AmountUnit::Yuan, "4.35", 435),
            (AmountUnit::Yuan, "9999999999999.99", 999_999_999_999_999),
        ] {
            for cell in [Cell::text(text), Cell::number(text)] {
                assert_eq!(amount(&cell, unit), Ok(Some(Fen(fen))), "{text}");
            }
        }
        assert_eq!(amount(&Cell::float(4.35), AmountUnit::Yuan), Ok(Some(Fen(435))));
        assert_eq!(amount(&Cell::float(6600.0), AmountUnit::Fen), Ok(Some(Fen(6600))));
        assert_eq!(amount(&Cell::text(""), AmountUnit::Fen), Ok(None));
        for text in ["66.5", "6600.", ".5", "-1", "1e2", "6,600", "¥66", "007", "6600.0x", "99999999999999999999"] {
            assert_eq!(amount(&Cell::text(text), AmountUnit::Fen), Err(BadCell::Fen), "{text}");
        }
        for text in ["66.555", "66.", ".5", "-1.00", "1e2", "66.5.0", "66.5x"] {
            assert_eq!(amount(&Cell::number(text), AmountUnit::Yuan), Err(BadCell::Yuan), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_moment_is_that_moment() {
        for text in [
            "1795485600",
            "1795485600.000000",
            "1795485600123",
            "20261124100000",
            "2026-11-24 10:00:00",
            "2026-11-24T10:00:00",
            "2026-11-24 10:00:00.123456",
            "2026-11-24 10:00:00+08",
            "2026-11-24 10:00:00.5+08:00",
            "2026-11-24T10:00:00+08:00",
            "2026-11-24T02:00:00Z",
            "2026-11-24 02:00:00Z",
            "2026-11-23 21:00:00-05",
        ] {
            for cell in [Cell::text(text), Cell::number(text)] {
                let read = time(&cell).unwrap_or_else(|error| panic!("{text}: {error}")).unwrap();
                assert_eq!(read.as_second(), 1_795_485_600, "{text}");
            }
        }
        assert_eq!(time(&Cell::text("2026-11-24")).unwrap().unwrap().to_string(), "2026-11-23T16:00:00Z");
        assert_eq!(time(&Cell::Null), Ok(None));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "0",
            "now",
            "17954856001",
            "179548560012345",
            "1.7e9",
            "-1795485600",
            "0000-00-00 00:00:00",
            "2026-02-30 10:00:00",
            "2026-11-24 25:00:00",
            "2026-11-24 10:00:00+",
            "2026-11-24 10:00:00 CST",
            "2026-11-24 10:00:00[Asia/Shanghai]",
            "24/11/2026 10:00",
            "infinity",
            "字字字字字字",
        ] {
            assert_eq!(time(&Cell::text(text)), Err(BadCell::Time), "{text}");
        }
    }
}
