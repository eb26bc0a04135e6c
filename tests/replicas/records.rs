//! What one gate remembers of a record vouches for nothing: another may have accepted it, closed it or forgotten it.

use crate::fleet::Fleet;
use crate::harness::until;

#[test]
fn an_acceptance_at_one_gate_is_known_at_the_others() {
    let fleet = Fleet::absorbing(3);
    fleet.is_paid("KNOWN");
    for gate in [0, 1, 2, 0] {
        let answer = fleet.callback(gate, "KNOWN");
        assert_eq!((answer.status(), answer.text().as_str()), (200, "order-marked-paid"));
    }
    assert_eq!(fleet.attempts("KNOWN"), [1]);
}

#[test]
fn a_record_that_others_have_forgotten_is_written_anew_before_it_is_forwarded() {
    let fleet = Fleet::of(2);
    fleet.is_paid("FORGOTTEN");
    assert_eq!(fleet.callback(0, "FORGOTTEN").status(), 200);
    until("the acceptance to be noted", || {
        fleet.sql("SELECT count(*) FROM tollgate.entry WHERE state = 'accepted'") == "1"
    });
    let first = fleet.sql("SELECT id FROM tollgate.entry");
    fleet.sql("DELETE FROM tollgate.entry; DELETE FROM tollgate.request; DELETE FROM tollgate.event; DELETE FROM tollgate.attempt");
    assert_eq!(fleet.callback(0, "FORGOTTEN").status(), 200);
    let again = fleet.sql("SELECT id FROM tollgate.entry");
    assert!(!again.is_empty() && again != first, "{first} was forgotten, and there is {again:?}");
    assert_eq!(fleet.attempts("FORGOTTEN"), [1, 2]);
}

#[test]
fn a_payment_that_one_gate_delivered_makes_the_next_ones_second_at_another() {
    let fleet = Fleet::with(2, None, |config| {
        config["routes"][0]["out_trade_no"] = serde_json::json!("Number");
    });
    let pays = |gate: usize, number: &str| {
        fleet.wechat.order(&crate::fakes::wechat::APP, number).paid(100);
        let form = format!("OrderID=TWICE&Number={number}&TotalFee=100");
        fleet.posts(gate, &form)
    };
    assert_eq!(pays(0, "TWICE-1").status(), 200);
    assert_ne!(pays(1, "TWICE-2").status(), 200, "the second payment is a person's to decide");
    assert_eq!(fleet.upstream.requests().len(), 1);
}
