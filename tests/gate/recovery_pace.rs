//! An order system that takes nothing is left alone but for a probe now and then; when it takes something again, everything that
//! waits goes out at its pace, oldest first, and an order that it chokes on keeps nobody waiting.

use crate::fakes::upstream::{Reply, Upstream};
use crate::fakes::wechat::{APP, C1, SignType, notification};
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use crate::reload::reload;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LONG: &str = "30m";

fn refusal() -> Reply {
    Reply::Says { status: 503, content_type: "text/plain", body: b"Fatal error".to_vec() }
}

/// A gate whose held orders stay where they are unless something moves them.
fn world(change: impl FnOnce(&mut Setup)) -> World {
    World::with(|setup| {
        let follow_up =
            json!({ "ask_again": [LONG], "redeliver": [LONG], "probe": "1s", "pace": 20, "concurrency": 64 });
        setup.config["follow_up"] = follow_up;
        change(setup);
    })
}

fn named(prefix: &str, orders: usize) -> Vec<String> {
    (0..orders).map(|index| format!("{prefix}-{index:03}")).collect()
}

/// The upstream refuses the callbacks of these orders.
fn held(world: &World, orders: &[String]) {
    world.upstream.answers(refusal());
    for order in orders {
        world.wechat.order(&APP, order).paid(100);
        assert_eq!(world.app_callback(order).status(), 503, "{order}: a fresh callback passes as ever");
    }
}

fn upstream(world: &World) -> Value {
    world.admin_json("/api/overview")["upstreams"][0].clone()
}

fn state(world: &World) -> String {
    upstream(world)["state"].as_str().unwrap_or_default().to_owned()
}

/// How often each of these orders was sent.
fn sent(world: &World, orders: &[String]) -> Vec<usize> {
    orders.iter().map(|order| world.upstream.requests_for(order).len()).collect()
}

fn sent_in_all(world: &World) -> usize {
    world.upstream.requests().len()
}

fn accepted(world: &World) -> i64 {
    world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'")
}

/// Nothing is sent for this long, but for `most`.
fn quiet(world: &World, time: Duration, most: usize) {
    let (before, since) = (sent_in_all(world), Instant::now());
    until("the time to pass", || since.elapsed() > time);
    let sent = sent_in_all(world) - before;
    assert!(sent <= most, "{sent} were sent in {time:?}, of which {most} may be");
}

#[test]
fn an_order_system_that_takes_nothing_gets_one_probe_each_time_and_everything_at_its_pace_when_it_is_back() {
    let world = world(|setup| setup.config["follow_up"]["redeliver"] = json!(["100ms"]));
    let orders = named("WAITS", 60);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    // Whatever was on its way when that was known.
    until("the timers to be held", || {
        let before = sent_in_all(&world);
        std::thread::sleep(Duration::from_millis(300));
        sent_in_all(&world) - before <= 1
    });
    quiet(&world, Duration::from_secs(3), 4);
    let probed = sent(&world, &orders).into_iter().max().unwrap();
    world.upstream.answers(Reply::ok(b"booked"));
    let (before, back) = (sent_in_all(&world), Instant::now());
    let mut measured = Vec::new();
    until("all to be accepted", || {
        measured.push((back.elapsed(), sent_in_all(&world) - before));
        accepted(&world) == 60
    });
    // 20 a second, twice that at once; the time is looked at before the count is.
    for (elapsed, sent) in &measured {
        let most = 40.0 + 20.0 * (elapsed.as_secs_f64() + 0.5);
        assert!((*sent as f64) < most, "{sent} after {elapsed:?}");
    }
    assert_eq!(sent_in_all(&world) - before, 60, "each once");
    assert!(probed < 60, "they took turns");
    assert_eq!(state(&world), "well");
}

