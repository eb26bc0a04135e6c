//! The keys on the way to a claim field of a JSON document, in every spelling that some backend takes for them (threat
//! E-09).
//!
//! `data.order_id` is meant by `order_id` in `data`, by every spelling of either, and by a key that says the rest of
//! the way at once: `data.order_id`, `data[order_id]`. The same name below another key, or in an array, is another
//! field.

use super::Field;
use super::fold::{any_spelling, fold, is_plain, plain_name_folds_to};
use super::home::Home;

/// What leads to the claim fields of a route.
#[derive(Debug, Clone, Default)]
pub(super) struct Ways(Vec<Way>);

/// A key, or several at once, on the way to one claim field.
#[derive(Debug, Clone)]
struct Way {
    /// The dotted path of the object that it stands in; empty for the document itself.
    parent: String,
    /// The key, folded.
    folded: String,
    /// The claim field.
    index: usize,
}

impl Ways {
    /// Adds the way to a field. One that stands outside the document must not be named in it, at the top.
    pub(super) fn add(&mut self, field: &Field, home: Home, index: usize) {
        if home != Home::Body {
            self.0.push(Way { parent: String::new(), folded: fold(&field.name), index });
            return;
        }
        let keys: Vec<&str> = field.name.split('.').collect();
        for start in 0..keys.len() {
            for end in start + 1..=keys.len() {
                let (parent, rest) = (keys.get(..start).unwrap_or_default(), keys.get(start..end).unwrap_or_default());
                self.0.push(Way { parent: parent.join("."), folded: fold(&rest.concat()), index });
            }
        }
    }

    /// The field that a key of the object at `parent` leads to, in whatever spelling.
    pub(super) fn find(&self, parent: &str, key: &str) -> Option<usize> {
        let mut occurrences = None;
        let here = || self.0.iter().filter(|way| way.parent == parent);
        if key.bytes().all(is_plain) {
            occurrences = here().find(|way| plain_name_folds_to(key.as_bytes(), &way.folded)).map(|way| way.index);
        } else {
            any_spelling("", key, |folded| {
                occurrences = here().find(|way| way.folded == folded).map(|way| way.index);
                occurrences.is_some()
            });
        }
        occurrences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::claim::Place;

    #[test]
    fn a_key_leads_to_a_field_from_where_it_stands() {
        let mut ways = Ways::default();
        ways.add(&Field { place: Place::Carrier, name: "data.order_id".to_owned() }, Home::Body, 7);
        ways.add(&Field { place: Place::Query, name: "shop".to_owned() }, Home::Query, 8);
        for (parent, key) in [
            ("", "data"),
            ("", "DATA"),
            ("", "data[0]"),
            ("", "data.order_id"),
            ("", "data[Order-ID]"),
            ("", "data_order_id"),
            ("data", "order_id"),
            ("data", "orderId"),
            ("data", "order_id\0x"),
            ("data", "ｏrder_id"),
        ] {
            assert_eq!(ways.find(parent, key), Some(7), "{parent} {key:?}");
        }
        assert_eq!(ways.find("", "Shop"), Some(8));
        for (parent, key) in [
            ("", "order_id"),
            ("", "order"),
            ("", "x.data"),
            ("", ""),
            ("data", "data"),
            ("data", "order"),
            ("data", "id"),
            ("data", "shop"),
            ("data", "data.order_id"),
            ("user", "order_id"),
        ] {
            assert_eq!(ways.find(parent, key), None, "{parent} {key:?}");
        }
    }
}
