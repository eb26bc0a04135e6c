//! Sweeps in SQL: the queue of those that are wanted, and the rows behind their numbers.

use super::Postgres;
use super::columns::{at_most, count, get, millis, number, optional, optional_time, parsed, time};
use super::database::Tx;
use super::error::Error;
use super::fence::fence;
use super::found::{FoundOrder, take_in_found};
use super::statement::{List, Statement};
use super::swept;
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::journal::sweeps::{
    Counts, Outcome, Progress, Row, RowKind, RowRecord, Sweep, SweepEvent, SweepId, SweepQueue, Sweeps, Wanted,
};
use crate::journal::{BoxFuture, Duty, JournalError};
use jiff::civil::Date;
use std::sync::Arc;
use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

impl SweepQueue for Postgres {
    fn next_sweep(&self) -> BoxFuture<'_, Option<Sweep>> {
        self.database.singly(|tx| {
            let next =
                "SELECT * FROM ~sweep WHERE state IN ('asked', 'running') AND (again_at IS NULL OR again_at <= @now)
                ORDER BY state = 'running' DESC, due_on IS NOT NULL, id LIMIT 1";
            Box::pin(async move { tx.first(Statement::of(next)).await?.as_ref().map(read).transpose() })
        })
    }

    fn found_before(&self, sweep: SweepId) -> BoxFuture<'_, Vec<TransactionId>> {
        self.database.read(move |tx| {
            let found = "SELECT transaction_id FROM ~sweep_row WHERE sweep = $1 AND what = 'found' ORDER BY line";
            Box::pin(async move {
                tx.take_time().await?;
                let rows = tx.slowly(Statement::of(found).with(sweep.0)).await?;
                rows.iter().map(|row| parsed(row, "transaction_id")).collect()
            })
        })
    }

    fn sweep_rows(&self, sweep: SweepId, rows: Vec<Row>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let me = self.incarnation.current().ok_or(JournalError::Unavailable)?;
            let orders: Vec<FoundOrder> = rows
                .iter()
                .filter_map(|row| row.follow_up.as_ref())
                .map(|order| FoundOrder::of(self, &me, order, 0, true))
                .collect();
            let (rows, orders) = (Arc::new(rows), Arc::new(orders));
            let written = self.database.write(move |tx| {
                let (rows, orders, me) = (Arc::clone(&rows), Arc::clone(&orders), me.id);
                Box::pin(async move {
                    fence(tx, &Duty::Sweep, me).await?;
                    let found = take_in_found(tx, &orders).await?;
                    tx.rows(swept::keep(sweep, &rows, found)).await.map(drop)
                })
            });
            written.await
        })
    }

    fn sweep_refunds(&self, sweep: SweepId, refunded: Vec<TransactionId>) -> BoxFuture<'_, ()> {
        let me = self.incarnation.current().map_or(0, |me| me.id);
        self.database.write(move |tx| {
            let refunded: Vec<String> = refunded.iter().map(|payment| payment.as_str().to_owned()).collect();
            Box::pin(async move {
                fence(tx, &Duty::Sweep, me).await?;
                let mark = "UPDATE ~sweep_row SET refunded = true WHERE sweep = $1 AND transaction_id = ANY ($2)";
                tx.rows(Statement::of(mark).with(sweep.0).with(List(refunded))).await.map(drop)
            })
        })
    }

    fn sweep_event(&self, sweep: SweepId, event: SweepEvent) -> BoxFuture<'_, ()> {
        let (me, event) = (self.incarnation.current().map_or(0, |me| me.id), Arc::new(event));
        self.database.write(move |tx| {
            let event = Arc::clone(&event);
            Box::pin(async move {
                fence(tx, &Duty::Sweep, me).await?;
                tx.all(&happened(sweep, &event)).await.map(drop)
            })
        })
    }
}

