//! PostgreSQL, in whatever way its server writes dates.

use crate::databases::{Postgres, READER};
use crate::{PATIENCE, lines, select, until};
use std::time::{Duration, Instant};
use tollgate::reconcile::pending_orders::column::Column;
use tollgate::reconcile::pending_orders::error::SourceError;

#[test]
fn every_type_that_an_order_table_has_is_read() {
    let Some(database) = Postgres::shared() else { return };
    database.run(
        "CREATE TABLE typed (id bigint PRIMARY KEY, no varchar(32), fixed char(32), key uuid, channel int,
                             price numeric(12, 4), doubtful float8, written timestamp, stamped timestamptz, note text);
         INSERT INTO typed VALUES
             (9223372036854775807, 'P1', 'F1', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 2, 66.1, 4.35,
              '2026-11-24 10:00:00.25', '2026-11-24 02:00:00.5+00', '订单'),
             (2, NULL, '', NULL, 0, NULL, 0.01, NULL, NULL, NULL),
             (1, 'P 3', 'F3', NULL, 2, 66.105, 1, 'infinity', NULL, NULL);",
    );
    let ask = |columns: &str| {
        let query = format!("SELECT channel, note, {columns} FROM typed ORDER BY id DESC");
        select(&database.url(""), &query, 100, PATIENCE).unwrap()
    };
    let listing = ask("id AS \"order\", no AS out_trade_no, price AS amount, stamped AS created_at");
    assert_eq!(lines(&listing), ["9223372036854775807 2 P1 6610 2026-11-24T02:00:00.5Z", "2 0 - - -"]);
    assert_eq!((listing.malformed_count, listing.malformed[0].row), (1, 3), "{:?}", listing.malformed);
    let listing = ask("fixed AS \"Order\", doubtful AS Amount, written AS created_at");
    // A time that makes no sense costs only itself.
    assert_eq!(lines(&listing), ["F1 2 - 435 2026-11-24T02:00:00.25Z", "F3 2 - 100 -"]);
    assert_eq!(listing.malformed_count, 2, "{:?}", listing.malformed);
    let listing = ask("key AS \"order\", extract(epoch FROM stamped) AS created_at");
    assert_eq!(lines(&listing), ["6ba7b810-9dad-11d1-80b4-00c04fd430c8 2 - - 2026-11-24T02:00:00Z"]);
    let listing = ask("id AS \"order\", written AT TIME ZONE 'UTC' AS created_at");
    assert_eq!(lines(&listing)[0], "9223372036854775807 2 - - 2026-11-24T10:00:00.25Z");
}

#[test]
fn nothing_waits_in_an_empty_table() {
    let Some(database) = Postgres::shared() else { return };
    database.run("CREATE TABLE empty (id int)");
    let listing =
        select(&database.url(""), "SELECT id AS \"order\", 'app' AS channel FROM empty", 9, PATIENCE).unwrap();
    assert_eq!((listing.orders.len(), listing.cut), (0, false));
    let read = select(&database.url(""), "SELECT id FROM empty", 9, PATIENCE);
    assert_eq!(read, Err(SourceError::MissingColumn(Column::Order)));
    let read =
        select(&database.url(""), "SELECT id AS \"order\", 1 AS \"Channel\", 2 AS channel FROM empty", 9, PATIENCE);
    assert_eq!(read, Err(SourceError::TwoColumns(Column::Channel)));
}

#[test]
fn whoever_cannot_log_in_is_told_so() {
    let Some(database) = Postgres::shared() else { return };
    let port = database.port;
    for url in [
        format!("postgres://{READER}:wrong@127.0.0.1:{port}/shop"),
        format!("postgres://nobody:x@127.0.0.1:{port}/shop"),
        database.url("").replace("/shop", "/no-such-shop"),
    ] {
        let read = select(&url, "SELECT 1", 9, PATIENCE);
        assert!(matches!(read, Err(SourceError::LoginRefused(_))), "{read:?}");
    }
    let read = select(&database.url(""), "SELECT 1 FROM pg_authid", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::QueryRefused(_))), "{read:?}");
}

#[test]
fn a_server_that_is_down_is_unreachable() {
    let Some(_) = Postgres::shared() else { return };
    let read = select("postgres://u:p@127.0.0.1:1/shop", "SELECT 1", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::Unreachable(_))), "{read:?}");
    let gone = Postgres::start();
    let url = gone.url("");
    drop(gone);
    let read = select(&url, "SELECT 1", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::Unreachable(_))), "{read:?}");
}

