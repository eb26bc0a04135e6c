//! A flood of made-up numbers, while it lasts and after it: what is paid is delivered all the same.

use crate::fakes::wechat::{APP, WeChat};
use crate::harness::{Setup, World, at_once, until, within};
use crate::wire::{Request, Wire};
use rusqlite::{Connection, params};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Made-up callbacks a second.
const FLOOD: u32 = 150;

/// Looks like nothing that the shop sells.
fn made_up(index: usize) -> String {
    format!("x{:x}y{index}", index * 7919 % 4096)
}

/// Looks like the shop's own numbers.
fn copied(index: usize) -> String {
    format!("SHOP{:08}", 50_000_000 + index)
}

fn honest(index: usize) -> String {
    format!("SHOP{index:08}")
}

/// A shop behind the budget that most have, and a proxy that says who sends.
fn shop(setup: &mut Setup) {
    setup.hurry();
    setup.config["wechat"]["queries_per_second"] = json!(20);
    setup.config["forwarding"] = json!({ "trusted_proxies": ["127.0.0.1"] });
    setup.config["log"] = json!({ "format": "json", "level": "info" });
}

fn form(order: &str, from: &str) -> Request {
    Request::post("/pay/success").form(format!("OrderID={order}")).header("X-Forwarded-For", from)
}

/// Addresses that the flood comes from: none of them sends more than one address may.
fn anywhere(index: usize) -> String {
    format!("198.51.100.{}", index % 250)
}

/// Sends made-up callbacks at its rate until it is told to stop; how many.
fn flood(gate: SocketAddr, number: fn(usize) -> String, stop: &AtomicBool) -> usize {
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut wire = Wire::to(gate);
                let every = Duration::from_secs(4) / FLOOD;
                let mut next = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let index = sent.fetch_add(1, Ordering::Relaxed);
                    wire.send(&form(&number(index), &anywhere(index)).kept_alive());
                    if wire.answer().is_none() {
                        wire = Wire::to(gate);
                    }
                    next += every;
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            });
        }
    });
    sent.into_inner()
}

/// Does something while the flood is there, from when it has used up what there is at once.
fn amid_a_flood<T>(world: &World, number: fn(usize) -> String, act: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(world.gate.addr, number, &stop));
        until("the flood", || world.gate.log().contains("rate-limited"));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, Ordering::Relaxed);
        assert!(flooding.join().unwrap() > 0);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn is_delivered(world: &World, order: &str) -> bool {
    !world.upstream.requests_for(order).is_empty()
}

/// Some callbacks of this shop were confirmed before.
fn is_known(world: &World, from: &str) {
    for index in 0..5 {
        world.wechat.order(&APP, &honest(index)).paid(100);
        assert_eq!(world.send(&form(&honest(index), from)).status(), 200);
    }
}

fn asked_about(wechat: &WeChat, what: impl Fn(&str) -> bool) -> usize {
    wechat.queries().iter().filter(|query| what(query.field("out_trade_no"))).count()
}

const SHOP: &str = "203.0.113.5";

#[test]
fn r05_what_looks_like_confirmed_orders_is_confirmed_at_once_amid_a_flood_whoever_sends_it() {
    let world = World::with(shop);
    is_known(&world, SHOP);
    let statuses: Vec<_> = amid_a_flood(&world, made_up, || {
        (10..20)
            .map(|index| {
                world.wechat.order(&APP, &honest(index)).paid(100);
                thread::sleep(Duration::from_millis(300));
                world.send(&form(&honest(index), &format!("192.0.2.{index}"))).status()
            })
            .collect()
    });
    assert_eq!(statuses, [200; 10]);
}

#[test]
fn r05_an_address_with_confirmed_callbacks_comes_first_where_the_shape_is_copied() {
    let world = World::with(shop);
    is_known(&world, SHOP);
    let statuses: Vec<_> = amid_a_flood(&world, copied, || {
        (10..20)
            .map(|index| {
                world.wechat.order(&APP, &honest(index)).paid(100);
                thread::sleep(Duration::from_millis(250));
                world.send(&form(&honest(index), SHOP)).status()
            })
            .collect()
    });
    assert_eq!(statuses, [200; 10]);
}

