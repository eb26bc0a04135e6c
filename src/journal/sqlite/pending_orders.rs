//! What the sources of pending orders said, in SQL.

use super::batch::Batch;
use super::columns::{self, count, number, optional_time, parsed};
use super::leases::millis;
use super::{Sqlite, write};
use crate::domain::money::Fen;
use crate::journal::BoxFuture;
use crate::journal::pending_orders::{Found, News, PendingOrder, PendingOrderQueue, SourceHealth};
use rusqlite::{Connection, Result, Row, params};

impl PendingOrderQueue for Sqlite {
    fn take_pending_orders(&self, news: News) -> BoxFuture<'_, ()> {
        self.write_only(move |batch, at| take_in(batch, &news, at))
    }

    fn source_is(&self, health: SourceHealth) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, _| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO source (name, read_at, failed_at, failures, problem, orders, malformed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    health.name,
                    health.read_at.map(|at| at.as_millisecond()),
                    health.failed_at.map(|at| at.as_millisecond()),
                    number(health.failures),
                    health.problem,
                    number(health.orders),
                    number(health.malformed),
                ])
                .map(drop)
        })
    }
}

/// Every order that is listed, and that was until a while ago, with the name of its source.
pub(super) fn all(connection: &Connection, limit: usize) -> Result<Vec<(String, PendingOrder)>> {
    connection
        .prepare_cached("SELECT * FROM listed ORDER BY gone_at IS NOT NULL, listed_at DESC LIMIT ?1")?
        .query_map([number(limit as u64)], |row| Ok((row.get("source")?, read_listed(row)?)))?
        .collect()
}

/// How the sources are.
pub(super) fn sources(connection: &Connection) -> Result<Vec<SourceHealth>> {
    connection
        .prepare_cached("SELECT * FROM source ORDER BY name")?
        .query_map([], |row| {
            Ok(SourceHealth {
                name: row.get("name")?,
                read_at: optional_time(row, "read_at")?,
                failed_at: optional_time(row, "failed_at")?,
                failures: count(row, "failures")?,
                problem: row.get("problem")?,
                orders: count(row, "orders")?,
                malformed: count(row, "malformed")?,
            })
        })?
        .collect()
}

fn take_in(batch: &Batch<'_>, news: &News, at: i64) -> Result<()> {
    let mut list = batch.prepare_cached(
        "INSERT OR REPLACE INTO listed (channel, out_trade_no, source, total_fee, listed_at, \"order\")
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for PendingOrder { channel, out_trade_no, order, amount, .. } in &news.listed {
        let amount = amount.map(|Fen(fen)| number(fen));
        list.execute(params![channel.as_str(), out_trade_no.as_str(), news.source, amount, at, order.as_str()])?;
    }
    let mut gone = batch.prepare_cached(
        "UPDATE listed SET gone_at = ?3 WHERE channel = ?1 AND out_trade_no = ?2 AND source = ?4 AND gone_at IS NULL",
    )?;
    for (channel, out_trade_no) in &news.gone {
        gone.execute(params![channel.as_str(), out_trade_no.as_str(), at, news.source])?;
    }
    for Found { callback, due_in } in &news.found {
        write::take_in_found(batch, callback, at, at.saturating_add(millis(*due_in)), false)?;
    }
    Ok(())
}

fn read_listed(row: &Row<'_>) -> Result<PendingOrder> {
    let amount: Option<i64> = row.get("total_fee")?;
    Ok(PendingOrder {
        channel: parsed(row, "channel")?,
        out_trade_no: parsed(row, "out_trade_no")?,
        order: parsed(row, "order")?,
        amount: amount.map(u64::try_from).transpose().map_err(|_| columns::damaged("total_fee"))?.map(Fen),
        gone_at: optional_time(row, "gone_at")?,
    })
}
