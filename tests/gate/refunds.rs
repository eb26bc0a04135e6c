//! WeChat Pay's notifications of refunds: no signature but a seal, and never taken for a payment.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, C1, Fault, Refund, SignType, notification};
use crate::harness::{Setup, World, return_code, until};
use crate::wire::Request;
use serde_json::json;
use std::time::Duration;

const ACK: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

/// The order system takes both on one address.
fn both(setup: &mut Setup) {
    setup.route("notify")["events"] = json!(["payment", "refund"]);
}

/// Its entries, whatever became of them.
fn entries(world: &World) -> i64 {
    world.journal("SELECT count(*) FROM entry")
}

#[test]
fn a_route_that_takes_payments_only_says_what_came_and_where_it_should_go() {
    let world = World::new();
    world.wechat.order(&APP, "BACK-1").paid(100);
    let answer = world.notify("app", &Refund::of(&APP, "BACK-1", 100, 40).xml(APP.key));
    assert_eq!((answer.status(), return_code(&answer).as_str()), (403, "FAIL"));
    let summary = world.summary(&answer);
    assert_eq!((&summary["reason"], &summary["level"]), (&json!("notification-not-payment"), &json!("WARN")));
    assert_eq!((&summary["order"], &summary["event"]), (&json!("BACK-1"), &json!("refund")));
    until("the refused one", || {
        world.admin_json("/api/refused?reason=notification-not-payment")["refused"][0]["order"] == "BACK-1"
    });
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
    assert_eq!(world.scrape().one("tollgate_verdicts_total", &[("channel", "app"), ("verdict", "contradicted")]), 1.0);
}

#[test]
fn a_refund_of_a_paid_order_goes_on_with_what_is_verified_and_as_what_it_is() {
    let world = World::with(both);
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "BACK-2").state("REFUND");
    let xml = Refund::of(&APP, "BACK-2", 100, 40).xml(APP.key);
    let request = Request::post("/wxpay/notify/app").xml(&xml).header("X_Verified_Event", "payment");
    let answer = world.send(&request);
    assert_eq!((answer.status(), answer.text().as_str()), (200, ACK));
    let seen = world.upstream_received();
    assert_eq!(seen.text(), xml);
    for (name, value) in [
        ("X-Verified-Event", "refund"),
        ("X-Verified-Out-Trade-No", "BACK-2"),
        ("X-Verified-Total-Fee", "100"),
        // Whatever on_refunded says.
        ("X-Verified-Trade-State", "REFUND"),
        ("X-Tollgate-Origin", "callback"),
        ("X-Tollgate-Attempt", "1"),
    ] {
        assert_eq!(seen.folded(name), [value], "{name}");
    }
    let summary = world.summary(&answer);
    assert_eq!((&summary["reason"], &summary["verdict"]), (&json!("refund-confirmed"), &json!("refunded")));
    let told = world.scrape().one("tollgate_callbacks_total", &[("reason", "refund-confirmed")]);
    assert_eq!((told, entries(&world)), (1.0, 0), "nothing of it can be delivered later");
    assert!(world.gate.log().contains("\"refund_status\":\"SUCCESS\""));
}

#[test]
fn it_is_asked_about_anew_and_a_payments_delivery_is_not_its_own() {
    let world = World::with(|setup| {
        both(setup);
        setup.route("notify")["duplicates"] = json!("absorb");
    });
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "BACK-3").paid(100);
    let paid = world.wechat_calls_back("app", notification(&APP, "BACK-3", 100), APP.key, SignType::Md5);
    assert_eq!(return_code(&paid), "SUCCESS");
    assert!(world.upstream_received().folded("X-Verified-Event").is_empty());
    for _ in 0..2 {
        let refund = world.notify("app", &Refund::of(&APP, "BACK-3", 100, 100).xml(APP.key));
        assert_eq!(return_code(&refund), "SUCCESS");
    }
    assert_eq!(world.wechat.asked("BACK-3"), 3, "past the cache");
    let seen = world.upstream.requests();
    let told = |index: usize, name: &str| seen[index].folded(name).join(",");
    assert_eq!(seen.len(), 3, "none was absorbed");
    assert_eq!(told(1, "X-Tollgate-Delivery"), told(2, "X-Tollgate-Delivery"));
    assert_ne!(told(0, "X-Tollgate-Delivery"), told(1, "X-Tollgate-Delivery"));
    assert_eq!((told(1, "X-Tollgate-Attempt"), told(2, "X-Tollgate-Attempt")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(entries(&world), 1, "the payment's");
    let told = "SELECT count(*) FROM event WHERE what = 'again' AND reason = 'refund-confirmed'";
    until("what the payment's entry tells", || world.journal(told) == 2);
    assert!(world.admin_get("/orders/app/BACK-3").text().contains("A refund notification came"));
    // What absorbs the payment's repetitions is the payment's delivery.
    let again = world.wechat_calls_back("app", notification(&APP, "BACK-3", 100), APP.key, SignType::Md5);
    assert_eq!((return_code(&again).as_str(), world.upstream.requests().len()), ("SUCCESS", 3));
}

#[test]
fn a_refund_delivers_no_payment_that_was_never_delivered() {
    let world = World::with(|setup| {
        both(setup);
        setup.hurry();
    });
    world.upstream.answers(Reply::Breaks);
    world.wechat.order(&APP, "BACK-4").paid(100);
    let answer = world.notify("app", &Refund::of(&APP, "BACK-4", 100, 40).xml(APP.key));
    assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "WeChat Pay sends it again");
    assert_eq!(world.reason(&answer), "upstream-broke");
    // Nobody else does: there is nothing to send.
    assert_eq!(entries(&world), 0);
    world.upstream.answers(Reply::xml(ACK));
    assert_eq!(return_code(&world.notify("app", &Refund::of(&APP, "BACK-4", 100, 40).xml(APP.key))), "SUCCESS");
    assert!(world.upstream.requests().iter().all(|seen| seen.folded("X-Verified-Event") == ["refund"]));
}

