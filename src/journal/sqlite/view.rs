//! Lists in pages, in SQL.
//!
//! The index `entry_list` has the entries of each kind (state, channel, reason, origin, confirmed or not) by the time they
//! were received.
//! There are few kinds; a list goes through those that its filter wants and keeps the latest of each, so that no filter
//! makes it read more than a page of every kind.

use super::columns::{self, count, number, optional, optional_time, parsed};
use super::{Sqlite, read};
use crate::journal::view::{Cursor, Filter, Page, RefusedFilter, Tally, Today, Views};
use crate::journal::{EntryId, Origin, Record, Refused, Soon, State};
use crate::order::{ChannelId, OrderId};
use crate::reason::Reason;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Entries with a text in them that are sorted at most; of more than these the latest are looked through.
const MOST_FOUND: usize = 2000;

/// Entries that are looked through at most for one page.
const MOST_LOOKED_AT: usize = 20_000;

/// How many at a time.
const LOOKED_AT: usize = 1000;

impl Views for Sqlite {
    fn list(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> Soon<'_, Page> {
        self.read(move |connection| list(connection, &filter, after, limit))
    }

    fn today(&self, since: Timestamp) -> Soon<'_, Today> {
        self.read(move |connection| today(connection, since.as_millisecond()))
    }

    fn refusals(&self, filter: RefusedFilter, before: Option<i64>, limit: usize) -> Soon<'_, Vec<(i64, Refused)>> {
        self.read(move |connection| refusals(connection, &filter, before, limit))
    }
}

/// What entries of one kind have in common; the reason is empty where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kind {
    state: String,
    channel: String,
    reason: String,
    origin: String,
    confirmed: bool,
}

/// Every kind that there is, found by jumping from one to the next in the index.
fn kinds(connection: &Connection) -> Result<Vec<Kind>> {
    let mut next = connection.prepare_cached(
        "SELECT state, channel, ifnull(reason, ''), origin, (transaction_id IS NOT NULL) FROM entry INDEXED BY entry_list
         WHERE (state, channel, ifnull(reason, ''), origin, (transaction_id IS NOT NULL)) > (?1, ?2, ?3, ?4, ?5)
         ORDER BY state, channel, ifnull(reason, ''), origin, (transaction_id IS NOT NULL) LIMIT 1",
    )?;
    let mut kinds: Vec<Kind> = Vec::new();
    let nothing = Kind::default();
    loop {
        let Kind { state, channel, reason, origin, confirmed } = kinds.last().unwrap_or(&nothing);
        let found = next.query_row(params![state, channel, reason, origin, confirmed], |row| {
            Ok(Kind {
                state: row.get(0)?,
                channel: row.get(1)?,
                reason: row.get(2)?,
                origin: row.get(3)?,
                confirmed: row.get(4)?,
            })
        });
        match found.optional()? {
            Some(kind) => kinds.push(kind),
            None => return Ok(kinds),
        }
    }
}

impl Kind {
    fn is_wanted(&self, filter: &Filter) -> bool {
        filter.state.is_none_or(|state| self.state == state.as_str())
            && filter.channel.is_none_or(|channel| self.channel == channel.as_str())
            && filter.reason.is_none_or(|reason| self.reason == reason.code())
            && filter.origin.is_none_or(|origin| self.origin == origin.as_str())
            && (self.confirmed || !filter.confirmed)
    }
}

/// From when to when: the first inclusive, the second exclusive.
fn span(filter: &Filter) -> (i64, i64) {
    let since = filter.since.map_or(i64::MIN, |since| since.as_millisecond());
    (since, filter.until.map_or(i64::MAX, |until| until.as_millisecond()))
}

/// The latest entries behind `after`, at most `most`, by everything but text.
fn latest(
    connection: &Connection,
    kinds: &[Kind],
    filter: &Filter,
    after: Option<Cursor>,
    most: usize,
) -> Result<Vec<Cursor>> {
    let (since, until) = span(filter);
    let behind = Cursor { received_at: until, entry: EntryId(i64::MIN) };
    let behind = after.map_or(behind, |after| after.min(behind));
    let mut of_kind = connection.prepare_cached(
        "SELECT received_at, id FROM entry INDEXED BY entry_list
         WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4
             AND (transaction_id IS NOT NULL) = ?5 AND received_at >= ?6 AND received_at <= ?7 AND (received_at < ?7 OR id < ?8)
         ORDER BY received_at DESC, id DESC LIMIT ?9",
    )?;
    let mut found: BTreeSet<Cursor> = BTreeSet::new();
    for kind in kinds {
        // What is older than a whole page of others needs not be read.
        let oldest =
            found.first().filter(|_| found.len() >= most).map_or(since, |oldest| oldest.received_at.max(since));
        let rows = of_kind.query_map(
            params![
                kind.state,
                kind.channel,
                kind.reason,
                kind.origin,
                kind.confirmed,
                oldest,
                behind.received_at,
                behind.entry.0,
                number(most as u64)
            ],
            |row| Ok(Cursor { received_at: row.get(0)?, entry: EntryId(row.get(1)?) }),
        )?;
        for cursor in rows {
            found.insert(cursor?);
            if found.len() > most {
                found.pop_first();
            }
        }
    }
    Ok(found.into_iter().rev().collect())
}

