//! What an order system's JSON says at a place.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// What an answer must say at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRule {
    /// The keys that lead there, joined by dots: `data.code`.
    pub path: String,
    /// The value that must stand there.
    pub is: Scalar,
}

/// A value without parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A whole number; `0.0` is 0 as well.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
}

/// Why nothing can be read at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unread {
    #[error("the body is not JSON")]
    NotJson,
    #[error("the JSON is not an object")]
    NotAnObject,
    #[error("the JSON has no such key")]
    Absent,
    #[error("the JSON has the key twice")]
    Repeated,
}

impl JsonRule {
    /// Whether the document says it, once, and is whole.
    pub(super) fn holds(&self, document: &str) -> bool {
        at(document, &self.path).is_ok_and(|token| self.is.is_written(token))
    }

    /// What the document says there, or why nothing can be read.
    pub(super) fn found(&self, document: &str) -> String {
        at(document, &self.path).map_or_else(|unread| unread.to_string(), str::to_owned)
    }
}

/// What an object says in `code`, as its text or its token; `None` if the document is no object, or has none. One that
/// says it twice says neither.
pub(super) fn code(document: &str) -> Option<String> {
    if !document.starts_with('{') {
        return None;
    }
    match at(document, "code") {
        Ok(token) => Some(serde_json::from_str(token).unwrap_or_else(|_| token.to_owned())),
        Err(Unread::Repeated) => Some(Unread::Repeated.to_string()),
        Err(_) => None,
    }
}

impl fmt::Display for JsonRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.is)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bool(is) => write!(f, "{is}"),
        }
    }
}

impl Scalar {
    /// Whether a token of JSON is this value.
    fn is_written(&self, token: &str) -> bool {
        match self {
            Self::Text(text) => serde_json::from_str::<String>(token).is_ok_and(|said| said == *text),
            Self::Integer(number) => integer(token) == Some(*number),
            Self::Bool(is) => token == if *is { "true" } else { "false" },
        }
    }
}

/// The whole number that a token is; some serializers write all numbers with a point.
fn integer(token: &str) -> Option<i64> {
    let (whole, behind) = token.split_once('.').unwrap_or((token, ""));
    behind.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
}

/// The token at a path.
fn at<'a>(document: &'a str, path: &str) -> Result<&'a str, Unread> {
    path.split('.').try_fold(document, |token, key| match token.as_bytes().first() {
        Some(b'{') => member(token, key),
        // What is no object has no keys; the document itself may be no JSON at all.
        _ if token.len() < document.len() => Err(Unread::Absent),
        _ => serde_json::from_str::<IgnoredAny>(token).map_or(Err(Unread::NotJson), |_| Err(Unread::NotAnObject)),
    })
}

/// The value of a key of an object, which is read to its end.
fn member<'a>(object: &'a str, key: &str) -> Result<&'a str, Unread> {
    let mut reader = serde_json::Deserializer::from_str(object);
    let found = reader.deserialize_map(Member(key)).and_then(|found| reader.end().map(|()| found));
    found.unwrap_or(Err(Unread::NotJson)).map(RawValue::get)
}

/// Looks for a key.
struct Member<'k>(&'k str);

/// A key as it is meant, escapes undone.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Visitor<'a> for Member<'_> {
    type Value = Result<&'a RawValue, Unread>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Err(Unread::Absent);
        while let Some(Key(key)) = map.next_key()? {
            if key != self.0 {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value()?;
            found = if matches!(found, Err(Unread::Absent)) { Ok(value) } else { Err(Unread::Repeated) };
        }
        Ok(found)
    }
}
