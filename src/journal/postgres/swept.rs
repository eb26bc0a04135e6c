//! The rows behind a sweep's numbers, in SQL, and what a sweep holds a bill against.

use super::columns::{self, at_most, count, get, money, number, optional, parsed};
use super::database::Tx;
use super::error::Error;
use super::numbers::Bucket;
use super::read::by_place;
use super::statement::{List, Statement};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::journal::sweeps::{Outcome, Row, RowKind, RowPayment, RowRecord, SweepId};
use crate::journal::{EntryId, State};
use tokio_postgres::Row as SqlRow;

const KEEP: &str = "INSERT INTO ~sweep_row (sweep, line, what, channel, \"order\", out_trade_no, transaction_id, total_fee, fee_type,
        refunded, entry, detail)
    SELECT $1, kept.* FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
        $9::text[], $10::boolean[], $11::bigint[], $12::text[]) AS kept (line, what, channel, \"order\", out_trade_no,
            transaction_id, total_fee, fee_type, refunded, entry, detail)
    ON CONFLICT (sweep, line) DO UPDATE SET what = excluded.what, channel = excluded.channel, \"order\" = excluded.\"order\",
        out_trade_no = excluded.out_trade_no, transaction_id = excluded.transaction_id, total_fee = excluded.total_fee,
        fee_type = excluded.fee_type, refunded = excluded.refunded, entry = excluded.entry, detail = excluded.detail";

/// Keeps rows; `found` are the entries of those that are followed up, in their order.
pub(super) fn keep(sweep: SweepId, rows: &[Row], found: Vec<EntryId>) -> Statement {
    fn each<T>(rows: &[Row], column: impl Fn(&Row) -> T) -> List<T> {
        List(rows.iter().map(column).collect())
    }
    fn of_payment<T>(rows: &[Row], column: impl Fn(&RowPayment) -> Option<T>) -> List<Option<T>> {
        List(rows.iter().map(|row| row.payment.as_ref().and_then(&column)).collect())
    }
    let mut found = found.into_iter();
    let entries = rows.iter().map(|row| if row.follow_up.is_some() { found.next() } else { row.entry });
    let entries: Vec<Option<i64>> = entries.map(|entry| entry.map(|entry| entry.0)).collect();
    Statement::of(KEEP)
        .with(sweep.0)
        .with(each(rows, |row| number(row.line)))
        .with(each(rows, |row| row.kind.as_str()))
        .with(of_payment(rows, |payment| payment.channel.map(|id| id.to_string())))
        .with(of_payment(rows, |payment| payment.order.map(|id| id.to_string())))
        .with(of_payment(rows, |payment| payment.out_trade_no.map(|id| id.to_string())))
        .with(of_payment(rows, |payment| Some(payment.transaction_id.to_string())))
        .with(of_payment(rows, |payment| payment.amount.map(|amount| number(amount.fen.0))))
        .with(of_payment(rows, |payment| payment.amount.map(|amount| amount.currency.as_str().to_owned())))
        .with(each(rows, |row| row.payment.as_ref().is_some_and(|payment| payment.refunded)))
        .with(List(entries))
        .with(each(rows, |row| row.detail.clone()))
}

/// The order that a number was used for, as a callback or a source said.
const ORDERS: &str = "SELECT wanted.place, used.\"order\"
    FROM unnest($1::smallint[], $2::text[], $3::text[]) WITH ORDINALITY AS wanted (bucket, channel, out_trade_no, place)
    CROSS JOIN LATERAL (
        (SELECT 1 AS by, listed.\"order\" FROM ~listed listed WHERE listed.bucket = wanted.bucket
            AND listed.channel = wanted.channel AND listed.out_trade_no = wanted.out_trade_no LIMIT 1)
        UNION ALL
        (SELECT 2, owner.\"order\" FROM ~payment_owner owner
            WHERE owner.out_trade_no = wanted.out_trade_no AND owner.channel = wanted.channel LIMIT 1)
        UNION ALL
        (SELECT CASE WHEN entry.out_trade_no <> entry.\"order\" THEN 3 ELSE 4 END, entry.\"order\" FROM ~entry entry
            WHERE entry.out_trade_no = wanted.out_trade_no AND entry.channel = wanted.channel
                AND entry.origin = 'callback' AND entry.transaction_id IS NOT NULL
                AND entry.state IN ('delivering', 'accepted')
            ORDER BY 1 LIMIT 1)
        ORDER BY 1 LIMIT 1) used";

