//! Lists in pages, in SQL.
//!
//! The index `entry_list` has the entries of each kind (state, channel, reason, origin, confirmed or not) by the time
//! they were received. There are few kinds (`kinds`); a list goes through those that its filter wants and keeps the
//! latest of each, so that no filter makes it read more than a page of every kind. What has a text in it is found by
//! the indices of ids, by its number.

use super::columns::{self, count, number};
use super::kinds::{Kind, kinds};
use super::{Sqlite, read, refused};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::view::{Cursor, Filter, Page, RefusedFilter, Tally, Today, Views};
use crate::journal::{BoxFuture, EntryId, Origin, Record, Refused, Search, State};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Entries that are looked at one by one at most for one page, because no index has all that is wanted of them.
const MOST_LOOKED_AT: usize = 2000;

/// Entries whose numbers are sorted at most, to look at the highest.
const MOST_SORTED: u64 = 50_000;

/// How many of the latest are tried before more is done to find those with a text.
const TRIED: usize = 300;

impl Views for Sqlite {
    fn list(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> BoxFuture<'_, Page> {
        self.read(move |connection| of_one_moment(connection, |connection| list(connection, &filter, after, limit)))
    }

    fn today(&self, since: Timestamp) -> BoxFuture<'_, Today> {
        self.read(move |connection| of_one_moment(connection, |connection| today(connection, since.as_millisecond())))
    }

    fn refusals(&self, filter: RefusedFilter, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<(i64, Refused)>> {
        self.read(move |connection| refused::list(connection, &filter, before, limit))
    }
}

/// Reads several times in what there is at one moment: an entry that goes from one kind to another meanwhile would else
/// be in neither.
fn of_one_moment<T>(connection: &Connection, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let moment = connection.unchecked_transaction()?;
    let read = read(connection)?;
    moment.finish()?;
    Ok(read)
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
    let mut read = |kind: &Kind, most: usize| {
        let Kind { state, channel, reason, origin, confirmed } = kind;
        let (at, entry, most) = (behind.received_at, behind.entry.0, number(most as u64));
        of_kind
            .query_map(params![state, channel, reason, origin, confirmed, since, at, entry, most], |row| {
                Ok(Cursor { received_at: row.get(0)?, entry: EntryId(row.get(1)?) })
            })?
            .collect::<Result<Vec<_>>>()
    };
    // A kind whose latest is older than a whole page of others needs not be read any further.
    let mut heads = Vec::new();
    for kind in kinds {
        heads.extend(read(kind, 1)?.first().map(|head| (*head, kind)));
    }
    heads.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
    let mut found: BTreeSet<Cursor> = BTreeSet::new();
    for (head, kind) in heads {
        if found.len() >= most && found.first().is_some_and(|oldest| head < *oldest) {
            break;
        }
        found.extend(read(kind, most)?);
        while found.len() > most {
            found.pop_first();
        }
    }
    Ok(found.into_iter().rev().collect())
}

fn list(connection: &Connection, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page> {
    let (found, next) = match &filter.text {
        Some(text) => with_text(connection, filter, text, after, limit)?,
        None => {
            let kinds = kinds(connection, filter)?;
            let mut found = latest(connection, &kinds, filter, after, limit.saturating_add(1))?;
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().copied().filter(|_| more);
            (found, next)
        }
    };
    let records = found.into_iter().map(|cursor| summary(connection, cursor.entry)).collect::<Result<_>>()?;
    Ok(Page { records, next })
}

/// A page of those with a text, by their numbers, the highest first.
fn with_text(
    connection: &Connection,
    filter: &Filter,
    text: &OrderId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Cursor>, Option<Cursor>)> {
    let before = after.map_or(EntryId(i64::MAX), |after| after.entry);
    let (found, looked_at, place) = (Vec::new(), 0, None);
    let mut look = Look { connection, filter, text, limit, found, looked_at, place, ends_early: false };
    let (few, all) = named(connection, text, EntryId(i64::MAX), "")?;
    if all {
        look.through(few.into_iter().filter(|entry| *entry < before))?;
    } else if wanted(connection, filter)? <= MOST_SORTED {
        look.through(of_kinds(connection, filter)?.into_iter().filter(|entry| *entry < before))?;
    } else {
        // Most have it, or the latest do not.
        look.through(newest(connection, before)?)?;
        if look.found.len() < limit {
            let before = look.place.map_or(before, |place| place.entry);
            let (some, all) = named(connection, text, before, "ORDER BY id DESC")?;
            look.through(some)?;
            look.ends_early |= !all;
        }
    }
    Ok((look.found, look.place.filter(|_| look.ends_early)))
}

/// Looks at entries one by one.
struct Look<'l> {
    connection: &'l Connection,
    filter: &'l Filter,
    text: &'l OrderId,
    limit: usize,
    found: Vec<Cursor>,
    looked_at: usize,
    /// The one that was looked at last.
    place: Option<Cursor>,
    /// Whether there are more.
    ends_early: bool,
}

impl Look<'_> {
    /// By their numbers, the highest first, until there is a page or enough was looked at.
    fn through(&mut self, entries: impl IntoIterator<Item = EntryId>) -> Result<()> {
        let entries: BTreeSet<EntryId> = entries.into_iter().collect();
        let (since, until) = span(self.filter);
        for entry in entries.into_iter().rev() {
            if self.found.len() >= self.limit || self.looked_at >= MOST_LOOKED_AT {
                self.ends_early = true;
                break;
            }
            self.looked_at += 1;
            let Some(looked) = look(self.connection, entry, self.text)? else { continue };
            self.place = Some(looked.cursor);
            let is_within = (since..until).contains(&looked.cursor.received_at);
            if looked.has_text && is_within && looked.kind.is_wanted(self.filter) {
                self.found.push(looked.cursor);
            }
        }
        Ok(())
    }
}

