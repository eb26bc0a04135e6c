//! The claim fields found in one request: each at most once, at home only.

use super::home::Home;
use super::media;
use super::names::{Hit, Names};
use super::value::Value;
use super::{Field, Unreadable};
use crate::domain::reason::Reason;
use crate::gate::path::PathValues;
use hyper::HeaderMap;
use std::borrow::Cow;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Occurrences<'n, 'a> {
    pub(super) names: &'n Names,
    values: Vec<Option<Value<'a>>>,
}

impl<'n, 'a> Occurrences<'n, 'a> {
    pub(super) fn new(names: &'n Names) -> Self {
        Self { names, values: vec![None; names.len()] }
    }

    /// The value of a field; `None` if it is absent or empty, which mean the same.
    pub(super) fn get(&self, field: &Field) -> Option<&Value<'a>> {
        self.raw(self.names.index(field)?).filter(|value| !value.is_empty())
    }

    /// The value that was found, be it empty.
    pub(super) fn raw(&self, index: usize) -> Option<&Value<'a>> {
        self.values.get(index)?.as_ref()
    }

    /// Keeps the value of a field, or refuses a second one and every other spelling.
    pub(super) fn take(&mut self, hit: Hit, place: &'static str, value: Value<'a>) -> Result<(), Unreadable> {
        let (Hit::Field(index) | Hit::Variant(index) | Hit::Elsewhere(index)) = hit;
        let Some(name) = self.names.get(index) else { return Ok(()) };
        let in_group = |other: usize| self.names.get(other).is_some_and(|other| other.group == name.group);
        let twice = self.values.iter().enumerate().any(|(other, value)| value.is_some() && in_group(other));
        match self.values.get_mut(index) {
            Some(free) if !twice && hit == Hit::Field(index) => *free = Some(value),
            _ => return Err(repeated(&name.field, place, hit, twice)),
        }
        Ok(())
    }

    /// Takes the fields that are placeholders of the route's path.
    pub(super) fn path(&mut self, path: &PathValues<'a>) -> Result<(), Unreadable> {
        for (index, name) in self.names.iter().filter(|(_, name)| name.home == Home::Path) {
            if let Some(value) = path.get(&name.field.name) {
                self.take(Hit::Field(index), "the path", Value::Encoded(value.as_bytes()))?;
            }
        }
        Ok(())
    }

    /// Takes the fields that are headers.
    pub(super) fn headers(&mut self, headers: &'a HeaderMap) -> Result<(), Unreadable> {
        if self.names.iter().all(|(_, name)| name.home != Home::Header) {
            return Ok(());
        }
        for (name, value) in headers {
            if let Some(hit) = self.names.find_header(name.as_str()) {
                media::survives(headers, name)?;
                let text = std::str::from_utf8(value.as_bytes());
                self.take(hit, "the headers", text.map_or(Value::Other, |text| Value::Text(Cow::Borrowed(text))))?;
            }
        }
        Ok(())
    }
}

fn repeated(field: &Field, place: &str, hit: Hit, twice: bool) -> Unreadable {
    let how = match (hit, twice) {
        (Hit::Field(_), _) => "a second time",
        (Hit::Variant(_), true) => "a second time, in another spelling than the route's",
        (Hit::Variant(_), false) => "in another spelling than the route's",
        (Hit::Elsewhere(_), true) => "a second time, out of its place",
        (Hit::Elsewhere(_), false) => "out of its place",
    };
    Unreadable::new(Reason::FieldRepeated, format!("{field} stands in {place} {how}"))
}
