//! What goes on after the reply: undecided orders are asked about again, confirmed ones are sent again until the upstream
//! accepts them, and what cannot be delivered is parked with a reason.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, C1, Fault};
use crate::harness::{Setup, World, until};
use crate::wire::{Message, Request};
use serde_json::{Value, json};

fn world() -> World {
    World::with(Setup::hurry)
}

/// The upstream's requests for an order, once there are so many.
fn delivered(world: &World, order: &str, times: usize) -> Vec<Message> {
    until("the follow-up's delivery", || world.upstream.requests_for(order).len() >= times);
    world.upstream.requests_for(order)
}

/// What the journal knows of an order.
pub fn explained(world: &World, order: &str) -> Value {
    let ended = world.command(&["explain", order, "--json"]);
    let value: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    value["entries"][0].clone()
}

/// Waits until an order is in this state; the entry.
pub fn stands(world: &World, order: &str, state: &str) -> Value {
    let mut entry = Value::Null;
    until(&format!("{order} to be {state}"), || {
        entry = explained(world, order);
        entry["state"] == state
    });
    entry
}

#[test]
fn an_order_paid_a_moment_after_its_only_callback_is_delivered() {
    let world = world();
    world.wechat.order(&APP, "LATE-1").states(&["NOTPAY", "NOTPAY", "SUCCESS"]);
    assert_eq!(world.app_callback("LATE-1").status(), 503);
    let seen = &delivered(&world, "LATE-1", 1)[0];
    assert_eq!((seen.line().as_str(), seen.text().as_str()), ("POST /pay/success HTTP/1.1", "OrderID=LATE-1"));
    assert_eq!(seen.folded("X-Tollgate-Origin"), ["follow-up"]);
    assert_eq!(seen.folded("X-Tollgate-Attempt"), ["1"]);
    let entry = stands(&world, "LATE-1", "accepted");
    assert_eq!((&entry["attempts"], &entry["verdict"]), (&json!(1), &json!("paid")));
}

#[test]
fn what_nobody_could_say_is_asked_again() {
    let world = world();
    world
        .wechat
        .order(&APP, "UNSURE-1")
        .faults(&[Fault::Unsigned, Fault::BadSign, Fault::Html502, Fault::None])
        .paid(100);
    assert_eq!(world.app_callback("UNSURE-1").status(), 503);
    assert_eq!(delivered(&world, "UNSURE-1", 1)[0].folded("X-Tollgate-Origin"), ["follow-up"]);
}

#[test]
fn a_refused_delivery_is_repeated_byte_for_byte_until_it_is_accepted() {
    let world = world();
    world.wechat.order(&APP, "AGAIN-1").paid(6600);
    for status in [500, 302] {
        world.upstream.answers_once(Reply::Says { status, content_type: "text/plain", body: b"no".to_vec() });
    }
    let target = "/pay/success?from=%e5%ba%97&b=2";
    let body = "note=%20a+b&OrderID=AGAIN-1&TotalFee=6600&%ff";
    let request = Request::post(target).form(body).header("X-Shop", "7").header("Cookie", "a=b");
    assert_eq!(world.send(&request).status(), 500, "the sender gets the upstream's own answer");
    let seen = delivered(&world, "AGAIN-1", 3);
    stands(&world, "AGAIN-1", "accepted");
    for (index, request) in seen.iter().enumerate() {
        assert_eq!((request.line(), request.text()), (format!("POST {target} HTTP/1.1"), body.to_owned()));
        assert_eq!(request.folded("X-Tollgate-Attempt"), [(index + 1).to_string()]);
        let origin = if index == 0 { "callback" } else { "follow-up" };
        assert_eq!(request.folded("X-Tollgate-Origin"), [origin]);
        for name in [
            "X-Tollgate-Delivery",
            "X-Request-Id",
            "X-Verified-Transaction-Id",
            "X-Forwarded-For",
            "X-Shop",
            "Cookie",
            "Host",
            "Content-Type",
        ] {
            assert_eq!(request.folded(name), seen[0].folded(name), "{name}");
        }
    }
    until("nothing more to come", || explained(&world, "AGAIN-1")["due_at"].is_null());
    assert_eq!(world.upstream.requests_for("AGAIN-1").len(), 3);
}

