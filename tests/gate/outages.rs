//! Corners of an outage: order systems that hang, few workers, starts and changes in the middle of it. Whatever it was, what waits
//! goes out when the order system takes something again.

use crate::fakes::upstream::{Reply, Upstream};
use crate::fakes::wechat::{APP, C1};
use crate::follow_up::stands;
use crate::harness::{Setup, World, until};
use crate::reload::reload;
use serde_json::json;

const LONG: &str = "30m";

fn refusal() -> Reply {
    Reply::Says { status: 503, content_type: "text/plain", body: b"Fatal error".to_vec() }
}

/// A gate whose held orders stay where they are unless something moves them.
fn world(change: impl FnOnce(&mut Setup)) -> World {
    World::with(|setup| {
        setup.config["follow_up"] =
            json!({ "ask_again": [LONG], "redeliver": [LONG], "probe": "1s", "pace": 20, "concurrency": 64 });
        change(setup);
    })
}

/// The upstream refuses the callbacks of so many orders.
fn held(world: &World, prefix: &str, orders: usize) {
    world.upstream.answers(refusal());
    for order in (0..orders).map(|index| format!("{prefix}-{index}")) {
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 503, "{order}");
        stands(world, &order, "delivering");
    }
}

fn states(world: &World) -> Vec<String> {
    let upstreams = world.admin_json("/api/overview")["upstreams"].clone();
    let state = |upstream: &serde_json::Value| upstream["state"].as_str().unwrap().to_owned();
    upstreams.as_array().unwrap().iter().map(state).collect()
}

fn fails(world: &World) -> bool {
    states(world).iter().any(|state| state == "failing")
}

fn accepted(world: &World) -> i64 {
    world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'")
}

/// A callback of the other account.
fn c1_callback(world: &World, order: &str) -> u16 {
    let id = world.wechat.order(&C1, order).paid(100);
    let form = format!("OrderID={order}&paymentcenter_id={order}&ChannelID=2&CustomerID=c1&WeixinTransactionID={id}");
    world.callback(&form).status()
}

#[test]
fn a_probe_that_hung_while_another_was_accepted_is_not_left_for_its_timer() {
    let world = world(|setup| setup.config["follow_up"]["upstream_timeout"] = json!("3s"));
    held(&world, "HUNG", 5);
    until("it to be failing", || fails(&world));
    world.upstream.answers(Reply::Hangs);
    let before = world.upstream.requests().len();
    until("a probe", || world.upstream.requests().len() == before + 1);
    world.upstream.answers(Reply::ok(b"booked"));
    until("all to be accepted", || accepted(&world) == 5);
}

#[test]
fn with_one_worker_an_order_system_that_hangs_keeps_no_other_waiting() {
    let other = Upstream::start();
    let world = world(|setup| {
        setup.channel_upstream("2/c1", &other);
        setup.config["follow_up"]["concurrency"] = json!(1);
        setup.config["follow_up"]["upstream_timeout"] = json!("1m");
        setup.config["follow_up"]["redeliver"] = json!(["3s", LONG]);
    });
    held(&world, "HANGS", 5);
    until("it to be failing", || fails(&world));
    world.upstream.answers(Reply::Hangs);
    let before = world.upstream.requests().len();
    until("a probe", || world.upstream.requests().len() > before);
    other.answers_once(refusal());
    assert_eq!(c1_callback(&world, "OTHER-1"), 503);
    stands(&world, "OTHER-1", "accepted");
}

#[test]
fn what_waits_for_a_channel_that_moves_to_an_order_system_in_use_goes_out_there() {
    let other = Upstream::start();
    let world = world(|setup| setup.channel_upstream("2/c1", &other));
    assert_eq!(c1_callback(&world, "OTHER-1"), 200);
    held(&world, "MOVES", 6);
    until("it to be failing", || fails(&world));
    assert_eq!(c1_callback(&world, "OTHER-2"), 200);
    reload(&world, |config| config["upstream"] = json!(format!("http://{}", other.addr)));
    until("all to be accepted there", || accepted(&world) == 8);
}

#[test]
fn a_start_in_an_outage_finds_out_with_three_orders_too() {
    let mut world = world(|_| ());
    held(&world, "FEW", 3);
    world.kill9();
    world.restart();
    until("it to be failing", || fails(&world));
    world.upstream.answers(Reply::ok(b"booked"));
    until("all to be accepted", || accepted(&world) == 3);
}
