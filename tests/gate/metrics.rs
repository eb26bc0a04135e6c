//! What Prometheus is told is what happened, at any moment and after any trouble (O-05).

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, C1, Fault, SignType, notification};
use crate::faults::world_on_a_disk;
use crate::harness::{ADMIN_TOKEN, World, at_once, until};
use crate::scrape::Scrape;
use crate::wire::Request;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn fails() -> Reply {
    Reply::Says { status: 500, content_type: "text/plain", body: b"database gone".to_vec() }
}

/// The follow-up leaves everything alone for longer than a scenario lasts.
fn undisturbed(config: &mut Value) {
    config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
}

/// What the log says of all callbacks, counted as the metrics count them.
fn by_the_log(world: &World) -> BTreeMap<[String; 4], f64> {
    let mut counts = BTreeMap::new();
    for line in world.gate.summaries() {
        let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        *counts.entry(["route", "channel", "verdict", "reason"].map(field)).or_insert(0.0) += 1.0;
    }
    counts
}

fn by_the_scrape(scrape: &Scrape) -> BTreeMap<[String; 4], f64> {
    let series = scrape.series("tollgate_callbacks_total", &[]);
    let key = |labels: &BTreeMap<String, String>| {
        ["route", "channel", "verdict", "reason"].map(|label| labels.get(label).cloned().unwrap_or_default())
    };
    series.map(|(labels, value)| (key(labels), value)).collect()
}

/// Scrapes once nothing is under way any more.
fn at_rest(world: &World) -> Scrape {
    let mut scrape = None;
    until("nothing to be under way", || {
        let now = world.scrape();
        now.adds_up();
        let rests = now.one("tollgate_callbacks_in_flight", &[]) == 0.0;
        scrape = Some(now);
        rests
    });
    scrape.unwrap()
}

