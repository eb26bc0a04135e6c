//! What only a person decides: an order that was paid at another price than it costs, that was accepted before, or that is paid
//! twice, is sent when somebody says so, with a reason, and never else.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, Bill, C1};
use crate::follow_up::stands;
use crate::harness::{Setup, World, until};
use crate::pending::{list, listing};
use crate::sweep::swept;
use crate::wire::{Message, Request};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;

const WHY: &str = "voucher 8.90";

fn listed(order: &str) -> Value {
    json!({ "order": order, "channel": "app", "amount": 990 })
}

/// A gate that holds back orders which cost ¥9.90 and were paid with ¥0.01.
fn underpaid(world: &World, orders: &[&str]) {
    // Paid before the source asks: that nobody has paid would be believed for a moment.
    for order in orders {
        world.wechat.order(&APP, order).paid(1);
    }
    list(world.dir(), &orders.iter().map(|order| listed(order)).collect::<Vec<_>>());
    let count = i64::try_from(orders.len()).unwrap();
    until("the prices", || world.journal("SELECT count(*) FROM listed") == count);
    for order in orders {
        assert_eq!(world.app_callback(order).status(), 403);
        comes_to(world, order, "parked");
    }
}

/// Waits until the claim of an order that went furthest stands so: its source names it too.
fn comes_to(world: &World, order: &str, state: &str) -> Value {
    let sql =
        format!("SELECT count(*) FROM entry WHERE \"order\" = '{order}' AND state = '{state}' AND total_fee NOT NULL");
    until(&format!("{order} to be {state}"), || world.journal(&sql) > 0);
    let story = world.command(&["explain", order, "--json"]);
    let story: Value = serde_json::from_str(&story.stdout).unwrap();
    let mut entries = story["entries"].as_array().unwrap().iter();
    entries.find(|entry| entry["state"] == state && !entry["payment"].is_null()).unwrap_or(&Value::Null).clone()
}

/// What is flagged of any claim of an order.
fn flags(world: &World, order: &str) -> BTreeSet<String> {
    let story = world.command(&["explain", order, "--json"]);
    let story: Value = serde_json::from_str(&story.stdout).unwrap();
    let flags = story["entries"].as_array().unwrap().iter().flat_map(|entry| entry["flags"].as_array().unwrap());
    flags.map(|flag| flag.as_str().unwrap().to_owned()).collect()
}

fn is_flagged(world: &World, order: &str, flag: &str) {
    until(&format!("{order} to be flagged"), || flags(world, order) == BTreeSet::from([flag.to_owned()]));
}

fn redeliver(world: &World, order: &str, body: &Value) -> Message {
    world.admin_ask(Request::post(&format!("/api/orders/app/{order}/redeliver")).json(body.to_string()))
}

fn needs(world: &World, order: &str) -> (u16, Value, String) {
    let answer = world.admin_post(&format!("/api/orders/app/{order}/redeliver"));
    let problem = answer.json();
    assert_eq!(problem["reason"], "override-needed", "{problem}");
    (answer.status(), problem["needs"].clone(), problem["detail"].as_str().unwrap_or_default().to_owned())
}

fn latest_line(world: &World) -> Value {
    world.admin_json("/api/audit")["audit"][0].clone()
}

fn sent_times(world: &World, order: &str) -> usize {
    world.upstream.requests_for(order).len()
}

