//! One payment vouches for one order. A callback that names both the order id and WeChat Pay's number is believed only as far
//! as the route has the pair proven.

use crate::fakes::wechat::{APP, C1, SignType, notification, signed_xml};
use crate::follow_up::stands;
use crate::harness::{Setup, World, at_once, until};
use crate::wire::Request;
use serde_json::{Value, json};
use std::fs;

const ANOTHERS: &str = "number-of-another-order";

/// The official account's call: order id and number, of channel 2/c1.
fn pair(order: &str, number: &str) -> String {
    format!("OrderID={order}&paymentcenter_id={number}&ChannelID=2&CustomerID=c1")
}

fn claims(world: &World, order: &str, number: &str) -> u16 {
    world.callback(&pair(order, number)).status()
}

fn refused(world: &World, form: &str) {
    let answer = world.callback(form);
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, ANOTHERS), "{form}");
}

/// Which orders the order system was told of, each as often as it was.
fn told(world: &World) -> Vec<String> {
    let order = |body: String| body.split('&').next().unwrap().replace("OrderID=", "");
    world.upstream.requests().iter().map(|request| order(request.text())).collect()
}

fn proven_by(proof: &str) -> impl FnOnce(&mut Setup) {
    let proof = proof.to_owned();
    move |setup| {
        setup.hurry();
        setup.route("app")["number_proof"] = json!(proof);
    }
}

#[test]
fn a_payment_is_its_first_orders_and_nobody_elses() {
    let world = World::new();
    world.wechat.order(&C1, "PC-1").paid(1);
    assert_eq!(claims(&world, "MINE-1", "PC-1"), 200);
    for victim in ["VICTIM-1", "VICTIM-2", "mine-1", "MINE-1x"] {
        refused(&world, &pair(victim, "PC-1"));
    }
    assert_eq!(claims(&world, "MINE-1", "PC-1"), 200);
    assert_eq!(told(&world), ["MINE-1", "MINE-1"]);
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" LIKE 'VICTIM%' AND state <> 'closed'"), 0);
}

#[test]
fn of_fifty_orders_that_claim_a_payment_at_once_one_gets_it() {
    let world = World::new();
    world.wechat.order(&C1, "PC-2").paid(1);
    let statuses = at_once(50, |index| claims(&world, &format!("HERD-{index}"), "PC-2"));
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 49, "{statuses:?}");
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn whose_payment_it_is_is_known_after_a_restart() {
    let mut world = World::new();
    world.wechat.order(&C1, "PC-3").paid(1);
    assert_eq!(claims(&world, "MINE-3", "PC-3"), 200);
    world.restart();
    refused(&world, &pair("VICTIM-3", "PC-3"));
    assert_eq!(claims(&world, "MINE-3", "PC-3"), 200);
    assert_eq!(told(&world), ["MINE-3", "MINE-3"]);
}

#[test]
fn it_is_known_when_the_entry_is_not_kept_any_more() {
    let mut world = World::with(|setup| setup.config["journal"]["keep"] = json!("1ms"));
    world.wechat.order(&C1, "PC-4").paid(1);
    world.wechat.order(&APP, "OWN-4").paid(1);
    assert_eq!(claims(&world, "MINE-4", "PC-4"), 200);
    assert_eq!(world.app_callback("OWN-4").status(), 200);
    stands(&world, "OWN-4", "accepted");
    world.change_config(|config| config["routes"][0]["channel"] = json!([{ "from": "ChannelID" }]));
    // It is cleaned at the start.
    world.restart();
    until("nothing is kept", || world.journal("SELECT count(*) FROM entry") == 0);
    refused(&world, "OrderID=VICTIM-4&paymentcenter_id=PC-4&ChannelID=hmac");
    refused(&world, "OrderID=VICTIM-4&paymentcenter_id=OWN-4&ChannelID=app");
}

