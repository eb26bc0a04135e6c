//! Orders asked about by API v3, and which answers are believed.

use crate::api_v3::V3;
use crate::fakes::nobody;
use crate::fakes::wechat::v3::{NEW, Notice, OLD, PLATFORM_1, PROVIDER, SWITCHING, Wrong};
use crate::fakes::wechat::{Fault, WeChat, transaction_id};
use crate::harness::{World, at_once, until};
use crate::wire::Request;
use serde_json::json;
use std::time::Duration;

/// A short time for the question, and a slow follow-up: what is counted is one callback's.
fn brief(setup: &mut crate::harness::Setup) {
    setup.config["confirm_deadline"] = json!("1500ms");
    setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
}

#[test]
fn a_paid_order_is_confirmed_by_one_query_with_the_key_that_was_asked_for() {
    let world = World::of_v3(|_| ());
    for (channel, account, wanted) in [
        ("new", &NEW, NEW.signed_by().serial),
        ("old", &OLD, ""),
        ("provider", &PROVIDER, PROVIDER.signed_by().serial),
        ("switching", &SWITCHING, SWITCHING.signed_by().serial),
    ] {
        let order = format!("ASK-{channel}");
        let id = world.wechat.order(&account.merchant, &order).paid(1234);
        let answer = world.form_v3(channel, &order);
        assert_eq!(answer.status(), 200, "{channel}: {}", world.summary(&answer));
        let seen = world.upstream.requests().pop().unwrap();
        for (name, value) in [
            ("X-Verified-Transaction-Id", id.as_str()),
            ("X-Verified-Out-Trade-No", &order),
            ("X-Verified-Total-Fee", "1234"),
            ("X-Verified-Fee-Type", "CNY"),
            ("X-Verified-Trade-State", "SUCCESS"),
            ("X-Verified-Channel", channel),
        ] {
            assert_eq!(seen.folded(name), [value], "{channel} {name}");
        }
        let query = world.wechat.queries().pop().unwrap();
        assert_eq!(query.field("serial"), wanted, "{channel}");
        let mch_id = account.merchant.mch_id;
        let target = match account.sub {
            None => format!("/v3/pay/transactions/out-trade-no/{order}?mchid={mch_id}"),
            Some((sub, _)) => {
                format!("/v3/pay/partner/transactions/out-trade-no/{order}?sp_mchid={mch_id}&sub_mchid={sub}")
            }
        };
        assert_eq!(query.path, target);
    }
    assert_eq!(world.wechat.queries().len(), 4);
}

#[test]
fn an_order_is_asked_for_by_its_transaction_where_the_channel_says_so() {
    let world = World::of_v3(|_| ());
    let id = world.wechat.order(&SWITCHING.merchant, "ID-1").paid(100);
    let form = format!("OrderID=ID-1&WeixinTransactionID={id}&ChannelID=switching");
    let answer = world.send(&Request::post("/pay/v3").form(form));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    let query = world.wechat.queries().pop().unwrap();
    assert_eq!(query.path, format!("/v3/pay/transactions/id/{id}?mchid={}", SWITCHING.merchant.mch_id));
    let other = transaction_id(&SWITCHING.merchant, "ID-2");
    world.wechat.order(&SWITCHING.merchant, "ID-2").paid(100);
    let form = format!("OrderID=ID-3&WeixinTransactionID={other}&ChannelID=switching");
    let answer = world.send(&Request::post("/pay/v3").form(form));
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "transaction-of-other-order"));
}

#[test]
fn numbers_are_encoded_once_and_signed_as_they_are_sent() {
    let world = World::of_v3(|_| ());
    for (order, encoded) in
        [("P-1|2", "P-1%7C2"), ("P*1_a-b", "P*1_a-b"), ("P|*|_-", "P%7C*%7C_-"), ("AbC0123456789", "AbC0123456789")]
    {
        world.wechat.order(&NEW.merchant, order).paid(100);
        let form = format!("OrderID={}&ChannelID=new", order.replace('|', "%7C"));
        let answer = world.send(&Request::post("/pay/v3").form(form));
        assert_eq!(answer.status(), 200, "{order}: {}", world.summary(&answer));
        let path = world.wechat.queries().pop().unwrap().path;
        let sent = path.split(['/', '?']).nth(5).unwrap().to_owned();
        assert!(sent == encoded || sent == encoded.replace('*', "%2A"), "{order}: {path}");
    }
}

