//! The control calls, as `docs/sandbox.md` shows them.

use crate::harness::*;
use serde_json::json;

const A1: &str = "/sandbox/orders/10000100/A1";

#[tokio::test]
async fn an_order_is_made_paid_refunded_closed_and_deleted() {
    let world = World::new().await;
    assert_eq!(world.control("GET", A1, "").await.0, 404);
    let (status, order) = world.control("PUT", A1, r#"{"total_fee":6600,"attach":"x"}"#).await;
    assert_eq!((status, &order["trade_state"], &order["total_fee"]), (200, &json!("NOTPAY"), &json!(6600)));
    assert_eq!(world.control("POST", &format!("{A1}/refund"), "").await.0, 409, "nobody has paid");
    let (_, paid) = world.control("POST", &format!("{A1}/pay"), "").await;
    assert_eq!(
        (&paid["trade_state"], &paid["total_fee"], &paid["attach"]),
        (&json!("SUCCESS"), &json!(6600), &json!("x"))
    );
    let (_, refunded) = world.control("POST", &format!("{A1}/refund"), "").await;
    assert_eq!((&refunded["trade_state"], &refunded["transaction_id"]), (&json!("REFUND"), &paid["transaction_id"]));
    let (_, closed) = world.control("POST", &format!("{A1}/close"), "").await;
    assert_eq!((&closed["trade_state"], &closed["transaction_id"]), (&json!("CLOSED"), &json!(null)));
    assert_eq!(world.control("GET", "/sandbox/orders", "").await.1, json!([closed]));
    assert_eq!(world.control("DELETE", A1, "").await.0, 200);
    assert_eq!(world.control("GET", A1, "").await.0, 404);
}

#[tokio::test]
async fn every_state_can_be_put() {
    let world = World::new().await;
    for state in tollgate::sandbox::TradeState::ALL {
        let (status, order) = world.control("PUT", A1, &json!({ "trade_state": state }).to_string()).await;
        assert_eq!((status, &order["trade_state"]), (200, &json!(state.as_str())));
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let world = World::new().await;
    world.pay("A1");
    for (method, path, body, status, why) in [
        ("PUT", A1, r#"{"total_fe":1}"#, 400, "unknown field"),
        ("PUT", A1, r#"{"trade_state":"PAID"}"#, 400, "unknown variant"),
        ("PUT", A1, r#"{"total_fee":1.5}"#, 400, "invalid type"),
        ("PUT", A1, r#"{"total_fee":1,"coupon_fee":2}"#, 400, "coupon_fee"),
        ("POST", "/sandbox/orders/10000100/A1/pay", r#"{"transaction_id":"4 2"}"#, 400, "transaction_id"),
        ("PUT", "/sandbox/orders/99/A1", "{}", 404, "no such merchant"),
        ("PUT", "/sandbox/orders/10000100/A%20B", "{}", 400, "out_trade_no"),
        ("PUT", "/sandbox/orders/10000100/A1/faults", r#"[{"kind":"fire"}]"#, 400, "unknown variant"),
        ("PUT", "/sandbox/orders/10000100/A2/faults", "[]", 404, "no such order"),
        ("POST", "/sandbox/notifications", r#"{"out_trade_no":"A1","notify_url":"https://x/"}"#, 400, "notify_url"),
        (
            "POST",
            "/sandbox/notifications",
            r#"{"out_trade_no":"A1","notify_url":"http://x/","copies":0}"#,
            400,
            "copies",
        ),
        ("GET", "/sandbox/notifications/7", "", 404, "no such notification"),
    ] {
        let (seen, answer) = world.control(method, path, body).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(seen == status && error.contains(why), "{method} {path} {body}: {seen} {answer}");
    }
}

#[tokio::test]
async fn faults_are_put_and_shown_and_taken_back() {
    let world = World::new().await;
    world.pay("A1");
    let (_, order) = world.control("PUT", &format!("{A1}/faults"), r#"[{"kind":"reset","count":2}]"#).await;
    assert_eq!(order["faults"], json!([{ "kind": "reset", "delay_ms": 0, "count": 2 }]));
    let (_, hosts) = world.control("PUT", "/sandbox/hosts/api2/faults", r#"[{"kind":"slow","delay_ms":5}]"#).await;
    assert_eq!(hosts, json!({ "api": [], "api2": [{ "kind": "delay", "delay_ms": 5 }] }));
    world.control("PUT", "/sandbox/hosts/api2/faults", "[]").await;
    assert_eq!(world.control("GET", "/sandbox/hosts", "").await.1, json!({ "api": [], "api2": [] }));
}

#[tokio::test]
async fn queries_are_remembered_with_what_was_answered() {
    let world = World::new().await;
    world.pay("A1");
    world.control("PUT", &format!("{A1}/faults"), r#"[{"kind":"not-paid","count":1}]"#).await;
    for order in ["A1", "A1", "A2"] {
        world.ask(order).await.unwrap();
    }
    let answered = |queries: &serde_json::Value| -> Vec<String> {
        let queries = queries.as_array().unwrap().iter();
        queries.map(|query| format!("{} {} {}", query["out_trade_no"], query["answer"], query["fault"])).collect()
    };
    let (_, queries) = world.control("GET", "/sandbox/queries", "").await;
    let expected = [r#""A1" "NOTPAY" "not-paid""#, r#""A1" "SUCCESS" null"#, r#""A2" "ORDERNOTEXIST" null"#];
    assert_eq!(answered(&queries), expected);
    let (_, queries) = world.control("GET", "/sandbox/queries?out_trade_no=A2", "").await;
    assert_eq!(answered(&queries), expected[2..]);
    world.control("POST", "/sandbox/reset", "").await;
    assert_eq!(world.control("GET", "/sandbox/queries", "").await.1, json!([]));
    assert_eq!(world.control("GET", "/sandbox/orders", "").await.1, json!([]));
}

#[tokio::test]
async fn no_key_is_shown_and_no_web_page_is_served() {
    let world = World::new().await;
    let merchants = http(world.api, "GET", "/sandbox/merchants", &[], "").await.unwrap();
    assert!(merchants.body.contains(MCH_ID) && !merchants.body.contains(KEY));
    let page = http(world.api, "POST", "/sandbox/reset", &["Origin: https://example.com"], "").await.unwrap();
    assert_eq!(page.status, 403);
}

#[tokio::test]
async fn every_call_is_listed_and_documented() {
    let world = World::new().await;
    let calls = http(world.api, "GET", "/sandbox/", &[], "").await.unwrap().body;
    let page = include_str!("../../docs/sandbox.md");
    assert!(calls.lines().count() > 10);
    for line in calls.lines() {
        assert!(page.contains(line), "docs/sandbox.md lacks {line}");
    }
    for kind in <tollgate::sandbox::FaultKind as clap::ValueEnum>::value_variants() {
        let name = json!(kind);
        assert!(page.contains(&format!("`{}`", name.as_str().unwrap())), "docs/sandbox.md lacks the fault {name}");
    }
    for forgery in <tollgate::sandbox::Forgery as clap::ValueEnum>::value_variants() {
        let name = json!(forgery);
        assert!(page.contains(&format!("`{}`", name.as_str().unwrap())), "docs/sandbox.md lacks the forgery {name}");
    }
    let settings = json!(tollgate::sandbox::BillSettings { generated_day: Some(String::new()), ..Default::default() });
    for name in settings.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{name}`")), "docs/sandbox.md lacks {name}");
    }
}
