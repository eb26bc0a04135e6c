//! How much there is of what, counted in indices as far as that goes.

use super::columns::{self, count, get, parsed, span, time};
use super::database::Tx;
use super::error::Error;
use super::statement::Statement;
use super::{Postgres, held, pending_orders};
use crate::domain::reason::Reason;
use crate::journal::{Figures, State};
use tokio_postgres::Row;

/// A day, in milliseconds.
const DAY: i64 = 24 * 3600 * 1000;

/// Entries by state, and those among them whose order was never confirmed or that have no callback.
const BY_STATE: &str =
    "SELECT entry.state, count(*) AS n, min(entry.received_at) AS since FROM ~entry entry GROUP BY entry.state";

const UNCONFIRMED: &str = "SELECT count(*) AS records, coalesce(sum(bytes), 0)::bigint AS bytes FROM ~entry
    WHERE transaction_id IS NULL AND origin = 'callback'";

/// What was found without a callback and is paid, and the rest that is one number.
const ONE: &str = "SELECT @now AS now,
    (SELECT coalesce(sum(entries), 0)::bigint FROM ~forgotten) AS forgotten,
    (SELECT count(*) FROM ~refused) AS refused,
    (SELECT count(*) FROM ~event WHERE what = 'flagged' AND reason = $1) AS second_payments,
    (SELECT count(*) FROM ~event WHERE what = 'flagged' AND reason = $2) AS paid_after_close,
    (SELECT count(DISTINCT mch_id || ' ' || bill_date) FROM ~sweep sweep
        WHERE due_on IS NOT NULL AND problem IS NOT NULL AND state <> 'done' AND NOT EXISTS (
            SELECT 1 FROM ~sweep done
            WHERE done.mch_id = sweep.mch_id AND done.bill_date = sweep.bill_date AND done.state = 'done')) AS sweeps_missing";

const LAST_SWEEPS: &str = "SELECT mch_id, max(ended_at) AS ended_at FROM ~sweep WHERE state = 'done' AND NOT dry_run
    GROUP BY mch_id ORDER BY mch_id";

/// What is left for a person to decide of the bills that were compared in the last day, each as it was compared last.
const ROWS_LEFT: &str =
    "SELECT coalesce(sum(malformed), 0)::bigint AS malformed, coalesce(sum(unknown), 0)::bigint AS unknown
    FROM ~sweep sweep WHERE state = 'done' AND ended_at >= @now - $1 AND NOT EXISTS (
        SELECT 1 FROM ~sweep later
        WHERE later.mch_id = sweep.mch_id AND later.bill_date = sweep.bill_date AND later.channels = sweep.channels
            AND later.state = 'done' AND later.id > sweep.id)";

/// Paid orders that a bill or a source brought to light. No callback is walked through.
const FOUND: &str = "SELECT entry.origin, count(*) AS n FROM ~entry entry
    WHERE entry.origin IN ('sweep', 'pending') AND entry.transaction_id IS NOT NULL GROUP BY entry.origin";

/// How much there is of what, at one moment.
pub(super) async fn figures(tx: &Tx<'_>) -> Result<Figures, Error> {
    tx.take_time().await?;
    let mut figures = Figures::default();
    let by_state = tx.slowly(Statement::of(BY_STATE)).await?;
    let now = one_by_one(tx, &mut figures).await?;
    let mut oldest = None::<i64>;
    for row in &by_state {
        let (state, n) = (columns::state(row)?, count(row, "n")?);
        for (place, _) in figures.entries.iter_mut().zip(State::ALL).filter(|(_, other)| *other == state) {
            *place = n;
        }
        if matches!(state, State::Asking | State::Delivering) {
            oldest = oldest.into_iter().chain(get::<Option<i64>>(row, "since")?).min();
        }
    }
    figures.oldest_unfinished = oldest.map(|since| span(since, now));
    figures.taken_in = figures.forgotten + figures.entries.iter().sum::<u64>();
    let unconfirmed = tx.slowly(Statement::of(UNCONFIRMED)).await?;
    if let Some(row) = unconfirmed.first() {
        (figures.unconfirmed, figures.unconfirmed_bytes) = (count(row, "records")?, count(row, "bytes")?);
    }
    for row in &tx.slowly(Statement::of(FOUND)).await? {
        match get(row, "origin")? {
            "sweep" => figures.found_by_sweep = count(row, "n")?,
            _ => figures.found_by_pending = count(row, "n")?,
        }
    }
    figures.oldest_not_accepted = held::count_held(tx, &mut figures).await?.map(|since| span(since, now));
    Ok(figures)
}

/// What is known without counting entries. Returns the database's time, in milliseconds.
async fn one_by_one(tx: &Tx<'_>, figures: &mut Figures) -> Result<i64, Error> {
    let one = Statement::of(ONE).with(Reason::SecondPayment.code()).with(Reason::PaidAfterClose.code());
    let rows_left = Statement::of(ROWS_LEFT).with(DAY);
    let answers = tx.all(&[one, Statement::of(LAST_SWEEPS), rows_left, pending_orders::sources()]).await?;
    let [one, last_sweeps, rows_left, sources] = &answers[..] else { return Err(Error::Away) };
    let (Some(one), Some(rows_left)) = (one.first(), rows_left.first()) else { return Err(Error::Away) };
    figures.forgotten = count(one, "forgotten")?;
    figures.refused = count(one, "refused")?;
    figures.second_payments = count(one, "second_payments")?;
    figures.paid_after_close = count(one, "paid_after_close")?;
    figures.sweeps_missing = count(one, "sweeps_missing")?;
    let last_sweep = |row: &Row| Ok((parsed(row, "mch_id")?, time(row, "ended_at")?));
    figures.last_sweeps = last_sweeps.iter().map(last_sweep).collect::<Result<_, Error>>()?;
    (figures.rows_malformed, figures.rows_unknown) = (count(rows_left, "malformed")?, count(rows_left, "unknown")?);
    figures.sources = sources.iter().map(pending_orders::source).collect::<Result<_, _>>()?;
    get(one, "now")
}

/// Bytes of the journal's tables and indices, as far as the engine says so.
const SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(class.oid)), 0)::bigint AS bytes
    FROM pg_catalog.pg_class class JOIN pg_catalog.pg_namespace namespace ON namespace.oid = class.relnamespace
    WHERE namespace.nspname = $1 AND class.relkind IN ('r', 'p')";

impl Postgres {
    /// Bytes of the journal's tables; 0 where the engine does not say.
    pub(super) async fn bytes(&self) -> u64 {
        let asked = self.database.read(|tx| {
            Box::pin(async move {
                tx.take_time().await?;
                let size = Statement::of(SIZE).with(tx.schema().to_owned());
                tx.slowly(size).await?.first().map_or(Ok(0), |row| count(row, "bytes"))
            })
        });
        asked.await.unwrap_or(0)
    }
}
