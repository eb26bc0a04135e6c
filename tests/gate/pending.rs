//! Orders that the merchant's own system lists as unpaid are asked about, and the paid ones delivered, although nobody called
//! back.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, SignType, notification, signed_xml, transaction_id};
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A file of pending orders that is read every second; it need not be there yet.
pub fn listing(setup: &mut Setup) {
    setup.hurry();
    setup.route("app")["synthesize"] =
        json!({ "body": "OrderID={{ order }}&WeixinTransactionID={{ transaction_id }}&TotalFee={{ amount }}" });
    let path = setup.dir.join("unpaid.jsonl");
    fs::write(&path, "").unwrap();
    setup.config["pending_orders"] =
        json!([{ "name": "shop", "every": "1s", "route": "app", "file": { "path": path } }]);
}

pub fn list(dir: &Path, orders: &[Value]) {
    let lines: Vec<_> = orders.iter().map(|order| format!("{order}\n")).collect();
    fs::write(dir.join("new.jsonl"), lines.concat()).unwrap();
    fs::rename(dir.join("new.jsonl"), dir.join("unpaid.jsonl")).unwrap();
}

fn order(order: &str) -> Value {
    json!({ "order": order, "channel": "app", "amount": 100, "created_at": "2026-11-22 10:00:00" })
}

fn source(world: &World) -> Value {
    let ended = world.command(&["journal", "check", "--json"]);
    serde_json::from_str::<Value>(&ended.stdout).unwrap()["sources"][0].clone()
}

#[test]
fn an_order_that_is_paid_and_never_called_back_is_delivered() {
    let world = World::with(listing);
    let id = world.wechat.order(&APP, "WAIT-1").paid(100);
    list(world.dir(), &[order("WAIT-1")]);
    until("the delivery", || !world.upstream.requests_for("WAIT-1").is_empty());
    let seen = world.upstream_received();
    assert_eq!(seen.text(), format!("OrderID=WAIT-1&WeixinTransactionID={id}&TotalFee=100"));
    assert_eq!(seen.folded("X-Tollgate-Origin"), ["pending"]);
    let entry = stands(&world, "WAIT-1", "accepted");
    assert_eq!((&entry["origin"], &entry["attempts"]), (&json!("pending"), &json!(1)));
    // It is listed until the order system has worked it off, and not asked about again.
    let read_at = || world.journal("SELECT max(read_at) FROM source");
    for _ in 0..2 {
        let before = read_at();
        until("another reading", || read_at() > before);
    }
    assert_eq!(world.wechat.asked("WAIT-1"), 1);
}

#[test]
fn a_notification_in_another_currency_than_the_sources_is_sent_again_too() {
    let world = World::with(|setup| {
        listing(setup);
        setup.config["pending_orders"][0]["route"] = json!("notify");
    });
    world.wechat.order(&APP, "WAIT-6").field("fee_type", "HKD").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    world.upstream.answers(Reply::xml("<xml><return_code>SUCCESS</return_code></xml>"));
    // A source names amounts in CNY only.
    list(world.dir(), &[json!({ "order": "WAIT-6", "channel": "app" })]);
    assert_eq!(stands(&world, "WAIT-6", "accepted")["attempts"], 2);
}

#[test]
fn an_order_that_nobody_pays_is_asked_about_and_closed_when_it_is() {
    let world = World::with(listing);
    world.wechat.order(&APP, "WAIT-2").state("CLOSED");
    list(world.dir(), &[order("WAIT-2")]);
    assert_eq!(stands(&world, "WAIT-2", "closed")["reason"], "closed");
    world.upstream_saw_nothing();
}

#[test]
fn an_abandoned_order_is_given_up_without_a_bother() {
    let world = World::with(listing);
    world.wechat.order(&APP, "WAIT-3");
    // It is older than ask_again_for.
    list(world.dir(), &[order("WAIT-3")]);
    assert_eq!(stands(&world, "WAIT-3", "closed")["reason"], "gave-up-asking");
    let now = json!({ "order": "WAIT-4", "channel": "app", "amount": 100 });
    world.wechat.order(&APP, "WAIT-4");
    list(world.dir(), &[order("WAIT-3"), now]);
    assert_eq!(stands(&world, "WAIT-4", "asking")["origin"], "pending");
    until("its first question", || world.wechat.asked("WAIT-4") == 1);
    assert_eq!(world.wechat.asked("WAIT-3"), 1);
}

#[test]
fn a_payment_of_another_amount_than_the_order_costs_is_held_back() {
    let world = World::with(listing);
    // Paid before the source asks: that nobody has paid would be believed for a moment.
    world.wechat.order(&APP, "PRICE-1").paid(1);
    world.wechat.order(&APP, "PRICE-2").paid(100);
    list(world.dir(), &[order("PRICE-1"), order("PRICE-2")]);
    until("the prices", || world.journal("SELECT count(*) FROM listed") == 2);
    assert_eq!(world.app_callback("PRICE-1").status(), 403);
    assert_eq!(world.app_callback("PRICE-2").status(), 200);
    let parked = "SELECT count(*) FROM entry WHERE \"order\" = 'PRICE-1' AND state = 'parked' AND total_fee = 1";
    until("the parked payment", || world.journal(parked) > 0);
    assert!(world.upstream.requests_for("PRICE-1").is_empty());
}

#[test]
fn a_price_is_known_after_a_restart_before_the_source_is_read() {
    let mut world = World::with(listing);
    list(world.dir(), &[order("PRICE-3")]);
    until("the price", || world.journal("SELECT count(*) FROM listed") == 1);
    fs::remove_file(world.dir().join("unpaid.jsonl")).unwrap();
    world.restart();
    world.wechat.order(&APP, "PRICE-3").paid(1);
    assert_eq!(world.app_callback("PRICE-3").status(), 403);
    until("the failing source", || source(&world)["failures"].as_u64() > Some(0));
    assert!(source(&world)["problem"].as_str().unwrap().contains("cannot be read"));
}

