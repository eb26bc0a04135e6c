//! The commands an operator reaches for: asking by hand, and trying a saved request without sending it.

use crate::fakes::wechat::{APP, C1, Fault, SignType, notification, signed_xml};
use crate::harness::World;
use crate::program::{Ended, command};
use crate::wire::Request;
use serde_json::Value;

#[test]
fn every_command_explains_itself() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["check", "--help"],
        &["query", "--help"],
        &["verify", "--help"],
        #[cfg(feature = "sandbox")]
        &["sandbox", "--help"],
        #[cfg(feature = "sandbox")]
        &["demo", "--help"],
    ] {
        let ended = command(args, &[]);
        assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
        assert!(ended.stdout.contains("Usage"), "{args:?}: {}", ended.stdout);
    }
    let ended = command(&["--version"], &[]);
    assert_eq!((ended.code, ended.stdout.trim()), (0, concat!("tollgate ", env!("CARGO_PKG_VERSION"))));
    let ended = command(&["frobnicate"], &[]);
    assert_eq!(ended.code, 2, "{}", ended.stderr);
}

#[test]
fn the_help_says_which_optional_parts_this_build_has() {
    let help = command(&["--help"], &[]).stdout;
    let has = cfg!(feature = "sandbox");
    assert!(help.contains(if has { "sandbox yes" } else { "sandbox no" }), "{help}");
    for name in ["sandbox", "demo"] {
        assert_eq!(command(&[name, "--help"], &[]).code, if has { 0 } else { 2 }, "{name}");
    }
}

#[test]
fn query_asks_now_and_says_the_verdict() {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "ASK-1").paid(6600);
    world.wechat.order(&APP, "ASK-2");
    world.wechat.order(&APP, "ASK-3").fault(Fault::Unsigned).paid(100);
    let ended = world.command(&["query", "app", "ASK-1"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("paid") && ended.stdout.contains(&transaction_id), "{}", ended.stdout);
    let json = json(&world.command(&["query", "app", "ASK-1", "--json"]));
    assert_eq!((&json["verdict"], &json["transaction_id"]), (&"paid".into(), &transaction_id.into()), "{json}");
    for (order, verdict, reason) in [
        ("ASK-2", "pending", "not-paid-yet"),
        ("ASK-3", "unknown", "answer-unsigned"),
        ("ASK-4", "pending", "order-not-found"),
    ] {
        let json = self::json(&world.command(&["query", "app", order, "--json"]));
        assert_eq!((&json["verdict"], &json["reason"]), (&verdict.into(), &reason.into()), "{json}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn query_of_a_channel_nobody_configured_names_those_there_are() {
    let world = World::new();
    let ended = world.command(&["query", "nobody", "ASK-5"]);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("nobody") && ended.stderr.contains("hmac"), "{}", ended.stderr);
    world.wechat_was_not_asked();
}

#[test]
fn verify_says_what_the_gate_would_do_and_asks_nobody() {
    let world = World::new();
    let rightly = signed_xml(notification(&APP, "SAVED-1", 100), APP.key, SignType::Md5);
    let forged = signed_xml(notification(&APP, "SAVED-1", 100), C1.key, SignType::Md5);
    for (request, words) in [
        (Request::post("/wxpay/notify/app").xml(&rightly), &["notify", "SAVED-1", "app"][..]),
        (Request::post("/wxpay/notify/app").xml(&forged), &["notification-badly-signed"]),
        (Request::post("/pay/success").form("OrderID=SAVED-2"), &["SAVED-2"]),
        (Request::post("/pay/success").form("OrderID=A&OrderID=B"), &["field-repeated"]),
        (Request::post("/nowhere").form("OrderID=A"), &["route-unknown"]),
        (Request::of("PUT", "/pay/success"), &["method-not-allowed"]),
    ] {
        let file = world.dir().join("request.http");
        std::fs::write(&file, request.kept_alive()).unwrap();
        for more in [&[][..], &["--json"]] {
            let args = [&["verify", "--file", file.to_str().unwrap()], more].concat();
            let ended = world.command(&args);
            let told = format!("{}{}", ended.stdout, ended.stderr);
            for word in words {
                assert!(told.contains(word), "no {word} for {request:?}: {told}");
            }
            assert!(!told.contains(APP.key), "{told}");
            if !more.is_empty() {
                json(&ended);
            }
        }
    }
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn verify_takes_a_request_saved_with_plain_line_ends() {
    let world = World::new();
    let file = world.dir().join("request.http");
    std::fs::write(
        &file,
        "POST /pay/success HTTP/1.1\nHost: s\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 16\n\n\
         OrderID=EDITED-1",
    )
    .unwrap();
    let ended = world.command(&["verify", "--file", file.to_str().unwrap()]);
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains("EDITED-1"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn verify_of_a_file_that_is_not_there_says_so() {
    let world = World::new();
    let ended = world.command(&["verify", "--file", "/nowhere/request.http"]);
    assert_ne!(ended.code, 0);
    assert!(ended.stderr.contains("/nowhere/request.http"), "{}", ended.stderr);
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr))
}
