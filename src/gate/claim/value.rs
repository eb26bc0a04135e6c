//! The values of claim fields, as they stand in a request, and the one grammar they are read by.

use super::strictness::{OrderType, is_exact};
use crate::gate::path::hex_byte;
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

    /// The value of an id. Two large numbers can be one to a backend (threat E-09): `numbers` says which
    /// cannot.
    pub(super) fn id(&self, numbers: OrderType) -> Result<Text, Malformed> {
        match self {
            Self::Number(digits) if numbers.takes(digits) => Text::from(digits).map_err(|_| Malformed),
            Self::Number(_) => Err(Malformed),
            other => other.text(),
        }
    }

    /// The value of a channel field, which may be a small whole number.
    pub(super) fn channel(&self) -> Result<Text, Malformed> {
        match self {
            Self::Number(digits) if is_exact(digits) => Text::from(digits).map_err(|_| Malformed),
            other => other.text(),
        }
    }

    /// The value of an amount.
    pub(super) fn amount(&self) -> Result<Text, Malformed> {
        match self {
            Self::Number(digits) => Text::from(digits).map_err(|_| Malformed),
            other => other.text(),
        }
    }

    fn text(&self) -> Result<Text, Malformed> {
        match self {
            Self::Encoded(bytes) => decode(bytes),
            // Space would make a value that is empty for programs that trim it, and not empty for others.
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Text::from(text).map_err(|_| Malformed)
            }
            Self::Text(_) | Self::Number(_) | Self::Other => Err(Malformed),
        }
    }
}

/// Undoes percent escapes, one layer of them, as every program does. Encoders written by hand escape all but
/// letters and digits. What a value may be made of is for its own grammar to say, and none has a `%` or `+`: an escape
/// of an escape is refused there, and a `+`, which is a space to some, here.
fn decode(bytes: &[u8]) -> Result<Text, Malformed> {
    let mut text = Text::new();
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => bytes.next().zip(bytes.next()).and_then(|(high, low)| hex_byte(high, low)).ok_or(Malformed)?,
            b'+' => return Err(Malformed),
            byte => byte,
        };
        if !byte.is_ascii_graphic() || byte == b'%' {
            return Err(Malformed);
        }
        text.try_push(char::from(byte)).map_err(|_| Malformed)?;
    }
    Ok(text)
}
