//! The file's layout: whether it is ours, which version it has, and how an older one becomes a newer one.

use super::OpenError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// What makes a SQLite file a journal of tollgate: "toll" in ASCII.
const APPLICATION_ID: i32 = 0x746f_6c6c;

/// What leads from each version to the next, from nothing on. A step is never changed once it was released.
const STEPS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
    include_str!("schema-7.sql"),
];

/// This program's version of the layout.
pub(super) const VERSION: usize = STEPS.len();

/// Creates the layout in an empty file, or leads an older one here, in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    if version(connection, path)? == Some(VERSION) {
        return Ok(());
    }
    // It must come before the first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = version(&transaction, path)?.unwrap_or(0);
    for step in STEPS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(VERSION).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    if from > 0 {
        tracing::info!(from, to = VERSION, path = %path.display(), "the journal's file was migrated");
    }
    Ok(())
}

/// What a file of this version has, and nothing in it.
pub(super) fn model() -> rusqlite::Result<Connection> {
    let model = Connection::open_in_memory()?;
    STEPS.iter().try_for_each(|step| model.execute_batch(step))?;
    Ok(model)
}

/// The file's version; `None` if it is empty.
///
/// # Errors
/// If it is not ours, or from a newer program.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<Option<usize>, OpenError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(None);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), version, known: VERSION });
    }
    Ok(Some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::budget::Spent;

    fn old(path: &Path, version: usize) -> Connection {
        let connection = Connection::open(path).unwrap();
        for step in STEPS.iter().take(version) {
            connection.execute_batch(step).unwrap();
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
        connection
    }

    #[test]
    fn an_older_file_is_led_here_with_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        let mut connection = old(&path, 1);
        connection.execute("INSERT INTO delivery (id, \"order\", attempts) VALUES ('d', 'A', 3)", []).unwrap();
        migrate(&mut connection, &path).unwrap();
        assert_eq!(version(&connection, &path).unwrap(), Some(VERSION));
        let attempts: i64 = connection.query_row("SELECT attempts FROM delivery", [], |row| row.get(0)).unwrap();
        assert_eq!(attempts, 3);
        connection.prepare("SELECT * FROM ledger").unwrap();
        migrate(&mut connection, &path).unwrap();
    }

    #[test]
    fn an_older_file_was_there_when_it_took_in_its_oldest_entry() {
        let directory = tempfile::tempdir().unwrap();
        for (index, received) in [vec![], vec![1_764_500_000_000_i64, 1_764_400_000_000]].into_iter().enumerate() {
            let path = directory.path().join(format!("{index}.db"));
            let mut connection = old(&path, 5);
            for at in &received {
                let entry = "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at,
                    state, since) VALUES (randomblob(16), 'd', 'r', 'app', 'app', ?1, 'A', ?1, 'closed', 0)";
                connection.execute(entry, [at]).unwrap();
            }
            let oldest = received.iter().min().copied();
            let made_at = || super::super::made_at(&path).map(|at| at.as_millisecond());
            assert_eq!(made_at(), oldest, "read beside the gate that has it");
            migrate(&mut connection, &path).unwrap();
            assert_eq!(made_at(), oldest, "led here");
        }
    }

    #[test]
    fn an_older_file_is_led_here_with_the_bytes_of_its_requests() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("old.db");
        let mut connection = old(&path, 5);
        connection
            .execute_batch(
                "INSERT INTO entry (id, key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state, since)
                 VALUES (1, x'01', 'd', 'r', 'app', 'app', 'A', 'A', 1, 'parked', 1),
                     (2, x'02', 'e', 's', 'app', 'app', 'B', 'B', 1, 'closed', 1);
                 INSERT INTO request (entry, peer, tls, method, target, headers, body)
                 VALUES (1, '127.0.0.1:9', 0, 'POST', '/pay', x'0000', zeroblob(70));",
            )
            .unwrap();
        migrate(&mut connection, &path).unwrap();
        let bytes = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(bytes("SELECT bytes FROM entry WHERE id = 1"), 76);
        assert_eq!(bytes("SELECT bytes FROM entry WHERE id = 2"), 0);
        assert_eq!(Spent::count(&connection).unwrap().bytes, 76);
        assert_eq!(bytes("SELECT count(*) FROM request WHERE inflated IS NULL"), 1);
    }

    #[test]
    fn a_newer_file_and_somebody_elses_are_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new.db");
        let mut connection = old(&path, VERSION);
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut connection, &path), Err(OpenError::Newer { version: 99, .. })));
        let path = directory.path().join("theirs.db");
        let mut connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
        assert!(matches!(migrate(&mut connection, &path), Err(OpenError::Foreign(_))));
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }
}
