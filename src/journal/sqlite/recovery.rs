//! What waits for an upstream, in SQL. What was brought forward stands in a group of its own (`rank`), so that none of
//! it has to be walked through to find what was not.

use super::kinds::{Kind, kinds};
use super::leases::{Leases, millis};
use super::{Sqlite, due, renew};
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::journal::recovery::Recovery;
use crate::journal::view::Filter;
use crate::journal::{BoxFuture, DueGroup, EntryId, Job, Rank, State};
use jiff::Timestamp;
use rusqlite::{Connection, Result, params};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Entries of one kind that one query for what is over its time reads. Those that were never tried stay.
const MOST_READ: i64 = 1000;

/// How many that cannot be taken are passed over to find one that waits.
const MOST_PASSED: usize = 32;

impl Recovery for Sqlite {
    fn bring_forward(&self, channels: Vec<ChannelId>, tried_before: Timestamp, limit: usize) -> BoxFuture<'_, usize> {
        let (leases, before) = (Arc::clone(&self.leases), tried_before.as_millisecond());
        let written =
            self.write(move |connection, at| bring_forward(connection, &channels, (before, limit), &leases, at));
        Box::pin(async move { written.await.map(|brought| usize::try_from(brought).unwrap_or(0)) })
    }

    fn bring_anew(&self, channels: Vec<ChannelId>, limit: usize) -> BoxFuture<'_, usize> {
        let written = self.write(move |connection, _| bring_anew(connection, &channels, limit));
        Box::pin(async move { written.await.map(|entries| usize::try_from(entries).unwrap_or(0)) })
    }

    fn end_waiting(&self, channels: Vec<ChannelId>, routes: Vec<String>, limit: usize) -> BoxFuture<'_, usize> {
        let written = self.write(move |connection, at| renew::end_waiting(connection, &channels, &routes, limit, at));
        Box::pin(async move { written.await.map(|entries| usize::try_from(entries).unwrap_or(0)) })
    }

    fn next_waiting(&self, channels: Vec<ChannelId>, tried: Vec<EntryId>) -> BoxFuture<'_, Option<Job>> {
        let leases = Arc::clone(&self.leases);
        self.read(move |connection| next_waiting(connection, &channels, &tried, &leases))
    }

    fn overdue(&self, channels: Vec<ChannelId>, lasts: Duration, limit: usize) -> BoxFuture<'_, Vec<Job>> {
        let leases = Arc::clone(&self.leases);
        self.read(move |connection| overdue(connection, &channels, lasts, limit, &leases))
    }
}

/// What waits in one group, what is due first before the rest.
const WAITING: &str = "SELECT id, due_at FROM entry INDEXED BY entry_due
    WHERE due_at IS NOT NULL AND state = 'delivering' AND channel = ?1 AND origin = ?2 AND rank = ?3 AND due_at > ?4
    ORDER BY due_at";

/// Of those what can be sent, which what waits for its provider cannot before its time is over.
const SENDABLE: &str = "SELECT id, due_at FROM entry INDEXED BY entry_due
    WHERE due_at IS NOT NULL AND state = 'delivering' AND channel = ?1 AND origin = ?2 AND rank = ?3 AND due_at > ?4
        AND (due_at <= ?5 OR ifnull(reason, '') <> ?6)
    ORDER BY due_at";

/// Whether an entry was tried after a time. An attempt that ended at a time still to come did so before the clock was
/// set back.
const IS_LATE: &str = "SELECT EXISTS (SELECT 1 FROM attempt_row WHERE entry = ?1 AND ended_at > ?2 AND ended_at <= ?3)";

/// The groups of what is being delivered for these channels.
fn groups(connection: &Connection, channels: &[ChannelId]) -> Result<Vec<DueGroup>> {
    let mut groups = due::groups_in(connection, State::Delivering)?;
    let channels: HashSet<&ChannelId> = channels.iter().collect();
    groups.retain(|group| channels.contains(&group.channel));
    Ok(groups)
}

/// Entries of a group that are due after a time, in that order.
fn waiting(
    connection: &Connection,
    group: &DueGroup,
    after: i64,
    limit: usize,
    mut is_wanted: impl FnMut(EntryId) -> Result<bool>,
) -> Result<Vec<(i64, EntryId)>> {
    let mut waiting = connection.prepare_cached(WAITING)?;
    let mut rows = waiting.query(params![group.channel.as_str(), group.origin.as_str(), group.rank as u8, after])?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let entry = EntryId(row.get("id")?);
        if is_wanted(entry)? {
            found.push((row.get("due_at")?, entry));
        }
    }
    Ok(found)
}

