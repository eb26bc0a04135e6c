//! Refund notifications of API v3: under the same switch as those of API v2, confirmed, and never taken for a payment.

use crate::api_v3::{AUTO, REFUNDS, TAKEN, V3, is_refused};
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::v3::{MIXED, NEW, Notice, PROVIDER, STRANGER};
use crate::fakes::wechat::{Fault, Refund, transaction_id};
use crate::harness::{World, return_code};
use crate::wire::Request;
use serde_json::{Value, json};

fn entries(world: &World) -> i64 {
    world.journal("SELECT count(*) FROM entry")
}

fn world() -> World {
    let world = World::of_v3(|setup| setup.config["confirm_deadline"] = json!("1500ms"));
    world.upstream.answers(Reply::Says { status: 200, content_type: "application/json", body: TAKEN.into() });
    world
}

#[test]
fn a_refund_of_a_paid_order_goes_on_as_what_it_is_with_what_is_verified() {
    let world = world();
    for (index, (account, channel, state)) in
        [(&NEW, "new", "REFUND"), (&PROVIDER, "provider", "SUCCESS"), (&MIXED, "mixed", "REFUND")]
            .into_iter()
            .enumerate()
    {
        let order = format!("BACK-{index}");
        world.wechat.order(&account.merchant, &order).state(state);
        let notice = Notice::refund(account, &order, 100, 40, "SUCCESS");
        let request = notice.to(&format!("{REFUNDS}/{channel}")).header("X_Verified-Event", "payment");
        let answer = world.send(&request);
        assert_eq!((answer.status(), answer.text().as_str()), (200, TAKEN), "{channel}: {}", world.summary(&answer));
        let seen = world.upstream.requests().pop().unwrap();
        for (name, value) in [
            ("X-Verified-Event", "refund"),
            ("X-Verified-Out-Trade-No", &order),
            ("X-Verified-Total-Fee", "100"),
            ("X-Verified-Transaction-Id", &transaction_id(&account.merchant, &order)),
            ("X-Verified-Trade-State", state),
            ("X-Verified-Channel", channel),
        ] {
            assert_eq!(seen.folded(name), [value], "{channel} {name}");
        }
        assert_eq!(world.reason(&answer), "refund-confirmed", "{channel}");
    }
    assert_eq!(entries(&world), 0, "nothing of it can be delivered later");
}

#[test]
fn each_event_of_a_refund_is_one_and_payments_still_pass() {
    let world = world();
    world.wechat.order(&NEW.merchant, "EVENT-1").state("REFUND");
    for event in ["SUCCESS", "ABNORMAL", "CLOSED"] {
        let answer = world.notice(REFUNDS, "new", &Notice::refund(&NEW, "EVENT-1", 100, 40, event));
        assert_eq!(answer.status(), 200, "{event}: {}", world.summary(&answer));
        assert_eq!(world.upstream.requests().pop().unwrap().folded("X-Verified-Event"), ["refund"], "{event}");
    }
    let notice = Notice::refund(&NEW, "EVENT-1", 100, 40, "PROCESSING");
    let answer = world.notice(REFUNDS, "new", &notice);
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "notification-not-payment"));
    world.wechat.order(&NEW.merchant, "EVENT-2").paid(100);
    assert_eq!(world.notice(REFUNDS, "new", &Notice::paid(&NEW, "EVENT-2", 100)).status(), 200);
    assert!(world.upstream.requests().pop().unwrap().folded("X-Verified-Event").is_empty());
}

#[test]
fn a_route_for_payments_alone_refuses_it_and_asks_nothing() {
    let world = world();
    world.wechat.order(&NEW.merchant, "ALONE-1").state("REFUND");
    for request in [
        Notice::refund(&NEW, "ALONE-1", 100, 40, "SUCCESS").to(&format!("{V3}/new")),
        Notice::refund(&NEW, "ALONE-1", 100, 40, "SUCCESS").to(AUTO),
    ] {
        let answer = world.send(&request);
        assert_eq!((answer.status(), is_refused(&answer)), (403, true));
        assert_eq!(world.reason(&answer), "notification-not-payment");
    }
    world.nothing_came_of_it();
}