#[test]
fn another_route_and_another_channel_of_the_merchant_do_not_help() {
    let world = World::with(|setup| {
        setup.route("app-get")["out_trade_no"] = json!("paymentcenter_id");
        setup.route("app-get")["channel"] = json!([{ "from": "ChannelID" }]);
        setup.route("app")["channel"] = json!([{ "from": "ChannelID" }]);
    });
    world.wechat.order(&C1, "PC-5").paid(1);
    let form = |order: &str| format!("OrderID={order}&paymentcenter_id=PC-5&ChannelID=hmac");
    let get = |order: &str, channel: &str| {
        let target = format!("/pay/success?OrderID={order}&paymentcenter_id=PC-5&ChannelID={channel}");
        world.send(&Request::get(&target)).status()
    };
    assert_eq!(get("MINE-5", "hmac"), 200);
    refused(&world, &form("VICTIM-5"));
    assert_eq!((get("VICTIM-5", "hmac"), get("VICTIM-5", "2/c1")), (403, 403));
    // The same order may come on both.
    assert_eq!((world.callback(&form("MINE-5")).status(), get("MINE-5", "2/c1")), (200, 200));
}

#[test]
fn the_claimed_transaction_id_does_not_help() {
    let world = World::new();
    let id = world.wechat.order(&C1, "PC-6").paid(1);
    let with_id = |order: &str| format!("{}&WeixinTransactionID={id}", pair(order, "PC-6"));
    assert_eq!(world.callback(&with_id("MINE-6")).status(), 200);
    assert_eq!(world.wechat.queries()[0].field("transaction_id"), id);
    refused(&world, &with_id("VICTIM-6"));
    refused(&world, &pair("VICTIM-6", "PC-6"));
}

#[test]
fn an_order_that_is_its_own_number_keeps_its_payment() {
    let world = World::with(|setup| setup.route("app")["channel"] = json!("app"));
    world.wechat.order(&APP, "OWN-7").paid(1);
    assert_eq!(world.app_callback("OWN-7").status(), 200);
    refused(&world, "OrderID=VICTIM-7&paymentcenter_id=OWN-7");
    // Named twice it is still its own.
    assert_eq!(world.callback("OrderID=OWN-7&paymentcenter_id=OWN-7").status(), 200);
}

#[test]
fn a_notification_keeps_its_payment_unless_its_route_shares() {
    let notify = |world: &World, number: &str| {
        let xml = signed_xml(notification(&C1, number, 100), C1.key, SignType::HmacSha256);
        world.notify("hmac", &xml).status()
    };
    let world = World::new();
    world.wechat.order(&C1, "PC-8").paid(100);
    assert_eq!(notify(&world, "PC-8"), 200);
    refused(&world, &pair("VICTIM-8", "PC-8"));
    let world = World::with(|setup| setup.route("notify")["number_proof"] = json!("shared"));
    world.wechat.order(&C1, "PC-8").paid(100);
    assert_eq!((notify(&world, "PC-8"), claims(&world, "MINE-8", "PC-8")), (200, 200));
    refused(&world, &pair("VICTIM-8", "PC-8"));
    assert_eq!(notify(&world, "PC-8"), 200);
}

#[test]
fn a_payment_that_is_claimed_before_it_is_made_goes_to_one_order() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&C1, "PC-9");
    assert_eq!((claims(&world, "EARLY-9", "PC-9"), claims(&world, "EARLY-9b", "PC-9")), (503, 503));
    world.wechat.order(&C1, "PC-9").paid(1);
    until("one is delivered", || !told(&world).is_empty());
    until("the other is not", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 1);
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn what_waits_for_the_order_system_keeps_its_payment() {
    let mut world = World::with(Setup::hurry);
    world.wechat.order(&C1, "PC-10").paid(1);
    world.upstream.goes_down();
    assert_eq!(claims(&world, "MINE-10", "PC-10"), 502);
    world.restart();
    refused(&world, &pair("VICTIM-10", "PC-10"));
    world.upstream.comes_back();
    until("the delivery", || told(&world) == ["MINE-10"]);
}

#[test]
fn an_operator_cannot_have_it_delivered_by_mistake() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&C1, "PC-11");
    assert_eq!((claims(&world, "EARLY-11", "PC-11"), claims(&world, "EARLY-11b", "PC-11")), (503, 503));
    world.wechat.order(&C1, "PC-11").paid(1);
    let parked = "SELECT count(*) FROM entry WHERE state = 'parked' AND reason = 'number-of-another-order'";
    until("one is parked", || world.journal(parked) == 1);
    until("the other is delivered", || told(&world).len() == 1);
    let ended = world.command(&["redeliver", "--since", "1h", "--state", "parked"]);
    assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains(ANOTHERS), "{}", ended.stdout);
    assert_eq!(told(&world).len(), 1);
}

