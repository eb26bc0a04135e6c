//! The question itself: what is sent, to whom, how often, and what an odd WeChat Pay can make the gate do.

use crate::fakes::nobody;
use crate::fakes::wechat::{APP, C1, Fault, WeChat};
use crate::harness::{World, at_once, until};
use crate::wire::Request;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn a_query_has_exactly_its_fields() {
    let world = World::new();
    world.wechat.order(&APP, "QUERY-1").paid(100);
    world.wechat.order(&C1, "QUERY-2").paid(100);
    assert_eq!(world.app_callback("QUERY-1").status(), 200);
    let hmac = Request::post("/pay/json").json(r#"{"data":{"order_id":"QUERY-2","channel":"hmac"}}"#);
    assert_eq!(world.send(&hmac).status(), 200);
    let queries = world.wechat.queries();
    assert_eq!(queries.len(), 2);
    for (query, (merchant, order)) in queries.iter().zip([(APP, "QUERY-1"), (C1, "QUERY-2")]) {
        assert_eq!(query.path, "/pay/orderquery");
        assert_eq!((query.field("appid"), query.field("mch_id")), (merchant.appid, merchant.mch_id));
        assert_eq!(query.field("out_trade_no"), order);
        assert!((8..=32).contains(&query.field("nonce_str").len()));
        let known = ["appid", "mch_id", "out_trade_no", "nonce_str", "sign", "sign_type"];
        assert!(query.fields.keys().all(|name| known.contains(&name.as_str())), "{query:?}");
        assert!(query.fields.values().all(|value| !value.is_empty()), "{query:?}");
    }
    assert_eq!(queries[1].field("sign_type"), "HMAC-SHA256");
    assert_eq!(queries[1].field("sign").len(), 64);
    assert_ne!(queries[0].field("nonce_str"), queries[1].field("nonce_str"));
}

#[test]
fn v01_a_query_never_names_two_ids() {
    let world = World::new();
    let first = world.wechat.order(&APP, "ONE-1").paid(100);
    let second = world.wechat.order(&C1, "ONE-2").paid(100);
    world.wechat.order(&C1, "ONE-3").paid(100);
    for form in [
        format!("OrderID=ONE-1&WeixinTransactionID={first}"),
        format!("OrderID=X&paymentcenter_id=ONE-2&ChannelID=2&CustomerID=c1&WeixinTransactionID={second}"),
        "OrderID=Y&paymentcenter_id=ONE-3&ChannelID=2&CustomerID=c1".to_owned(),
    ] {
        assert_eq!(world.callback(&form).status(), 200, "{form}");
    }
    let ids: Vec<_> = world
        .wechat
        .queries()
        .iter()
        .map(|query| (query.field("out_trade_no").to_owned(), query.field("transaction_id").to_owned()))
        .collect();
    assert_eq!(ids, [("ONE-1".into(), String::new()), (String::new(), second), ("ONE-3".into(), String::new())]);
}

#[test]
fn the_second_host_is_asked_when_the_first_is_gone() {
    let second = WeChat::start();
    second.order(&APP, "FAILOVER-1").paid(100);
    let world = World::with(|setup| {
        setup.wechat_hosts(&[&second]);
        setup.config["wechat"]["hosts"] = json!([format!("http://{}", nobody()), format!("http://{}", second.addr)]);
    });
    assert_eq!(world.app_callback("FAILOVER-1").status(), 200);
    assert_eq!(second.asked("FAILOVER-1"), 1);
}

#[test]
fn the_second_host_is_asked_when_the_first_breaks() {
    for fault in [Fault::Reset, Fault::Html502, Fault::Error("SYSTEMERROR"), Fault::Truncated] {
        let (first, second) = (WeChat::start(), WeChat::start());
        first.order(&APP, "BREAKS-1").fault(fault).paid(100);
        second.order(&APP, "BREAKS-1").paid(100);
        let world = World::with(|setup| setup.wechat_hosts(&[&first, &second]));
        assert_eq!(world.app_callback("BREAKS-1").status(), 200, "{fault:?}");
        assert_eq!(second.asked("BREAKS-1"), 1, "{fault:?}");
    }
}

#[test]
fn the_second_host_hedges_when_the_first_is_slow() {
    let (first, second) = (WeChat::start(), WeChat::start());
    first.order(&APP, "HEDGE-1").fault(Fault::Silence).paid(100);
    second.order(&APP, "HEDGE-1").paid(100);
    let world = World::with(|setup| {
        setup.wechat_hosts(&[&first, &second]);
        setup.config["wechat"]["hedge_after"] = json!("100ms");
    });
    assert_eq!(world.app_callback("HEDGE-1").status(), 200);
    assert_eq!((first.asked("HEDGE-1"), second.asked("HEDGE-1")), (1, 1));
}

#[test]
fn a_first_host_that_answers_is_the_only_one_asked() {
    let (first, second) = (WeChat::start(), WeChat::start());
    for index in 0..5 {
        first.order(&APP, &format!("FIRST-{index}")).paid(100);
        second.order(&APP, &format!("FIRST-{index}")).paid(100);
    }
    let world = World::with(|setup| setup.wechat_hosts(&[&first, &second]));
    for index in 0..5 {
        assert_eq!(world.app_callback(&format!("FIRST-{index}")).status(), 200);
    }
    assert_eq!((first.queries().len(), second.queries().len()), (5, 0));
}

#[test]
fn no_definite_answer_is_asked_for_twice() {
    let world = World::new();
    world.wechat.order(&APP, "ONCE-1").state("NOTPAY");
    world.wechat.order(&APP, "ONCE-2").state("CLOSED");
    world.wechat.order(&APP, "ONCE-3").fault(Fault::Error("SIGNERROR"));
    for order in ["ONCE-1", "ONCE-2", "ONCE-3", "ONCE-UNKNOWN"] {
        assert_ne!(world.app_callback(order).status(), 200);
        assert_eq!(world.wechat.asked(order), 1, "{order}");
    }
}

#[test]
fn a_transient_answer_is_asked_for_once_more() {
    let world = World::new();
    for (index, fault) in [Fault::Error("SYSTEMERROR"), Fault::SystemErrorUnsigned, Fault::Reset, Fault::Truncated]
        .into_iter()
        .enumerate()
    {
        let order = format!("RETRY-{index}");
        world.wechat.order(&APP, &order).faults(&[fault, Fault::None]).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200, "{fault:?}");
        assert_eq!(world.wechat.asked(&order), 2, "{fault:?}");
    }
}

