//! Why a database gives no more rows.

use super::error::SourceError;

/// Why no more rows are read.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// The database's own error, which its driver has.
    Database(E),
    /// The result has not the columns that are wanted.
    Columns(SourceError),
}

impl<E> Stop<E> {
    /// The error of the source, where `explain` tells what the database's own means.
    pub(super) fn explained(self, explain: impl FnOnce(E) -> SourceError) -> SourceError {
        match self {
            Self::Database(error) => explain(error),
            Self::Columns(error) => error,
        }
    }
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Self {
        Self::Database(error)
    }
}
