//! How much is kept, and how long.

use super::{DeliveryId, EntryKey};
use std::time::Duration;

/// How much is kept of callbacks whose order was never confirmed as paid, since anybody can make such callbacks up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many records of unconfirmed orders there may be (`journal.unconfirmed`).
    pub records: u64,
    /// How many bytes their requests may have, head and body, as they stand in the store (`journal.unconfirmed_bytes`).
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
    /// Both for the same time.
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

/// What was removed.
#[derive(Debug, Clone, Default)]
pub struct Forgotten {
    /// Entries that are not there any more.
    pub entries: Vec<EntryKey>,
    /// Deliveries whose answer is not there any more.
    pub answers: Vec<DeliveryId>,
    /// How many requests, refused callbacks, lines of the audit trail, owners and sweeps were removed besides.
    pub others: usize,
    /// How much smaller the store became, in pages of its own.
    pub pages: usize,
}

impl Forgotten {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.entries.is_empty() && self.answers.is_empty() && self.others == 0 && self.pages == 0
    }
}
