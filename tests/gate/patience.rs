//! How long the order system has: with a sender that waits what is left of the route's deadline, with nobody who waits a
//! time of its own. A stop does not wait for that, and loses nothing.

use crate::fakes::wechat::APP;
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until, within};
use crate::wire::Request;
use nix::sys::signal::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_millis(600);

fn impatient(setup: &mut Setup) {
    setup.hurry();
    setup.config["deadline"] = json!("600ms");
}

#[test]
fn a_redelivery_has_more_time_than_a_sender_that_waits() {
    let world = World::with(impatient);
    world.wechat.order(&APP, "SLOW-1").paid(100);
    world.upstream.hold();
    assert_eq!(world.app_callback("SLOW-1").status(), 504);
    let again = |count| move |world: &World| world.upstream.requests_for("SLOW-1").len() >= count;
    until("the redelivery", || again(2)(&world));
    // It is let work, for far longer than a sender would wait.
    assert!(!within(DEADLINE * 4, || again(3)(&world)), "it was cut off");
    assert_eq!(explained(&world, "SLOW-1")["state"], "delivering");
    world.upstream.release();
    stands(&world, "SLOW-1", "accepted");
    assert_eq!(world.upstream.requests_for("SLOW-1").len(), 2);
}

#[test]
fn the_time_for_what_nobody_waits_for_can_be_set() {
    let world = World::with(|setup| {
        impatient(setup);
        setup.config["follow_up"]["upstream_timeout"] = json!("300ms");
    });
    world.wechat.order(&APP, "SLOW-2").paid(100);
    world.upstream.hold();
    assert_eq!(world.app_callback("SLOW-2").status(), 504);
    until("it to be cut off and sent again", || world.upstream.requests_for("SLOW-2").len() >= 3);
    let sendings = explained(&world, "SLOW-2")["sendings"].clone();
    assert_eq!(sendings[1]["reason"], "upstream-timeout", "{sendings}");
}

#[test]
fn a_route_may_have_a_deadline_of_its_own() {
    let world = World::with(|setup| {
        setup.config["deadline"] = json!("30s");
        setup.config["confirm_deadline"] = json!("300ms");
        setup.config["follow_up"] = json!({ "redeliver": ["1h"] });
        setup.route("app")["deadline"] = json!("600ms");
    });
    world.wechat.order(&APP, "SHORT-1").paid(100);
    world.wechat.order(&APP, "LONG-1").paid(100);
    world.upstream.hold();
    std::thread::scope(|scope| {
        let long = scope.spawn(|| world.send(&Request::get("/pay/success?OrderID=LONG-1")).status());
        until("the patient sender's callback", || world.upstream.requests_for("LONG-1").len() == 1);
        assert_eq!(world.app_callback("SHORT-1").status(), 504);
        world.upstream.release();
        assert_eq!(long.join().unwrap(), 200);
    });
}

#[test]
fn a_stop_does_not_wait_for_a_slow_redelivery_and_loses_none() {
    let mut world = World::with(impatient);
    world.wechat.order(&APP, "SLOW-3").paid(100);
    world.upstream.hold();
    assert_eq!(world.app_callback("SLOW-3").status(), 504);
    until("the redelivery", || world.upstream.requests_for("SLOW-3").len() == 2);
    let since = Instant::now();
    world.gate.signal(Signal::SIGTERM);
    assert_eq!(world.gate.ends().code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    let log = world.gate.log();
    assert!(log.contains("what is under way is sent again after the start"), "{log}");
    let entry = explained(&world, "SLOW-3");
    assert_eq!((&entry["state"], &entry["accepted_at"]), (&json!("delivering"), &json!(null)), "{entry}");
    world.upstream.release();
    world.restart();
    let entry = stands(&world, "SLOW-3", "accepted");
    assert!(entry["attempts"].as_u64().unwrap() >= 3, "{entry}");
}
