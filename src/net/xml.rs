//! A strict reader and writer for flat XML, as WeChat Pay API v2 sends it, because a document that two parsers read
//! differently could be confirmed as one order and booked as another. It knows no field by name.
//!
//! What passes is plain: `<xml>`, below it elements with text or CDATA, unique names, nothing else. Everything that
//! lenient and full parsers treat differently is refused (threats E-11, E-12).

mod plain;

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use std::borrow::Cow;

/// The elements below `<xml>`, in document order, names unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'b>(pub Vec<(&'b str, Cow<'b, str>)>);

/// Why a document is not flat XML. None of it quotes the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Bytes that are not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A byte order mark in front.
    #[error("begins with a byte order mark")]
    ByteOrderMark,
    /// A character that XML does not allow, literally or as a reference.
    #[error("has a character that XML does not allow")]
    Character,
    /// An XML declaration other than version 1.0 in UTF-8, or not at the very beginning.
    #[error("has an XML declaration other than version 1.0, UTF-8, at the beginning")]
    Declaration,
    /// A document type, internal or external.
    #[error("has a document type")]
    Doctype,
    /// A comment.
    #[error("has a comment")]
    Comment,
    /// A processing instruction.
    #[error("has a processing instruction")]
    Instruction,
    /// The root is not `<xml>`, or what else was wanted, or there is none.
    #[error("has a root other than <xml>")]
    Root,
    /// An attribute, namespace declarations included.
    #[error("has an attribute")]
    Attribute,
    /// A namespace prefix.
    #[error("has a namespace prefix")]
    Prefix,
    /// An element within a field.
    #[error("has an element within a field")]
    Nested,
    /// A name twice.
    #[error("has a field twice")]
    Duplicate,
    /// More than [`Fields::MOST`] elements.
    #[error("has more than {} fields", Fields::MOST)]
    TooMany,
    /// Text, CDATA or a reference outside the fields.
    #[error("has text between fields")]
    TextBetween,
    /// A reference to anything but a character or one of the five predefined entities.
    #[error("has an entity other than the predefined ones")]
    Entity,
    /// The document ends before the root does.
    #[error("is cut off")]
    CutOff,
    /// Anything but white space behind the root.
    #[error("has something behind the root")]
    Behind,
    /// No XML at all.
    #[error("is not well-formed")]
    Malformed,
}

impl<'b> Fields<'b> {
    /// The most fields a document may have. WeChat Pay sends about 17, and three more for each coupon.
    pub const MOST: usize = 200;

    /// Reads a whole document. Values are as they were written: nothing is trimmed, line ends included.
    ///
    /// # Errors
    /// If it is anything but the flat XML described above.
    pub fn read(body: &'b [u8]) -> Result<Self, XmlError> {
        Self::read_below("xml", body)
    }

    /// Reads flat XML below a root of this name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_below(root: &'static str, body: &'b [u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(body).map_err(|_| XmlError::NotUtf8)?;
        if text.starts_with('\u{feff}') {
            return Err(XmlError::ByteOrderMark);
        }
        // Without an early end, which would be rare, the compiler looks at many bytes at once.
        let control =
            text.bytes().fold(false, |found, byte| found | (byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n')));
        let may_have_a_noncharacter = memchr::memchr(NONCHARACTER_START, body).is_some();
        if control || (may_have_a_noncharacter && text.contains(['\u{fffe}', '\u{ffff}'])) {
            return Err(XmlError::Character);
        }
        let fields = plain::scan(root, text).map_or_else(|| Document::read(root, text), Ok)?;
        require_unique(&fields)?;
        Ok(Self(fields))
    }

    /// The value of the field of this name; `None` if there is none, `Some("")` if it is empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(field, value)| (field == name).then_some(value))
    }

    /// The value of the field of this name, unless it is empty: API v2 makes no difference between absent and empty.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Names and values in document order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_ref()))
    }
}

/// Writes `fields` in WeChat Pay's layout: an element a line, values in CDATA. Names must be names of XML elements.
pub fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    write_with_bare(fields, "")
}