impl Sweeps for Postgres {
    fn want_sweep(&self, wanted: Wanted) -> BoxFuture<'_, SweepId> {
        // So that it is wanted once, however often this is done.
        let (op, wanted) = (Uuid::now_v7(), Arc::new(wanted));
        self.database.write(move |tx| {
            let wanted = Arc::clone(&wanted);
            Box::pin(async move { want(tx, &wanted, op).await })
        })
    }

    fn sweep(&self, id: SweepId) -> BoxFuture<'_, Option<Sweep>> {
        self.database.read(move |tx| {
            let sweep = Statement::of("SELECT * FROM ~sweep WHERE id = $1").with(id.0);
            Box::pin(async move { tx.first(sweep).await?.as_ref().map(read).transpose() })
        })
    }

    fn sweeps(&self, before: Option<SweepId>, limit: usize) -> BoxFuture<'_, Vec<Sweep>> {
        self.database.read(move |tx| {
            let sweeps = Statement::of("SELECT * FROM ~sweep WHERE id < $1 ORDER BY id DESC LIMIT $2")
                .with(before.map_or(i64::MAX, |id| id.0))
                .with(at_most(limit));
            Box::pin(async move { tx.rows(sweeps).await?.iter().map(read).collect() })
        })
    }

    fn days_swept(&self, mch_id: MerchantId) -> BoxFuture<'_, Vec<Date>> {
        self.database.read(move |tx| {
            let days = Statement::of(
                "SELECT DISTINCT bill_date FROM ~sweep
                 WHERE due_on IS NOT NULL AND state = 'done' AND mch_id = $1 ORDER BY bill_date",
            );
            let days = days.with(mch_id.as_str().to_owned());
            Box::pin(async move { tx.rows(days).await?.iter().map(|row| parsed(row, "bill_date")).collect() })
        })
    }

    fn orders_of(&self, numbers: Vec<(ChannelId, OutTradeNo)>) -> BoxFuture<'_, Vec<Option<OrderId>>> {
        let numbers = Arc::new(numbers);
        self.database.read(move |tx| {
            let numbers = Arc::clone(&numbers);
            Box::pin(async move { swept::orders_of(tx, &numbers).await })
        })
    }

    fn sweep_outcomes(&self, sweep: SweepId) -> BoxFuture<'_, Vec<Outcome>> {
        self.database.read(move |tx| Box::pin(swept::outcomes(tx, sweep)))
    }

    fn swept_rows(
        &self,
        sweep: SweepId,
        kind: Option<RowKind>,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<RowRecord>> {
        self.database.read(move |tx| Box::pin(swept::rows(tx, sweep, kind, after, limit)))
    }
}

/// Of several who want one at the same moment each gets a number of its own: whoever comes second tries the next.
const WANT: &str = "INSERT INTO ~sweep (id, op, mch_id, bill_date, channels, due_on, dry_run, asked_at)
    SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, @now FROM ~sweep
    HAVING NOT EXISTS (SELECT 1 FROM ~sweep WHERE op = $1)
    ON CONFLICT DO NOTHING";

const WANTED: &str = "SELECT id FROM ~sweep WHERE op = $1
    OR (mch_id = $2 AND bill_date = $3 AND due_on = $4 AND dry_run = $5) ORDER BY id LIMIT 1";

async fn want(tx: &Tx<'_>, wanted: &Wanted, op: Uuid) -> Result<SweepId, Error> {
    let Wanted { mch_id, bill_date, channels, due_on, dry_run } = wanted;
    let (mch_id, bill_date) = (mch_id.as_str().to_owned(), bill_date.to_string());
    let due_on = due_on.map(|day| day.to_string());
    let channels = channels.iter().map(|channel| channel.as_str()).collect::<Vec<_>>().join(" ");
    let want = Statement::of(WANT)
        .with(op)
        .with(mch_id.clone())
        .with(bill_date.clone())
        .with(channels)
        .with(due_on.clone())
        .with(*dry_run);
    let is_there = Statement::of(WANTED).with(op).with(mch_id).with(bill_date).with(due_on).with(*dry_run);
    let answers = tx.all(&[want, is_there]).await?;
    let there = answers.last().and_then(|rows| rows.first()).ok_or(Error::Overtaken)?;
    get(there, "id").map(SweepId)
}

