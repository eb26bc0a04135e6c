//! Why a journal cannot be opened.

use super::DatabaseProblem;
use std::path::PathBuf;

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
    /// A database is no journal for this process.
    #[error("{database} {problem}")]
    Database {
        /// Host, port and name; without user and password.
        database: String,
        /// What is wrong.
        problem: DatabaseProblem,
    },
    /// The store says no.
    #[error("the journal cannot be opened; `tollgate journal check` says more")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn by(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}
