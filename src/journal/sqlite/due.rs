//! What is due, in SQL: which groups wait, and whose turn it is.

use super::columns::{self, count, parsed};
use super::leases::{Lease, Leases};
use super::read::{paid_by, read_callback};
use crate::domain::clock;
use crate::journal::stored::outlets::Outlets;
use crate::journal::{DueGroup, EntryId, Job, Overrides, Rank, State, Throttled};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row, Rows, ToSql};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

const JOB: &str = "SELECT entry.*, request.*, delivery_row.attempts, delivery_row.transaction_id AS accepted_transaction_id,
        delivery_row.answer_status, delivery_row.answer_headers, delivery_row.answer_body
    FROM entry LEFT JOIN request ON request.entry = entry.id LEFT JOIN delivery_row ON delivery_row.id = entry.delivery";

/// What one query for due entries needs.
pub(super) struct Look {
    pub(super) leases: Arc<Leases>,
    /// Whether the disk takes writes.
    pub(super) healthy: bool,
    /// Which query it is, counted from 0.
    pub(super) turn: usize,
    pub(super) limit: usize,
    /// What is passed over.
    pub(super) throttled: Throttled,
}

/// Leases what is due. While the disk fails, that is also what memory alone knows to be due.
pub(super) fn lease_due(connection: &Connection, look: &Look) -> Result<Vec<Job>> {
    let now = clock::now().as_millisecond();
    // Read first: what is not leased any more after this is on disk in what is read below.
    let leased = look.leases.entries(now);
    let mut groups = Vec::new();
    for state in [State::Delivering, State::Asking] {
        groups.extend(groups_in(connection, state)?);
    }
    let throttled: HashSet<&DueGroup> = look.throttled.groups.iter().collect();
    groups.retain(|group| !throttled.contains(group));
    let mut outlets = Outlets::of(&look.throttled, &groups);
    let (round, first) = (look.turn / groups.len().max(1), look.turn.checked_rem(groups.len()).unwrap_or(0));
    groups.rotate_left(first);
    let share = look.limit / groups.len().max(1);
    // What broke off gives back what it has taken.
    let mut taken: Vec<(Job, Lease)> = Vec::new();
    for share in [share.max(1), look.limit] {
        for group in &groups {
            let DueGroup { channel, state, origin, rank } = group;
            let room = outlets.room(group);
            if room == 0 {
                continue;
            }
            let (before, most) = (taken.len(), look.limit.min(taken.len() + share.min(room)));
            let latest_first = *state == State::Asking && !round.is_multiple_of(2);
            let order = if latest_first { "DESC" } else { "" };
            let sql = format!("{JOB} WHERE {QUEUE} ORDER BY entry.due_at {order}");
            let mut due = connection.prepare_cached(&sql)?;
            let rows = due.query((state.as_str(), channel.as_str(), now, origin.as_str(), *rank as u8))?;
            take(rows, look, &leased, most, &mut taken, now)?;
            outlets.take(group, taken.len() - before);
        }
    }
    if !look.healthy {
        for (lease, next) in look.leases.take_unwritten(now, look.limit.saturating_sub(taken.len())) {
            let mut one = connection.prepare_cached(&format!("{JOB} WHERE entry.id = ?1"))?;
            let mut job = one.query_row([lease.entry().0], |row| read_job(row, now))?;
            job.state = next.state();
            job.retries = next.due().map_or(0, |(_, retries)| retries);
            taken.push((job, lease));
        }
    }
    let mut jobs = Vec::with_capacity(taken.len());
    for (mut one, lease) in taken {
        one.paid_by = paid_by(connection, &one.callback.claimed.order)?;
        lease.keep();
        jobs.push(one);
    }
    Ok(jobs)
}

/// Leases one entry, if it is free.
pub(super) fn take_one(connection: &Connection, entry: EntryId, leases: &Arc<Leases>, now: i64) -> Result<Option<Job>> {
    let Some(lease) = leases.lease(entry) else { return Ok(None) };
    let mut one = connection.prepare_cached(&format!("{JOB} WHERE entry.id = ?1 AND entry.state = 'delivering'"))?;
    let Some(job) = one.query_row([entry.0], |row| Ok(read_job(row, now))).optional()? else { return Ok(None) };
    let mut job = match job {
        Ok(job) => job,
        Err(error) => {
            is_damaged(&error, lease);
            return Ok(None);
        }
    };
    job.paid_by = paid_by(connection, &job.callback.claimed.order)?;
    lease.keep();
    Ok(Some(job))
}

/// So that it is told of once and holds up no other entry.
fn is_damaged(error: &Error, lease: Lease) {
    tracing::error!(%error, entry = lease.entry().0, "a record is damaged and cannot be followed up");
    lease.keep();
}

// Each finds the group behind the one that the parameters name. An index jumps by its last compared column only, so
// there is one for each column; the values of a row, compared as one, would be walked through.

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

/// One group's entries.
const QUEUE: &str =
    "entry.state = ?1 AND entry.channel = ?2 AND entry.due_at <= ?3 AND entry.origin = ?4 AND entry.rank = ?5";

/// Takes from one group until there are `most`. Of what is asked about those come first by turns that are due longest
/// and those that have become due last, so that a backlog that cannot be cleared does not hide what is fresh; of what
/// is sent always the former.
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
        match read_job(row, now) {
            Ok(job) => taken.push((job, lease)),
            Err(error) => is_damaged(&error, lease),
        }
    }
    Ok(())
}

fn read_job(row: &Row<'_>, now: i64) -> Result<Job> {
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
        kept_for: span(row.get("received_at")?, now),
        age_before: span(made_at, row.get("received_at")?),
        reason: columns::reason(row, "reason")?,
        attempts: count(row, "attempts")?,
        accepted: columns::acceptance(row)?,
        paid_by: Vec::new(),
        brought: rank == Rank::Brought && is_due_since_received,
        asked_for: row.get("asked_for")?,
        overrides: Overrides::from_bits(row.get("overrides")?),
        price: columns::expected(row)?,
        listed: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;
    use rusqlite::{StatementStatus, params};
    use std::path::Path;

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
