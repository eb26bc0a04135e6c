//! Claims in flat XML. `net::xml` has refused what is not flat; here values are held to one text run, because the
//! old DOM readers take the first run for all.

use super::hidden;
use super::home::Home;
use super::occurrences::Occurrences;
use super::value::Value;
use super::{Blank, Unreadable, offset_in};
use crate::domain::reason::Reason;
use crate::net::xml::Fields;
use memchr::memmem;
use std::borrow::Cow;

/// Reads a document.
pub(super) fn parse(body: &[u8]) -> Result<Fields<'_>, Unreadable> {
    Fields::read(body).map_err(|error| Unreadable::new(Reason::BodyMalformed, format!("the XML {error}")))
}

/// Takes the claim fields of a document.
pub(super) fn read<'a>(
    occurrences: &mut Occurrences<'_, 'a>,
    body: &[u8],
    fields: &'a Fields<'_>,
) -> Result<(), Unreadable> {
    for (name, value) in &fields.0 {
        if let Some(hit) = occurrences.names.find(Some(Home::Body), name.as_bytes(), |_| Ok(Cow::Borrowed(name)))? {
            let whole = value.is_empty() || matches!(value, Cow::Borrowed(text) if is_whole(body, text));
            occurrences.take(hit, "the XML", if whole { Value::Text(Cow::Borrowed(value)) } else { Value::Other })?;
        }
    }
    hidden::refuse(occurrences.names, fields)
}

/// Whether this part of the document is all that stands between two tags, but for one pair of CDATA marks.
fn is_whole(body: &[u8], text: &str) -> bool {
    let start = offset_in(body, text.as_bytes());
    let Some((before, rest)) = body.split_at_checked(start) else { return false };
    let after = rest.get(text.len()..).unwrap_or_default();
    let (before, after) = match (before.strip_suffix(b"<![CDATA["), after.strip_prefix(b"]]>")) {
        (Some(before), Some(after)) => (before, after),
        _ => (before, after),
    };
    before.ends_with(b">") && !before.ends_with(b"]]>") && after.starts_with(b"</")
}

/// Where a field that is absent or empty can be written.
pub(super) fn blank(body: &[u8], name: &str, is_absent: bool) -> Option<Blank> {
    let range = if is_absent {
        let end = memmem::rfind(body, b"</xml")?;
        end..end
    } else {
        let start = find_tag(body, &format!("<{name}"))?;
        let tag_end = start + memchr::memchr(b'>', body.get(start..)?)? + 1;
        let is_closed = body.get(..tag_end)?.ends_with(b"/>");
        let end = if is_closed {
            tag_end
        } else {
            let close = tag_end + find_tag(body.get(tag_end..)?, &format!("</{name}"))?;
            close + memchr::memchr(b'>', body.get(close..)?)? + 1
        };
        start..end
    };
    Some(Blank { in_query: false, range, before: format!("<{name}>"), after: format!("</{name}>") })
}

/// The first tag of this name outside CDATA. In a flat document nothing else begins with `<`.
fn find_tag(body: &[u8], tag: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'<', body.get(at..)?)?;
        let rest = body.get(at..)?;
        if rest.starts_with(b"<![CDATA[") {
            at += memmem::find(rest, b"]]>")?;
        } else if rest.strip_prefix(tag.as_bytes()).and_then(<[u8]>::first).is_some_and(|next| is_name_end(*next)) {
            return Some(at);
        } else {
            at += 1;
        }
    }
}

fn is_name_end(byte: u8) -> bool {
    matches!(byte, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n')
}
