//! Copying a journal that is a file into one that is a database: every row, with the numbers that go on, page by page, so that
//! it may be broken off and done again, which adds what is not there yet.

use super::OpenError;
use std::fmt;
use std::path::PathBuf;
use uuid::Uuid;

/// What is copied, in the order in which it is: what belongs to an entry comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Claims.
    Entries,
    /// Orders on routes, with the numbers of their attempts and their acceptances.
    Deliveries,
    /// Requests of entries.
    Requests,
    /// Sendings.
    Attempts,
    /// What happened to entries besides.
    Events,
    /// Callbacks that were refused.
    Refused,
    /// Whose payments are.
    Owners,
    /// What sources of pending orders said.
    Listed,
    /// How those sources are.
    Sources,
    /// Comparisons of bills.
    Sweeps,
    /// Rows behind their numbers.
    SweepRows,
    /// What people did.
    Audit,
    /// The minutes of the last day.
    Minutes,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Entries,
        Self::Deliveries,
        Self::Requests,
        Self::Attempts,
        Self::Events,
        Self::Refused,
        Self::Owners,
        Self::Listed,
        Self::Sources,
        Self::Sweeps,
        Self::SweepRows,
        Self::Audit,
        Self::Minutes,
    ];

    /// The word in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Deliveries => "deliveries",
            Self::Requests => "requests",
            Self::Attempts => "attempts",
            Self::Events => "events",
            Self::Refused => "refused",
            Self::Owners => "owners",
            Self::Listed => "listed",
            Self::Sources => "sources",
            Self::Sweeps => "sweeps",
            Self::SweepRows => "sweep rows",
            Self::Audit => "audit lines",
            Self::Minutes => "minutes",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much there is of what, on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// What.
    pub table: Table,
    /// Rows in the file.
    pub in_file: u64,
    /// Rows of the file that are in the database now.
    pub in_database: u64,
    /// Those of them that were not there before.
    pub added: u64,
}

impl Copied {
    /// Whether both sides have the same.
    #[must_use]
    pub const fn agrees(&self) -> bool {
        self.in_file == self.in_database
    }
}

/// Why a journal was not copied, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum NotCopied {
    /// One of the two cannot be opened, or a gate has the file.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A gate works on the database.
    #[error("a gate works on {0}: stop all gates first, so that nothing is written on either side meanwhile")]
    WorkedOn(String),
    /// The file cannot be read to its end.
    #[error("{} cannot be read to its end: {what}; `tollgate journal check` says all that is wrong", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The database did not take all of it.
    #[error("the database did not take all of it: {0}. Do the same again: what is there already is not added twice")]
    Unwritten(super::JournalError),
}

/// One row's values of a column, or all rows' of a page.
#[derive(Debug, Clone)]
pub(super) enum Column {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Ids(Vec<Option<Uuid>>),
    Flags(Vec<Option<bool>>),
}

/// Rows of a table.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) table: Table,
    /// How many.
    pub(super) rows: usize,
    /// Their buckets and numbers, and what they have besides.
    pub(super) columns: Vec<Column>,
}

/// What a file says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// When it was made, in milliseconds since 1970.
    pub(super) made_at: Option<i64>,
    /// When a gate was last known to have it.
    pub(super) latest_at: Option<i64>,
    /// Entries that were forgotten.
    pub(super) forgotten: i64,
    /// Times that were not spent.
    pub(super) steps: Vec<(i64, i64)>,
}

/// What makes a row's number and its bucket: when it was made (milliseconds since 1970), what its bucket is made of, and its
/// number in the file.
pub(super) type Number = fn(i64, Option<&str>, i64) -> (i64, i64);

/// A part of the file.
#[derive(Debug)]
pub(super) enum Part {
    Head(Head),
    Page(Page),
}
