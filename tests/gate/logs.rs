//! One line says what became of a callback, and no line says what must stay secret (S-01 to S-03).

use crate::fakes::wechat::{APP, C1, OPENID, SignType, notification, sign};
use crate::harness::{World, until};
use crate::wire::Request;
use serde_json::{Value, json};

#[test]
fn one_line_tells_the_whole_story_of_a_callback() {
    let world = World::new();
    world.wechat.order(&APP, "LOG-1").paid(100);
    let asked = world.app_callback("LOG-1");
    let cached = world.app_callback("LOG-1");
    let line = world.summary(&asked);
    for (name, value) in [
        ("route", json!("app")),
        ("channel", json!("app")),
        ("order", json!("LOG-1")),
        ("out_trade_no", json!("LOG-1")),
        ("verdict", json!("paid")),
        ("reason", json!("paid")),
        ("source", json!("miss")),
        ("status", json!(200)),
        ("upstream_status", json!(200)),
        ("accepted", json!(true)),
    ] {
        assert_eq!(line[name], value, "{name} in {line}");
    }
    for name in ["elapsed_ms", "confirm_ms", "upstream_ms"] {
        assert!(line[name].is_number(), "{name} in {line}");
    }
    assert!(line["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1")), "{line}");
    assert_eq!(world.summary(&cached)["source"], "hit");
}

#[test]
fn every_callback_has_exactly_one_summary_line() {
    let world = World::new();
    world.wechat.order(&APP, "LOG-2").paid(100);
    world.app_callback("LOG-2");
    world.app_callback("LOG-UNPAID");
    world.callback("OrderID=A&OrderID=B");
    world.callback("OrderID=LOG-2&TotalFee=1");
    world.send(&Request::post("/wxpay/plain").xml("<bad"));
    until("five lines", || world.gate.summaries().len() >= 5);
    let reasons: Vec<_> = world.gate.summaries().iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(reasons, ["paid", "order-not-found", "field-repeated", "amount-differs", "body-malformed"]);
}

#[test]
fn whether_the_upstream_accepted_is_by_the_routes_own_rule() {
    // D-09
    let world = World::with(|setup| {
        setup.route("app")["accepted"] = json!({ "status": "2xx", "body_contains": "marked" });
    });
    world.wechat.order(&APP, "LOG-3").paid(100);
    world.upstream.answers_once(crate::fakes::upstream::Reply::ok(b"sorry"));
    let sorry = world.app_callback("LOG-3");
    let marked = world.app_callback("LOG-3");
    assert_eq!((sorry.status(), &world.summary(&sorry)["accepted"]), (200, &json!(false)));
    assert_eq!((marked.status(), &world.summary(&marked)["accepted"]), (200, &json!(true)));
}

