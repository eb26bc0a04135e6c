//! Opening a journal: as one of those who work on it, or beside them.

use super::copy::{Copied, NotCopied};
use super::database::{DatabaseFacts, DatabaseSettings, Migrated};
use super::postgres::{self, Postgres};
use super::sqlite::{self, Sqlite};
use super::{Archive, Health, Journal, OpenError, Room};
use crate::observe::metrics::JournalMeters;
use jiff::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a journal is, and what it may keep of orders that were never confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is kept in.
    pub place: Place,
    /// The budget for what was never confirmed.
    pub room: Room,
}

/// What a journal is kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of this machine, which one gate has to itself.
    File(PathBuf),
    /// A database that several gates share.
    Database(Box<DatabaseSettings>),
}

impl Settings {
    /// A file, with this budget.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>, room: impl Into<Room>) -> Self {
        Self { place: Place::File(path.into()), room: room.into() }
    }

    /// The file beside which gates of the same journal find each other on this machine, so that one can take over from the
    /// other; `None` for a database, where there is nothing to take over.
    #[must_use]
    pub fn meeting_place(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Database(_) => None,
        }
    }

    /// Whether several gates may work on it at once.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.place, Place::Database(_))
    }
}

impl fmt::Display for Settings {
    /// Which journal it is, to people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => path.display().fmt(f),
            Place::Database(database) => database.fmt(f),
        }
    }
}

/// Opens the journal for a gate, which works on it from now on: makes it if there is none, and leads an older one to
/// this program's layout. What is written is counted in `meters`. A database that does not answer is opened all the same, and
/// tried until it does. A file blocks.
///
/// # Errors
/// If it is in use and cannot be shared, not ours, newer, damaged, refused to this user or not to be had.
pub async fn open(settings: &Settings, meters: JournalMeters) -> Result<Journal, OpenError> {
    match &settings.place {
        Place::File(path) => Sqlite::open(path, settings.room, meters).map(Journal::of_one),
        Place::Database(database) => Postgres::open(database, settings.room, meters).await.map(Journal::of_several),
    }
}

/// Opens the journal for a gate as [`open`] does, but waits until the gate that has it gives it back, however long that
/// takes. Blocks; only for a file, since a database is free for all.
///
/// # Errors
/// If it is not ours, newer, damaged or not to be had.
pub fn open_when_free(path: &Path, room: Room, meters: JournalMeters) -> Result<Journal, OpenError> {
    Sqlite::open_when_free(path, room, meters).map(Journal::of_one)
}

/// Opens the journal beside the gates that may work on it: to read, and to write down what a person decides. Whoever
/// opens it so leases nothing, makes none and leads none to another layout. A file blocks.
///
/// # Errors
/// If there is none, or it has not this program's layout.
pub async fn open_beside(settings: &Settings) -> Result<Arc<dyn Archive>, OpenError> {
    match &settings.place {
        Place::File(path) => Ok(Arc::new(Sqlite::beside(path)?)),
        Place::Database(database) => Ok(Arc::new(Postgres::beside(database).await?)),
    }
}

/// Whether a gate works on the journal at the moment, so that it carries out what is written down beside it. A file blocks.
///
/// # Errors
/// If that cannot be found out.
pub async fn is_worked_on(settings: &Settings) -> Result<bool, OpenError> {
    match &settings.place {
        Place::File(path) => Ok(Sqlite::is_in_use(path)),
        Place::Database(database) => postgres::is_worked_on(database).await,
    }
}

/// When the journal was made; `None` if there is none that says so. It is only read: a gate may work on it. A file blocks.
pub async fn made_at(settings: &Settings) -> Option<Timestamp> {
    match &settings.place {
        Place::File(path) => sqlite::made_at(path),
        Place::Database(_) => open_beside(settings).await.ok()?.made_at().await.ok()?,
    }
}

/// As [`made_at`], of a journal that is a file; of a database nothing is asked, and nothing is known. Blocks.
#[must_use]
pub fn made_at_in_file(settings: &Settings) -> Option<Timestamp> {
    match &settings.place {
        Place::File(path) => sqlite::made_at(path),
        Place::Database(_) => None,
    }
}

/// Reads the whole journal and says what is wrong with it; a gate may work on it. A file blocks.
///
/// # Errors
/// If it cannot be opened at all.
pub async fn check(settings: &Settings) -> Result<Health, OpenError> {
    match &settings.place {
        Place::File(path) => sqlite::check(path),
        Place::Database(database) => postgres::check(database).await,
    }
}

/// Why a journal could not be made or worked on there, and what is known of its database. The journal itself is not touched: a
/// gate may work on it. A file blocks.
pub async fn look(settings: &Settings) -> (Option<String>, Option<DatabaseFacts>) {
    match &settings.place {
        Place::File(path) => (sqlite::unwritable(path), None),
        Place::Database(database) => match postgres::facts(database).await {
            Ok(facts) => (None, Some(facts)),
            Err(error) => (Some(error.to_string()), None),
        },
    }
}

/// Makes the tables of a journal, or leads them to this program's layout; gates may work on it.
///
/// # Errors
/// If the database is not to be had, or does not let it.
pub async fn migrate(database: &DatabaseSettings) -> Result<Migrated, OpenError> {
    postgres::migrate(database).await
}

/// Copies a journal that is a file into one that is a database: every row, with the numbers that go on. Done again it adds what is
/// not there yet. Says how much there is of what on both sides.
///
/// # Errors
/// If a gate works on one of the two, or one of them fails.
pub async fn copy(from: &Path, to: &DatabaseSettings) -> Result<Vec<Copied>, NotCopied> {
    postgres::copy(from, to).await
}

/// The statements that [`migrate`] would run; empty if there are none.
///
/// # Errors
/// If the database is not to be had, or has something else there.
pub async fn migration(database: &DatabaseSettings) -> Result<String, OpenError> {
    postgres::migration(database).await
}

/// Ends what older programs need of the tables, when none works on them any more. Whether there was something to end.
///
/// # Errors
/// If a replica of another version lives, or the database is not to be had.
pub async fn finish(database: &DatabaseSettings) -> Result<bool, OpenError> {
    postgres::finish(database).await
}
