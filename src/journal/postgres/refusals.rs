//! Callbacks that were refused before they were taken in, in SQL.

use super::columns::{self, at_most, get, optional, optional_time};
use super::database::Tx;
use super::error::Error;
use super::statement::Statement;
use crate::domain::reason::Reason;
use crate::journal::view::RefusedFilter;
use crate::journal::{Refused, Search};
use tokio_postgres::Row;
use uuid::Uuid;

/// How many refused callbacks are kept; the oldest give way.
const MOST_KEPT: i64 = 10_000;

/// Callbacks that were refused before they were taken in, the latest first.
pub(super) async fn find(tx: &Tx<'_>, search: &Search, limit: usize) -> Result<Vec<Refused>, Error> {
    let find = Statement::of(
        "SELECT * FROM ~refused WHERE ($1 IS NULL OR request_id = $1) AND ($2 IS NULL OR \"order\" = $2)
         ORDER BY id DESC LIMIT $3",
    )
    .with(search.request_id)
    .with(search.order.map(|order| order.as_str().to_owned()))
    .with(at_most(limit));
    tx.rows(find).await?.iter().map(read).collect()
}

/// Those that a filter wants, with their numbers, the latest first.
pub(super) async fn list(
    tx: &Tx<'_>,
    filter: RefusedFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, Refused)>, Error> {
    let list = Statement::of(
        "SELECT * FROM ~refused WHERE id < $1 AND ($2 IS NULL OR reason = $2) AND ($3 IS NULL OR channel = $3)
             AND ($4 IS NULL OR at >= $4) AND ($5 IS NULL OR at < $5)
             AND ($6 IS NULL OR \"order\" = $6 OR request_id = $7)
         ORDER BY id DESC LIMIT $8",
    )
    .with(before.unwrap_or(i64::MAX))
    .with(filter.reason.map(Reason::code))
    .with(filter.channel.map(|channel| channel.as_str().to_owned()))
    .with(filter.since.map(|since| since.as_millisecond()))
    .with(filter.until.map(|until| until.as_millisecond()))
    .with(filter.text.map(|text| text.as_str().to_owned()))
    .with(filter.text.and_then(|text| text.as_str().parse::<Uuid>().ok()))
    .with(at_most(limit));
    tx.rows(list).await?.iter().map(|row| Ok((get(row, "id")?, read(row)?))).collect()
}

fn read(row: &Row) -> Result<Refused, Error> {
    Ok(Refused {
        request_id: get(row, "request_id")?,
        at: optional_time(row, "at")?,
        route: get(row, "route")?,
        channel: optional(row, "channel")?,
        order: optional(row, "order")?,
        reason: columns::reason(row, "reason")?.ok_or(Error::Damaged("reason"))?,
        detail: get(row, "detail")?,
    })
}

/// Removes lines from before a time, and those beyond what is kept; at most `limit`.
pub(super) fn forget(before: i64, limit: i64) -> Statement {
    Statement::of(
        "DELETE FROM ~refused WHERE id IN (
             SELECT id FROM (SELECT id FROM ~refused WHERE at < $1 LIMIT $2) AS old
             UNION SELECT id FROM (SELECT id FROM ~refused ORDER BY id DESC OFFSET $3 LIMIT $2) AS beyond)
         RETURNING id",
    )
    .with(before)
    .with(limit)
    .with(MOST_KEPT)
}