#[test]
fn r05_orders_first_seen_amid_a_flood_and_paid_later_are_delivered_soon() {
    let world = World::with(shop);
    is_known(&world, SHOP);
    amid_a_flood(&world, made_up, || {
        for index in 10..16 {
            // One half is not even at WeChat Pay when its callback comes.
            if index % 2 == 0 {
                world.wechat.order(&APP, &honest(index)).state("NOTPAY");
            }
            assert_eq!(world.send(&form(&honest(index), SHOP)).status(), 503);
        }
        for index in 10..16 {
            world.wechat.order(&APP, &honest(index)).paid(100);
        }
        let all = || (10..16).all(|index| is_delivered(&world, &honest(index)));
        assert!(within(Duration::from_secs(30), all), "some that were paid later are not delivered");
    });
}

#[test]
fn r05_a_shop_that_was_never_seen_gets_through_a_flood_too() {
    let world = World::with(shop);
    amid_a_flood(&world, made_up, || {
        for index in 0..12 {
            world.wechat.order(&APP, &honest(index)).paid(100);
            world.send(&form(&honest(index), SHOP));
        }
        let all = || (0..12).all(|index| is_delivered(&world, &honest(index)));
        assert!(within(Duration::from_secs(20), all), "some are not delivered");
    });
}

#[test]
fn r05_made_up_numbers_get_no_more_than_their_share_where_others_ask() {
    let world = World::with(|setup| {
        shop(setup);
        setup.config["limits"] = json!({ "rate_per_address": 0 });
        setup.config["wechat"]["queries_per_second"] = json!(8);
    });
    is_known(&world, SHOP);
    let is_honest = |number: &str| number.starts_with("SHOP");
    amid_a_flood(&world, made_up, || {
        let before = asked_about(&world.wechat, |number| !is_honest(number));
        // Twelve a second, which is more than there is budget for.
        let confirmed = at_once(6, |thread| {
            let sent = |index: &usize| {
                let order = honest(100 * thread + 100 + index);
                world.wechat.order(&APP, &order).paid(100);
                thread::sleep(Duration::from_millis(500));
                world.send(&form(&order, SHOP)).status() == 200
            };
            (0..8).filter(sent).count()
        });
        let confirmed: usize = confirmed.into_iter().sum();
        let made_up = asked_about(&world.wechat, |number| !is_honest(number)) - before;
        // Strangers, and what waits of theirs, have 2, 2 and 1 of 16 parts, and a sender that is known has 4 and what is left.
        assert!(made_up < confirmed, "{made_up} made up, {confirmed} confirmed");
    });
}

/// Entries of this rank, all due by now, as a flood leaves them behind.
fn leave_behind(world: &World, count: usize, prefix: char, rank: u8) {
    let mut journal = Connection::open(world.journal_file()).unwrap();
    let change = journal.transaction().unwrap();
    for index in 0..count {
        let order = format!("{prefix}{}", made_up(index));
        change
            .execute(
                "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state,
                     since, due_at, tries, reason, rank)
                 SELECT randomblob(16), delivery, request_id, route, channel, ?1, ?1, received_at, 'asking',
                     since, received_at + ?2, 1, iif(?3 < 2, 'rate-limited', 'order-not-found'), ?3 FROM entry WHERE \"order\" = 'KEPT-1'",
                params![order, i64::try_from(index).unwrap(), rank],
            )
            .unwrap();
        change
            .execute(
                "INSERT INTO request (entry, peer, tls, method, target, headers, body) SELECT ?1, peer, tls, method, replace(target, 'KEPT-1', ?2), headers,
                     CAST(replace(CAST(body AS TEXT), 'KEPT-1', ?2) AS BLOB)
                 FROM request WHERE entry = (SELECT id FROM entry WHERE \"order\" = 'KEPT-1')",
                params![change.last_insert_rowid(), order],
            )
            .unwrap();
    }
    change.commit().unwrap();
}