/// The latest entries before one.
fn newest(connection: &Connection, before: EntryId) -> Result<Vec<EntryId>> {
    connection
        .prepare_cached("SELECT id FROM entry WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
        .query_map(params![before.0, number(TRIED as u64)], |row| row.get(0).map(EntryId))?
        .collect()
}

/// All entries that a filter wants, but for the text.
fn of_kinds(connection: &Connection, filter: &Filter) -> Result<Vec<EntryId>> {
    let (since, until) = span(filter);
    let mut found = Vec::new();
    let mut of_kind = connection.prepare_cached(
        "SELECT id FROM entry INDEXED BY entry_list
         WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4
             AND (transaction_id IS NOT NULL) = ?5 AND received_at >= ?6 AND received_at < ?7",
    )?;
    for Kind { state, channel, reason, origin, confirmed } in kinds(connection, filter)? {
        let entries = of_kind.query_map(params![state, channel, reason, origin, confirmed, since, until], |row| {
            row.get(0).map(EntryId)
        })?;
        found.extend(entries.collect::<Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// How many entries a filter wants, as far as that is known: by everything but reason, time and text.
fn wanted(connection: &Connection, filter: &Filter) -> Result<u64> {
    connection
        .prepare_cached(
            "SELECT (SELECT ifnull(sum(entries), 0) FROM tally
                     WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR channel = ?2) AND (?3 IS NULL OR origin = ?3)
                         AND confirmed >= ?4)
                 + (SELECT count(*) FROM entry
                     WHERE due_at IS NOT NULL AND state IN ('asking', 'delivering') AND (?1 IS NULL OR state = ?1)) AS n",
        )?
        .query_row(
            params![
                filter.state.map(State::as_str),
                filter.channel.as_ref().map(|channel| channel.as_str()),
                filter.origin.map(Origin::as_str),
                filter.confirmed,
            ],
            |row| count(row, "n"),
        )
}

/// What is behind the last text that begins with this one; the bytes of ids are ASCII.
fn behind(text: &OrderId) -> String {
    format!("{text}\u{7f}")
}

/// Some entries with numbers below `before` that have a text at the beginning of an id, in an order, and whether these
/// are all. Each is read from an index alone.
fn named(connection: &Connection, text: &OrderId, before: EntryId, order: &str) -> Result<(Vec<EntryId>, bool)> {
    let (mut found, mut all, last) = (Vec::new(), true, behind(text));
    for condition in [
        "entry_order WHERE \"order\" >= ?1 AND \"order\" < ?2",
        "entry_out_trade_no WHERE out_trade_no <> \"order\" AND out_trade_no >= ?1 AND out_trade_no < ?2",
        "entry_transaction WHERE transaction_id IS NOT NULL AND transaction_id >= ?1 AND transaction_id < ?2",
    ] {
        let sql = format!("SELECT id FROM entry INDEXED BY {condition} AND id < ?3 {order} LIMIT ?4");
        let mut of_column = connection.prepare_cached(&sql)?;
        let values = params![text.as_str(), last, before.0, number(MOST_LOOKED_AT as u64)];
        let entries = of_column.query_map(values, |row| row.get(0).map(EntryId))?.collect::<Result<Vec<_>>>()?;
        all &= entries.len() < MOST_LOOKED_AT;
        found.extend(entries);
    }
    if let Ok(id) = text.as_str().parse::<Uuid>() {
        let search = Search { request_id: Some(id), ..Search::default() };
        let entries = read::entries(connection, &search, MOST_LOOKED_AT, "", 0)?;
        found.extend(entries.into_iter().filter(|entry| *entry < before));
    }
    Ok((found, all))
}

/// What of an entry a filter looks at.
struct Looked {
    cursor: Cursor,
    kind: Kind,
    has_text: bool,
}

/// The text as it is, what is behind it, and as an id of a request or delivery.
const LOOK: &str = "SELECT received_at, state, channel, ifnull(reason, '') AS reason, origin,
        transaction_id IS NOT NULL AS confirmed,
        (\"order\" >= ?2 AND \"order\" < ?3) OR (out_trade_no >= ?2 AND out_trade_no < ?3)
            OR ifnull(transaction_id >= ?2 AND transaction_id < ?3, 0) OR ifnull(request_id = ?4 OR delivery = ?4, 0)
            OR (?4 IS NOT NULL AND EXISTS (SELECT 1 FROM event WHERE event.entry = entry.id AND event.request_id = ?4))
            AS has_text
    FROM entry WHERE id = ?1";

fn look(connection: &Connection, entry: EntryId, text: &OrderId) -> Result<Option<Looked>> {
    let id = text.as_str().parse::<Uuid>().ok().map(|id| id.to_string());
    connection
        .prepare_cached(LOOK)?
        .query_row(params![entry.0, text.as_str(), behind(text), id], |row| {
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

/// An entry as a list shows it.
fn summary(connection: &Connection, entry: EntryId) -> Result<Record> {
    let mut record = read::head(connection, entry)?;
    record.events = connection
        .prepare_cached("SELECT * FROM event WHERE entry = ?1 AND what = 'flagged' ORDER BY id")?
        .query_map([entry.0], read::read_event)?
        .collect::<Result<_>>()?;
    if record.state == State::Delivering {
        record.attempt_log = connection
            .prepare_cached("SELECT * FROM attempt_row WHERE entry = ?1 ORDER BY attempt DESC, id DESC LIMIT 1")?
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
    for kind in kinds(connection, &Filter::default())? {
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
