//! The journal's own time, in SQL: when it was made, how far it has come, and what a clock that was set moves.

use super::columns::optional_time;
use super::due;
use super::leases::millis;
use crate::domain::clock;
use crate::journal::{DueGroup, State};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OpenFlags, Result, params};
use std::path::Path;
use std::time::Duration;

/// Without a beat for longer than this, no gate ran; in milliseconds.
const GAP: i64 = 120_000;

/// No schedule waits for longer, in milliseconds: what is due later was written by a clock that was wrong.
const FARTHEST: i64 = 100 * 24 * 3_600_000;

/// Steps of the clock that are kept.
const STEPS_KEPT: i64 = 64;

/// When the journal at `path` was made, as its file says; `None` if there is none that says so. It is only read: a gate
/// may be running. Blocks.
#[must_use]
pub(in crate::journal) fn made_at(path: &Path) -> Option<Timestamp> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).ok()?;
    connection.busy_timeout(super::BUSY_TIMEOUT).ok()?;
    super::schema::version(&connection, path).ok()??;
    // An older layout does not say it: its oldest entry does, as it will once it is led here.
    let oldest = "SELECT min(received_at) AS made_at FROM entry";
    made(&connection).or_else(|_| connection.query_row(oldest, [], |row| optional_time(row, "made_at"))).ok()?
}

/// When the journal was made.
pub(super) fn made(connection: &Connection) -> Result<Option<Timestamp>> {
    connection.query_row("SELECT made_at FROM clock", [], |row| optional_time(row, "made_at"))
}

/// The latest time that the file knows.
fn latest(connection: &Connection) -> Result<Option<i64>> {
    connection.query_row(
        "SELECT max(at) FROM (
             SELECT latest_at AS at FROM clock
             UNION ALL SELECT received_at FROM (SELECT received_at FROM entry ORDER BY id DESC LIMIT 1)
             UNION ALL SELECT began_at FROM (SELECT began_at FROM attempt_row ORDER BY id DESC LIMIT 1)
             UNION ALL SELECT max(first_began_at) FROM entry WHERE first_began_at IS NOT NULL
             UNION ALL SELECT at FROM (SELECT at FROM event ORDER BY id DESC LIMIT 1))",
        [],
        |row| row.get(0),
    )
}

/// A gate has the file from now on. A clock that is behind the file is wrong, or was; and the time for which no gate
/// ran, by a clock that may be wrong too, is not counted for what waits and for what is kept.
pub(super) fn begin(connection: &mut Connection) -> Result<()> {
    let latest = latest(connection)?;
    if let Some(latest) = latest.and_then(time_of) {
        clock::go_on_from(latest);
    }
    let now = clock::now().as_millisecond();
    let transaction = connection.transaction()?;
    if let Some(latest) = latest.filter(|latest| now.saturating_sub(*latest) > GAP) {
        let gap = now.saturating_sub(latest);
        transaction.execute("UPDATE entry SET since = since + ?1 WHERE due_at IS NOT NULL", [gap])?;
        transaction.execute("UPDATE sweep SET asked_at = asked_at + ?1 WHERE state IN ('asked', 'running')", [gap])?;
        keep_step(&transaction, latest, now)?;
    }
    beat(&transaction, now)?;
    transaction.commit()
}

/// A command beside a gate has that one's time, where the system's clock says otherwise.
pub(super) fn join(connection: &Connection) -> Result<()> {
    let latest: Option<i64> = connection.query_row("SELECT latest_at FROM clock", [], |row| row.get(0))?;
    let off = |latest: i64| clock::now().as_millisecond().saturating_sub(latest).saturating_abs();
    if let Some(latest) = latest.filter(|latest| off(*latest) > GAP).and_then(time_of) {
        clock::go_by(latest);
    }
    Ok(())
}

fn time_of(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(millis).ok()
}

/// This moment has come.
pub(super) fn beat(connection: &Connection, at: i64) -> Result<()> {
    let can_be = Timestamp::from_millisecond(at).is_ok_and(clock::can_be);
    connection
        .prepare_cached(
            "UPDATE clock SET latest_at = ?1, made_at = CASE WHEN ?2 THEN ifnull(made_at, ?1) ELSE made_at END",
        )?
        .execute(params![at, can_be])?;
    let mut bring = connection.prepare_cached(BRING)?;
    let farthest = at.saturating_add(FARTHEST);
    for state in [State::Asking, State::Delivering] {
        for DueGroup { channel, state, origin, rank } in due::groups_in(connection, state)? {
            bring.execute(params![at, state.as_str(), channel.as_str(), origin.as_str(), rank as u8, farthest])?;
        }
    }
    Ok(())
}

