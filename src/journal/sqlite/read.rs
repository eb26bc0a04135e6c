//! What is read, in SQL, on connections of their own.

use super::columns::{self, count, number, optional, optional_time, parsed, time};
use super::kinds::{Kind, kinds};
use super::leases::millis;
use super::{at_once, content, price};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::view::Filter;
use crate::journal::{Acceptance, AttemptRecord, Callback, EntryId, Event, Origin, Record, Search, State};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params_from_iter};
use uuid::Uuid;

/// The payments that were confirmed for an order and not refunded since: those that were accepted first, and then the
/// earliest. One that was held back, as a second or for its price, is none of them. A few are told apart from one.
pub(super) fn paid_by(connection: &Connection, order: &OrderId) -> Result<Vec<(ChannelId, TransactionId)>> {
    // Most orders are new, and this is looked up for each.
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE \"order\" = ?1 AND transaction_id IS NOT NULL)")?
        .query_row([order.as_str()], |row| row.get(0))?;
    if !known {
        return Ok(Vec::new());
    }
    connection
        .prepare_cached(
            "SELECT entry.channel, entry.transaction_id FROM entry LEFT JOIN delivery_row ON delivery_row.id = entry.delivery
             WHERE entry.\"order\" = ?1 AND entry.transaction_id IS NOT NULL AND trade_state <> 'REFUND'
                 AND NOT (state = 'parked' AND reason IN ('second-payment', 'expected-amount-differs'))
             GROUP BY entry.channel, entry.transaction_id
             ORDER BY max(ifnull(delivery_row.transaction_id = entry.transaction_id, first_ended_at IS NOT NULL)) DESC, min(confirmed_at) LIMIT 8",
        )?
        .query_map([order.as_str()], |row| Ok((parsed(row, "channel")?, parsed(row, "transaction_id")?)))?
        .collect()
}

pub(super) fn read_callback(row: &Row<'_>) -> Result<Callback> {
    Ok(Callback {
        request_id: parsed(row, "request_id")?,
        route: row.get("route")?,
        origin: columns::origin(row)?,
        claimed: columns::claimed(row)?,
        created_at: optional_time(row, "created_at")?,
        request: content::read(row)?,
    })
}

/// The latest confirmed callbacks of each channel.
pub(super) fn confirmed(connection: &Connection, limit: usize) -> Result<Vec<Callback>> {
    let mut confirmed = Vec::new();
    let limit = number(limit as u64);
    for state in [State::Delivering, State::Accepted] {
        let (origin, reason) = (Some(Origin::Callback), Some(Reason::Paid));
        let filter = Filter { state: Some(state), origin, reason, confirmed: true, ..Filter::default() };
        for Kind { state, channel, reason, origin, .. } in kinds(connection, &filter)? {
            let mut latest = connection.prepare_cached(
                "SELECT entry.*, request.* FROM entry INDEXED BY entry_list LEFT JOIN request ON request.entry = entry.id
                 WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4
                     AND (transaction_id IS NOT NULL) = 1 ORDER BY received_at DESC LIMIT ?5",
            )?;
            let mut rows = latest.query((state, channel, reason, origin, limit))?;
            while let Some(row) = rows.next()? {
                // A damaged one is told of by whoever has to do with it.
                confirmed.extend(read_callback(row));
            }
        }
    }
    Ok(confirmed)
}

/// The version of the UUIDs that deliveries have.
const DELIVERY_ID: usize = 8;

/// An id that may be a request's, which its sender chose, or a delivery's.
const OF_DELIVERY: &str = "(entry.request_id = ?
    OR entry.id IN (SELECT event.entry FROM event WHERE event.request_id = ?)
    OR (entry.delivery = ? AND entry.\"order\" IN (SELECT delivery_row.\"order\" FROM delivery_row WHERE delivery_row.id = ?))
    OR entry.id IN (
        SELECT other.id FROM entry AS other INDEXED BY entry_first WHERE other.first_began_at IS NOT NULL AND other.delivery = ?))";

/// The conditions of a search, and their values.
fn conditions(search: &Search, now: i64) -> (String, Vec<Value>) {
    let mut conditions = String::from("1");
    let mut values: Vec<Value> = Vec::new();
    let mut must = |condition: &str, value: Value| {
        values.push(value);
        let place = format!("?{}", values.len());
        conditions.push_str(" AND ");
        conditions.push_str(&condition.replace('?', &place));
    };
    if let Some(order) = &search.order {
        let condition = "(entry.\"order\" = ? OR entry.transaction_id = ?
            OR (entry.out_trade_no = ? AND entry.out_trade_no <> entry.\"order\"))";
        must(condition, order.as_str().to_owned().into());
    }
    if let Some(order) = &search.order_id {
        must("entry.\"order\" = ?", order.as_str().to_owned().into());
    }
    if let Some(channel) = &search.channel {
        must("entry.channel = ?", channel.as_str().to_owned().into());
    }
    if let Some(id) = search.request_id {
        let condition = "(entry.request_id = ?
            OR entry.id IN (SELECT event.entry FROM event WHERE event.request_id = ?))";
        must(if id.get_version_num() == DELIVERY_ID { OF_DELIVERY } else { condition }, id.to_string().into());
    }
    if let Some(within) = search.received_within {
        must("entry.received_at >= ?", now.saturating_sub(millis(within)).into());
    }
    if let Some(state) = search.state {
        must("entry.state = ?", state.as_str().to_owned().into());
    }
    if let Some(after) = search.after {
        must("entry.id > ?", after.0.into());
    }
    if let Some(entry) = search.entry {
        must("entry.id = ?", entry.0.into());
    }
    (conditions, values)
}