/// The orders of these numbers, in their order.
pub(super) async fn orders_of(tx: &Tx<'_>, numbers: &[(ChannelId, OutTradeNo)]) -> Result<Vec<Option<OrderId>>, Error> {
    let mut orders: Vec<Option<OrderId>> = numbers.iter().map(|_| None).collect();
    let ask = Statement::of(ORDERS)
        .with(List(numbers.iter().map(|(_, number)| Bucket::of(number.as_str()).column()).collect::<Vec<_>>()))
        .with(List(numbers.iter().map(|(channel, _)| channel.as_str().to_owned()).collect::<Vec<_>>()))
        .with(List(numbers.iter().map(|(_, number)| number.as_str().to_owned()).collect::<Vec<_>>()));
    tx.take_time().await?;
    let rows = tx.slowly(ask).await?;
    by_place(
        &rows,
        |row| parsed(row, "order"),
        |place, order| {
            orders.get_mut(place).into_iter().for_each(|slot| *slot = Some(order));
        },
    )?;
    Ok(orders)
}

/// The numbers of entries say their bucket, so the entries of rows are looked for by both.
const BUCKET: &str = "((swept.entry >> 14) & 255)::smallint";

/// What became of the orders that a sweep found.
pub(super) async fn outcomes(tx: &Tx<'_>, sweep: SweepId) -> Result<Vec<Outcome>, Error> {
    let text = format!(
        "SELECT entry.state, entry.reason, count(*) AS orders,
             count(*) FILTER (WHERE entry.due_at IS NOT NULL AND (entry.tries = 0 OR (
                 SELECT attempt.ended_at IS NULL FROM ~attempt attempt
                 WHERE attempt.bucket = entry.bucket AND attempt.entry = entry.id ORDER BY attempt.id DESC LIMIT 1))) AS untried
         FROM ~sweep_row swept LEFT JOIN ~entry entry ON entry.bucket = {BUCKET} AND entry.id = swept.entry
         WHERE swept.sweep = $1 AND swept.what = 'found' GROUP BY entry.state, entry.reason ORDER BY orders DESC, entry.state"
    );
    tx.take_time().await?;
    tx.slowly(Statement::of(text).with(sweep.0)).await?.iter().map(outcome).collect()
}

fn outcome(row: &SqlRow) -> Result<Outcome, Error> {
    Ok(Outcome {
        state: get::<Option<&str>>(row, "state")?.and_then(State::from_name),
        reason: columns::reason(row, "reason")?,
        orders: count(row, "orders")?,
        untried: count(row, "untried")?,
    })
}

/// Rows of a sweep, or those of one kind, from behind a line.
pub(super) async fn rows(
    tx: &Tx<'_>,
    sweep: SweepId,
    kind: Option<RowKind>,
    after: u64,
    limit: usize,
) -> Result<Vec<RowRecord>, Error> {
    let text = format!(
        "SELECT swept.*, entry.state, entry.reason, entry.tries, entry.due_at
         FROM ~sweep_row swept LEFT JOIN ~entry entry ON entry.bucket = {BUCKET} AND entry.id = swept.entry
         WHERE swept.sweep = $1 AND swept.line > $2 AND ($4 IS NULL OR swept.what = $4) ORDER BY swept.line LIMIT $3"
    );
    let rows =
        Statement::of(text).with(sweep.0).with(number(after)).with(at_most(limit)).with(kind.map(RowKind::as_str));
    tx.rows(rows).await?.iter().map(record).collect()
}

fn record(row: &SqlRow) -> Result<RowRecord, Error> {
    let what: &str = get(row, "what")?;
    let payment = match optional(row, "transaction_id")? {
        Some(transaction_id) => Some(RowPayment {
            channel: optional(row, "channel")?,
            order: optional(row, "order")?,
            out_trade_no: optional(row, "out_trade_no")?,
            transaction_id,
            amount: money(row, "total_fee", "fee_type")?,
            refunded: get(row, "refunded")?,
        }),
        None => None,
    };
    let (due_at, retries): (Option<i64>, Option<i32>) = (get(row, "due_at")?, get(row, "tries")?);
    Ok(RowRecord {
        row: Row {
            line: count(row, "line")?,
            kind: RowKind::from_name(what).ok_or(Error::Damaged("what"))?,
            payment,
            detail: get(row, "detail")?,
            entry: get::<Option<i64>>(row, "entry")?.map(EntryId),
            follow_up: None,
        },
        state: get::<Option<&str>>(row, "state")?.and_then(State::from_name),
        reason: columns::reason(row, "reason")?,
        tried: due_at.is_none() || retries.is_some_and(|retries| retries > 0),
    })
}