#[test]
fn what_no_key_opens_is_a_forgery_and_costs_no_query() {
    let world = World::with(both);
    world.wechat.order(&APP, "BACK-5").paid(100);
    let good = Refund::of(&APP, "BACK-5", 100, 40);
    let garbage = |text: &str| {
        let mut clear = good.clear.clone();
        clear.push(("req_info".to_owned(), text.to_owned()));
        crate::fakes::wechat::xml(&clear)
    };
    for forged in [good.xml(C1.key), garbage("AAAA"), garbage("no base64!"), garbage(&"A".repeat(40_000))] {
        let answer = world.notify("app", &forged);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"));
        let summary = world.summary(&answer);
        assert_eq!(summary["reason"], "notification-undecipherable", "{summary}");
        assert_eq!((&summary["verdict"], &summary["level"]), (&json!("contradicted"), &json!("WARN")));
    }
    for (name, value) in [("appid", C1.appid), ("mch_id", C1.mch_id), ("sub_mch_id", "1900000998")] {
        let answer = world.notify("app", &good.clone().openly(name, value).xml(APP.key));
        assert_eq!(world.reason(&answer), "notification-for-other-merchant", "{name}");
    }
    let answer = world.notify("app", &good.clone().openly("return_code", "FAIL").xml(APP.key));
    assert_eq!(world.reason(&answer), "notification-not-success");
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn any_key_of_the_channel_opens_one() {
    let old = "Old0Key1Old2Key3Old4Key5Old6Key7";
    let world = World::with(|setup| {
        both(setup);
        setup.config["channels"]["app"]["key"] = json!([APP.key, old]);
    });
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "BACK-6").paid(100);
    for key in [APP.key, old] {
        assert_eq!(return_code(&world.notify("app", &Refund::of(&APP, "BACK-6", 100, 40).xml(key))), "SUCCESS");
    }
}

#[test]
fn a_refund_that_the_query_does_not_bear_out_goes_nowhere() {
    let world = World::with(|setup| {
        both(setup);
        setup.config["confirm_deadline"] = json!("700ms");
    });
    world.wechat.order(&APP, "BACK-7").paid(100);
    world.wechat.order(&APP, "BACK-8").state("NOTPAY");
    world.wechat.order(&APP, "BACK-9").fault(Fault::BadSign).paid(100);
    let paid = Refund::of(&APP, "BACK-7", 100, 40);
    for (refund, verdict, reason) in [
        (Refund::of(&APP, "BACK-8", 100, 40), "pending", "refund-not-confirmed"),
        (Refund::of(&APP, "BACK-0", 100, 40), "pending", "refund-not-confirmed"),
        (paid.clone().saying("transaction_id", "4200000000000000000000000001"), "pending", "refund-not-confirmed"),
        (paid.clone().saying("total_fee", "101"), "pending", "refund-not-confirmed"),
        (Refund::of(&APP, "BACK-9", 100, 40), "unknown", "answer-badly-signed"),
    ] {
        let answer = world.notify("app", &refund.xml(APP.key));
        assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"), "{reason}");
        let summary = world.summary(&answer);
        assert_eq!((&summary["verdict"], &summary["reason"]), (&json!(verdict), &json!(reason)), "{summary}");
    }
    assert_eq!(entries(&world), 0);
    world.upstream_saw_nothing();
}

