//! The gate beside an order system whose orders are in a database of its own: MariaDB and PostgreSQL as they really are.

use crate::fakes::wechat::APP;
use crate::follow_up::stands;
use crate::harness::{Setup, World, until};
use crate::servers::{MariaDb, Postgres};
use crate::wire::PATIENCE;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A typical order table's columns: the order's number, which merchant account, the price, its status, when it was made.
const MARIADB: &str = "CREATE TABLE IF NOT EXISTS gate_orders (
    id BIGINT AUTO_INCREMENT PRIMARY KEY, order_no VARCHAR(64) NOT NULL UNIQUE, channel_id VARCHAR(16) NOT NULL,
    total DECIMAL(10, 2) NOT NULL, status TINYINT NOT NULL DEFAULT 0, created_at DATETIME NOT NULL DEFAULT now())";

const POSTGRES: &str = "CREATE TABLE IF NOT EXISTS gate_orders (
    id bigserial PRIMARY KEY, order_no varchar(64) NOT NULL UNIQUE, channel_id varchar(16) NOT NULL,
    total numeric(10, 2) NOT NULL, status smallint NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now())";

fn polled(setup: &mut Setup, url: &str, prefix: &str, quote: &str) {
    setup.hurry();
    setup.route("app")["synthesize"] = json!({ "body": "OrderID={{ order }}&TotalFee={{ amount }}" });
    let query = format!(
        "SELECT order_no AS {quote}order{quote}, channel_id AS channel, total AS amount, created_at FROM gate_orders
         WHERE status = 0 AND order_no LIKE '{prefix}%'"
    );
    setup.config["pending_orders"] = json!([{
        "name": "shop", "every": "1s", "route": "app", "amount_unit": "yuan", "sql": { "url": url, "query": query },
    }]);
}

/// Orders that were made a minute ago, so that they are asked about at once.
fn orders(prefix: &str, ago: &str) -> String {
    let row = |order: &str, total: &str| format!("('{prefix}-{order}', 'app', {total}, {ago})");
    let rows = [row("PAID", "66.05"), row("UNPAID", "1.00"), row("CHEAP", "100.00")].join(", ");
    format!("INSERT INTO gate_orders (order_no, channel_id, total, created_at) VALUES {rows}")
}

fn a_day_in_the_shop(world: &World, prefix: &str, run: impl Fn(&str)) {
    let name = |order: &str| format!("{prefix}-{order}");
    let id = world.wechat.order(&APP, &name("PAID")).paid(6605);
    world.wechat.order(&APP, &name("UNPAID"));
    world.wechat.order(&APP, &name("CHEAP")).paid(1);
    let paid = stands(world, &name("PAID"), "accepted");
    assert_eq!((&paid["origin"], &paid["payment"]["transaction_id"]), (&json!("pending"), &json!(id)));
    assert_eq!(world.upstream.requests_for(&name("PAID"))[0].text(), format!("OrderID={prefix}-PAID&TotalFee=6605"));
    assert_eq!(stands(world, &name("CHEAP"), "parked")["reason"], "expected-amount-differs");
    assert_eq!(stands(world, &name("UNPAID"), "asking")["reason"], "not-paid-yet");
    // The order system books it, as its callback told it to.
    run(&format!("UPDATE gate_orders SET status = 1 WHERE order_no = '{prefix}-PAID'"));
    until("the order to be gone", || world.journal("SELECT count(*) FROM listed WHERE gone_at NOT NULL") == 1);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn orders_that_wait_in_mariadb_are_found() {
    let Some(database) = MariaDb::shared() else { return };
    database.run(MARIADB);
    database.run(&orders("MARIA", "now() - interval 1 minute"));
    let world = World::with(|setup| polled(setup, &database.url(""), "MARIA", "`"));
    a_day_in_the_shop(&world, "MARIA", |sql| drop(database.run(sql)));
}

#[test]
fn orders_that_wait_in_postgresql_are_found() {
    let Some(database) = Postgres::shared() else { return };
    database.run(POSTGRES);
    database.run(&orders("POST", "now() - interval '1 minute'"));
    let world = World::with(|setup| polled(setup, &database.url(""), "POST", "\""));
    a_day_in_the_shop(&world, "POST", |sql| drop(database.run(sql)));
}

#[test]
fn a_database_that_hangs_keeps_no_callback_waiting() {
    let Some(database) = Postgres::shared() else { return };
    database.run("CREATE TABLE IF NOT EXISTS gate_locked (order_no text, channel_id text)");
    let _held = database.hold("BEGIN; LOCK TABLE gate_locked IN ACCESS EXCLUSIVE MODE;");
    let world = World::with(|setup| {
        polled(setup, &database.url(""), "LOCK", "\"");
        setup.config["pending_orders"][0]["sql"]["query"] =
            json!("SELECT order_no AS \"order\", channel_id AS channel FROM gate_locked");
    });
    world.wechat.order(&APP, "LOCK-1").paid(100);
    let since = Instant::now();
    assert_eq!(world.app_callback("LOCK-1").status(), 200);
    assert!(since.elapsed() < PATIENCE.min(Duration::from_secs(5)), "{:?}", since.elapsed());
    let source = || {
        let ended = world.command(&["journal", "check", "--json"]);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["sources"][0].clone()
    };
    until("the source to be given up", || source()["failures"].as_u64() > Some(0));
    assert!(source()["problem"].as_str().unwrap().contains("took too long"), "{}", source());
}
