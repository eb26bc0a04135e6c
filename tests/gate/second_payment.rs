//! An order that is paid twice, or after it was closed, is told of whatever becomes of it.

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{APP, C1, Fault};
use crate::follow_up::stands;
use crate::harness::{Setup, World, until};
use crate::wire::Request;
use serde_json::{Value, json};

fn paid_twice(world: &World, order: &str) -> (u16, u16) {
    world.wechat.order(&APP, order).paid(100);
    world.wechat.order(&C1, order).paid(100);
    let first = world.app_callback(order).status();
    let json = format!(r#"{{"data":{{"order_id":"{order}","channel":"hmac"}}}}"#);
    (first, world.send(&Request::post("/pay/json").json(&json)).status())
}

fn flags(world: &World, order: &str) -> Vec<Value> {
    let ended = world.command(&["lookup", order, "--json"]);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    found["found"].as_array().unwrap().iter().map(|entry| entry["flags"].clone()).collect()
}

#[test]
fn a_second_payment_of_an_order_is_parked_and_told() {
    let world = World::with(Setup::hurry);
    assert_eq!(paid_twice(&world, "DOUBLE-1"), (200, 409));
    assert_eq!(world.upstream.requests_for("DOUBLE-1").len(), 1);
    until("the flag", || flags(&world, "DOUBLE-1").contains(&json!(["second-payment"])));
    let figures = world.journal("SELECT count(*) FROM event WHERE what = 'flagged' AND reason = 'second-payment'");
    assert_eq!(figures, 1);
    let parked =
        "SELECT count(*) FROM entry WHERE state = 'parked' AND reason = 'second-payment' AND transaction_id NOT NULL";
    until("the parked payment", || world.journal(parked) == 1);
}

#[test]
fn a_second_payment_is_known_after_a_restart() {
    let mut world = World::with(Setup::hurry);
    world.wechat.order(&APP, "DOUBLE-2").paid(100);
    world.wechat.order(&C1, "DOUBLE-2").paid(100);
    assert_eq!(world.app_callback("DOUBLE-2").status(), 200);
    stands(&world, "DOUBLE-2", "accepted");
    world.restart();
    let json = r#"{"data":{"order_id":"DOUBLE-2","channel":"hmac"}}"#;
    assert_eq!(world.send(&Request::post("/pay/json").json(json)).status(), 409);
}

#[test]
fn a_second_payment_is_forwarded_where_the_channel_wants_it() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["channels"]["hmac"]["on_second_payment"] = json!("forward");
    });
    assert_eq!(paid_twice(&world, "DOUBLE-3"), (200, 200));
    until("the flag", || flags(&world, "DOUBLE-3").contains(&json!(["second-payment"])));
}

#[test]
fn an_operator_can_have_a_second_payment_delivered() {
    let world = World::with(Setup::hurry);
    assert_eq!(paid_twice(&world, "DOUBLE-4"), (200, 409));
    until("the parked payment", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 1);
    let args =
        ["redeliver", "DOUBLE-4", "--state", "parked", "--override", "second-payment", "--because", "two of them"];
    let ended = world.command(&args);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    assert_eq!(world.upstream.requests_for("DOUBLE-4").len(), 2);
}

#[test]
fn orders_of_two_order_systems_are_not_the_same() {
    let other = Upstream::start();
    let world = World::with(|setup| {
        setup.hurry();
        setup.channel_upstream("hmac", &other);
    });
    assert_eq!(paid_twice(&world, "DOUBLE-5"), (200, 200));
    assert_eq!(flags(&world, "DOUBLE-5"), [json!([]), json!([])]);
}

