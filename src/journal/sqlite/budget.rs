//! What there may be of callbacks whose order was never confirmed, in records and in bytes, and what gives way when that
//! is spent.

use super::columns;
use super::{content, write};
use crate::journal::{EntryId, Room, State, Trust};
use rusqlite::{Connection, OptionalExtension, Result};

/// Entries that give way to one at most, so that the writer is not held up: a large body takes the place of many small ones.
const MOST_GIVING_WAY: usize = 512;

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

    /// What is gone, or confirmed.
    pub(super) fn give_back(&mut self, back: Spent) {
        self.spent.records = self.spent.records.saturating_sub(back.records);
        self.spent.bytes = self.spent.bytes.saturating_sub(back.bytes);
    }

    /// How much there may be before one of this worth finds no place.
    fn most_of(&self, trust: Trust) -> Room {
        let Room { records, bytes } = self.most;
        match trust {
            Trust::Unconfirmed => {
                Room { records: records - records / SHARE_OF_LIKELY, bytes: bytes - bytes / SHARE_OF_LIKELY }
            }
            Trust::Likely | Trust::Confirmed => self.most,
        }
    }

    /// Makes room for one more with so many bytes; what is confirmed has it in any case. The oldest of what is done with gives way: what is closed, or else parked.
    /// Of what is closed its bytes alone are enough, where bytes are what is missing.
    pub(super) fn make_room(&mut self, connection: &Connection, bytes: u64, trust: Trust) -> Result<bool> {
        if trust == Trust::Confirmed {
            return Ok(true);
        }
        let most = self.most_of(trust);
        if bytes > most.bytes {
            return Ok(false);
        }
        if self.spent.records >= most.records {
            let oldest = match oldest(connection, OLDEST, State::Closed)? {
                None => oldest(connection, OLDEST, State::Parked)?,
                closed => closed,
            };
            let Some(oldest) = oldest else { return Ok(false) };
            self.give_back(write::remove(connection, oldest)?);
        }
        for _ in 0..MOST_GIVING_WAY {
            if self.spent.bytes.saturating_add(bytes) <= most.bytes {
                return Ok(true);
            }
            if let Some(closed) = oldest(connection, OLDEST_WITH_BYTES, State::Closed)? {
                let bytes = content::clear(connection, closed)?;
                self.give_back(Spent { records: 0, bytes });
            } else if let Some(parked) = oldest(connection, OLDEST_WITH_BYTES, State::Parked)? {
                self.give_back(write::remove(connection, parked)?);
            } else {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

const OLDEST: &str = "SELECT id FROM entry WHERE state = ?1 AND transaction_id IS NULL AND origin = 'callback'
    ORDER BY id LIMIT 1";

const OLDEST_WITH_BYTES: &str = "SELECT id FROM entry INDEXED BY entry_unconfirmed_bytes
    WHERE state = ?1 AND transaction_id IS NULL AND origin = 'callback' AND bytes > 0 ORDER BY id LIMIT 1";

fn oldest(connection: &Connection, sql: &str, state: State) -> Result<Option<EntryId>> {
    connection.prepare_cached(sql)?.query_row([state.as_str()], |row| row.get(0).map(EntryId)).optional()
}
