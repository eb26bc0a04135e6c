//! What a database is asked.

/// A single SELECT.
#[derive(Debug, Clone)]
pub struct Query(String);

/// Why a text is no query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// It begins otherwise.
    #[error("does not begin with SELECT or WITH")]
    NoSelect,
}

impl Query {
    /// Takes a SELECT, or a WITH that leads to one. That it is only one, and only reads, is for its database to say.
    ///
    /// # Errors
    /// If it begins with another word.
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        let text = text.trim().trim_end_matches(|character: char| character == ';' || character.is_whitespace());
        let first = text.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default();
        if ["select", "with"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadQuery::NoSelect)
        }
    }

    /// The query, without a semicolon at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_select() {
        for text in ["SELECT 1", " select\n1 ; ", "WITH x AS (SELECT 1) SELECT * FROM x;", "select(1)"] {
            assert!(!Query::parse(text).unwrap().as_str().ends_with(';'), "{text}");
        }
        for text in
            ["", ";", "DELETE FROM orders", "selected", "-- SELECT", "EXPLAIN SELECT 1", "(SELECT 1)", "SET x = 1"]
        {
            assert_eq!(Query::parse(text).unwrap_err(), BadQuery::NoSelect, "{text}");
        }
    }
}
