//! What the journal keeps, how long, and that nobody can fill it with orders he made up.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, SignType, notification, sign};
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, at_once, return_code, until, within};
use crate::wire::Request;
use serde_json::{Value, json};
use std::time::Duration;

fn records(world: &World) -> Vec<Value> {
    let ended = world.command(&["journal", "export"]);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_was_kept_long_enough_is_removed_and_what_is_not_finished_stays() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.config["journal"]["keep"] = json!("1ms");
        setup.config["follow_up"]["redeliver"] = json!(["1h"]);
    });
    world.wechat.order(&APP, "DONE-1").paid(100);
    assert_eq!(world.app_callback("DONE-1").status(), 200);
    stands(&world, "DONE-1", "accepted");
    world.wechat.order(&APP, "OPEN-1").paid(100);
    world.upstream.answers_once(Reply::half());
    assert_eq!(world.app_callback("OPEN-1").status(), 502);
    stands(&world, "OPEN-1", "delivering");
    // It is cleaned at the start, and each minute.
    world.restart();
    until("the finished one to be removed", || records(&world).len() == 1);
    assert_eq!(explained(&world, "OPEN-1")["state"], "delivering");
}

#[test]
fn made_up_orders_cannot_fill_the_journal_nor_keep_a_paid_one_out() {
    //
    let world = World::with(|setup| {
        Setup::hurry(setup);
        setup.config["follow_up"]["ask_again"] = json!(["1h"]);
        setup.config["journal"]["unconfirmed"] = json!(100);
    });
    for index in 0..150 {
        assert_eq!(world.app_callback(&format!("MADE-UP-{index}")).status(), 503);
    }
    // The last eighth is left for callbacks that look like confirmed ones.
    assert_eq!(records(&world).len(), 88);
    world.wechat.order(&APP, "REAL-1").paid(100);
    assert_eq!(world.app_callback("REAL-1").status(), 200);
    let entry = stands(&world, "REAL-1", "accepted");
    assert_eq!(entry["attempts"], 1);
    assert_eq!(records(&world).len(), 89);
}

/// The status that the APP gets for this form.
fn callback_of(world: &World, form: &[u8]) -> u16 {
    world.send(&Request::post("/pay/success").form(form)).status()
}

/// A form for an order with so many more bytes that can hardly be made smaller.
fn padded(order: &str, bytes: usize) -> Vec<u8> {
    let mut form = format!("OrderID={order}&x=").into_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._*".contains(byte);
    form.extend(std::iter::repeat_with(|| fastrand::u8(..)).filter(plain).take(bytes));
    form
}

fn figures(world: &World) -> Value {
    serde_json::from_str(&world.command(&["journal", "check", "--json"]).stdout).unwrap()
}

#[test]
fn large_bodies_of_made_up_orders_cannot_fill_the_disk_nor_keep_a_paid_one_out() {
    //
    let mut world = World::with(|setup| {
        Setup::hurry(setup);
        setup.config["follow_up"]["ask_again"] = json!(["1h"]);
        setup.config["journal"]["unconfirmed_bytes"] = json!("1MiB");
    });
    let statuses = at_once(4, |thread| {
        let order = |index| format!("MADE-UP-{thread}-{index}");
        (0..8).map(|index| callback_of(&world, &padded(&order(index), 60_000))).collect::<Vec<_>>()
    });
    assert!(statuses.concat().iter().all(|status| *status == 503), "{statuses:?}");
    let before = figures(&world);
    assert_eq!(before["sound"], true, "{before}");
    let (records, bytes) = (before["unconfirmed"].as_u64().unwrap(), before["unconfirmed_bytes"].as_u64().unwrap());
    assert!((15..22).contains(&records) && (850_000..=1024 * 1024 / 8 * 7).contains(&bytes), "{before}");
    // What honest senders send fits beside them, or is taken in once it is confirmed.
    world.wechat.order(&APP, "REAL-1").paid(100);
    assert_eq!(world.app_callback("REAL-1").status(), 200);
    stands(&world, "REAL-1", "accepted");
    world.wechat.order(&APP, "REAL-2").paid(100);
    assert_eq!(callback_of(&world, &padded("REAL-2", 50_000)), 200);
    stands(&world, "REAL-2", "accepted");
    world.restart();
    let after = figures(&world);
    for key in ["sound", "unconfirmed", "unconfirmed_bytes"] {
        assert_eq!(after[key], before[key], "{key}: {after}");
    }
    // Its sender is known by now, and may use the last eighth, but no more.
    for late in 0..4 {
        assert_eq!(callback_of(&world, &padded(&format!("MADE-UP-LATE-{late}"), 60_000)), 503);
    }
    let late = figures(&world);
    assert!((records..records + 4).contains(&late["unconfirmed"].as_u64().unwrap()), "{late}");
    let shown = world.admin_json("/api/overview")["figures"]["unconfirmed_bytes"].as_u64().unwrap();
    assert!((bytes..=1024 * 1024).contains(&shown), "{shown}");
}