#[test]
fn a_price_mismatch_is_delivered_by_a_decision_alone_and_told_for_ever() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-1"]);
    let (status, needed, detail) = needs(&world, "CHEAP-1");
    assert_eq!((status, needed), (409, json!(["amount"])));
    assert!(detail.contains("paid ¥0.01, costs ¥9.90"), "{detail}");
    let story = comes_to(&world, "CHEAP-1", "parked");
    let shown = world.admin_json("/api/orders/app/CHEAP-1")["entries"].as_array().unwrap().clone();
    assert!(shown.contains(&story), "{shown:?}");
    assert_eq!(
        (&story["expected"]["total_fee"], &story["expected"]["source"]),
        (&json!(990), &json!("shop")),
        "{story}"
    );
    assert!(story["expected"]["listed_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{story}");
    assert_eq!((&story["claimed"]["total_fee"], &story["payment"]["total_fee"]), (&Value::Null, &json!(1)));
    assert_eq!(world.admin_json("/api/audit")["audit"], json!([]), "nothing was done");
    let answer = redeliver(&world, "CHEAP-1", &json!({ "override": ["amount"], "because": WHY }));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    comes_to(&world, "CHEAP-1", "accepted");
    is_flagged(&world, "CHEAP-1", "delivered-over-price");
    let seen = world.upstream_received();
    assert_eq!(seen.folded("X-Tollgate-Override"), ["amount"]);
    assert_eq!(seen.folded("X-Verified-Total-Fee"), ["1"], "what was paid, not what it costs");
    let line = latest_line(&world);
    assert_eq!(line["outcome"], "override amount: paid 1, expected 990");
    assert_eq!((&line["because"], &line["who"]), (&json!(WHY), &json!("token")));
    assert_eq!(world.scrape().one("tollgate_overrides_total", &[("what", "amount")]), 1.0);
    // Wherever the payment is told of later.
    for place in ["/api/ledger?text=CHEAP-1", "/api/orders?text=CHEAP-1"] {
        assert!(world.admin_get(place).text().contains("delivered-over-price"), "{place}");
    }
    for command in [&["lookup", "CHEAP-1"][..], &["explain", "CHEAP-1"], &["journal", "export"]] {
        let told = world.command(command).stdout;
        assert!(told.contains("delivered-over-price"), "{command:?}: {told}");
    }
    // It was accepted at that price, so both are to be decided from now on.
    let (_, needed, detail) = needs(&world, "CHEAP-1");
    assert_eq!(needed, json!(["amount", "accepted"]), "{detail}");
}

#[test]
fn what_is_not_to_be_decided_is_refused_and_so_is_a_decision_without_a_reason() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-2"]);
    let long = "x".repeat(201);
    for (body, part) in [
        (json!({ "override": ["amount"] }), "because is missing"),
        (json!({ "override": ["amount"], "because": "abc" }), "4 to 200 characters"),
        (json!({ "override": ["amount"], "because": long }), "4 to 200 characters"),
        (json!({ "override": ["amount", "accepted"], "because": WHY }), "accepted is not needed"),
        (json!({ "override": ["everything"], "because": WHY }), "none of its words"),
        (json!({ "overrides": ["amount"], "because": WHY }), "unknown field"),
        (json!("amount"), "not what is wanted"),
    ] {
        let answer = redeliver(&world, "CHEAP-2", &body);
        assert_eq!(answer.status(), 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(part), "{body}: {}", answer.text());
    }
    let form = Request::post("/api/orders/app/CHEAP-2/redeliver").form("override=amount&because=voucher");
    assert_eq!(world.admin_ask(form).status(), 415);
    // Another decision than the one that is needed does nothing either.
    let wrong = redeliver(&world, "CHEAP-2", &json!({ "override": ["second-payment"], "because": WHY }));
    assert_eq!((wrong.status(), wrong.json()["needs"].clone()), (409, json!(["amount"])));
    assert_eq!(world.admin_json("/api/audit")["audit"], json!([]));
    comes_to(&world, "CHEAP-2", "parked");
    world.upstream_saw_nothing();
}

#[test]
fn the_command_names_both_prices_and_the_option_and_works_with_and_without_a_gate() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-3", "CHEAP-4"]);
    let decided = |order| world.command(&["redeliver", order, "--override", "amount", "--because", WHY]);
    let refused = |order: &str| {
        let ended = world.command(&["redeliver", order]);
        assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
        for part in ["paid ¥0.01, costs ¥9.90", "--override amount", "--because"] {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        let ended = world.command(&["redeliver", order, "--json"]);
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(
            (ended.code, &told["needs"], &told["held"][0]["paid"]),
            (1, &json!(["amount"]), &json!(1)),
            "{told}"
        );
    };
    refused("CHEAP-3");
    let ended = decided("CHEAP-3");
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!(sent_times(&world, "CHEAP-3"), 1);
    world.kill9();
    refused("CHEAP-4");
    assert_eq!(sent_times(&world, "CHEAP-4"), 0);
    let ended = decided("CHEAP-4");
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!(world.upstream.requests_for("CHEAP-4")[0].folded("X-Tollgate-Override"), ["amount"]);
    is_flagged(&world, "CHEAP-4", "delivered-over-price");
    for (args, code, part) in [
        (&["redeliver", "CHEAP-4", "--override", "amount"][..], 2, "--because"),
        (&["redeliver", "CHEAP-4", "--override", "price", "--because", WHY], 2, "amount, accepted or second-payment"),
        (&["redeliver", "CHEAP-4", "--override", "amount", "--because", "no"], 2, "4 to 200"),
        (&["redeliver", "--since", "1h", "--override", "amount", "--because", WHY], 2, "--since"),
        (&["redeliver", "CHEAP-4", "--override", "second-payment", "--because", WHY], 1, "paid ¥0.01, costs ¥9.90"),
    ] {
        let ended = world.command(args);
        assert_eq!(ended.code, code, "{args:?} {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{args:?}: {}", ended.stderr);
    }
    assert_eq!(sent_times(&world, "CHEAP-4"), 1);
}

