//! What happened in each minute, in SQL: a row for each replica, added up by whoever reads.

use super::Postgres;
use super::columns::{get, time};
use super::database::Tx;
use super::error::Error;
use super::statement::Statement;
use crate::journal::JournalError;
use crate::observe::metrics::{Latencies, Moment, Totals};
use std::sync::Arc;
use tokio_postgres::Row;

/// Milliseconds for which minutes are kept.
const DAY: i64 = 24 * 3600 * 1000;

/// The minutes that are kept, the oldest first.
pub(super) async fn all(tx: &Tx<'_>) -> Result<Vec<Moment>, Error> {
    let mut minutes: Vec<Moment> = Vec::new();
    for row in tx.rows(Statement::of("SELECT * FROM ~minute ORDER BY at, incarnation")).await? {
        let minute = read(&row)?;
        match minutes.last_mut().filter(|last| last.at == minute.at) {
            Some(last) => last.totals.merge(&minute.totals),
            None => minutes.push(minute),
        }
    }
    Ok(minutes)
}

/// Adds a minute to what this process has kept of it, and forgets old ones.
pub(super) async fn keep(store: &Postgres, minute: Moment) -> Result<(), JournalError> {
    let me = store.incarnation.current().map_or(0, |me| me.id);
    // So that it is added once, however often this is done.
    let (op, minute) = (store.next_id(), Arc::new(minute));
    let written = store.database.write(move |tx| {
        let minute = Arc::clone(&minute);
        Box::pin(async move { add(tx, &minute, me, op).await })
    });
    written.await
}

async fn add(tx: &Tx<'_>, minute: &Moment, me: i64, op: i64) -> Result<(), Error> {
    let at = minute.at.as_millisecond();
    let known = Statement::of("SELECT * FROM ~minute WHERE at = $1 AND incarnation = $2 FOR UPDATE").with(at).with(me);
    let mut totals = minute.totals.clone();
    if let Some(known) = tx.first(known).await? {
        if get::<i64>(&known, "op")? == op {
            return Ok(());
        }
        totals.merge(&read(&known)?.totals);
    }
    let Totals { outcomes, verdicts, latencies } = &totals;
    let keep = Statement::of(
        "INSERT INTO ~minute (at, incarnation, op, outcomes, verdicts, latencies) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (at, incarnation) DO UPDATE SET op = excluded.op, outcomes = excluded.outcomes,
             verdicts = excluded.verdicts, latencies = excluded.latencies",
    )
    .with(at)
    .with(me)
    .with(op)
    .with(text(outcomes))
    .with(text(verdicts))
    .with(text(latencies.counts()));
    let forget = Statement::of("DELETE FROM ~minute WHERE at < $1").with(at.saturating_sub(DAY));
    tx.all(&[keep, forget]).await.map(drop)
}

fn read(row: &Row) -> Result<Moment, Error> {
    let mut totals = Totals { latencies: Latencies::from_counts(numbers(row, "latencies")?), ..Totals::default() };
    fill(&mut totals.outcomes, numbers(row, "outcomes")?);
    fill(&mut totals.verdicts, numbers(row, "verdicts")?);
    Ok(Moment { at: time(row, "at")?, totals })
}

fn fill(places: &mut [u64], numbers: Vec<u64>) {
    places.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
}

fn text(numbers: &[u64]) -> String {
    let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
    words.join(" ")
}

fn numbers(row: &Row, column: &'static str) -> Result<Vec<u64>, Error> {
    get::<&str>(row, column)?.split(' ').map(|word| word.parse().map_err(|_| Error::Damaged(column))).collect()
}
