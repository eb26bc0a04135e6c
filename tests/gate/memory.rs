//! What bodies take together has a ceiling (`limits.memory`), whoever holds them back: the slowest give way, and small
//! callbacks come through meanwhile.

use crate::fakes::wechat::APP;
use crate::harness::{World, until};
use crate::wire::{FORM, Request, Wire};
use serde_json::json;
use std::thread;

/// With a large body and what is beside it, 13 fit into this.
const MEMORY: &str = "1MiB";
const FIT: usize = 13;
const LARGE: usize = 60_000;

fn world() -> World {
    let world = World::with(|setup| {
        setup.config["limits"] = json!({ "memory": MEMORY, "body_timeout": "120s" });
        setup.config["deadline"] = json!("60s");
        setup.config["confirm_deadline"] = json!("30s");
    });
    world.wechat.order(&APP, "MEMORY-1").paid(100);
    world
}

fn form(order: &str, bytes: usize) -> String {
    let start = format!("OrderID={order}&x=");
    format!("{start}{}", "x".repeat(bytes - start.len()))
}

fn large(order: &str) -> Request {
    Request::post("/pay/success").form(form(order, LARGE))
}

/// A large callback of which so much of the body has come.
fn half_sent(world: &World, bytes: usize) -> Wire {
    let mut wire = Wire::to(world.gate.addr);
    wire.send(format!("{FORM}Content-Length: {LARGE}\r\n\r\n{}", &form("SLOW-1", LARGE)[..bytes]).as_bytes());
    wire
}

/// The large callback comes through; what is before it may be fresh still.
fn large_comes_through(world: &World) {
    until("a large callback to come through", || match world.send(&large("MEMORY-1")).status() {
        200 => true,
        status => {
            assert_eq!(status, 503);
            false
        }
    });
}

#[test]
fn the_slowest_of_many_half_sent_bodies_give_way_and_honest_callbacks_come_through() {
    let world = world();
    let crowd: Vec<_> = (0..60).map(|_| half_sent(&world, 50_000)).collect();
    assert_eq!(world.app_callback("MEMORY-1").status(), 200);
    large_comes_through(&world);
    assert_eq!(world.app_callback("MEMORY-1").status(), 200);
    // All but those that fit are told long before limits.body_timeout is over: the slow that they were, others to come again.
    let told = |reason: &str| world.gate.summaries().iter().filter(|line| line["reason"] == reason).count();
    until("those that do not fit to be told", || told("request-timeout") + told("overloaded") >= 60 - FIT);
    until("one that was slow to be told so", || told("request-timeout") > 0);
    drop(crowd);
    assert_eq!(world.upstream.requests().len(), 3);
}

#[test]
fn what_is_announced_and_does_not_come_takes_nothing() {
    let world = world();
    let mut crowd: Vec<_> =
        (0..200).map(|_| half_sent(&world, 0)).chain((0..200).map(|_| half_sent(&world, 2000))).collect();
    assert_eq!(world.send(&large("MEMORY-1")).status(), 200);
    // Nobody gave way: each of them can go on.
    let mut last = crowd.pop().unwrap();
    last.send(&form("MEMORY-1", LARGE).as_bytes()[2000..]);
    assert_eq!(last.answer().unwrap().status(), 503);
}

#[test]
fn bodies_that_are_worked_on_count_until_they_are_done_with() {
    let world = world();
    world.wechat.hold();
    thread::scope(|scope| {
        let world = &world;
        for order in (1..=FIT).map(|index| format!("MEMORY-{index}")) {
            world.wechat.order(&APP, &order).paid(100);
            scope.spawn({
                let order = order.clone();
                move || assert_eq!(world.send(&large(&order)).status(), 200)
            });
            until("it to be worked on", || world.wechat.asked(&order) == 1);
        }
        let answer = world.send(&large("MEMORY-1"));
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "overloaded"));
        assert!(answer.header("Retry-After").is_some());
        world.wechat.order(&APP, "SMALL-1").paid(100);
        scope.spawn(|| assert_eq!(world.app_callback("SMALL-1").status(), 200));
        until("a small one to be worked on", || world.wechat.asked("SMALL-1") == 1);
        world.wechat.release();
    });
    large_comes_through(&world);
}