#[test]
fn a_price_that_its_source_has_forgotten_still_holds_the_order() {
    let mut world = World::with(listing);
    underpaid(&world, &["CHEAP-5"]);
    // As if it had been gone for long.
    list(world.dir(), &[]);
    until("its end", || world.journal("SELECT count(*) FROM listed WHERE gone_at NOT NULL") == 1);
    world.kill9();
    let journal = rusqlite::Connection::open(world.journal_file()).unwrap();
    journal.execute("DELETE FROM listed", []).unwrap();
    drop(journal);
    world.restart();
    assert_eq!(world.app_callback("CHEAP-5").status(), 403, "not by another callback");
    let answer = world.admin_post("/api/orders/app/CHEAP-5/unpark");
    assert_eq!(answer.status(), 202, "{}", answer.text());
    until("its turn", || world.journal("SELECT count(*) FROM event WHERE what = 'unparked'") > 0);
    let entry = comes_to(&world, "CHEAP-5", "parked");
    assert_eq!((&entry["reason"], &entry["expected"]["total_fee"]), (&json!("expected-amount-differs"), &json!(990)));
    assert_eq!(needs(&world, "CHEAP-5").1, json!(["amount"]));
    world.upstream_saw_nothing();
}

#[test]
fn an_order_whose_source_lists_the_right_price_is_delivered_by_the_rules() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-6"]);
    list(world.dir(), &[json!({ "order": "CHEAP-6", "channel": "app", "amount": 1 })]);
    until("the right price", || world.journal("SELECT count(*) FROM listed WHERE total_fee = 1") == 1);
    // The gate hears of it with the journal.
    until("the delivery", || {
        let answer = redeliver(&world, "CHEAP-6", &json!({}));
        assert!(matches!(answer.status(), 202 | 409), "{}", answer.text());
        sent_times(&world, "CHEAP-6") > 0
    });
    assert!(world.upstream_received().folded("X-Tollgate-Override").is_empty());
    comes_to(&world, "CHEAP-6", "accepted");
    assert!(flags(&world, "CHEAP-6").is_empty());
}

#[test]
fn a_decision_holds_until_the_order_system_takes_it() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-7"]);
    let broken = || Reply::Says { status: 500, content_type: "text/plain", body: b"database gone".to_vec() };
    world.upstream.answers_once(broken());
    world.upstream.answers_once(broken());
    let answer = redeliver(&world, "CHEAP-7", &json!({ "override": ["amount"], "because": WHY }));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    comes_to(&world, "CHEAP-7", "accepted");
    let seen = world.upstream.requests_for("CHEAP-7");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.folded("X-Tollgate-Override") == ["amount"]), "{seen:#?}");
    assert_eq!(world.scrape().one("tollgate_overrides_total", &[("what", "amount")]), 1.0, "it was decided once");
    assert_eq!(world.journal("SELECT count(*) FROM event WHERE what = 'flagged'"), 1);
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE overrides <> 0"), 0, "and it is spent");
}

#[test]
fn an_order_that_was_accepted_is_sent_again_by_a_decision_alone() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&APP, "TWICE-1").paid(100);
    assert_eq!(world.app_callback("TWICE-1").status(), 200);
    stands(&world, "TWICE-1", "accepted");
    let (status, needed, detail) = needs(&world, "TWICE-1");
    assert_eq!((status, needed), (409, json!(["accepted"])));
    assert!(detail.contains("accepted before"), "{detail}");
    let answer = redeliver(&world, "TWICE-1", &json!({ "override": ["accepted"], "because": "the disk was lost" }));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    until("the second delivery", || sent_times(&world, "TWICE-1") == 2);
    let [first, second] = &world.upstream.requests_for("TWICE-1")[..] else { panic!() };
    assert!(first.folded("X-Tollgate-Override").is_empty());
    assert_eq!(second.folded("X-Tollgate-Override"), ["accepted"]);
    is_flagged(&world, "TWICE-1", "delivered-again");
    assert_eq!(latest_line(&world)["outcome"], "override accepted");
}

