//! Connections that read.

use super::{OpenError, connect};
use parking_lot::Mutex;
use rusqlite::{Connection, Error, Result};
use std::path::{Path, PathBuf};

/// Connections that are kept while no read is under way. Each may hold as much memory as its cache, and as many are
/// open as read at one time.
const KEPT: usize = 4;

/// Connections that read.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Reads with a connection that is idle. One that failed is not used again.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let read = read(&connection)?;
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
        Ok(read)
    }

    fn open(&self) -> Result<Connection> {
        let connection = connect(&self.path, false).map_err(|error| match error {
            OpenError::Store(error) => error.downcast::<Error>().map_or_else(|_| self.not_opened(), |error| *error),
            _ => self.not_opened(),
        })?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    fn not_opened(&self) -> Error {
        Error::InvalidPath(self.path.clone())
    }
}
