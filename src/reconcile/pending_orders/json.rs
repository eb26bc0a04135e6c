//! A list as text: a JSON array of objects, or one object on each line. Numbers are read in the characters they are
//! written in, because a float would lose digits of an order's number.

use super::cell::{BadCell, Cell};
use super::column::Column;
use super::error::SourceError;
use super::listing::{Listing, Row, Rows};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a list; an empty text is an empty one.
pub(super) fn read(text: &[u8], mut rows: Rows) -> Result<Listing, SourceError> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut seen = Seen::default();
    if text.trim_ascii_start().starts_with(b"[") {
        let mut json = serde_json::Deserializer::from_slice(text);
        let into = Array { rows: &mut rows, seen: &mut seen };
        let read = into.deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| SourceError::NotJson { line: error.line(), column: error.column() })?;
    } else {
        lines(text, &mut rows, &mut seen)?;
    }
    seen.check()?;
    Ok(rows.finish())
}

fn lines(text: &[u8], rows: &mut Rows, seen: &mut Seen) -> Result<(), SourceError> {
    let mut broken = None;
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if !rows.has_room() {
            break;
        }
        match serde_json::from_slice(line) {
            Ok(element) => seen.take(rows, element),
            Err(error) => {
                broken.get_or_insert(SourceError::NotJson { line: number + 1, column: error.column() });
                rows.refuse(None, BadCell::NotAnObject);
            }
        }
    }
    // A page that is no list at all is not a list of malformed rows.
    match broken {
        Some(broken) if seen.rows == 0 => Err(broken),
        _ => Ok(()),
    }
}

/// Which columns were there at all: one that no row has is the query's fault, not the rows'.
#[derive(Default)]
struct Seen {
    rows: usize,
    order: bool,
    channel: bool,
}

impl Seen {
    fn take(&mut self, rows: &mut Rows, element: Element<'_>) {
        self.rows += 1;
        match element {
            Element::Row { row, present } => {
                self.order |= present.order;
                self.channel |= present.channel;
                rows.take(&row);
            }
            Element::Refused(column, why) => {
                // What it has is not known.
                (self.order, self.channel) = (true, true);
                rows.refuse(column, why);
            }
        }
    }

    fn check(&self) -> Result<(), SourceError> {
        match (self.order, self.channel) {
            _ if self.rows == 0 => Ok(()),
            (false, _) => Err(SourceError::MissingColumn(Column::Order)),
            (_, false) => Err(SourceError::MissingColumn(Column::Channel)),
            _ => Ok(()),
        }
    }
}

/// A row, or why it is none.
enum Element<'t> {
    Row { row: Row<'t>, present: Present },
    Refused(Option<Column>, BadCell),
}

#[derive(Default)]
struct Present {
    order: bool,
    channel: bool,
}

struct Array<'r> {
    rows: &'r mut Rows,
    seen: &'r mut Seen,
}

impl<'t> DeserializeSeed<'t> for Array<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'t> Visitor<'t> for Array<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !self.rows.has_room() {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
            self.seen.take(self.rows, element);
        }
        Ok(())
    }
}

impl<'t> Deserialize<'t> for Element<'t> {
    fn deserialize<D: Deserializer<'t>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

const NO_OBJECT: Element<'static> = Element::Refused(None, BadCell::NotAnObject);

impl<'t> Visitor<'t> for ElementVisitor {
    type Value = Element<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<Element<'t>, A::Error> {
        let mut row = Row::default();
        let mut there: Vec<Column> = Vec::with_capacity(Column::ALL.len());
        let mut twice = None;
        while let Some(key) = entries.next_key::<Key<'t>>()? {
            let Some(column) = Column::named(&key.0) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if there.contains(&column) {
                twice = Some(column);
            }
            there.push(column);
            *row.cell(column) = cell(entries.next_value::<&RawValue>()?);
        }
        let present = Present { order: there.contains(&Column::Order), channel: there.contains(&Column::Channel) };
        Ok(match twice {
            Some(_) => Element::Refused(twice, BadCell::Twice),
            None => Element::Row { row, present },
        })
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut elements: A) -> Result<Element<'t>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(NO_OBJECT)
    }

    fn visit_str<E>(self, _: &str) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }

    fn visit_unit<E>(self) -> Result<Element<'t>, E> {
        Ok(NO_OBJECT)
    }
}

/// A key, which needs no copy unless it has escapes.
#[derive(serde::Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);

