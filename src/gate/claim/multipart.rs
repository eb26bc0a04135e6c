//! Claims in `multipart/form-data`. multer reads the parts; what other programs could read differently is refused
//! before (threat E-08).
//!
//! The boundary stands at the beginning, between parts and at the end, and nowhere else, so that a program which takes
//! a bare line feed for a line's end, looks for the boundary in the middle of a line, or reads what stands before the
//! first and behind the last finds the same parts. The head of each part is plain: one Content-Disposition with one
//! name.

use super::charset::{Charset, is_utf8};
use super::home::Home;
use super::names::Hit;
use super::occurrences::Occurrences;
use super::value::Value;
use super::{Blank, Unreadable, offset_in};
use crate::domain::reason::Reason;
use bytes::Bytes;
use futures_util::FutureExt;
use memchr::memmem;
use percent_encoding::percent_decode;
use std::borrow::Cow;
use std::convert::Infallible;
use std::future::ready;

/// The most parts.
const MOST_PARTS: usize = 256;

/// The longest head of a part, and the most fields in it.
const LONGEST_HEAD: usize = 4096;
const MOST_FIELDS: usize = 16;

const PLACE: &str = "the body";

/// A part as it stands in the body.
struct Part<'a> {
    name: &'a [u8],
    content: &'a [u8],
    /// It is a file, or is more than a text to some programs.
    is_plain: bool,
}

/// Takes the claim fields of a body.
pub(super) fn read<'a>(
    occurrences: &mut Occurrences<'_, 'a>,
    body: &'a Bytes,
    boundary: &str,
) -> Result<(), Unreadable> {
    let parts = parts(body, &format!("--{boundary}"))?;
    if !is_read_alike(body, boundary, &parts) {
        return Err(malformed("has parts that are not well-formed"));
    }
    for Part { name, content, is_plain } in parts {
        let lossy = |name: &'a [u8]| Ok(String::from_utf8_lossy(name));
        let hit = occurrences.names.find(Some(Home::Body), name, lossy)?;
        // Browsers escape a quote in a name, so some programs undo escapes there.
        let unescaped = Cow::from(percent_decode(name));
        let unescaped = String::from_utf8_lossy(&unescaped);
        let hidden = occurrences.names.find(None, unescaped.as_bytes(), |_| Ok(Cow::Borrowed(&*unescaped)))?;
        match (hit, hidden) {
            (Some(hit), _) => {
                let text = if is_plain { std::str::from_utf8(content).ok() } else { None };
                occurrences.take(hit, PLACE, text.map_or(Value::Other, |text| Value::Text(Cow::Borrowed(text))))?;
            }
            (None, Some(Hit::Field(index) | Hit::Variant(index) | Hit::Elsewhere(index))) => {
                occurrences.take(Hit::Variant(index), PLACE, Value::Other)?;
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Where a field that is absent or empty can be written.
pub(super) fn blank(body: &[u8], boundary: &str, name: &str, value: Option<&Value<'_>>) -> Option<Blank> {
    let (at, before, after) = match value {
        Some(Value::Text(text)) => (offset_in(body, text.as_bytes()), String::new(), String::new()),
        Some(_) => return None,
        None => {
            let before = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            (memmem::rfind(body, format!("--{boundary}--").as_bytes())?, before, "\r\n".to_owned())
        }
    };
    Some(Blank { in_query: false, range: at..at, before, after })
}

/// Cuts a body at its boundaries.
fn parts<'a>(body: &'a [u8], delimiter: &str) -> Result<Vec<Part<'a>>, Unreadable> {
    // A program that writes a line end before each boundary writes one before the first; no reader takes it for a part.
    let start = body.strip_prefix(b"\r\n").unwrap_or(body);
    let mut rest =
        start.strip_prefix(delimiter.as_bytes()).ok_or_else(|| malformed("does not begin with its boundary"))?;
    let mut parts = Vec::new();
    let delimiters = memmem::Finder::new(delimiter);
    loop {
        if matches!(rest, b"--" | b"--\r\n") {
            return Ok(parts);
        }
        let part =
            rest.strip_prefix(b"\r\n").ok_or_else(|| malformed("has something else in a line of its boundary"))?;
        let end = delimiters.find(part).ok_or_else(|| malformed("does not end with its boundary"))?;
        let (part, behind) = part.split_at_checked(end).unwrap_or_default();
        let part = part.strip_suffix(b"\r\n").ok_or_else(|| malformed("has its boundary in the middle of a line"))?;
        if parts.len() == MOST_PARTS {
            return Err(malformed(format!("has more than {MOST_PARTS} parts")));
        }
        parts.push(Part::read(part)?);
        rest = behind.get(delimiter.len()..).unwrap_or_default();
    }
}

/// Whether multer, which knows nothing of what was found here, finds the same parts. The body is all there, so that it
/// never waits.
fn is_read_alike(body: &Bytes, boundary: &str, parts: &[Part<'_>]) -> bool {
    let stream = futures_util::stream::once(ready(Ok::<_, Infallible>(body.clone())));
    let mut multipart = multer::Multipart::new(stream, boundary);
    let all_alike = async {
        for part in parts {
            let Ok(Some(field)) = multipart.next_field().await else { return false };
            let name = std::str::from_utf8(part.name).ok();
            if field.name() != name || part.is_plain && field.file_name().is_some() {
                return false;
            }
            if !field.bytes().await.is_ok_and(|content| content == part.content) {
                return false;
            }
        }
        matches!(multipart.next_field().await, Ok(None))
    };
    all_alike.now_or_never().unwrap_or(false)
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Result<Self, Unreadable> {
        let end = memmem::find(part, b"\r\n\r\n").filter(|end| *end <= LONGEST_HEAD);
        let end = end.ok_or_else(|| malformed("has a part without a head, or with a long one"))?;
        let (head, content) = part.split_at_checked(end).unwrap_or_default();
        let content = content.get(4..).unwrap_or_default();
        let mut disposition = None;
        let mut is_plain = true;
        for (count, line) in split_lines(head).enumerate() {
            let (name, value) = field(line).filter(|_| count < MOST_FIELDS).ok_or_else(odd_head)?;
            if name.eq_ignore_ascii_case(b"content-disposition") {
                let read = Disposition::read(value).ok_or_else(odd_head)?;
                is_plain &= !read.is_file;
                if disposition.replace(read).is_some() {
                    return Err(odd_head());
                }
            } else if name.eq_ignore_ascii_case(b"content-type") {
                is_plain &= is_plain_text(value);
                if value.to_ascii_lowercase().starts_with(b"multipart") {
                    return Err(malformed("has parts within a part"));
                }
            } else if name.eq_ignore_ascii_case(b"content-length") {
                if value != content.len().to_string().as_bytes() {
                    return Err(malformed("has a part of another length than its head says"));
                }
            } else {
                // A transfer encoding, above all.
                is_plain = false;
            }
        }
        let Disposition { name, .. } = disposition.ok_or_else(|| malformed("has a part without a name"))?;
        if name == b"_charset_" {
            return Err(malformed("has a part that names a charset for the others"));
        }
        // Tomcat decodes `=?utf-8?Q?OrderID?=` in a name.
        if memmem::find(name, b"=?").is_some() {
            return Err(odd_head());
        }
        Ok(Self { name, content, is_plain })
    }
}

/// The lines of a head.
fn split_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let here = rest?;
        let (line, behind) = match memmem::find(here, b"\r\n") {
            Some(end) => (here.get(..end)?, here.get(end + 2..)),
            None => (here, None),
        };
        rest = behind;
        Some(line)
    })
}

