//! What MySQL is asked, answered by MariaDB.

use crate::databases::{MariaDb, READER};
use crate::{PATIENCE, lines, select, until};
use std::time::{Duration, Instant};
use tollgate::reconcile::pending_orders::column::Column;
use tollgate::reconcile::pending_orders::error::SourceError;

#[test]
fn every_type_that_an_order_table_has_is_read() {
    let Some(database) = MariaDb::shared() else { return };
    database.run(
        "CREATE TABLE typed (id BIGINT UNSIGNED PRIMARY KEY, no VARCHAR(32), fixed CHAR(32), channel INT,
                             price DECIMAL(12, 4), approximate FLOAT, doubtful DOUBLE, written DATETIME,
                             stamped TIMESTAMP NULL, note TEXT);
         SET time_zone = '+00:00';
         INSERT INTO typed VALUES
             (18446744073709551615, 'P1', 'F1', 2, 66.1, 66.1, 4.35, '2026-11-24 10:00:00', '2026-11-24 02:00:00', '订单'),
             (2, NULL, '', -0, NULL, 1, 0.01, NULL, NULL, NULL),
             (3, 'P 3', 'F3', 2, 66.105, 1, 1, '2026-11-24 10:00:00', NULL, NULL);",
    );
    let ask = |columns: &str| {
        let query = format!("SELECT channel, note, {columns} FROM typed ORDER BY id DESC");
        select(&database.url(""), &query, 100, PATIENCE).unwrap()
    };
    let listing = ask("id AS `order`, no AS out_trade_no, price AS amount, written AS created_at");
    assert_eq!(lines(&listing), ["18446744073709551615 2 P1 6610 2026-11-24T02:00:00Z", "2 0 - - -"]);
    assert_eq!((listing.malformed_count, listing.malformed[0].row), (1, 2), "{:?}", listing.malformed);
    // A TIMESTAMP is a moment, whatever zone the server is in; a number is one without any zone.
    let listing = ask("id AS `order`, fixed AS Out_Trade_No, approximate AS amount, stamped AS created_at");
    assert_eq!(lines(&listing)[0], "18446744073709551615 2 F1 6610 2026-11-24T02:00:00Z");
    let listing = ask("fixed AS `ORDER`, doubtful AS amount, UNIX_TIMESTAMP(written) AS created_at");
    assert_eq!(lines(&listing), ["F1 2 - 435 2026-11-24T02:00:00Z", "F3 2 - 100 2026-11-24T02:00:00Z"]);
    let listing = ask("id AS `order`, UNIX_TIMESTAMP(stamped) AS created_at");
    assert_eq!(lines(&listing)[0], "18446744073709551615 2 - - 2026-11-24T02:00:00Z");
}

#[test]
fn nothing_waits_in_an_empty_table() {
    let Some(database) = MariaDb::shared() else { return };
    database.run("CREATE TABLE empty (id INT)");
    let listing = select(&database.url(""), "SELECT id AS `order`, 'app' AS channel FROM empty", 9, PATIENCE).unwrap();
    assert_eq!((listing.orders.len(), listing.cut), (0, false));
    let read = select(&database.url(""), "SELECT id FROM empty", 9, PATIENCE);
    assert_eq!(read, Err(SourceError::MissingColumn(Column::Order)));
    let read = select(&database.url(""), "SELECT id AS `order`, 1 AS Channel, 2 AS channel FROM empty", 9, PATIENCE);
    assert_eq!(read, Err(SourceError::TwoColumns(Column::Channel)));
}

#[test]
fn whoever_cannot_log_in_is_told_so() {
    let Some(database) = MariaDb::shared() else { return };
    let port = database.port;
    for login in [format!("{READER}:wrong@127.0.0.1:{port}/shop"), format!("nobody@127.0.0.1:{port}/shop")] {
        let read = select(&format!("mysql://{login}"), "SELECT 1", 9, PATIENCE);
        assert!(matches!(read, Err(SourceError::LoginRefused(_))), "{read:?}");
    }
    let read = select(&database.url("").replace("/shop", "/mysql"), "SELECT 1", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::LoginRefused(_))), "{read:?}");
    let read = select(&database.url("").replace("/shop", ""), "SELECT 1 FROM mysql.user", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::QueryRefused(_))), "{read:?}");
}

#[test]
fn a_server_that_is_down_is_unreachable() {
    let Some(_) = MariaDb::shared() else { return };
    let read = select("mysql://u:p@127.0.0.1:1/shop", "SELECT 1", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::Unreachable(_))), "{read:?}");
    let gone = MariaDb::start();
    let url = gone.url("");
    drop(gone);
    let read = select(&url, "SELECT 1", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::Unreachable(_))), "{read:?}");
}

