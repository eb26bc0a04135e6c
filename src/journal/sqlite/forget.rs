//! Forgetting what was kept long enough, in SQL.

use super::batch::Batch;
use super::budget::{Budget, Spent};
use super::columns::number;
use super::leases::millis;
use super::remove::remove;
use super::{audit, content, owners, refused, sweeps, times};
use crate::journal::{EntryId, EntryKey, Forgotten, Keep, State};
use rusqlite::{Connection, Result, params};

/// How long the content of what was closed is kept, in milliseconds: another callback of the same claim may be on its
/// way.
const CONTENT_OF_CLOSED: i64 = 60_000;

/// Removes what was kept long enough.
pub(super) fn forget(
    batch: &Batch<'_>,
    keep: Keep,
    limit: usize,
    at: i64,
    budget: &mut Budget,
) -> Result<Forgotten> {
    let before = times::kept_since(batch, at, keep.entries)?;
    let limit = number(limit as u64);
    let mut forgotten = Forgotten::default();
    // That it is not due is said for the index that has no others.
    for done in ["state = 'accepted'", "state = 'closed'", "state = 'parked' AND transaction_id IS NULL"] {
        let entries: Vec<(EntryId, [u8; 16])> = batch
            .prepare_cached(&format!(
                "SELECT id, key FROM entry WHERE {done} AND due_at IS NULL AND since < ?1 ORDER BY since LIMIT ?2"
            ))?
            .query_map([before, limit], |row| Ok((EntryId(row.get(0)?), row.get(1)?)))?
            .collect::<Result<_>>()?;
        for (entry, key) in entries {
            owners::outlive(batch, entry, at)?;
            budget.give_back(remove(batch, entry)?);
            forgotten.entries.push(EntryKey(key));
        }
    }
    let bodies = times::kept_since(batch, at, keep.bodies)?;
    let closed = bodies.max(at.saturating_sub(CONTENT_OF_CLOSED));
    for (state, before) in [(State::Accepted, bodies), (State::Closed, closed)] {
        forgotten.others += forget_requests(batch, state, before, limit, budget)?;
    }
    forgotten.answers = content::forget_answers(batch, bodies, limit)?;
    let refused = refused::forget(batch, before, limit)?;
    let audits = audit::forget(batch, before, limit)?;
    let owners = owners::forget(batch, millis(keep.entries), limit, at)?;
    forgotten.others += refused + audits + owners + sweeps::forget(batch, before, limit)?;
    Ok(forgotten)
}

/// Removes the requests of what has been in a state since before a time. Returns how many.
fn forget_requests(
    connection: &Connection,
    state: State,
    before: i64,
    limit: i64,
    budget: &mut Budget,
) -> Result<usize> {
    let entries: Vec<EntryId> = connection
        .prepare_cached(
            "SELECT id FROM entry INDEXED BY entry_content
             WHERE state = ?1 AND due_at IS NULL AND bytes > 0 AND since < ?2 ORDER BY since LIMIT ?3",
        )?
        .query_map(params![state.as_str(), before, limit], |row| row.get(0).map(EntryId))?
        .collect::<Result<_>>()?;
    for entry in &entries {
        let bytes = content::clear(connection, *entry)?;
        budget.give_back(Spent { records: 0, bytes });
    }
    Ok(entries.len())
}