fn cell(raw: &RawValue) -> Cell<'_> {
    let text = raw.get();
    match text.bytes().next() {
        Some(b'"') => serde_json::from_str::<Cow<'_, str>>(text).map_or(Cell::Other, Cell::text),
        Some(b'n') => Cell::Null,
        Some(b'-' | b'0'..=b'9') => Cell::number(text),
        _ => Cell::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::AmountUnit;
    use crate::domain::money::Fen;

    fn read(text: &str) -> Result<Listing, SourceError> {
        super::read(text.as_bytes(), Rows::new(AmountUnit::Yuan, 100))
    }

    #[test]
    fn an_array_and_lines_are_the_same_list() {
        let rows = [
            r#"{"order": 12345678901234567890123, "channel": "app", "amount": 66.10, "items": [{"a": 1}]}"#,
            r#"{"order": "A2", "channel": 2, "out_trade_no": null, "amount": "4.35", "created_at": 1795485600}"#,
            r#"{"Order": "\u0041\u0033", "Channel": "2\/c1", "created_at": "2026-11-24T10:00:00+08:00"}"#,
        ];
        let lines = read(&rows.join("\r\n\n")).unwrap();
        assert_eq!(read(&format!(" [{}]\n", rows.join(",\n"))).unwrap(), lines);
        assert_eq!(read(&format!("\u{FEFF}{}", rows.join("\n"))).unwrap(), lines);
        let [first, second, third] = lines.orders.as_slice() else { panic!("{lines:?}") };
        assert_eq!((first.order.as_str(), first.amount), ("12345678901234567890123", Some(Fen(6610))));
        assert_eq!((second.channel.as_str(), second.amount, second.out_trade_no), ("2", Some(Fen(435)), None));
        assert_eq!((third.order.as_str(), third.channel.as_str()), ("A3", "2/c1"));
        assert_eq!(second.created_at, third.created_at);
    }

    #[test]
    fn nothing_is_an_empty_list() {
        for text in ["", "\n", "[]", " [ ] ", "\u{FEFF}"] {
            assert_eq!(read(text).unwrap(), Listing::default(), "{text:?}");
        }
    }

    #[test]
    fn a_malformed_row_hides_no_other() {
        let good = r#"{"order":"A1","channel":"app"}"#;
        for bad in [
            "1",
            "null",
            "true",
            "\"A1\"",
            "-1.5",
            "{}",
            r#"{"order":"A1"}"#,
            r#"{"order":"A1","ORDER":"A2","channel":"app"}"#,
            r#"{"order":1.5,"channel":"app"}"#,
            r#"{"order":{"id":1},"channel":"app"}"#,
            r#"{"order":true,"channel":"app"}"#,
            r#"{"order":"A1","channel":"app","amount":1e2}"#,
        ] {
            for text in [format!("{bad}\n{good}"), format!("[{bad},{good}]")] {
                let listing = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                assert_eq!((listing.orders.len(), listing.malformed_count), (1, 1), "{text}");
                assert_eq!(listing.malformed[0].row, 1);
            }
        }
        assert_eq!(read(&format!("[[{good}],{good}]")).unwrap().orders.len(), 1);
        let listing = read(&format!("{good}\n{{\"order\":\n{good}")).unwrap();
        assert_eq!((listing.orders.len(), listing.malformed[0].row), (2, 2));
    }

    #[test]
    fn a_text_that_is_no_list_is_an_error_with_its_place() {
        assert_eq!(read("<html>\n").unwrap_err(), SourceError::NotJson { line: 1, column: 1 });
        assert_eq!(read("[{\"order\":1,\"channel\":2},\n{]").unwrap_err(), SourceError::NotJson { line: 2, column: 2 });
        assert!(matches!(read("[1"), Err(SourceError::NotJson { .. })));
        assert!(matches!(read("[] []"), Err(SourceError::NotJson { .. })));
        assert_eq!(read(r#"[{"id":1},{"id":2}]"#).unwrap_err(), SourceError::MissingColumn(Column::Order));
        assert_eq!(read(r#"{"order":1}"#).unwrap_err(), SourceError::MissingColumn(Column::Channel));
        assert!(matches!(super::read(b"\xFF\xFE[\0", Rows::new(AmountUnit::Fen, 1)), Err(SourceError::NotJson { .. })));
    }

    #[test]
    fn more_rows_than_wanted_cut_the_list() {
        let row = r#"{"order":"A1","channel":"app"}"#;
        for text in [[row; 101].join("\n"), format!("[{}]", [row; 101].join(","))] {
            let listing = read(&text).unwrap();
            assert_eq!((listing.orders.len(), listing.cut), (100, true));
        }
        assert!(!read(&[row; 100].join("\n")).unwrap().cut);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_matter_in_columns_that_do_not_matter() {
        let text = b"{\"order\":\"A1\",\"channel\":\"app\",\"title\":\"\xB6\xA9\xB5\xA5\"}";
        assert_eq!(super::read(text, Rows::new(AmountUnit::Fen, 9)).unwrap().orders.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_read_makes_it_panic(text in "(\\PC|[\\[\\]{}\":,0-9\n]|\"order\"|\"channel\"){0,60}") {
            let _ = read(&text);
        }
    }
}
