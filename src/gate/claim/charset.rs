//! The charsets that a form may declare beside UTF-8: supersets of ASCII, so that a claim of ASCII is the same text in
//! each of them (threat E-06).
//!
//! In GBK, GB18030 and Big5 the second byte of a character can be an ASCII letter, `@`, `[`, `\`, `_` and the like
//! (0x40 to 0x7E), in GB18030 also a digit (0x30 to 0x39). None of them can be `&` (0x26), `=` (0x3D), `;` (0x3B), `%`
//! (0x25) or `+` (0x2B): whether a program splits bytes or characters, it finds the same pairs and the same escapes.
//! That holds for text that is whole. A first byte without its second swallows an `&` for some programs and not for
//! others; so all of a body has to decode without a replacement, as it stands and with its escapes undone.

use encoding_rs::{BIG5, Encoding, GB18030, GBK, WINDOWS_1252};
use std::borrow::Cow;

/// A superset of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    /// Nothing but ASCII.
    Ascii,
    /// One of [`SUPERSETS`].
    Superset(&'static Encoding),
}

/// `iso-8859-1` is another name of windows-1252, and `gb2312` of GBK, to all who follow the WHATWG's list.
const SUPERSETS: [&Encoding; 4] = [WINDOWS_1252, GBK, GB18030, BIG5];

/// The names of ASCII itself, which the WHATWG's list takes for windows-1252.
const ASCII: [&str; 3] = ["us-ascii", "ascii", "ansi_x3.4-1968"];

impl Charset {
    /// The charset of this name, in any case, if a form may be in it.
    pub(super) fn named(name: &str) -> Option<Self> {
        if ASCII.iter().any(|ascii| ascii.eq_ignore_ascii_case(name)) {
            return Some(Self::Ascii);
        }
        // The list's own reader takes blanks around a name; others do not.
        let encoding = Encoding::for_label(name.as_bytes()).filter(|_| name.trim() == name)?;
        SUPERSETS.contains(&encoding).then_some(Self::Superset(encoding))
    }

    /// What the bytes say; `None` if they are not in this charset.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Superset(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
            Self::Ascii => std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed),
        }
    }
}

/// Whether this is a name of UTF-8, in any case.
pub(super) fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supersets_of_ascii_are_known_by_all_their_names_and_nothing_else_is() {
        for name in [
            "iso-8859-1",
            "ISO-8859-1",
            "latin1",
            "windows-1252",
            "cp1252",
            "us-ascii",
            "gbk",
            "GBK",
            "gb2312",
            "gb18030",
            "big5",
            "Big5",
        ] {
            assert!(Charset::named(name).is_some(), "{name}");
        }
        for name in [
            "utf-16",
            "utf-16le",
            "utf-7",
            "utf-32",
            "iso-2022-jp",
            "iso-2022-cn",
            "hz-gb-2312",
            "replacement",
            "x-user-defined",
            "shift_jis",
            "euc-jp",
            "euc-kr",
            "ibm037",
            "iso-8859-8-i",
            "",
            " gbk",
            "nonsense",
        ] {
            assert_eq!(Charset::named(name), None, "{name}");
        }
    }

    /// The argument at the top of this file, tried on all pairs of bytes.
    #[test]
    fn no_second_byte_is_one_that_forms_are_split_at() {
        for encoding in SUPERSETS {
            let charset = Charset::Superset(encoding);
            for first in 0x80..=0xff_u8 {
                for second in *b"&=;%+\0" {
                    let pair = [first, second];
                    let is_apart = |text: &str| text.ends_with(char::from(second)) && text.chars().count() == 2;
                    assert!(charset.decode(&pair).is_none_or(|text| is_apart(&text)), "{encoding:?} {pair:?}");
                    for third in 0x81..=0xfe_u8 {
                        let four = [first, b'0', third, second];
                        let text = charset.decode(&four);
                        assert!(text.is_none_or(|text| text.ends_with(char::from(second))), "{encoding:?} {four:?}");
                    }
                }
            }
        }
    }
}