#[test]
fn an_attempt_that_the_upstream_did_not_see_has_no_number() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["upstream"] = json!(format!("http://{}", crate::fakes::nobody()));
    });
    world.wechat.order(&APP, "NOBODY-1").paid(100);
    assert_eq!(world.app_callback("NOBODY-1").status(), 502);
    let mut entry = Value::Null;
    until("three attempts", || {
        entry = explained(&world, "NOBODY-1");
        entry["sendings"].as_array().is_some_and(|sendings| sendings.len() >= 3)
    });
    for sending in entry["sendings"].as_array().unwrap() {
        assert_eq!(sending["attempt"], 1, "{sending}");
    }
    assert_eq!(entry["state"], "delivering");
}

#[test]
fn a_200_with_a_fail_body_is_not_accepted() {
    // D-09
    let world = world();
    let fields = crate::fakes::wechat::notification(&APP, "FAIL-1", 100);
    world.wechat.order(&APP, "FAIL-1").paid(100);
    world.upstream.answers_once(Reply::xml("<xml><return_code><![CDATA[FAIL]]></return_code></xml>"));
    world.upstream.answers(Reply::xml("<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"));
    let answer = world.wechat_calls_back("app", fields, APP.key, crate::fakes::wechat::SignType::Md5);
    assert!(answer.text().contains("FAIL"));
    assert_eq!(delivered(&world, "FAIL-1", 2).len(), 2);
    stands(&world, "FAIL-1", "accepted");
}

#[test]
fn what_the_route_wants_to_read_must_be_in_the_answer() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["accepted"] = json!({ "status": 200, "body_contains": "marked-paid" });
    });
    world.wechat.order(&APP, "BODY-1").paid(100);
    world.upstream.answers_once(Reply::ok(b"<html>please log in</html>"));
    world.upstream.answers_once(Reply::Says { status: 201, content_type: "text/plain", body: b"marked-paid".to_vec() });
    assert_eq!(world.app_callback("BODY-1").status(), 200);
    assert_eq!(delivered(&world, "BODY-1", 3).len(), 3);
    stands(&world, "BODY-1", "accepted");
}

#[test]
fn an_order_that_stays_unpaid_is_parked_when_the_time_is_over() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["follow_up"]["ask_again_for"] = json!("500ms");
    });
    world.wechat.order(&APP, "NEVER-1");
    assert_eq!(world.app_callback("NEVER-1").status(), 503);
    assert_eq!(stands(&world, "NEVER-1", "parked")["reason"], "gave-up-asking");
    world.upstream_saw_nothing();
}

