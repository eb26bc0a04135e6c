//! Connections to the database that break, hang or are slow cost callbacks as little as can be.

use crate::fleet::{Fleet, is_ready};
use crate::harness::within;
use crate::wire::PATIENCE;
use std::time::{Duration, Instant};

#[test]
fn connections_that_were_cut_while_idle_cost_no_callback() {
    let fleet = Fleet::of(2);
    for round in 0..5 {
        fleet.proxies[0].cuts();
        let order = format!("CUT-{round}");
        fleet.is_paid(&order);
        assert_eq!(fleet.callback(0, &order).status(), 200, "{order}");
    }
}

#[test]
fn connections_that_the_server_ends_cost_no_callback() {
    let fleet = Fleet::of(1);
    for round in 0..5 {
        let gates = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{}'",
            fleet.database.name
        );
        fleet.server().sql("postgres", &gates);
        let order = format!("ENDED-{round}");
        fleet.is_paid(&order);
        assert_eq!(fleet.callback(0, &order).status(), 200, "{order}");
    }
}

#[test]
fn half_open_connections_are_given_up_after_the_timeout_and_callbacks_pass_again() {
    let fleet = Fleet::of(1);
    fleet.proxies[0].freezes();
    fleet.is_paid("HALF-OPEN");
    let passes = || fleet.callback(0, "HALF-OPEN").status() == 200;
    assert!(within(PATIENCE, passes), "nothing passes any more");
    is_ready(&fleet, 0, 200);
}

#[test]
fn a_silent_database_is_answered_for_before_the_deadline() {
    let fleet = Fleet::of(1);
    fleet.proxies[0].is_silent(true);
    fleet.is_paid("SILENT");
    let since = Instant::now();
    assert_eq!(fleet.callback(0, "SILENT").status(), 503);
    assert!(since.elapsed() < Duration::from_secs(9), "{:?}: its sender waits 5 seconds", since.elapsed());
    assert!(fleet.attempts("SILENT").is_empty());
    fleet.proxies[0].is_silent(false);
    is_ready(&fleet, 0, 200);
    assert!(within(PATIENCE, || fleet.callback(0, "SILENT").status() == 200));
}

#[test]
fn a_slow_database_is_slow_and_nothing_else() {
    let fleet = Fleet::of(2);
    fleet.proxies[0].delays(Duration::from_millis(40));
    for order in ["SLOW-1", "SLOW-2", "SLOW-3"] {
        fleet.is_paid(order);
        assert_eq!(fleet.callback(0, order).status(), 200);
        assert_eq!(fleet.attempts(order), [1]);
    }
    assert_eq!(fleet.ready(0), 200);
}

#[test]
fn a_gate_that_is_refused_is_not_ready_and_the_others_work_on() {
    let fleet = Fleet::of(2);
    fleet.proxies[0].refuses(true);
    is_ready(&fleet, 0, 503);
    fleet.is_paid("REFUSED");
    assert_eq!(fleet.callback(0, "REFUSED").status(), 503);
    assert_eq!(fleet.callback(1, "REFUSED").status(), 200);
    fleet.proxies[0].refuses(false);
    assert!(within(PATIENCE * 2, || fleet.ready(0) == 200), "it comes back by itself");
    assert!(within(PATIENCE, || fleet.callback(0, "REFUSED").status() == 200));
}
