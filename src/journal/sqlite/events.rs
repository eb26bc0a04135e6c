//! What happened to an entry, a line each.

use crate::domain::reason::Reason;
use crate::journal::EntryId;
use rusqlite::{Connection, Result, params};

/// Adds a line.
pub(super) fn add(
    connection: &Connection,
    entry: EntryId,
    at: i64,
    what: &str,
    reason: Option<Reason>,
    request_id: Option<&str>,
) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO event (entry, at, what, reason, request_id) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![entry.0, at, what, reason.map(Reason::code), request_id])?;
    Ok(())
}

/// A line for what is flagged, the first time.
pub(super) fn flag(connection: &Connection, entry: EntryId, reason: Reason, at: i64) -> Result<()> {
    let known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM event WHERE entry = ?1 AND what = 'flagged' AND reason = ?2)
                 OR NOT EXISTS (SELECT 1 FROM entry WHERE id = ?1)",
        )?
        .query_row(params![entry.0, reason.code()], |row| row.get(0))?;
    if known { Ok(()) } else { add(connection, entry, at, "flagged", Some(reason), None) }
}
