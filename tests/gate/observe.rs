//! Watching before enforcing: everything passes, nothing unconfirmed carries a verified header, and the log says what
//! would have been refused.

use crate::fakes::wechat::{APP, C1, Fault, SignType, notification};
use crate::harness::World;
use crate::wire::{Message, Request};
use serde_json::json;

fn world() -> World {
    World::with(|setup| {
        setup.config["mode"] = json!("observe");
        setup.config["confirm_deadline"] = json!("500ms");
    })
}

/// What was forwarded last carries no header of ours that means "verified".
fn bare(seen: &Message) {
    for name in
        ["Transaction-Id", "Out-Trade-No", "Total-Fee", "Fee-Type", "Time-End", "Trade-State", "Channel", "Signature"]
    {
        assert!(seen.folded(&format!("X-Verified-{name}")).is_empty(), "{name} on {}", seen.line());
    }
}

#[test]
fn a_paid_callback_passes_with_its_headers() {
    let world = world();
    let transaction_id = world.wechat.order(&APP, "WATCH-1").paid(100);
    let answer = world.app_callback("WATCH-1");
    assert_eq!(answer.status(), 200);
    assert_eq!(world.upstream_received().folded("X-Verified-Transaction-Id"), [transaction_id]);
    assert_ne!(world.summary(&answer)["would_refuse"], json!(true));
}

#[test]
fn what_enforce_would_refuse_passes_without_a_verified_header() {
    let world = world();
    world.wechat.order(&APP, "WATCH-2");
    world.wechat.order(&APP, "WATCH-3").state("CLOSED");
    world.wechat.order(&APP, "WATCH-4").fault(Fault::Unsigned).paid(100);
    world.wechat.order(&APP, "WATCH-5").paid(100);
    world.wechat.order(&APP, "WATCH-6").fault(Fault::Silence).paid(100);
    world.wechat.order(&APP, "WATCH-7").state("REFUND");
    for form in [
        "OrderID=WATCH-2",
        "OrderID=WATCH-3",
        "OrderID=WATCH-4",
        "OrderID=WATCH-5&TotalFee=1",
        "OrderID=WATCH-6",
        "OrderID=WATCH-7",
        "OrderID=WATCH-5&OrderID=OTHER",
        "OrderID=a+b",
        "Nothing=1",
        "OrderID=A&paymentcenter_id=B&ChannelID=9&CustomerID=9",
    ] {
        let request = Request::post("/pay/success").form(form).header("X-Verified-Transaction-Id", "FAKE");
        let answer = world.send(&request);
        assert_eq!((answer.status(), answer.text().as_str()), (200, "order-marked-paid"), "{form}");
        let seen = world.upstream.requests().pop().unwrap();
        assert_eq!(seen.text(), form);
        bare(&seen);
        assert_eq!(world.summary(&answer)["would_refuse"], json!(true), "{form}");
    }
}

#[test]
fn a_body_nobody_can_read_passes_too() {
    let world = world();
    for request in [
        Request::post("/pay/json").json("{not json"),
        Request::post("/pay/success").header("Content-Type", "text/plain").body("OrderID=X"),
        Request::post("/pay/success").body(b"\xff\xfe"),
        Request::post("/wxpay/notify/app").xml("<!DOCTYPE xml><xml/>"),
        Request::post("/wxpay/notify/nobody").xml("<xml><a>1</a></xml>"),
    ] {
        let answer = world.send(&request);
        assert_eq!(answer.status(), 200, "{request:?}");
        bare(&world.upstream.requests().pop().unwrap());
        assert_eq!(world.summary(&answer)["would_refuse"], json!(true), "{request:?}");
    }
    world.wechat_was_not_asked();
}

#[test]
fn a_forged_notification_passes_without_a_query() {
    let world = world();
    world.wechat.order(&APP, "WATCH-8").paid(100);
    let answer = world.wechat_calls_back("app", notification(&APP, "WATCH-8", 100), C1.key, SignType::Md5);
    assert_eq!(answer.text(), "order-marked-paid");
    bare(&world.upstream_received());
    world.wechat_was_not_asked();
}

#[test]
fn what_is_no_callback_is_refused_even_when_watching() {
    let world = world();
    assert_eq!(world.send(&Request::get("/nowhere")).status(), 404);
    assert_eq!(world.send(&Request::of("PUT", "/pay/success")).status(), 405);
    assert_eq!(world.callback(&"x".repeat(65 * 1024)).status(), 413);
    world.upstream_saw_nothing();
}

#[test]
fn one_channel_may_watch_while_the_others_enforce() {
    let world = World::with(|setup| setup.config["channels"]["hmac"]["mode"] = json!("observe"));
    let at = |channel: &str| {
        let json = format!(r#"{{"data":{{"order_id":"UNPAID-9","channel":"{channel}"}}}}"#);
        world.send(&Request::post("/pay/json").json(json))
    };
    assert_eq!(at("app").status(), 503);
    world.upstream_saw_nothing();
    assert_eq!(at("hmac").status(), 200);
    bare(&world.upstream_received());
    assert_eq!(world.callback("OrderID=A&OrderID=B").status(), 400);
}

#[test]
fn one_channel_may_enforce_while_the_others_watch() {
    let world = World::with(|setup| {
        setup.config["mode"] = json!("observe");
        setup.config["channels"]["app"]["mode"] = json!("enforce");
    });
    assert_eq!(world.app_callback("UNPAID-10").status(), 503);
    world.upstream_saw_nothing();
}
