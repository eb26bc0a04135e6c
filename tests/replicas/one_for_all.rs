//! What only one does at a time, and what all share.

use crate::fleet::{Fleet, LEASE};
use crate::harness::{until, within};
use serde_json::json;

const DUTY: &str = "SELECT r.name FROM tollgate.duty d JOIN tollgate.replica r ON r.incarnation = d.holder WHERE d.name = 'source:list'";

/// A source with one order that costs 100.
fn sourced(count: usize) -> (Fleet, tempfile::TempDir) {
    let dir = tempfile::TempDir::new().unwrap();
    let list = dir.path().join("unpaid.jsonl");
    std::fs::write(
        &list,
        r#"{"order": "LISTED", "channel": "app", "amount": 100, "created_at": "2026-11-22 10:00:00"}"#,
    )
    .unwrap();
    let fleet = Fleet::with(count, None, |config| {
        config["routes"][0]["synthesize"] = json!({ "body": "OrderID={{ order }}&TotalFee={{ amount }}" });
        config["pending_orders"] = json!([{ "name": "list", "every": "1s", "route": "app", "file": { "path": list } }]);
    });
    (fleet, dir)
}

#[test]
fn a_source_is_read_by_one_gate_and_by_another_when_that_is_gone() {
    let (mut fleet, _dir) = sourced(3);
    until("somebody to have the duty", || !fleet.sql(DUTY).is_empty());
    let first = fleet.sql(DUTY);
    let reading = |fleet: &Fleet, gate: usize| {
        let metrics = fleet.admin(gate, crate::wire::Request::get("/metrics")).text();
        let mut duty =
            metrics.lines().filter(|line| line.starts_with("tollgate_duty{") && line.contains("source:list"));
        duty.any(|line| line.ends_with(" 1.0"))
    };
    until("exactly that one to say so", || (0..3).all(|gate| reading(&fleet, gate) == (first == format!("r{gate}"))));
    fleet.kills(first.trim_start_matches('r').parse().unwrap());
    assert!(within(LEASE * 10, || ![String::new(), first.clone()].contains(&fleet.sql(DUTY))), "another takes it over");
}

#[test]
fn what_a_source_lists_for_one_gate_holds_for_all() {
    let (fleet, _dir) = sourced(2);
    until("it to be listed", || fleet.sql("SELECT count(*) FROM tollgate.listed") == "1");
    // Paid with less than the source says.
    fleet.wechat.order(&crate::fakes::wechat::APP, "LISTED").paid(1);
    for gate in 0..2 {
        assert_ne!(fleet.posts(gate, "OrderID=LISTED&TotalFee=1").status(), 200, "gate {gate}");
    }
    assert!(fleet.upstream.requests().is_empty(), "another price is a person's to decide");
}

#[test]
fn who_logs_out_at_one_gate_is_logged_out_at_all() {
    let fleet = Fleet::of(2);
    let cookie = fleet.logs_in(0);
    until("it to be let in at the other", || fleet.looks(1, &cookie) == 200);
    fleet.logs_out(0, &cookie);
    assert!(
        within(std::time::Duration::from_secs(50), || fleet.looks(1, &cookie) != 200),
        "the other still lets it in"
    );
}

#[test]
fn what_a_person_wants_at_one_gate_whoever_lives_carries_out() {
    let mut fleet = Fleet::of(2);
    fleet.is_paid("AGAIN");
    assert_eq!(fleet.callback(0, "AGAIN").status(), 200);
    until("its acceptance to be noted", || {
        fleet.sql("SELECT count(*) FROM tollgate.entry WHERE state = 'accepted'") == "1"
    });
    fleet.kills(0);
    let ended = fleet.command(1, &["redeliver", "AGAIN", "--override", "accepted", "--because", "it was lost"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    until("it to be sent again", || fleet.attempts("AGAIN") == [1, 2]);
}
