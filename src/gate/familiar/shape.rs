//! What the order numbers of a channel look like: of each length, which kinds of characters stand where, and which
//! letters are always the same.

use crate::domain::order::OutTradeNo;

const DIGIT: u8 = 1;
const UPPER: u8 = 2;
const LOWER: u8 = 4;
const SIGN: u8 = 8;

/// Stands where more than one letter was seen; no number has this byte.
const SEVERAL: u8 = 0;

/// What stood at one place of the numbers of one length. One digit is like another; a letter or sign is itself until
/// there was another.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// The kinds of characters that were there.
    kinds: u8,
    /// The letter or sign that was there.
    letter: Option<u8>,
}

/// What numbers of one length have in common. A fixed size, however many there were.
#[derive(Debug, Clone)]
pub struct Shape {
    places: Vec<Place>,
}

impl Shape {
    /// The shape of one number.
    #[must_use]
    pub fn of(number: &OutTradeNo) -> Self {
        let mut shape = Self { places: vec![Place::default(); number.as_str().len()] };
        shape.learn(number);
        shape
    }

    /// This number is one of them too; it has their length.
    pub fn learn(&mut self, number: &OutTradeNo) {
        for (place, byte) in self.places.iter_mut().zip(number.as_str().bytes()) {
            place.kinds |= kind(byte);
            if kind(byte) != DIGIT {
                let same = place.letter.is_none_or(|letter| letter == byte);
                place.letter = Some(if same { byte } else { SEVERAL });
            }
        }
    }

    /// Whether a number looks like them.
    #[must_use]
    pub fn fits(&self, number: &OutTradeNo) -> bool {
        let fits = |(place, byte): (&Place, u8)| {
            let kind = kind(byte);
            let known = kind == DIGIT || place.letter.is_some_and(|letter| letter == byte || letter == SEVERAL);
            place.kinds & kind != 0 && known
        };
        self.places.len() == number.as_str().len() && self.places.iter().zip(number.as_str().bytes()).all(fits)
    }
}

const fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'A'..=b'Z' => UPPER,
        b'a'..=b'z' => LOWER,
        _ => SIGN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> OutTradeNo {
        OutTradeNo::parse(text).unwrap()
    }

    fn learnt(numbers: &[&str]) -> Shape {
        let mut shape = Shape::of(&number(numbers[0]));
        numbers.iter().for_each(|text| shape.learn(&number(text)));
        shape
    }

    #[test]
    fn a_number_fits_by_length_kinds_and_the_letters_that_are_always_the_same() {
        let dated: &[&str] = &["SHOP20261130-0001", "SHOP20261129-7777"];
        let hex: &[&str] = &["a0f", "0b1", "c9c"];
        for (numbers, other, fits) in [
            (dated, "SHOP20270101-1234", true),
            (dated, "SHOP20270101-12345", false),
            (dated, "SHOQ20270101-1234", false),
            (dated, "SHOP20270101_1234", false),
            (dated, "SHOP2027010A-1234", false),
            (dated, "shop20270101-1234", false),
            (hex, "e5d", true),
            (hex, "555", true),
            (hex, "5_5", false),
            (hex, "eAd", false),
        ] {
            assert_eq!(learnt(numbers).fits(&number(other)), fits, "{numbers:?} {other}");
        }
    }

    proptest! {
        #[test]
        fn what_was_learnt_fits_and_goes_on_fitting(numbers in prop::collection::vec("[0-9A-Za-z_|*@-]{12}", 1..40)) {
            let mut shape = Shape::of(&number(&numbers[0]));
            for (count, text) in numbers.iter().enumerate() {
                shape.learn(&number(text));
                for known in &numbers[..=count] {
                    prop_assert!(shape.fits(&number(known)), "{} in {:?}", known, shape);
                }
            }
        }

        #[test]
        fn one_number_tells_what_all_of_its_series_look_like(
            prefix in "[A-Z]{0,6}", digits in 4_usize..20, serials in prop::collection::vec(0_u64..10_000, 2..10),
        ) {
            let numbers: Vec<_> = serials.iter().map(|serial| number(&format!("{prefix}{serial:0digits$}"))).collect();
            let shape = Shape::of(&numbers[0]);
            prop_assert!(numbers.iter().all(|number| shape.fits(number)));
        }
    }
}