#[test]
fn an_order_that_its_callback_has_brought_is_not_brought_again() {
    let world = World::with(listing);
    world.wechat.order(&APP, "BOTH-1").paid(100);
    // On another route than the source's.
    let xml = signed_xml(notification(&APP, "BOTH-1", 100), APP.key, SignType::Md5);
    world.upstream.answers_once(Reply::xml("<xml><return_code>SUCCESS</return_code></xml>"));
    assert_eq!(world.notify("app", &xml).status(), 200);
    list(world.dir(), &[order("BOTH-1")]);
    let closed = "SELECT count(*) FROM entry WHERE origin = 'pending' AND reason = 'already-accepted'";
    until("the closed entry", || world.journal(closed) == 1);
    assert_eq!(world.upstream.requests().len(), 1);
    let ended = world.command(&["journal", "check", "--json"]);
    let figures: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(figures["found_by_pending"], 0);
}

#[test]
fn an_order_paid_after_it_was_closed_at_its_source_is_flagged() {
    let world = World::with(listing);
    let now = json!({ "order": "SHUT-1", "channel": "app", "amount": 100 });
    world.wechat.order(&APP, "SHUT-1");
    list(world.dir(), &[now]);
    until("its first question", || world.wechat.asked("SHUT-1") == 1);
    list(world.dir(), &[]);
    until("its end", || world.journal("SELECT count(*) FROM listed WHERE gone_at NOT NULL") == 1);
    world.wechat.order(&APP, "SHUT-1").field("time_end", "20991231235959").paid(100);
    // The sweep of the day would find it; here its callback comes late.
    until("the callback to pass", || world.app_callback("SHUT-1").status() == 200);
    let flagged = || world.journal("SELECT count(*) FROM event WHERE what = 'flagged' AND reason = 'paid-after-close'");
    until("the flag", || flagged() > 0);
    assert_eq!(flagged(), 1);
    assert_ne!(explained(&world, "SHUT-1"), Value::Null);
}

#[test]
fn rows_that_make_no_sense_hide_no_other() {
    let world = World::with(listing);
    let id = transaction_id(&APP, "SANE-1");
    world.wechat.order(&APP, "SANE-1").paid(100);
    let elsewhere = json!({ "order": "SANE-2", "channel": "nowhere" });
    list(world.dir(), &[json!({ "order": "bad order", "channel": "app" }), elsewhere, order("SANE-1")]);
    until("the delivery", || !world.upstream.requests_for("SANE-1").is_empty());
    assert!(world.upstream_received().text().contains(&id));
    until("the complaint", || source(&world)["malformed"] == 2);
}

#[test]
fn an_order_that_was_listed_while_its_channel_observed_is_asked_about_afterwards() {
    let mut world = World::with(|setup| {
        listing(setup);
        setup.config["channels"]["app"]["mode"] = json!("observe");
    });
    world.wechat.order(&APP, "WATCHED-1").paid(100);
    list(world.dir(), &[order("WATCHED-1")]);
    until("the price", || world.journal("SELECT count(*) FROM listed") == 1);
    world.change_config(|config| config["channels"]["app"]["mode"] = json!("enforce"));
    world.restart();
    until("the delivery", || !world.upstream.requests_for("WATCHED-1").is_empty());
}

#[test]
fn a_source_that_is_not_configured_any_more_rules_nothing() {
    let mut world = World::with(listing);
    list(world.dir(), &[order("FREED-1")]);
    until("the price", || world.journal("SELECT count(*) FROM listed") == 1);
    world.change_config(|config| drop(config.as_object_mut().unwrap().remove("pending_orders")));
    world.restart();
    world.wechat.order(&APP, "FREED-1").paid(1);
    assert_eq!(world.app_callback("FREED-1").status(), 200);
}

#[test]
fn a_price_holds_without_a_gate_too_until_an_operator_has_decided() {
    let world = World::with(listing);
    // Before they are listed, since they are asked about at once then.
    for order in ["ALONE-1", "ALONE-2"] {
        world.wechat.order(&APP, order).paid(1);
    }
    list(world.dir(), &[order("ALONE-1"), order("ALONE-2")]);
    until("the prices", || world.journal("SELECT count(*) FROM listed") == 2);
    for order in ["ALONE-1", "ALONE-2"] {
        assert_eq!(world.app_callback(order).status(), 403);
    }
    // Each has been claimed by its callback and listed by its source.
    until("all parked", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 4);
    world.kill9();
    let ended = world.command(&["redeliver", "ALONE-1", "--override", "amount", "--because", "a voucher"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let seen = world.upstream_received().text();
    assert!(seen.starts_with("OrderID=ALONE-1"), "{seen}");
}

#[test]
fn an_order_of_a_clock_that_is_ahead_is_not_asked_about_all_the_time() {
    let world = World::with(listing);
    world.wechat.order(&APP, "AHEAD-1");
    let order = json!({ "order": "AHEAD-1", "channel": "app", "created_at": "2099-01-01 00:00:00" });
    list(world.dir(), &[order]);
    until("its first question", || world.wechat.asked("AHEAD-1") == 1);
    until("the complaint", || source(&world)["problem"].as_str().is_some_and(|said| said.contains("to come")));
    let next = "SELECT due_at - since FROM entry WHERE \"order\" = 'AHEAD-1' AND tries = 1";
    until("its next question", || world.journal(&format!("SELECT count(*) FROM ({next})")) == 1);
    assert!(world.journal(next) > 20_000, "{}", world.journal(next));
}