#[test]
fn a_query_that_is_wrong_is_refused_in_the_servers_words() {
    let Some(database) = Postgres::shared() else { return };
    for (query, words) in [
        ("SELECT id AS \"order\" FROM no_such_table", "no_such_table"),
        ("SELECT 1 AS", "syntax"),
        ("SELECT 1 AS \"order\", 2 AS channel; DROP TABLE typed", "multiple commands"),
        ("SELECT 1 AS \"order\", 1 / 0 AS channel", "division by zero"),
        ("SELECT 1 AS \"order\", $1::text AS channel", "parameter"),
    ] {
        let read = select(&database.url(""), query, 9, PATIENCE);
        assert!(matches!(&read, Err(SourceError::QueryRefused(said)) if said.contains(words)), "{query}: {read:?}");
    }
}

#[test]
fn a_query_that_writes_is_refused_whatever_its_user_may() {
    let Some(database) = Postgres::shared() else { return };
    database.run(&format!(
        "CREATE TABLE written (id int); GRANT ALL ON written TO {READER};
         CREATE FUNCTION leave_a_trace() RETURNS int LANGUAGE sql SECURITY DEFINER
         AS 'INSERT INTO written VALUES (1) RETURNING id';"
    ));
    for query in [
        "SELECT leave_a_trace() AS \"order\", 'app' AS channel",
        "WITH x AS (INSERT INTO written VALUES (1) RETURNING id) SELECT id AS \"order\", 'app' AS channel FROM x",
        "SELECT id AS \"order\", 'app' AS channel FROM written FOR UPDATE",
    ] {
        let read = select(&database.url(""), query, 9, PATIENCE);
        assert!(matches!(read, Err(SourceError::Writes(_))), "{query}: {read:?}");
    }
    assert_eq!(database.run("SELECT count(*) FROM written"), "0");
}

#[test]
fn no_more_rows_are_read_than_wanted_however_many_there_are() {
    let Some(database) = Postgres::shared() else { return };
    let rows = |count: u64| {
        format!("SELECT i AS \"order\", 'app' AS channel FROM (SELECT generate_series(1, {count}) AS i) x")
    };
    let since = Instant::now();
    let listing = select(&database.url(""), &rows(100_000_000), 1200, PATIENCE).unwrap();
    assert_eq!((listing.orders.len(), listing.cut), (1200, true));
    assert!(since.elapsed() < PATIENCE / 2);
    for count in [1, 499, 500, 501, 1000, 1200] {
        let all = select(&database.url(""), &rows(count), 1200, PATIENCE).unwrap();
        assert_eq!((all.orders.len() as u64, all.cut), (count, false));
    }
    until("the connections' end", || connections(database) == "0");
}

#[test]
fn what_takes_too_long_ends_at_the_deadline_on_both_sides() {
    // The connections of other tests are not counted.
    let Some(_) = Postgres::shared() else { return };
    let database = Postgres::start();
    database.run("CREATE TABLE locked (id int)");
    let held = database.hold("BEGIN; LOCK TABLE locked;");
    until("the lock", || database.run("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'") == "1");
    for query in [
        "SELECT pg_sleep(600)::text AS \"order\", 'app' AS channel",
        "SELECT id AS \"order\", 'app' AS channel FROM locked",
    ] {
        let since = Instant::now();
        let read = select(&database.url(""), query, 9, Duration::from_millis(700));
        assert_eq!(read, Err(SourceError::TimedOut), "{query}");
        assert!(since.elapsed() < PATIENCE / 2, "{query}");
        until("the query's end", || connections(&database) == "0");
    }
    drop(held);
    assert!(select(&database.url(""), "SELECT id AS \"order\", 'app' AS channel FROM locked", 9, PATIENCE).is_ok());
}

#[test]
fn a_connection_is_encrypted_and_checked_as_the_url_says() {
    let Some(database) = Postgres::shared() else { return };
    let encrypted = "SELECT 1 AS \"order\", ssl::text AS channel FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let ask = |options| select(&database.url(options), encrypted, 9, PATIENCE);
    for options in ["", "?sslmode=prefer", "?sslmode=allow"] {
        assert_eq!(lines(&ask(options).unwrap()), ["1 true - - -"], "{options}");
    }
    assert_eq!(lines(&ask("?sslmode=disable").unwrap()), ["1 false - - -"]);
    for options in ["?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full"] {
        let refused = ask(options);
        assert!(matches!(refused, Err(SourceError::Certificate(_))), "{options}: {refused:?}");
    }
}

/// How many connections the reader has.
fn connections(database: &Postgres) -> String {
    database.run(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{READER}'"))
}
