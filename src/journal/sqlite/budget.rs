//! What there may be of callbacks whose order was never confirmed, in records and in bytes.

use super::columns;
use crate::journal::{Room, Trust};
use rusqlite::{Connection, Result};

/// One part in this many is left for likely ones.
const SHARE_OF_LIKELY: u64 = 8;

/// Callbacks whose order was never confirmed, and bytes of their requests, in one walk through an index of nothing else.
pub(super) const UNCONFIRMED: &str = "SELECT count(*) AS records, ifnull(sum(bytes), 0) AS bytes
    FROM entry INDEXED BY entry_unconfirmed WHERE transaction_id IS NULL AND origin = 'callback'";

/// Records, and bytes of their requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Spent {
    /// What the file has of callbacks whose order was never confirmed.
    pub(super) fn count(connection: &Connection) -> Result<Self> {
        connection.prepare_cached(UNCONFIRMED)?.query_row([], |row| {
            Ok(Self { records: columns::count(row, "records")?, bytes: columns::count(row, "bytes")? })
        })
    }
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
        Ok(Self { most, spent: Spent::count(connection)? })
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
