//! An SQLite file, which may be in use by others: it is opened for reading and closed again each time.

use super::cell::Cell;
use super::error::{SourceError, said};
use super::listing::{Listing, Places, Rows};
use super::query::Query;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Instructions of SQLite's machine between two checks whether the caller still waits: well below a millisecond.
const LOOK_EVERY: i32 = 1000;

/// Reads the rows on a blocking thread, which ends soon after the caller waits no longer.
pub(super) async fn read(path: &Path, query: &Query, rows: Rows, deadline: Duration) -> Result<Listing, SourceError> {
    let stop = CancellationToken::new();
    let _stopped_when_dropped = stop.clone().drop_guard();
    let (path, query) = (path.to_path_buf(), query.clone());
    let reading = spawn_blocking(move || read_now(&path, &query, rows, deadline, stop));
    reading.await.unwrap_or(Err(SourceError::TimedOut))
}

fn read_now(
    path: &PathBuf,
    query: &Query,
    mut rows: Rows,
    deadline: Duration,
    stop: CancellationToken,
) -> Result<Listing, SourceError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(deadline)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.progress_handler(LOOK_EVERY, Some(move || stop.is_cancelled()))?;
    let mut statement = connection.prepare(query.as_str())?;
    if !statement.readonly() {
        return Err(SourceError::Writes("it changes something".to_owned()));
    }
    let places = Places::find(statement.column_names())?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        if !rows.has_room() {
            break;
        }
        let cell = |position| row.get_ref(position).map_or(Cell::Other, cell);
        rows.take(&places.row(cell));
    }
    Ok(rows.finish())
}

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::number(number.to_string()),
        ValueRef::Real(number) => Cell::float(number),
        ValueRef::Text(bytes) => Cell::bytes(bytes),
        ValueRef::Blob(_) => Cell::Other,
    }
}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        let message = said(&error.to_string(), None);
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::NotADatabase | ErrorCode::PermissionDenied) => {
                Self::Unreachable(message)
            }
            Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::TimedOut
            }
            Some(ErrorCode::ReadOnly) => Self::Writes(message),
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt) => Self::BrokeOff(message),
            _ => Self::QueryRefused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::AmountUnit;
    use crate::reconcile::pending_orders::column::Column;
    use crate::reconcile::pending_orders::database::Database;
    use crate::reconcile::pending_orders::source::{Place, Source};
    use std::time::Instant;

    const PATIENT: Duration = Duration::from_secs(20);

    /// A file with `setup` done in it, and its directory.
    fn shop(setup: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.db");
        Connection::open(&path).unwrap().execute_batch(setup).unwrap();
        (directory, path)
    }

    async fn ask(path: &Path, query: &str, limit: usize, deadline: Duration) -> Result<Listing, SourceError> {
        let place = Place::Sql(Database::Sqlite(path.to_path_buf()), Query::parse(query).unwrap());
        Source { place, amount_unit: AmountUnit::Fen }.read(limit, deadline).await
    }

    #[tokio::test]
    async fn rows_are_read_whatever_type_their_columns_have() {
        let (_directory, path) = shop(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, no TEXT, channel TEXT, fen NUMERIC, at TEXT, status INTEGER);
             INSERT INTO orders VALUES (9007199254740993, 'P1', 'app', 6600, '2026-11-24 10:00:00', 0),
                 (2, NULL, 'app', 12.0, 1795485600, 0), (3, 'P 3', 'app', 1, NULL, 0), (4, 'P4', 'app', 1.5, NULL, 0),
                 (5, 'P5', 'app', 5, NULL, 1), (6, x'FF', 'app', 5, NULL, 0);",
        );
        let query = "SELECT id AS \"order\", channel, no AS out_trade_no, fen AS amount, at AS created_at, status
                     FROM orders WHERE status = 0 ORDER BY id DESC";
        let listing = ask(&path, query, 100, PATIENT).await.unwrap();
        let read: Vec<_> = listing
            .orders
            .iter()
            .map(|order| (order.order.to_string(), order.out_trade_no.map(|no| no.to_string()), order.amount))
            .collect();
        assert_eq!(
            read,
            [
                ("9007199254740993".to_owned(), Some("P1".to_owned()), Some(crate::domain::money::Fen(6600))),
                ("2".to_owned(), None, Some(crate::domain::money::Fen(12))),
            ]
        );
        assert!(listing.orders.iter().all(|order| order.created_at.unwrap().as_second() == 1_795_485_600));
        assert_eq!(listing.malformed_count, 3, "{:?}", listing.malformed);
        assert!(!listing.cut);
    }

    #[tokio::test]
    async fn what_cannot_be_asked_is_said_by_its_kind() {
        let (directory, path) = shop("CREATE TABLE orders (id INTEGER)");
        let ask = |query| ask(&path, query, 100, PATIENT);
        assert!(matches!(ask("SELECT * FROM order_s").await, Err(SourceError::QueryRefused(_))));
        assert!(matches!(
            ask("SELECT 1 AS 'order', 2 AS channel; DELETE FROM orders").await,
            Err(SourceError::QueryRefused(_))
        ));
        assert_eq!(ask("SELECT id AS 'order' FROM orders").await, Err(SourceError::MissingColumn(Column::Channel)));
        let writing =
            ask("WITH x AS (SELECT 1) INSERT INTO orders SELECT * FROM x RETURNING id AS 'order', id AS channel");
        assert!(matches!(writing.await, Err(SourceError::Writes(_))));
        std::fs::write(directory.path().join("text"), "x".repeat(4096)).unwrap();
        for name in ["no.db", "text"] {
            let read = super::tests::ask(&directory.path().join(name), "SELECT 1", 1, PATIENT).await;
            assert!(matches!(read, Err(SourceError::Unreachable(_))), "{name}: {read:?}");
        }
        assert!(!directory.path().join("no.db").exists());
    }

    #[tokio::test]
    async fn an_endless_query_ends_at_the_limit_or_at_the_deadline() {
        let (_directory, path) = shop("CREATE TABLE orders (id INTEGER)");
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
        let all = format!("{endless} SELECT i AS 'order', 'app' AS channel FROM n");
        let listing = ask(&path, &all, 1000, PATIENT).await.unwrap();
        assert_eq!((listing.orders.len(), listing.cut), (1000, true));
        let since = Instant::now();
        let silent = format!("{endless} SELECT i AS 'order', 'app' AS channel FROM n WHERE i < 0");
        let read = ask(&path, &silent, 1000, Duration::from_millis(200)).await;
        assert_eq!(read, Err(SourceError::TimedOut));
        assert!(since.elapsed() < PATIENT);
    }

    #[tokio::test]
    async fn a_file_that_somebody_writes_to_is_read_when_it_is_free() {
        let (_directory, path) = shop("CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("BEGIN EXCLUSIVE; INSERT INTO orders VALUES (2)").unwrap();
        let query = "SELECT id AS 'order', 'app' AS channel FROM orders";
        assert_eq!(ask(&path, query, 9, Duration::from_millis(100)).await, Err(SourceError::TimedOut));
        writer.execute_batch("COMMIT").unwrap();
        assert_eq!(ask(&path, query, 9, PATIENT).await.unwrap().orders.len(), 2);
    }
}
