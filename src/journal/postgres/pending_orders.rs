//! What the sources of pending orders said, in SQL.

use super::columns::{at_most, count, get, millis, number, optional_time};
use super::database::Tx;
use super::error::Error;
use super::fence::fence;
use super::found::{FoundOrder, take_in_found};
use super::numbers::Bucket;
use super::statement::{List, Statement};
use super::{Postgres, read};
use crate::domain::money::Fen;
use crate::journal::pending_orders::{News, PendingOrder, PendingOrderQueue, SourceHealth};
use crate::journal::{BoxFuture, Duty, JournalError};
use std::sync::Arc;
use tokio_postgres::Row;

impl PendingOrderQueue for Postgres {
    fn take_pending_orders(&self, news: News) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let me = self.incarnation.current().ok_or(JournalError::Unavailable)?;
            let orders: Vec<FoundOrder> = news
                .found
                .iter()
                .map(|found| FoundOrder::of(self, &me, &found.callback, millis(found.due_in), false))
                .collect();
            let (news, orders) = (Arc::new(news), Arc::new(orders));
            let written = self.database.write(move |tx| {
                let (news, orders, me) = (Arc::clone(&news), Arc::clone(&orders), me.id);
                Box::pin(async move {
                    fence(tx, &Duty::Source(news.source.clone()), me).await?;
                    take_in(tx, &news).await?;
                    take_in_found(tx, &orders).await.map(drop)
                })
            });
            written.await
        })
    }

    fn source_is(&self, health: SourceHealth) -> BoxFuture<'_, ()> {
        let health = Arc::new(health);
        self.database.write(move |tx| {
            let health = Arc::clone(&health);
            Box::pin(async move { tx.rows(replace(&health)).await.map(drop) })
        })
    }
}

fn replace(health: &SourceHealth) -> Statement {
    Statement::of(
        "INSERT INTO ~source (name, read_at, failed_at, failures, problem, orders, malformed)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE SET read_at = excluded.read_at, failed_at = excluded.failed_at,
             failures = excluded.failures, problem = excluded.problem, orders = excluded.orders, malformed = excluded.malformed",
    )
    .with(health.name.clone())
    .with(health.read_at.map(|at| at.as_millisecond()))
    .with(health.failed_at.map(|at| at.as_millisecond()))
    .with(number(health.failures))
    .with(health.problem.clone())
    .with(number(health.orders))
    .with(number(health.malformed))
}

/// Every order that is listed, and that was until a while ago, with the name of its source.
pub(super) async fn all(tx: &Tx<'_>, limit: usize) -> Result<Vec<(String, PendingOrder)>, Error> {
    tx.take_time().await?;
    let all = "SELECT * FROM ~listed ORDER BY gone_at IS NOT NULL, listed_at DESC LIMIT $1";
    tx.slowly(Statement::of(all).with(at_most(limit))).await?.iter().map(read::pending_order).collect()
}

/// Asks how the sources are.
pub(super) fn sources() -> Statement {
    Statement::of("SELECT * FROM ~source ORDER BY name")
}

/// How a source is.
pub(super) fn source(row: &Row) -> Result<SourceHealth, Error> {
    Ok(SourceHealth {
        name: get(row, "name")?,
        read_at: optional_time(row, "read_at")?,
        failed_at: optional_time(row, "failed_at")?,
        failures: count(row, "failures")?,
        problem: get(row, "problem")?,
        orders: count(row, "orders")?,
        malformed: count(row, "malformed")?,
    })
}

/// In the order of the table's key, so that two that list the same orders do not wait for each other.
const LIST: &str = "INSERT INTO ~listed (bucket, channel, out_trade_no, source, \"order\", total_fee, listed_at)
    SELECT told.bucket, told.channel, told.out_trade_no, $1, told.\"order\", told.total_fee, @now
    FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        AS told (bucket, channel, out_trade_no, \"order\", total_fee)
    ORDER BY told.bucket, told.channel, told.out_trade_no
    ON CONFLICT (bucket, channel, out_trade_no, source) DO UPDATE
    SET \"order\" = excluded.\"order\", total_fee = excluded.total_fee, listed_at = excluded.listed_at, gone_at = NULL";

const GONE: &str = "UPDATE ~listed AS listed SET gone_at = @now
    FROM unnest($2::smallint[], $3::text[], $4::text[]) AS told (bucket, channel, out_trade_no)
    WHERE listed.bucket = told.bucket AND listed.channel = told.channel AND listed.out_trade_no = told.out_trade_no
        AND listed.source = $1 AND listed.gone_at IS NULL";

async fn take_in(tx: &Tx<'_>, news: &News) -> Result<(), Error> {
    // Of an order that is told twice the last counts, and no statement changes a row twice.
    let mut listed: Vec<&PendingOrder> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for order in news.listed.iter().rev() {
        if seen.insert((order.channel, order.out_trade_no)) {
            listed.push(order);
        }
    }
    let bucket = |number: &str| Bucket::of(number).column();
    if !listed.is_empty() {
        let list = Statement::of(LIST)
            .with(news.source.clone())
            .with(List(listed.iter().map(|order| bucket(order.out_trade_no.as_str())).collect::<Vec<_>>()))
            .with(List(listed.iter().map(|order| order.channel.as_str().to_owned()).collect::<Vec<_>>()))
            .with(List(listed.iter().map(|order| order.out_trade_no.as_str().to_owned()).collect::<Vec<_>>()))
            .with(List(listed.iter().map(|order| order.order.as_str().to_owned()).collect::<Vec<_>>()))
            .with(List(listed.iter().map(|order| order.amount.map(|Fen(fen)| number(fen))).collect::<Vec<_>>()));
        tx.rows(list).await?;
    }
    if !news.gone.is_empty() {
        let gone = Statement::of(GONE)
            .with(news.source.clone())
            .with(List(news.gone.iter().map(|(_, number)| bucket(number.as_str())).collect::<Vec<_>>()))
            .with(List(news.gone.iter().map(|(channel, _)| channel.as_str().to_owned()).collect::<Vec<_>>()))
            .with(List(news.gone.iter().map(|(_, number)| number.as_str().to_owned()).collect::<Vec<_>>()));
        tx.rows(gone).await?;
    }
    Ok(())
}
