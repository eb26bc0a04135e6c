//! Stopping: what was taken in is finished, and nobody waits for ever (D-13).

use crate::fakes::wechat::APP;
use crate::harness::{World, until};
use crate::wire::{Request, Wire};
use nix::sys::signal::Signal;
use serde_json::json;
use std::net::TcpStream;
use std::thread;

/// A callback that waits for the upstream while `then` happens; its status.
fn in_flight(world: &World, then: impl FnOnce()) -> u16 {
    world.wechat.order(&APP, "STOP-1").paid(100);
    world.upstream.hold();
    thread::scope(|scope| {
        let callback = scope.spawn(|| world.app_callback("STOP-1").status());
        until("the callback to reach the upstream", || world.upstream.requests().len() == 1);
        then();
        callback.join().unwrap()
    })
}

#[test]
fn a_signal_lets_callbacks_in_flight_finish_and_ends_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let world = World::new();
        let status = in_flight(&world, || {
            world.gate.signal(signal);
            until("the gate to stop listening", || TcpStream::connect(world.gate.addr).is_err());
            assert!(world.gate.is_running());
            world.upstream.release();
        });
        assert_eq!(status, 200, "{signal}");
        assert_eq!(world.gate.ends().code(), Some(0), "{signal}");
    }
}

#[test]
fn idle_connections_do_not_keep_the_gate_from_ending() {
    let world = World::new();
    world.wechat.order(&APP, "STOP-2").paid(100);
    let silent = Wire::to(world.gate.addr);
    let mut idle = Wire::to(world.gate.addr);
    idle.send(&Request::post("/pay/success").form("OrderID=STOP-2").kept_alive());
    assert_eq!(idle.answer().unwrap().status(), 200);
    let since = std::time::Instant::now();
    world.gate.signal(Signal::SIGTERM);
    assert_eq!(world.gate.ends().code(), Some(0));
    assert!(since.elapsed().as_secs() < 4, "{:?}", since.elapsed());
    drop(silent);
}

#[test]
fn a_second_signal_does_not_wait() {
    let world = World::new();
    world.wechat.order(&APP, "STOP-3").paid(100);
    world.upstream.hold();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=STOP-3").bytes());
    until("the callback to reach the upstream", || world.upstream.requests().len() == 1);
    world.gate.signal(Signal::SIGTERM);
    until("the gate to stop listening", || TcpStream::connect(world.gate.addr).is_err());
    world.gate.signal(Signal::SIGTERM);
    let since = std::time::Instant::now();
    let ended = world.gate.ends();
    assert!(since.elapsed().as_secs() < 3, "{:?}", since.elapsed());
    assert_ne!(ended.code(), Some(0), "work was lost, so it is no success");
}

#[test]
fn the_grace_has_an_end() {
    let world = World::with(|setup| {
        setup.config["shutdown_grace"] = json!("300ms");
        setup.config["deadline"] = json!("30s");
    });
    world.wechat.order(&APP, "STOP-4").paid(100);
    world.upstream.hold();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=STOP-4").bytes());
    until("the callback to reach the upstream", || world.upstream.requests().len() == 1);
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
}

#[test]
fn an_answer_during_the_drain_closes_its_connection() {
    let world = World::new();
    world.wechat.order(&APP, "STOP-5").paid(100);
    world.upstream.hold();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=STOP-5").kept_alive());
    until("the callback to reach the upstream", || world.upstream.requests().len() == 1);
    world.gate.signal(Signal::SIGTERM);
    until("the gate to stop listening", || TcpStream::connect(world.gate.addr).is_err());
    world.upstream.release();
    let answer = wire.answer().unwrap();
    world.heard(&answer);
    assert_eq!(answer.status(), 200);
    assert!(wire.closes());
}