#[test]
fn a_query_that_is_wrong_is_refused_in_the_servers_words() {
    let Some(database) = MariaDb::shared() else { return };
    for (query, words) in [
        ("SELECT id AS `order` FROM no_such_table", "no_such_table"),
        ("SELECT 1 AS order", "syntax"),
        ("SELECT 1 AS `order`, 2 AS channel; DROP TABLE typed", "DROP TABLE"),
        ("SELECT 1 AS `order`, ? AS channel", "parameter"),
    ] {
        let read = select(&database.url(""), query, 9, PATIENCE);
        assert!(matches!(&read, Err(SourceError::QueryRefused(said)) if said.contains(words)), "{query}: {read:?}");
    }
}

#[test]
fn a_query_that_writes_is_refused_whatever_its_user_may() {
    let Some(database) = MariaDb::shared() else { return };
    database.run(
        "CREATE TABLE written (id INT);
         DELIMITER //
         CREATE FUNCTION leave_a_trace() RETURNS INT MODIFIES SQL DATA SQL SECURITY DEFINER
         BEGIN INSERT INTO written VALUES (1); RETURN 1; END //",
    );
    let read = select(&database.url(""), "SELECT leave_a_trace() AS `order`, 'app' AS channel", 9, PATIENCE);
    assert!(matches!(read, Err(SourceError::Writes(_))), "{read:?}");
    assert_eq!(database.run("SELECT COUNT(*) FROM written"), "0");
}

#[test]
fn no_more_rows_are_read_than_wanted_however_many_there_are() {
    let Some(database) = MariaDb::shared() else { return };
    let query = "SELECT seq AS `order`, 'app' AS channel FROM seq_1_to_100000000";
    for query in [query.to_owned(), format!("{query} LIMIT 90000000"), format!("WITH x AS ({query}) SELECT * FROM x")] {
        let since = Instant::now();
        let listing = select(&database.url(""), &query, 1000, PATIENCE).unwrap();
        assert_eq!((listing.orders.len(), listing.cut), (1000, true), "{query}");
        assert!(since.elapsed() < PATIENCE / 2);
    }
    let all =
        select(&database.url(""), "SELECT seq AS `order`, 1 AS channel FROM seq_1_to_1000", 1000, PATIENCE).unwrap();
    assert_eq!((all.orders.len(), all.cut), (1000, false));
    until("the connections' end", || connections(database, "seq_1_to") == "0");
}

#[test]
fn what_takes_too_long_ends_at_the_deadline_on_both_sides() {
    let Some(database) = MariaDb::shared() else { return };
    database.run("CREATE TABLE locked (id INT)");
    let held = database.hold("LOCK TABLES locked WRITE;");
    until("the lock", || database.run("SHOW OPEN TABLES WHERE `Table` = 'locked' AND In_use > 0").contains("locked"));
    for query in
        ["SELECT SLEEP(600) AS `order`, 'app' AS channel", "SELECT id AS `order`, 'app' AS channel FROM locked"]
    {
        let since = Instant::now();
        let read = select(&database.url(""), query, 9, Duration::from_millis(700));
        assert_eq!(read, Err(SourceError::TimedOut), "{query}");
        assert!(since.elapsed() < PATIENCE / 2, "{query}");
        until("the query's end", || connections(database, query) == "0");
    }
    drop(held);
    assert!(select(&database.url(""), "SELECT id AS `order`, 'app' AS channel FROM locked", 9, PATIENCE).is_ok());
}

#[test]
fn a_connection_is_encrypted_if_the_url_says_so_and_checked_unless_it_says_not() {
    let Some(database) = MariaDb::shared() else { return };
    let version = "SELECT 1 AS `order`, IF(VARIABLE_VALUE = '', 'plain', VARIABLE_VALUE) AS channel
                   FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_version'";
    let ask = |options| select(&database.url(options), version, 9, PATIENCE);
    assert_eq!(lines(&ask("").unwrap()), ["1 plain - - -"]);
    assert_eq!(lines(&ask("?require_ssl=true&verify_ca=false").unwrap()), ["1 TLSv1.3 - - -"]);
    let refused = ask("?require_ssl=true");
    assert!(matches!(refused, Err(SourceError::Certificate(_))), "{refused:?}");
}

/// How many connections of the reader are at this query.
fn connections(database: &MariaDb, query: &str) -> String {
    let query = query.replace('\'', "''");
    database.run(&format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{READER}' AND INFO LIKE '%{query}%'"
    ))
}
