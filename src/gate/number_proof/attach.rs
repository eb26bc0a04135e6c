//! The order id in `attach`, the text that a merchant gives WeChat Pay with an order and gets back, signed, in every
//! answer about it.

use crate::domain::order::OrderId;
use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// Whether `attach` says that it belongs to `order`: by its whole text, or by `field` of the JSON object or form that
/// it is. The field must stand there once, and say the id byte for byte.
pub(super) fn names(attach: &str, field: Option<&str>, order: &OrderId) -> bool {
    match field {
        None => attach == order.as_str(),
        Some(field) if attach.trim_start().starts_with('{') => names_in_json(attach, field, order),
        Some(field) => names_in_form(attach, field, order),
    }
}

fn names_in_json(attach: &str, field: &str, order: &OrderId) -> bool {
    let mut reader = serde_json::Deserializer::from_str(attach);
    let found = (&mut reader).deserialize_map(Once { field });
    found.is_ok_and(|value| value.as_deref() == Some(order.as_str())) && reader.end().is_ok()
}

fn names_in_form(attach: &str, field: &str, order: &OrderId) -> bool {
    let decoded =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(|text| text.into_owned());
    let value = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name).as_deref() == Some(field)).then(|| decoded(value))
    };
    let mut values = attach.split('&').filter_map(value);
    values.next().flatten().as_deref() == Some(order.as_str()) && values.next().is_none()
}

/// Reads the one text that an object has under `field`; `None` if it is absent, twice there or no text.
struct Once<'f> {
    field: &'f str,
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found: Vec<serde_json::Value> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.field {
                found.push(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        match found.as_slice() {
            [serde_json::Value::String(text)] => Ok(Some(text.clone())),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_named_once_and_byte_for_byte() {
        let order = OrderId::parse("A-1|x").unwrap();
        for (attach, field, wanted) in [
            ("A-1|x", None, true),
            ("a-1|x", None, false),
            (" A-1|x", None, false),
            ("A-1|x2", None, false),
            ("", None, false),
            ("order=A-1%7Cx&shop=7", Some("order"), true),
            ("shop=7&order=A-1|x", Some("order"), true),
            ("order=A-2&order=A-1|x", Some("order"), false),
            ("order=A-1|x&order=A-1|x", Some("order"), false),
            ("Order=A-1|x", Some("order"), false),
            ("order=A-1|x ", Some("order"), false),
            ("order=A-1|x+", Some("order"), false),
            ("order", Some("order"), false),
            ("note=order=A-1|x", Some("order"), false),
            (r#"{"order":"A-1|x","n":{"order":"B"}}"#, Some("order"), true),
            (r#"{"n":{"order":"A-1|x"}}"#, Some("order"), false),
            (r#"{"order":"B","order":"A-1|x"}"#, Some("order"), false),
            (r#"{"order":"A-1|x","order":"A-1|x"}"#, Some("order"), false),
            (r#"{"\u006frder":"B","order":"A-1|x"}"#, Some("order"), false),
            (r#"{"order":["A-1|x"]}"#, Some("order"), false),
            (r#"{"order":"A-1|x"} x"#, Some("order"), false),
            (r#"{"order":"A-1|x""#, Some("order"), false),
        ] {
            assert_eq!(names(attach, field, &order), wanted, "{attach} {field:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(attach in ".{0,60}", field in "[a-z]{0,4}") {
            names(&attach, Some(&field), &OrderId::parse("A").unwrap());
        }
    }
}
