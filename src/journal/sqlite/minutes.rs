//! What happened in each minute, in SQL.

use super::columns::{damaged, time};
use crate::observe::metrics::{Latencies, Moment, Totals};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

/// Milliseconds for which minutes are kept.
const DAY: i64 = 24 * 3600 * 1000;

/// The minutes that are kept, the oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Moment>> {
    connection.prepare_cached("SELECT * FROM minute ORDER BY at")?.query_map([], read)?.collect()
}

/// Adds a minute to what is kept of it, and forgets old ones.
pub(super) fn keep(connection: &Connection, minute: &Moment) -> Result<()> {
    let at = minute.at.as_millisecond();
    let known = connection.prepare_cached("SELECT * FROM minute WHERE at = ?1")?.query_row([at], read).optional()?;
    let mut totals = minute.totals.clone();
    if let Some(known) = known {
        totals.merge(&known.totals);
    }
    let Totals { outcomes, verdicts, latencies } = &totals;
    connection
        .prepare_cached("INSERT OR REPLACE INTO minute (at, outcomes, verdicts, latencies) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at, text(outcomes), text(verdicts), text(latencies.counts())])?;
    connection.prepare_cached("DELETE FROM minute WHERE at < ?1")?.execute([at.saturating_sub(DAY)])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Moment> {
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

fn numbers(row: &Row<'_>, column: &str) -> Result<Vec<u64>> {
    let text = row.get_ref(column)?.as_str().map_err(|_| damaged(column))?;
    text.split(' ').map(|word| word.parse().map_err(|_| damaged(column))).collect()
}
