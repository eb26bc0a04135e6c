//! Sweeps in SQL: the queue of those that are wanted, and the rows behind their numbers.

use super::batch::Batch;
use super::columns::{self, count, number, optional_time, parsed, time};
use super::leases::millis;
use super::{Sqlite, write};
use crate::domain::clock;
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::journal::sweeps::{
    Counts, Outcome, Progress, Row, RowKind, RowPayment, RowRecord, Standing, Sweep, SweepEvent, SweepId, SweepQueue,
    Sweeps, Wanted,
};
use crate::journal::{BoxFuture, EntryId, State};
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Result, Row as SqlRow, named_params, params};

impl SweepQueue for Sqlite {
    fn next_sweep(&self) -> BoxFuture<'_, Option<Sweep>> {
        self.read(next)
    }

    fn found_before(&self, sweep: SweepId) -> BoxFuture<'_, Vec<TransactionId>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT transaction_id FROM sweep_row WHERE sweep = ?1 AND what = 'found'")?
                .query_map([sweep.0], |row| parsed(row, "transaction_id"))?
                .collect()
        })
    }

    fn sweep_rows(&self, sweep: SweepId, rows: Vec<Row>) -> BoxFuture<'_, ()> {
        self.write_only(move |batch, at| rows.iter().try_for_each(|row| keep_row(batch, sweep, row, at)))
    }

    fn sweep_refunds(&self, sweep: SweepId, refunded: Vec<TransactionId>) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, _| {
            let mut mark = connection
                .prepare_cached("UPDATE sweep_row SET refunded = 1 WHERE sweep = ?1 AND transaction_id = ?2")?;
            refunded.iter().try_for_each(|payment| mark.execute(params![sweep.0, payment.as_str()]).map(drop))
        })
    }

    fn sweep_event(&self, sweep: SweepId, event: SweepEvent) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, at| happened(connection, sweep, &event, at))
    }
}

impl Sweeps for Sqlite {
    fn want_sweep(&self, wanted: Wanted) -> BoxFuture<'_, SweepId> {
        let id = self.write(move |connection, at| want(connection, &wanted, at));
        Box::pin(async move { id.await.map(SweepId) })
    }

    fn sweep(&self, id: SweepId) -> BoxFuture<'_, Option<Sweep>> {
        self.read(move |connection| {
            connection.prepare_cached("SELECT * FROM sweep WHERE id = ?1")?.query_row([id.0], read_sweep).optional()
        })
    }

    fn sweeps(&self, before: Option<SweepId>, limit: usize) -> BoxFuture<'_, Vec<Sweep>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT * FROM sweep WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
                .query_map([before.map_or(i64::MAX, |id| id.0), number(limit as u64)], read_sweep)?
                .collect()
        })
    }

    fn days_swept(&self, mch_id: MerchantId) -> BoxFuture<'_, Vec<Date>> {
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT DISTINCT bill_date FROM sweep
                     WHERE due_on IS NOT NULL AND state = 'done' AND mch_id = ?1 ORDER BY bill_date",
                )?
                .query_map([mch_id.as_str()], |row| parsed(row, "bill_date"))?
                .collect()
        })
    }

    fn orders_of(&self, numbers: Vec<(ChannelId, OutTradeNo)>) -> BoxFuture<'_, Vec<Option<OrderId>>> {
        self.read(move |connection| {
            numbers.iter().map(|(channel, number)| order_of(connection, channel, number)).collect()
        })
    }

    fn sweep_outcomes(&self, sweep: SweepId) -> BoxFuture<'_, Vec<Outcome>> {
        self.read(move |connection| outcomes(connection, sweep))
    }

    fn swept_rows(
        &self,
        sweep: SweepId,
        kind: Option<RowKind>,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<RowRecord>> {
        self.read(move |connection| {
            let what = if kind.is_some() { "what = ?4" } else { "?4 IS NULL" };
            let sql = format!(
                "SELECT sweep_row.*, entry.state, entry.reason, entry.tries, entry.due_at
                 FROM sweep_row LEFT JOIN entry ON entry.id = sweep_row.entry
                 WHERE sweep = ?1 AND line > ?2 AND {what} ORDER BY line LIMIT ?3"
            );
            let values = params![sweep.0, number(after), number(limit as u64), kind.map(RowKind::as_str)];
            connection.prepare_cached(&sql)?.query_map(values, read_row)?.collect()
        })
    }
}