#[test]
fn the_first_payment_is_the_one_that_was_accepted_whichever_called_back_first() {
    let mut world = World::with(Setup::hurry);
    let late = Request::post("/pay/json").json(r#"{"data":{"order_id":"DOUBLE-6","channel":"hmac"}}"#);
    // The other channel's callback comes first, before anybody has paid there.
    assert_eq!(world.send(&late).status(), 503);
    world.wechat.order(&APP, "DOUBLE-6").paid(100);
    assert_eq!(world.app_callback("DOUBLE-6").status(), 200);
    until("the acceptance", || world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'") == 1);
    world.wechat.order(&C1, "DOUBLE-6").paid(100);
    until("the second payment", || world.send(&late).status() == 409);
    until("the parked payment", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 1);
    world.restart();
    assert_eq!(world.send(&late).status(), 409);
    assert_eq!(world.app_callback("DOUBLE-6").status(), 200);
}

fn json_callback(order: &str) -> Request {
    Request::post("/pay/json").json(format!(r#"{{"data":{{"order_id":"{order}","channel":"hmac"}}}}"#))
}

#[test]
fn the_first_payment_is_asked_about_before_a_second_is_parked_and_a_refunded_one_is_none() {
    let mut world = World::with(Setup::hurry);
    world.wechat.order(&APP, "BACK-1").states(&["SUCCESS", "REFUND"]);
    world.wechat.order(&C1, "BACK-1").paid(100);
    assert_eq!(world.app_callback("BACK-1").status(), 200);
    stands(&world, "BACK-1", "accepted");
    let answer = world.send(&json_callback("BACK-1"));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(flags(&world, "BACK-1"), [json!([]), json!([])]);
    let refunded = "SELECT count(*) FROM entry WHERE trade_state = 'REFUND' AND state = 'accepted' AND channel = 'app'";
    until("the refund to be noted", || world.journal(refunded) == 1);
    // It is the order's payment from now on, after a restart too.
    world.restart();
    let asked = world.wechat.asked("BACK-1");
    assert_eq!(world.send(&json_callback("BACK-1")).status(), 200);
    assert!(world.wechat.asked("BACK-1") <= asked + 1, "nobody asks about the refunded one again");
}

#[test]
fn a_second_payment_that_the_follow_up_confirms_passes_if_the_first_was_refunded() {
    let world = World::with(Setup::hurry);
    world.wechat.order(&APP, "BACK-2").states(&["SUCCESS", "REFUND"]);
    assert_eq!(world.app_callback("BACK-2").status(), 200);
    stands(&world, "BACK-2", "accepted");
    world.wechat.order(&C1, "BACK-2").states(&["NOTPAY", "NOTPAY", "SUCCESS"]);
    assert_eq!(world.send(&json_callback("BACK-2")).status(), 503);
    until("the follow-up's delivery", || world.upstream.requests_for("BACK-2").len() == 2);
    assert_eq!(flags(&world, "BACK-2"), [json!([]), json!([])]);
}

#[test]
fn a_second_payment_is_undecided_while_nobody_knows_of_the_first() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["confirm_deadline"] = json!("500ms");
    });
    world.wechat.order(&APP, "BACK-3").states(&["SUCCESS"]).faults(&[Fault::None, Fault::Http500]);
    world.wechat.order(&C1, "BACK-3").paid(100);
    assert_eq!(world.app_callback("BACK-3").status(), 200);
    stands(&world, "BACK-3", "accepted");
    let answer = world.send(&json_callback("BACK-3"));
    assert_eq!(answer.status(), 503);
    assert_eq!(world.summary(&answer)["verdict"], "unknown");
    // As soon as WeChat Pay says that it stands, the second one is held back.
    world.wechat.order(&APP, "BACK-3").paid(100);
    until("the parked payment", || {
        world.journal("SELECT count(*) FROM entry WHERE state = 'parked' AND reason = 'second-payment'") == 1
    });
    assert_eq!(world.upstream.requests_for("BACK-3").len(), 1);
    assert_eq!(world.journal("SELECT count(*) FROM event WHERE what = 'flagged' AND reason = 'second-payment'"), 1);
}
