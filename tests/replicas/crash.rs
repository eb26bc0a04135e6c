//! Three gates under mixed load, while they are killed and put to sleep past their leases, their connections cut, frozen and
//! silenced, and the database killed under them. Senders go to whichever gate, and repeat only what was refused because the
//! journal could not be written; so only the journal can save what was answered.
//!
//! `TOLLGATE_REPLICA_FAULTS`, `TOLLGATE_REPLICA_CALLBACKS` and `TOLLGATE_REPLICA_SEED` make it larger, or the same again.

mod faults;

mod load;

mod outside;

use crate::fleet::Fleet;
use crate::harness::within;
use crate::postgres::Postgres;
use faults::Faults;
use load::{Load, Senders};
use outside::Outside;
use serde_json::json;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Gates.
const GATES: usize = 3;

/// Callbacks that are sent at once.
const SENDERS: usize = 8;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn size(name: &str, default: u64) -> usize {
    from_environment(name, default).try_into().unwrap()
}

#[test]
fn nothing_is_lost_or_sent_unpaid_and_no_number_is_given_twice_whatever_breaks_under_three_gates() {
    let seed = from_environment("TOLLGATE_REPLICA_SEED", fastrand::u64(..));
    let (faults, callbacks) = (size("TOLLGATE_REPLICA_FAULTS", 6), size("TOLLGATE_REPLICA_CALLBACKS", 200));
    println!("TOLLGATE_REPLICA_SEED={seed} TOLLGATE_REPLICA_FAULTS={faults} TOLLGATE_REPLICA_CALLBACKS={callbacks}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut fleet = Fleet::with(GATES, Some(Arc::new(Postgres::start())), |config| {
        config["deadline"] = json!("1500ms");
        config["confirm_deadline"] = json!("500ms");
        config["journal"] = json!({ "url": "${JOURNAL}", "lease": "2s", "timeout": "500ms" });
        config["cache"] = json!({ "pending": "50ms", "paid": "1s" });
        let mut absorbing = config["routes"][0].clone();
        absorbing["name"] = json!("absorbing");
        absorbing["path"] = json!(load::ABSORBING);
        absorbing["duplicates"] = json!("absorb");
        config["routes"].as_array_mut().unwrap().push(absorbing);
    });
    let outside = Outside::default();
    let senders = Senders::new(Load::new(callbacks, random.fork()), &fleet);
    let (wechat, upstream) = (fleet.wechat.clone(), fleet.upstream.clone());
    let mut done = Faults::default();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            let random = random.fork();
            scope.spawn(|| senders.send(&wechat, &outside, random));
        }
        let weather = random.fork();
        scope.spawn(|| load::weather(&wechat, &upstream, weather, || senders.are_done()));
        for fault in 1..=faults {
            senders.wait_for_share(fault, faults + 1);
            done.one(&mut fleet, &senders, &mut random);
        }
    });
    load::clears(&fleet.wechat, &fleet.upstream);
    done.mends(&mut fleet, &senders);
    let owed = outside.owed(&fleet.printed());
    let patience = Duration::from_secs(60) + Duration::from_millis(100) * u32::try_from(callbacks).unwrap();
    within(patience, || outside::missing(&owed, &fleet.upstream).is_empty());
    let figures = outside.figures(&owed, &fleet);
    println!("replicas: {done}; {figures}");
    assert!(figures.is_clean(), "{figures}\nlost: {:?}", outside::missing(&owed, &fleet.upstream));
}