#[test]
fn a_connection_wechat_pay_closed_between_queries_costs_no_callback() {
    // F-02
    let world = World::new();
    for index in 0..8 {
        let order = format!("KEPT-{index}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200, "{order}");
        world.wechat.closes_its_connections();
    }
}

#[test]
fn v11_a_redirect_is_not_followed() {
    let canary = WeChat::start();
    canary.order(&APP, "REDIRECT-1").paid(100);
    let world = World::new();
    world.wechat.order(&APP, "REDIRECT-1").fault(Fault::RedirectTo(canary.addr)).paid(100);
    let answer = world.app_callback("REDIRECT-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "answer-http-status"));
    assert_eq!(canary.connections(), 0);
}

#[test]
fn v12_no_address_in_a_callback_is_ever_visited() {
    let canary = WeChat::start();
    let world = World::new();
    world.wechat.order(&APP, "SSRF-1").paid(100);
    let url = format!("http://{}/", canary.addr);
    let request = Request::post("/pay/success")
        .form(format!("OrderID=SSRF-1&notify_url={url}&attach={url}"))
        .header("X-Forwarded-Host", &canary.addr.to_string())
        .header("X-Original-URL", &url)
        .header("Referer", &url);
    assert_eq!(world.send(&request).status(), 200);
    assert_eq!(canary.connections(), 0);
}

#[test]
fn r05_a_merchants_query_budget_is_kept() {
    let world = World::with(|setup| setup.config["wechat"]["queries_per_second"] = json!(5));
    let since = Instant::now();
    let answers = at_once(80, |index| world.app_callback(&format!("BUDGET-{index}")));
    assert!(answers.iter().all(|answer| answer.status() == 503));
    // Twice the rate at once, and the rate for every second that has passed.
    let allowed = 10 + 5 * (usize::try_from(since.elapsed().as_secs()).unwrap() + 1);
    let asked = world.wechat.queries().len();
    assert!((1..=allowed).contains(&asked), "{asked} queries in {:?}", since.elapsed());
    let limited = answers.iter().filter(|answer| world.reason(answer) == "rate-limited").count();
    assert_eq!(limited, 80 - asked);
}

#[test]
fn one_merchants_budget_is_not_anothers() {
    let world = World::with(|setup| setup.config["wechat"]["queries_per_second"] = json!(1));
    world.wechat.order(&C1, "OTHER-1").paid(100);
    for index in 0..10 {
        assert_eq!(world.app_callback(&format!("GREEDY-{index}")).status(), 503);
    }
    let request = Request::post("/pay/json").json(r#"{"data":{"order_id":"OTHER-1","channel":"hmac"}}"#);
    assert_eq!(world.send(&request).status(), 200);
}

#[test]
fn a_service_provider_asks_for_its_sub_merchant_and_believes_no_other() {
    let world = World::with(|setup| {
        setup.config["channels"]["app"]["sub_mch_id"] = json!("1900000997");
        setup.config["channels"]["app"]["sub_appid"] = json!("wx00000000000000ab");
    });
    world.wechat.order(&APP, "SUB-1").paid(100);
    world.wechat.order(&APP, "SUB-2").fault(Fault::ForAnotherSubMerchant).paid(100);
    world.wechat.order(&APP, "SUB-3").fault(Fault::Without("sub_mch_id")).paid(100);
    world.wechat.order(&APP, "SUB-4").field("sub_appid", "wx00000000000000cd").paid(100);
    assert_eq!(world.app_callback("SUB-1").status(), 200);
    let query = &world.wechat.queries()[0];
    assert_eq!((query.field("sub_mch_id"), query.field("sub_appid")), ("1900000997", "wx00000000000000ab"));
    for (order, reason) in [
        ("SUB-2", "answer-for-other-merchant"),
        ("SUB-3", "answer-for-other-merchant"),
        ("SUB-4", "answer-for-other-app"),
    ] {
        let answer = world.app_callback(order);
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, reason), "{order}");
    }
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn a_slow_first_answer_within_the_deadline_is_good_enough() {
    let world = World::new();
    world.wechat.order(&APP, "SLOWISH-1").delay(Duration::from_millis(400)).paid(100);
    assert_eq!(world.app_callback("SLOWISH-1").status(), 200);
    assert_eq!(world.wechat.asked("SLOWISH-1"), 1);
}

#[test]
fn f05_the_first_callback_after_an_outage_is_confirmed() {
    for count in [1, 2] {
        let hosts: Vec<_> = (0..count).map(|_| WeChat::start()).collect();
        let world = World::with(|setup| setup.wechat_hosts(&hosts.iter().collect::<Vec<_>>()));
        hosts.iter().for_each(WeChat::goes_down);
        for index in 0..30 {
            assert_eq!(world.app_callback(&format!("DOWN-{index}")).status(), 503);
        }
        for host in &hosts {
            host.order(&APP, "BACK-1").paid(100);
            host.comes_back();
        }
        assert_eq!(world.app_callback("BACK-1").status(), 200, "{count} hosts");
    }
}

#[test]
fn f05_all_the_callbacks_that_come_right_after_an_outage_are_confirmed() {
    let world = World::new();
    for index in 0..30 {
        world.wechat.order(&APP, &format!("RUSH-{index}")).paid(100);
    }
    world.wechat.goes_down();
    for index in 0..30 {
        assert_eq!(world.app_callback(&format!("RUSH-{index}")).status(), 503);
    }
    world.wechat.comes_back();
    let answers = at_once(30, |index| world.app_callback(&format!("RUSH-{index}")));
    assert!(answers.iter().all(|answer| answer.status() == 200));
}

#[test]
fn f05_a_first_host_that_was_always_slower_is_still_there_when_the_second_goes_down() {
    let (first, second) = (WeChat::start(), WeChat::start());
    for index in 0..26 {
        let order = format!("SLOWER-{index}");
        first.order(&APP, &order).delay(Duration::from_millis(300)).paid(100);
        second.order(&APP, &order).paid(100);
    }
    let world = World::with(|setup| {
        setup.wechat_hosts(&[&first, &second]);
        setup.config["wechat"]["hedge_after"] = json!("20ms");
    });
    for index in 0..25 {
        assert_eq!(world.app_callback(&format!("SLOWER-{index}")).status(), 200);
    }
    second.goes_down();
    assert_eq!(world.app_callback("SLOWER-25").status(), 200);
}

#[test]
fn each_query_is_logged_with_the_milliseconds_it_took() {
    let world = World::new();
    world.wechat.order(&APP, "TOOK-1").faults(&[Fault::Reset, Fault::None]).paid(100);
    assert_eq!(world.app_callback("TOOK-1").status(), 200);
    for message in ["query failed", "answered"] {
        let line = || world.gate.log().lines().find(|line| line.contains(message)).map(str::to_owned);
        until("the line", || line().is_some());
        let line: Value = serde_json::from_str(&line().unwrap()).unwrap();
        assert!(line["elapsed_ms"].is_number(), "{line}");
    }
}
