//! Is the file sound? What SQLite says of it, and what must hold between its rows.

use super::lock::Lock;
use super::{OpenError, connect, figures, schema, sound, times};
use crate::journal::{Figures, Health};
use rusqlite::Connection;
use std::path::Path;

/// Most problems that are listed.
const MOST: usize = 100;

/// What must not be found, and what it is called.
pub(super) const RULES: [(&str, &str); 8] = [
    (
        "SELECT count(*) FROM entry WHERE state IN ('asking', 'delivering') AND due_at IS NULL",
        "entries that wait for no time",
    ),
    (
        "SELECT count(*) FROM entry WHERE state NOT IN ('asking', 'delivering') AND due_at NOT NULL",
        "entries that are done and due",
    ),
    (
        "SELECT count(*) FROM entry WHERE state IN ('delivering', 'accepted') AND transaction_id IS NULL
        AND NOT EXISTS (SELECT 1 FROM delivery_row AS delivery WHERE delivery.id = entry.delivery AND delivery.transaction_id IS NULL)",
        "entries that are delivered without a confirmed payment",
    ),
    (
        "SELECT count(*) FROM entry WHERE state <> 'closed'
        AND (origin = 'callback' OR state IN ('delivering', 'accepted')) AND NOT EXISTS (SELECT 1 FROM request WHERE request.entry = entry.id)
        AND first_ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM delivery_row AS delivery WHERE delivery.id = entry.delivery AND delivery.accepted_at NOT NULL)",
        "entries whose request is not there",
    ),
    (
        "SELECT count(*) FROM entry LEFT JOIN request ON request.entry = entry.id
        WHERE bytes <> ifnull(octet_length(target) + octet_length(headers) + octet_length(body), 0)",
        "entries whose request has not the size it is counted with",
    ),
    (
        "SELECT count(*) FROM entry WHERE state = 'accepted'
        AND first_ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM delivery_row AS delivery WHERE delivery.id = entry.delivery AND delivery.accepted_at NOT NULL)",
        "entries that are accepted and whose delivery is not",
    ),
    (
        "SELECT count(*) FROM entry WHERE first_began_at NOT NULL AND (state <> 'accepted' OR first_ended_at IS NULL
        OR first_status IS NULL OR transaction_id IS NULL OR EXISTS (SELECT 1 FROM delivery_row WHERE delivery_row.id = entry.delivery))",
        "entries that were accepted at once and are not, or were not",
    ),
    (TALLIED, "numbers of entries that are not so"),
];

/// Kinds of entries that are done with whose number is not as counted.
pub(super) const TALLIED: &str = "SELECT count(*) FROM (
    SELECT 1 FROM (
        SELECT state, channel, origin, confirmed, entries FROM tally
        UNION ALL SELECT state, channel, origin, transaction_id IS NOT NULL, -1 FROM entry WHERE due_at IS NULL)
    GROUP BY state, channel, origin, confirmed HAVING sum(entries) <> 0)";

/// Reads the whole file; a gate may be running.
///
/// # Errors
/// If it cannot be opened at all.
pub(in crate::journal) fn check(path: &Path) -> Result<Health, OpenError> {
    if !path.exists() {
        return Err(OpenError::Absent(path.to_owned()));
    }
    if !Lock::is_taken(path) {
        sound::before_opening(path)?;
    }
    read(path).map_err(|error| error.of_a_file(path))
}

fn read(path: &Path) -> Result<Health, OpenError> {
    let connection = connect(path, false)?;
    connection.pragma_update(None, "query_only", true)?;
    let version = schema::version(&connection, path)?.ok_or_else(|| OpenError::Absent(path.to_owned()))?;
    let mut problems = damage(&connection)?;
    if version == schema::VERSION {
        problems.extend(sound::layout(&connection).unwrap_or_default());
    }
    let (mut figures, mut made_at) = (Figures::default(), None);
    if problems.is_empty() {
        for (sql, what) in RULES {
            let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        }
        figures = figures::figures(&connection, path)?;
        made_at = times::made(&connection).ok().flatten();
    }
    Ok(Health { version, made_at, problems, figures })
}

fn damage(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MOST})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>();
    match lines {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
        // Some damage is too bad to be listed.
        Err(error) => Ok(vec![error.to_string()]),
    }
}