/// As [`write`](fn@write), but the value of the field called `bare` stands without CDATA, if it is a number.
pub fn write_with_bare<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, bare: &str) -> String {
    let mut text = String::with_capacity(512);
    text.push_str("<xml>");
    for (name, value) in fields {
        let is_bare = name == bare && value.bytes().all(|byte| byte.is_ascii_digit());
        let (before, after) = if is_bare { ("", "") } else { ("<![CDATA[", "]]>") };
        for piece in ["<", name, ">", before] {
            text.push_str(piece);
        }
        if value.contains("]]>") {
            text.push_str(&value.replace("]]>", "]]]]><![CDATA[>"));
        } else {
            text.push_str(value);
        }
        for piece in [after, "</", name, ">\n"] {
            text.push_str(piece);
        }
    }
    text.push_str("</xml>");
    text
}

/// How many bytes end a tag behind its content: `>` and `/>`.
const START: usize = 1;
const EMPTY: usize = 2;

/// The first byte of U+FFFE and U+FFFF, which XML does not allow, and of little else.
const NONCHARACTER_START: u8 = 0xef;

/// A document on its way through the reader.
struct Document<'b> {
    root: &'static str,
    text: &'b str,
    events: Reader<&'b [u8]>,
}

impl<'b> Document<'b> {
    /// The fields below the root, names perhaps twice.
    fn read(root: &'static str, text: &'b str) -> Result<Vec<(&'b str, Cow<'b, str>)>, XmlError> {
        let mut document = Self { root, text, events: Reader::from_str(text) };
        let fields = if document.open()? { document.children()? } else { Vec::new() };
        document.close()?;
        Ok(fields)
    }

    /// Reads up to the root; whether it has content.
    fn open(&mut self) -> Result<bool, XmlError> {
        loop {
            let at_beginning = self.events.buffer_position() == 0;
            match self.next()? {
                Event::Decl(declaration) if at_beginning => check_declaration(&declaration)?,
                Event::Text(text) if text.bytes().all(is_space) => {}
                Event::Start(tag) => return self.root(&tag, START).map(|()| true),
                Event::Empty(tag) => return self.root(&tag, EMPTY).map(|()| false),
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) | Event::Eof => return Err(XmlError::Root),
                other => return Err(refusal(&other)),
            }
        }
    }

    fn root(&self, tag: &BytesStart<'b>, closing: usize) -> Result<(), XmlError> {
        if self.name(tag, closing)? == self.root { Ok(()) } else { Err(XmlError::Root) }
    }

    /// Reads the fields and the root's end.
    fn children(&mut self) -> Result<Vec<(&'b str, Cow<'b, str>)>, XmlError> {
        let mut fields = Vec::with_capacity(24);
        loop {
            let (name, value) = match self.next()? {
                Event::Start(tag) => (self.name(&tag, START)?, self.value()?),
                Event::Empty(tag) => (self.name(&tag, EMPTY)?, Cow::Borrowed("")),
                Event::Text(text) if text.bytes().all(is_space) => continue,
                Event::End(_) => return Ok(fields),
                other => return Err(refusal(&other)),
            };
            if fields.len() == Fields::MOST {
                return Err(XmlError::TooMany);
            }
            fields.push((name, value));
        }
    }

    /// Reads a field's text and its end. Text, CDATA and references are separate events of one value: who takes the
    /// first only has cut the value off.
    fn value(&mut self) -> Result<Cow<'b, str>, XmlError> {
        let mut value = Cow::Borrowed("");
        loop {
            match self.next()? {
                Event::Text(text) if text.contains("]]>") => return Err(XmlError::Malformed),
                Event::Text(text) => value += text.into_inner(),
                Event::CData(text) => value += text.into_inner(),
                Event::GeneralRef(reference) => value.to_mut().push(resolve(&reference)?),
                Event::End(_) => return Ok(value),
                Event::Start(_) | Event::Empty(_) => return Err(XmlError::Nested),
                other => return Err(refusal(&other)),
            }
        }
    }

    /// Reads to the end of the document, behind the root.
    fn close(&mut self) -> Result<(), XmlError> {
        loop {
            match self.next() {
                Ok(Event::Eof) => return Ok(()),
                Ok(Event::Text(text)) if text.bytes().all(is_space) => {}
                _ => return Err(XmlError::Behind),
            }
        }
    }

    fn next(&mut self) -> Result<Event<'b>, XmlError> {
        self.events.read_event().map_err(|_| XmlError::Malformed)
    }

    /// The name of the tag that was just read, which has nothing but its name and ends in `closing` bytes.
    fn name(&self, tag: &BytesStart<'b>, closing: usize) -> Result<&'b str, XmlError> {
        let name = tag.name();
        let name = name.as_ref();
        if name.contains(':') {
            return Err(XmlError::Prefix);
        }
        if !is_name(name) {
            return Err(XmlError::Malformed);
        }
        if !tag.attributes_raw().bytes().all(is_space) {
            return Err(XmlError::Attribute);
        }
        // The event lends its name for as long as it lives; the same bytes stand in the document.
        let end = usize::try_from(self.events.buffer_position()).unwrap_or(usize::MAX);
        let start = end.checked_sub(closing + tag.len()).ok_or(XmlError::Malformed)?;
        self.text.get(start..start + name.len()).filter(|same| *same == name).ok_or(XmlError::Malformed)
    }
}

