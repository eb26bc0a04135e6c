//! `kill -9` at random under mixed load, between a legacy system and a WeChat Pay that come and go; every fourth time it
//! is a power cut. Senders never repeat what was answered, so only the gate's memory can save it; but for notifications of
//! API v3 whose signature has grown too old, which WeChat Pay sends again.
//!
//! `TOLLGATE_CRASH_KILLS`, `TOLLGATE_CRASH_CALLBACKS` and `TOLLGATE_CRASH_SEED` make it larger, or the same again.

mod load;

mod outside;

mod weather;

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::WeChat;
use crate::faults::{power_cut, world_on_a_disk};
use crate::harness::{World, within};
use load::{Load, Senders};
use outside::{Figures, Outside};
use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};

/// Callbacks that are sent at once.
const SENDERS: usize = 8;

/// How long WeChat Pay waits before it sends again what got no success.
const WECHAT_PAY_SENDS_AGAIN: Duration = Duration::from_secs(2);

/// Every so many kills, the machine goes down as well.
const POWER_CUT_EVERY: usize = 4;

/// The last orders are drained at ten a second and with a new budget after each restart, so this is more than enough.
fn patience(callbacks: usize) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(200) * u32::try_from(callbacks).unwrap()
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn size(name: &str, default: u64) -> usize {
    from_environment(name, default).try_into().unwrap()
}

#[test]
fn nothing_that_was_answered_is_lost_and_nothing_unpaid_passes_however_often_the_gate_is_killed() {
    let seed = from_environment("TOLLGATE_CRASH_SEED", fastrand::u64(..));
    let (kills, callbacks) = (size("TOLLGATE_CRASH_KILLS", 12), size("TOLLGATE_CRASH_CALLBACKS", 600));
    println!("TOLLGATE_CRASH_SEED={seed} TOLLGATE_CRASH_KILLS={kills} TOLLGATE_CRASH_CALLBACKS={callbacks}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut world, _disk) = world_on_a_disk(|setup| {
        setup.config["deadline"] = json!("800ms");
        setup.config["confirm_deadline"] = json!("300ms");
        setup.config["log"]["level"] = json!("info");
        // An order that stays undecided need not be asked for every second.
        setup.config["follow_up"]["ask_again"] = json!(["200ms", "500ms", "1s", "2s", "5s"]);
        // Most orders are asked for more than once.
        setup.config["cache"]["paid"] = json!("1s");
        setup.speaks_v3();
        setup.resigns();
        setup.route("notify-v3")["upstream_window"] = json!("1s");
    });
    let outside = Outside::default();
    let senders = Senders::new(Load::new(callbacks, random.fork()), world.gate.addr);
    let (wechat, upstream) = (world.wechat.clone(), world.upstream.clone());
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| senders.send(&wechat, &outside));
        }
        let weather = random.fork();
        scope.spawn(|| weather::changes(&wechat, &upstream, weather, || senders.are_done()));
        kill_again_and_again(&mut world, &senders, kills, &mut random);
    });
    outside.answers().iter().for_each(|answer| world.heard(answer));
    let figures = settle(&mut world, &outside, kills, patience(callbacks));
    println!("{figures}");
    assert!(figures.is_clean(), "{figures}\nlost: {:?}", outside.owed(&world.upstream));
}

/// Kills the gate whenever another share of the callbacks was sent, and starts it again at once.
fn kill_again_and_again(world: &mut World, senders: &Senders, kills: usize, random: &mut fastrand::Rng) {
    for kill in 1..=kills {
        senders.wait_for_share(kill, kills + 1);
        // Anywhere in the request flow, not only where one was just answered.
        thread::sleep(Duration::from_micros(random.u64(0..30_000)));
        if kill % POWER_CUT_EVERY == 0 {
            power_cut(world);
        }
        world.restart();
        senders.go_on(world.gate.addr);
    }
}

/// Everything is well again; waits for what is still owed.
fn settle(world: &mut World, outside: &Outside, kills: usize, patience: Duration) -> Figures {
    weather::clears(&world.wechat, &world.upstream);
    world.restart();
    let (mut owed, mut known) = (outside.taken_in(), 0);
    let mut sent = Instant::now();
    within(patience, || {
        let acted = world.upstream.acted_after(known);
        known += acted.len();
        outside::without_the_told(&mut owed, &acted);
        if sent.elapsed() > WECHAT_PAY_SENDS_AGAIN {
            for callback in outside.to_be_sent_again(&owed) {
                let answer = callback.send(world.gate.addr);
                outside.notes(&callback, answer);
            }
            sent = Instant::now();
        }
        owed.is_empty()
    });
    let (wechat, upstream): (&WeChat, &Upstream) = (&world.wechat, &world.upstream);
    outside.figures(wechat, upstream, kills)
}