#[test]
fn a_forged_one_costs_no_query() {
    let world = world();
    world.wechat.order(&NEW.merchant, "FORGED-1").state("REFUND");
    let notice = || Notice::refund(&NEW, "FORGED-1", 100, 40, "SUCCESS");
    let path = format!("{REFUNDS}/new");
    for (what, request) in [
        ("a stranger", notice().stamped(&path, &notice().stamp().but_by(STRANGER.name))),
        ("old", notice().stamped(&path, &notice().stamp().offset(-400))),
        ("another key", notice().sealed_with(PROVIDER.api_v3_key).to(&path)),
    ] {
        let answer = world.send(&request);
        assert_eq!((answer.status(), is_refused(&answer)), (401, true), "{what}");
    }
    let answer = world.send(&notice().saying("/mchid", "1900000999").to(&path));
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (403, "notification-for-other-merchant"));
    for pointer in ["/out_trade_no", "/transaction_id", "/amount", "/amount/total"] {
        let answer = world.send(&notice().saying(pointer, Value::Null).to(&path));
        assert!(is_refused(&answer) && answer.status() < 500, "{pointer}: {}", world.summary(&answer));
    }
    world.nothing_came_of_it();
}

#[test]
fn one_that_the_query_does_not_bear_out_goes_nowhere() {
    let world = world();
    world.wechat.order(&NEW.merchant, "NOT-1").state("NOTPAY");
    world.wechat.order(&NEW.merchant, "NOT-2").state("REFUND");
    world.wechat.order(&NEW.merchant, "NOT-3").fault(Fault::Unsigned).state("REFUND");
    let refund = |order: &str| Notice::refund(&NEW, order, 100, 40, "SUCCESS");
    for (what, notice) in [
        ("unpaid", refund("NOT-1")),
        ("unknown", refund("NOT-0")),
        ("another total", refund("NOT-2").saying("/amount/total", 101)),
        ("another payment", refund("NOT-2").saying("/transaction_id", "4200000000000000000000000001")),
        ("unsigned", refund("NOT-3")),
    ] {
        let answer = world.notice(REFUNDS, "new", &notice);
        assert!(is_refused(&answer) && answer.status() >= 403, "{what}: {}", world.summary(&answer));
    }
    world.upstream_saw_nothing();
    assert_eq!(entries(&world), 0);
}

#[test]
fn it_is_asked_about_anew_never_absorbed_and_never_delivered_again() {
    let world = World::of_v3(|setup| {
        setup.hurry();
        setup.route("refunds-v3")["duplicates"] = json!("absorb");
    });
    world.upstream.answers(Reply::Says { status: 200, content_type: "application/json", body: TAKEN.into() });
    world.wechat.order(&NEW.merchant, "ANEW-1").paid(100);
    assert_eq!(world.notice(REFUNDS, "new", &Notice::paid(&NEW, "ANEW-1", 100)).status(), 200);
    for _ in 0..2 {
        assert_eq!(world.notice(REFUNDS, "new", &Notice::refund(&NEW, "ANEW-1", 100, 100, "SUCCESS")).status(), 200);
    }
    assert_eq!((world.wechat.asked("ANEW-1"), world.upstream.requests().len()), (3, 3));
    world.upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    let answer = world.notice(REFUNDS, "new", &Notice::refund(&NEW, "ANEW-1", 100, 100, "SUCCESS"));
    assert_eq!(answer.status(), 500, "WeChat Pay sends it again, and nobody else does");
    assert_eq!(entries(&world), 1, "the payment's");
}

#[test]
fn both_languages_have_the_same_switch() {
    let world = world();
    world.wechat.order(&NEW.merchant, "BOTH-1").state("REFUND");
    world.upstream.answers(Reply::xml("<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"));
    let xml = Refund::of(&NEW.merchant, "BOTH-1", 100, 40).xml(NEW.merchant.key);
    let answer = world.send(&Request::post(&format!("{REFUNDS}/new")).xml(&xml));
    assert_eq!(return_code(&answer), "SUCCESS", "{}", world.summary(&answer));
    assert_eq!(world.upstream_received().folded("X-Verified-Event"), ["refund"]);
    let answer = world.send(&Request::post(AUTO).xml(&xml));
    assert_eq!(world.reason(&answer), "notification-not-payment");
    assert_ne!(return_code(&answer), "SUCCESS");
}
