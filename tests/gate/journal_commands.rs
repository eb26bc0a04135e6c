//! `lookup`, `explain`, `redeliver` and `journal`: what they tell and do, with and without a running gate.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use crate::program::Ended;
use serde_json::{Value, json};

fn world() -> World {
    World::with(Setup::hurry)
}

/// A world in which an order's time to be sent again does not come by itself.
fn slow_world() -> World {
    World::with(|setup| {
        setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
        setup.config["cache"] = json!({ "pending": "50ms" });
    })
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr))
}

#[test]
fn lookup_is_the_refund_ledger() {
    let mut world = world();
    let transaction_id = world.wechat.order(&APP, "REFUND-ME").paid(6600);
    assert_eq!(world.app_callback("REFUND-ME").status(), 200);
    stands(&world, "REFUND-ME", "accepted");
    for running in [true, false] {
        for name in ["REFUND-ME", &transaction_id] {
            let ended = world.command(&["lookup", name]);
            assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
            for part in [&*transaction_id, "66.00 CNY (6600)", "2026-11-22T10:11:12+08:00", "accepted"] {
                assert!(ended.stdout.contains(part), "{running} {name}: no {part} in {}", ended.stdout);
            }
        }
        let found = json_of(&world.command(&["lookup", "REFUND-ME", "--json"]));
        assert_eq!(found["found"][0]["payment"]["transaction_id"], transaction_id.as_str());
        if running {
            world.kill9();
        }
    }
    world.restart();
}

#[test]
fn lookup_asks_wechat_pay_for_what_the_journal_does_not_know() {
    let world = world();
    let transaction_id = world.wechat.order(&APP, "NEVER-CALLED").paid(6600);
    let ended = world.command(&["lookup", "NEVER-CALLED", "--channel", "app"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(&transaction_id) && ended.stdout.contains("never came"), "{}", ended.stdout);
    let ended = world.command(&["lookup", "NOBODY-KNOWS"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("order-not-found"), "{}", ended.stdout);
    world.upstream_saw_nothing();
}

#[test]
fn explain_tells_claim_answer_attempts_and_what_comes_next() {
    let world = slow_world();
    world.wechat.order(&APP, "WHY-1").paid(6600);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() });
    let answer = world.callback("OrderID=WHY-1&TotalFee=6600");
    let id = answer.header("X-Request-Id").unwrap();
    stands(&world, "WHY-1", "delivering");
    for name in ["WHY-1", &id, &world.upstream.requests()[0].folded("X-Tollgate-Delivery")[0]] {
        let ended = world.command(&["explain", name]);
        assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
        for part in ["delivering", "66.00 CNY (6600)", "attempt 1 (callback): answered 500", "sent again at", &id] {
            assert!(ended.stdout.contains(part), "{name}: no {part} in {}", ended.stdout);
        }
    }
    let second = world.callback("OrderID=WHY-1&TotalFee=6600");
    assert_eq!(second.status(), 200);
    let id = second.header("X-Request-Id").unwrap();
    until("the second callback to be found", || world.command(&["explain", &id]).code == 0);
    assert_eq!(stands(&world, "WHY-1", "accepted")["attempts"], 2);
}

#[test]
fn explain_knows_refused_callbacks_and_nothing_of_their_content() {
    let world = world();
    let answer = world.callback("OrderID=TWICE-9&orderid=OTHER&secret=CANARY-CONTENT");
    assert_eq!(answer.status(), 400);
    let id = answer.header("X-Request-Id").unwrap();
    let mut ended = world.command(&["explain", &id]);
    until("the refused callback to be found", || {
        ended = world.command(&["explain", &id]);
        ended.code == 0
    });
    assert!(ended.stdout.contains("field-repeated"), "{}", ended.stdout);
    world.wechat.order(&APP, "WRONG-9").paid(1);
    assert_eq!(world.app_callback("WRONG-9").status(), 200);
    let contradicted = world.callback("OrderID=WRONG-9&TotalFee=6600&secret=CANARY-CONTENT");
    assert_eq!(contradicted.status(), 403);
    let id = contradicted.header("X-Request-Id").unwrap();
    until("the contradicted callback to be found", || world.command(&["explain", &id]).code == 0);
    world.kill9();
    let file = std::fs::read(world.dir().join("journal.db")).unwrap();
    let log = std::fs::read(world.dir().join("journal.db-wal")).unwrap_or_default();
    let kept = String::from_utf8_lossy(&[file, log].concat()).into_owned();
    assert!(!kept.contains("CANARY-CONTENT"));
}

#[test]
fn explain_finds_an_order_that_looks_like_a_request_id() {
    let world = world();
    let order = "0123456789abcdef0123456789abcdef";
    world.wechat.order(&APP, order).paid(100);
    assert_eq!(world.app_callback(order).status(), 200);
    until("the order to be found", || world.command(&["explain", order]).code == 0);
}

