//! Attempts are numbered over all gates, and the upstream sees no number twice.

use crate::fleet::Fleet;
use crate::harness::at_once;

#[test]
fn attempts_go_on_counting_from_gate_to_gate() {
    let fleet = Fleet::of(2);
    fleet.is_paid("COUNT");
    for attempt in 0..7 {
        assert_eq!(fleet.callback(attempt % 2, "COUNT").status(), 200);
    }
    assert_eq!(fleet.attempts("COUNT"), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn callbacks_that_reach_all_gates_at_once_get_a_number_each() {
    let fleet = Fleet::of(3);
    fleet.is_paid("HERD");
    let answers = at_once(24, |index| fleet.callback(index % 3, "HERD").status());
    assert_eq!(answers, [200; 24]);
    let mut attempts = fleet.attempts("HERD");
    attempts.sort_unstable();
    assert_eq!(attempts, (1..=24).collect::<Vec<_>>());
    assert!(fleet.wechat.asked("HERD") <= 3, "a herd on three gates is three questions at most");
}

#[test]
fn where_duplicates_are_absorbed_a_herd_on_all_gates_is_one_delivery() {
    let fleet = Fleet::absorbing(3);
    fleet.is_paid("ONCE");
    fleet.upstream.hold();
    let answers = std::thread::scope(|scope| {
        let herd = scope.spawn(|| at_once(24, |index| fleet.callback(index % 3, "ONCE")));
        assert!(fleet.is_delivered("ONCE", crate::wire::PATIENCE));
        fleet.upstream.release();
        herd.join().unwrap()
    });
    for answer in answers {
        assert_eq!((answer.status(), answer.text().as_str()), (200, "order-marked-paid"));
    }
    assert_eq!(fleet.attempts("ONCE"), [1]);
}

#[test]
fn a_number_that_could_not_be_sent_is_given_back_whoever_sends_next() {
    let fleet = Fleet::with(2, None, |config| {
        config["upstream"] = serde_json::json!(format!("http://{}", crate::fakes::nobody()));
    });
    fleet.is_paid("AWAY");
    for gate in 0..2 {
        assert_ne!(fleet.callback(gate, "AWAY").status(), 200);
    }
    crate::harness::until("the number to be given back", || {
        fleet.sql("SELECT max(attempts) FROM tollgate.delivery") == "0"
    });
}
