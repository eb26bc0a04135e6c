//! Which database a journal is kept in, and how this process is a replica there (`journal.url` and the keys beside it).

pub mod problem;

use crate::domain::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A database, and how this process works on it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `postgres://user[:password]@host1[:port],host2/database?sslmode=...`. It may have the password in it. Empty if it, or the
    /// password, was left unread.
    pub url: Secret,
    /// The password, where the URL has none.
    pub password: Option<Secret>,
    /// Files for TLS, beside those that the system has.
    pub tls: DatabaseTls,
    /// The schema that the tables are in: `[a-z_][a-z0-9_]{0,30}`. It is always written out.
    pub schema: String,
    /// This replica's name to people.
    pub replica: String,
    /// How long what this replica holds stays its own when nothing is heard of it.
    pub lease: Duration,
    /// A round trip that takes longer has failed, and its connection is given up.
    pub timeout: Duration,
    /// Connections at most, from 2 on.
    pub pool: usize,
    /// Whether a start makes the tables, or leads them on.
    pub migrate: bool,
    /// The host, port and database to people: the URL without user, password and parameters. Where the URL or the password was
    /// left unread, what names it in the configuration.
    pub shown: String,
}

/// Files for TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseTls {
    /// Certificate authorities in PEM, in place of the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate in PEM.
    pub cert: Option<PathBuf>,
    /// The client's key in PEM.
    pub key: Option<PathBuf>,
}

impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings")
            .field("shown", &self.shown)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// What came of leading a journal's tables to a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The layout that there was before, 0 for none; `None` if nothing was to be done.
    pub from: Option<usize>,
    /// The layout that there is.
    pub layout: usize,
    /// The oldest layout whose programs may work with it.
    pub works_with: usize,
}

/// What a database is like, on which a gate could work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The server's version.
    pub version: String,
    /// The layout of its tables; `None` if a start makes them, or leads them on.
    pub layout: Option<usize>,
    /// `synchronous_commit` as the sessions of a gate have it.
    pub synchronous_commit: String,
    /// This machine's clock less the database's, in milliseconds.
    pub clock_skew_ms: i64,
}