#[test]
fn a_large_body_is_delivered_byte_for_byte_after_a_restart() {
    let mut world = World::with(|setup| setup.hurry());
    let body = format!("OrderID=LARGE-1&x={}", "%e5%95%86%e5%93%81+a".repeat(2500));
    world.upstream.answers(Reply::half());
    world.wechat.order(&APP, "LARGE-1").paid(100);
    assert_eq!(callback_of(&world, body.as_bytes()), 502);
    stands(&world, "LARGE-1", "delivering");
    assert!(world.journal("SELECT inflated > 5 * length(body) FROM request") == 1);
    world.kill9();
    world.upstream.answers(Reply::ok(b"taken"));
    world.restart();
    stands(&world, "LARGE-1", "accepted");
    let sent = world.upstream.requests_for("LARGE-1");
    assert!(sent.len() > 1 && sent.iter().all(|sent| sent.body == body.as_bytes()));
}

/// Everything in the journal's files, as somebody finds it who has the disk.
fn files(world: &World) -> Vec<u8> {
    let mut all = std::fs::read(world.journal_file()).unwrap();
    let mut log = world.journal_file().into_os_string();
    log.push("-wal");
    all.extend(std::fs::read(log).unwrap_or_default());
    all
}

fn has(bytes: &[u8], what: &str) -> bool {
    bytes.windows(what.len()).any(|window| window == what.as_bytes())
}

#[test]
fn what_payers_are_known_by_is_overwritten_once_bodies_are_not_kept_any_more() {
    // Personal data: docs/operating.md.
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["journal"]["keep"] = json!({ "bodies": "1s", "entries": "90d" });
        setup.config["follow_up"]["redeliver"] = json!(["5s"]);
        setup.route("app")["duplicates"] = json!("absorb");
    });
    world.upstream.answers(Reply::ok(b"taken from answer-secret"));
    // Enough of them that pages are split, merged and given back.
    let order = |index: usize| format!("PAID-{index}");
    for index in 0..60 {
        world.wechat.order(&APP, &order(index)).paid(100);
        let pad = "p".repeat(index * 40);
        let form = format!("OrderID={}&openid=openid-secret&sign=sign-secret&x={pad}", order(index));
        assert_eq!(callback_of(&world, form.as_bytes()), 200);
    }
    let fields = notification(&APP, "PAID-NOTIFY", 100);
    let sign = sign(&fields, APP.key, SignType::Md5);
    world.wechat.order(&APP, "PAID-NOTIFY").paid(100);
    world.upstream.answers_once(Reply::xml("<xml><return_code>SUCCESS</return_code></xml>"));
    let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
    assert_eq!(return_code(&answer), "SUCCESS");
    stands(&world, "PAID-NOTIFY", "accepted");
    // One that is not finished keeps what it has.
    world.wechat.order(&APP, "OPEN-1").paid(100);
    world.upstream.answers_once(Reply::half());
    assert_eq!(callback_of(&world, b"OrderID=OPEN-1&openid=open-secret"), 502);
    assert!(has(&files(&world), "open-secret"));
    let secrets = ["openid-secret", "sign-secret", "answer-secret", &sign];
    let are_gone = || {
        let files = files(&world);
        !secrets.iter().any(|secret| has(&files, secret))
    };
    assert!(within(Duration::from_secs(60), are_gone), "something of them is in the file or its log");
    let check = figures(&world);
    assert_eq!((&check["sound"], &check["entries"]["parked"]), (&json!(true), &json!(0)), "{check}");
    // The record stays, and says that it has no request.
    let entry = explained(&world, "PAID-1");
    assert_eq!((&entry["state"], &entry["request_kept"]), (&json!("accepted"), &json!(false)), "{entry}");
    assert!(world.command(&["explain", "PAID-1"]).stdout.contains("not kept any more"));
    // Repetitions are absorbed, with what is kept of the answer.
    let sent = world.upstream.requests().len();
    let answer = world.app_callback("PAID-1");
    assert_eq!((answer.status(), answer.text().as_str(), world.upstream.requests().len()), (200, "", sent));
    stands(&world, "OPEN-1", "accepted");
    assert_eq!(world.upstream.requests_for("open-secret").len(), 2);
}

#[test]
fn what_is_delivered_again_without_its_request_is_made_anew_where_the_route_can() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["journal"]["keep"] = json!({ "bodies": "1ms" });
        setup.route("app-get")["synthesize"] = json!({ "query": "OrderID={{ order }}&made=yes" });
    });
    world.wechat.order(&APP, "MADE-1").paid(100);
    world.wechat.order(&APP, "GONE-1").paid(100);
    assert_eq!(world.send(&Request::get("/pay/success?OrderID=MADE-1")).status(), 200);
    assert_eq!(world.app_callback("GONE-1").status(), 200);
    for order in ["MADE-1", "GONE-1"] {
        until("the request to be gone", || explained(&world, order)["request_kept"] == false);
    }
    // One that fails at first is sent again as it was made.
    world.upstream.answers_once(Reply::half());
    let decided = ["--override", "accepted", "--because", "a test"];
    let ended = world.command(&[&["redeliver", "MADE-1"], &decided[..]].concat());
    assert!(ended.stdout.contains("1 asked for"), "{}{}", ended.stdout, ended.stderr);
    until("what was made to be accepted", || {
        world.upstream.requests_for("made=yes").len() >= 2 && explained(&world, "MADE-1")["state"] == "accepted"
    });
    let ended = world.command(&[&["redeliver", "GONE-1"], &decided[..]].concat());
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains("cannot-synthesize") && ended.stdout.contains("not kept any more"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    assert_eq!(stands(&world, "GONE-1", "parked")["reason"], "cannot-synthesize");
    assert_eq!(figures(&world)["sound"], true);
}
