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
    let mut crowd: Vec<_> = (0..60).map(|_| half_sent(&world, 50_000)).collect();
    assert_eq!(world.app_callback("MEMORY-1").status(), 200);
    large_comes_through(&world);
    assert_eq!(world.app_callback("MEMORY-1").status(), 200);
    // All but those that fit are answered long before limits.body_timeout.
    let mut told = [0, 0];
    for wire in crowd.drain(..60 - FIT) {
        let mut wire = wire;
        let answer = wire.answer().expect("whoever gives way is told so");
        told[usize::from(answer.status() == 503)] += 1;
        match answer.status() {
            408 => assert_eq!(world.reason(&answer), "request-timeout"),
            503 => {
                assert_eq!(world.reason(&answer), "overloaded");
                assert!(answer.header("Retry-After").is_some());
            }
            status => panic!("{status}"),
        }
        assert!(wire.closes());
    }
    assert!(told[0] > 0, "none of the slow gave way: {told:?}");
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
    last.send(form("MEMORY-1", LARGE)[2000..].as_bytes());
    assert_eq!(last.answer().unwrap().status(), 503);
}

#[test]
fn bodies_that_are_worked_on_count_until_they_are_done_with() {
    let world = world();
    world.upstream.hold();
    thread::scope(|scope| {
        for index in 0..FIT {
            scope.spawn(|| assert_eq!(world.send(&large("MEMORY-1")).status(), 200));
            until("it to be worked on", || world.upstream.requests().len() == index + 1);
        }
        let answer = world.send(&large("MEMORY-1"));
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "overloaded"));
        assert!(answer.header("Retry-After").is_some());
        let small = world.app_callback("NOT-PAID");
        assert_eq!(world.reason(&small), "order-not-found");
        world.upstream.release();
    });
    large_comes_through(&world);
}
