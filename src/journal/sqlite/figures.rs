//! How much there is of what, counted without looking at every entry.

use super::budget::Spent;
use super::columns::{self, count, parsed, time};
use super::held;
use super::kinds::{Kind, kinds};
use super::pending_orders;
use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::journal::view::Filter;
use crate::journal::{Figures, Origin, State};
use rusqlite::{Connection, OptionalExtension, Result};
use std::path::Path;
use std::time::Duration;

/// How much there is of what.
pub(super) fn figures(connection: &Connection, path: &Path) -> Result<Figures> {
    let now = clock::now().as_millisecond();
    let mut figures = Figures::default();
    // So that they belong together.
    let moment = connection.unchecked_transaction()?;
    let mut by_state = connection.prepare_cached(BY_STATE)?;
    let mut rows = by_state.query([])?;
    while let Some(row) = rows.next()? {
        let (state, n) = (columns::state(row)?, count(row, "n")?);
        for (place, _) in figures.entries.iter_mut().zip(State::ALL).filter(|(_, other)| *other == state) {
            *place += n;
        }
    }
    let one = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| count(row, "n"));
    figures.taken_in = one(TAKEN_IN)?;
    figures.oldest_unfinished = oldest_unfinished(connection)?.map(|since| ago(since, now));
    figures.forgotten = one("SELECT entries AS n FROM forgotten")?;
    let Spent { records, bytes } = Spent::count(connection)?;
    (figures.unconfirmed, figures.unconfirmed_bytes) = (records, bytes);
    figures.refused = one("SELECT count(*) AS n FROM refused")?;
    recovery(connection, &mut figures, now)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let page = u64::try_from(pragma("page_size")?).unwrap_or(0);
    figures.bytes = u64::try_from(pragma("page_count")?).unwrap_or(0) * page + log_bytes(path);
    figures.free_bytes = u64::try_from(pragma("freelist_count")?).unwrap_or(0) * page;
    moment.finish()?;
    Ok(figures)
}

/// What is unfinished is counted, the rest is known.
const BY_STATE: &str = "SELECT state, count(*) AS n FROM entry WHERE due_at IS NOT NULL GROUP BY state
    UNION ALL SELECT state, sum(entries) AS n FROM tally GROUP BY state";

/// What is being delivered is confirmed.
const FOUND: &str =
    "SELECT (SELECT count(*) FROM entry WHERE due_at IS NOT NULL AND state = 'delivering' AND origin = ?1)
    + (SELECT ifnull(sum(entries), 0) FROM tally WHERE origin = ?1 AND confirmed) AS n";

/// When the first entry of one kind was taken in.
const OLDEST: &str = "SELECT received_at FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4 AND (transaction_id IS NOT NULL) = ?5
    ORDER BY received_at LIMIT 1";

/// When the oldest entry was taken in that is asked about or sent again, in milliseconds.
fn oldest_unfinished(connection: &Connection) -> Result<Option<i64>> {
    let mut oldest = None::<i64>;
    for state in [State::Asking, State::Delivering] {
        for Kind { state, channel, reason, origin, confirmed } in
            kinds(connection, &Filter { state: Some(state), ..Filter::default() })?
        {
            let mut first = connection.prepare_cached(OLDEST)?;
            let since = first.query_row((state, channel, reason, origin, confirmed), |row| row.get(0)).optional()?;
            oldest = oldest.into_iter().chain(since).min();
        }
    }
    Ok(oldest)
}

/// No number is given twice.
const TAKEN_IN: &str = "SELECT coalesce(max(seq), 0) AS n FROM sqlite_sequence WHERE name = 'entry'";

fn ago(since: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(since)).unwrap_or(0))
}

/// What an operator is called for, and what was found without a callback.
fn recovery(connection: &Connection, figures: &mut Figures, now: i64) -> Result<()> {
    figures.oldest_not_accepted = held::count_held(connection, figures)?.map(|since| ago(since, now));
    let found = |origin: Origin| connection.prepare_cached(FOUND)?.query_row([origin.as_str()], |row| count(row, "n"));
    figures.found_by_sweep = found(Origin::Sweep)?;
    figures.found_by_pending = found(Origin::Pending)?;
    let flagged = |reason: Reason| {
        connection
            .prepare_cached("SELECT count(*) AS n FROM event WHERE what = 'flagged' AND reason = ?1")?
            .query_row([reason.code()], |row| count(row, "n"))
    };
    figures.second_payments = flagged(Reason::SecondPayment)?;
    figures.paid_after_close = flagged(Reason::PaidAfterClose)?;
    figures.last_sweeps = connection
        .prepare_cached(
            "SELECT mch_id, max(ended_at) AS ended_at FROM sweep WHERE state = 'done' AND dry_run = 0 GROUP BY mch_id",
        )?
        .query_map([], |row| Ok((parsed(row, "mch_id")?, time(row, "ended_at")?)))?
        .collect::<Result<_>>()?;
    figures.sweeps_missing = connection
        .prepare_cached(
            "SELECT count(DISTINCT mch_id || ' ' || bill_date) AS n FROM sweep
             WHERE due_on IS NOT NULL AND problem IS NOT NULL AND state <> 'done' AND NOT EXISTS (
                 SELECT 1 FROM sweep AS done
                 WHERE done.mch_id = sweep.mch_id AND done.bill_date = sweep.bill_date AND done.state = 'done')",
        )?
        .query_row([], |row| count(row, "n"))?;
    (figures.rows_malformed, figures.rows_unknown) = connection
        .prepare_cached(ROWS_LEFT)?
        .query_row([now.saturating_sub(DAY)], |row| Ok((count(row, "malformed")?, count(row, "unknown")?)))?;
    figures.sources = pending_orders::sources(connection)?;
    Ok(())
}

/// A day, in milliseconds.
const DAY: i64 = 24 * 3600 * 1000;

/// What is left for a person to decide of the bills that were compared since a time, each as it was compared last.
const ROWS_LEFT: &str = "SELECT ifnull(sum(malformed), 0) AS malformed, ifnull(sum(unknown), 0) AS unknown FROM sweep
    WHERE state = 'done' AND ended_at >= ?1 AND NOT EXISTS (
        SELECT 1 FROM sweep AS later
        WHERE later.mch_id = sweep.mch_id AND later.bill_date = sweep.bill_date AND later.channels = sweep.channels
            AND later.state = 'done' AND later.id > sweep.id)";

fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;

    #[test]
    fn the_oldest_unfinished_is_found_in_the_index_of_kinds_without_a_scan() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        let plan: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {OLDEST}"))
            .unwrap()
            .query_map(("asking", "app", "", "callback", false), |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        let [step] = &plan[..] else { panic!("{plan:?}") };
        assert!(step.starts_with("SEARCH entry USING COVERING INDEX entry_list (state=? AND channel=?"), "{step}");
        assert_eq!(step.matches("=?").count(), 5, "{step}");
    }
}
