//! The protocol by which several gates send one order, as a model that is explored exhaustively: replicas that pause for longer
//! than their lease and are killed, commits whose answer is lost, that are done twice or arrive long after everybody gave them
//! up, an upstream that fails, refuses or acts in silence. It shares nothing with `src`: it says what has to be true of the
//! statements there, and its flaws show what each rule is for.
//!
//! What is taken for granted here is one thing, and `lease.rs` is its model: who trusts its lease is alive by the database.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and a test binary has no outside"
)]

mod calm;

mod database;

mod lease;

mod replica;

mod world;

use calm::Graph;
use database::{Flaw, Operation};
use stateright::{Checker, HasDiscoveries, Model};
use world::{Gates, MOST_ATTEMPTS};

const NUMBERS: &str = "the upstream sees no number twice";
const ACCEPTANCES: &str = "what a gate heard of as accepted is noted, or will be";
const SLEEPERS: &str = "one that slept sends at most the one that had its number";
const AT_ONCE: &str = "two send at once only if one of them slept";
const RISING: &str = "who lives sends under a higher number than any before";
const GAPS: &str = "a number is missing only where nobody knows what became of it";

/// Two replicas and so many faults, at any moments.
const fn two(faults: u8) -> Gates {
    Gates { replicas: 2, callbacks: 1, alone: true, faults, flaw: None }
}

/// Two replicas that get two callbacks, which take no turns.
const fn forwarding(faults: u8) -> Gates {
    Gates { alone: false, callbacks: 2, ..two(faults) }
}

/// Explores everything, and fails for what is not always so.
fn holds(gates: Gates) {
    let checker = gates.checker().threads(2).spawn_bfs().join();
    println!("{gates:?}: {} states", checker.unique_state_count());
    checker.assert_properties();
}

/// Something that is always so without this flaw is not with it.
fn is_refuted(flaw: Flaw, gates: Gates, property: &'static str) {
    let gates = Gates { flaw: Some(flaw), ..gates };
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = gates.checker().threads(2).finish_when(found).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{flaw:?} is not found out by: {property}"));
    println!("{flaw:?}: not so, {property}: {:?}", path.into_actions());
}

#[test]
fn two_replicas_that_sleep_die_and_lose_commits_keep_every_promise() {
    holds(two(2));
}

#[test]
fn three_replicas_keep_every_promise() {
    holds(Gates { replicas: 3, callbacks: 0, ..two(2) });
    holds(Gates { replicas: 3, ..two(1) });
}

#[test]
fn where_duplicates_are_forwarded_and_nobody_waits_for_a_turn_numbers_are_still_given_once() {
    holds(forwarding(1));
}

#[test]
fn every_order_is_accepted_in_the_end_wherever_faults_have_left_it() {
    for gates in [two(2), forwarding(1)] {
        let graph = Graph::of(&gates);
        let left_behind = graph.stuck();
        assert!(left_behind.is_none(), "nothing but another fault leads on from here: {left_behind:#?}");
        let most = graph.most_attempts();
        assert!(most < MOST_ATTEMPTS, "{most} attempts: what comes later is not explored for {gates:?}");
    }
}

#[test]
fn without_the_fence_one_that_slept_goes_on_as_if_it_lived() {
    is_refuted(Flaw::NoFence, two(2), SLEEPERS);
}

#[test]
fn without_turns_two_that_live_send_at_once() {
    is_refuted(Flaw::NoTurns, two(1), AT_ONCE);
}

#[test]
fn numbers_counted_in_memory_are_seen_twice() {
    is_refuted(Flaw::NumberFromMemory, two(1), NUMBERS);
}

#[test]
fn a_fenced_acceptance_is_lost() {
    is_refuted(Flaw::AcceptanceFenced, two(0), ACCEPTANCES);
}

#[test]
fn without_the_operations_id_a_beginning_done_twice_costs_a_number() {
    is_refuted(Flaw::NoOperationId, two(1), GAPS);
}

#[test]
fn without_the_operations_id_a_number_given_back_twice_is_given_out_twice() {
    is_refuted(Flaw::NoOperationId, forwarding(2), NUMBERS);
}

#[test]
fn where_only_the_last_operation_is_known_one_done_again_after_another_costs_a_number() {
    is_refuted(Flaw::OnlyLastOperation, forwarding(1), GAPS);
}

#[test]
fn an_end_that_does_not_name_its_turn_ends_the_next_one_when_it_is_late() {
    is_refuted(Flaw::TurnsWithoutNames, two(2), AT_ONCE);
}

#[test]
fn who_takes_its_own_turn_again_is_robbed_by_what_it_gave_up() {
    is_refuted(Flaw::OwnTurnTaken, two(2), AT_ONCE);
}

#[test]
fn what_a_late_commit_took_for_one_that_lives_is_stuck_unless_that_one_looks() {
    let gates = Gates { flaw: Some(Flaw::NobodyLooks), callbacks: 0, ..two(1) };
    let graph = Graph::of(&gates);
    let left_behind = graph.stuck().unwrap();
    let late = |operation: &Operation| matches!(operation, Operation::Claim { .. } | Operation::Begin { .. });
    assert!(!left_behind.late.iter().any(late), "it is stuck before it was late: {left_behind:#?}");
    assert!(left_behind.database.is_held(), "{left_behind:#?}");
}
