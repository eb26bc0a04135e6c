//! Which route a request belongs to, where its fields stand, and which merchant account it is checked against.

use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{APP, C1, SignType, notification, transaction_id};
use crate::harness::{World, return_code};
use crate::wire::Request;
use serde_json::json;

#[test]
fn a_path_without_a_route_is_404_and_reaches_nobody() {
    let world = World::new();
    for target in ["/", "/pay", "/pay/success2", "/admin", "/metrics", "/healthz", "/wxpay/notify", "/wxpay/notify/"] {
        let answer = world.send(&Request::get(target));
        assert_eq!(answer.status(), 404, "{target}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn the_first_channel_rule_that_applies_chooses() {
    let world = World::new();
    world.wechat.order(&APP, "BOTH-1").paid(100);
    world.wechat.order(&C1, "BOTH-1").paid(200);
    for form in ["OrderID=BOTH-1", "OrderID=BOTH-1&paymentcenter_id=", "OrderID=BOTH-1&ChannelID=2&CustomerID=c1"] {
        assert_eq!(world.callback(form).status(), 200, "{form}");
    }
    assert_eq!(world.callback("OrderID=L-1&paymentcenter_id=BOTH-1&ChannelID=2&CustomerID=c1").status(), 200);
    let channels: Vec<_> =
        world.upstream.requests().iter().map(|seen| seen.folded("X-Verified-Channel").join("")).collect();
    assert_eq!(channels, ["app", "app", "app", "2/c1"]);
    assert_eq!(world.upstream.requests()[3].folded("X-Verified-Transaction-Id"), [transaction_id(&C1, "BOTH-1")]);
}

#[test]
fn e16_a_channel_nobody_configured_is_404() {
    let world = World::new();
    world.wechat.order(&C1, "NOBODY-1").paid(100);
    for (channel, customer) in
        [("2", "c2"), ("2", "C1"), ("2", ""), ("", "c1"), ("2%2Fc1", ""), ("app", ""), ("2", "c1%2F")]
    {
        let form = format!("OrderID=X&paymentcenter_id=NOBODY-1&ChannelID={channel}&CustomerID={customer}");
        assert!([400, 404].contains(&world.callback(&form).status()), "{form}");
    }
    let answer = world.callback("OrderID=X&paymentcenter_id=NOBODY-1&ChannelID=9&CustomerID=z9");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (404, "channel-unknown"));
    let json = Request::post("/pay/json").json(r#"{"data":{"order_id":"NOBODY-1","channel":"none"}}"#);
    assert_eq!(world.send(&json).status(), 404);
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn a_payment_centres_number_is_the_order_id_with_its_prefix_and_suffix() {
    let world = World::with(|setup| {
        setup.config["channels"]["app"]["out_trade_no"] = json!({ "prefix": "APP", "suffix": "-x" });
    });
    world.wechat.order(&APP, "APP1001-x").paid(100);
    assert_eq!(world.app_callback("1001").status(), 200);
    assert_eq!(world.wechat.asked("APP1001-x"), 1);
    assert_eq!(world.upstream_received().folded("X-Verified-Out-Trade-No"), ["APP1001-x"]);
    assert_eq!(world.app_callback("APP1001-x").status(), 503, "an id is not taken for one that has its prefix already");
}

#[test]
fn an_order_id_too_long_for_wechat_pay_is_refused() {
    let world = World::with(|setup| {
        setup.config["channels"]["hmac"]["out_trade_no"] = json!({ "prefix": "P" });
    });
    let long = "L".repeat(32);
    world.wechat.order(&APP, &long).paid(100);
    assert_eq!(world.app_callback(&long).status(), 200);
    assert_eq!(world.app_callback(&"L".repeat(33)).status(), 400);
    let json = format!(r#"{{"data":{{"order_id":"{long}","channel":"hmac"}}}}"#);
    assert_eq!(world.send(&Request::post("/pay/json").json(json)).status(), 400);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn fields_stand_in_path_query_or_header_where_the_route_says_so() {
    let world = World::with(|setup| {
        setup.config["routes"].as_array_mut().unwrap().extend([
            json!({ "name": "in-path", "path": "/orders/{order}/paid", "methods": ["POST"], "carrier": "form",
                    "order": "path.order", "channel": "app" }),
            json!({ "name": "in-query", "path": "/query/paid", "methods": ["POST"], "carrier": "json",
                    "order": "query.order", "transaction": "header.X-Transaction", "channel": "app" }),
            json!({ "name": "in-header", "path": "/header/paid", "methods": ["POST"], "carrier": "form",
                    "order": "header.X-Order", "channel": "app" }),
        ]);
    });
    let transaction_id = world.wechat.order(&APP, "PLACE-1").paid(100);
    let in_query =
        |transaction: &str| Request::post("/query/paid?order=PLACE-1").json("{}").header("X-Transaction", transaction);
    for request in [
        Request::post("/orders/PLACE-1/paid").form("a=1"),
        in_query(&transaction_id),
        Request::post("/header/paid").form("a=1").header("x-order", "PLACE-1"),
    ] {
        assert_eq!(world.send(&request).status(), 200, "{request:?}");
    }
    assert_eq!(world.send(&in_query("4200000000000000000000000009")).status(), 403);
    for request in [
        Request::post("/orders//paid").form("a=1"),
        Request::post("/orders/PLACE%2D1/paid").form("a=1"),
        Request::post("/query/paid?order=PLACE-1&order=B").json("{}"),
        Request::post("/header/paid").form("a=1").header("X-Order", "PLACE-1").header("X-Order", "B"),
        Request::post("/header/paid").form("a=1").header("X-Order", "PLACE-1").header("X_Order", "B"),
        Request::post("/header/paid").form("a=1").header("X-Order", "PLACE-1, B"),
        Request::post("/header/paid").form("a=1"),
    ] {
        assert_eq!(world.send(&request).status(), 400, "{request:?}");
    }
    assert_eq!(world.upstream.requests().len(), 3);
}

#[test]
fn a_channel_may_have_a_legacy_system_of_its_own() {
    let second = Upstream::start();
    let world = World::with(|setup| setup.channel_upstream("2/c1", &second));
    world.wechat.order(&APP, "FIRST-1").paid(100);
    world.wechat.order(&C1, "SECOND-1").paid(100);
    assert_eq!(world.app_callback("FIRST-1").status(), 200);
    assert_eq!(world.callback("OrderID=X&paymentcenter_id=SECOND-1&ChannelID=2&CustomerID=c1").status(), 200);
    assert_eq!((world.upstream.requests().len(), second.requests().len()), (1, 1));
    assert_eq!(second.requests_for("SECOND-1").len(), 1);
}

#[test]
fn the_path_names_the_channel_of_a_notification() {
    let world = World::new();
    world.wechat.order(&C1, "PATH-1").paid(100);
    let fields = notification(&C1, "PATH-1", 100);
    let wrong = world.wechat_calls_back("app", fields.clone(), C1.key, SignType::HmacSha256);
    assert_eq!(return_code(&wrong), "FAIL");
    world.wechat_was_not_asked();
    assert_eq!(world.wechat_calls_back("hmac", fields, C1.key, SignType::HmacSha256).status(), 200);
    assert_eq!(world.upstream.requests().len(), 1);
}
