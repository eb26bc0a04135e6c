//! Callbacks that were refused before they were taken in, in SQL.

use super::columns::{self, number, optional, optional_time, parsed};
use crate::domain::reason::Reason;
use crate::journal::view::RefusedFilter;
use crate::journal::{Refused, Search};
use rusqlite::{Connection, Result, Row, params};

/// How many refused callbacks are kept; the oldest give way.
const MOST_KEPT: i64 = 10_000;

/// Adds a line.
pub(super) fn keep(connection: &Connection, refused: &Refused, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO refused (request_id, at, route, channel, \"order\", reason, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            refused.request_id.to_string(),
            at,
            refused.route,
            refused.channel.as_ref().map(|id| id.as_str()),
            refused.order.as_ref().map(|id| id.as_str()),
            refused.reason.code(),
            refused.detail,
        ])?;
    let oldest = connection.last_insert_rowid() - MOST_KEPT;
    connection.prepare_cached("DELETE FROM refused WHERE id <= ?1")?.execute([oldest])?;
    Ok(())
}

/// Callbacks that were refused before they were taken in, the latest first.
pub(super) fn find(connection: &Connection, search: &Search, limit: usize) -> Result<Vec<Refused>> {
    let id = search.request_id.map(|id| id.to_string());
    let order = search.order.as_ref().map(|order| order.as_str().to_owned());
    connection
        .prepare_cached(
            "SELECT * FROM refused WHERE (?1 IS NULL OR request_id = ?1) AND (?2 IS NULL OR \"order\" = ?2)
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map((id, order, number(limit as u64)), read)?
        .collect()
}

/// Those that a filter wants, with their numbers, the latest first.
pub(super) fn list(
    connection: &Connection,
    filter: &RefusedFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, Refused)>> {
    // There are `MOST_KEPT` at most.
    connection
        .prepare_cached(
            "SELECT * FROM refused WHERE id < ?1 AND (?2 IS NULL OR reason = ?2) AND (?3 IS NULL OR channel = ?3)
                 AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at < ?5)
                 AND (?6 IS NULL OR \"order\" = ?6 OR request_id = ?6)
             ORDER BY id DESC LIMIT ?7",
        )?
        .query_map(
            params![
                before.unwrap_or(i64::MAX),
                filter.reason.map(Reason::code),
                filter.channel.as_ref().map(|id| id.as_str()),
                filter.since.map(|since| since.as_millisecond()),
                filter.until.map(|until| until.as_millisecond()),
                filter.text.as_ref().map(|text| text.as_str()),
                number(limit as u64),
            ],
            |row| Ok((row.get("id")?, read(row)?)),
        )?
        .collect()
}

fn read(row: &Row<'_>) -> Result<Refused> {
    Ok(Refused {
        request_id: parsed(row, "request_id")?,
        at: optional_time(row, "at")?,
        route: row.get("route")?,
        channel: optional(row, "channel")?,
        order: optional(row, "order")?,
        reason: columns::reason(row, "reason")?.ok_or_else(|| columns::damaged("reason"))?,
        detail: row.get("detail")?,
    })
}

/// Removes lines from before a time; at most `limit`.
pub(super) fn forget(connection: &Connection, before: i64, limit: i64) -> Result<usize> {
    connection
        .prepare_cached("DELETE FROM refused WHERE id IN (SELECT id FROM refused WHERE at < ?1 ORDER BY id LIMIT ?2)")?
        .execute([before, limit])
}
