//! A day in a shop where callbacks get lost, the order system goes down and the gate is killed: every order that WeChat Pay
//! knows as paid reaches the order system, and no other does.

use crate::fakes::wechat::{APP, Bill, transaction_id};
use crate::harness::{World, at_once, until, within};
use crate::program::command;
use crate::sweep::swept;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

/// What becomes of an order on this day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    CallsBack,
    /// 20 of 100.
    NeverCallsBack,
    /// 10 of 100.
    CallsBackWhileDown,
    /// 5 of 100, after the payment.
    Refunded,
    /// 5 of 100: in the bill, and unknown to the order query.
    OnlyInTheBill,
}

const ORDERS: usize = 500;

/// Lanes let ten deliveries a second pass.
const PATIENCE: Duration = Duration::from_secs(90);

fn fate(index: usize) -> Fate {
    match index % 20 {
        0..4 => Fate::NeverCallsBack,
        4..6 => Fate::CallsBackWhileDown,
        6 => Fate::Refunded,
        7 => Fate::OnlyInTheBill,
        _ => Fate::CallsBack,
    }
}

fn order(index: usize) -> String {
    format!("DAY-{index:03}")
}

fn with(fates: Fate) -> impl Iterator<Item = usize> {
    (0..ORDERS).filter(move |index| fate(*index) == fates)
}

/// What the order system has seen: transaction ids by order.
fn seen(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen = BTreeMap::<_, BTreeSet<_>>::new();
    for request in world.upstream.requests() {
        let order = request.text().strip_prefix("OrderID=").unwrap().split('&').next().unwrap().to_owned();
        seen.entry(order).or_default().extend(request.folded("X-Verified-Transaction-Id"));
    }
    seen
}

#[test]
fn no_paid_order_is_left_behind_and_no_other_passes() {
    let mut world = World::with(|setup| {
        swept(setup);
        setup.config["limits"] = json!({ "rate_per_address": 0 });
    });
    let mut bill = Bill::default();
    for index in 0..ORDERS {
        let order = order(index);
        let id = transaction_id(&APP, &order);
        bill = bill.paid(&APP, &order, &id, 100);
        match fate(index) {
            Fate::OnlyInTheBill => {}
            Fate::Refunded => {
                bill = bill.refunded(&APP, &order, &id, 100);
                world.wechat.order(&APP, &order).state("REFUND");
            }
            _ => drop(world.wechat.order(&APP, &order).paid(100)),
        }
    }
    world.wechat.bill(&APP, "20261122", &bill.shuffled());

    let callers: Vec<_> = with(Fate::CallsBack).collect();
    let (morning, evening) = callers.split_at(callers.len() / 2);
    let call = |world: &World, indices: &[usize]| {
        at_once(8, |thread| {
            indices.iter().skip(thread).step_by(8).for_each(|index| drop(world.app_callback(&order(*index))))
        });
    };
    call(&world, morning);
    world.restart();
    world.upstream.goes_down();
    for index in with(Fate::CallsBackWhileDown) {
        assert_eq!(world.app_callback(&order(index)).status(), 502);
    }
    world.restart();
    world.upstream.comes_back();
    call(&world, evening);

    let config = world.config_file();
    let sweep = move || {
        let args = ["sweep", "--channel", "app", "--date", "2026-11-22", "--json", "--wait", "80s", "--config"];
        let ended = command(&[&args[..], &[config.to_str().unwrap()]].concat(), &[("APP_KEY", APP.key)]);
        let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr));
        (ended.code, report["sweeps"][0].clone())
    };
    let first = thread::spawn(sweep.clone());
    until("orders that are found", || world.journal("SELECT count(*) FROM entry WHERE origin = 'sweep'") > 0);
    world.restart();
    let (_, report) = first.join().unwrap();
    assert_eq!((&report["state"], &report["paid"]), (&json!("done"), &json!(ORDERS)), "{report:#}");

    let must: BTreeMap<_, _> = (0..ORDERS)
        .filter(|index| !matches!(fate(*index), Fate::Refunded | Fate::OnlyInTheBill))
        .map(|index| (order(index), BTreeSet::from([transaction_id(&APP, &order(index))])))
        .collect();
    let whole = within(PATIENCE, || seen(&world).len() >= must.len());
    assert!(whole && seen(&world) == must, "{} of {} arrived", seen(&world).len(), must.len());
    until("the end of all deliveries", || world.journal("SELECT count(*) FROM entry WHERE state = 'delivering'") == 0);

    let before = world.upstream.requests().len();
    let (code, again) = sweep();
    assert_eq!((code, &again["delivered"], &again["found"]), (0, &json!(0), &json!(25)), "{again:#}");
    assert_eq!((&again["accepted_before"], &again["parked_before"]), (&json!(450), &json!(25)), "{again:#}");
    assert_eq!(world.upstream.requests().len(), before);
    println!(
        "{ORDERS} paid orders, {} delivered in {before} requests, {} found by the first sweep, none by the second",
        must.len(),
        report["found"]
    );
}
