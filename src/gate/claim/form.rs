//! Forms and query strings (and the names of cookies): a stricter grammar than any backend's, so that all of them agree
//! on what passes (threats E-01 to E-05).
//!
//! Pairs stand between `&`; empty pairs mean nothing to any program and are let be. Control bytes are refused anywhere,
//! and so is a name whose escapes are broken or escape an escape. The values of fields that are not ours may hold
//! anything else, for instance GBK; where a charset is declared, all of the text must be in it.

use super::charset::Charset;
use super::home::Home;
use super::names::Hit;
use super::occurrences::Occurrences;
use super::value::Value;
use super::{Blank, Unreadable, offset_in};
use crate::domain::reason::Reason;
use crate::gate::path::hex_byte;
use hyper::HeaderMap;
use hyper::header::COOKIE;
use memchr::{memchr, memchr_iter};
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The most pairs of a form; PHP reads a thousand and drops the rest without a word.
const MOST_PAIRS: usize = 256;

/// Takes the claim fields of a form or query string that are at home there, and refuses all others. `charset` is what
/// it is declared to be in, unless that is UTF-8.
pub(super) fn read<'a>(
    occurrences: &mut Occurrences<'_, 'a>,
    text: &'a [u8],
    home: Option<Home>,
    place: &'static str,
    charset: Option<Charset>,
) -> Result<(), Unreadable> {
    if text.iter().fold(false, |control, byte| control | byte.is_ascii_control()) {
        return Err(malformed(format!("{place} has a control character")));
    }
    if memchr_iter(b'&', text).count() >= MOST_PAIRS {
        return Err(malformed(format!("{place} has more than {MOST_PAIRS} pairs")));
    }
    if let Some(charset) = charset {
        charset.decode(text).ok_or_else(|| not_in_charset(place))?;
    }
    let semicolons = memchr(b';', text).is_some();
    for pair in split(text, b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = name_and_value(pair);
        let hit = occurrences.names.find(home, name, |name| decode_name(name, place))?;
        if let Some(hit) = hit {
            occurrences.take(hit, place, Value::Encoded(value))?;
        }
        if let Some(charset) = charset {
            refuse_in(occurrences, charset, pair, place)?;
        }
        if semicolons {
            // Old programs take `a=1;OrderID=2`, and what is left of `&amp;`, for two pairs.
            for inner in split(pair, b';').skip(usize::from(hit.is_some())) {
                if let Some(hit) =
                    occurrences.names.find(None, name_and_value(inner).0, |name| decode_name(name, place))?
                {
                    occurrences.take(hit, place, Value::Other)?;
                }
                if let Some(charset) = charset {
                    refuse_in(occurrences, charset, inner, place)?;
                }
            }
        }
    }
    Ok(())
}

/// Refuses a pair whose escapes stand for no text of the charset, and a name that is a claim field's only in that
/// charset.
fn refuse_in(
    occurrences: &mut Occurrences<'_, '_>,
    charset: Charset,
    pair: &[u8],
    place: &'static str,
) -> Result<(), Unreadable> {
    let (name, value) = name_and_value(pair);
    let (name, value) = (Cow::from(percent_decode(name)), Cow::from(percent_decode(value)));
    let name = charset.decode(&name).zip(charset.decode(&value)).ok_or_else(|| not_in_charset(place))?.0;
    if !name.is_ascii()
        && let Some(hit) = occurrences.names.find(None, name.as_bytes(), |_| Ok(Cow::Borrowed(&*name)))?
    {
        occurrences.take(hit, place, Value::Other)?;
    }
    Ok(())
}

/// Whether a body has what makes JSON or XML of it where a form has its first name.
pub(super) fn begins_otherwise(body: &[u8]) -> bool {
    let (first_name, _) = name_and_value(body);
    first_name.starts_with(b"[") || first_name.iter().any(|byte| b"{<\"".contains(byte))
}

/// Refuses the claim fields that a backend finds which takes another carrier's body for a form, because Content-Type
/// says so: `{"id":"A","note":"&id=B&"}`. What stands before the first `&` has a name that begins as that carrier does.
pub(super) fn refuse(occurrences: &mut Occurrences<'_, '_>, body: &[u8]) -> Result<(), Unreadable> {
    for piece in body.split(|byte| matches!(byte, b'&' | b';')).skip(1) {
        let name = Cow::from(percent_decode(name_and_value(piece).0));
        let name = String::from_utf8_lossy(&name);
        if let Some(Hit::Field(index) | Hit::Variant(index) | Hit::Elsewhere(index)) =
            occurrences.names.find(None, name.as_bytes(), |_| Ok(Cow::Borrowed(&*name)))?
        {
            occurrences.take(Hit::Elsewhere(index), "the form that Content-Type makes of the body", Value::Other)?;
        }
    }
    Ok(())
}

/// Refuses claim fields in the Cookie header, which some backends merge into the parameters (threat E-02).
pub(super) fn read_cookies(occurrences: &mut Occurrences<'_, '_>, headers: &HeaderMap) -> Result<(), Unreadable> {
    for cookies in headers.get_all(COOKIE) {
        for cookie in cookies.as_bytes().split(|byte| matches!(byte, b';' | b',')) {
            let name = name_and_value(cookie).0;
            let hit = occurrences.names.find(None, name, |name| Ok(percent_decode(name).decode_utf8_lossy()))?;
            if let Some(hit) = hit {
                occurrences.take(hit, "the Cookie header", Value::Other)?;
            }
        }
    }
    Ok(())
}

/// Where a field that is absent or empty can be written. `value` is where it stands, if it does.
pub(super) fn blank(in_query: bool, text: &[u8], name: &str, value: Option<&Value<'_>>) -> Blank {
    let (at, before) = match value {
        Some(Value::Encoded(value)) => {
            let at = offset_in(text, value);
            let has_sign = at.checked_sub(1).and_then(|sign| text.get(sign)) == Some(&b'=');
            (at, if has_sign { String::new() } else { "=".to_owned() })
        }
        _ => (text.len(), format!("{}{name}=", if text.is_empty() { "" } else { "&" })),
    };
    Blank { in_query, range: at..at, before, after: String::new() }
}

/// The pieces of `text`, each at its place in it.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let ends = memchr_iter(separator, text).chain([text.len()]);
    ends.scan(0, move |start, end| {
        let piece = text.get(*start..end);
        *start = end + 1;
        piece
    })
}

/// Without a `=` the value is empty, and stands behind the name. Names are too short for a search by many bytes at once.
fn name_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let (name, value) = pair.split_at(end);
    (name, value.get(1..).unwrap_or(value))
}

/// What a name says. Bytes that are not UTF-8 become U+FFFD, which no claim field's name has.
fn decode_name<'a>(name: &'a [u8], place: &str) -> Result<Cow<'a, str>, Unreadable> {
    let mut rest = name;
    while let Some(at) = memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some(&[high, low]) if hex_byte(high, low).is_some_and(|byte| byte != b'%') => {}
            _ => return Err(malformed(format!("{place} has a name with a broken or double percent escape"))),
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    Ok(percent_decode(name).decode_utf8_lossy())
}

fn not_in_charset(place: &str) -> Unreadable {
    malformed(format!("{place} is not in the charset that Content-Type declares"))
}

fn malformed(detail: String) -> Unreadable {
    Unreadable::new(Reason::BodyMalformed, detail)
}