/// The entry of a group that can be sent and is due first, but for those that have their turn or had it.
fn first_sendable(
    connection: &Connection,
    group: &DueGroup,
    now: i64,
    is_wanted: impl Fn(EntryId) -> bool,
) -> Result<Option<(i64, EntryId)>> {
    let mut sendable = connection.prepare_cached(SENDABLE)?;
    let (channel, origin, rank) = (group.channel.as_str(), group.origin.as_str(), group.rank as u8);
    let mut rows = sendable.query(params![channel, origin, rank, i64::MIN, now, Reason::WindowOver.code()])?;
    while let Some(row) = rows.next()? {
        let entry = EntryId(row.get("id")?);
        if is_wanted(entry) {
            return Ok(Some((row.get("due_at")?, entry)));
        }
    }
    Ok(None)
}

fn bring_forward(
    connection: &Connection,
    channels: &[ChannelId],
    (before, limit): (i64, usize),
    leases: &Leases,
    at: i64,
) -> Result<i64> {
    let mut brought = 0;
    let mut is_late = connection.prepare_cached(IS_LATE)?;
    // The time at which it was received says that it was brought forward and not tried since.
    let mut bring =
        connection.prepare_cached("UPDATE entry SET due_at = min(received_at, ?2), rank = ?3 WHERE id = ?1")?;
    for group in groups(connection, channels)?.iter().filter(|group| group.rank < Rank::Brought) {
        let left = limit.saturating_sub(brought);
        let mut is_wanted = |entry: EntryId| -> Result<bool> {
            Ok(!leases.is_worked_on(entry) && !is_late.query_row([entry.0, before, at], |row| row.get::<_, bool>(0))?)
        };
        for (_, entry) in waiting(connection, group, at, left, &mut is_wanted)? {
            bring.execute(params![entry.0, at, Rank::Brought as u8])?;
            brought += 1;
        }
    }
    Ok(i64::try_from(brought).unwrap_or(i64::MAX))
}

fn bring_anew(connection: &Connection, channels: &[ChannelId], limit: usize) -> Result<i64> {
    let mut entries = 0;
    let mut anew = connection.prepare_cached("UPDATE entry SET rank = ?2 WHERE id = ?1")?;
    for group in groups(connection, channels)?.iter().filter(|group| group.rank == Rank::Brought) {
        for (_, entry) in waiting(connection, group, i64::MIN, limit.saturating_sub(entries), |_| Ok(true))? {
            anew.execute(params![entry.0, Rank::Likely as u8])?;
            entries += 1;
        }
    }
    Ok(i64::try_from(entries).unwrap_or(i64::MAX))
}

fn next_waiting(
    connection: &Connection,
    channels: &[ChannelId],
    tried: &[EntryId],
    leases: &Arc<Leases>,
) -> Result<Option<Job>> {
    let now = clock::now().as_millisecond();
    // Where another caller was faster, or an entry is damaged, the next query passes over it.
    for _ in 0..MOST_PASSED {
        let leased = leases.entries(now);
        let mut first = None;
        for group in groups(connection, channels)?.iter().filter(|group| group.rank != Rank::AskedFor) {
            let is_wanted = |entry| !leased.contains(&entry) && !tried.contains(&entry);
            let next = first_sendable(connection, group, now, is_wanted)?;
            first = first.into_iter().chain(next).min();
        }
        let Some((_, entry)) = first else { return Ok(None) };
        let taken = due::take_one(connection, entry, leases, now)?;
        if taken.is_some() {
            return Ok(taken);
        }
    }
    Ok(None)
}

fn overdue(
    connection: &Connection,
    channels: &[ChannelId],
    lasts: Duration,
    limit: usize,
    leases: &Arc<Leases>,
) -> Result<Vec<Job>> {
    let now = clock::now().as_millisecond();
    let before = now.saturating_sub(millis(lasts));
    let mut found = Vec::new();
    for channel in channels {
        let filter = Filter { state: Some(State::Delivering), channel: Some(*channel), ..Filter::default() };
        for Kind { state, channel, reason, origin, confirmed } in kinds(connection, &filter)? {
            let mut over = connection.prepare_cached(OVERDUE)?;
            let values = params![state, channel, reason, origin, confirmed, before, MOST_READ];
            let entries = over.query_map(values, |row| row.get(0).map(EntryId))?.collect::<Result<Vec<_>>>()?;
            for entry in entries {
                if found.len() >= limit {
                    return Ok(found);
                }
                found.extend(due::take_one(connection, entry, leases, now)?);
            }
        }
    }
    Ok(found)
}

