//! What is read, in SQL, on connections of their own.

use super::columns::{self, count, number, optional, optional_time, parsed, time};
use super::kinds::{Kind, kinds};
use super::leases::{Lease, Leases, millis};
use super::{OpenError, connect, redeliver, view};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::view::Filter;
use crate::journal::{
    Acceptance, AttemptRecord, Callback, DueGroup, EntryId, Event, Job, Origin, Outlet, Overrides, Rank, Record,
    Refused, Search, Shut, State,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, Rows, ToSql, params_from_iter};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Connections that are kept when nobody reads. Each may hold as much memory as its cache, and as many are open as read
/// at one time.
const KEPT: usize = 4;

/// Connections that read.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Reads with a connection that nobody uses. One that failed is not used again.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let read = read(&connection)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        Ok(read)
    }

    fn open(&self) -> Result<Connection> {
        let connection = connect(&self.path, false).map_err(|error| match error {
            OpenError::Sqlite(error) => error,
            _ => Error::InvalidPath(self.path.clone()),
        })?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

const WORK: &str = "SELECT entry.*, request.*, delivery.attempts, delivery.transaction_id AS accepted_transaction_id,
        delivery.answer_status, delivery.answer_headers, delivery.answer_body
    FROM entry LEFT JOIN request ON request.entry = entry.id LEFT JOIN delivery ON delivery.id = entry.delivery";

/// A look at what is due.
pub(super) struct Look {
    pub(super) leases: Arc<Leases>,
    /// Whether the disk works.
    pub(super) healthy: bool,
    /// The how-manieth it is.
    pub(super) turn: usize,
    pub(super) limit: usize,
    /// What is not looked at.
    pub(super) shut: Shut,
}

/// Leases what is due. While the disk fails, that is also what memory alone knows to be due.
pub(super) fn lease_due(connection: &Connection, look: &Look) -> Result<Vec<Job>> {
    let now = clock::now().as_millisecond();
    // Looked at first: what is not leased any more after this is on disk in what is read below.
    let leased = look.leases.entries(now);
    let mut groups = Vec::new();
    for state in [State::Delivering, State::Asking] {
        groups.extend(groups_in(connection, state)?);
    }
    groups.retain(|group| !look.shut.groups.contains(group));
    let mut outlets = look.shut.outlets.clone();
    let (round, first) = (look.turn / groups.len().max(1), look.turn.checked_rem(groups.len()).unwrap_or(0));
    groups.rotate_left(first);
    let share = look.limit / groups.len().max(1);
    // What broke off gives back what it has taken.
    let mut taken: Vec<(Job, Lease)> = Vec::new();
    for share in [share.max(1), look.limit] {
        for group in &groups {
            let DueGroup { channel, state, origin, rank } = group;
            let mut outlet = outlets.iter_mut().find(|outlet| outlet.is_of(group));
            let room = outlet.as_ref().map_or(usize::MAX, |outlet| outlet.room(*rank));
            if room == 0 {
                continue;
            }
            let (before, most) = (taken.len(), look.limit.min(taken.len() + share.min(room)));
            let latest_first = *state == State::Asking && !round.is_multiple_of(2);
            let order = if latest_first { "DESC" } else { "" };
            let sql = format!("{WORK} WHERE {QUEUE} ORDER BY entry.due_at {order}");
            let mut due = connection.prepare_cached(&sql)?;
            let rows = due.query((state.as_str(), channel.as_str(), now, origin.as_str(), *rank as u8))?;
            take(rows, look, &leased, most, &mut taken, now)?;
            if let Some(outlet) = &mut outlet {
                outlet.most = outlet.most.saturating_sub(taken.len() - before);
            }
        }
    }
    if !look.healthy {
        for (lease, next) in look.leases.take_unwritten(now, look.limit.saturating_sub(taken.len())) {
            let mut one = connection.prepare_cached(&format!("{WORK} WHERE entry.id = ?1"))?;
            let mut work = one.query_row([lease.entry().0], |row| read_work(row, now))?;
            work.state = next.state();
            work.retries = next.due().map_or(0, |(_, retries)| retries);
            taken.push((work, lease));
        }
    }
    let mut work = Vec::with_capacity(taken.len());
    for (mut one, lease) in taken {
        one.paid_by = paid_by(connection, &one.callback.claimed.order)?;
        lease.keep();
        work.push(one);
    }
    Ok(work)
}

impl Outlet {
    /// Whether a group waits for it.
    fn is_of(&self, group: &DueGroup) -> bool {
        group.state == State::Delivering && self.channels.contains(&group.channel)
    }

    /// How many entries of this rank may be taken.
    fn room(&self, rank: Rank) -> usize {
        if self.failing && rank != Rank::AskedFor { 0 } else { self.most }
    }
}

/// Leases one entry, if it is free.
pub(super) fn take_one(connection: &Connection, entry: EntryId, leases: &Arc<Leases>, now: i64) -> Result<Option<Job>> {
    let Some(lease) = leases.lease(entry) else { return Ok(None) };
    let mut one = connection.prepare_cached(&format!("{WORK} WHERE entry.id = ?1 AND entry.state = 'delivering'"))?;
    let Some(work) = one.query_row([entry.0], |row| Ok(read_work(row, now))).optional()? else { return Ok(None) };
    let mut work = match work {
        Ok(work) => work,
        Err(error) => {
            is_damaged(&error, lease);
            return Ok(None);
        }
    };
    work.paid_by = paid_by(connection, &work.callback.claimed.order)?;
    lease.keep();
    Ok(Some(work))
}

/// So that it is told of once and stops nobody.
fn is_damaged(error: &Error, lease: Lease) {
    tracing::error!(%error, entry = lease.entry().0, "a record is damaged and cannot be followed up");
    lease.keep();
}

// Each finds the group behind the one that the parameters name. An index jumps by its last compared column only, so there
// is one for each column; the values of a row, compared as one, would be walked through.

const NEXT_QUEUE: [&str; 3] = [
    "SELECT channel, origin, rank FROM entry INDEXED BY entry_due WHERE due_at IS NOT NULL
         AND state = ?1 AND channel = ?2 AND origin = ?3 AND rank > ?4 ORDER BY rank LIMIT 1",
    "SELECT channel, origin, rank FROM entry INDEXED BY entry_due WHERE due_at IS NOT NULL
         AND state = ?1 AND channel = ?2 AND origin > ?3 ORDER BY origin, rank LIMIT 1",
    "SELECT channel, origin, rank FROM entry INDEXED BY entry_due WHERE due_at IS NOT NULL
         AND state = ?1 AND channel > ?2 ORDER BY channel, origin, rank LIMIT 1",
];

/// The groups that have entries in a state, found by jumping from one to the next in the index.
pub(super) fn groups_in(connection: &Connection, state: State) -> Result<Vec<DueGroup>> {
    let mut groups: Vec<DueGroup> = Vec::new();
    while let Some(group) = next_group(connection, state, groups.last())? {
        groups.push(group);
    }
    Ok(groups)
}

fn next_group(connection: &Connection, state: State, last: Option<&DueGroup>) -> Result<Option<DueGroup>> {
    let (channel, origin) = last.map_or(("", ""), |last| (last.channel.as_str(), last.origin.as_str()));
    let rank = last.map(|last| last.rank as u8);
    let parameters: [&dyn ToSql; 4] = [&state.as_str(), &channel, &origin, &rank];
    for (sql, count) in NEXT_QUEUE.iter().zip([4, 3, 2]) {
        let mut next = connection.prepare_cached(sql)?;
        let found = next.query_row(parameters.get(..count).unwrap_or_default(), |row| {
            let (channel, origin) = (parsed(row, "channel")?, columns::origin(row)?);
            Ok(DueGroup { channel, state, origin, rank: columns::rank(row)? })
        });
        if let Some(group) = found.optional()? {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

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
            "SELECT entry.channel, entry.transaction_id FROM entry LEFT JOIN delivery ON delivery.id = entry.delivery
             WHERE entry.\"order\" = ?1 AND entry.transaction_id IS NOT NULL AND trade_state <> 'REFUND'
                 AND NOT (state = 'parked' AND reason IN ('second-payment', 'expected-amount-differs'))
             GROUP BY entry.channel, entry.transaction_id
             ORDER BY max(ifnull(delivery.transaction_id = entry.transaction_id, 0)) DESC, min(confirmed_at) LIMIT 8",
        )?
        .query_map([order.as_str()], |row| Ok((parsed(row, "channel")?, parsed(row, "transaction_id")?)))?
        .collect()
}

/// One group's entries.
const QUEUE: &str =
    "entry.state = ?1 AND entry.channel = ?2 AND entry.due_at <= ?3 AND entry.origin = ?4 AND entry.rank = ?5";

/// Takes from one group until there are `most`. Of what is asked about those come first by turns that are due longest and those
/// that have become due last, so that a backlog nobody can clear does not hide what is fresh; of what is sent always the former.
fn take(
    mut rows: Rows<'_>,
    look: &Look,
    leased: &HashSet<EntryId>,
    most: usize,
    taken: &mut Vec<(Job, Lease)>,
    now: i64,
) -> Result<()> {
    while taken.len() < most
        && let Some(row) = rows.next()?
    {
        let entry = EntryId(row.get("id")?);
        if leased.contains(&entry) {
            continue;
        }
        let Some(lease) = look.leases.lease(entry) else { continue };
        match read_work(row, now) {
            Ok(work) => taken.push((work, lease)),
            Err(error) => is_damaged(&error, lease),
        }
    }
    Ok(())
}

fn read_callback(row: &Row<'_>) -> Result<Callback> {
    Ok(Callback {
        request_id: parsed(row, "request_id")?,
        route: row.get("route")?,
        origin: columns::origin(row)?,
        claimed: columns::claimed(row)?,
        created_at: optional_time(row, "created_at")?,
        request: columns::request(row)?,
    })
}

fn read_work(row: &Row<'_>, now: i64) -> Result<Job> {
    let since: i64 = row.get("since")?;
    let span = |from: i64, to: i64| Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0));
    let made_at = row.get::<_, Option<i64>>("created_at")?.unwrap_or(i64::MAX);
    let is_due_since_received = row.get::<_, Option<i64>>("due_at")? == Some(row.get("received_at")?);
    let rank = columns::rank(row)?;
    Ok(Job {
        entry: EntryId(row.get("id")?),
        callback: read_callback(row)?,
        state: columns::state(row)?,
        rank,
        retries: row.get("tries")?,
        age: span(since, now),
        age_before: span(made_at, row.get("received_at")?),
        reason: columns::reason(row, "reason")?,
        attempts: count(row, "attempts")?,
        accepted: columns::acceptance(row)?,
        paid_by: Vec::new(),
        brought: rank == Rank::Brought && is_due_since_received,
        asked_for: row.get("asked_for")?,
        overrides: Overrides::from_bits(row.get("overrides")?),
        price: columns::expected(row)?,
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
            OR entry.id IN (SELECT event.entry FROM event WHERE event.request_id = ?)
            OR (entry.delivery = ? AND entry.\"order\" IN (SELECT delivery.\"order\" FROM delivery WHERE delivery.id = ?)))";
        must(condition, id.to_string().into());
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
            "SELECT entry.*, delivery.attempts, delivery.accepted_at FROM entry
             LEFT JOIN delivery ON delivery.id = entry.delivery WHERE entry.id = ?1",
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
                price: redeliver::price(connection, row)?,
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
            "SELECT * FROM attempt WHERE entry IN (SELECT id FROM entry WHERE \"order\" = ?1 AND delivery = ?2) ORDER BY id",
        )?
        .query_map([record.claimed.order.as_str(), &record.delivery.to_string()], read_attempt)?
        .collect::<Result<_>>()?;
    Ok(record)
}

pub(super) fn read_event(row: &Row<'_>) -> Result<Event> {
    Ok(Event {
        at: time(row, "at")?,
        what: row.get("what")?,
        reason: columns::reason(row, "reason")?,
        request_id: optional::<Uuid>(row, "request_id")?,
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
    })
}

/// How often a delivery was sent, and that it was accepted.
pub(super) fn delivered(connection: &Connection, delivery: &str) -> Result<(u64, Option<Acceptance>)> {
    let found = connection
        .prepare_cached(
            "SELECT attempts, transaction_id AS accepted_transaction_id, answer_status, answer_headers, answer_body
             FROM delivery WHERE id = ?1",
        )?
        .query_row([delivery], |row| Ok((columns::count(row, "attempts")?, columns::acceptance(row)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Callbacks that were refused before they were taken in, the latest first.
pub(super) fn refused(connection: &Connection, search: &Search, limit: usize) -> Result<Vec<Refused>> {
    let id = search.request_id.map(|id| id.to_string());
    let order = search.order.as_ref().map(|order| order.as_str().to_owned());
    connection
        .prepare_cached(
            "SELECT * FROM refused WHERE (?1 IS NULL OR request_id = ?1) AND (?2 IS NULL OR \"order\" = ?2)
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map((id, order, number(limit as u64)), view::read_refused)?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;
    use rusqlite::{StatementStatus, params};

    const ENTRIES: i64 = 5000;

    /// A journal with as many entries that are asked about in two groups of one channel, and a few elsewhere.
    fn crowded(directory: &Path) -> Connection {
        let path = directory.join("j.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        connection.set_prepared_statement_cache_capacity(64);
        let moment = connection.transaction().unwrap();
        let crowd = (0..ENTRIES).map(|id| ("app", "callback", id % 2 * 3));
        let others = [("app", "sweep", 0), ("app", "pending", 0), ("2/c1", "callback", 1)];
        for (id, (channel, origin, rank)) in crowd.chain(others).enumerate() {
            moment
                .execute(
                    "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state,
                         since, due_at, origin, rank)
                     VALUES (?1, 'd', 'r', 'app', ?2, ?3, 'n', 0, 'asking', 0, ?4, ?5, ?6)",
                    params![format!("{id:016}").as_bytes(), channel, format!("A{id}"), i64::try_from(id).unwrap(), origin, rank],
                )
                .unwrap();
        }
        moment.commit().unwrap();
        connection
    }

    #[test]
    fn groups_are_found_without_walking_through_their_entries() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crowded(directory.path());
        let groups = groups_in(&connection, State::Asking).unwrap();
        let seen: Vec<_> =
            groups.iter().map(|group| (group.channel.as_str(), group.origin.as_str(), group.rank as u8)).collect();
        let expected = [
            ("2/c1", "callback", 1),
            ("app", "callback", 0),
            ("app", "callback", 3),
            ("app", "pending", 0),
            ("app", "sweep", 0),
        ];
        assert_eq!(seen, expected);
        let steps = |sql: &&str| connection.prepare_cached(sql).unwrap().get_status(StatementStatus::VmStep);
        let steps: i32 = NEXT_QUEUE.iter().map(steps).sum();
        assert!((1..1000).contains(&steps), "{steps} steps among {ENTRIES} entries");
    }
}