#[test]
fn s02_whatever_a_sender_writes_every_line_stays_one_json_object() {
    let world = World::new();
    world.wechat.order(&APP, "LOG-4").paid(100);
    let evil = "\u{1b}[31m\u{2028}\u{0}\"},{\"message\":\"callback\",\"verdict\":\"paid\"";
    let encoded = percent_encoding::utf8_percent_encode(evil, percent_encoding::NON_ALPHANUMERIC).to_string();
    world.callback(&format!("OrderID={encoded}%0d%0aINJECTED"));
    world.callback(&format!("OrderID=LOG-4&x={encoded}"));
    world.send(&Request::get(&format!("/{encoded}")));
    world.send(&Request::get(&format!("/pay/success?OrderID={encoded}")));
    world.send(&Request::post("/pay/success").form("OrderID=LOG-4").header("User-Agent", "\u{1b}[31m\"}"));
    world.send(&Request::post(&format!("/wxpay/notify/{encoded}")).xml("<xml/>"));
    world.send(
        &Request::post("/pay/json").json(json!({ "data": { "order_id": "LOG-4", "channel": evil } }).to_string()),
    );
    until("the summary lines", || world.gate.summaries().len() >= 5);
    for line in world.gate.log().lines().filter(|line| !line.contains(": listening on")) {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    let forged = world.gate.summaries().into_iter().filter(|line| line["verdict"] == "paid");
    assert!(forged.into_iter().all(|line| line["order"] == "LOG-4"));
}

#[test]
fn s02_the_text_format_escapes_control_characters() {
    let world = World::with(|setup| setup.config["log"] = json!({ "format": "text", "level": "debug" }));
    world.callback("OrderID=%1b[31mRED%0d%0aINJECTED");
    world.send(&Request::get("/%1b[31m"));
    world.wechat.order(&APP, "LOG-5").paid(100);
    assert_eq!(world.app_callback("LOG-5").status(), 200);
    until("the last line", || world.gate.log().contains("LOG-5"));
    assert!(!world.gate.log().contains('\u{1b}'));
    assert!(world.gate.log().lines().all(|line| !line.starts_with("INJECTED")));
}

#[test]
fn s01_no_key_signature_openid_or_body_is_told_at_any_level() {
    // The ledger greps every scenario's log for keys, openid and WeChat Pay's signatures; here the level is the finest.
    let world = World::with(|setup| {
        setup.config["log"] = json!({ "format": "json", "level": "trace" });
        setup.config["headers"] = json!({
            "signature": { "name": "X-Verified-Signature", "key": "canary-header-key-0123456789abcdef" },
        });
    });
    world.wechat.order(&APP, "LOG-6").paid(100);
    let fields = notification(&APP, "LOG-6", 100);
    let rightly = sign(&fields, APP.key, SignType::Md5);
    let forged = sign(&fields, C1.key, SignType::Md5);
    world.wechat_calls_back("app", fields.clone(), APP.key, SignType::Md5);
    world.wechat_calls_back("app", fields, C1.key, SignType::Md5);
    world.callback("OrderID=LOG-6&phone=13800001234&note=canary-in-the-body");
    world.callback("OrderID=LOG-6&OrderID=canary-in-a-bad-body");
    world.send(&Request::get("/pay/success?OrderID=LOG-6&phone=13800001234"));
    until("the summary lines", || world.gate.summaries().len() >= 5);
    let signature = world.upstream.requests()[0].folded("X-Verified-Signature").join("");
    let log = world.gate.log().to_lowercase();
    let secrets = [
        APP.key,
        C1.key,
        OPENID,
        &rightly,
        &forged,
        &signature,
        "canary-header-key",
        "canary-in",
        "13800001234",
        crate::harness::ADMIN_TOKEN,
    ];
    for secret in secrets {
        assert!(!log.contains(&secret.to_lowercase()), "{secret} was told");
    }
}

#[test]
fn s01_no_secret_stands_in_the_arguments_of_the_process() {
    let world = World::new();
    let arguments = std::fs::read(format!("/proc/{}/cmdline", world.gate.pid())).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    assert!(!arguments.contains(APP.key) && !arguments.contains(C1.key), "{arguments}");
}

#[test]
fn r06_a_log_that_nobody_reads_stops_nobody() {
    let world = World::new();
    world.wechat.order(&APP, "LOG-8").paid(100);
    world.gate.nobody_reads_the_log();
    let note = "x".repeat(1000);
    for _ in 0..400 {
        assert_eq!(world.callback(&format!("OrderID=LOG-8&note={note}")).status(), 200);
    }
}

#[test]
fn a_start_that_is_well_warns_of_nothing() {
    // It warns of a number that is not proven, and of senders that it cannot tell apart.
    let world = World::with(|setup| {
        setup.route("app")["number_proof"] = json!("attach");
        setup.config["forwarding"] = json!({ "trusted_proxies": ["10.0.0.1"] });
    });
    world.app_callback("LOG-7");
    until("the summary line, behind everything at start-up", || !world.gate.summaries().is_empty());
    let log = world.gate.log();
    assert!(!log.lines().any(|line| line.contains("WARN")), "{log}");
}