#[test]
fn what_two_readers_could_read_in_two_ways_is_no_refund() {
    let world = World::with(both);
    world.wechat.order(&APP, "BACK-10").paid(100);
    world.wechat.order(&APP, "OTHER-10").paid(100);
    let good = Refund::of(&APP, "BACK-10", 100, 40);
    for (name, value) in [
        ("out_trade_no", "OTHER-10"),
        ("Out_Trade_No", "OTHER-10"),
        ("out_trade_no", ""),
        ("transaction_id", "1"),
        ("total_fee", "1"),
        ("sign", "A"),
        ("result_code", "SUCCESS"),
    ] {
        let answer = world.notify("app", &good.clone().openly(name, value).xml(APP.key));
        let reason = world.reason(&answer);
        assert!(
            ["field-missing", "field-repeated", "field-malformed", "notification-unsigned"].contains(&&*reason),
            "{name}: {reason}"
        );
    }
    // The seal of another refund, for readers that care for no case, search the text or look into the query.
    let other = Refund::of(&APP, "OTHER-10", 100, 40).xml(APP.key);
    let (_, seal) = other.split_once("<req_info>").unwrap();
    let (seal, _) = seal.split_once("</req_info>").unwrap();
    let seal = seal.trim_start_matches("<![CDATA[").trim_end_matches("]]>");
    for (name, value) in [
        ("Req_Info", seal.to_owned()),
        ("REQINFO", seal.to_owned()),
        ("attach", format!("<req_info>{seal}</req_info>")),
    ] {
        let answer = world.notify("app", &good.clone().openly(name, &value).xml(APP.key));
        assert_eq!(answer.status(), 400, "{name}: {}", world.reason(&answer));
    }
    let whole = good.xml(APP.key);
    let (head, tail) = whole.split_once("</req_info>").unwrap();
    let in_two = format!("{}]]><![CDATA[{}</req_info>{tail}", &head[..head.len() - 9], &head[head.len() - 9..]);
    assert_eq!(world.notify("app", &in_two).status(), 400);
    for request in [
        Request::post("/wxpay/notify/app?req_info=AAAA").xml(&whole),
        Request::post("/wxpay/notify/app").xml(&whole).header("Cookie", "req_info=AAAA"),
    ] {
        assert_eq!(world.send(&request).status(), 400);
    }
    for target in ["/wxpay/notify/app?out_trade_no=OTHER-10", "/wxpay/notify/app?total_fee=1"] {
        let answer = world.send(&Request::post(target).xml(good.xml(APP.key)));
        assert_eq!(world.reason(&answer), "field-repeated", "{target}");
    }
    for xml in [
        good.xml(APP.key).replace("<xml>", "<xml><!-- -->"),
        good.xml(APP.key).replace("</xml>", "<req_info>AAAA</req_info></xml>"),
    ] {
        assert_eq!(world.reason(&world.notify("app", &xml)), "body-malformed");
    }
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn observing_passes_a_refund_as_ever() {
    let world = World::with(|setup| setup.config["mode"] = json!("observe"));
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "BACK-11").paid(100);
    let xml = Refund::of(&APP, "BACK-11", 100, 40).xml(APP.key);
    let answer = world.notify("app", &xml);
    assert_eq!(answer.text(), ACK);
    let seen = world.upstream_received();
    assert!(
        seen.text() == xml
            && seen.folded("X-Verified-Event").is_empty()
            && seen.folded("X-Verified-Channel").is_empty()
    );
    let summary = world.summary(&answer);
    assert_eq!((&summary["reason"], &summary["would_refuse"]), (&json!("notification-not-payment"), &json!(true)));
}

#[test]
fn a_saved_refund_is_told_by_verify() {
    let world = World::with(both);
    let xml = Refund::of(&APP, "BACK-12", 100, 40).xml(APP.key);
    let file = world.dir().join("refund.http");
    std::fs::write(&file, Request::post("/wxpay/notify/app").xml(&xml).bytes()).unwrap();
    let ended = world.command(&["verify", "--file", file.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    for word in ["refund", "BACK-12", "50000000382019052709732678859", "out_trade_no BACK-12"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
    world.change_config(|config| {
        let routes = config["routes"].as_array_mut().unwrap();
        routes.iter_mut().for_each(|route| drop(route.as_object_mut().unwrap().remove("events")));
    });
    let ended = world.command(&["verify", "--file", file.to_str().unwrap()]);
    assert!(ended.code == 1 && ended.stdout.contains("notification-not-payment"), "{}", ended.stdout);
}

#[test]
fn a_slow_answer_about_a_refund_is_not_waited_for_beyond_the_deadline() {
    let world = World::with(|setup| {
        both(setup);
        setup.config["confirm_deadline"] = json!("300ms");
    });
    world.wechat.order(&APP, "BACK-13").delay(Duration::from_secs(3)).paid(100);
    let answer = world.notify("app", &Refund::of(&APP, "BACK-13", 100, 40).xml(APP.key));
    assert_eq!((return_code(&answer).as_str(), world.reason(&answer).as_str()), ("FAIL", "query-timeout"));
    world.upstream_saw_nothing();
}
