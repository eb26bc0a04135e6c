//! Opening a journal: as one of those who work on it, or beside them.

use super::sqlite::{self, Sqlite};
use super::{Archive, Health, Journal, Room};
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
    /// The place beside which gates of the same journal find each other on this machine, so that one can take over from the
    /// other.
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

/// Opens the journal for a gate, which works on it from now on: makes it if there is none, and leads an older one to this
/// program's layout. What is written is counted in `meters`. Blocks.
///
/// # Errors
/// If it is in use and cannot be shared, not ours, newer, damaged or not to be had.
pub fn open(settings: &Settings, meters: JournalMeters) -> Result<Journal, OpenError> {
    Sqlite::open(&settings.path, settings.room, meters).map(Journal::of)
}

/// The same, but waits until the gate that has the journal gives it back, however long that takes. Blocks.
///
/// # Errors
/// If it is not ours, newer, damaged or not to be had.
pub fn open_when_free(settings: &Settings, meters: JournalMeters) -> Result<Journal, OpenError> {
    Sqlite::open_when_free(&settings.path, settings.room, meters).map(Journal::of)
}

/// Opens the journal beside the gates that may work on it: to read, and to write down what a person decides. Whoever opens it
/// so leases nothing, makes none and leads none to another layout. Blocks.
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

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by {}: stop that gate first, or give this one a journal.path of its own", path.display(), by(*process))]
    InUse {
        /// The file.
        path: PathBuf,
        /// Whose, if it said so.
        process: Option<u32>,
    },
    /// From a newer program.
    #[error(
        "{} has layout version {version}, and this program knows {known}: run the newer tollgate that wrote it, or name \
         another file in journal.path", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
        /// The latest that this program knows.
        known: usize,
    },
    /// Its layout has to be led here first, which only the gate does.
    #[error(
        "{} has the older layout version {version}; start the gate once, which leads it to version {known}", path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
        /// The one that is needed.
        known: usize,
    },
    /// Something else than a journal.
    #[error(
        "{} is no journal of tollgate, or its first page is damaged: name another file in journal.path, or restore this one \
         from a backup", .0.display()
    )]
    Foreign(PathBuf),
    /// It was one, and is not whole any more.
    #[error(
        "{} is damaged: {what}. Nothing was changed in it. Keep a copy of it and of its -wal; then restore a backup, or save \
         what can be read with `sqlite3 {} .recover` (docs/operating.md, \"A damaged journal\"); `tollgate journal check` says \
         all that is wrong", path.display(), path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is none yet.
    #[error("there is no journal at {}: it is made when the gate runs with this configuration", .0.display())]
    Absent(PathBuf),
    /// The system says no.
    #[error("cannot open {}: its directory must be there, and writable for this user", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The store says no.
    #[error("the journal cannot be opened; `tollgate journal check` says more")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn by(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}
