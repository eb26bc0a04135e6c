//! Removing an entry, with all that hangs on it.

use super::batch::Batch;
use super::budget::Spent;
use super::columns;
use crate::journal::EntryId;
use rusqlite::{OptionalExtension, Result};

/// Removes an entry and, if it was the last of its delivery, that. Returns what a callback of an unconfirmed order
/// had taken of the budget.
pub(super) fn remove(batch: &Batch<'_>, entry: EntryId) -> Result<Spent> {
    let there = batch
        .prepare_cached(
            "SELECT delivery, \"order\", transaction_id IS NULL AND origin = 'callback' AS unconfirmed, bytes
             FROM entry WHERE id = ?1",
        )?
        .query_row([entry.0], |row| {
            let spent = Spent { records: 1, bytes: columns::count(row, "bytes")? };
            let spent = if row.get("unconfirmed")? { spent } else { Spent::default() };
            Ok((row.get::<_, String>("delivery")?, row.get::<_, String>("order")?, spent))
        })
        .optional()?;
    let Some((delivery, order, spent)) = there else { return Ok(Spent::default()) };
    batch.remove(entry)?;
    batch.prepare_cached("DELETE FROM request WHERE entry = ?1")?.execute([entry.0])?;
    batch.prepare_cached("DELETE FROM event WHERE entry = ?1")?.execute([entry.0])?;
    batch.prepare_cached("DELETE FROM attempt_row WHERE entry = ?1")?.execute([entry.0])?;
    let others: bool = batch
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE \"order\" = ?1 AND delivery = ?2)")?
        .query_row([&order, &delivery], |row| row.get(0))?;
    if !others {
        batch.prepare_cached("DELETE FROM delivery_row WHERE id = ?1")?.execute([&delivery])?;
    }
    Ok(spent)
}
