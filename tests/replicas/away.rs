//! The database is away: nothing is forwarded that is not recorded, nothing is lost, and all are back by themselves.

use crate::fleet::{Fleet, is_ready};
use crate::harness::within;
use crate::postgres::Postgres;
use crate::wire::{PATIENCE, Request};
use serde_json::json;
use std::sync::Arc;

#[test]
fn while_the_database_is_down_gates_refuse_what_is_new_and_are_back_by_themselves() {
    let server = Arc::new(Postgres::start());
    let fleet = Fleet::with(2, Some(Arc::clone(&server)), |config| config["routes"][0]["duplicates"] = json!("absorb"));
    fleet.is_paid("BEFORE");
    assert_eq!(fleet.callback(0, "BEFORE").status(), 200);
    server.crashes();
    fleet.is_paid("DURING");
    let refused = fleet.callback(0, "DURING");
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").is_some(), "{}", refused.line());
    assert_eq!(fleet.callback(0, "BEFORE").status(), 200, "what this gate knows as accepted is absorbed as ever");
    assert!(fleet.attempts("DURING").is_empty());
    for gate in 0..2 {
        is_ready(&fleet, gate, 503);
        assert_eq!(fleet.admin(gate, Request::get("/healthz")).status(), 200, "no reason to restart a gate");
    }
    server.starts();
    fleet.are_ready();
    let answered = || fleet.callback(1, "DURING").status() == 200;
    assert!(within(PATIENCE, answered), "callbacks pass again");
    assert_eq!(fleet.attempts("BEFORE"), [1]);
}

#[test]
fn in_observe_mode_callbacks_pass_without_a_record_or_a_number_while_the_database_is_down() {
    let server = Arc::new(Postgres::start());
    let fleet = Fleet::with(1, Some(Arc::clone(&server)), |config| config["mode"] = json!("observe"));
    server.crashes();
    fleet.is_paid("OBSERVED");
    assert_eq!(fleet.callback(0, "OBSERVED").status(), 200);
    let requests = fleet.upstream.requests_for("OBSERVED");
    assert_eq!(requests.len(), 1);
    assert!(requests[0].header("X-Tollgate-Attempt").is_none(), "{requests:?}");
    let ready = fleet.admin(0, Request::get("/readyz"));
    assert_eq!(ready.status(), 200, "a balancer must not cut off what would pass: {}", ready.text());
    server.starts();
}

#[test]
fn what_is_at_the_upstream_when_the_database_goes_is_noted_when_it_is_back() {
    let server = Arc::new(Postgres::start());
    let fleet = Fleet::with(1, Some(Arc::clone(&server)), |config| config["routes"][0]["duplicates"] = json!("absorb"));
    fleet.is_paid("AT-THE-UPSTREAM");
    fleet.upstream.hold();
    std::thread::scope(|scope| {
        let callback = scope.spawn(|| fleet.callback(0, "AT-THE-UPSTREAM").status());
        assert!(fleet.is_delivered("AT-THE-UPSTREAM", PATIENCE));
        server.crashes();
        fleet.upstream.release();
        assert_eq!(callback.join().unwrap(), 200);
    });
    server.starts();
    let noted = || fleet.sql("SELECT count(*) FROM tollgate.delivery WHERE accepted_at IS NOT NULL") == "1";
    assert!(within(PATIENCE * 2, noted), "the acceptance is lost");
    assert_eq!(fleet.attempts("AT-THE-UPSTREAM"), [1]);
}
