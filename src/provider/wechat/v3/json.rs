//! WeChat Pay's JSON, read strictly: answers, envelopes and what is sealed in them
//! (`docs/reference/wechatpay-v3.md` sections 3.2, 5, 6.2 and 7). What two programs could read differently is refused:
//! whoever reads the same bytes after us must not see another order or amount.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// An object. Its keys are told apart as they are meant, escapes undone, and each is there once. They are kept in order.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Object(Vec<(Box<str>, Value)>);

/// A value.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    Null,
    /// Digits and nothing else: no sign, point or exponent.
    Integer(u64),
    Text(Box<str>),
    List(Vec<Self>),
    Object(Object),
    /// Anything else, which nothing here reads.
    Other,
}

/// The deepest nesting. Real messages have four levels.
const DEEPEST: usize = 16;

/// Keys and elements of lists together. Real messages have about a hundred.
const MOST_VALUES: usize = 4096;

/// Not one strict JSON object: other grammar, bytes that are not UTF-8, a key twice, too deep or too much in it, or
/// something beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one JSON object, each of whose keys stands once")]
pub struct NotStrict;

/// A field that holds another kind of value than it should. Says which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is malformed")]
pub struct Malformed(pub &'static str);

/// Reads a document, which must be one object and nothing else.
///
/// # Errors
/// If it is not.
pub fn object(document: &[u8]) -> Result<Object, NotStrict> {
    let text = str::from_utf8(document).map_err(|_| NotStrict)?;
    let (mut left, mut deserializer) = (MOST_VALUES, serde_json::Deserializer::from_str(text));
    let value = Node { left: &mut left, depth: 0 }.deserialize(&mut deserializer).map_err(|_| NotStrict)?;
    deserializer.end().map_err(|_| NotStrict)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(NotStrict),
    }
}

impl Object {
    /// The text at a path of keys joined by dots, such as `amount.currency`. One that is absent, null or empty is
    /// `None`.
    ///
    /// # Errors
    /// If something else stands there, or on the way.
    pub fn text(&self, path: &'static str) -> Result<Option<&str>, Malformed> {
        match self.at(path)? {
            Some(Value::Text(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
            Some(_) => Err(Malformed(path)),
            None => Ok(None),
        }
    }

    /// The text at a path, also an empty one; `None` if it is absent.
    ///
    /// # Errors
    /// If something else stands there, null among it, or on the way.
    pub fn text_or_empty(&self, path: &'static str) -> Result<Option<&str>, Malformed> {
        match self.find(path)? {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed(path)),
            None => Ok(None),
        }
    }

    /// The plain integer at a path: digits without a sign, a point, an exponent or leading zeros, and no text. One that
    /// is absent or null is `None`.
    ///
    /// # Errors
    /// If something else stands there, or on the way.
    pub fn integer(&self, path: &'static str) -> Result<Option<u64>, Malformed> {
        match self.at(path)? {
            Some(Value::Integer(integer)) => Ok(Some(*integer)),
            Some(_) => Err(Malformed(path)),
            None => Ok(None),
        }
    }

    /// The objects of the list at a path; of one that is absent or null, none.
    ///
    /// # Errors
    /// If something else stands there, in it, or on the way.
    pub fn objects(&self, path: &'static str) -> Result<Vec<&Self>, Malformed> {
        let items = match self.at(path)? {
            Some(Value::List(items)) => items.as_slice(),
            Some(_) => return Err(Malformed(path)),
            None => &[],
        };
        let objects = items.iter().map(|item| match item {
            Value::Object(object) => Ok(object),
            _ => Err(Malformed(path)),
        });
        objects.collect()
    }

    /// The object at a path; `None` if it is absent or null.
    ///
    /// # Errors
    /// If something else stands there, or on the way.
    pub fn object(&self, path: &'static str) -> Result<Option<&Self>, Malformed> {
        match self.at(path)? {
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Malformed(path)),
            None => Ok(None),
        }
    }

    /// Whether this key is there, whatever its value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let index = self.0.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    fn at(&self, path: &'static str) -> Result<Option<&Value>, Malformed> {
        Ok(self.find(path)?.filter(|value| **value != Value::Null))
    }

    fn find(&self, path: &'static str) -> Result<Option<&Value>, Malformed> {
        let (mut object, mut keys) = (self, path.split('.').peekable());
        while let Some(key) = keys.next() {
            match object.get(key) {
                value if keys.peek().is_none() => return Ok(value),
                None | Some(Value::Null) => return Ok(None),
                Some(Value::Object(deeper)) => object = deeper,
                Some(_) => return Err(Malformed(path)),
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Object {
    /// Its keys: values may be personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

/// A value that is being read.
struct Node<'r> {
    /// How many more values there may be.
    left: &'r mut usize,
    depth: usize,
}

impl Node<'_> {
    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(())
    }

    fn below(&mut self) -> Node<'_> {
        Node { left: &mut *self.left, depth: self.depth + 1 }
    }
}

impl<'d> DeserializeSeed<'d> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEEPEST {
            return Err(de::Error::custom("nested too deep"));
        }
        deserializer.deserialize_any(self)
    }
}

