//! Opening a journal: as one of those who work on it, or beside them.

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
    /// The file of this machine that it is kept in.
    pub path: PathBuf,
    /// The budget for what was never confirmed.
    pub room: Room,
}

impl Settings {
    /// The place beside which gates of the same journal find each other on this machine, so that one can take over from
    /// the other.
    #[must_use]
    pub fn meeting_place(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Settings {
    /// Which journal it is, to people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Opens the journal for a gate, which works on it from now on: makes it if there is none, and leads an older one to
/// this program's layout. What is written is counted in `meters`. Blocks.
///
/// # Errors
/// If it is in use and cannot be shared, not ours, newer, damaged or not to be had.
pub fn open(settings: &Settings, meters: JournalMeters) -> Result<Journal, OpenError> {
    Sqlite::open(&settings.path, settings.room, meters).map(Journal::of)
}

/// Opens the journal for a gate as [`open`] does, but waits until the gate that has it gives it back, however long that
/// takes. Blocks.
///
/// # Errors
/// If it is not ours, newer, damaged or not to be had.
pub fn open_when_free(settings: &Settings, meters: JournalMeters) -> Result<Journal, OpenError> {
    Sqlite::open_when_free(&settings.path, settings.room, meters).map(Journal::of)
}

/// Opens the journal beside the gates that may work on it: to read, and to write down what a person decides. Whoever
/// opens it so leases nothing, makes none and leads none to another layout. Blocks.
///
/// # Errors
/// If there is none, or it has not this program's layout.
pub fn open_beside(settings: &Settings) -> Result<Arc<dyn Archive>, OpenError> {
    Ok(Arc::new(Sqlite::beside(&settings.path)?))
}

/// Whether a gate works on the journal at the moment, so that it carries out what is written down beside it. Blocks.
#[must_use]
pub fn is_worked_on(settings: &Settings) -> bool {
    Sqlite::is_in_use(&settings.path)
}

/// When the journal was made; `None` if there is none that says so. It is only read: a gate may work on it. Blocks.
#[must_use]
pub fn made_at(settings: &Settings) -> Option<Timestamp> {
    sqlite::made_at(&settings.path)
}

/// Reads the whole journal and says what is wrong with it; a gate may work on it. Blocks.
///
/// # Errors
/// If it cannot be opened at all.
pub fn check(settings: &Settings) -> Result<Health, OpenError> {
    sqlite::check(&settings.path)
}

/// Why a journal could not be made there. The journal itself is not touched: a gate may work on it. Blocks.
#[must_use]
pub fn unwritable(settings: &Settings) -> Option<String> {
    sqlite::unwritable(&settings.path)
}
