//! One statement with its values, whose types are said, so that it needs no preparing and works behind a pooler.

use std::borrow::Cow;
use std::fmt;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A statement. In its text `~` stands for the schema and its dot, and `@now` for the time at which the transaction began, in
/// milliseconds since 1970 by the database's clock.
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A value, and which type the database has it as.
pub(super) type Value = (Box<dyn ToSql + Sync + Send>, Type);

impl Statement {
    pub(super) fn of(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    /// This statement, with its next value.
    pub(super) fn with<T: Typed>(mut self, value: T) -> Self {
        self.values.push((Box::new(value), T::TYPE));
        self
    }
}

impl fmt::Debug for Statement {
    /// Without the values, which may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

/// What can be a value.
pub(super) trait Typed: ToSql + Sync + Send + 'static {
    const TYPE: Type;
}

/// What can be an element of a list.
pub(super) trait Element: ToSql + Sync + Send + 'static {
    const LIST: Type;
}

macro_rules! typed {
    ($($of:ty: $one:ident, $list:ident;)+) => {$(
        impl Typed for $of {
            const TYPE: Type = Type::$one;
        }

        impl Element for $of {
            const LIST: Type = Type::$list;
        }

        impl Typed for Option<$of> {
            const TYPE: Type = Type::$one;
        }

        impl Element for Option<$of> {
            const LIST: Type = Type::$list;
        }
    )+};
}

typed! {
    i16: INT2, INT2_ARRAY;
    i32: INT4, INT4_ARRAY;
    i64: INT8, INT8_ARRAY;
    bool: BOOL, BOOL_ARRAY;
    String: TEXT, TEXT_ARRAY;
    &'static str: TEXT, TEXT_ARRAY;
    Vec<u8>: BYTEA, BYTEA_ARRAY;
    Uuid: UUID, UUID_ARRAY;
}

/// A list of values.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: Element + fmt::Debug> ToSql for List<T> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(of, out)
    }

    fn accepts(of: &Type) -> bool {
        *of == T::LIST
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<T: Element + fmt::Debug> Typed for List<T> {
    const TYPE: Type = T::LIST;
}

/// The text of statements for one schema.
#[derive(Debug, Clone)]
pub(super) struct Schema(String);

/// The time at which the transaction began, in milliseconds since 1970.
const NOW: &str = "(extract(epoch from now()) * 1000)::bigint";

impl Schema {
    pub(super) fn named(name: &str) -> Self {
        Self(format!("{name}."))
    }

    /// The name alone.
    pub(super) fn name(&self) -> &str {
        self.0.trim_end_matches('.')
    }

    /// The text that is sent.
    pub(super) fn text(&self, sql: &str) -> String {
        let mut text = String::with_capacity(sql.len() + 256);
        let mut rest = sql;
        while let Some(place) = rest.find(['~', '@']) {
            let (before, from) = rest.split_at(place);
            text.push_str(before);
            if let Some(after) = from.strip_prefix('~') {
                text.push_str(&self.0);
                rest = after;
            } else if let Some(after) = from.strip_prefix("@now") {
                text.push_str(NOW);
                rest = after;
            } else {
                text.push('@');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        text.push_str(rest);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_and_the_time_are_written_out() {
        let schema = Schema::named("tollgate");
        assert_eq!(
            schema.text("UPDATE ~entry SET due_at = @now - $1 WHERE a @> b"),
            "UPDATE tollgate.entry SET due_at = (extract(epoch from now()) * 1000)::bigint - $1 WHERE a @> b"
        );
    }
}
