//! Claims in JSON: serde_json reads, and everything that JSON parsers are known to read differently is refused
//! (threats E-09, E-10).

use super::fold::fold;
use super::halves::{self, HALF};
use super::names::{Hit, Key};
use super::occurrences::Occurrences;
use super::value::Value;
use super::{Blank, Field, Unreadable, offset_in};
use crate::domain::reason::Reason;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The deepest nesting.
const DEEPEST: usize = 32;

/// A document that is text, with [`HALF`] for every half of a character; of its own if there are any.
pub(super) struct Document<'b>(Cow<'b, str>);

/// The text of a document.
pub(super) fn document(body: &[u8]) -> Result<Document<'_>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("the JSON is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(malformed("the JSON begins with a byte order mark"));
    }
    Ok(Document(halves::replaced(text)))
}

/// Takes the claim fields of a document of at most so many keys, and says where `fill` can be written if it is absent
/// or empty.
pub(super) fn read<'a>(
    occurrences: &mut Occurrences<'_, 'a>,
    document: &'a Document<'_>,
    most_keys: usize,
    fill: Option<&Field>,
) -> Result<Option<Blank>, Unreadable> {
    let text = &*document.0;
    let has_halves = matches!(document.0, Cow::Owned(_));
    let start = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
    if text.as_bytes().get(start) != Some(&b'{') {
        return Err(malformed("the JSON is not an object"));
    }
    let body = text.as_bytes();
    let mut reading = Reading { occurrences, body, has_halves, fill, blank: None, keys: 0, most_keys, refusal: None };
    let node = Node { reading: &mut reading, path: Some(String::new()), folded: String::new(), depth: 1, start };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let outcome = node.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (outcome, reading.refusal) {
        (Ok(()), None) => Ok(reading.blank),
        (_, Some(refusal)) => Err(refusal),
        (Err(_), None) => Err(malformed("the JSON is not well-formed")),
    }
}

/// What an array adds to a folded path, so that no claim field's is equal to it.
const IN_ARRAY: &str = "[]";

/// What is known while a document is read.
struct Reading<'r, 'n, 'a> {
    occurrences: &'r mut Occurrences<'n, 'a>,
    body: &'a [u8],
    /// Whether it has halves of characters.
    has_halves: bool,
    fill: Option<&'r Field>,
    blank: Option<Blank>,
    keys: usize,
    most_keys: usize,
    /// Why reading was broken off, when it was not for the grammar.
    refusal: Option<Unreadable>,
}

/// A value that is no claim field itself.
struct Node<'x, 'r, 'n, 'a> {
    reading: &'x mut Reading<'r, 'n, 'a>,
    /// Its dotted path; `None` where no claim field can stand: in arrays and in objects that lead to none.
    path: Option<String>,
    /// Its folded path; empty unless the names of ids are refused everywhere.
    folded: String,
    depth: usize,
    /// Where it begins in the body, if `path` is known.
    start: usize,
}

