//! Connections to the upstream are kept, and the upstream may close one without saying so at the very moment at which the
//! next callback is written to it. Then that callback is sent once more on a fresh connection, which is never hidden: it
//! is an attempt with a number of its own (D-05, D-06).

use crate::fakes::upstream::{Keeps, Reply};
use crate::fakes::wechat::{APP, Bill};
use crate::follow_up::stands;
use crate::harness::{Setup, World, at_once, until};
use crate::sweep::swept;
use crate::wire::Message;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// For scenarios that take longer than connections are usually kept.
fn keeps_long(setup: &mut Setup) {
    setup.config["forwarding"] = json!({ "keep_alive": "1m" });
}

/// Opens a connection that is kept.
fn warm_up(world: &World) {
    world.wechat.order(&APP, "FIRST").paid(100);
    assert_eq!(world.app_callback("FIRST").status(), 200);
}

/// The attempts of an order as the upstream saw them; all are one delivery.
fn attempts(world: &World, order: &str) -> Vec<u64> {
    let requests = world.upstream.requests_for(order);
    let header = |request: &Message, name: &str| request.header(name).unwrap_or_default();
    let deliveries: BTreeSet<_> = requests.iter().map(|request| header(request, "X-Tollgate-Delivery")).collect();
    assert!(deliveries.len() <= 1, "{deliveries:?}");
    requests.iter().map(|request| header(request, "X-Tollgate-Attempt").parse().unwrap()).collect()
}

/// Number, reason and status of each attempt in the journal.
fn noted(entry: &Value) -> Vec<(u64, Value, Value)> {
    let attempts = entry["sendings"].as_array().unwrap();
    attempts
        .iter()
        .map(|one| (one["attempt"].as_u64().unwrap(), one["reason"].clone(), one["status"].clone()))
        .collect()
}

fn resent(world: &World) -> f64 {
    world.scrape().one("tollgate_upstream_resent_total", &[("channel", "app")])
}

fn sent(world: &World, origin: &str, result: &str) -> f64 {
    let labels = [("channel", "app"), ("origin", origin), ("result", result)];
    world.scrape().one("tollgate_upstream_requests_total", &labels)
}

/// Four hundred callbacks, eight at once; how many were sent once more.
fn nobody_hears_of_it(keeps: Keeps) -> f64 {
    let world = World::new();
    world.upstream.keeps(keeps);
    let statuses = at_once(8, |sender| {
        let order = |index: usize| format!("MANY-{sender}-{index}-");
        (0..50)
            .map(|index| {
                world.wechat.order(&APP, &order(index)).paid(100);
                let answer = world.app_callback(&order(index));
                (answer.status(), world.upstream.requests_for(&order(index)).len())
            })
            .collect::<Vec<_>>()
    });
    let told: BTreeSet<_> = statuses.into_iter().flatten().collect();
    assert_eq!(told, BTreeSet::from([(200, 1)]), "each is answered, and seen once");
    resent(&world)
}

#[test]
fn an_upstream_that_closes_kept_connections_without_a_word_costs_no_callback() {
    assert!(nobody_hears_of_it(Keeps::Unread(Duration::from_millis(10))) > 0.0, "none was closed under a callback");
}

#[test]
fn an_upstream_that_closes_idle_connections_costs_no_callback() {
    nobody_hears_of_it(Keeps::UntilIdle(Duration::from_millis(8)));
}

#[test]
fn what_a_kept_connection_took_along_is_sent_once_more_under_its_own_number() {
    let world = World::new();
    warm_up(&world);
    world.wechat.order(&APP, "AGAIN").paid(100);
    world.upstream.answers_reused(Reply::Breaks);
    let answer = world.app_callback("AGAIN");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (200, "paid"));
    assert_eq!(attempts(&world, "AGAIN"), [1, 2]);
    let entry = stands(&world, "AGAIN", "accepted");
    assert_eq!(noted(&entry), [(1, json!("upstream-broke"), Value::Null), (2, Value::Null, json!(200))]);
    assert_eq!(entry["attempts"], 2);
    assert_eq!(world.summary(&answer)["resent"], true);
    assert!(world.gate.log().contains("sent once more"), "{}", world.gate.log());
    assert_eq!((resent(&world), sent(&world, "callback", "upstream-broke")), (1.0, 1.0));
    assert_eq!(sent(&world, "callback", "accepted"), 2.0);
    let [first, second] = world.upstream.requests_for("AGAIN").try_into().unwrap();
    let but_for_the_number = |request: &Message| {
        let own = |name: &str| name.eq_ignore_ascii_case("X-Tollgate-Attempt");
        (
            request.line(),
            request.headers().into_iter().filter(|(name, _)| !own(name)).collect::<Vec<_>>(),
            request.text(),
        )
    };
    assert_eq!(but_for_the_number(&first), but_for_the_number(&second));
}