#[test]
fn each_try_has_a_nonce_of_its_own() {
    let world = World::of_v3(brief);
    world.wechat.order(&NEW.merchant, "NONCE-1").faults(&[Fault::Reset, Fault::None]).paid(100);
    assert_eq!(world.form_v3("new", "NONCE-1").status(), 200);
    let nonces: Vec<_> = world.wechat.queries().iter().map(|query| query.field("nonce_str").to_owned()).collect();
    assert_eq!(nonces.len(), 2);
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn each_state_is_what_it_is_in_the_other_language() {
    let world = World::of_v3(brief);
    for (state, status, reason) in [
        ("NOTPAY", 503, "not-paid-yet"),
        ("USERPAYING", 503, "user-paying"),
        ("ACCEPT", 503, "awaiting-deduction"),
        ("CLOSED", 402, "closed"),
        ("REVOKED", 402, "revoked"),
        ("PAYERROR", 402, "pay-error"),
        ("REFUND", 402, "refunded"),
        ("OTHER", 503, "trade-state-unknown"),
        ("success", 503, "trade-state-unknown"),
    ] {
        let order = format!("STATE-{state}");
        world.wechat.order(&NEW.merchant, &order).state(state);
        let answer = world.form_v3("new", &order);
        let told = world.reason(&answer);
        assert_eq!((answer.status(), told.as_str()), (status, reason), "{state}");
        assert_eq!(world.wechat.asked(&order), 1, "{state}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn an_order_that_is_not_there_is_pending_signed_or_not() {
    let world = World::of_v3(brief);
    let of = |order: &str, fault| drop(world.wechat.order(&NEW.merchant, order).fault(fault).paid(100));
    of("GONE-1", Fault::V3(Wrong::CodedAndSigned(404, "ORDER_NOT_EXIST")));
    of("GONE-2", Fault::V3(Wrong::Coded(404, "ORDERNOTEXIST")));
    for order in ["GONE-0", "GONE-1", "GONE-2"] {
        let answer = world.form_v3("new", order);
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "order-not-found"), "{order}");
        assert_eq!(world.wechat.asked(order), 1, "{order}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn errors_mean_what_their_status_and_code_say() {
    use Wrong::{Coded, CodedAndBadlySigned, CodedAndSigned, EmptyWithStatus, Status};
    let world = World::of_v3(brief);
    let refused = ["query-refused"].as_slice();
    let limited = ["wechat-rate-limited"].as_slice();
    let system = ["wechat-system-error"].as_slice();
    let status = ["answer-http-status"].as_slice();
    for (index, (fault, reasons)) in [
        (Coded(429, "RATELIMIT_EXCEEDED"), limited),
        (Coded(429, "WHATEVER_NEW"), limited),
        (CodedAndSigned(429, "FREQUENCY_LIMITED"), limited),
        (Coded(403, "FREQUENCY_LIMITED"), limited),
        (Coded(400, "RATELIMIT_EXCEEDED"), limited),
        (Coded(500, "FREQUENCY_LIMITED"), limited),
        (Coded(500, "SYSTEM_ERROR"), system),
        (Coded(500, "SYSTEMERROR"), system),
        (CodedAndSigned(503, "SERVICE_UNAVAILABLE"), system),
        (Coded(500, "BANK_ERROR"), system),
        (Coded(401, "SIGN_ERROR"), refused),
        (Coded(403, "NO_AUTH"), refused),
        (CodedAndSigned(400, "PARAM_ERROR"), refused),
        (Coded(400, "MCH_NOT_EXISTS"), refused),
        (Coded(400, "APPID_MCHID_NOT_MATCH"), refused),
        (Coded(404, "RESOURCE_NOT_EXISTS"), refused),
        (Coded(400, "ORDER_NOT_EXIST"), refused),
        (Coded(418, "A_CODE_OF_THE_FUTURE"), refused),
        (Status(202), status),
        (Status(201), status),
        (EmptyWithStatus(404), status),
        (EmptyWithStatus(500), status),
        (CodedAndBadlySigned(404, "ORDER_NOT_EXIST"), ["answer-badly-signed"].as_slice()),
        (CodedAndBadlySigned(403, "NO_AUTH"), ["answer-badly-signed"].as_slice()),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("ERROR-{index}");
        world.wechat.order(&NEW.merchant, &order).fault(Fault::V3(fault)).paid(100);
        let answer = world.form_v3("new", &order);
        let told = world.reason(&answer);
        assert_eq!(answer.status(), 503, "{fault:?}: {told}");
        assert!(reasons.contains(&told.as_str()), "{fault:?}: {told}");
    }
    for (index, fault) in [Fault::Html502, Fault::Http500].into_iter().enumerate() {
        let order = format!("HTML-{index}");
        world.wechat.order(&NEW.merchant, &order).fault(fault).paid(100);
        let answer = world.form_v3("new", &order);
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "answer-http-status"), "{fault:?}");
    }
    world.upstream_saw_nothing();
    assert!(world.gate.log().contains("APPID_MCHID_NOT_MATCH"), "the log has the code");
}

#[test]
fn an_answer_that_is_not_authentic_confirms_nothing() {
    use Wrong as W;
    let world = World::of_v3(|setup| {
        brief(setup);
        setup.config["channels"]["new"]["platform_certificates"] = json!("none");
    });
    let v3 = Fault::V3;
    let (unsigned, bad) = ("answer-unsigned", "answer-badly-signed");
    let zero = "0".repeat(32).leak();
    for (index, (fault, reason)) in [
        (Fault::Unsigned, unsigned),
        (Fault::EmptySign, unsigned),
        (v3(W::Lacks("Wechatpay-Nonce")), unsigned),
        (v3(W::Lacks("Wechatpay-Serial")), unsigned),
        (v3(W::Lacks("Wechatpay-Timestamp")), unsigned),
        (v3(W::Says("Wechatpay-Nonce", "")), unsigned),
        (v3(W::Twice("Wechatpay-Signature")), ""),
        (v3(W::Twice("Wechatpay-Serial")), ""),
        (v3(W::Twice("Wechatpay-Timestamp")), ""),
        (Fault::BadSign, bad),
        (Fault::SignedWithAnotherKey, bad),
        (v3(W::Says("Wechatpay-Signature", "%% no base64 %%")), bad),
        (v3(W::Says("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3")), bad),
        (v3(W::Says("Wechatpay-Nonce", zero)), bad),
        (v3(W::OtherTime), bad),
        (v3(W::Probe), bad),
        (v3(W::UnknownSerial), "answer-serial-unknown"),
        (v3(W::LowerSerial), "answer-serial-unknown"),
        (v3(W::MerchantKey), "answer-serial-unknown"),
        (v3(W::Offset(-310)), "answer-outside-window"),
        (v3(W::Offset(310)), "answer-outside-window"),
        (v3(W::Says("Wechatpay-Timestamp", "17040852O1")), ""),
        (Fault::AmountTampered, bad),
        (v3(W::Reserialised), bad),
        (v3(W::Newline), bad),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("FALSE-{index}");
        world.wechat.order(&NEW.merchant, &order).fault(fault).paid(100);
        let answer = world.form_v3("new", &order);
        let told = world.reason(&answer);
        assert_eq!(answer.status(), 503, "{fault:?}: {told}");
        assert!(told == reason || (reason.is_empty() && told.starts_with("answer-")), "{fault:?}: {told}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn an_answer_that_reads_two_ways_confirms_nothing() {
    use Wrong as W;
    let world = World::of_v3(brief);
    let text = |from, to| Fault::V3(W::Text(from, to));
    let (unreadable, incomplete) = ("answer-unreadable", "answer-incomplete");
    for (index, (fault, reasons)) in [
        (Fault::FieldTwice, vec![unreadable]),
        (text("\"total\":", "\"total\":1,\"total\":"), vec![unreadable]),
        (text("\"x\":[1", "\"x\":1,\"x\":[1"), vec![unreadable]),
        (text("\"trade_state\"", "\"trade_st\\u0061te\":\"NOTPAY\",\"trade_state\""), vec![unreadable]),
        (Fault::V3(W::TwoDocuments), vec![unreadable]),
        (Fault::V3(W::Array), vec![unreadable]),
        (Fault::V3(W::NotUtf8), vec![unreadable]),
        (Fault::Empty, vec![unreadable]),
        // Two megabytes take their time on a machine that is busy.
        (Fault::Huge, vec!["answer-too-large", "query-timeout"]),
        (Fault::Truncated, vec!["query-failed", unreadable]),
        (text("\"total\":100", "\"total\":100.0"), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":1e2"), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":\"100\""), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":-100"), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":true"), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":null"), vec![unreadable, incomplete]),
        (text("\"total\":100", "\"total\":1000000000000000000000000000000"), vec![unreadable, incomplete]),
        (text("\"currency\":\"CNY\"", "\"currency\":7"), vec![unreadable, incomplete]),
        (Fault::Without("trade_state"), vec![incomplete, unreadable]),
        (Fault::Without("transaction_id"), vec![incomplete]),
        (Fault::Without("amount"), vec![incomplete]),
        (Fault::Without("out_trade_no"), vec![incomplete, "answer-for-other-order"]),
        (Fault::Without("mchid"), vec![incomplete, "answer-for-other-merchant"]),
        (Fault::Without("appid"), vec![incomplete, "answer-for-other-app"]),
        (text(",\"total\":100", ""), vec![incomplete]),
        (Fault::ForAnotherOrder, vec!["answer-for-other-order"]),
        (Fault::ForAnotherMerchant, vec!["answer-for-other-merchant"]),
        (Fault::ForAnotherApp, vec!["answer-for-other-app"]),
    ]
    .into_iter()
    .enumerate()
    {
        let order = format!("TWOWAYS-{index}");
        world.wechat.order(&NEW.merchant, &order).fault(fault).paid(100);
        let answer = world.form_v3("new", &order);
        let told = world.reason(&answer);
        assert_eq!(answer.status(), 503, "{fault:?}: {told}");
        assert!(reasons.contains(&told.as_str()), "{fault:?}: {told}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn a_service_provider_believes_no_answer_for_another_sub_merchant() {
    let world = World::of_v3(brief);
    for (order, fault, reason) in [
        ("PARTNER-1", Fault::ForAnotherSubMerchant, "answer-for-other-merchant"),
        ("PARTNER-2", Fault::ForAnotherMerchant, "answer-for-other-merchant"),
        ("PARTNER-3", Fault::ForAnotherApp, "answer-for-other-app"),
        ("PARTNER-4", Fault::V3(Wrong::Text("wx6f6f6f6f6f6f6f6f", "wx6f6f6f6f6f6f6f60")), "answer-for-other-app"),
        ("PARTNER-5", Fault::Without("sub_mchid"), "answer-for-other-merchant"),
    ] {
        world.wechat.order(&PROVIDER.merchant, order).fault(fault).paid(100);
        let answer = world.form_v3("provider", order);
        let told = world.reason(&answer);
        assert!(answer.status() == 503 && (told == reason || told == "answer-incomplete"), "{order}: {told}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn a_transaction_of_another_payment_is_not_the_order_that_was_asked_for() {
    let world = World::of_v3(brief);
    let id = world
        .wechat
        .order(&SWITCHING.merchant, "OTHER-1")
        .field("transaction_id", "\"4200000000000000000000000001\"")
        .paid(100);
    let form = format!("OrderID=OTHER-1&WeixinTransactionID={id}&ChannelID=switching");
    let answer = world.send(&Request::post("/pay/v3").form(form));
    assert_eq!(answer.status(), 503, "{}", world.summary(&answer));
    world.upstream_saw_nothing();
}

#[test]
fn any_of_several_apps_is_ours() {
    let second = "wx0123456789abcdef";
    let world = World::of_v3(|setup| {
        brief(setup);
        setup.config["channels"]["new"]["appid"] = json!([NEW.merchant.appid, second]);
    });
    world.wechat.order(&NEW.merchant, "APP-1").paid(100);
    world.wechat.order(&NEW.merchant, "APP-2").field("appid", second).paid(100);
    world.wechat.order(&NEW.merchant, "APP-3").field("appid", "wx0123456789abcdee").paid(100);
    let statuses = ["APP-1", "APP-2", "APP-3"].map(|order| world.form_v3("new", order).status());
    assert_eq!(statuses, [200, 200, 503]);
}

#[test]
fn an_unpaid_answer_may_lack_everything_but_the_number_and_the_state() {
    let world = World::of_v3(brief);
    let order = world.wechat.order(&NEW.merchant, "BARE-1");
    let nothing = ["appid", "mchid", "amount", "payer", "promotion_detail", "trade_state_desc"];
    drop(nothing.into_iter().fold(order, |order, name| order.field(name, "null")));
    let answer = world.form_v3("new", "BARE-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "not-paid-yet"));
    // What is there must be ours all the same.
    world.wechat.order(&NEW.merchant, "BARE-2").field("mchid", "\"1900000999\"").state("CLOSED");
    let answer = world.form_v3("new", "BARE-2");
    assert_eq!(world.reason(&answer), "answer-for-other-merchant");
}

#[test]
fn a_signature_that_does_not_fit_is_asked_for_again_at_once_and_once() {
    let world = World::of_v3(brief);
    for (index, fault) in [Fault::V3(Wrong::Probe), Fault::BadSign, Fault::AmountTampered].into_iter().enumerate() {
        let order = format!("AGAIN-{index}");
        world.wechat.order(&NEW.merchant, &order).faults(&[fault, Fault::None]).paid(100);
        let answer = world.form_v3("new", &order);
        assert_eq!(answer.status(), 200, "{fault:?}: {}", world.summary(&answer));
        assert_eq!(world.wechat.asked(&order), 2, "{fault:?}");
    }
    world.wechat.order(&NEW.merchant, "AGAIN-X").fault(Fault::BadSign).paid(100);
    assert_eq!(world.form_v3("new", "AGAIN-X").status(), 503);
    assert_eq!(world.wechat.asked("AGAIN-X"), 2);
}

#[test]
fn probes_are_counted_apart_and_open_no_breaker() {
    let world = World::of_v3(brief);
    for index in 0..25 {
        let order = format!("PROBE-{index}");
        let probe = Fault::V3(Wrong::Probe);
        world.wechat.order(&NEW.merchant, &order).faults(&[probe, Fault::None]).paid(100);
        assert_eq!(world.form_v3("new", &order).status(), 200, "{order}");
    }
    let scrape = world.scrape();
    assert_eq!(scrape.one("tollgate_wechat_probes_total", &[("on", "answer")]), 25.0);
    let signed = [("channel", "new"), ("on", "answer"), ("kind", "public-key")];
    assert_eq!(scrape.one("tollgate_wechat_signatures_total", &signed), 25.0);
    // An answer in which nothing but probes come is no outage.
    for index in 0..25 {
        let order = format!("PROBED-{index}");
        world.wechat.order(&NEW.merchant, &order).fault(Fault::V3(Wrong::Probe)).paid(100);
        assert_eq!(world.form_v3("new", &order).status(), 503);
    }
    world.wechat.order(&NEW.merchant, "PROBE-LAST").paid(100);
    assert_eq!(world.form_v3("new", "PROBE-LAST").status(), 200);
    let notice = Notice::paid(&NEW, "PROBE-N", 100);
    let body = notice.body();
    let mut headers = notice.stamp().headers(&body);
    crate::fakes::wechat::v3::set_header(&mut headers, "Wechatpay-Signature", "WECHATPAY/SIGNTEST/x");
    let answer = world.send(&crate::fakes::wechat::v3::with_headers(&format!("{V3}/new"), &body, &headers));
    assert_eq!(answer.status(), 401);
    assert_eq!(world.scrape().one("tollgate_wechat_probes_total", &[("on", "notification")]), 1.0);
}

#[test]
fn both_kinds_of_signing_keys_are_believed_at_once() {
    let world = World::of_v3(|setup| {
        brief(setup);
        let file = json!(["${file:platform_1.pem}"]);
        setup.config["channels"]["new"]["platform_certificates"] = file;
    });
    for (index, certificate) in [Some(true), Some(false), None].into_iter().enumerate() {
        world.wechat.signs_with_certificate(certificate);
        let order = format!("KIND-{index}");
        world.wechat.order(&NEW.merchant, &order).paid(100);
        assert_eq!(world.form_v3("new", &order).status(), 200, "{certificate:?}");
    }
    let scrape = world.scrape();
    for (kind, count) in [("certificate", 1.0), ("public-key", 2.0)] {
        let labels = [("channel", "new"), ("on", "answer"), ("kind", kind)];
        assert_eq!(scrape.one("tollgate_wechat_signatures_total", &labels), count, "{kind}");
    }
    assert!(world.wechat.downloads().iter().all(|mch_id| *mch_id != NEW.merchant.mch_id), "{}", PLATFORM_1.serial);
}

#[test]
fn the_other_host_is_asked_when_the_first_breaks() {
    for fault in [
        Fault::Reset,
        Fault::Html502,
        Fault::Truncated,
        Fault::V3(Wrong::Coded(500, "SYSTEM_ERROR")),
        Fault::V3(Wrong::Coded(503, "SERVICE_UNAVAILABLE")),
    ] {
        let (first, second) = (WeChat::start(), WeChat::start());
        first.order(&NEW.merchant, "BREAKS-1").fault(fault).paid(100);
        second.order(&NEW.merchant, "BREAKS-1").paid(100);
        let world = World::of_v3(|setup| setup.wechat_hosts(&[&first, &second]));
        assert_eq!(world.form_v3("new", "BREAKS-1").status(), 200, "{fault:?}");
        assert_eq!(second.asked("BREAKS-1"), 1, "{fault:?}");
    }
    let second = WeChat::start();
    second.order(&NEW.merchant, "BREAKS-2").paid(100);
    let world = World::of_v3(|setup| {
        setup.wechat_hosts(&[&second]);
        setup.config["wechat"]["hosts"] = json!([format!("http://{}", nobody()), format!("http://{}", second.addr)]);
    });
    assert_eq!(world.form_v3("new", "BREAKS-2").status(), 200);
}

#[test]
fn the_other_host_hedges_when_the_first_is_slow() {
    let (first, second) = (WeChat::start(), WeChat::start());
    first.order(&NEW.merchant, "HEDGE-1").fault(Fault::Silence).paid(100);
    second.order(&NEW.merchant, "HEDGE-1").paid(100);
    let world = World::of_v3(|setup| {
        setup.wechat_hosts(&[&first, &second]);
        setup.config["wechat"]["hedge_after"] = json!("100ms");
    });
    assert_eq!(world.form_v3("new", "HEDGE-1").status(), 200);
    assert_eq!((first.asked("HEDGE-1"), second.asked("HEDGE-1")), (1, 1));
}

#[test]
fn many_callbacks_of_one_order_cost_one_query() {
    let world = World::of_v3(|_| ());
    world.wechat.order(&NEW.merchant, "MANY-1").delay(Duration::from_millis(150)).paid(100);
    let answers = at_once(20, |_| world.form_v3("new", "MANY-1"));
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(world.form_v3("new", "MANY-1").status(), 200);
    assert_eq!(world.notice(V3, "new", &Notice::paid(&NEW, "MANY-1", 100)).status(), 200);
    assert_eq!(world.wechat.asked("MANY-1"), 1);
}

#[test]
fn no_redirect_is_followed() {
    let canary = WeChat::start();
    canary.order(&NEW.merchant, "REDIRECT-1").paid(100);
    let world = World::of_v3(brief);
    world.wechat.order(&NEW.merchant, "REDIRECT-1").fault(Fault::RedirectTo(canary.addr)).paid(100);
    let answer = world.form_v3("new", "REDIRECT-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "answer-http-status"));
    assert_eq!(canary.connections(), 0);
}

#[test]
fn one_account_is_one_budget_in_either_language() {
    let world = World::of_v3(|setup| setup.config["wechat"]["queries_per_second"] = json!(1));
    let answers = at_once(20, |index| world.form_v3("new", &format!("BUDGET-{index}")));
    assert!(answers.iter().all(|answer| answer.status() == 503));
    assert!(answers.iter().any(|answer| world.reason(answer) == "rate-limited"));
    world.wechat.order(&OLD.merchant, "BUDGET-OLD").paid(100);
    assert_eq!(world.form_v3("old", "BUDGET-OLD").status(), 200, "one merchant's budget is not another's");
}

#[test]
fn an_order_that_is_paid_a_moment_later_is_delivered_by_the_follow_up() {
    let world = World::of_v3(|setup| setup.hurry());
    world.wechat.order(&NEW.merchant, "LATER-1").states(&["NOTPAY", "NOTPAY", "SUCCESS"]).fault(Fault::None);
    assert_eq!(world.form_v3("new", "LATER-1").status(), 503);
    until("the delivery", || world.upstream.requests_for("LATER-1").len() == 1);
    assert_eq!(world.upstream_received().folded("X-Tollgate-Origin"), ["follow-up"]);
}