#[test]
fn r05_tens_of_thousands_that_a_flood_left_behind_hold_up_no_order_that_is_paid_later() {
    let mut world = World::with(shop);
    world.app_callback("KEPT-1");
    world.kill9();
    // Of the one kind nothing was asked yet, the other is not there.
    leave_behind(&world, 10_000, 'n', 1);
    leave_behind(&world, 10_000, 'a', 3);
    world.restart();
    let asked = |prefix| asked_about(&world.wechat, |number| number.starts_with(prefix));
    until("the backlog", || asked('n') > 20 && asked('a') > 0);
    world.wechat.order(&APP, &honest(1)).states(&["NOTPAY", "NOTPAY", "SUCCESS"]);
    assert_eq!(world.send(&form(&honest(1), SHOP)).status(), 503);
    until("the order", || is_delivered(&world, &honest(1)));
    let (never, absent) = (asked('n'), asked('a'));
    until("the backlog to go on", || asked('a') > absent + 3);
    let (never, absent) = (asked('n') - never, asked('a') - absent);
    assert!(absent * 2 < never, "what was never asked about comes first: {never}, {absent}");
}

#[test]
fn r05_by_default_one_address_behind_a_proxy_gets_429_and_the_proxy_itself_never_does() {
    let world = World::with(|setup| {
        setup.config["forwarding"] = json!({ "trusted_proxies": ["127.0.0.1"] });
    });
    world.wechat.order(&APP, "RATE-1").paid(100);
    let statuses = |requests: &dyn Fn(usize) -> Request| {
        let mut wire = Wire::to(world.gate.addr);
        (0..300)
            .map(|index| {
                wire.send(&requests(index).kept_alive());
                let answer = wire.answer().unwrap();
                world.heard(&answer);
                answer.status()
            })
            .collect::<Vec<_>>()
    };
    let one = |_| form("RATE-1", "203.0.113.9");
    let first = statuses(&one);
    assert!(first[..100].iter().all(|status| *status == 200), "{first:?}");
    until("429", || statuses(&one).contains(&429));
    let others = statuses(&|index| form("RATE-1", &format!("203.0.{}.7", index % 100)));
    assert!(others.iter().all(|status| *status == 200), "{others:?}");
    let unnamed = statuses(&|_| Request::post("/pay/success").form("OrderID=RATE-1"));
    assert!(unnamed.iter().all(|status| *status == 200), "{unnamed:?}");
}

#[test]
fn r05_by_default_a_peer_on_this_machine_that_is_no_trusted_proxy_is_not_limited() {
    let world = World::new();
    world.wechat.order(&APP, "RATE-2").paid(100);
    for _ in 0..150 {
        assert_eq!(world.app_callback("RATE-2").status(), 200);
    }
}

#[test]
fn check_says_when_all_senders_would_be_one_address() {
    let warned = |change: fn(&mut Setup)| {
        let world = World::with(change);
        let checked = world.command(&["check", "--json"]);
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        let said: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
        let of_proxies = |warning: &&serde_json::Value| warning["text"].to_string().contains("trusted_proxies");
        let warning = said["warnings"].as_array().unwrap().iter().find(of_proxies);
        warning.map(|warning| (warning["key"].to_string(), warning["text"].to_string()))
    };
    let (key, text) = warned(|_| ()).unwrap();
    assert!(key.contains("forwarding.trusted_proxies") && text.contains("127.0.0.1"), "{key} {text}");
    let (key, text) = warned(|setup| setup.config["limits"] = json!({ "rate_per_address": 7 })).unwrap();
    assert!(key.contains("limits.rate_per_address") && text.contains("share 7 callbacks a second"), "{key} {text}");
    assert_eq!(warned(|setup| setup.config["limits"] = json!({ "rate_per_address": 0 })), None);
    assert_eq!(warned(|setup| setup.config["listen"] = json!("0.0.0.0:0")), None);
    assert_eq!(warned(|setup| setup.config["forwarding"] = json!({ "trusted_proxies": ["127.0.0.1"] })), None);
}
