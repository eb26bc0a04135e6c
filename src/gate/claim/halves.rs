//! Half a character in JSON: `\ud83e` without the escape that makes an emoji of it. Programs that cut texts to a length
//! in UTF-16 write it, parsers read it as one thing or another, and in a text that claims nothing it misleads no
//! program.

use memchr::memchr;
use std::borrow::Cow;

/// What a half is read as. It is as long as its escape, so that everything stands where it stood; no claim may have it,
/// and no program writes it.
pub(super) const HALF: char = '\u{fdd0}';

const HALF_AS_TEXT: &str = "\\ufdd0";

/// The document with [`HALF`] for each half of a character.
pub(super) fn replaced(text: &str) -> Cow<'_, str> {
    let mut replaced = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(escape) = text.get(at..).and_then(|rest| memchr(b'\\', rest.as_bytes())) {
        let start = at + escape;
        let rest = text.as_bytes().get(start..).unwrap_or_default();
        at = start
            + match (unit(rest), rest.get(6..).and_then(unit)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
                (Some(0xd800..=0xdfff), _) => {
                    replaced.to_mut().replace_range(start..start + 6, HALF_AS_TEXT);
                    6
                }
                // A backslash and what it escapes, which may be another one.
                _ => 1 + text.get(start + 1..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8),
            };
    }
    replaced
}

/// What `\uXXXX` at the beginning stands for.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_nothing_else_is() {
        for (text, expected) in [
            (r#"{"a":"ok \ud83e"}"#, r#"{"a":"ok \ufdd0"}"#),
            (r#"{"a":"\uDC00x\uD800"}"#, r#"{"a":"\ufdd0x\ufdd0"}"#),
            (r#"{"a":"\ud83e\ud83e\udd14"}"#, r#"{"a":"\ufdd0\ud83e\udd14"}"#),
            (r#"{"a":"\ud83e","b":"\udd14"}"#, r#"{"a":"\ufdd0","b":"\ufdd0"}"#),
            (r#"{"a":"\\\ud83e"}"#, r#"{"a":"\\\ufdd0"}"#),
        ] {
            assert_eq!(replaced(text), expected);
            assert_eq!(replaced(text).len(), text.len());
        }
        for text in [
            r#"{"a":"\ud83e\udd14\u00e9\n\\ud83e \\\\ud83e"}"#,
            r#"{"a":"\u"}"#,
            r#"{"a":"\ud83"}"#,
            "\\",
            "\\é",
            "",
            "x",
        ] {
            assert!(matches!(replaced(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
