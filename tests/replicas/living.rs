//! Gates know of each other, and of those that are gone.

use crate::fleet::{Fleet, LEASE};
use crate::harness::{until, within};
use serde_json::Value;

fn states(seen: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut states: Vec<_> =
        seen["replicas"].as_array().unwrap().iter().map(|one| (text(&one["replica"]), text(&one["state"]))).collect();
    states.sort();
    states
}

#[test]
fn every_gate_lists_all_and_says_who_is_gone() {
    let mut fleet = Fleet::of(3);
    let of = |words: [&str; 3]| (0..3).map(|gate| (format!("r{gate}"), words[gate].to_owned())).collect::<Vec<_>>();
    for gate in 0..3 {
        until("all to be listed", || states(&fleet.json(gate, "/api/replicas")) == of(["live"; 3]));
        assert_eq!(fleet.json(gate, "/api/replicas")["config_differs"], false);
    }
    fleet.kills(1);
    let gone = || states(&fleet.json(0, "/api/replicas")) == of(["live", "gone", "live"]);
    assert!(within(LEASE * 10, gone), "{}", fleet.json(0, "/api/replicas"));
}

#[test]
fn the_second_of_a_name_is_called_by_another() {
    let mut fleet = Fleet::of(1);
    let (file, env) = fleet.written(0);
    let _second = crate::gate::program::Gate::start_by(&mut crate::gate::program::run(&file, &env), "");
    let names = || states(&fleet.json(0, "/api/replicas")).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    until("both to be listed", || names() == ["r0", "r0-2"]);
    fleet.kills(0);
}