/// Sends callbacks that end in every way: how many of each.
fn every_way(world: &World, run: &str) -> [(&'static str, f64); 5] {
    let id = |name: &str| format!("{run}-{name}");
    // Forwarded: paid, and taken or not.
    for name in ["PAID-1", "PAID-2"] {
        world.wechat.order(&APP, &id(name)).paid(100);
        assert_eq!(world.app_callback(&id(name)).status(), 200);
    }
    // What was not taken in a run before goes out with what is accepted now, so what is told once may be told to that.
    world.upstream.answers(fails());
    world.wechat.order(&APP, &id("NOT-TAKEN")).paid(100);
    assert_eq!(world.app_callback(&id("NOT-TAKEN")).status(), 500);
    world.upstream.answers(Reply::ok(b"booked"));
    // Refused: by the request, the claim and the verdict.
    world.wechat.order(&APP, &id("CLOSED")).state("CLOSED");
    world.wechat.order(&APP, &id("DIFFERS")).paid(100);
    let refused = [
        world.send(&Request::post("/nowhere").form("OrderID=A")).status(),
        world.send(&Request::post("/pay/json").form("OrderID=A")).status(),
        world.callback("OrderID=A&OrderID=B").status(),
        world.callback("OrderID=A&paymentcenter_id=N&ChannelID=9&CustomerID=c9").status(),
        world.app_callback(&id("CLOSED")).status(),
        world.callback(&format!("OrderID={}&TotalFee=1", id("DIFFERS"))).status(),
        world.send_bytes(b"POST /pay/success HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status(),
    ];
    assert_eq!(refused, [404, 415, 400, 404, 402, 403, 400]);
    // Pending: not paid yet, not known, or the upstream is gone.
    world.wechat.order(&APP, &id("NOT-YET")).state("NOTPAY");
    assert_eq!(world.app_callback(&id("NOT-YET")).status(), 503);
    world.wechat.order(&APP, &id("UNKNOWN")).fault(Fault::BadSign).paid(100);
    assert_eq!(world.app_callback(&id("UNKNOWN")).status(), 503);
    world.upstream.goes_down();
    world.wechat.order(&APP, &id("BROKE")).paid(100);
    assert_eq!(world.app_callback(&id("BROKE")).status(), 502);
    world.upstream.comes_back();
    // Parked: paid back.
    world.wechat.order(&APP, &id("REFUNDED")).state("REFUND");
    assert_eq!(world.app_callback(&id("REFUNDED")).status(), 402);
    // Absorbed: the notification comes twice.
    let fields = || notification(&APP, &id("TWICE"), 100);
    world.wechat.order(&APP, &id("TWICE")).paid(100);
    world.upstream.answers_once(Reply::xml("<xml><return_code>SUCCESS</return_code></xml>"));
    for _ in 0..2 {
        world.wechat_calls_back("app", fields(), APP.key, SignType::Md5);
    }
    [("forwarded", 4.0), ("refused", 7.0), ("retrying", 3.0), ("parked", 1.0), ("absorbed", 1.0)]
}

fn world() -> World {
    World::with(|setup| {
        undisturbed(&mut setup.config);
        setup.route("notify")["duplicates"] = json!("absorb");
    })
}

#[test]
fn every_callback_is_counted_by_what_became_of_it_as_the_log_tells_it() {
    let world = world();
    let outcomes = every_way(&world, "ONE");
    let scrape = at_rest(&world);
    for (outcome, count) in outcomes {
        assert_eq!(scrape.outcome(outcome), count, "{outcome}");
    }
    until("the log to have all of them", || by_the_log(&world) == by_the_scrape(&scrape));
    let verdicts = |verdict| scrape.sum("tollgate_verdicts_total", &[("verdict", verdict)]);
    let counted = ["paid", "refunded", "pending", "unpaid", "contradicted", "unknown"].map(verdicts);
    assert_eq!(counted, [6.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(scrape.one("tollgate_callback_duration_seconds_count", &[]), 16.0);
    let states = ["delivering", "asking", "parked", "accepted"];
    // The journal is read once a second at most. What was not taken went out with the last one that was.
    until("the journal's figures", || {
        let scrape = at_rest(&world);
        let entries = states.map(|state| scrape.one("tollgate_journal_entries", &[("state", state)]));
        entries == [0.0, 2.0, 1.0, 5.0] && scrape.one("tollgate_paid_not_accepted", &[]) == 0.0
    });
    let scrape = at_rest(&world);
    let sent =
        |origin, result| scrape.sum("tollgate_upstream_requests_total", &[("origin", origin), ("result", result)]);
    assert_eq!([sent("callback", "accepted"), sent("callback", "not-accepted")], [3.0, 1.0]);
    assert_eq!(sent("follow-up", "accepted"), 2.0);
    assert_eq!(scrape.sum("tollgate_upstream_requests_total", &[]), 7.0);
}

#[test]
fn a_scrape_is_openmetrics_or_the_older_text_and_needs_the_token() {
    let world = World::new();
    let answer = world.admin_get("/metrics");
    let kind = answer.header("Content-Type").unwrap();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = Request::get("/metrics").header("Accept", "text/plain;version=0.0.4");
    let text = world.admin_ask(text);
    assert_eq!(text.header("Content-Type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.text().contains("# TYPE tollgate_callbacks_received_total counter\n"), "{}", text.text());
    let nobody = Request::get("/metrics").at(world.gate.admin());
    assert_eq!(world.admin_send(&nobody).status(), 401);
    assert_eq!(world.admin_ask(Request::post("/metrics")).status(), 405);
    let scrape = world.scrape();
    assert_eq!(scrape.one("tollgate_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert_eq!(scrape.one("tollgate_config_generation", &[]), 1.0);
    assert_eq!(scrape.one("tollgate_config_last_reload_successful", &[]), 1.0);
    assert!(scrape.one("process_resident_memory_bytes", &[]) > 1e6);
    assert!(scrape.one("process_open_fds", &[]) > 3.0);
    assert_eq!(scrape.one("tollgate_log_lines_dropped_total", &[]), 0.0);
}

#[test]
fn the_callbacks_add_up_in_every_scrape_under_load_and_after_trouble() {
    let world = World::with(|setup| setup.hurry());
    for order in 0..400 {
        let state = ["SUCCESS", "NOTPAY", "SUCCESS", "CLOSED", "REFUND"][order % 5];
        world.wechat.order(&APP, &format!("LOAD-{order}")).state(state);
    }
    let over = AtomicBool::new(false);
    let scrapes = thread::scope(|scope| {
        let scraping = scope.spawn(|| {
            let mut scrapes = 0;
            while !over.load(Ordering::Relaxed) {
                world.scrape().adds_up();
                scrapes += 1;
            }
            scrapes
        });
        let troubles = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                world.upstream.goes_down();
                thread::sleep(Duration::from_millis(40));
                world.upstream.comes_back();
                world.wechat.goes_down();
                thread::sleep(Duration::from_millis(40));
                world.wechat.comes_back();
                thread::sleep(Duration::from_millis(40));
            }
        });
        at_once(8, |sender| {
            for order in (0..400).filter(|order| order % 8 == sender) {
                world.app_callback(&format!("LOAD-{order}"));
                world.callback(&format!("OrderID=LOAD-{order}&TotalFee=7"));
            }
        });
        over.store(true, Ordering::Relaxed);
        troubles.join().unwrap();
        scraping.join().unwrap()
    });
    assert!(scrapes >= 5, "only {scrapes} scrapes under load");
    let scrape = at_rest(&world);
    assert_eq!(scrape.one("tollgate_callbacks_received_total", &[]), 800.0);
    until("the log to have all of them", || by_the_log(&world) == by_the_scrape(&scrape));
}

#[test]
fn after_kill_9_callbacks_are_counted_anew_and_the_journals_entries_still_add_up() {
    let mut world = world();
    every_way(&world, "ONE");
    let taken_in = world.journal("SELECT count(*) FROM entry") as f64;
    world.restart();
    let scrape = at_rest(&world);
    assert_eq!(scrape.one("tollgate_callbacks_received_total", &[]), 0.0);
    assert_eq!(scrape.one("tollgate_journal_entries_created_total", &[]), taken_in);
    let outcomes = every_way(&world, "TWO");
    let scrape = at_rest(&world);
    for (outcome, count) in outcomes {
        assert_eq!(scrape.outcome(outcome), count, "{outcome}");
    }
    // The journal is read once a second at most.
    until("the journal's figures", || {
        at_rest(&world).one("tollgate_journal_entries_created_total", &[]) == 2.0 * taken_in
    });
}

#[test]
fn what_happened_in_the_last_minute_is_kept_over_a_stop() {
    let mut world = world();
    let outcomes = every_way(&world, "ONE").map(|(_, count)| count);
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
    let kept = |world: &World| -> f64 {
        let journal = rusqlite::Connection::open(world.journal_file()).unwrap();
        let mut rows = journal.prepare("SELECT outcomes FROM minute").unwrap();
        let texts: Vec<String> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        texts.iter().flat_map(|text| text.split(' ')).map(|word| word.parse::<f64>().unwrap()).sum()
    };
    assert_eq!(kept(&world), outcomes.iter().sum::<f64>());
    world.restart();
    every_way(&world, "TWO");
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
    assert_eq!(kept(&world), 2.0 * outcomes.iter().sum::<f64>());
}

#[test]
fn o05_a_hostile_callback_adds_no_value_of_a_label() {
    let world = world();
    every_way(&world, "ONE");
    let before = at_rest(&world).label_values();
    let evil = "evil\\\"\\n{}=,";
    for request in [
        Request::post(&format!("/{evil}")).form("OrderID=A"),
        Request::post("/pay/success?channel=evil").form("OrderID=evil-order"),
        Request::post("/pay/success").form("OrderID=evil&paymentcenter_id=evil&ChannelID=evil&CustomerID=evil"),
        Request::post("/pay/success").form("OrderID=%22evil%22"),
        Request::of("EVIL", "/pay/success").form("OrderID=A"),
        Request::post("/wxpay/notify/evil").xml("<xml><evil>1</evil></xml>"),
        Request::post("/pay/success").form("OrderID=A").header("X-Forwarded-For", "evil"),
        Request::post("/pay/success").form("OrderID=A").header("traceparent", "evil"),
    ] {
        world.send(&request);
    }
    let after = at_rest(&world).label_values();
    // What the gate itself has words for may occur for the first time.
    let new: Vec<_> = after
        .difference(&before)
        .filter(|(label, _)| !["reason", "verdict", "origin", "step"].contains(&&**label))
        .collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(!after.iter().any(|(_, value)| value.to_lowercase().contains("evil")), "{after:?}");
    assert!(!after.iter().any(|(_, value)| value.contains(ADMIN_TOKEN) || value.contains(APP.key)), "{after:?}");
}

#[test]
fn queries_are_counted_by_host_and_an_unreachable_one_is_shown() {
    let world = World::with(|setup| undisturbed(&mut setup.config));
    for order in ["ONE", "TWO"] {
        world.wechat.order(&APP, order).paid(100);
        world.app_callback(order);
        world.app_callback(order);
    }
    let host = format!("http://{}", world.wechat.addr);
    let of = |outcome| [("host", host.as_str()), ("outcome", outcome)];
    let scrape = at_rest(&world);
    assert_eq!(scrape.one("tollgate_queries_total", &of("answered")), world.wechat.queries().len() as f64);
    assert_eq!(scrape.one("tollgate_query_duration_seconds_count", &[]), 2.0);
    assert_eq!(scrape.one("tollgate_cache_requests_total", &[("source", "hit")]), 2.0);
    assert_eq!(scrape.one("tollgate_cache_requests_total", &[("source", "miss")]), 2.0);
    assert_eq!(scrape.one("tollgate_wechat_breaker_open", &[]), 0.0);
    assert_eq!(scrape.sum("tollgate_queries_over_budget_total", &[("mch_id", C1.mch_id)]), 0.0);
    world.wechat.goes_down();
    let mut asked = 0;
    until("the host to be asked last", || {
        asked += 1;
        world.app_callback(&format!("DOWN-{asked}"));
        world.scrape().one("tollgate_wechat_breaker_open", &[]) == 1.0
    });
    assert!(world.scrape().sum("tollgate_queries_total", &of("transport")) >= 20.0);
}

#[test]
fn the_follow_ups_steps_are_counted() {
    let world = World::with(|setup| setup.hurry());
    world.upstream.answers(fails());
    world.wechat.order(&APP, "LATER").paid(100);
    assert_eq!(world.app_callback("LATER").status(), 500);
    let step = |step| world.scrape().sum("tollgate_follow_up_steps_total", &[("step", step)]);
    until("a step in vain", || step("not-accepted") >= 1.0);
    assert!(world.scrape().one("tollgate_oldest_unfinished_seconds", &[]) > 0.0);
    world.upstream.answers(Reply::ok(b"taken"));
    until("it to be delivered", || step("delivered") == 1.0);
    let sent = [("origin", "follow-up"), ("result", "accepted")];
    assert_eq!(world.scrape().sum("tollgate_upstream_requests_total", &sent), 1.0);
}

#[test]
fn a_scrape_is_answered_while_the_disk_hangs_or_fails() {
    let (world, disk) = world_on_a_disk(|setup| undisturbed(&mut setup.config));
    world.wechat.order(&APP, "BEFORE").paid(100);
    assert_eq!(world.app_callback("BEFORE").status(), 200);
    let writable = || world.scrape().one("tollgate_journal_writable", &[]);
    assert_eq!(writable(), 1.0);
    for word in ["fsync-eio", "hold-writes"] {
        disk.does(word);
        world.wechat.order(&APP, word).paid(100);
        let began = Instant::now();
        assert_eq!(world.app_callback(word).status(), 503, "{word}");
        until("the journal to be shown as not writable", || writable() == 0.0);
        assert!(began.elapsed() < Duration::from_secs(60), "{word}: {:?}", began.elapsed());
        let scrape = world.scrape();
        scrape.adds_up();
        assert_eq!(
            scrape.one("tollgate_callbacks_total", &[("reason", "journal-unavailable")]),
            if word == "hold-writes" { 2.0 } else { 1.0 }
        );
        disk.works();
        until("the journal to be writable again", || writable() == 1.0);
    }
}