#[test]
fn a_theft_does_not_take_the_victims_own_payment_for_a_second_one() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["channel"] = json!("app");
    });
    world.wechat.order(&APP, "CHEAP-12").paid(1);
    world.wechat.order(&APP, "VICTIM-12").paid(990);
    assert_eq!(world.app_callback("CHEAP-12").status(), 200);
    refused(&world, "OrderID=VICTIM-12&paymentcenter_id=CHEAP-12");
    world.restart();
    assert_eq!(world.app_callback("VICTIM-12").status(), 200);
    assert_eq!(told(&world), ["CHEAP-12", "VICTIM-12"]);
}

#[test]
fn one_payment_may_be_for_several_orders_where_the_route_says_so() {
    let world = World::with(proven_by("shared"));
    world.wechat.order(&C1, "PC-13").paid(100);
    assert_eq!((claims(&world, "ONE-13", "PC-13"), claims(&world, "TWO-13", "PC-13")), (200, 200));
}

#[test]
fn without_a_journal_a_payment_is_one_orders_as_long_as_the_gate_lives() {
    let world = World::with(|setup| setup.config["journal"] = json!("none"));
    world.wechat.order(&C1, "PC-14").paid(1);
    assert_eq!(claims(&world, "MINE-14", "PC-14"), 200);
    refused(&world, &pair("VICTIM-14", "PC-14"));
    assert_eq!(claims(&world, "MINE-14", "PC-14"), 200);
}

#[test]
fn attach_names_the_order() {
    let world = World::with(proven_by("attach"));
    world.wechat.order(&C1, "PC-20").field("attach", "MINE-20").paid(1);
    refused(&world, &pair("VICTIM-20", "PC-20"));
    assert_eq!(claims(&world, "MINE-20", "PC-20"), 200);
    // Nothing there proves nothing.
    world.wechat.order(&C1, "PC-21").paid(1);
    refused(&world, &pair("MINE-21", "PC-21"));
    assert_eq!(told(&world), ["MINE-20"]);
}

#[test]
fn a_field_of_attach_names_the_order() {
    let world = World::with(proven_by("attach.order"));
    world.wechat.order(&C1, "PC-22").field("attach", r#"{"shop":7,"order":"MINE-22"}"#).paid(1);
    world.wechat.order(&C1, "PC-23").field("attach", "shop=7&order=MINE-23").paid(1);
    world.wechat.order(&C1, "PC-24").field("attach", "order=MINE-24&order=VICTIM-24").paid(1);
    assert_eq!((claims(&world, "MINE-22", "PC-22"), claims(&world, "MINE-23", "PC-23")), (200, 200));
    for (order, number) in [("VICTIM-22", "PC-22"), ("MINE-24", "PC-24"), ("VICTIM-24", "PC-24")] {
        refused(&world, &pair(order, number));
    }
}

/// A file of pending orders that is hardly ever read by itself.
fn listing(setup: &mut Setup) {
    setup.hurry();
    setup.route("app")["synthesize"] = json!({ "body": "OrderID={{ order }}&paymentcenter_id={{ out_trade_no }}\
        &ChannelID={{ channel_parts[0] }}&CustomerID={{ channel_parts[1] }}" });
    let path = setup.dir.join("unpaid.jsonl");
    fs::write(&path, "").unwrap();
    setup.config["pending_orders"] =
        json!([{ "name": "shop", "every": "1h", "route": "app", "file": { "path": path } }]);
}

fn by_source(setup: &mut Setup) {
    listing(setup);
    setup.route("app")["number_proof"] = json!("source");
}

fn list(world: &World, pairs: &[(&str, &str)]) {
    let row = |(order, number): &(&str, &str)| {
        format!("{}\n", json!({ "order": order, "channel": "2/c1", "out_trade_no": number }))
    };
    let lines: Vec<_> = pairs.iter().map(row).collect();
    fs::write(world.dir().join("new.jsonl"), lines.concat()).unwrap();
    fs::rename(world.dir().join("new.jsonl"), world.dir().join("unpaid.jsonl")).unwrap();
}

#[test]
fn a_source_names_the_order_and_is_read_when_it_is_asked_for() {
    let world = World::with(by_source);
    until("the first reading", || world.journal("SELECT count(*) FROM source WHERE read_at NOT NULL") == 1);
    world.wechat.order(&C1, "PC-30").paid(1);
    list(&world, &[("MINE-30", "PC-30"), ("VICTIM-30", "PC-31")]);
    // Before the true callback, and after it.
    refused(&world, &pair("VICTIM-30", "PC-30"));
    assert_eq!(claims(&world, "MINE-30", "PC-30"), 200);
    list(&world, &[("VICTIM-30", "PC-31")]);
    refused(&world, &pair("VICTIM-30", "PC-30"));
    assert!(told(&world).iter().all(|order| order == "MINE-30"), "{:?}", told(&world));
}

#[test]
fn what_no_source_knows_is_asked_again() {
    let world = World::with(by_source);
    world.wechat.order(&C1, "PC-32").paid(1);
    let answer = world.callback(&pair("MINE-32", "PC-32"));
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "number-not-listed"));
    list(&world, &[("MINE-32", "PC-32")]);
    until("the delivery", || told(&world).contains(&"MINE-32".to_owned()));
}