#[test]
fn what_waits_goes_out_oldest_first_at_the_first_accepted_callback() {
    let world = world(|setup| {
        setup.config["follow_up"]["concurrency"] = json!(2);
        setup.config["follow_up"]["probe"] = json!("5m");
    });
    let orders = named("LINE", 12);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    quiet(&world, Duration::from_millis(500), 0);
    world.upstream.answers(Reply::ok(b"booked"));
    let before = sent_in_all(&world);
    world.wechat.order(&APP, "FRESH-1").paid(100);
    assert_eq!(world.app_callback("FRESH-1").status(), 200);
    until("all to be accepted", || accepted(&world) == 13);
    let later: Vec<String> = world.upstream.requests().iter().skip(before + 1).map(|request| request.text()).collect();
    let expected: Vec<String> = orders.iter().map(|order| format!("OrderID={order}")).collect();
    assert_eq!(later, expected);
}

#[test]
fn two_orders_that_failed_go_out_with_the_next_accepted_one_though_it_was_never_failing() {
    let world = world(|_| ());
    let orders = named("TWO", 2);
    held(&world, &orders);
    assert_eq!(state(&world), "well", "two orders say nothing");
    quiet(&world, Duration::from_millis(1500), 0);
    world.upstream.answers(Reply::ok(b"booked"));
    world.wechat.order(&APP, "THIRD-1").paid(100);
    assert_eq!(world.app_callback("THIRD-1").status(), 200);
    orders.iter().for_each(|order| drop(stands(&world, order, "accepted")));
    assert_eq!(sent(&world, &orders), [2, 2]);
}

#[test]
fn an_order_that_is_refused_while_others_are_accepted_keeps_its_own_timer() {
    let world = world(|_| ());
    let chokes = "CHOKES-1";
    world.wechat.order(&APP, chokes).paid(100);
    world.upstream.answers_once(refusal());
    assert_eq!(world.app_callback(chokes).status(), 503);
    world.upstream.answers_once(Reply::ok(b"booked"));
    world.upstream.answers_once(refusal());
    world.wechat.order(&APP, "GOOD-0").paid(100);
    assert_eq!(world.app_callback("GOOD-0").status(), 200);
    until("it to be brought forward", || world.upstream.requests_for(chokes).len() == 2);
    until("that to be noted", || explained(&world, chokes)["sendings"][1]["status"] == 503);
    let before = explained(&world, chokes);
    for order in named("MORE", 10) {
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200);
    }
    quiet(&world, Duration::from_millis(1500), 0);
    let after = explained(&world, chokes);
    assert_eq!((&after["state"], &after["due_at"]), (&json!("delivering"), &before["due_at"]));
    let tries = world.journal("SELECT tries FROM entry WHERE \"order\" = 'CHOKES-1'");
    assert_eq!(tries, 0, "its timer has not tried it");
}

#[test]
fn an_order_that_the_order_system_chokes_on_does_not_hide_that_it_is_back() {
    let world = world(|_| ());
    let orders = named("MANY", 6);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    let probes = || world.upstream.requests().into_iter().skip(6).map(|request| request.text()).collect::<Vec<_>>();
    until("each to have its turn", || probes().len() >= 6);
    let mut turns = probes();
    turns.truncate(6);
    turns.sort();
    let expected: Vec<String> = orders.iter().map(|order| format!("OrderID={order}")).collect();
    assert_eq!(turns, expected, "each once before any has its second");
}

#[test]
fn a_probe_that_hangs_is_joined_by_few_others() {
    let world = world(|_| ());
    held(&world, &named("SLOW", 5));
    until("it to be failing", || state(&world) == "failing");
    world.upstream.answers(Reply::Hangs);
    let before = sent_in_all(&world);
    until("four probes", || sent_in_all(&world) == before + 4);
    quiet(&world, Duration::from_millis(2500), 0);
}

#[test]
fn an_order_system_that_hung_is_found_to_be_back_while_a_probe_still_hangs() {
    let world = world(|_| ());
    held(&world, &named("HUNG", 5));
    until("it to be failing", || state(&world) == "failing");
    world.upstream.answers(Reply::Hangs);
    let before = sent_in_all(&world);
    until("a probe", || sent_in_all(&world) == before + 1);
    world.upstream.answers(Reply::ok(b"booked"));
    until("it to be well", || state(&world) == "well");
}

