//! The plainest of flat XML, as programs write it: no declaration, no reference, one run of text or one CDATA section
//! in each field. Most documents are nothing else, and one pass over them costs a tenth of a parser.
//!
//! It judges nothing. What it does not take at once is the parser's to read or to refuse, and what it takes the parser
//! reads alike.

use super::{Fields, is_space};
use crate::net::byte_set::ByteSet;
use memchr::memchr;
use std::borrow::Cow;

const CDATA: &str = "<![CDATA[";
const CDATA_END: &str = "]]>";

/// The fields of a document of this root, names perhaps twice; `None` if the document is not that plain.
pub(super) fn scan<'b>(root: &str, text: &'b str) -> Option<Vec<(&'b str, Cow<'b, str>)>> {
    let mut rest = text.strip_prefix('<')?.strip_prefix(root)?.strip_prefix('>')?;
    let mut fields = Vec::with_capacity(24);
    loop {
        rest = behind_space(rest).strip_prefix('<')?;
        if let Some(end) = rest.strip_prefix('/') {
            let behind = end.strip_prefix(root)?.strip_prefix('>')?;
            return behind_space(behind).is_empty().then_some(fields);
        }
        if fields.len() == Fields::MOST {
            return None;
        }
        let (name, value, behind) = field(rest)?;
        fields.push((name, Cow::Borrowed(value)));
        rest = behind;
    }
}

/// Name and value of the field whose `<` was just read, and what stands behind it.
fn field(rest: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = name(rest)?;
    let (value, rest) = match rest.strip_prefix(CDATA) {
        Some(rest) => cdata(rest)?,
        None => plain_text(rest)?,
    };
    Some((name, value, rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?))
}

/// A name of ASCII up to the `>` behind it.
fn name(rest: &str) -> Option<(&str, &str)> {
    let bytes = rest.as_bytes();
    let end = bytes.iter().position(|byte| !NAME_BYTES.has(*byte))?;
    let is_start = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    if bytes.get(end) != Some(&b'>') || !bytes.first().is_some_and(is_start) {
        return None;
    }
    Some((rest.get(..end)?, rest.get(end + 1..)?))
}

/// A section's text, and what stands behind the section.
fn cdata(rest: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let end = from + memchr(b']', rest.as_bytes().get(from..)?)?;
        if let Some(behind) = rest.get(end..)?.strip_prefix(CDATA_END) {
            return Some((rest.get(..end)?, behind));
        }
        from = end + 1;
    }
}

/// Text up to the next tag. A `]` could end a section that was not begun.
fn plain_text(rest: &str) -> Option<(&str, &str)> {
    let end = rest.bytes().position(|byte| matches!(byte, b'<' | b'&' | b']'))?;
    Some((rest.get(..end)?, rest.get(end..)?))
}

fn behind_space(rest: &str) -> &str {
    let space = rest.bytes().position(|byte| !is_space(byte)).unwrap_or(rest.len());
    rest.get(space..).unwrap_or_default()
}

/// Which bytes a name is made of here.
static NAME_BYTES: ByteSet = ByteSet::alphanumeric_and(b"_-.");

#[cfg(test)]
mod tests;