/// Why an event that cannot stand where it stood is refused.
fn refusal(event: &Event<'_>) -> XmlError {
    match event {
        Event::Decl(_) => XmlError::Declaration,
        Event::DocType(_) => XmlError::Doctype,
        Event::Comment(_) => XmlError::Comment,
        Event::PI(_) => XmlError::Instruction,
        Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => XmlError::TextBetween,
        Event::Eof => XmlError::CutOff,
        Event::Start(_) | Event::Empty(_) | Event::End(_) => XmlError::Malformed,
    }
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), XmlError> {
    let mut attributes = Attributes::new(declaration, "xml".len());
    let mut next = || attributes.next().transpose().map_err(|_| XmlError::Declaration);
    let mut attribute = next()?;
    match &attribute {
        Some(version) if version.key.as_ref() == "version" && version.value == "1.0" => attribute = next()?,
        _ => return Err(XmlError::Declaration),
    }
    if let Some(encoding) = &attribute
        && encoding.key.as_ref() == "encoding"
    {
        // Where `utf8` is no name of it, it is an error and not another encoding.
        if !["utf-8", "utf8"].iter().any(|utf8| encoding.value.eq_ignore_ascii_case(utf8)) {
            return Err(XmlError::Declaration);
        }
        attribute = next()?;
    }
    if let Some(standalone) = &attribute
        && standalone.key.as_ref() == "standalone"
        && (standalone.value == "yes" || standalone.value == "no")
    {
        attribute = next()?;
    }
    if attribute.is_none() { Ok(()) } else { Err(XmlError::Declaration) }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    match reference.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => match reference.resolve_char_ref() {
            Ok(Some(character)) if is_character(character) => Ok(character),
            Ok(Some(_)) | Err(_) => Err(XmlError::Character),
            Ok(None) => Err(XmlError::Entity),
        },
    }
}

fn require_unique(fields: &[(&str, Cow<'_, str>)]) -> Result<(), XmlError> {
    let mut seen = 0;
    for (index, (name, _)) in fields.iter().enumerate() {
        let mark = mark(name);
        if seen & mark != 0 && fields.iter().take(index).any(|(other, _)| other == name) {
            return Err(XmlError::Duplicate);
        }
        seen |= mark;
    }
    Ok(())
}

/// A bit that equal names have in common, and most others do not.
fn mark(name: &str) -> u64 {
    let [first, last] = [name.bytes().next(), name.bytes().next_back()].map(|byte| u32::from(byte.unwrap_or_default()));
    1_u64.wrapping_shl(first.wrapping_mul(7) ^ last.wrapping_mul(3) ^ u32::try_from(name.len()).unwrap_or_default())
}

/// White space as XML has it.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// <https://www.w3.org/TR/xml/#NT-Char>
const fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// <https://www.w3.org/TR/xml/#NT-Name>, with every character outside ASCII taken for a letter.
fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii();
    name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests;