#[test]
fn what_an_operator_asks_for_is_sent_at_once_and_brings_the_others_with_it() {
    let world = world(|setup| setup.config["follow_up"]["probe"] = json!("5m"));
    let orders = named("ASKED", 8);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    quiet(&world, Duration::from_millis(500), 0);
    assert_eq!(world.admin_post(&format!("/api/orders/app/{}/redeliver", orders[7])).status(), 202);
    until("it to be sent", || sent(&world, &orders)[7] == 2);
    quiet(&world, Duration::from_millis(500), 0);
    assert_eq!(state(&world), "failing");
    world.upstream.answers(Reply::ok(b"booked"));
    assert_eq!(world.admin_post(&format!("/api/orders/app/{}/redeliver", orders[3])).status(), 202);
    until("all to be accepted", || accepted(&world) == 8);
}

#[test]
fn what_was_never_sent_waits_with_the_others_and_is_never_parked_for_time() {
    let world = world(|setup| {
        setup.config["follow_up"]["ask_again"] = json!(["500ms"]);
        setup.config["follow_up"]["redeliver_for"] = json!("3s");
        setup.config["follow_up"]["probe"] = json!("5m");
    });
    let orders = named("PARKS", 5);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    world.wechat.order(&APP, "LATE-1").states(&["NOTPAY", "SUCCESS"]);
    assert_eq!(world.app_callback("LATE-1").status(), 503);
    stands(&world, "LATE-1", "delivering");
    for order in &orders {
        assert_eq!(stands(&world, order, "parked")["reason"], "gave-up-delivering");
    }
    quiet(&world, Duration::from_secs(4), 0);
    let late = explained(&world, "LATE-1");
    assert_eq!((&late["state"], world.upstream.requests_for("LATE-1").len()), (&json!("delivering"), 0));
}

#[test]
fn after_a_start_one_of_what_waits_is_sent_soon_and_takes_the_others_with_it() {
    let mut world = world(|_| ());
    let orders = named("RESTART", 20);
    held(&world, &orders);
    orders.iter().for_each(|order| drop(stands(&world, order, "delivering")));
    world.kill9();
    world.upstream.answers(Reply::ok(b"booked"));
    world.restart();
    until("all to be accepted", || accepted(&world) == 20);
}

#[test]
fn a_gate_that_takes_over_goes_on_with_what_waits() {
    let mut world = world(|_| ());
    let orders = named("HANDED", 8);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    assert!(world.take_over().success());
    world.upstream.answers(Reply::ok(b"booked"));
    until("all to be accepted", || accepted(&world) == 8);
}

#[test]
fn an_order_system_that_takes_one_kind_of_orders_is_not_sent_the_other_kind_over_and_over() {
    let world = world(|setup| setup.config["follow_up"]["probe"] = json!("5m"));
    // What it says is no answer to a notification of WeChat Pay, and counts for the APP's callbacks.
    world.upstream.answers(Reply::ok(b"booked"));
    let refused = named("NOTIFIED", 6);
    for order in &refused {
        world.wechat.order(&APP, order).paid(100);
        world.wechat_calls_back("app", notification(&APP, order, 100), APP.key, SignType::Md5);
    }
    until("it to be failing", || state(&world) == "failing");
    for order in named("TAKEN", 12) {
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200);
        quiet(&world, Duration::from_millis(300), 6);
    }
    assert_eq!(sent(&world, &refused), [2; 6], "each was brought forward once, and has its own timer");
}

#[test]
fn after_a_start_an_order_that_it_chokes_on_is_not_taken_for_an_outage() {
    let mut world = world(|_| ());
    held(&world, &named("ALONE", 1));
    stands(&world, "ALONE-000", "delivering");
    world.kill9();
    world.restart();
    until("it to be tried once", || sent_in_all(&world) == 2);
    quiet(&world, Duration::from_millis(2500), 0);
    assert_eq!(state(&world), "well");
}

#[test]
fn a_reload_goes_on_with_what_is_known_and_another_order_system_is_another() {
    let other = Upstream::start();
    let world = world(|setup| setup.watch(&other));
    let orders = named("MOVES", 6);
    held(&world, &orders);
    until("it to be failing", || state(&world) == "failing");
    let since = upstream(&world)["failing_since"].clone();
    reload(&world, |config| config["follow_up"]["pace"] = json!(30));
    assert_eq!(upstream(&world)["failing_since"], since);
    reload(&world, |config| config["upstream"] = json!(format!("http://{}", other.addr)));
    assert_eq!(state(&world), "well");
    until("all to be accepted there", || accepted(&world) == 6);
    assert_eq!(other.requests().len(), 6);
}

