//! How much is kept, and how long.

use std::time::Duration;

/// How much is kept of callbacks whose order was never confirmed as paid, since anybody can make such callbacks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Records.
    pub records: u64,
    /// Bytes of their requests, head and body, as they stand in the store.
    pub bytes: u64,
}

/// How long what is done with is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Requests of accepted and closed entries, and the upstream's answers: the only place of what payers are known by.
    pub bodies: Duration,
    /// Accepted and closed entries, parked ones that were never confirmed, and what people did.
    pub entries: Duration,
}

impl From<u64> for Room {
    /// So many records, of any size.
    fn from(records: u64) -> Self {
        Self { records, bytes: u64::MAX }
    }
}

impl From<Duration> for Keep {
    /// All of it so long.
    fn from(keep: Duration) -> Self {
        Self { bodies: keep, entries: keep }
    }
}

impl Keep {
    /// The shorter of the two.
    #[must_use]
    pub fn shortest(&self) -> Duration {
        self.bodies.min(self.entries)
    }
}