/// The numbers of entries that match; `more` are further conditions and the order.
pub(super) fn entries(
    connection: &Connection,
    search: &Search,
    limit: usize,
    more: &str,
    now: i64,
) -> Result<Vec<EntryId>> {
    let (conditions, mut values) = conditions(search, now);
    values.push(number(limit as u64).into());
    let sql = format!("SELECT id FROM entry WHERE {conditions} {more} LIMIT ?{}", values.len());
    connection.prepare(&sql)?.query_map(params_from_iter(values), |row| row.get(0).map(EntryId))?.collect()
}

/// Everything about the callbacks that match: the latest first, or with `after` the oldest.
pub(super) fn find(connection: &Connection, search: &Search, limit: usize) -> Result<Vec<Record>> {
    let now = clock::now().as_millisecond();
    let order = if search.after.is_some() { "ORDER BY id" } else { "ORDER BY id DESC" };
    // An entry and what was sent of it belong together.
    let moment = connection.unchecked_transaction()?;
    let entries = entries(connection, search, limit, order, now)?;
    let records = entries.into_iter().map(|entry| record(connection, entry)).collect::<Result<_>>()?;
    moment.finish()?;
    Ok(records)
}

/// What is known of an entry, but for what happened to it.
pub(super) fn head(connection: &Connection, entry: EntryId) -> Result<Record> {
    connection
        .prepare_cached(
            "SELECT entry.*, ifnull(delivery_row.attempts, first_began_at IS NOT NULL) AS attempts,
                 ifnull(delivery_row.accepted_at, first_ended_at) AS accepted_at
             FROM entry
             LEFT JOIN delivery_row ON delivery_row.id = entry.delivery WHERE entry.id = ?1",
        )?
        .query_row([entry.0], |row| {
            Ok(Record {
                entry,
                delivery: columns::delivery(row)?,
                request_id: parsed(row, "request_id")?,
                route: row.get("route")?,
                origin: columns::origin(row)?,
                claimed: columns::claimed(row)?,
                received_at: time(row, "received_at")?,
                state: columns::state(row)?,
                since: time(row, "since")?,
                reason: columns::reason(row, "reason")?,
                due_at: optional_time(row, "due_at")?,
                retries: row.get("tries")?,
                verified: columns::verified(row)?,
                verified_at: optional_time(row, "verified_at")?,
                attempts: count(row, "attempts")?,
                accepted_at: optional_time(row, "accepted_at")?,
                request_kept: count(row, "bytes")? > 0,
                price: price::of(connection, row)?,
                events: Vec::new(),
                attempt_log: Vec::new(),
            })
        })
}

fn record(connection: &Connection, entry: EntryId) -> Result<Record> {
    let mut record = head(connection, entry)?;
    record.events = connection
        .prepare_cached("SELECT * FROM event WHERE entry = ?1 ORDER BY id")?
        .query_map([entry.0], read_event)?
        .collect::<Result<_>>()?;
    record.attempt_log = connection
        .prepare_cached(
            "SELECT * FROM attempt_row WHERE entry IN (SELECT id FROM entry WHERE \"order\" = ?1 AND delivery = ?2) ORDER BY id",
        )?
        .query_map([record.claimed.order.as_str(), &record.delivery.to_string()], read_attempt)?
        .collect::<Result<_>>()?;
    record.attempt_log.extend(at_once::attempt(connection, entry)?);
    Ok(record)
}

pub(super) fn read_event(row: &Row<'_>) -> Result<Event> {
    Ok(Event {
        at: time(row, "at")?,
        what: row.get("what")?,
        reason: columns::reason(row, "reason")?,
        request_id: optional::<Uuid>(row, "request_id")?,
        replica: None,
    })
}

pub(super) fn read_attempt(row: &Row<'_>) -> Result<AttemptRecord> {
    Ok(AttemptRecord {
        attempt: count(row, "attempt")?,
        origin: columns::origin(row)?,
        began_at: time(row, "began_at")?,
        ended_at: optional_time(row, "ended_at")?,
        status: row.get("status")?,
        accepted: row.get("accepted")?,
        reason: columns::reason(row, "reason")?,
        replica: None,
    })
}

/// How often a delivery was sent, and that it was accepted, by its row.
pub(super) fn delivered(connection: &Connection, delivery: &str) -> Result<(u64, Option<Acceptance>)> {
    let found = connection
        .prepare_cached(
            "SELECT attempts, transaction_id AS accepted_transaction_id, answer_status, answer_headers, answer_body
             FROM delivery_row WHERE id = ?1",
        )?
        .query_row([delivery], |row| Ok((columns::count(row, "attempts")?, columns::acceptance(row)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}