/// A key or a text, escapes undone.
struct Text(Box<str>);

impl<'d> Deserialize<'d> for Text {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl<'d> Visitor<'d> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'d>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            self.count()?;
            object.push((key, map.next_value_seed(self.below())?));
        }
        object.sort_unstable_by(|(one, _): &(Box<str>, _), (other, _)| one.cmp(other));
        let is_twice = |pair: &[_]| matches!(pair, [(one, _), (next, _)] if one == next);
        if object.windows(2).any(is_twice) {
            return Err(de::Error::custom("a key stands twice"));
        }
        Ok(Value::Object(Object(object)))
    }

    fn visit_seq<A: SeqAccess<'d>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.below())? {
            self.count()?;
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Value, E> {
        Ok(Value::Integer(integer))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let document = r#" {"amount":{"total":100,"currency":"CNY"},"empty":"","none":null,"list":[{"a":"b"},{"a":"c"}],
            "b\u0065ta":"\u4e2d","no":[1]} "#;
        let object = object(document.as_bytes()).unwrap();
        assert_eq!(object.integer("amount.total"), Ok(Some(100)));
        assert_eq!(object.text("amount.currency"), Ok(Some("CNY")));
        assert_eq!(object.text("beta"), Ok(Some("中")));
        for absent in ["empty", "none", "nothing", "amount.nothing", "none.deeper"] {
            assert_eq!(object.text(absent), Ok(None), "{absent}");
        }
        assert_eq!(object.text_or_empty("empty"), Ok(Some("")));
        assert_eq!(object.text_or_empty("nothing"), Ok(None));
        assert_eq!(object.text_or_empty("none"), Err(Malformed("none")));
        assert!(object.has("none") && !object.has("nothing"));
        assert_eq!(object.object("amount").unwrap().unwrap().integer("total"), Ok(Some(100)));
        let of_list: Vec<_> = object.objects("list").unwrap().into_iter().map(|item| item.text("a").unwrap()).collect();
        assert_eq!(of_list, [Some("b"), Some("c")]);
        assert_eq!(object.objects("nothing").unwrap().len(), 0);
        assert_eq!(object.text("amount"), Err(Malformed("amount")));
        assert_eq!(object.text("beta.deeper"), Err(Malformed("beta.deeper")));
        assert_eq!(object.integer("beta"), Err(Malformed("beta")));
        assert_eq!(object.objects("no").unwrap_err(), Malformed("no"));
        assert_eq!(object.object("beta").unwrap_err(), Malformed("beta"));
        assert!(!format!("{object:?}").contains("CNY"));
    }

    #[test]
    fn only_a_plain_integer_is_an_amount() {
        for plain in ["0", "1", "100", "18446744073709551615"] {
            let object = object(format!(r#"{{"total":{plain}}}"#).as_bytes()).unwrap();
            assert_eq!(object.integer("total"), Ok(Some(plain.parse().unwrap())), "{plain}");
        }
        for other in ["100.0", "1e2", "1E2", "-100", "-0", "\"100\"", "18446744073709551616", "true", "[100]", "{}"] {
            let object = object(format!(r#"{{"total":{other}}}"#).as_bytes()).unwrap();
            assert_eq!(object.integer("total"), Err(Malformed("total")), "{other}");
        }
        for no_json in ["+100", "0100", "00", ".5", "1.", "0x64", "NaN", "1_00", "１００"] {
            assert_eq!(object(format!(r#"{{"total":{no_json}}}"#).as_bytes()), Err(NotStrict), "{no_json}");
        }
    }

    #[test]
    fn what_could_be_read_differently_is_refused() {
        let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(object(deep(DEEPEST - 1).as_bytes()).is_ok());
        let many = |values: usize| format!(r#"{{"a":[{}]}}"#, vec!["1"; values].join(","));
        assert!(object(many(MOST_VALUES - 1).as_bytes()).is_ok());
        let keys = |keys: usize| {
            let pairs: Vec<_> = (0..keys).map(|key| format!(r#""{key}":1"#)).collect();
            format!("{{{}}}", pairs.join(","))
        };
        assert!(object(keys(MOST_VALUES).as_bytes()).is_ok());
        for document in [
            "",
            "null",
            "[]",
            "[{}]",
            "\"{}\"",
            "{",
            "{}{}",
            "{} {}",
            "{},",
            "{}x",
            "{}\0",
            "\u{feff}{}",
            "{'a':1}",
            "{a:1}",
            r#"{"a":1,}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"b":[{"a":1,"\u0061":2}]}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\n\"}",
            "{/**/}",
            &deep(DEEPEST),
            &deep(1000),
            &many(MOST_VALUES),
            &keys(MOST_VALUES + 1),
        ] {
            assert_eq!(object(document.as_bytes()), Err(NotStrict), "{}", &document[..document.len().min(40)]);
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(NotStrict));
        assert_eq!(object(b"{\"a\":\"\xed\xa0\x80\"}"), Err(NotStrict));
    }
}
