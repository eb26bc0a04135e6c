//! Which database a journal is kept in, and how this process is a replica there (`journal.url` and the keys beside it).

pub mod problem;

use crate::domain::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A database, and how this process works on it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// `postgres://user[:password]@host1[:port],host2/database?sslmode=...`. It may have the password in it.
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
    /// The host, port and database to people: the URL without user, password and parameters.
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