#[test]
fn an_order_that_is_accepted_between_the_click_and_the_turn_is_not_sent_again() {
    let world = World::with(|setup| {
        setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
        setup.route("app")["duplicates"] = json!("absorb");
    });
    world.wechat.order(&APP, "RACE-1").paid(100);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: b"gone".to_vec() });
    assert_eq!(world.app_callback("RACE-1").status(), 500);
    stands(&world, "RACE-1", "delivering");
    world.upstream.hold();
    thread::scope(|threads| {
        let sender = threads.spawn(|| world.app_callback("RACE-1").status());
        until("the sender's repetition", || sent_times(&world, "RACE-1") == 2);
        // It is being sent, and nobody has accepted it yet.
        assert_eq!(redeliver(&world, "RACE-1", &json!({})).status(), 202);
        world.upstream.release();
        assert_eq!(sender.join().unwrap(), 200);
    });
    until("the end of it", || {
        world.journal("SELECT count(*) FROM entry WHERE state = 'accepted' AND due_at IS NULL") == 1
    });
    // Whatever is sent after it comes when this has.
    world.wechat.order(&APP, "RACE-2").paid(100);
    assert_eq!(world.app_callback("RACE-2").status(), 200);
    assert_eq!(sent_times(&world, "RACE-1"), 2);
}

#[test]
fn a_second_payment_is_delivered_by_a_decision_alone() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&APP, "PAIR-1").paid(100);
    world.wechat.order(&C1, "PAIR-1").paid(100);
    assert_eq!(world.app_callback("PAIR-1").status(), 200);
    let json = Request::post("/pay/json").json(r#"{"data":{"order_id":"PAIR-1","channel":"hmac"}}"#);
    assert_eq!(world.send(&json).status(), 409);
    until("the parked payment", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 1);
    let place = "/api/orders/hmac/PAIR-1/redeliver";
    let refused = world.admin_post(place).json();
    assert_eq!((&refused["reason"], &refused["needs"]), (&json!("override-needed"), &json!(["second-payment"])));
    let ended = world.command(&["redeliver", "--since", "1h", "--state", "parked"]);
    assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("1 left out") && ended.stderr.contains("second-payment 1"), "{}", ended.stderr);
    let body = json!({ "override": ["second-payment"], "because": "two of them" });
    assert_eq!(world.admin_ask(Request::post(place).json(body.to_string())).status(), 202);
    until("the delivery", || sent_times(&world, "PAIR-1") == 2);
    assert_eq!(world.upstream.requests_for("PAIR-1")[1].folded("X-Tollgate-Override"), ["second-payment"]);
    assert_eq!(world.scrape().one("tollgate_overrides_total", &[("what", "second-payment")]), 1.0);
}

#[test]
fn redeliver_since_leaves_out_what_a_person_has_to_decide_and_says_so() {
    let world = World::with(|setup| {
        listing(setup);
        setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
    });
    underpaid(&world, &["MANY-1"]);
    for order in ["MANY-2", "MANY-3"] {
        world.wechat.order(&APP, order).paid(100);
        if order == "MANY-3" {
            world.upstream.answers_once(Reply::half());
        }
        world.app_callback(order);
    }
    stands(&world, "MANY-2", "accepted");
    let ended = world.command(&["redeliver", "--since", "1h", "--json"]);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &told["asked_for"], &told["accepted"]), (0, &json!(1), &json!(1)), "{told}");
    assert_eq!(told["left_out"], json!({ "override-needed": 2 }));
    let sent = ["MANY-1", "MANY-2", "MANY-3"].map(|order| sent_times(&world, order));
    assert_eq!(sent, [0, 1, 2]);
    let ended = world.command(&["redeliver", "--since", "1h"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("3 left out") && ended.stderr.contains("amount 1, accepted 2"), "{}", ended.stderr);
}

#[test]
fn an_order_that_the_bill_has_at_another_amount_is_parked_with_its_payment() {
    let world = World::with(swept);
    let id = world.wechat.order(&APP, "BILL-1").paid(1);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "BILL-1", &id, 990));
    world.command(&["sweep", "--channel", "app", "--date", "2026-11-22", "--json", "--wait", "20s"]);
    let entry = stands(&world, "BILL-1", "parked");
    assert_eq!((&entry["reason"], &entry["payment"]["total_fee"]), (&json!("amount-differs"), &json!(1)), "{entry}");
    let (_, needed, detail) = needs(&world, "BILL-1");
    assert_eq!(needed, json!(["amount"]));
    assert!(detail.contains("paid ¥0.01, costs ¥9.90"), "{detail}");
    world.upstream_saw_nothing();
    let answer = redeliver(&world, "BILL-1", &json!({ "override": ["amount"], "because": WHY }));
    assert_eq!(answer.status(), 202, "{}", answer.text());
    comes_to(&world, "BILL-1", "accepted");
    is_flagged(&world, "BILL-1", "delivered-over-price");
    assert_eq!(world.upstream_received().folded("X-Tollgate-Override"), ["amount"]);
}