#[test]
fn what_a_source_has_said_counts_after_a_restart() {
    let mut world = World::with(by_source);
    world.wechat.order(&C1, "PC-33").paid(1);
    list(&world, &[("MINE-33", "PC-33")]);
    assert_eq!(claims(&world, "MINE-33", "PC-33"), 200);
    fs::remove_file(world.dir().join("unpaid.jsonl")).unwrap();
    world.restart();
    refused(&world, &pair("VICTIM-33", "PC-33"));
    assert_eq!(claims(&world, "MINE-33", "PC-33"), 200);
}

#[test]
fn a_source_that_has_named_a_number_proves_it_without_being_told_to() {
    let world = World::with(listing);
    list(&world, &[("MINE-34", "PC-34")]);
    world.change_config(|config| config["pending_orders"][0]["every"] = json!("1s"));
    until("the list", || world.journal("SELECT count(*) FROM listed") == 1);
    world.wechat.order(&C1, "PC-34").paid(1);
    refused(&world, &pair("VICTIM-34", "PC-34"));
    assert_eq!(claims(&world, "MINE-34", "PC-34"), 200);
}

#[test]
fn made_callbacks_own_their_payment_like_others() {
    let world = World::with(|setup| {
        listing(setup);
        setup.route("app")["number_proof"] = json!("first");
        setup.config["pending_orders"][0]["every"] = json!("1s");
    });
    world.wechat.order(&C1, "PC-35").paid(1);
    world.wechat.order(&C1, "PC-36").paid(1);
    assert_eq!(claims(&world, "THIEF-36", "PC-36"), 200);
    list(&world, &[("MINE-35", "PC-35"), ("MINE-36", "PC-36")]);
    until("the made callback", || told(&world).contains(&"MINE-35".to_owned()));
    refused(&world, &pair("VICTIM-35", "PC-35"));
    let entry = stands(&world, "MINE-36", "parked");
    assert_eq!(entry["reason"], ANOTHERS);
    assert!(!told(&world).contains(&"MINE-36".to_owned()));
}

#[test]
fn check_warns_where_the_pair_rests_on_who_comes_first() {
    let warnings = |world: &World| {
        let ended = world.command(&["check", "--json"]);
        let warnings = serde_json::from_str::<Value>(&ended.stdout).unwrap()["warnings"].clone();
        let keys: Vec<_> = warnings.as_array().unwrap().iter().map(|warning| warning["key"].clone()).collect();
        (ended.code, keys.contains(&json!("routes[0].number_proof")))
    };
    assert_eq!(warnings(&World::new()), (0, true));
    assert_eq!(warnings(&World::with(proven_by("first"))), (0, true));
    assert_eq!(warnings(&World::with(proven_by("attach"))), (0, false));
    assert_eq!(warnings(&World::with(by_source)), (0, false));
    let world = World::new();
    let ended = world.command(&["check"]);
    assert!(ended.stdout.contains("faster than its callback"), "{}", ended.stdout);
}