/// The order that a number was used for, as a callback or a source said.
fn order_of(connection: &Connection, channel: &ChannelId, number: &OutTradeNo) -> Result<Option<OrderId>> {
    connection
        .prepare_cached(
            "SELECT \"order\" FROM listed WHERE channel = ?1 AND out_trade_no = ?2
             UNION ALL
             SELECT \"order\" FROM payment_owner WHERE channel = ?1 AND out_trade_no = ?2
             UNION ALL
             SELECT \"order\" FROM entry
             WHERE channel = ?1 AND out_trade_no = ?2 AND out_trade_no <> \"order\" AND origin = 'callback'
                 AND transaction_id IS NOT NULL AND state IN ('delivering', 'accepted')
             UNION ALL
             SELECT \"order\" FROM entry
             WHERE channel = ?1 AND out_trade_no = ?2 AND \"order\" = ?2 AND origin = 'callback'
                 AND transaction_id IS NOT NULL AND state IN ('delivering', 'accepted')
             LIMIT 1",
        )?
        .query_row([channel.as_str(), number.as_str()], |row| parsed(row, "order"))
        .optional()
}

fn want(connection: &Connection, wanted: &Wanted, at: i64) -> Result<i64> {
    let Wanted { mch_id, bill_date, channels, due_on, dry_run } = wanted;
    let (mch_id, bill_date) = (mch_id.as_str(), bill_date.to_string());
    let due_on = due_on.map(|day| day.to_string());
    let before = connection
        .prepare_cached("SELECT id FROM sweep WHERE mch_id = ?1 AND bill_date = ?2 AND due_on = ?3 AND dry_run = ?4")?
        .query_row(params![mch_id, bill_date, due_on, dry_run], |row| row.get(0))
        .optional()?;
    if let Some(id) = before {
        return Ok(id);
    }
    let channels = channels.iter().map(|channel| channel.as_str()).collect::<Vec<_>>().join(" ");
    connection
        .prepare_cached(
            "INSERT INTO sweep (mch_id, bill_date, channels, due_on, dry_run, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![mch_id, bill_date, channels, due_on, dry_run, at])?;
    Ok(connection.last_insert_rowid())
}

fn next(connection: &Connection) -> Result<Option<Sweep>> {
    connection
        .prepare_cached(
            "SELECT * FROM sweep WHERE state IN ('asked', 'running') AND (again_at IS NULL OR again_at <= ?1)
             ORDER BY state = 'running' DESC, due_on IS NOT NULL, id LIMIT 1",
        )?
        .query_row([clock::now().as_millisecond()], read_sweep)
        .optional()
}

fn read_sweep(row: &SqlRow<'_>) -> Result<Sweep> {
    let channels: String = row.get("channels")?;
    let channels = channels.split(' ').map(str::parse).collect::<std::result::Result<_, _>>();
    let state: String = row.get("state")?;
    Ok(Sweep {
        id: SweepId(row.get("id")?),
        wanted: Wanted {
            mch_id: parsed(row, "mch_id")?,
            bill_date: parsed(row, "bill_date")?,
            channels: channels.map_err(|_| columns::damaged("channels"))?,
            due_on: columns::optional(row, "due_on")?,
            dry_run: row.get("dry_run")?,
        },
        state: Progress::ALL
            .into_iter()
            .find(|progress| progress.as_str() == state)
            .ok_or_else(|| columns::damaged("state"))?,
        asked_at: time(row, "asked_at")?,
        again_at: optional_time(row, "again_at")?,
        began_at: optional_time(row, "began_at")?,
        ended_at: optional_time(row, "ended_at")?,
        problem: row.get("problem")?,
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

/// The entry that says most about a payment: one whose delivery was accepted, or else the latest that goes on.
pub(super) fn standing(connection: &Connection, payment: &TransactionId) -> Result<Option<Standing>> {
    connection
        .prepare_cached(
            "SELECT entry.id, entry.state,
                 entry.state = 'accepted' OR ifnull(delivery_row.transaction_id = entry.transaction_id, 0) AS accepted
             FROM entry LEFT JOIN delivery_row ON delivery_row.id = entry.delivery
             WHERE entry.transaction_id = ?1 AND entry.state <> 'closed'
             ORDER BY accepted DESC, entry.state <> 'delivering', entry.id DESC LIMIT 1",
        )?
        .query_row([payment.as_str()], |row| {
            Ok(Standing { entry: EntryId(row.get("id")?), state: columns::state(row)?, accepted: row.get("accepted")? })
        })
        .optional()
}

fn keep_row(batch: &Batch<'_>, sweep: SweepId, row: &Row, at: i64) -> Result<()> {
    let entry = match &row.follow_up {
        Some(order) => Some(write::take_in_found(batch, order, at, at, true)?),
        None => row.entry,
    };
    let payment = row.payment.as_ref();
    batch
        .prepare_cached(
            "INSERT OR REPLACE INTO sweep_row (sweep, line, what, channel, \"order\", out_trade_no, transaction_id,
                 total_fee, fee_type, refunded, entry, detail)
             VALUES (:sweep, :line, :what, :channel, :order, :out_trade_no, :transaction_id,
                 :total_fee, :fee_type, :refunded, :entry, :detail)",
        )?
        .execute(named_params! {
            ":sweep": sweep.0,
            ":line": number(row.line),
            ":what": row.kind.as_str(),
            ":channel": payment.and_then(|payment| payment.channel).map(|id| id.to_string()),
            ":order": payment.and_then(|payment| payment.order).map(|id| id.to_string()),
            ":out_trade_no": payment.and_then(|payment| payment.out_trade_no).map(|id| id.to_string()),
            ":transaction_id": payment.map(|payment| payment.transaction_id.to_string()),
            ":total_fee": payment.and_then(|payment| payment.amount).map(|amount| number(amount.fen.0)),
            ":fee_type": payment.and_then(|payment| payment.amount).map(|amount| amount.currency.as_str().to_owned()),
            ":refunded": payment.is_some_and(|payment| payment.refunded),
            ":entry": entry.map(|entry| entry.0),
            ":detail": row.detail,
        })?;
    Ok(())
}

fn read_row(row: &SqlRow<'_>) -> Result<RowRecord> {
    let what: String = row.get("what")?;
    let kind = RowKind::ALL.into_iter().find(|kind| kind.as_str() == what).ok_or_else(|| columns::damaged("what"))?;
    let payment = match columns::optional(row, "transaction_id")? {
        Some(transaction_id) => Some(RowPayment {
            channel: columns::optional(row, "channel")?,
            order: columns::optional(row, "order")?,
            out_trade_no: columns::optional(row, "out_trade_no")?,
            transaction_id,
            amount: columns::money(row, "total_fee", "fee_type")?,
            refunded: row.get("refunded")?,
        }),
        None => None,
    };
    let state: Option<String> = row.get("state")?;
    let due_at: Option<i64> = row.get("due_at")?;
    let retries: Option<u32> = row.get("tries")?;
    Ok(RowRecord {
        row: Row {
            line: count(row, "line")?,
            kind,
            payment,
            detail: row.get("detail")?,
            entry: row.get::<_, Option<i64>>("entry")?.map(EntryId),
            follow_up: None,
        },
        state: state.as_deref().and_then(State::from_name),
        reason: columns::reason(row, "reason")?,
        tried: due_at.is_none() || retries.is_some_and(|retries| retries > 0),
    })
}

fn happened(connection: &Connection, sweep: SweepId, event: &SweepEvent, at: i64) -> Result<()> {
    let to = |state: Progress, again_at: Option<i64>, problem: Option<&str>| {
        connection
            .prepare_cached(
                "UPDATE sweep SET state = ?2, again_at = ?3, problem = ?4, ended_at = CASE WHEN ?5 THEN ?6 END WHERE id = ?1",
            )?
            .execute(params![sweep.0, state.as_str(), again_at, problem, state.is_over(), at])
            .map(drop)
    };
    match event {
        SweepEvent::Began => {
            to(Progress::Running, None, None)?;
            // What was found is found still, wherever it stands by now.
            connection
                .prepare_cached("DELETE FROM sweep_row WHERE sweep = ?1 AND (what <> 'found' OR entry IS NULL)")?
                .execute([sweep.0])?;
            connection.prepare_cached("UPDATE sweep SET began_at = ?2 WHERE id = ?1")?.execute([sweep.0, at])?;
            counted(connection, sweep, &Counts::default())
        }
        SweepEvent::Counted(counts) => counted(connection, sweep, counts),
        SweepEvent::Done(counts, problem) => {
            to(Progress::Done, None, problem.as_deref())?;
            counted(connection, sweep, counts)
        }
        SweepEvent::Again(again_in, problem) => {
            to(Progress::Asked, Some(at.saturating_add(millis(*again_in))), Some(problem))
        }
        SweepEvent::Failed(problem) => to(Progress::Failed, None, Some(problem)),
    }
}

fn counted(connection: &Connection, sweep: SweepId, counts: &Counts) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE sweep SET rows = ?2, paid = ?3, refunds = ?4, others = ?5, malformed = ?6, not_ours = ?7, accepted = ?8,
                 under_way = ?9, parked = ?10, found = ?11, unknown = ?12
             WHERE id = ?1",
        )?
        .execute(params![
            sweep.0,
            number(counts.rows),
            number(counts.paid),
            number(counts.refunds),
            number(counts.others),
            number(counts.malformed),
            number(counts.not_ours),
            number(counts.accepted),
            number(counts.under_way),
            number(counts.parked),
            number(counts.found),
            number(counts.unknown),
        ])?;
    Ok(())
}

fn outcomes(connection: &Connection, sweep: SweepId) -> Result<Vec<Outcome>> {
    connection
        .prepare_cached(
            "SELECT entry.state, entry.reason, count(*) AS orders,
                 count(*) FILTER (WHERE entry.due_at IS NOT NULL AND (entry.tries = 0 OR (
                     SELECT ended_at IS NULL FROM attempt_row WHERE attempt_row.entry = entry.id ORDER BY id DESC LIMIT 1))) AS untried
             FROM sweep_row LEFT JOIN entry ON entry.id = sweep_row.entry
             WHERE sweep = ?1 AND what = 'found' GROUP BY entry.state, entry.reason ORDER BY orders DESC",
        )?
        .query_map([sweep.0], |row| {
            let state: Option<String> = row.get("state")?;
            Ok(Outcome {
                state: state.as_deref().and_then(State::from_name),
                reason: columns::reason(row, "reason")?,
                orders: count(row, "orders")?,
                untried: count(row, "untried")?,
            })
        })?
        .collect()
}

/// Removes what sweeps and sources left behind.
pub(super) fn forget(connection: &Connection, before: i64, limit: i64) -> Result<usize> {
    let rows = connection
        .prepare_cached(
            "DELETE FROM sweep_row WHERE (sweep, line) IN (
                 SELECT sweep, line FROM sweep_row WHERE sweep = (
                     SELECT id FROM sweep WHERE ended_at < ?1
                         AND EXISTS (SELECT 1 FROM sweep_row WHERE sweep_row.sweep = sweep.id)
                     LIMIT 1)
                 LIMIT ?2)",
        )?
        .execute([before, limit])?;
    let sweeps = connection
        .prepare_cached(
            "DELETE FROM sweep WHERE id IN (
                 SELECT id FROM sweep WHERE ended_at < ?1
                     AND NOT EXISTS (SELECT 1 FROM sweep_row WHERE sweep_row.sweep = sweep.id)
                 LIMIT ?2)",
        )?
        .execute([before, limit])?;
    let listed = connection
        .prepare_cached(
            "DELETE FROM listed WHERE (channel, out_trade_no, source) IN (
                 SELECT channel, out_trade_no, source FROM listed WHERE gone_at < ?1 LIMIT ?2)",
        )?
        .execute([before, limit])?;
    Ok(rows + sweeps + listed)
}
