//! What the journal keeps, how long, and that nobody can fill it with orders he made up.

use crate::fakes::wechat::APP;
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use serde_json::{Value, json};

fn records(world: &World) -> Vec<Value> {
    let ended = world.command(&["journal", "export"]);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_was_kept_long_enough_is_removed_and_what_is_not_finished_stays() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.config["journal"]["keep"] = json!("1ms");
        setup.config["follow_up"]["redeliver"] = json!(["1h"]);
    });
    world.wechat.order(&APP, "DONE-1").paid(100);
    assert_eq!(world.app_callback("DONE-1").status(), 200);
    stands(&world, "DONE-1", "accepted");
    world.wechat.order(&APP, "OPEN-1").paid(100);
    world.upstream.answers_once(crate::fakes::upstream::Reply::half());
    assert_eq!(world.app_callback("OPEN-1").status(), 502);
    stands(&world, "OPEN-1", "delivering");
    // It is cleaned at the start, and each minute.
    world.restart();
    until("the finished one to be removed", || records(&world).len() == 1);
    assert_eq!(explained(&world, "OPEN-1")["state"], "delivering");
}

#[test]
fn made_up_orders_cannot_fill_the_journal_nor_keep_a_paid_one_out() {
    //
    let world = World::with(|setup| {
        Setup::hurry(setup);
        setup.config["follow_up"]["ask_again"] = json!(["1h"]);
        setup.config["journal"]["unconfirmed"] = json!(100);
    });
    for index in 0..150 {
        assert_eq!(world.app_callback(&format!("MADE-UP-{index}")).status(), 503);
    }
    assert_eq!(records(&world).len(), 100);
    world.wechat.order(&APP, "REAL-1").paid(100);
    assert_eq!(world.app_callback("REAL-1").status(), 200);
    let entry = stands(&world, "REAL-1", "accepted");
    assert_eq!(entry["attempts"], 1);
    assert_eq!(records(&world).len(), 101);
}
