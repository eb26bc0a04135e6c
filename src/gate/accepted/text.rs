//! The bytes of an answer as text, whatever they are coded in: only what is ASCII matters, and that is the same in
//! every coding that order systems use but UTF-16.

use std::borrow::Cow;

/// What stands in a text for bytes that are no UTF-8.
const UNKNOWN: char = '\u{fffd}';

/// How much of a text is shown.
const SHOWN: usize = 80;

/// A blank of Unicode, or a byte order mark: each file of PHP or ASP that was saved with one sends it.
pub(super) const fn is_around(character: char) -> bool {
    character.is_whitespace() || character == '\u{feff}'
}

/// UTF-8, if the bytes begin with a mark of UTF-16 and are that; otherwise the bytes.
pub(super) fn out_of_utf16(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (of, rest): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        _ => return Cow::Borrowed(bytes),
    };
    let (units, odd) = rest.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().map(|unit| of(*unit))).collect();
    match text {
        Ok(text) if odd.is_empty() => Cow::Owned(text.into_bytes()),
        _ => Cow::Borrowed(bytes),
    }
}

/// Without blanks and marks at both ends.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_matches(is_around).as_bytes(),
        Err(_) => bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii(),
    }
}

/// A text whose ASCII is that of the bytes, without blanks and marks at both ends. Of GBK, Big5 and their like the
/// second byte of a character may be a backslash, which would hide what follows it.
pub(super) fn legible(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = trimmed(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    let mut is_begun = false;
    for byte in bytes.iter().copied() {
        // In GB18030 the second of four bytes is a digit, and the third begins as the first does.
        let is_second = is_begun && matches!(byte, b'0'..=b'9' | 0x40..=0xfe);
        let is_hiding = is_second && byte == b'\\';
        text.push(if byte.is_ascii() && !is_hiding { char::from(byte) } else { UNKNOWN });
        // A byte that ends a character begins none.
        is_begun = !is_second && !byte.is_ascii();
    }
    Cow::Owned(text)
}

/// The beginning of a text, in quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", short(text))
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
