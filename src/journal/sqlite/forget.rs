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

/// Of a file that has this much free nothing is given back: it is filled again by what is taken in next. In pages of 4
/// KiB, and one part in so many of the file.
const KEPT_FREE: i64 = 128;
const KEPT_FREE_OF: i64 = 8;

/// Pages that are given back at once, each of which is moved from the end of the file.
const GIVEN_BACK: i64 = 64;

/// Removes what was kept long enough, at most `limit` rows of all kinds: whoever wants to be taken in waits meanwhile.
pub(super) fn forget(batch: &Batch<'_>, keep: Keep, limit: usize, at: i64, budget: &mut Budget) -> Result<Forgotten> {
    let before = times::kept_since(batch, at, keep.entries)?;
    let bodies = times::kept_since(batch, at, keep.bodies)?;
    let closed = bodies.max(at.saturating_sub(CONTENT_OF_CLOSED));
    let mut forgotten =
        Forgotten { entries: forget_entries(batch, before, limit, at, budget)?, ..Forgotten::default() };
    for (state, before) in [(State::Accepted, bodies), (State::Closed, closed)] {
        forgotten.others += forget_requests(batch, state, before, left(limit, &forgotten), budget)?;
    }
    forgotten.answers = content::forget_answers(batch, bodies, left(limit, &forgotten))?;
    forgotten.others += refused::forget(batch, before, left(limit, &forgotten))?;
    forgotten.others += audit::forget(batch, before, left(limit, &forgotten))?;
    forgotten.others += owners::forget(batch, millis(keep.entries), left(limit, &forgotten), at)?;
    forgotten.others += sweeps::forget(batch, before, left(limit, &forgotten))?;
    Ok(forgotten)
}

/// How many rows are left of the limit.
fn left(limit: usize, Forgotten { entries, answers, others, .. }: &Forgotten) -> i64 {
    number(limit.saturating_sub(entries.len() + answers.len() + others) as u64)
}

/// Removes entries; at most `limit`.
fn forget_entries(batch: &Batch<'_>, before: i64, limit: usize, at: i64, budget: &mut Budget) -> Result<Vec<EntryKey>> {
    let mut keys = Vec::new();
    for done in ["state = 'accepted'", "state = 'closed'", "state = 'parked' AND transaction_id IS NULL"] {
        for has_request in [false, true] {
            // That it is not due is said for the index that has no others.
            let entries: Vec<(EntryId, [u8; 16])> = batch
                .prepare_cached(&format!(
                    "SELECT id, key FROM entry INDEXED BY entry_done
                     WHERE {done} AND due_at IS NULL AND (bytes > 0) = ?1 AND since < ?2 ORDER BY since LIMIT ?3"
                ))?
                .query_map(params![has_request, before, number((limit - keys.len()) as u64)], |row| {
                    Ok((EntryId(row.get(0)?), row.get(1)?))
                })?
                .collect::<Result<_>>()?;
            for (entry, key) in entries {
                owners::outlive(batch, entry, at)?;
                budget.give_back(remove(batch, entry)?);
                keys.push(EntryKey(key));
            }
        }
    }
    Ok(keys)
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
            "SELECT id FROM entry INDEXED BY entry_done
             WHERE state = ?1 AND due_at IS NULL AND (bytes > 0) = 1 AND since < ?2 ORDER BY since LIMIT ?3",
        )?
        .query_map(params![state.as_str(), before, limit], |row| row.get(0).map(EntryId))?
        .collect::<Result<_>>()?;
    for entry in &entries {
        let bytes = content::clear(connection, *entry)?;
        budget.give_back(Spent { records: 0, bytes });
    }
    Ok(entries.len())
}

/// Gives some of what is free back to the file system. Returns how many pages; none where the file was put together by
/// another program that left that out.
pub(super) fn give_back(connection: &Connection) -> Result<usize> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (free, pages) = (pragma("freelist_count")?, pragma("page_count")?);
    let more = free.saturating_sub(KEPT_FREE.max(pages / KEPT_FREE_OF)).clamp(0, GIVEN_BACK);
    if more > 0 {
        // It frees a page with each step.
        let mut give = connection.prepare(&format!("PRAGMA incremental_vacuum({more})"))?;
        let mut rows = give.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(usize::try_from(free.saturating_sub(pragma("freelist_count")?)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given back of a file that has been emptied.
    fn given_back(auto_vacuum: &str) -> usize {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("j.db")).unwrap();
        connection.pragma_update(None, "auto_vacuum", auto_vacuum).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (b BLOB); INSERT INTO t VALUES (zeroblob(4000000)); DELETE FROM t;
                 CREATE TABLE u (b BLOB)",
            )
            .unwrap();
        give_back(&connection).unwrap()
    }

    #[test]
    fn a_file_that_gives_nothing_back_does_not_say_it_did() {
        assert_eq!((given_back("INCREMENTAL"), given_back("NONE")), (usize::try_from(GIVEN_BACK).unwrap(), 0));
    }
}
