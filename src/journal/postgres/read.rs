//! What is read of entries by their numbers, many at once.

use super::columns::{self, acceptance, callback, count, get, optional_time, parsed, span, time, yuan};
use super::database::Tx;
use super::error::Error;
use super::numbers::Bucket;
use super::statement::{List, Statement};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use crate::journal::overrides::Price;
use crate::journal::{AttemptRecord, EntryId, Event, Job, Overrides, PendingOrder, Rank, Record};
use tokio_postgres::Row;

/// Adds the numbers of entries to a statement: their buckets, and themselves.
pub(super) fn of_entries(statement: Statement, entries: &[EntryId]) -> Statement {
    let buckets: Vec<i16> = entries.iter().map(|entry| Bucket::of_entry(*entry).column()).collect();
    statement.with(List(buckets)).with(List(entries.iter().map(|entry| entry.0).collect::<Vec<_>>()))
}

const JOBS: &str =
    "SELECT entry.*, request.peer, request.tls, request.method, request.target, request.headers, request.body,
        request.inflated, delivery.attempts, delivery.transaction_id AS accepted_transaction_id, delivery.answer_status,
        delivery.answer_headers, delivery.answer_body, @now AS now
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id
    LEFT JOIN ~request request ON request.bucket = entry.bucket AND request.entry = entry.id
    LEFT JOIN ~delivery delivery ON delivery.bucket = entry.bucket AND delivery.id = entry.delivery
    ORDER BY wanted.place";

/// Asks for all that work on these entries needs, but for what their orders have in common.
pub(super) fn jobs(entries: &[EntryId]) -> Statement {
    of_entries(Statement::of(JOBS), entries)
}

/// An entry that is worked on. What its order has in common with others is filled in later.
pub(super) fn job(row: &Row) -> Result<Job, Error> {
    let (since, now, received_at): (i64, i64, i64) = (get(row, "since")?, get(row, "now")?, get(row, "received_at")?);
    let made_at = get::<Option<i64>>(row, "created_at")?.unwrap_or(i64::MAX);
    let is_due_since_received = get::<Option<i64>>(row, "due_at")? == Some(received_at);
    let rank = columns::rank(row)?;
    let overrides: i16 = get(row, "overrides")?;
    Ok(Job {
        entry: columns::entry(row, "id")?,
        callback: callback(row)?,
        state: columns::state(row)?,
        rank,
        retries: columns::tries(row)?,
        age: span(since, now),
        kept_for: span(received_at, now),
        age_before: span(made_at, received_at),
        reason: columns::reason(row, "reason")?,
        attempts: count(row, "attempts")?,
        accepted: acceptance(row)?,
        paid_by: Vec::new(),
        brought: rank == Rank::Brought && is_due_since_received,
        asked_for: get(row, "asked_for")?,
        overrides: Overrides::from_bits(u8::try_from(overrides).map_err(|_| Error::Damaged("overrides"))?),
        price: yuan(row, "expected_fee")?,
        listed: None,
    })
}

/// The payments that were confirmed for orders and not refunded since: those that were accepted first, and then the earliest.
/// One that was held back, as a second or for its price, is none of them. A few are told apart from one.
const PAID_BY: &str = "SELECT wanted.place, paid.channel, paid.transaction_id
    FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS wanted (bucket, \"order\", place)
    CROSS JOIN LATERAL (
        SELECT entry.channel, entry.transaction_id, min(entry.confirmed_at) AS confirmed_at,
            bool_or(coalesce(delivery.transaction_id = entry.transaction_id, false)) AS accepted
        FROM ~entry entry LEFT JOIN ~delivery delivery ON delivery.bucket = entry.bucket AND delivery.id = entry.delivery
        WHERE entry.bucket = wanted.bucket AND entry.\"order\" = wanted.\"order\"
            AND entry.transaction_id IS NOT NULL AND entry.trade_state <> 'REFUND'
            AND NOT (entry.state = 'parked' AND entry.reason IN ('second-payment', 'expected-amount-differs'))
        GROUP BY entry.channel, entry.transaction_id
        ORDER BY accepted DESC, confirmed_at LIMIT 8) paid
    ORDER BY wanted.place, paid.accepted DESC, paid.confirmed_at";

/// Asks for the payments of these orders, each with its `place` from 1 on.
pub(super) fn paid_by<'o>(orders: impl Iterator<Item = &'o OrderId> + Clone) -> Statement {
    let buckets: Vec<i16> = orders.clone().map(|order| Bucket::of(order.as_str()).column()).collect();
    let orders: Vec<String> = orders.map(|order| order.as_str().to_owned()).collect();
    Statement::of(PAID_BY).with(List(buckets)).with(List(orders))
}

/// A payment of an order.
pub(super) fn payment(row: &Row) -> Result<(ChannelId, TransactionId), Error> {
    Ok((parsed(row, "channel")?, parsed(row, "transaction_id")?))
}

/// What sources say of numbers: those that still list one before those that did.
const LISTED: &str =
    "SELECT wanted.place, listed.channel, listed.out_trade_no, listed.source, listed.\"order\", listed.total_fee,
        listed.listed_at, listed.gone_at
    FROM unnest($1::smallint[], $2::text[], $3::text[]) WITH ORDINALITY AS wanted (bucket, channel, out_trade_no, place)
    JOIN ~listed listed ON listed.bucket = wanted.bucket AND listed.channel = wanted.channel
        AND listed.out_trade_no = wanted.out_trade_no
    ORDER BY wanted.place, listed.gone_at IS NOT NULL, listed.listed_at, listed.source";

