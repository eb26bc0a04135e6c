//! One transaction of the writer, and what it changes about the numbers that need not be counted: how many entries are
//! done with (`tally`), and how many were removed (`forgotten`).
//!
//! Changes are added up in memory and written once, in the same transaction, so that no crash parts a number from what
//! it counts. What is written are differences, because other processes write too (`tollgate redeliver`).

use crate::journal::EntryId;
use rusqlite::{Connection, OptionalExtension, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;

/// A transaction. An entry comes to be done with, is taken up again and is removed through [`change`](Self::change),
/// [`done_with`](Self::done_with) and [`remove`](Self::remove) only; everything else is done with the connection.
pub(super) struct Batch<'t> {
    connection: &'t Connection,
    changes: RefCell<Changes>,
}

/// Differences that are not written yet; there are no more kinds than operations in a transaction.
#[derive(Debug, Default)]
struct Changes {
    done_with: BTreeMap<Kind, i64>,
    forgotten: i64,
}

/// What entries that are done with, which are due at no time, are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) state: String,
    pub(super) channel: String,
    pub(super) origin: String,
    /// Whether a payment was confirmed.
    pub(super) confirmed: bool,
}

impl<'t> Batch<'t> {
    /// What is done with this connection until [`settle`](Self::settle), which a transaction has to be around.
    pub(super) fn of(connection: &'t Connection) -> Self {
        Self { connection, changes: RefCell::default() }
    }

    /// Makes a change to an entry that may lead it to another state, time or payment. The change gives back how many
    /// rows it concerned.
    pub(super) fn change(&self, entry: EntryId, change: impl FnOnce() -> Result<usize>) -> Result<usize> {
        let before = self.kind(entry)?;
        let changed = change()?;
        if changed > 0 {
            let after = self.kind(entry)?;
            if before != after {
                let mut changes = self.changes.borrow_mut();
                changes.count(before, -1);
                changes.count(after, 1);
            }
        }
        Ok(changed)
    }

    /// An entry that was due is done with, and of this kind now; for who knows that without looking.
    pub(super) fn done_with(&self, kind: Kind) {
        self.changes.borrow_mut().count(Some(kind), 1);
    }

    /// Removes an entry's row. What hangs on it is the caller's to remove.
    pub(super) fn remove(&self, entry: EntryId) -> Result<()> {
        let before = self.kind(entry)?;
        if self.connection.prepare_cached("DELETE FROM entry WHERE id = ?1")?.execute([entry.0])? > 0 {
            let mut changes = self.changes.borrow_mut();
            changes.count(before, -1);
            changes.forgotten += 1;
        }
        Ok(())
    }

    /// Writes the numbers down. To be called before the transaction is committed.
    pub(super) fn settle(self) -> Result<()> {
        let Changes { done_with, forgotten } = self.changes.into_inner();
        for (Kind { state, channel, origin, confirmed }, entries) in
            done_with.iter().filter(|(_, entries)| **entries != 0)
        {
            self.connection.prepare_cached(ADD)?.execute((state, channel, origin, confirmed, entries))?;
        }
        if forgotten > 0 {
            self.connection.prepare_cached("UPDATE forgotten SET entries = entries + ?1")?.execute([forgotten])?;
        }
        Ok(())
    }

    /// What an entry is counted as; `None` if it is not done with, or not there.
    fn kind(&self, entry: EntryId) -> Result<Option<Kind>> {
        self.connection
            .prepare_cached(KIND)?
            .query_row([entry.0], |row| {
                Ok(Kind { state: row.get(0)?, channel: row.get(1)?, origin: row.get(2)?, confirmed: row.get(3)? })
            })
            .optional()
    }
}

const KIND: &str =
    "SELECT state, channel, origin, transaction_id IS NOT NULL FROM entry WHERE id = ?1 AND due_at IS NULL";

const ADD: &str = "INSERT INTO tally (state, channel, origin, confirmed, entries) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET entries = entries + excluded.entries";

impl Changes {
    fn count(&mut self, kind: Option<Kind>, by: i64) {
        if let Some(kind) = kind {
            *self.done_with.entry(kind).or_default() += by;
        }
    }
}

impl Deref for Batch<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
