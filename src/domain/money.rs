//! Money as WeChat Pay counts it: a whole number of fen with its currency. No floating point comes near it.

use arrayvec::ArrayString;
use std::fmt;

/// An amount in fen, the hundredth of a yuan (or the smallest unit of another currency).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Fen(pub u64);

/// How an amount is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AmountUnit {
    /// A whole number of fen.
    #[default]
    Fen,
    /// Yuan with at most two decimal places that are not zero.
    Yuan,
}

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an amount: a plain decimal number is wanted")]
pub struct BadAmount;

/// The largest amount taken: 10^15 fen. It fits a `u64` with room, and nobody pays it.
const MOST_DIGITS: usize = 15;

impl Fen {
    /// Reads `6600`: digits only, no sign, no leading zero, no exponent.
    ///
    /// # Errors
    /// If the text is anything else, or has more digits than an amount may have.
    ///
    /// ```
    /// use tollgate::domain::money::Fen;
    /// assert_eq!(Fen::parse("6600"), Ok(Fen(6600)));
    /// assert!(Fen::parse("66.00").is_err() && Fen::parse("1e2").is_err() && Fen::parse("007").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        if text.len() > MOST_DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadAmount);
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(BadAmount);
        }
        text.parse().map(Self).map_err(|_| BadAmount)
    }

    /// Reads yuan as an exact decimal: `66`, `66.5`, `66.50` and `66.5000`. Zeros behind the last place that counts are
    /// a decimal column's or a serializer's, not the amount's; two other places are the most.
    ///
    /// # Errors
    /// For anything else: a sign, an exponent, a third place that is not zero, a missing digit, a leading zero.
    ///
    /// ```
    /// use tollgate::domain::money::Fen;
    /// assert_eq!(Fen::parse_yuan("0.10"), Ok(Fen(10)));
    /// assert_eq!(Fen::parse_yuan("66"), Ok(Fen(6600)));
    /// assert_eq!(Fen::parse_yuan("66.0000"), Ok(Fen(6600)));
    /// assert!(Fen::parse_yuan("1.005").is_err() && Fen::parse_yuan(".5").is_err());
    /// ```
    pub fn parse_yuan(text: &str) -> Result<Self, BadAmount> {
        let (yuan, places) = text.split_once('.').unwrap_or((text, "0"));
        let Self(yuan) = Self::parse(yuan)?;
        if places.is_empty() || !places.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadAmount);
        }
        let places: u64 = match places.trim_end_matches('0') {
            "" => 0,
            tenths if tenths.len() == 1 => tenths.parse::<u64>().map_err(|_| BadAmount)? * 10,
            hundredths if hundredths.len() == 2 => hundredths.parse().map_err(|_| BadAmount)?,
            _ => return Err(BadAmount),
        };
        yuan.checked_mul(100).and_then(|fen| fen.checked_add(places)).map(Self).ok_or(BadAmount)
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// WeChat's `fee_type`: an ISO 4217 code, `CNY` unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(ArrayString<8>);

impl Currency {
    /// Reads three to eight capital letters (`fee_type` is a str8); an absent `fee_type` means `CNY`.
    ///
    /// # Errors
    /// If the text is anything else.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        if text.len() < 3 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(BadAmount);
        }
        ArrayString::from(text).map(Self).map_err(|_| BadAmount)
    }

    /// The ISO 4217 code, as `fee_type` has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Default for Currency {
    fn default() -> Self {
        let mut code = ArrayString::new();
        code.push_str("CNY");
        Self(code)
    }
}

/// An amount and what it is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much, in the currency's smallest unit.
    pub fen: Fen,
    /// What the amount is counted in.
    pub currency: Currency,
}

impl fmt::Display for Money {
    /// `66.00 CNY (6600)`, as logs and pages show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fen(fen) = self.fen;
        write!(f, "{}.{:02} {} ({fen})", fen / 100, fen % 100, self.currency.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_that_are_not_plain_decimals_are_refused() {
        for text in ["", "+1", "-1", "1.00", "1e2", " 1", "1 ", "01", "１", "1,000", "9999999999999999"] {
            assert_eq!(Fen::parse(text), Err(BadAmount), "{text:?}");
        }
        for text in ["", ".", "1.", ".1", "1.001", "1.0010", "-1.00", "1e2", "1.0 ", "00.1", "1.+1", "1.00+", "0x1.00"]
        {
            assert_eq!(Fen::parse_yuan(text), Err(BadAmount), "{text:?}");
        }
    }

    #[test]
    fn yuan_become_fen_exactly() {
        for (text, fen) in [("0", 0), ("0.01", 1), ("0.1", 10), ("1.15", 115), ("4.35", 435), ("999999.99", 99_999_999)]
        {
            assert_eq!(Fen::parse_yuan(text), Ok(Fen(fen)), "{text}");
            let with_places = if text.contains('.') { text.to_owned() } else { format!("{text}.") };
            for zeros in ["0", "00", "0000000000"] {
                assert_eq!(Fen::parse_yuan(&format!("{with_places}{zeros}")), Ok(Fen(fen)), "{text} {zeros}");
            }
        }
    }

    #[test]
    fn money_shows_yuan_and_fen() {
        let money = Money { fen: Fen(1205), currency: Currency::default() };
        assert_eq!(money.to_string(), "12.05 CNY (1205)");
    }
}
