//! The disk fails: nothing new is taken in, what is known goes on, and the gate recovers by itself when the disk does (D-03).

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::faults::{power_cut, world_on_a_disk};
use crate::harness::{World, until};
use crate::wire::Message;
use serde_json::json;
use std::time::{Duration, Instant};

/// The APP calls back for an order that is paid.
fn paid(world: &World, order: &str) -> Message {
    world.wechat.order(&APP, order).paid(100);
    world.app_callback(order)
}

/// The legacy system has taken an order.
fn taken(world: &World, order: &str) -> bool {
    world.upstream.acted_after(0).iter().any(|acted| acted.request.text() == format!("OrderID={order}"))
}

/// The legacy system takes nothing.
fn fails() -> Reply {
    Reply::Says { status: 500, content_type: "text/plain", body: b"database gone".to_vec() }
}

fn is_refused(world: &World, answer: &Message) {
    assert_eq!((answer.status(), world.reason(answer).as_str()), (503, "journal-unavailable"));
}

/// The gate takes in again. Every try is an order of its own; the last one's name.
fn takes_in_again(world: &World) -> String {
    let mut tries = 0;
    until("the gate to take in again", || {
        tries += 1;
        paid(world, &format!("AGAIN-{tries}")).status() != 503
    });
    format!("AGAIN-{tries}")
}

/// Everything around one fault that lasts for a while.
fn lasts_a_while(fault: &str) {
    let (mut world, disk) = world_on_a_disk(|_| ());
    assert_eq!(paid(&world, "CACHED").status(), 200);
    world.wechat.order(&APP, "UNDECIDED").state("NOTPAY");
    assert_eq!(world.app_callback("UNDECIDED").status(), 503);
    world.upstream.answers(fails());
    assert_eq!(paid(&world, "KNOWN").status(), 500);

    disk.does(fault);
    is_refused(&world, &paid(&world, "NEW"));
    world.upstream.answers(Reply::ok(b"taken"));
    assert_eq!(world.app_callback("CACHED").status(), 200, "what is known and cached passes");
    until("an order that was known to be sent again", || taken(&world, "KNOWN"));
    is_refused(&world, &paid(&world, "NEWER"));
    assert!(world.upstream.requests_for("NEW").is_empty(), "what was not taken in was sent");

    disk.works();
    let again = takes_in_again(&world);
    world.upstream.answers(fails());
    assert_eq!(paid(&world, "LATER").status(), 500);
    power_cut(&world);
    world.upstream.answers(Reply::ok(b"taken"));
    world.wechat.order(&APP, "UNDECIDED").paid(100);
    world.restart();
    for order in ["LATER", "UNDECIDED", "KNOWN", &again] {
        until(order, || taken(&world, order));
    }
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" LIKE 'NEW%'"), 0);
}

#[test]
fn d03_while_fsync_fails_nothing_new_is_taken_in_and_what_is_known_goes_on() {
    lasts_a_while("fsync-eio");
}

#[test]
fn while_the_disk_is_full_nothing_new_is_taken_in_and_what_is_known_goes_on() {
    lasts_a_while("enospc");
}

/// PostgreSQL's trap: a second fsync of pages that the first one lost succeeds, and nothing is there.
#[test]
fn d03_after_one_failed_fsync_what_is_acknowledged_survives_a_power_cut() {
    let (mut world, disk) = world_on_a_disk(|_| ());
    world.upstream.answers(fails());
    assert_eq!(paid(&world, "BEFORE").status(), 500);
    until_all_is_written(&world, "BEFORE");
    disk.does("fsync-eio-once");
    is_refused(&world, &paid(&world, "CONCERNED"));
    let again = takes_in_again(&world);
    let orders = ["AFTER-1", "AFTER-2", "AFTER-3"];
    for order in orders {
        assert_eq!(paid(&world, order).status(), 500);
    }
    power_cut(&world);
    world.upstream.answers(Reply::ok(b"taken"));
    world.restart();
    for order in orders.into_iter().chain(["BEFORE", &again]) {
        until(order, || taken(&world, order));
    }
    assert_eq!(world.journal("SELECT count(*) FROM entry WHERE \"order\" = 'CONCERNED'"), 0);
}

/// Its sending is marked as ended, so that the next fsync is somebody else's.
fn until_all_is_written(world: &World, order: &str) {
    let sql = format!(
        "SELECT count(*) FROM attempt JOIN entry ON entry.id = attempt.entry
         WHERE \"order\" = '{order}' AND ended_at NOT NULL"
    );
    until("the journal to be written", || world.journal(&sql) > 0);
}

/// Taking in waits for the disk, and the sender for no longer than the deadline.
#[test]
fn a_disk_that_hangs_keeps_nobody_waiting_beyond_the_deadline() {
    let (world, disk) = world_on_a_disk(|setup| {
        setup.config["deadline"] = json!("1s");
        setup.config["confirm_deadline"] = json!("500ms");
    });
    disk.does("hold-writes");
    let since = Instant::now();
    is_refused(&world, &paid(&world, "HANGS-1"));
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert!(world.upstream.requests().is_empty());
    disk.works();
    takes_in_again(&world);
}

/// Without a shim: the system itself lets none of the gate's files grow beyond this.
fn files_may_have(world: &World, bytes: &str) {
    let pid = world.gate.pid().to_string();
    // The soft limit only, which anybody may raise again.
    let limited = std::process::Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
    assert!(limited.unwrap().success());
}

#[test]
fn a_file_that_may_not_grow_is_like_a_full_disk() {
    let world = World::with(crate::harness::Setup::hurry);
    world.upstream.answers(fails());
    assert_eq!(paid(&world, "KNOWN").status(), 500);
    files_may_have(&world, "4096");
    is_refused(&world, &paid(&world, "NEW"));
    world.upstream.answers(Reply::ok(b"taken"));
    until("an order that was known to be sent again", || taken(&world, "KNOWN"));
    files_may_have(&world, "unlimited");
    takes_in_again(&world);
    assert!(world.gate.is_running() && world.upstream.requests_for("NEW").is_empty());
}