/// Makes due what is due too late in one group; the others of it are not walked through.
const BRING: &str = "UPDATE entry INDEXED BY entry_due SET due_at = ?1
    WHERE due_at IS NOT NULL AND state = ?2 AND channel = ?3 AND origin = ?4 AND rank = ?5 AND due_at > ?6";

/// Moves what waits for a time from `old`, which is now, to `new`, which is from now on.
pub(super) fn set(connection: &Connection, old: i64, by: SignedDuration) -> Result<()> {
    let by = i64::try_from(by.as_millis()).unwrap_or(0);
    let new = old.saturating_add(by);
    connection.execute("UPDATE entry SET since = since + ?1, due_at = due_at + ?1 WHERE due_at IS NOT NULL", [by])?;
    connection.execute(
        "UPDATE sweep SET asked_at = asked_at + ?1, again_at = again_at + ?1 WHERE state IN ('asked', 'running')",
        [by],
    )?;
    if let Ok(today) = Timestamp::from_millisecond(new).map(|new| clock::beijing(new).date().to_string()) {
        // A day that is still to come has wanted nothing yet.
        connection.execute("UPDATE sweep SET due_on = NULL WHERE due_on > ?1", [today])?;
    }
    // One that was made since this process began was made by the clock that was wrong.
    connection.execute(
        "UPDATE clock SET made_at = min(CASE WHEN made_at >= ?3 THEN made_at + ?1 ELSE made_at END, ?2)",
        [by, new, clock::began().as_millisecond()],
    )?;
    keep_step(connection, old, new)?;
    beat(connection, new)
}

fn keep_step(connection: &Connection, old: i64, new: i64) -> Result<()> {
    connection.execute("INSERT INTO clock_step (old_at, new_at) VALUES (?1, ?2)", [old, new])?;
    let oldest = connection.last_insert_rowid() - STEPS_KEPT;
    connection.execute("DELETE FROM clock_step WHERE id <= ?1", [oldest]).map(drop)
}

/// The time before which everything is older than `keep` at `at`, when only time is counted that was spent: not what a
/// clock has jumped over, and not what passed while no gate ran.
pub(super) fn kept_since(connection: &Connection, at: i64, keep: Duration) -> Result<i64> {
    let (mut left, mut until) = (millis(keep), at);
    let mut steps = connection.prepare_cached("SELECT old_at, new_at FROM clock_step ORDER BY id DESC")?;
    let mut rows = steps.query([])?;
    while let Some(row) = rows.next()? {
        let (old, new): (i64, i64) = (row.get(0)?, row.get(1)?);
        let spent = until.saturating_sub(new).max(0);
        if spent >= left {
            break;
        }
        left -= spent;
        until = old;
    }
    Ok(until.saturating_sub(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000;

    #[test]
    fn only_time_that_was_spent_makes_old() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE clock_step (id INTEGER PRIMARY KEY, old_at INTEGER NOT NULL, new_at INTEGER NOT NULL)",
            )
            .unwrap();
        let kept =
            |at: i64, days: u64| kept_since(&connection, at * DAY, Duration::from_secs(days * 86_400)).unwrap() / DAY;
        assert_eq!(kept(1000, 90), 910);
        keep_step(&connection, 1000 * DAY, 1100 * DAY).unwrap();
        assert_eq!(kept(1100, 90), 910, "a jump ahead makes nothing older");
        assert_eq!(kept(1110, 90), 920);
        assert_eq!(kept(1200, 90), 1110);
        keep_step(&connection, 1110 * DAY, 1010 * DAY).unwrap();
        assert_eq!(kept(1010, 90), 920, "back again");
        assert_eq!(kept(1101, 90), 1011);
        for step in 0..200 {
            keep_step(&connection, 2000 * DAY + step, 2000 * DAY + step).unwrap();
        }
        let steps: i64 = connection.query_row("SELECT count(*) FROM clock_step", [], |row| row.get(0)).unwrap();
        assert_eq!(steps, STEPS_KEPT);
    }
}
