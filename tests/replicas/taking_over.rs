//! What a gate held that is gone, others deliver; one that sleeps past its lease begins nothing when it wakes.

use crate::fakes::upstream::Reply;
use crate::fleet::{Fleet, LEASE, is_ready};
use crate::harness::{until, within};
use crate::wire::PATIENCE;
use std::time::Duration;

#[test]
fn what_a_killed_gate_held_another_delivers() {
    let mut fleet = Fleet::of(2);
    fleet.upstream.answers(Reply::Hangs);
    let orders: Vec<_> = (0..12).map(|index| format!("KILLED-{index}")).collect();
    orders.iter().for_each(|order| fleet.is_paid(order));
    std::thread::scope(|scope| {
        let fleet = &fleet;
        let callbacks: Vec<_> = orders.iter().map(|order| scope.spawn(move || fleet.asks(0, order))).collect();
        until("all of them to be sent", || orders.iter().all(|order| !fleet.attempts(order).is_empty()));
        fleet.gate(0).kill();
        callbacks.into_iter().for_each(|callback| drop(callback.join()));
    });
    fleet.kills(0);
    fleet.upstream.answers(Reply::ok(b"taken"));
    let all = || orders.iter().all(|order| fleet.attempts(order).len() > 1);
    assert!(within(LEASE * 10, all), "not all was taken over");
}

#[test]
fn what_was_taken_in_and_not_answered_by_a_killed_gate_is_not_lost() {
    let mut fleet = Fleet::of(2);
    fleet.is_paid("UNASKED");
    fleet.wechat.hold();
    std::thread::scope(|scope| {
        let fleet = &fleet;
        let callback = scope.spawn(move || fleet.asks(0, "UNASKED"));
        until("it to be taken in", || fleet.sql("SELECT count(*) FROM tollgate.entry") == "1");
        fleet.gate(0).kill();
        drop(callback.join());
    });
    fleet.kills(0);
    fleet.wechat.release();
    assert!(fleet.is_delivered("UNASKED", LEASE * 10));
}

#[test]
fn a_gate_that_slept_past_its_lease_comes_back_as_a_new_one_and_sends_nothing_of_the_old() {
    let fleet = Fleet::of(2);
    fleet.is_paid("SLEEPER");
    fleet.wechat.hold();
    std::thread::scope(|scope| {
        let fleet = &fleet;
        let callback = scope.spawn(move || fleet.asks(0, "SLEEPER"));
        until("it to be taken in", || fleet.sql("SELECT count(*) FROM tollgate.entry") == "1");
        fleet.puts_to_sleep(0);
        fleet.wechat.release();
        assert!(fleet.is_delivered("SLEEPER", LEASE * 10), "the other delivers");
        fleet.wakes(0);
        drop(callback.join());
    });
    is_ready(&fleet, 0, 200);
    // Whatever its sender was told, the numbers rise, and none is seen twice.
    let attempts = fleet.attempts("SLEEPER");
    assert!(attempts.is_sorted(), "{attempts:?}");
    assert_eq!(fleet.callback(0, "SLEEPER").status(), 200, "it works as before");
}

#[test]
fn a_gate_that_ends_orderly_gives_everything_back_at_once() {
    let mut fleet = Fleet::with(2, None, |config| config["journal"]["lease"] = serde_json::json!("2m"));
    fleet.upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    fleet.is_paid("ORDERLY");
    fleet.callback(0, "ORDERLY");
    fleet.gate(0).signal(nix::sys::signal::Signal::SIGTERM);
    assert!(fleet.gate(0).ends().success());
    fleet.kills(0);
    let before = fleet.attempts("ORDERLY").len();
    fleet.upstream.answers(Reply::ok(b"taken"));
    let more = || fleet.attempts("ORDERLY").len() > before;
    assert!(within(PATIENCE, more), "the other waits for a lease of two minutes");
    until("nobody to be gone and hold something", || {
        fleet.sql("SELECT count(*) FROM tollgate.entry WHERE holder IS NOT NULL AND state <> 'delivering'") == "0"
    });
}

#[test]
fn the_order_of_a_sender_that_hung_up_on_a_gate_cut_off_is_delivered_by_another() {
    let fleet = Fleet::of(2);
    fleet.is_paid("CUT-OFF");
    fleet.wechat.hold();
    std::thread::scope(|scope| {
        let fleet = &fleet;
        let callback = scope.spawn(move || fleet.asks(0, "CUT-OFF"));
        until("it to be taken in", || fleet.sql("SELECT count(*) FROM tollgate.entry") == "1");
        fleet.proxies[0].is_silent(true);
        fleet.wechat.release();
        drop(callback.join());
    });
    assert!(fleet.is_delivered("CUT-OFF", LEASE * 10));
    fleet.proxies[0].is_silent(false);
    assert!(within(Duration::from_secs(20), || fleet.ready(0) == 200), "it comes back by itself");
}