#[test]
fn an_order_that_nobody_accepts_is_parked_when_the_time_is_over_and_stops_nobody() {
    // D-08
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["follow_up"]["redeliver_for"] = json!("500ms");
    });
    world.wechat.order(&APP, "POISON-1").paid(100);
    let refused = Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() };
    world.upstream.answers(refused);
    assert_eq!(world.app_callback("POISON-1").status(), 500);
    let entry = stands(&world, "POISON-1", "parked");
    assert_eq!(entry["reason"], "gave-up-delivering");
    assert!(entry["attempts"].as_u64().unwrap() >= 2, "{entry}");
    world.upstream.answers(Reply::ok(b"order-marked-paid"));
    world.wechat.order(&APP, "AFTER-1").paid(100);
    assert_eq!(world.app_callback("AFTER-1").status(), 200);
    let ended = world.command(&["redeliver", "POISON-1"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    stands(&world, "POISON-1", "accepted");
}

#[test]
fn an_order_that_is_closed_while_it_is_asked_about_is_closed() {
    let world = world();
    world.wechat.order(&APP, "CLOSED-1").states(&["NOTPAY", "CLOSED"]);
    assert_eq!(world.app_callback("CLOSED-1").status(), 503);
    let entry = stands(&world, "CLOSED-1", "closed");
    assert_eq!((&entry["reason"], &entry["due_at"]), (&json!("closed"), &Value::Null));
    world.upstream_saw_nothing();
}

#[test]
fn a_claim_that_turns_out_wrong_is_parked_and_never_sent() {
    let world = world();
    world.wechat.order(&APP, "WRONG-1").states(&["NOTPAY", "SUCCESS"]).field("total_fee", "1");
    assert_eq!(world.callback("OrderID=WRONG-1&TotalFee=6600").status(), 503);
    assert_eq!(stands(&world, "WRONG-1", "parked")["reason"], "amount-differs");
    world.upstream_saw_nothing();
}

#[test]
fn a_forged_claim_does_not_take_the_true_ones_place() {
    let world = world();
    world.wechat.order(&APP, "TRUE-1").states(&["NOTPAY", "NOTPAY", "NOTPAY", "SUCCESS"]).field("total_fee", "6600");
    assert_eq!(world.callback("OrderID=TRUE-1&TotalFee=1").status(), 503);
    assert_eq!(world.callback("OrderID=TRUE-1&TotalFee=6600").status(), 503);
    let seen = delivered(&world, "TRUE-1", 1);
    assert_eq!(seen[0].text(), "OrderID=TRUE-1&TotalFee=6600");
    until("the forged one to be parked", || {
        let ended = world.command(&["explain", "TRUE-1", "--json"]);
        let value: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        let mut states: Vec<_> =
            value["entries"].as_array().unwrap().iter().map(|entry| entry["state"].clone()).collect();
        states.sort_by_key(ToString::to_string);
        states == [json!("accepted"), json!("parked")]
    });
    assert_eq!(world.upstream.requests_for("TRUE-1").len(), 1);
}

#[test]
fn an_order_refunded_while_it_waits_is_held_or_sent_as_its_channel_says() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["cache"]["paid"] = json!("50ms");
        setup.config["channels"]["hmac"]["on_refunded"] = json!("forward");
    });
    let refused = || Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() };
    world.wechat.order(&APP, "BACK-1").states(&["SUCCESS", "REFUND"]);
    world.upstream.answers_once(refused());
    assert_eq!(world.app_callback("BACK-1").status(), 500);
    let entry = stands(&world, "BACK-1", "parked");
    assert_eq!((&entry["reason"], &entry["attempts"]), (&json!("refunded"), &json!(1)));
    world.wechat.order(&C1, "BACK-2").states(&["SUCCESS", "REFUND"]);
    world.upstream.answers_once(refused());
    let request = Request::post("/pay/json").json(r#"{"data":{"order_id":"BACK-2","channel":"hmac"}}"#);
    assert_eq!(world.send(&request).status(), 500);
    assert_eq!(delivered(&world, "BACK-2", 2)[1].folded("X-Verified-Trade-State"), ["REFUND"]);
}

#[test]
fn an_order_that_was_refunded_before_its_only_callback_is_held_with_its_transaction_id() {
    let world = world();
    world.wechat.order(&APP, "BACK-3").state("REFUND");
    assert_eq!(world.app_callback("BACK-3").status(), 402);
    let entry = stands(&world, "BACK-3", "parked");
    let transaction_id = crate::fakes::wechat::transaction_id(&APP, "BACK-3");
    assert_eq!(entry["payment"]["transaction_id"], transaction_id.as_str());
    assert_eq!(entry["payment"]["trade_state"], "REFUND");
}

#[test]
fn an_old_verdict_is_confirmed_again_before_it_is_sent_again() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["cache"]["paid"] = json!("50ms");
    });
    world.wechat.order(&APP, "OLD-1").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    assert_eq!(world.app_callback("OLD-1").status(), 502);
    delivered(&world, "OLD-1", 2);
    assert!(world.wechat.asked("OLD-1") >= 2);
}

#[test]
fn an_upstream_that_acts_and_drops_the_answer_gets_the_same_delivery_again() {
    // D-05
    let world = world();
    world.wechat.order(&APP, "ACTED-1").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    assert_eq!(world.app_callback("ACTED-1").status(), 502);
    let seen = delivered(&world, "ACTED-1", 2);
    assert_eq!(seen[0].folded("X-Tollgate-Delivery"), seen[1].folded("X-Tollgate-Delivery"));
    assert_eq!(
        (seen[0].folded("X-Tollgate-Attempt"), seen[1].folded("X-Tollgate-Attempt")),
        (vec!["1".into()], vec!["2".into()])
    );
}

