//! How gates start on a database, and on none.

use crate::fleet::Fleet;
use crate::gate::program::{Gate, run};
use crate::harness::within;
use crate::wire::PATIENCE;
use std::process::Stdio;

#[test]
fn several_that_start_at_once_on_an_empty_database_all_come_up() {
    let mut fleet = Fleet::of(1);
    fleet.kills(0);
    fleet.sql("DROP SCHEMA tollgate CASCADE");
    let (file, env) = fleet.written(0);
    let gates = crate::harness::at_once(4, |_| Gate::start_by(&mut run(&file, &env), ""));
    let live = || fleet.sql("SELECT count(*) FROM tollgate.replica") == "4";
    assert!(within(PATIENCE, live), "{:?}", gates.iter().map(Gate::log).collect::<Vec<_>>());
}

#[test]
fn a_gate_that_is_refused_at_the_start_stays_up_and_is_ready_when_the_database_is() {
    let mut fleet = Fleet::of(1);
    fleet.kills(0);
    fleet.proxies[0].refuses(true);
    fleet.starts(0);
    assert_eq!(fleet.ready(0), 503);
    fleet.proxies[0].refuses(false);
    assert!(within(PATIENCE * 2, || fleet.ready(0) == 200), "it tries on");
    fleet.is_paid("STARTED");
    assert_eq!(fleet.callback(0, "STARTED").status(), 200);
}

#[test]
fn a_wrong_password_is_one_line_and_an_end() {
    let mut fleet = Fleet::of(1);
    fleet.kills(0);
    fleet.server().sql("postgres", &format!("ALTER ROLE {} PASSWORD 'another'", fleet.database.name));
    let (file, env) = fleet.written(0);
    let ended = run(&file, &env).stdin(Stdio::null()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
    assert!(said.contains("password"), "{said}");
    assert!(!said.contains(crate::postgres::PASSWORD), "{said}");
}

#[test]
fn taking_over_from_another_process_is_for_a_journal_in_a_file() {
    let fleet = Fleet::of(1);
    let ended = fleet.command(0, &["run", "--take-over"]);
    assert_eq!(ended.code, 1);
    assert!((ended.stdout + &ended.stderr).contains("journal.path"));
}
