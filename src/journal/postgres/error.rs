//! Why the database did not do what it was asked, and what that means: try again, try elsewhere, or give up.

use crate::journal::JournalError;
use tokio_postgres::error::SqlState;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The database says no, or the connection broke.
    #[error("{}", said(.0))]
    Database(#[from] tokio_postgres::Error),
    /// It did not answer in time.
    #[error("the database did not answer within journal.timeout")]
    TimedOut,
    /// There is no connection, and none can be had at the moment.
    #[error("there is no connection to the database")]
    Away,
    /// A value does not read as what its column holds.
    #[error("column {0} holds something else")]
    Damaged(&'static str),
    /// What was read is not so any more, which a transaction that wants to change it found out.
    #[error("another changed it meanwhile")]
    Overtaken,
    /// It is answered as this, whatever the database says.
    #[error(transparent)]
    Answer(#[from] JournalError),
}

impl Error {
    /// The SQLSTATE that the database said, if it said one.
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Database(error) => error.code(),
            _ => None,
        }
    }

    /// Whether the same may succeed on this connection at once: others were in the way.
    pub(super) fn is_of_others(&self) -> bool {
        matches!(self, Self::Overtaken)
            || matches!(self.code(), Some(code) if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code))
    }

    /// Whether the connection is given up for it: it broke, hangs, or ends at a server that does not write or is stopping.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::TimedOut | Self::Away => true,
            Self::Database(error) => match error.code() {
                None => true,
                Some(code) => {
                    // 08 connection, 53 resources, 57P operator intervention, 58 system, 25006 read-only, 57014 statement_timeout.
                    let class = code.code().get(..2).unwrap_or_default();
                    matches!(class, "08" | "53" | "58")
                        || code.code().starts_with("57P")
                        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
                        || *code == SqlState::QUERY_CANCELED
                        || *code == SqlState::LOCK_NOT_AVAILABLE
                }
            },
            Self::Damaged(_) | Self::Overtaken | Self::Answer(_) => false,
        }
    }

    /// Whether it took longer than it may: less at once may do.
    pub(super) fn took_too_long(&self) -> bool {
        matches!(self, Self::TimedOut) || self.code() == Some(&SqlState::QUERY_CANCELED)
    }

    /// Whether the same may succeed if it is tried again.
    pub(super) fn may_pass(&self) -> bool {
        self.is_of_others() || self.is_of_the_connection()
    }

    /// Whether the database does not take anything of a journal's at the moment: tables or rights are missing, as while a backup is
    /// restored. What must not be lost waits for it.
    pub(super) fn is_of_the_layout(&self) -> bool {
        let missing = [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::UNDEFINED_TABLE,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::UNDEFINED_COLUMN,
        ];
        self.code().is_some_and(|code| missing.contains(code))
    }

    /// What a caller of the journal is told that wanted to write.
    pub(super) fn into_unwritten(self) -> JournalError {
        match self {
            Self::Answer(error) => error,
            _ => JournalError::Unavailable,
        }
    }

    /// What a caller of the journal is told that wanted to read.
    pub(super) fn into_unread(self) -> JournalError {
        match self {
            Self::Answer(error) => error,
            error => JournalError::Unreadable(error.to_string()),
        }
    }
}

/// What a database said, in one line: its message, or the innermost cause. A message of PostgreSQL never has the password.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