fn read(row: &SqlRow) -> Result<Sweep, Error> {
    let channels = get::<&str>(row, "channels")?.split(' ').map(str::parse).collect::<Result<_, _>>();
    let state: &str = get(row, "state")?;
    Ok(Sweep {
        id: SweepId(get(row, "id")?),
        wanted: Wanted {
            mch_id: parsed(row, "mch_id")?,
            bill_date: parsed(row, "bill_date")?,
            channels: channels.map_err(|_| Error::Damaged("channels"))?,
            due_on: optional(row, "due_on")?,
            dry_run: get(row, "dry_run")?,
        },
        state: Progress::ALL.into_iter().find(|progress| progress.as_str() == state).ok_or(Error::Damaged("state"))?,
        asked_at: time(row, "asked_at")?,
        again_at: optional_time(row, "again_at")?,
        began_at: optional_time(row, "began_at")?,
        ended_at: optional_time(row, "ended_at")?,
        problem: get(row, "problem")?,
        counts: Counts {
            rows: count(row, "rows")?,
            paid: count(row, "paid")?,
            refunds: count(row, "refunds")?,
            others: count(row, "others")?,
            malformed: count(row, "malformed")?,
            not_ours: count(row, "not_ours")?,
            accepted: count(row, "accepted")?,
            under_way: count(row, "under_way")?,
            parked: count(row, "parked")?,
            found: count(row, "found")?,
            unknown: count(row, "unknown")?,
        },
    })
}

/// What is written down of what happened.
fn happened(sweep: SweepId, event: &SweepEvent) -> Vec<Statement> {
    let to = |state: Progress, again_in: Option<i64>, problem: Option<&str>| {
        Statement::of(
            "UPDATE ~sweep SET state = $2, again_at = @now + $3, problem = $4, ended_at = CASE WHEN $5 THEN @now END
             WHERE id = $1",
        )
        .with(sweep.0)
        .with(state.as_str())
        .with(again_in)
        .with(problem.map(str::to_owned))
        .with(state.is_over())
    };
    match event {
        SweepEvent::Began => vec![
            to(Progress::Running, None, None),
            // What was found is found still, wherever it stands by now.
            Statement::of("DELETE FROM ~sweep_row WHERE sweep = $1 AND (what <> 'found' OR entry IS NULL)")
                .with(sweep.0),
            Statement::of("UPDATE ~sweep SET began_at = @now WHERE id = $1").with(sweep.0),
            counted(sweep, &Counts::default()),
        ],
        SweepEvent::Counted(counts) => vec![counted(sweep, counts)],
        SweepEvent::Done(counts, problem) => {
            vec![to(Progress::Done, None, problem.as_deref()), counted(sweep, counts)]
        }
        SweepEvent::Again(again_in, problem) => vec![to(Progress::Asked, Some(millis(*again_in)), Some(problem))],
        SweepEvent::Failed(problem) => vec![to(Progress::Failed, None, Some(problem))],
    }
}

fn counted(sweep: SweepId, counts: &Counts) -> Statement {
    Statement::of(
        "UPDATE ~sweep SET rows = $2, paid = $3, refunds = $4, others = $5, malformed = $6, not_ours = $7, accepted = $8,
             under_way = $9, parked = $10, found = $11, unknown = $12
         WHERE id = $1",
    )
    .with(sweep.0)
    .with(number(counts.rows))
    .with(number(counts.paid))
    .with(number(counts.refunds))
    .with(number(counts.others))
    .with(number(counts.malformed))
    .with(number(counts.not_ours))
    .with(number(counts.accepted))
    .with(number(counts.under_way))
    .with(number(counts.parked))
    .with(number(counts.found))
    .with(number(counts.unknown))
}

/// Removes what sweeps and sources left behind: rows first, then sweeps that have none, then orders that are not listed any
/// more; at most `limit` of each.
pub(super) fn forget(before: i64, limit: i64) -> [Statement; 3] {
    let of = |text| Statement::of(text).with(before).with(limit);
    [
        of("DELETE FROM ~sweep_row WHERE (sweep, line) IN (
                SELECT swept.sweep, swept.line FROM ~sweep_row AS swept WHERE swept.sweep = (
                    SELECT sweep.id FROM ~sweep AS sweep WHERE sweep.ended_at < $1
                        AND EXISTS (SELECT 1 FROM ~sweep_row AS its WHERE its.sweep = sweep.id) LIMIT 1)
                LIMIT $2)
            RETURNING line"),
        of("DELETE FROM ~sweep WHERE id IN (
                SELECT sweep.id FROM ~sweep AS sweep WHERE sweep.ended_at < $1
                    AND NOT EXISTS (SELECT 1 FROM ~sweep_row AS its WHERE its.sweep = sweep.id) LIMIT $2)
            RETURNING id"),
        of("DELETE FROM ~listed WHERE (bucket, channel, out_trade_no, source) IN (
                SELECT bucket, channel, out_trade_no, source FROM ~listed WHERE gone_at < $1 LIMIT $2)
            RETURNING source"),
    ]
}
