//! `duplicates: absorb`: once the upstream has accepted an order, the gate answers for it; until then one at a time is
//! forwarded. Who claims something else is not answered as if it were true.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, SignType, notification};
use crate::follow_up::stands;
use crate::harness::{World, at_once, return_code, until};
use serde_json::json;

fn world() -> World {
    World::with(|setup| {
        setup.hurry();
        setup.route("app")["duplicates"] = json!("absorb");
        setup.route("notify")["duplicates"] = json!("absorb");
    })
}

#[test]
fn an_accepted_order_is_answered_with_what_the_upstream_said() {
    let world = world();
    world.wechat.order(&APP, "ONCE-1").paid(6600);
    let said = Reply::Says { status: 201, content_type: "application/x-odd", body: b"\xff\0 booked".to_vec() };
    world.upstream.answers_once(said);
    let first = world.app_callback("ONCE-1");
    // Another claim about the same order is another record, and the same delivery.
    for form in ["OrderID=ONCE-1", "OrderID=ONCE-1&TotalFee=6600"] {
        let again = world.callback(form);
        assert_eq!((again.status(), &again.body), (201, &first.body), "{form}");
        assert_eq!(again.header("Content-Type"), first.header("Content-Type"));
    }
    assert_eq!(world.upstream.requests().len(), 1);
    until("both records to be done", || {
        let ended = world.command(&["explain", "ONCE-1", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let entries = told["entries"].as_array().unwrap();
        entries.len() == 2 && entries.iter().all(|entry| entry["state"] == "accepted")
    });
}

#[test]
fn a_long_answer_is_said_again_whole() {
    let world = world();
    world.wechat.order(&APP, "ONCE-8").paid(100);
    let page: Vec<u8> = (0..=255).cycle().take(60_000).collect();
    world.upstream.answers_once(Reply::ok(&page));
    for _ in 0..3 {
        assert!(world.app_callback("ONCE-8").body == page);
    }
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn fifty_at_once_are_one_request() {
    let world = world();
    world.wechat.order(&APP, "ONCE-2").paid(100);
    world.upstream.hold();
    let statuses = at_once(50, |index| {
        if index == 0 {
            until("one to be under way", || !world.upstream.requests().is_empty());
            world.upstream.release();
        }
        world.app_callback("ONCE-2").status()
    });
    assert_eq!(statuses, [200; 50]);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn until_one_is_accepted_they_are_forwarded_one_by_one() {
    let world = world();
    world.wechat.order(&APP, "ONCE-3").paid(100);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    world.upstream.answers_once(Reply::half());
    let mut statuses: Vec<_> = at_once(10, |_| world.app_callback("ONCE-3").status());
    statuses.sort_unstable();
    assert_eq!((&statuses[..8], statuses[8], statuses[9]), (&[200; 8][..], 500, 502));
    assert_eq!(world.upstream.requests().len(), 3);
    let attempts: Vec<_> = world.upstream.requests().iter().map(|seen| seen.folded("X-Tollgate-Attempt")).collect();
    assert_eq!(attempts, [["1"], ["2"], ["3"]]);
}

#[test]
fn after_a_kill_and_a_restart_the_answer_is_still_known() {
    let mut world = world();
    world.wechat.order(&APP, "ONCE-4").paid(100);
    assert_eq!(world.app_callback("ONCE-4").status(), 200);
    world.kill9();
    world.restart();
    let again = world.app_callback("ONCE-4");
    assert_eq!((again.status(), again.text().as_str()), (200, "order-marked-paid"));
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn wechat_pay_reads_success() {
    let world = world();
    world.wechat.order(&APP, "ONCE-5").paid(100);
    world.upstream.answers(Reply::xml("<xml><return_code>SUCCESS</return_code><return_msg>fine</return_msg></xml>"));
    for time in 0..3 {
        let fields = notification(&APP, "ONCE-5", 100);
        let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
        assert_eq!(return_code(&answer), "SUCCESS", "{time}");
        if time > 0 {
            let ok = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";
            assert_eq!(answer.text(), ok);
        }
    }
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn a_false_claim_about_an_accepted_order_is_refused() {
    let world = world();
    world.wechat.order(&APP, "ONCE-6").paid(6600);
    assert_eq!(world.app_callback("ONCE-6").status(), 200);
    assert_eq!(world.callback("OrderID=ONCE-6&TotalFee=1").status(), 403);
    assert_eq!(world.callback("OrderID=ONCE-6&WeixinTransactionID=4200").status(), 403);
}

#[test]
fn an_operator_sends_it_again_all_the_same() {
    let world = world();
    world.wechat.order(&APP, "ONCE-7").paid(100);
    assert_eq!(world.app_callback("ONCE-7").status(), 200);
    stands(&world, "ONCE-7", "accepted");
    let ended = world.command(&["redeliver", "ONCE-7", "--override", "accepted", "--because", "it was lost"]);
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let seen = world.upstream.requests();
    assert_eq!((seen.len(), seen[1].folded("X-Tollgate-Attempt")), (2, vec!["2".to_owned()]));
}