/// Asks what sources say of these numbers, each with its `place` from 1 on.
pub(super) fn listed<'n>(numbers: impl Iterator<Item = (&'n ChannelId, &'n OutTradeNo)> + Clone) -> Statement {
    let buckets: Vec<i16> = numbers.clone().map(|(_, number)| Bucket::of(number.as_str()).column()).collect();
    let channels: Vec<String> = numbers.clone().map(|(channel, _)| channel.as_str().to_owned()).collect();
    let numbers: Vec<String> = numbers.map(|(_, number)| number.as_str().to_owned()).collect();
    Statement::of(LISTED).with(List(buckets)).with(List(channels)).with(List(numbers))
}

/// What a source says of an order, with the source's name.
pub(super) fn pending_order(row: &Row) -> Result<(String, PendingOrder), Error> {
    let order = PendingOrder {
        channel: parsed(row, "channel")?,
        out_trade_no: parsed(row, "out_trade_no")?,
        order: parsed(row, "order")?,
        amount: columns::fen(row, "total_fee")?,
        gone_at: optional_time(row, "gone_at")?,
    };
    Ok((get(row, "source")?, order))
}

/// Puts what rows say where it belongs, by their `place` from 1 on.
pub(super) fn by_place<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, Error>,
    mut put: impl FnMut(usize, T),
) -> Result<(), Error> {
    for row in rows {
        let place: i64 = get(row, "place")?;
        put(usize::try_from(place.saturating_sub(1)).unwrap_or(usize::MAX), read(row)?);
    }
    Ok(())
}

/// What orders cost by a source: as it lists them now or, where none does, as it did when another amount was paid (`before`).
pub(super) fn prices(rows: &[Row], before: Vec<Option<Price>>) -> Result<Vec<Option<Price>>, Error> {
    let mut listed: Vec<Option<Price>> = before.iter().map(|_| None).collect();
    by_place(rows, listed_price, |place, price| {
        if let Some(first) = listed.get_mut(place).filter(|first| first.is_none()) {
            *first = price;
        }
    })?;
    Ok(listed.into_iter().zip(before).map(|(listed, before)| listed.or(before)).collect())
}

fn listed_price(row: &Row) -> Result<Option<Price>, Error> {
    let Some(amount) = yuan(row, "total_fee")? else { return Ok(None) };
    Ok(Some(Price { amount, source: get(row, "source")?, listed_at: optional_time(row, "listed_at")? }))
}

/// What an order cost by its source when another amount was paid, as its entry says.
pub(super) fn expected(row: &Row) -> Result<Option<Price>, Error> {
    let (Some(amount), Some(source)) = (yuan(row, "expected_fee")?, get(row, "expected_source")?) else {
        return Ok(None);
    };
    Ok(Some(Price { amount, source, listed_at: optional_time(row, "expected_at")? }))
}

const HEADS: &str = "SELECT entry.*, delivery.attempts, delivery.accepted_at
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id
    LEFT JOIN ~delivery delivery ON delivery.bucket = entry.bucket AND delivery.id = entry.delivery
    ORDER BY wanted.place";

/// Asks for what is known of entries, but for what happened to them.
pub(super) fn heads(entries: &[EntryId]) -> Statement {
    of_entries(Statement::of(HEADS), entries)
}

/// What is known of an entry, but for what happened to it and what its order costs now.
pub(super) fn head(row: &Row) -> Result<Record, Error> {
    Ok(Record {
        entry: columns::entry(row, "id")?,
        delivery: columns::delivery(row)?,
        request_id: get(row, "request_id")?,
        route: get(row, "route")?,
        origin: columns::origin(row)?,
        claimed: columns::claimed(row)?,
        received_at: time(row, "received_at")?,
        state: columns::state(row)?,
        since: time(row, "since")?,
        reason: columns::reason(row, "reason")?,
        due_at: optional_time(row, "due_at")?,
        retries: columns::tries(row)?,
        verified: columns::verified(row)?,
        verified_at: optional_time(row, "verified_at")?,
        attempts: count(row, "attempts")?,
        accepted_at: optional_time(row, "accepted_at")?,
        request_kept: count(row, "bytes")? > 0,
        price: expected(row)?,
        events: Vec::new(),
        attempt_log: Vec::new(),
    })
}

/// Adds to records what their orders cost now.
pub(super) async fn add_prices(tx: &Tx<'_>, records: &mut [Record]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let numbers = records.iter().map(|record| (&record.claimed.channel, &record.claimed.out_trade_no));
    let rows = tx.rows(listed(numbers)).await?;
    let before = records.iter_mut().map(|record| record.price.take()).collect();
    for (record, price) in records.iter_mut().zip(prices(&rows, before)?) {
        record.price = price;
    }
    Ok(())
}

/// Something that happened to an entry.
pub(super) fn event(row: &Row) -> Result<Event, Error> {
    Ok(Event {
        at: time(row, "at")?,
        what: get(row, "what")?,
        reason: columns::reason(row, "reason")?,
        request_id: get(row, "request_id")?,
        replica: get(row, "replica")?,
    })
}

/// An attempt of a delivery.
pub(super) fn attempt(row: &Row) -> Result<AttemptRecord, Error> {
    let status: Option<i32> = get(row, "status")?;
    Ok(AttemptRecord {
        attempt: count(row, "attempt")?,
        origin: columns::origin(row)?,
        began_at: time(row, "began_at")?,
        ended_at: optional_time(row, "ended_at")?,
        status: status.map(u16::try_from).transpose().map_err(|_| Error::Damaged("status"))?,
        accepted: get(row, "accepted")?,
        reason: columns::reason(row, "reason")?,
        replica: get(row, "replica")?,
    })
}