fn list(connection: &Connection, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page> {
    let (entries, next) = match &filter.text {
        Some(text) => match with_text(connection, text)? {
            Some(found) => of_these(connection, found, filter, after, limit)?,
            None => looked_through(connection, filter, after, limit)?,
        },
        None => {
            let kinds: Vec<_> = kinds(connection)?.into_iter().filter(|kind| kind.is_wanted(filter)).collect();
            let found = latest(connection, &kinds, filter, after, limit.saturating_add(1))?;
            page_of(found, limit)
        }
    };
    let records = entries.into_iter().map(|cursor| summary(connection, cursor.entry)).collect::<Result<_>>()?;
    Ok(Page { records, next })
}

/// The first `limit`, and where it goes on if there are more.
fn page_of(mut found: Vec<Cursor>, limit: usize) -> (Vec<Cursor>, Option<Cursor>) {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().copied().filter(|_| more);
    (found, next)
}

/// What is behind the last text that begins with this one; the bytes of ids are ASCII.
fn behind(text: &OrderId) -> String {
    format!("{text}\u{7f}")
}

/// The entries that have a text in one of their ids, if they are not too many to be sorted.
fn with_text(connection: &Connection, text: &OrderId) -> Result<Option<Vec<EntryId>>> {
    let mut found = Vec::new();
    let last = behind(text);
    for sql in [
        "SELECT id FROM entry WHERE \"order\" >= ?1 AND \"order\" < ?2 LIMIT ?3",
        "SELECT id FROM entry WHERE out_trade_no <> \"order\" AND out_trade_no >= ?1 AND out_trade_no < ?2 LIMIT ?3",
        "SELECT id FROM entry WHERE transaction_id IS NOT NULL AND transaction_id >= ?1 AND transaction_id < ?2 LIMIT ?3",
    ] {
        let most = number(MOST_FOUND as u64 + 1);
        let mut of_column = connection.prepare_cached(sql)?;
        let entries = of_column.query_map(params![text.as_str(), last, most], |row| row.get(0).map(EntryId))?;
        found.extend(entries.collect::<Result<Vec<_>>>()?);
        if found.len() > MOST_FOUND {
            return Ok(None);
        }
    }
    if let Ok(id) = text.as_str().parse::<Uuid>() {
        let search = crate::journal::Search { request_id: Some(id), ..crate::journal::Search::default() };
        found.extend(read::entries(connection, &search, MOST_FOUND, "", 0)?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(Some(found))
}

/// What of an entry a filter looks at.
struct Looked {
    cursor: Cursor,
    kind: Kind,
    has_text: bool,
}

const LOOK: &str = "SELECT received_at, id, state, channel, ifnull(reason, '') AS reason, origin,
        transaction_id IS NOT NULL AS confirmed,
        ?2 IS NULL OR (\"order\" >= ?2 AND \"order\" < ?3) OR (out_trade_no >= ?2 AND out_trade_no < ?3)
            OR ifnull(transaction_id >= ?2 AND transaction_id < ?3, 0) AS has_text
    FROM entry WHERE id = ?1";

fn look(connection: &Connection, entry: EntryId, text: Option<&OrderId>) -> Result<Option<Looked>> {
    let (first, last) = (text.map(OrderId::as_str), text.map(behind));
    connection
        .prepare_cached(LOOK)?
        .query_row(params![entry.0, first, last], |row| {
            Ok(Looked {
                cursor: Cursor { received_at: row.get("received_at")?, entry },
                kind: Kind {
                    state: row.get("state")?,
                    channel: row.get("channel")?,
                    reason: row.get("reason")?,
                    origin: row.get("origin")?,
                    confirmed: row.get("confirmed")?,
                },
                has_text: row.get("has_text")?,
            })
        })
        .optional()
}

/// Of these entries a page.
fn of_these(
    connection: &Connection,
    entries: Vec<EntryId>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Cursor>, Option<Cursor>)> {
    let (since, until) = span(filter);
    let mut found = Vec::new();
    for entry in entries {
        let Some(looked) = look(connection, entry, None)? else { continue };
        let cursor = looked.cursor;
        let is_within = (since..until).contains(&cursor.received_at) && after.is_none_or(|after| cursor < after);
        if is_within && looked.kind.is_wanted(filter) {
            found.push(cursor);
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    Ok(page_of(found, limit))
}

/// The latest entries that have a text, which no index has by time, looked through one by one until there is a page of them or enough was
/// looked at.
fn looked_through(
    connection: &Connection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Cursor>, Option<Cursor>)> {
    let kinds: Vec<_> = kinds(connection)?.into_iter().filter(|kind| kind.is_wanted(filter)).collect();
    let (mut found, mut place) = (Vec::new(), after);
    for _ in 0..MOST_LOOKED_AT / LOOKED_AT {
        let some = latest(connection, &kinds, filter, place, LOOKED_AT)?;
        let last = some.len() < LOOKED_AT;
        for cursor in some {
            place = Some(cursor);
            let wanted = look(connection, cursor.entry, filter.text.as_ref())?.is_some_and(|looked| looked.has_text);
            if wanted {
                found.push(cursor);
            }
            if found.len() >= limit {
                return Ok((found, place));
            }
        }
        if last {
            return Ok((found, None));
        }
    }
    Ok((found, place))
}

/// An entry as a list shows it.
fn summary(connection: &Connection, entry: EntryId) -> Result<Record> {
    let mut record = read::head(connection, entry)?;
    record.events = connection
        .prepare_cached("SELECT * FROM event WHERE entry = ?1 AND what = 'flagged' ORDER BY id")?
        .query_map([entry.0], read::read_event)?
        .collect::<Result<_>>()?;
    if record.state == State::Delivering {
        record.sendings = connection
            .prepare_cached("SELECT * FROM attempt WHERE entry = ?1 ORDER BY attempt DESC, id DESC LIMIT 1")?
            .query_map([entry.0], read::read_attempt)?
            .collect::<Result<_>>()?;
    }
    Ok(record)
}

fn today(connection: &Connection, since: i64) -> Result<Today> {
    let mut tallies = Vec::new();
    let mut of_kind = connection.prepare_cached(
        "SELECT count(*) FROM entry INDEXED BY entry_list
         WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4
             AND (transaction_id IS NOT NULL) = ?5 AND received_at >= ?6",
    )?;
    for kind in kinds(connection)? {
        let Kind { state, channel, reason, origin, confirmed } = &kind;
        let entries: i64 =
            of_kind.query_row(params![state, channel, reason, origin, confirmed, since], |row| row.get(0))?;
        let entries = u64::try_from(entries).unwrap_or(0);
        if entries > 0 {
            tallies.push(Tally {
                state: State::from_name(state).ok_or_else(|| columns::damaged("state"))?,
                channel: ChannelId::parse(channel).map_err(|_| columns::damaged("channel"))?,
                reason: Reason::from_code(reason),
                origin: Origin::from_name(origin).ok_or_else(|| columns::damaged("origin"))?,
                confirmed: *confirmed,
                entries,
            });
        }
    }
    let refused = connection
        .prepare_cached(
            "SELECT reason, count(*) AS n FROM refused WHERE at >= ?1 GROUP BY reason ORDER BY n DESC, reason",
        )?
        .query_map([since], |row| Ok((columns::reason(row, "reason")?, count(row, "n")?)))?
        .filter_map(|row| row.map(|(reason, n)| reason.map(|reason| (reason, n))).transpose())
        .collect::<Result<_>>()?;
    Ok(Today { tallies, refused })
}

fn refusals(
    connection: &Connection,
    filter: &RefusedFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<(i64, Refused)>> {
    // There are ten thousand at most.
    connection
        .prepare_cached(
            "SELECT * FROM refused WHERE id < ?1 AND (?2 IS NULL OR reason = ?2) AND (?3 IS NULL OR channel = ?3)
                 AND (?4 IS NULL OR at >= ?4) AND (?5 IS NULL OR at < ?5)
                 AND (?6 IS NULL OR \"order\" = ?6 OR request_id = ?6)
             ORDER BY id DESC LIMIT ?7",
        )?
        .query_map(
            params![
                before.unwrap_or(i64::MAX),
                filter.reason.map(Reason::code),
                filter.channel.as_ref().map(|id| id.as_str()),
                filter.since.map(|since| since.as_millisecond()),
                filter.until.map(|until| until.as_millisecond()),
                filter.text.as_ref().map(|text| text.as_str()),
                number(limit as u64),
            ],
            |row| Ok((row.get("id")?, read_refused(row)?)),
        )?
        .collect()
}

/// A callback that was refused before it was taken in.
pub(super) fn read_refused(row: &Row<'_>) -> Result<Refused> {
    Ok(Refused {
        request_id: parsed(row, "request_id")?,
        at: optional_time(row, "at")?,
        route: row.get("route")?,
        channel: optional(row, "channel")?,
        order: optional(row, "order")?,
        reason: columns::reason(row, "reason")?.ok_or_else(|| columns::damaged("reason"))?,
        detail: row.get("detail")?,
    })
}