/// A key as it is meant, escapes undone.
#[derive(Deserialize)]
struct KeyText<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> DeserializeSeed<'a> for Node<'_, '_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.depth > DEEPEST {
            return self.reading.refuse(malformed(&format!("the JSON is nested deeper than {DEEPEST}")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Node<'_, '_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut keys = Keys::default();
        while let Some(KeyText(key)) = map.next_key()? {
            let parent = self.path.as_deref();
            let path = parent.filter(|_| !key.contains('.')).map(|parent| join(parent, &key));
            let kind = self.reading.occurrences.names.find_key(parent, path.as_deref(), &self.folded, &key);
            self.reading.count(kind, &key, keys.contains(&key))?;
            match (kind, path) {
                (Key::Claim(hit), path) => {
                    let token = map.next_value::<&'a RawValue>()?.get();
                    self.reading.claim(hit, path.as_deref(), token)?;
                }
                (Key::Parent, Some(path)) => {
                    let token = map.next_value::<&'a RawValue>()?.get();
                    self.lead(path, token).map_err(de::Error::custom)?;
                }
                (Key::Parent | Key::Other, _) => map.next_value_seed(self.below(|| fold(&key)))?,
            }
            keys.add(key);
        }
        if let Some(path) = &self.path {
            self.reading.leave(path, self.start, keys.few.is_empty());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.below(|| IN_ARRAY.to_owned()))?.is_some() {}
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl<'r, 'n, 'a> Node<'_, 'r, 'n, 'a> {
    /// A value in this one that leads to no claim field.
    fn below(&mut self, folded: impl FnOnce() -> String) -> Node<'_, 'r, 'n, 'a> {
        let folded =
            if self.reading.occurrences.names.everywhere { self.folded.clone() + &folded() } else { String::new() };
        Node { reading: self.reading, path: None, folded, depth: self.depth + 1, start: self.start }
    }

    /// Reads a value that leads to a claim field if it is an object. Its text is taken first, to know where it stands.
    fn lead(&mut self, path: String, token: &'a str) -> serde_json::Result<()> {
        let start = offset_in(self.reading.body, token.as_bytes());
        let folded = if self.reading.occurrences.names.everywhere { fold(&path) } else { String::new() };
        let node = Node { reading: self.reading, path: Some(path), folded, depth: self.depth + 1, start };
        node.deserialize(&mut serde_json::Deserializer::from_str(token))
    }
}

impl<'a> Reading<'_, '_, 'a> {
    /// Records a key.
    fn count<E: de::Error>(&mut self, kind: Key, key: &str, is_repeated: bool) -> Result<(), E> {
        self.keys += 1;
        if self.keys > self.most_keys {
            return self
                .refuse(malformed(&format!("the JSON has more than {} keys (limits.json_keys)", self.most_keys)));
        }
        if self.has_halves && key.contains(HALF) {
            return self.refuse(malformed("a key of the JSON has half a character"));
        }
        match kind {
            Key::Parent if is_repeated => {
                let detail = "a key on the way to a claim field stands in the JSON a second time";
                self.refuse(Unreadable::new(Reason::FieldRepeated, detail))
            }
            Key::Other if is_repeated => self.refuse(malformed("a key stands twice in one object of the JSON")),
            _ => Ok(()),
        }
    }

    /// Takes the value of a claim field.
    fn claim<E: de::Error>(&mut self, hit: Hit, path: Option<&str>, token: &'a str) -> Result<(), E> {
        let value = value_of(token);
        if value.is_empty() && self.fill.is_some_and(|fill| Some(fill.name.as_str()) == path) {
            let start = offset_in(self.body, token.as_bytes());
            let range = start..start + token.len();
            self.blank = Some(Blank { in_query: false, range, before: "\"".to_owned(), after: "\"".to_owned() });
        }
        self.occurrences.take(hit, "the JSON", value).or_else(|refusal| self.refuse(refusal))
    }

    /// At the end of an object on the way to claim fields: if it is the one that `fill` belongs to, and `fill` is not
    /// in it, that is where it goes, as the first member.
    fn leave(&mut self, path: &str, start: usize, is_empty: bool) {
        let Some(fill) = self.fill else { return };
        let (parent, leaf) = fill.name.rsplit_once('.').unwrap_or(("", &fill.name));
        if parent != path
            || self.occurrences.names.index(fill).is_none_or(|index| self.occurrences.raw(index).is_some())
        {
            return;
        }
        let before = format!("{}:\"", serde_json::Value::from(leaf));
        let after = if is_empty { "\"" } else { "\"," }.to_owned();
        self.blank = Some(Blank { in_query: false, range: start + 1..start + 1, before, after });
    }

    /// Breaks off. The parser's own error is not used: it may quote the document.
    fn refuse<E: de::Error>(&mut self, refusal: Unreadable) -> Result<(), E> {
        self.refusal = Some(refusal);
        Err(E::custom("refused"))
    }
}

/// How many keys of one object are compared one by one.
const FEW: usize = 32;

/// The keys of one object so far.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    /// Those beyond [`FEW`].
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    fn contains(&self, key: &str) -> bool {
        self.few.iter().any(|other| other == key) || !self.many.is_empty() && self.many.contains(key)
    }

    fn add(&mut self, key: Cow<'a, str>) {
        if self.few.len() < FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
    }
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { [parent, ".", key].concat() }
}

/// What a JSON value says as a claim field; null says as much as an empty text.
fn value_of(token: &str) -> Value<'_> {
    let text = token.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match (text, token.as_bytes().first()) {
        (Some(text), _) if !text.contains('\\') => Value::Text(Cow::Borrowed(text)),
        (Some(_), _) => serde_json::from_str(token).map_or(Value::Other, |text| Value::Text(Cow::Owned(text))),
        (None, Some(b'n')) => Value::Text(Cow::Borrowed("")),
        (None, Some(b'-' | b'0'..=b'9')) => Value::Number(token),
        (None, _) => Value::Other,
    }
}

fn malformed(detail: &str) -> Unreadable {
    Unreadable::new(Reason::BodyMalformed, detail)
}