/// Of the entries of one kind that were received before a time those that are delivered since before it, were tried,
/// and wait for nobody's wish.
const OVERDUE: &str = "SELECT id FROM entry
    WHERE id IN (SELECT id FROM entry INDEXED BY entry_list
            WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4
                AND (transaction_id IS NOT NULL) = ?5 AND received_at <= ?6 ORDER BY received_at LIMIT ?7)
        AND since <= ?6 AND due_at NOT NULL AND rank <> 5
        AND (tries > 0 OR EXISTS (SELECT 1 FROM attempt_row WHERE attempt_row.entry = entry.id))";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;
    use rusqlite::{StatementStatus, params};
    use std::path::Path;

    const ENTRIES: i64 = 5000;

    const SOME_ID: &str = "01942b7e-0000-7000-8000-000000000000";

    /// A journal with as many orders that wait for the upstream of one channel: half of them were brought forward
    /// before.
    fn crowded(directory: &Path) -> Connection {
        let path = directory.join("j.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        connection.set_prepared_statement_cache_capacity(64);
        let moment = connection.transaction().unwrap();
        for id in 0..ENTRIES {
            let rank = if id % 2 == 0 { Rank::Likely } else { Rank::Brought };
            let due_at = i64::MAX / 2 + id;
            moment
                .execute(
                    "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state,
                         since, due_at, tries, rank, transaction_id, trade_state)
                     VALUES (?1, ?6, ?6, 'app', 'app', ?2, 'n', ?3, 'delivering', ?3, ?4, 1, ?5, '4200000000000000000000000001',
                         'SUCCESS')",
                    params![format!("{id:016}").as_bytes(), format!("A{id}"), 1000 + id, due_at, rank as u8, SOME_ID],
                )
                .unwrap();
        }
        moment.commit().unwrap();
        connection
    }

    #[test]
    fn what_was_tried_later_is_not_brought_forward_unless_the_clock_was_set_back() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crowded(directory.path());
        let (app, leases) = ([ChannelId::parse("app").unwrap()], Leases::default());
        connection
            .execute("INSERT INTO attempt_row (entry, attempt, origin, began_at, ended_at) SELECT id, 1, 'callback', 1, 9000 FROM entry", [])
            .unwrap();
        let brought = |accepted_at, now| bring_forward(&connection, &app, (accepted_at, 10), &leases, now).unwrap();
        assert_eq!(brought(8000, 9500), 0, "tried after another was accepted");
        assert_eq!(brought(9200, 9500), 10);
        assert_eq!(brought(5000, 5010), 10, "the clock was at 9000 before");
    }

    #[test]
    fn a_damaged_record_hides_nothing_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crowded(directory.path());
        connection.execute("UPDATE entry SET request_id = 'damaged' WHERE id <= 3", []).unwrap();
        let (app, leases) = ([ChannelId::parse("app").unwrap()], Arc::default());
        let job = next_waiting(&connection, &app, &[], &leases).unwrap().unwrap();
        assert_eq!(job.entry, EntryId(4));
        let over = overdue(&connection, &app, Duration::from_secs(1), 10, &leases).unwrap();
        assert_eq!((over.len(), over[0].entry), (10, EntryId(5)));
    }

    #[test]
    fn what_waits_for_its_provider_tries_no_order_system() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crowded(directory.path());
        let over = Reason::WindowOver.code();
        connection.execute("UPDATE entry SET reason = ?1 WHERE id <= 3", [over]).unwrap();
        let (app, leases) = ([ChannelId::parse("app").unwrap()], Arc::default());
        let next = || next_waiting(&connection, &app, &[], &leases).unwrap().map(|job| job.entry);
        assert_eq!(next(), Some(EntryId(4)));
        connection.execute("UPDATE entry SET reason = ?1", [over]).unwrap();
        assert_eq!(next(), None);
        // Its time is over, which a step has to say.
        connection.execute("UPDATE entry SET due_at = 5000 WHERE id = 7", []).unwrap();
        assert_eq!(next(), Some(EntryId(7)));
    }

    #[test]
    fn nothing_is_walked_through_to_find_a_few_among_many() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crowded(directory.path());
        let (app, leases) = ([ChannelId::parse("app").unwrap()], Arc::default());
        let steps = |sql: &str| connection.prepare_cached(sql).unwrap().reset_status(StatementStatus::VmStep);
        assert_eq!(bring_forward(&connection, &app, (1, 10), &leases, 1).unwrap(), 10);
        assert!((1..1000).contains(&steps(WAITING)), "among {ENTRIES}");
        assert_eq!(bring_anew(&connection, &app, 10).unwrap(), 10);
        assert!((1..1000).contains(&steps(WAITING)), "among {ENTRIES}");
        let job = next_waiting(&connection, &app, &[], &leases).unwrap().unwrap();
        assert!((1..1000).contains(&steps(SENDABLE)), "among {ENTRIES}");
        assert!(job.retries == 1 && leases.is_worked_on(job.entry));
        // None is as old as that.
        assert!(overdue(&connection, &app, Duration::MAX, 10, &leases).unwrap().is_empty());
        assert!((1..1000).contains(&steps(OVERDUE)), "among {ENTRIES}");
        assert_eq!(overdue(&connection, &app, Duration::from_secs(1), 10, &leases).unwrap().len(), 10);
    }
}
