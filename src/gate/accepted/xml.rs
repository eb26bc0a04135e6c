//! `return_code` in an order system's XML.
//!
//! Unlike a stranger's document (`net::xml`) it may have attributes, comments, elements within elements, a declaration
//! of any coding and text in any. What it says of `return_code` it must say once, directly below `<xml>`, in a document
//! that is whole and has nothing beside it.

use super::text;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

const ROOT: &str = "xml";
const RETURN_CODE: &str = "return_code";

/// Why no `return_code` can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// Something before or behind the document, or no XML at all.
    #[error("the body is not an XML document and nothing else")]
    NotXml,
    /// The root is not `<xml>`.
    #[error("the XML has another root than <xml>")]
    Root,
    /// It ends before its root does.
    #[error("the XML is cut off")]
    CutOff,
    /// The document has no `return_code`.
    #[error("the XML has no return_code")]
    Absent,
    /// The document has `return_code` twice.
    #[error("the XML has return_code twice")]
    Repeated,
    /// In another spelling or place, or with something other than text in it.
    #[error("the XML's return_code is not a plain text directly below <xml>")]
    Unclear,
}

/// What the document says, blanks around it left out.
pub(super) fn return_code(document: &str) -> Result<String, Unread> {
    let mut events = Reader::from_str(document);
    events.config_mut().allow_dangling_amp = true;
    let mut reading = Reading::default();
    while !reading.take(events.read_event().map_err(|_| Unread::NotXml)?)? {}
    let code = reading.code.ok_or(Unread::Absent)?;
    Ok(code.trim_matches(text::is_around).to_owned())
}

/// What is known of a document so far.
#[derive(Default)]
struct Reading {
    /// Elements that are open.
    depth: usize,
    /// Whether anything but blanks and comments has come.
    began: bool,
    /// Whether the root was closed.
    over: bool,
    /// Whether `return_code` is open.
    within: bool,
    code: Option<String>,
}

impl Reading {
    /// Takes the next event; whether it was the last.
    fn take(&mut self, event: Event<'_>) -> Result<bool, Unread> {
        match event {
            Event::Start(tag) => self.open(tag.name().as_ref())?,
            Event::Empty(tag) => {
                self.open(tag.name().as_ref())?;
                self.close();
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.text(&text)?,
            Event::CData(_) if self.depth < 2 => return Err(Unread::NotXml),
            Event::CData(text) => self.text(&text)?,
            Event::GeneralRef(_) if self.depth < 2 => return Err(Unread::NotXml),
            Event::GeneralRef(reference) if self.within => {
                let character = resolve(&reference).ok_or(Unread::Unclear)?;
                self.code.get_or_insert_default().push(character);
            }
            Event::GeneralRef(_) => {}
            Event::Comment(_) if self.within => return Err(Unread::Unclear),
            Event::Comment(_) => {}
            Event::Decl(_) if !self.began => self.began = true,
            Event::Eof if self.over => return Ok(true),
            Event::Eof if self.depth > 0 => return Err(Unread::CutOff),
            // A program that was not run, and a page, say what they like.
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => return Err(Unread::NotXml),
        }
        Ok(false)
    }

    fn open(&mut self, name: &str) -> Result<(), Unread> {
        let local = name.rsplit(':').next().unwrap_or(name);
        let is_code = local.eq_ignore_ascii_case(RETURN_CODE);
        match self.depth {
            _ if self.over => return Err(Unread::NotXml),
            _ if self.within => return Err(Unread::Unclear),
            0 if name != ROOT => return Err(Unread::Root),
            _ if is_code && self.code.is_some() => return Err(Unread::Repeated),
            depth if is_code && (depth != 1 || name != RETURN_CODE) => return Err(Unread::Unclear),
            _ => {}
        }
        if is_code {
            self.within = true;
            self.code = Some(String::new());
        }
        self.began = true;
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.within = false;
        self.over = self.depth == 0;
    }

    fn text(&mut self, text: &str) -> Result<(), Unread> {
        if self.within {
            self.code.get_or_insert_default().push_str(text);
        } else if self.depth < 2 && !text.chars().all(text::is_around) {
            return Err(Unread::NotXml);
        }
        Ok(())
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match reference.as_ref() {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}