/// Name and value of a field of a head, without what programs disagree about: folded lines, control characters, blanks
/// around the name.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let has_control = value.iter().any(u8::is_ascii_control);
    (is_name && !has_control).then(|| (name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Whether a part of this Content-Type is a text that is read as it stands, if it is ASCII.
fn is_plain_text(value: &[u8]) -> bool {
    let Ok(value) = std::str::from_utf8(value) else { return false };
    let (media_type, parameter) = value.split_once(';').unwrap_or((value, ""));
    let charset = parameter.trim().split_once('=').map(|(name, charset)| (name, charset.trim_matches('"')));
    let is_superset = match charset {
        Some((name, charset)) => {
            name.eq_ignore_ascii_case("charset") && (is_utf8(charset) || Charset::named(charset).is_some())
        }
        None => parameter.trim().is_empty(),
    };
    media_type.trim().eq_ignore_ascii_case("text/plain") && is_superset
}

/// What a Content-Disposition says.
struct Disposition<'a> {
    name: &'a [u8],
    is_file: bool,
}

impl<'a> Disposition<'a> {
    /// `None` for one that says the same twice, or has an escape, or anything but a name and the name of a file.
    fn read(value: &'a [u8]) -> Option<Self> {
        let (kind, mut rest) = value.split_at_checked("form-data".len())?;
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return None;
        }
        let (mut name, mut file, mut coded_file) = (None, None, None);
        while !rest.is_empty() {
            let parameter = rest.trim_ascii_start().strip_prefix(b";")?.trim_ascii_start();
            let (key, value) = parameter.split_at_checked(memchr::memchr(b'=', parameter)?)?;
            let is_coded = key.eq_ignore_ascii_case(b"filename*");
            let (value, behind) = parameter_value(value.get(1..)?, is_coded)?;
            let seen = match key {
                _ if key.eq_ignore_ascii_case(b"name") => &mut name,
                _ if key.eq_ignore_ascii_case(b"filename") => &mut file,
                _ if is_coded => &mut coded_file,
                _ => return None,
            };
            if seen.replace(value).is_some() {
                return None;
            }
            rest = behind;
        }
        Some(Self { name: name?, is_file: file.is_some() || coded_file.is_some() })
    }
}

/// A quoted text without escapes, or a token, and what stands behind it. A quoted text has no `;`, at which blunt
/// readers cut it. A token has no `'`, which PHP takes for a quote, but for the two of a coded one: `UTF-8''%E5%9B%BE`.
fn parameter_value(text: &[u8], is_coded: bool) -> Option<(&[u8], &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let (value, behind) = quoted.split_at_checked(memchr::memchr(b'"', quoted)?)?;
        let is_plain = !value.ends_with(b"\\") && !value.contains(&b';');
        return is_plain.then(|| (value, behind.get(1..).unwrap_or_default()));
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.%'".contains(byte);
    let end = text.iter().position(|byte| !is_token(byte)).unwrap_or(text.len());
    let (value, behind) = text.split_at_checked(end)?;
    let quotes = value.iter().filter(|byte| **byte == b'\'').count();
    (!value.is_empty() && quotes == if is_coded { 2 } else { 0 }).then_some((value, behind))
}

fn odd_head() -> Unreadable {
    malformed("has a part whose head is not plain")
}

fn malformed(what: impl std::fmt::Display) -> Unreadable {
    Unreadable::new(Reason::BodyMalformed, format!("the multipart body {what}"))
}