#[test]
fn the_signature_covers_the_number_of_the_second_sending() {
    let world =
        World::with(|setup| setup.config["headers"] = json!({ "signature": { "key": "0123456789abcdef0123" } }));
    warm_up(&world);
    world.wechat.order(&APP, "SIGNED").paid(100);
    world.upstream.answers_reused(Reply::Breaks);
    assert_eq!(world.app_callback("SIGNED").status(), 200);
    let requests = world.upstream.requests_for("SIGNED");
    let signatures: BTreeSet<_> =
        requests.iter().map(|request| request.folded("X-Verified-Signature").join(",")).collect();
    assert_eq!((requests.len(), signatures.len()), (2, 2), "{signatures:?}");
    assert!(signatures.iter().all(|signature| signature.len() == 64), "{signatures:?}");
}

#[test]
fn it_is_sent_once_more_and_no_oftener() {
    let world = World::with(|setup| setup.config["follow_up"] = json!({ "redeliver": ["1h"] }));
    warm_up(&world);
    world.wechat.order(&APP, "TWICE").paid(100);
    world.upstream.answers_reused(Reply::Breaks);
    world.upstream.answers(Reply::Breaks);
    let answer = world.app_callback("TWICE");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (502, "upstream-broke"));
    assert_eq!(world.summary(&answer)["resent"], true);
    assert_eq!(attempts(&world, "TWICE"), [1, 2]);
    let broke = |number| (number, json!("upstream-broke"), Value::Null);
    assert_eq!(noted(&stands(&world, "TWICE", "delivering")), [broke(1), broke(2)]);
}

/// What happens on a kept connection and is no reason to send again.
fn is_told_at_once(reply: Reply, status: u16, reason: &str) {
    let world = World::with(|setup| {
        setup.config["follow_up"] = json!({ "redeliver": ["1h"] });
        setup.config["deadline"] = json!("1s");
        setup.config["confirm_deadline"] = json!("500ms");
    });
    warm_up(&world);
    world.wechat.order(&APP, "ONCE").paid(100);
    world.upstream.answers_reused(reply);
    let answer = world.app_callback("ONCE");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (status, reason));
    assert_eq!((attempts(&world, "ONCE"), world.upstream.opened()), (vec![1], 1));
    assert_eq!((resent(&world), world.summary(&answer)["resent"].clone()), (0.0, Value::Null));
}

#[test]
fn half_an_answer_is_not_sent_again() {
    is_told_at_once(Reply::half(), 502, "upstream-broke");
    is_told_at_once(Reply::Writes(b"H".to_vec()), 502, "upstream-broke");
}

#[test]
fn an_upstream_that_is_silent_is_not_sent_it_again() {
    is_told_at_once(Reply::Hangs, 504, "upstream-timeout");
}

#[test]
fn what_a_fresh_connection_took_along_is_not_sent_again() {
    let world = World::with(|setup| setup.config["follow_up"] = json!({ "redeliver": ["1h"] }));
    world.wechat.order(&APP, "FRESH").paid(100);
    for (reply, number) in [(Reply::Breaks, 1), (Reply::Writes(Vec::new()), 2)] {
        world.upstream.answers_once(reply);
        let answer = world.app_callback("FRESH");
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (502, "upstream-broke"));
        assert_eq!(attempts(&world, "FRESH").len(), number);
    }
    assert_eq!(resent(&world), 0.0);
}

