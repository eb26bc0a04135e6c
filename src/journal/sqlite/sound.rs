//! Can this file be worked with? Looked at before a gate opens its doors, in a moment: a gate that finds out later
//! answers 503 to everybody.

use super::{OpenError, schema};
use rusqlite::{Connection, Error, ErrorCode, Result};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long pages are read. In a larger file the rest is read by `tollgate journal check`.
const PAGES_FOR: Duration = Duration::from_millis(300);

/// Steps of SQLite's machine between two looks at the time.
const LOOK_EVERY: i32 = 2000;

/// How a log of SQLite begins, but for its last bit.
const LOG_MAGIC: u32 = 0x377f_0682;

/// Looks at what is there before SQLite does, which throws away the log of a file that is empty, and a log that it
/// cannot read.
///
/// # Errors
/// If that would lose something.
pub(super) fn before_opening(path: &Path) -> std::result::Result<(), OpenError> {
    let damaged = |what: &str| OpenError::Damaged { path: path.to_owned(), what: what.to_owned() };
    let Ok(file) = path.metadata() else { return Ok(()) };
    if file.is_dir() {
        let source = ErrorKind::IsADirectory.into();
        return Err(OpenError::Io { path: path.to_owned(), source });
    }
    let log = log_of(path);
    if !log.metadata().is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    if file.len() == 0 {
        return Err(damaged("it is empty, and its log (-wal) is not"));
    }
    let mut head = [0; 4];
    let read = std::fs::File::open(log).and_then(|mut log| log.read_exact(&mut head));
    let magic = u32::from_be_bytes(head);
    // One of zeros was never synced, so nothing in it was acknowledged.
    if read.is_ok() && magic != 0 && magic & !1 != LOG_MAGIC {
        return Err(damaged("its log (-wal) does not begin like one, and would be thrown away"));
    }
    Ok(())
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// What is wrong with the layout, or with the pages that can be read in a moment; nothing if all is well.
///
/// # Errors
/// What SQLite says where it does not get that far.
pub(super) fn damage(connection: &mut Connection) -> Result<Option<String>> {
    match layout(connection)?.into_iter().next() {
        Some(what) => Ok(Some(what)),
        None => pages(connection),
    }
}

/// What the file has not as this version makes it. What somebody has added is left alone.
pub(super) fn layout(connection: &Connection) -> Result<Vec<String>> {
    let model = schema::model()?;
    let (wanted, there) = (shapes(&model)?, shapes(connection)?);
    let mut wrong = Vec::new();
    for ((kind, name), shape) in &wanted {
        match there.get(&(kind.clone(), name.clone())) {
            None => wrong.push(format!("it has no {kind} {name}")),
            Some(other) if other != shape => wrong.push(format!("its {kind} {name} is not as this program makes it")),
            Some(_) => {}
        }
    }
    Ok(wrong)
}

/// What everything in a file looks like, by what it is and its name.
fn shapes(connection: &Connection) -> Result<BTreeMap<(String, String), String>> {
    let mut all = connection.prepare(
        "SELECT type, name, ifnull(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let named = all.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    let named: Vec<((String, String), String)> = named.collect::<Result<_>>()?;
    let mut shapes = BTreeMap::new();
    for ((kind, name), sql) in named {
        // Columns that were added later stand otherwise in the text than in what it means.
        let shape = if kind == "table" { columns(connection, &name)? } else { one_blank(&sql) };
        shapes.insert((kind, name), shape);
    }
    Ok(shapes)
}

fn columns(connection: &Connection, table: &str) -> Result<String> {
    let mut columns = connection
        .prepare_cached("SELECT name || ' ' || type || ' ' || \"notnull\" || ' ' || pk FROM pragma_table_xinfo(?1)")?;
    let columns: Vec<String> = columns.query_map([table], |row| row.get(0))?.collect::<Result<_>>()?;
    Ok(columns.join(", "))
}

fn one_blank(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first page that is not as it should be, as far as the time goes.
fn pages(connection: &mut Connection) -> Result<Option<String>> {
    let until = Instant::now() + PAGES_FOR;
    connection.progress_handler(LOOK_EVERY, Some(move || Instant::now() > until))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(LOOK_EVERY, None::<fn() -> bool>)?;
    match found {
        Ok(line) if line == "ok" => Ok(None),
        Ok(line) => Ok(Some(line.lines().last().unwrap_or_default().to_owned())),
        // The time is over, and nothing was found.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What SQLite says about a file that is not as it should be; `None` if that is not what it says.
pub(super) fn of_the_file(error: &Error) -> Option<String> {
    let code = error.sqlite_error_code()?;
    // Where a table or a column is not there, the error has no code of its own.
    let is_of_it = matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown);
    is_of_it.then(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_file_and_one_that_was_led_here_are_sound_and_what_somebody_adds_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.db");
        let mut connection = Connection::open(&path).unwrap();
        schema::migrate(&mut connection, &path).unwrap();
        assert_eq!(damage(&mut connection).unwrap(), None);
        connection.execute_batch("CREATE INDEX mine ON entry (paid_at); ANALYZE").unwrap();
        assert_eq!(damage(&mut connection).unwrap(), None);
    }

    #[test]
    fn what_is_not_there_or_looks_otherwise_is_named() {
        for (sql, what) in [
            ("DROP TABLE probe", "it has no table probe"),
            ("DROP INDEX entry_list", "it has no index entry_list"),
            ("DROP VIEW ledger", "it has no view ledger"),
            ("ALTER TABLE tally RENAME COLUMN entries TO n", "its table tally is not as this program makes it"),
            (
                "DROP INDEX entry_due; CREATE INDEX entry_due ON entry (due_at)",
                "its index entry_due is not as this program makes it",
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("j.db");
            let mut connection = Connection::open(&path).unwrap();
            schema::migrate(&mut connection, &path).unwrap();
            connection.execute_batch(sql).unwrap();
            let found = damage(&mut connection).unwrap().unwrap();
            assert!(found == what || sql.starts_with("ALTER"), "{sql}: {found}");
        }
    }
}
