//! Is the database sound? What must hold between its rows, and what this user may do with it.

use super::columns::count;
use super::database::Tx;
use super::error::Error;
use super::refused::refused;
use super::statement::Statement;
use super::{Postgres, rights};
use crate::journal::{Archive, DatabaseSettings, Health, OpenError};
use jiff::Timestamp;

/// What must not be found, and what it is called.
const RULES: [(&str, &str); 7] = [
    (
        "SELECT count(*) AS n FROM ~entry WHERE state IN ('asking', 'delivering') AND due_at IS NULL",
        "entries that wait for no time",
    ),
    (
        "SELECT count(*) AS n FROM ~entry WHERE state NOT IN ('asking', 'delivering') AND due_at IS NOT NULL",
        "entries that are done and due",
    ),
    (
        "SELECT count(*) AS n FROM ~entry entry WHERE state IN ('delivering', 'accepted') AND transaction_id IS NULL
         AND NOT EXISTS (SELECT 1 FROM ~delivery delivery WHERE delivery.bucket = entry.bucket AND delivery.id = entry.delivery
             AND delivery.transaction_id IS NULL)",
        "entries that are delivered without a confirmed payment",
    ),
    (
        "SELECT count(*) AS n FROM ~entry entry WHERE state <> 'closed'
         AND (origin = 'callback' OR state IN ('delivering', 'accepted'))
         AND NOT EXISTS (SELECT 1 FROM ~request request WHERE request.bucket = entry.bucket AND request.entry = entry.id)
         AND NOT EXISTS (SELECT 1 FROM ~delivery delivery WHERE delivery.bucket = entry.bucket AND delivery.id = entry.delivery
             AND delivery.accepted_at IS NOT NULL)",
        "entries whose request is not there",
    ),
    (
        "SELECT count(*) AS n FROM ~entry entry
         LEFT JOIN ~request request ON request.bucket = entry.bucket AND request.entry = entry.id
         WHERE entry.bytes <> coalesce(octet_length(target) + octet_length(headers) + octet_length(body), 0)",
        "entries whose request has not the size it is counted with",
    ),
    (
        "SELECT count(*) AS n FROM ~entry entry WHERE state = 'accepted'
         AND NOT EXISTS (SELECT 1 FROM ~delivery delivery WHERE delivery.bucket = entry.bucket AND delivery.id = entry.delivery
             AND delivery.accepted_at IS NOT NULL)",
        "entries that are accepted and whose delivery is not",
    ),
    (
        "SELECT count(*) AS n FROM ~attempt attempt
         JOIN ~entry entry ON entry.bucket = attempt.bucket AND entry.id = attempt.entry
         LEFT JOIN ~delivery delivery ON delivery.bucket = entry.bucket AND delivery.id = entry.delivery
         WHERE attempt.attempt > coalesce(delivery.attempts, 0) AND attempt.reason IS DISTINCT FROM 'upstream-unreachable'",
        "attempts with a number that is higher than any that was given",
    ),
];

/// Reads the journal and says what is wrong with it; gates may work on it.
///
/// # Errors
/// If it cannot be opened, or this user may not work with it.
pub(in crate::journal) async fn check(settings: &DatabaseSettings) -> Result<Health, OpenError> {
    let store = Postgres::beside(settings).await?;
    let allowed = async {
        let connection = store.database.connect().await.map_err(refused)?;
        rights::to_work(&connection, settings).await
    };
    allowed.await.map_err(|error| error.into_open_error(settings))?;
    let version = store.meta().await?.layout;
    let made_at: Option<Timestamp> = store.made_at().await.map_err(unreadable)?;
    let problems = store.database.read(|tx| Box::pin(problems(tx))).await.map_err(unreadable)?;
    let figures = store.figures().await.map_err(unreadable)?;
    Ok(Health { version, made_at, problems, figures })
}

fn unreadable(error: crate::journal::JournalError) -> OpenError {
    OpenError::Store(Box::new(error))
}

async fn problems(tx: &Tx<'_>) -> Result<Vec<String>, Error> {
    tx.take_time().await?;
    let mut problems = Vec::new();
    for (sql, what) in RULES {
        let found = tx.slowly(Statement::of(sql)).await?;
        let n = found.first().map_or(Ok(0), |row| count(row, "n"))?;
        if n > 0 {
            problems.push(format!("{n} {what}"));
        }
    }
    Ok(problems)
}