#[test]
fn the_follow_up_sends_once_more_as_well() {
    let world = World::with(|setup| {
        setup.hurry();
        keeps_long(setup);
    });
    world.wechat.order(&APP, "LATER").states(&["NOTPAY", "SUCCESS"]);
    warm_up(&world);
    world.upstream.answers_reused(Reply::Breaks);
    assert_eq!(world.app_callback("LATER").status(), 503);
    let entry = stands(&world, "LATER", "accepted");
    assert_eq!(noted(&entry), [(1, json!("upstream-broke"), Value::Null), (2, Value::Null, json!(200))]);
    assert_eq!((attempts(&world, "LATER"), resent(&world)), (vec![1, 2], 1.0));
    assert_eq!(sent(&world, "follow-up", "upstream-broke"), 1.0);
}

#[test]
fn a_callback_that_was_made_is_sent_once_more_as_well() {
    let world = World::with(|setup| {
        swept(setup);
        keeps_long(setup);
    });
    warm_up(&world);
    let id = world.wechat.order(&APP, "LOST").paid(250);
    world.wechat.bill(&APP, "20261122", &Bill::default().paid(&APP, "LOST", &id, 250));
    world.upstream.answers_reused(Reply::Breaks);
    world.command(&["sweep", "--channel", "app", "--date", "2026-11-22", "--wait", "20s"]);
    let entry = stands(&world, "LOST", "accepted");
    assert_eq!(noted(&entry).len(), attempts(&world, "LOST").len());
    assert_eq!((attempts(&world, "LOST"), resent(&world)), (vec![1, 2], 1.0));
}

#[test]
fn it_is_done_and_told_also_without_a_journal_and_for_what_is_not_confirmed() {
    let world = World::with(|setup| {
        setup.config["journal"] = json!("none");
        setup.config["mode"] = json!("observe");
        keeps_long(setup);
    });
    warm_up(&world);
    world.wechat.order(&APP, "KNOWN").paid(100);
    world.wechat.order(&APP, "UNPAID");
    world.upstream.answers_reused(Reply::Breaks);
    let answer = world.app_callback("KNOWN");
    assert_eq!((answer.status(), attempts(&world, "KNOWN")), (200, vec![1, 2]));
    assert_eq!(world.summary(&answer)["resent"], true);
    let answer = world.app_callback("UNPAID");
    assert_eq!((answer.status(), world.upstream.requests_for("UNPAID").len()), (200, 2));
    assert_eq!((&world.summary(&answer)["resent"], resent(&world)), (&json!(true), 2.0));
}

/// How many connections three callbacks are sent on.
fn connections(keep_alive: &str, says: Option<&'static str>) -> usize {
    let world = World::with(|setup| setup.config["forwarding"] = json!({ "keep_alive": keep_alive }));
    if let Some(says) = says {
        world.upstream.says_keep_alive(says);
    }
    // The answer to the first one is what the second goes by.
    for order in ["ONE", "TWO", "THREE"] {
        world.wechat.order(&APP, order).paid(100);
        assert_eq!(world.app_callback(order).status(), 200);
    }
    world.upstream.opened()
}

#[test]
fn a_connection_is_kept_for_as_long_as_both_sides_want_it() {
    for (keep_alive, says, expected) in [
        ("1m", None, 1),
        ("1m", Some("timeout=60"), 1),
        ("1m", Some("max=100, Timeout=\"60\""), 1),
        ("1m", Some("timeout=soon"), 1),
        ("none", None, 3),
        ("none", Some("timeout=60"), 3),
        ("1ms", None, 3),
        ("1m", Some("timeout=1"), 3),
        ("1m", Some("timeout=60, timeout=0"), 3),
    ] {
        assert_eq!(connections(keep_alive, says), expected, "{keep_alive} {says:?}");
    }
}

#[test]
fn a_reload_lets_go_of_connections_that_are_not_to_be_kept() {
    let world = World::with(keeps_long);
    warm_up(&world);
    world.change_config(|config| config["forwarding"]["keep_alive"] = json!("none"));
    until("the reload", || world.gate.log().contains("\"configuration in force\""));
    world.wechat.order(&APP, "SECOND").paid(100);
    assert_eq!((world.app_callback("SECOND").status(), world.upstream.opened()), (200, 2));
}