#[test]
fn the_blank_is_filled_and_get_requests_keep_their_query_when_they_are_sent_again() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.route("app")["fill"] = json!("WeixinTransactionID");
    });
    let transaction_id = world.wechat.order(&APP, "FILL-9").paid(100);
    world.wechat.order(&APP, "GET-9").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    assert_eq!(world.callback("OrderID=FILL-9&WeixinTransactionID=&x=1").status(), 502);
    let seen = delivered(&world, "FILL-9", 2);
    assert_eq!(seen[1].text(), format!("OrderID=FILL-9&WeixinTransactionID={transaction_id}&x=1"));
    world.upstream.answers_once(Reply::half());
    assert_eq!(world.send(&Request::get("/pay/success?OrderID=GET-9&a=%20")).status(), 502);
    assert_eq!(delivered(&world, "GET-9", 2)[1].line(), "GET /pay/success?OrderID=GET-9&a=%20 HTTP/1.1");
}

#[test]
fn what_the_sender_repeats_successfully_is_not_sent_again() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["follow_up"]["redeliver"] = json!(["700ms"]);
    });
    world.wechat.order(&APP, "REPEAT-1").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    assert_eq!(world.app_callback("REPEAT-1").status(), 502);
    assert_eq!(world.app_callback("REPEAT-1").status(), 200);
    let entry = stands(&world, "REPEAT-1", "accepted");
    assert_eq!((&entry["attempts"], &entry["due_at"]), (&json!(2), &Value::Null));
}

#[test]
fn in_observe_mode_nothing_unconfirmed_is_followed_up() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["mode"] = json!("observe");
    });
    world.wechat.order(&APP, "WATCH-1").states(&["NOTPAY", "SUCCESS"]);
    assert_eq!(world.app_callback("WATCH-1").status(), 200);
    assert_eq!(stands(&world, "WATCH-1", "closed")["reason"], "not-paid-yet");
    assert_eq!(world.upstream.requests_for("WATCH-1").len(), 1);
}

#[test]
fn in_observe_mode_what_the_upstream_failed_to_take_unconfirmed_is_not_followed_up_either() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["mode"] = json!("observe");
    });
    world.wechat.order(&APP, "WATCH-2").states(&["NOTPAY", "SUCCESS"]);
    world.upstream.answers_once(Reply::Breaks);
    assert_eq!(world.app_callback("WATCH-2").status(), 502);
    assert_eq!(stands(&world, "WATCH-2", "closed")["due_at"], Value::Null);
}

#[test]
fn a_backlog_of_one_merchant_does_not_hold_up_another() {
    // D-08
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["wechat"]["queries_per_second"] = json!(20);
        setup.config["follow_up"]["ask_again"] = json!(["1ms"]);
        setup.config["limits"] = json!({ "rate_per_address": 0 });
    });
    // Their questions alone would take ten seconds and more.
    for index in 0..150 {
        assert_eq!(world.app_callback(&format!("CROWD-{index}")).status(), 503);
    }
    world.wechat.order(&C1, "OTHER-1").states(&["NOTPAY", "SUCCESS"]);
    let request = Request::post("/pay/json").json(r#"{"data":{"order_id":"OTHER-1","channel":"hmac"}}"#);
    assert_eq!(world.send(&request).status(), 503);
    delivered(&world, "OTHER-1", 1);
    assert!(world.wechat.queries().len() < 150 + 60, "the crowd was not asked about again before");
}

#[test]
fn without_a_journal_the_gate_says_so_and_goes_on() {
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["journal"] = json!("none");
    });
    world.wechat.order(&APP, "NONE-1").paid(100);
    assert_eq!(world.app_callback("NONE-1").status(), 200);
    assert_eq!(world.app_callback("NONE-1").status(), 200);
    assert_eq!(world.upstream.requests()[1].folded("X-Tollgate-Attempt"), ["2"]);
    until("the warning", || world.gate.log().contains("journal: none"));
    assert!(!world.dir().join("journal.db").exists());
}