#[test]
fn the_header_is_renamed_by_the_configuration_and_never_a_senders() {
    let world = World::with(|setup| {
        listing(setup);
        setup.config["headers"]["override"] = json!("X-Shop-Decided");
    });
    world.wechat.order(&APP, "NAME-1").paid(100);
    let forged = Request::post("/pay/success").form("OrderID=NAME-1");
    let forged = forged.header("X-Shop-Decided", "amount").header("X_Tollgate_Override", "accepted");
    assert_eq!(world.send(&forged).status(), 200);
    let seen = world.upstream_received();
    for name in ["X-Shop-Decided", "X-Tollgate-Override"] {
        assert!(seen.folded(name).is_empty(), "{name}: {}", seen.text());
    }
    underpaid(&world, &["NAME-2"]);
    redeliver(&world, "NAME-2", &json!({ "override": ["amount"], "because": WHY }));
    comes_to(&world, "NAME-2", "accepted");
    assert_eq!(world.upstream.requests_for("NAME-2")[0].folded("X-Shop-Decided"), ["amount"]);
}

fn page(world: &World, path: &str) -> String {
    let answer = world.admin_ask(Request::get(path).header("Accept", "text/html").header("Accept-Language", "en"));
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    answer.text()
}

/// What stands in an element of the page.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} is not there: {text}"));
    rest.split_once(to).map_or(rest, |(inner, _)| inner)
}

#[test]
fn the_page_shows_both_prices_and_wants_the_paid_one_typed() {
    let world = World::with(listing);
    underpaid(&world, &["CHEAP-8"]);
    let text = page(&world, "/orders/app/CHEAP-8");
    let column = |id: &str| between(&text, &format!("id=\"facing-{id}\""), "</section>");
    assert!(column("expected").contains("¥9.90 <span class=\"other\">≠"), "{}", column("expected"));
    assert!(column("paid").contains("¥0.01 <span class=\"other\">≠"), "{}", column("paid"));
    assert!(!column("claimed").contains("≠"), "the callback says no amount: {}", column("claimed"));
    assert!(!text.contains("class=\"button first\" id=\"act-"), "no button is blue: {text}");
    for place in
        [between(&text, "<dialog id=\"ask-redeliver\"", "</dialog>"), &page(&world, "/orders/app/CHEAP-8/redeliver")]
    {
        assert!(place.contains("class=\"matter bad\">paid ¥0.01, costs ¥9.90"), "{place}");
        for part in ["name=\"override\" value=\"amount\"", "name=\"confirm\"", "name=\"because\"", "button danger"] {
            assert!(place.contains(part), "{part}: {place}");
        }
    }
    let press = |form: &str| {
        let post = Request::post("/orders/app/CHEAP-8/redeliver").form(form).header("Accept-Language", "en");
        let answer = world.admin_ask(post);
        assert_eq!(answer.status(), 303, "{}", answer.text());
        answer.header("Set-Cookie").unwrap_or_default()
    };
    for (form, said) in [
        ("", "not~override-needed"),
        ("override=amount&confirm=9.90&because=voucher", "not~confirm"),
        ("override=amount&confirm=&because=voucher", "not~confirm"),
        ("override=amount&because=voucher", "not~confirm"),
        ("override=amount&confirm=0.01&because=", "not~because"),
        ("override=accepted&confirm=0.01&because=voucher", "not~override-needed"),
    ] {
        assert!(press(form).contains(said), "{form}: {}", press(form));
    }
    assert_eq!(world.admin_json("/api/audit")["audit"], json!([]), "nothing was done");
    world.upstream_saw_nothing();
    assert!(press("override=amount&confirm=0.01&because=voucher+8.90").contains("=redeliver;"));
    comes_to(&world, "CHEAP-8", "accepted");
    assert_eq!(latest_line(&world)["because"], WHY);
    assert!(page(&world, "/audit").contains("override amount: paid 1, expected 990"));
    let text = page(&world, "/orders/app/CHEAP-8");
    assert!(text.contains("Delivered at another price, by a decision"), "{text}");
    assert!(!text.contains("class=\"button first\" id=\"act-"), "what was accepted has no blue button: {text}");
}
