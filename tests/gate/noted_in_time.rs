//! That the upstream took a callback is on disk a moment after its sender was told, also while many others are taken in:
//! who dies then has nothing to send again.

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{APP, WeChat};
use crate::harness::{World, within};
use crate::wire::{Request, Wire};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Ten times what it takes at most by the documentation, the log's move into the file included.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Callbacks that are sent at once.
const SENDERS: usize = 16;

/// Those who call back for one new order after the other, and when they were told that it was taken.
#[derive(Default)]
struct Rush {
    orders: AtomicUsize,
    is_over: AtomicBool,
    told: Mutex<BTreeMap<String, Instant>>,
}

impl Rush {
    fn send(&self, wechat: &WeChat, gate: SocketAddr) {
        let mut wire = Wire::to(gate);
        while !self.is_over.load(Ordering::Relaxed) {
            let order = format!("RUSH-{}-", self.orders.fetch_add(1, Ordering::Relaxed));
            wechat.order(&APP, &order).paid(100);
            wire.send(&Request::post("/pay/success").form(format!("OrderID={order}")).kept_alive());
            match wire.answer() {
                Some(answer) if answer.status() == 200 => drop(self.told.lock().unwrap().insert(order, Instant::now())),
                Some(_) => {}
                None => return,
            }
        }
    }
}

fn sendings(upstream: &Upstream, order: &str) -> usize {
    upstream.requests_for(order).len()
}

#[test]
fn what_was_accepted_a_moment_before_a_kill_is_not_sent_again() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.config["log"]["level"] = json!("warn");
    });
    let rush = Rush::default();
    let mut killed = Instant::now();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| rush.send(&world.wechat, world.gate.addr));
        }
        let enough = || rush.told.lock().unwrap().len() > 10 * SENDERS;
        assert!(within(Duration::from_secs(60), enough), "nothing is accepted");
        thread::sleep(2 * A_MOMENT);
        world.kill9();
        killed = Instant::now();
        rush.is_over.store(true, Ordering::Relaxed);
    });
    world.restart();
    let open = || world.journal("SELECT count(*) FROM entry WHERE state <> 'accepted'");
    assert!(within(Duration::from_secs(60), || open() == 0), "{} are not done", open());
    let told = rush.told.into_inner().unwrap();
    let long_ago = told.iter().filter(|(_, at)| **at + A_MOMENT < killed).map(|(order, _)| order);
    let (told, again): (Vec<_>, Vec<_>) = long_ago.partition(|order| sendings(&world.upstream, order) == 1);
    assert!(!told.is_empty() && again.is_empty(), "{} of {} again: {again:?}", again.len(), told.len() + again.len());
}
