//! The statements of one transaction, sent in one flight, and the rows of each.

use super::statement::Statement;
use tokio_postgres::Row;

/// Statements, between `BEGIN` and `COMMIT`.
#[derive(Debug)]
pub(super) struct Script(Vec<Statement>);

/// Where the rows of a statement will be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(usize);

/// The place of a row's operation among those that it was asked for, which its `place` counts from 1.
pub(super) fn place(row: &Row) -> usize {
    let place: i64 = row.try_get("place").unwrap_or(0);
    usize::try_from(place).unwrap_or(0).wrapping_sub(1)
}

/// The rows of all of them.
#[derive(Debug)]
pub(super) struct Rows(pub(super) Vec<Vec<Row>>);

impl Script {
    pub(super) fn begin() -> Self {
        Self(vec![Statement::of("BEGIN")])
    }

    pub(super) fn add(&mut self, statement: Statement) -> Place {
        self.0.push(statement);
        Place(self.0.len() - 1)
    }

    pub(super) fn commit(mut self) -> Vec<Statement> {
        self.0.push(Statement::of("COMMIT"));
        self.0
    }
}

impl Rows {
    pub(super) fn of(&self, place: Place) -> &[Row] {
        self.0.get(place.0).map_or(&[], Vec::as_slice)
    }
}