#[test]
fn a_command_does_not_stop_the_gate_while_somebody_reads_the_journal() {
    let world = world();
    for order in ["BUSY-1", "BUSY-2"] {
        world.wechat.order(&APP, order).paid(100);
    }
    assert_eq!(world.app_callback("BUSY-1").status(), 200);
    stands(&world, "BUSY-1", "accepted");
    let reader = rusqlite::Connection::open(world.dir().join("journal.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM entry").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM entry", [], |row| row.get(0)).unwrap();
    assert_eq!(world.command(&["lookup", "BUSY-1"]).code, 0);
    assert_eq!(world.app_callback("BUSY-2").status(), 200);
}

#[test]
fn explain_says_where_else_to_look() {
    let world = world();
    let ended = world.command(&["explain", "NO-SUCH-ORDER"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("nothing of NO-SUCH-ORDER") && ended.stderr.contains("log"), "{}", ended.stderr);
}

#[test]
fn redeliver_works_through_a_running_gate_and_without_one() {
    let mut world = slow_world();
    let refused = |world: &World, order: &str| {
        world.wechat.order(&APP, order).paid(100);
        // On a kept one it would be sent once more.
        world.upstream.closes_its_connections();
        world.upstream.answers_once(Reply::Breaks);
        assert_eq!(world.app_callback(order).status(), 502);
    };
    refused(&world, "SEND-1");
    let ended = world.command(&["redeliver", "SEND-1", "--json"]);
    assert_eq!((ended.code, &json_of(&ended)["accepted"]), (0, &json!(1)), "{} {}", ended.stdout, ended.stderr);
    assert_eq!(world.upstream.requests_for("SEND-1")[1].folded("X-Tollgate-Origin"), ["follow-up"]);
    // What is accepted would bring it forward.
    refused(&world, "SEND-2");
    stands(&world, "SEND-2", "delivering");
    world.kill9();
    let ended = world.command(&["redeliver", "SEND-2"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let seen = world.upstream.requests_for("SEND-2");
    assert_eq!((seen.len(), seen[1].folded("X-Tollgate-Attempt")), (2, vec!["2".to_owned()]));
    world.restart();
    assert_eq!(explained(&world, "SEND-2")["state"], "accepted");
}

#[test]
fn redeliver_since_takes_all_of_a_time_and_confirms_each_again() {
    let world = World::with(|setup| {
        setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
        setup.config["cache"] = json!({ "pending": "50ms", "paid": "50ms" });
    });
    for index in 0..5 {
        let order = format!("BULK-{index}");
        world.wechat.order(&APP, &order).states(&["SUCCESS", if index == 0 { "REFUND" } else { "SUCCESS" }]);
        world.upstream.answers_once(Reply::Breaks);
        assert_eq!(world.app_callback(&order).status(), 502);
    }
    world.wechat.order(&APP, "BULK-UNPAID");
    assert_eq!(world.app_callback("BULK-UNPAID").status(), 503);
    let ended = world.command(&["redeliver", "--since", "1h", "--json"]);
    let told = json_of(&ended);
    assert_eq!(ended.code, 1, "not all were accepted: {told}");
    let counts = ["asked_for", "accepted", "parked", "due_again"].map(|name| told[name].as_u64().unwrap());
    assert_eq!(counts, [6, 4, 1, 1], "{told}");
    assert_eq!(world.upstream.requests().len(), 9);
    let ended = world.command(&["redeliver", "--since", "1h", "--state", "parked", "--json"]);
    assert_eq!(json_of(&ended)["asked_for"], 1);
}

#[test]
fn redeliver_says_what_is_wrong_with_its_arguments() {
    let world = world();
    for (args, code, part) in [
        (&["redeliver"][..], 2, "ORDER"),
        (&["redeliver", "--since", "tomorrow"], 2, "a duration like 30m"),
        (&["redeliver", "A", "--state", "lost"], 2, "asking, delivering, accepted, parked, closed"),
        (&["redeliver", "NO-SUCH-ORDER"], 1, "nothing to deliver for NO-SUCH-ORDER"),
    ] {
        let ended = world.command(args);
        assert_eq!(ended.code, code, "{args:?} {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn journal_export_prints_a_line_of_json_for_each_record_without_content() {
    let world = world();
    for index in 0..3 {
        let order = format!("EXPORT-{index}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.callback(&format!("OrderID={order}&note=CANARY-CONTENT")).status(), 200);
        stands(&world, &order, "accepted");
    }
    let ended = world.command(&["journal", "export"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let records: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let orders: Vec<_> = records.iter().map(|record| record["order"].as_str().unwrap()).collect();
    assert_eq!(orders, ["EXPORT-0", "EXPORT-1", "EXPORT-2"]);
    assert!(!ended.stdout.contains("CANARY-CONTENT"));
    assert!(world.command(&["journal", "export", "--state", "parked"]).stdout.is_empty());
}

#[test]
fn journal_check_says_whether_the_file_is_sound() {
    let world = world();
    world.wechat.order(&APP, "CHECK-1").paid(100);
    assert_eq!(world.app_callback("CHECK-1").status(), 200);
    stands(&world, "CHECK-1", "accepted");
    let ended = world.command(&["journal", "check", "--json"]);
    let health = json_of(&ended);
    assert_eq!(
        (ended.code, &health["sound"], &health["entries"]["accepted"]),
        (0, &json!(true), &json!(1)),
        "{health}"
    );
    let ended = world.command(&["journal", "check"]);
    assert!(ended.stdout.contains("sound") && ended.stdout.contains("accepted"), "{}", ended.stdout);
    world.kill9();
    let path = world.dir().join("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(world.dir().join("journal.db-wal"));
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 2048].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let ended = world.command(&["journal", "check"]);
    assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
}

#[test]
fn without_a_journal_the_commands_say_so() {
    let world = World::with(|setup| setup.config["journal"] = json!("none"));
    for args in [&["explain", "A"][..], &["redeliver", "A"], &["journal", "check"], &["journal", "export"]] {
        let ended = world.command(args);
        assert_eq!(ended.code, 1, "{args:?}");
        assert!(ended.stderr.contains("journal: none"), "{args:?}: {}", ended.stderr);
    }
}
