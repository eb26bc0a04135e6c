//! The values of claim fields, as they stand in a request, and the one grammar they are read by.

use super::hex_byte;
use arrayvec::ArrayString;
use std::borrow::Cow;

/// A claim field's value. None of it was trimmed, folded or decoded with loss.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    /// From a form, a query string or a path, where `%` escapes.
    Encoded(&'a [u8]),
    /// Text as it is meant.
    Text(Cow<'a, str>),
    /// A JSON number, digit for digit.
    Number(&'a str),
    /// What no claim field may be: a JSON object, bytes that are not text, XML that two parsers read differently.
    Other,
}

/// The longest value of a claim field: an order id, a channel or an amount has no more.
const LONGEST: usize = 64;

/// A short text.
pub(super) type Text = ArrayString<LONGEST>;

/// A value outside the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Value<'_> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Encoded(bytes) => bytes.is_empty(),
            Self::Text(text) => text.is_empty(),
            Self::Number(_) | Self::Other => false,
        }
    }

    /// The value of an id. A number is none: two of them can be one double (threat E-09).
    pub(super) fn id(&self) -> Result<Text, Malformed> {
        match self {
            Self::Encoded(bytes) => decode(bytes),
            // Space would make a value that is empty for those who trim it, and not empty for others.
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Text::from(text).map_err(|_| Malformed)
            }
            Self::Text(_) | Self::Number(_) | Self::Other => Err(Malformed),
        }
    }

    /// The value of a channel field, which may be a small whole number.
    pub(super) fn channel(&self) -> Result<Text, Malformed> {
        match self {
            Self::Number(digits) if digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Text::from(digits).map_err(|_| Malformed)
            }
            other => other.id(),
        }
    }

    /// The value of an amount.
    pub(super) fn amount(&self) -> Result<Text, Malformed> {
        match self {
            Self::Number(digits) => Text::from(digits).map_err(|_| Malformed),
            other => other.id(),
        }
    }
}

/// Undoes the escapes that standard encoders put into ids (`|`, `*`, `@`, and the `/` of a channel), which every
/// program decodes alike. Any other escape, a `+` for a space, and what is not plain ASCII is refused.
fn decode(bytes: &[u8]) -> Result<Text, Malformed> {
    let mut text = Text::new();
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => match bytes.next().zip(bytes.next()).and_then(|(high, low)| hex_byte(high, low)) {
                Some(byte @ (b'|' | b'*' | b'@' | b'/')) => byte,
                _ => return Err(Malformed),
            },
            b'+' => return Err(Malformed),
            byte if byte.is_ascii_graphic() => byte,
            _ => return Err(Malformed),
        };
        text.try_push(char::from(byte)).map_err(|_| Malformed)?;
    }
    Ok(text)
}