#[test]
fn one_order_system_that_fails_leaves_the_others_alone() {
    let other = Upstream::start();
    let world = world(|setup| {
        setup.channel_upstream("2/c1", &other);
        setup.config["follow_up"]["redeliver"] = json!(["500ms"]);
        setup.config["follow_up"]["probe"] = json!("5m");
    });
    held(&world, &named("FAILS", 5));
    until("it to be failing", || {
        let upstreams = world.admin_json("/api/overview")["upstreams"].clone();
        upstreams.as_array().unwrap().iter().any(|upstream| upstream["state"] == "failing")
    });
    let id = world.wechat.order(&C1, "OTHER-1").paid(100);
    other.answers_once(refusal());
    let form = format!("OrderID=OTHER-1&paymentcenter_id=OTHER-1&ChannelID=2&CustomerID=c1&WeixinTransactionID={id}");
    assert_eq!(world.callback(&form).status(), 503);
    stands(&world, "OTHER-1", "accepted");
}

#[test]
fn how_the_order_system_stands_is_told_alike_everywhere_however_many_are_held() {
    let world = world(|_| ());
    let orders = named("COUNT", 230);
    held(&world, &orders);
    until("the numbers to be read", || upstream(&world)["waiting"] == 230);
    until("all to be heard of", || world.journal("SELECT count(*) FROM attempt WHERE ended_at IS NULL") <= 1);
    let cause = "Order system did not accept it: 230 orders";
    until("the groups to be counted", || world.admin_get("/").text().contains(cause));
    let whole = world.admin_json("/api/overview");
    let told = &whole["upstreams"][0];
    assert_eq!(told["state"], "failing");
    for time in ["failing_since", "next_probe_at"] {
        assert!(told[time].is_string(), "{time}: {told}");
    }
    assert!(told["last_accepted_at"].is_null(), "{told}");
    let failure = &told["last_failure"];
    assert_eq!((&failure["status"], &failure["reason"]), (&json!(503), &json!("not-accepted")));
    assert!(failure["at"].is_string() && failure["text"].is_null(), "{failure}");
    let figures = &whole["figures"];
    assert_eq!((&figures["paid_not_accepted"], &figures["entries"]["delivering"]), (&json!(230), &json!(230)));
    assert_eq!(figures["paid_not_accepted_sums"], json!([{ "fee_type": "CNY", "total_fee": 23_000 }]));
    let name = told["upstream"].as_str().unwrap();
    let scrape = world.scrape();
    for (metric, labels, value) in [
        ("tollgate_upstream_failing", vec![("upstream", name)], 1.0),
        ("tollgate_upstream_waiting", vec![("upstream", name)], 230.0),
        ("tollgate_paid_not_accepted", vec![], 230.0),
        ("tollgate_journal_entries", vec![("state", "delivering")], 230.0),
    ] {
        assert_eq!(scrape.one(metric, &labels), value, "{metric}");
    }
    let page = world.admin_get("/").text();
    let part = |from: &str, to: &str| {
        let after = page.split_once(from).unwrap_or_else(|| panic!("no {from} in {page}")).1;
        after.split_once(to).unwrap().0.to_owned()
    };
    let alarm = part("id=\"alarm\"", "</section>");
    assert!(alarm.contains("230 paid orders") && alarm.contains("¥230.00"), "{alarm}");
    assert!(part("id=\"alarm-cause\"", "</").contains(cause), "{alarm}");
    // Each says a sentence, and none runs into the next.
    assert!(
        ["alarm-sum", "alarm-oldest", "alarm-cause"].iter().all(|id| alarm.contains(&format!(" <span id=\"{id}\">"))),
        "{alarm}"
    );
    assert!(alarm.matches(".</span>").count() == 3, "{alarm}");
    assert!(part("class=\"group\"", "</article>").contains("230 orders"));
    assert!(part("id=\"health\"", "</section>").contains("230 orders"));
}
