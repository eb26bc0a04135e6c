//! What there may be of callbacks whose order was never confirmed, in records and in bytes.

use super::columns;
use crate::journal::{Room, Trust};
use rusqlite::{Connection, Result};

/// One part in this many is left for likely ones.
const SHARE_OF_LIKELY: u64 = 8;

/// Callbacks whose order was never confirmed.
pub(super) const UNCONFIRMED: &str =
    "SELECT count(*) AS n FROM entry WHERE transaction_id IS NULL AND origin = 'callback'";

/// Bytes of their requests.
pub(super) const UNCONFIRMED_BYTES: &str =
    "SELECT ifnull(sum(bytes), 0) AS n FROM entry INDEXED BY entry_unconfirmed_bytes
    WHERE transaction_id IS NULL AND origin = 'callback' AND bytes > 0";

/// Records, and bytes of their requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// What there may be, and is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    most: Room,
    spent: Spent,
}

impl Budget {
    /// What the file has of it.
    pub(super) fn count(connection: &Connection, most: Room) -> Result<Self> {
        let one = |sql| connection.query_row(sql, [], |row| columns::count(row, "n"));
        Ok(Self { most, spent: Spent { records: one(UNCONFIRMED)?, bytes: one(UNCONFIRMED_BYTES)? } })
    }

    /// Counts it anew.
    pub(super) fn recount(&mut self, connection: &Connection) -> Result<()> {
        *self = Self::count(connection, self.most)?;
        Ok(())
    }

    /// One record more, with a request of so many bytes.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.spent.records = self.spent.records.saturating_add(1);
        self.spent.bytes = self.spent.bytes.saturating_add(bytes);
    }

    /// The request of a record became another.
    pub(super) fn replaced(&mut self, before: u64, after: u64) {
        self.spent.bytes = self.spent.bytes.saturating_sub(before).saturating_add(after);
    }

    /// What there is.
    pub(super) const fn spent(&self) -> Spent {
        self.spent
    }

    /// What is gone, or confirmed.
    pub(super) fn give_back(&mut self, back: Spent) {
        self.spent.records = self.spent.records.saturating_sub(back.records);
        self.spent.bytes = self.spent.bytes.saturating_sub(back.bytes);
    }

    /// How much there may be before one of this worth finds no place.
    pub(super) fn most_of(&self, trust: Trust) -> Room {
        let Room { records, bytes } = self.most;
        match trust {
            Trust::Unconfirmed => {
                Room { records: records - records / SHARE_OF_LIKELY, bytes: bytes - bytes / SHARE_OF_LIKELY }
            }
            Trust::Likely | Trust::Confirmed => self.most,
        }
    }
}
