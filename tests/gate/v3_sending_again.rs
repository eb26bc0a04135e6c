//! Notifications of API v3 are sent again while WeChat Pay's signature is young enough, and then its next one is; with a key of
//! the gate's own they are signed afresh each time; and those of found orders are made, sealed and signed.

use crate::api_v3::{RESIGNED, TAKEN, V3};
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::v3::{Account, MIXED, NEW, Notice, RESIGN, SCHEME, STRANGER, with_headers};
use crate::fakes::wechat::{Bill, SignType, notification, signed_xml};
use crate::follow_up::{explained, stands};
use crate::harness::{Setup, World, until};
use crate::pending::list;
use crate::reload::reload;
use crate::wechatpay_v3::{open, verify};
use crate::wire::{Message, Request};
use serde_json::{Value, json};

/// Nearly as old as WeChat Pay's signature may be.
const OLD: i64 = -297;

const DAY: &str = "2026-11-22";

fn world(change: impl FnOnce(&mut Setup)) -> World {
    World::of_v3(|setup| {
        setup.hurry();
        change(setup);
    })
}

fn refused() -> Reply {
    Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() }
}

fn taken() -> Reply {
    Reply::ok(TAKEN.as_bytes())
}

/// The headers that sign a message, and what they sign.
fn signature(message: &Message) -> [Vec<String>; 5] {
    let names = ["Timestamp", "Nonce", "Signature", "Serial", "Signature-Type"];
    names.map(|name| message.folded(&format!("Wechatpay-{name}")))
}

/// Whether the gate's own key has signed it, once.
fn is_signed_by_the_gate(message: &Message) -> bool {
    let [timestamp, nonce, signature, serial, scheme] = signature(message);
    if serial != [RESIGN.serial]
        || scheme != [SCHEME]
        || [&timestamp, &nonce, &signature].iter().any(|it| it.len() != 1)
    {
        return false;
    }
    let signed = format!("{}\n{}\n{}\n", timestamp[0], nonce[0], message.text());
    verify(signed.as_bytes(), &signature[0], RESIGN.name)
}

/// What an envelope seals.
fn sealed(message: &Message) -> Value {
    sealed_for(&MIXED, message)
}

fn sealed_for(account: &Account, message: &Message) -> Value {
    let envelope: Value = serde_json::from_slice(&message.body).unwrap();
    let text = |name: &str| envelope["resource"][name].as_str().unwrap().to_owned();
    let plain = open(&text("ciphertext"), &text("nonce"), &text("associated_data"), account.api_v3_key).unwrap();
    serde_json::from_slice(&plain).unwrap()
}

/// What the upstream got for an order, once there is so much.
fn delivered(world: &World, order: &str, times: usize) -> Vec<Message> {
    until("the follow-up's delivery", || world.upstream.requests_for(order).len() >= times);
    world.upstream.requests_for(order)
}

fn reasons(entry: &Value) -> Vec<String> {
    let events = entry["events"].as_array().cloned().unwrap_or_default();
    events.iter().filter_map(|event| event["reason"].as_str().map(str::to_owned)).collect()
}

#[test]
fn while_the_signature_is_young_the_same_bytes_and_headers_are_sent_again() {
    let world = world(|_| ());
    world.wechat.order(&MIXED.merchant, "YOUNG-1").paid(100);
    world.upstream.answers_once(refused());
    world.upstream.answers(taken());
    let notice = Notice::paid(&MIXED, "YOUNG-1", 100);
    assert_eq!(world.notice(V3, "mixed", &notice).status(), 500);
    let seen = delivered(&world, "YOUNG-1", 2);
    assert_eq!((seen[1].body.clone(), signature(&seen[1])), (seen[0].body.clone(), signature(&seen[0])));
    assert_eq!(seen[1].folded("X-Tollgate-Origin"), ["follow-up"]);
    stands(&world, "YOUNG-1", "accepted");
}

#[test]
fn an_old_signature_is_sent_no_more_and_wechat_pays_next_one_is() {
    let world = world(|_| ());
    world.wechat.order(&MIXED.merchant, "AGED-1").paid(100);
    world.upstream.answers(refused());
    let notice = Notice::paid(&MIXED, "AGED-1", 100);
    let first = notice.stamped(&format!("{V3}/mixed"), &notice.stamp().offset(OLD));
    assert_eq!(world.send(&first).status(), 500);
    let mut entry = Value::Null;
    until("the window to be over", || {
        entry = explained(&world, "AGED-1");
        entry["reason"] == "window-over"
    });
    assert_eq!(entry["state"], "delivering", "{entry}");
    let (sent, asked) = (world.upstream.requests_for("AGED-1").len(), world.wechat.asked("AGED-1"));
    // A person cannot make it younger, and no query is spent on it.
    let ended = world.command(&["redeliver", "AGED-1"]);
    assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("not sent (window-over)"), "{}", ended.stdout);
    assert_eq!((world.upstream.requests_for("AGED-1").len(), world.wechat.asked("AGED-1")), (sent, asked));
    // WeChat Pay's own next one is not taken either at first.
    let second = notice.to(&format!("{V3}/mixed"));
    assert_eq!(world.send(&second).status(), 500);
    world.upstream.answers(taken());
    let entry = stands(&world, "AGED-1", "accepted");
    let seen = world.upstream.requests_for("AGED-1");
    let (live, last) = (&seen[sent], seen.last().unwrap());
    assert!(seen.len() > sent + 1, "the follow-up has sent it");
    assert_eq!(last.folded("X-Tollgate-Origin"), ["follow-up"]);
    assert_eq!((signature(last), &last.body), (signature(live), &live.body));
    assert_ne!(signature(last), signature(&seen[0]));
    assert!(reasons(&entry).contains(&"window-over".to_owned()), "{entry}");
}

#[test]
fn a_newer_notification_is_kept_over_a_crash() {
    let mut world = world(|_| ());
    world.wechat.order(&MIXED.merchant, "CRASH-1").paid(100);
    world.upstream.answers(refused());
    let notice = Notice::paid(&MIXED, "CRASH-1", 100);
    world.send(&notice.stamped(&format!("{V3}/mixed"), &notice.stamp().offset(OLD)));
    until("the window to be over", || explained(&world, "CRASH-1")["reason"] == "window-over");
    assert_eq!(world.notice(V3, "mixed", &notice).status(), 500);
    until("the newer one to be kept", || explained(&world, "CRASH-1")["reason"] == "paid");
    let live = world.upstream.requests_for("CRASH-1").pop().unwrap();
    world.kill9();
    world.upstream.answers(taken());
    world.restart();
    stands(&world, "CRASH-1", "accepted");
    let last = world.upstream.requests_for("CRASH-1").pop().unwrap();
    assert_eq!((signature(&last), last.body), (signature(&live), live.body));
}

#[test]
fn an_order_system_that_does_not_look_at_the_time_gets_the_same_for_as_long_as_may_be() {
    let world = world(|setup| setup.route("notify-v3")["upstream_window"] = json!("none"));
    world.wechat.order(&MIXED.merchant, "BLIND-1").paid(100);
    world.upstream.answers(refused());
    let notice = Notice::paid(&MIXED, "BLIND-1", 100);
    let stamp = notice.stamp().offset(OLD);
    world.send(&notice.stamped(&format!("{V3}/mixed"), &stamp));
    let past = stamp.timestamp.parse::<i64>().unwrap() + 301;
    until("more than five minutes", || crate::fakes::wechat::v3::now() > past);
    let sent = world.upstream.requests_for("BLIND-1").len();
    world.upstream.answers(taken());
    stands(&world, "BLIND-1", "accepted");
    let seen = world.upstream.requests_for("BLIND-1");
    assert!(seen.len() > sent);
    assert_eq!(signature(seen.last().unwrap()), signature(&seen[0]));
}

#[test]
fn with_a_key_of_its_own_the_gate_signs_each_delivery_afresh() {
    let world = world(Setup::resigns);
    world.wechat.order(&MIXED.merchant, "SIGNED-1").paid(100);
    world.upstream.answers(refused());
    let notice = Notice::paid(&MIXED, "SIGNED-1", 100);
    let request = notice.stamped(&format!("{RESIGNED}/mixed"), &notice.stamp().offset(OLD));
    assert_eq!(world.send(&request).status(), 500);
    delivered(&world, "SIGNED-1", 3);
    world.upstream.answers(taken());
    stands(&world, "SIGNED-1", "accepted");
    let seen = world.upstream.requests_for("SIGNED-1");
    for (index, one) in seen.iter().enumerate() {
        assert!(is_signed_by_the_gate(one), "{index}: {:?}", signature(one));
        assert_eq!(one.body, seen[0].body);
        assert!(index == 0 || signature(one)[1] != signature(&seen[index - 1])[1], "the nonce is another");
    }
    assert_eq!(sealed(&seen[0])["out_trade_no"], "SIGNED-1");
}

#[test]
fn notifications_of_api_v2_on_the_same_route_are_not_touched() {
    let world = world(Setup::resigns);
    let fields = notification(&MIXED.merchant, "UNTOUCHED-1", 100);
    world.wechat.order(&MIXED.merchant, "UNTOUCHED-1").paid(100);
    let xml = signed_xml(fields, MIXED.merchant.key, SignType::Md5);
    world.send(&Request::post(&format!("{RESIGNED}/mixed")).xml(&xml));
    let seen = &delivered(&world, "UNTOUCHED-1", 1)[0];
    assert_eq!(seen.text(), xml);
    assert_eq!(signature(seen), [const { Vec::<String>::new() }; 5]);
}

#[test]
fn what_is_not_wechat_pays_is_never_signed_in_observe_mode_either() {
    let world = world(|setup| {
        setup.resigns();
        setup.config["mode"] = json!("observe");
    });
    world.upstream.answers(taken());
    let notice = Notice::paid(&MIXED, "WATCHED-1", 100);
    let body = notice.body();
    let headers = notice.stamp().but_by(STRANGER.name).headers(&body);
    world.send(&with_headers(&format!("{RESIGNED}/mixed"), &body, &headers));
    let seen = world.upstream_received();
    assert_eq!(seen.body, body);
    for (name, value) in &headers {
        assert_eq!(seen.folded(name), [value.as_str()], "as it was received");
    }
    // What is WeChat Pay's is, also where the order is not paid.
    let order = Notice::paid(&MIXED, "WATCHED-2", 100);
    world.wechat.order(&MIXED.merchant, "WATCHED-2");
    world.notice(RESIGNED, "mixed", &order);
    until("the second one", || world.upstream.requests().len() == 2);
    assert!(is_signed_by_the_gate(&world.upstream.requests()[1]));
}

fn swept(setup: &mut Setup, route: &str) {
    setup.resigns();
    setup.config["channels"]["mixed"]["sweep"] = json!({ "route": route, "from": "2099-01-01" });
}

fn sweep(world: &World, order: &str) {
    let id = world.wechat.order(&MIXED.merchant, order).paid(250);
    world.wechat.bill(&MIXED.merchant, "20261122", &Bill::default().paid(&MIXED.merchant, order, &id, 250));
    let ended = world.command(&["sweep", "--channel", "mixed", "--date", DAY, "--json", "--wait", "20s"]);
    assert!(!ended.stdout.is_empty(), "{}", ended.stderr);
}

#[test]
fn a_found_order_is_told_of_in_a_new_envelope_that_is_signed_each_time() {
    let mut world = world(|setup| swept(setup, "resigned"));
    world.upstream.answers(refused());
    sweep(&world, "FOUND-1");
    delivered(&world, "FOUND-1", 2);
    world.kill9();
    world.upstream.answers(taken());
    world.restart();
    stands(&world, "FOUND-1", "accepted");
    let seen = world.upstream.requests_for("FOUND-1");
    for one in &seen {
        assert!(is_signed_by_the_gate(one), "{:?}", signature(one));
        assert_eq!(one.line(), format!("POST {RESIGNED}/mixed HTTP/1.1"));
        assert_eq!(one.folded("X-Tollgate-Origin"), ["sweep"]);
        assert_eq!(one.body, seen[0].body);
    }
    let envelope: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(envelope["id"].as_str(), seen[0].folded("X-Tollgate-Delivery").first().map(String::as_str));
    assert_eq!(envelope["event_type"], "TRANSACTION.SUCCESS");
    let plain = sealed(&seen[0]);
    assert_eq!(plain["out_trade_no"], "FOUND-1");
    assert_eq!(
        plain["transaction_id"].as_str(),
        seen[0].folded("X-Verified-Transaction-Id").first().map(String::as_str)
    );
    assert_eq!((&plain["amount"]["total"], &plain["trade_state"]), (&json!(250), &json!("SUCCESS")));
    assert_eq!((&plain["mchid"], &plain["appid"]), (&json!(MIXED.merchant.mch_id), &json!(MIXED.merchant.appid)));
}

#[test]
fn without_a_key_of_the_gates_a_found_order_is_told_of_in_api_v2() {
    let world = world(|setup| swept(setup, "any"));
    world.upstream.answers(Reply::xml("<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>"));
    sweep(&world, "FOUND-2");
    let seen = &delivered(&world, "FOUND-2", 1)[0];
    assert!(seen.text().starts_with("<xml>") && seen.text().contains("<out_trade_no><![CDATA[FOUND-2]]>"));
    stands(&world, "FOUND-2", "accepted");
}

#[test]
fn what_waits_goes_on_once_the_order_system_need_not_look_at_the_time() {
    let world = world(|_| ());
    world.wechat.order(&MIXED.merchant, "WAITS-1").paid(100);
    world.upstream.answers(refused());
    let notice = Notice::paid(&MIXED, "WAITS-1", 100);
    world.send(&notice.stamped(&format!("{V3}/mixed"), &notice.stamp().offset(OLD)));
    until("the window to be over", || explained(&world, "WAITS-1")["reason"] == "window-over");
    world.upstream.answers(taken());
    reload(&world, |config| {
        let routes = config["routes"].as_array_mut().unwrap();
        routes.iter_mut().find(|route| route["name"] == "notify-v3").unwrap()["upstream_window"] = json!("none");
    });
    stands(&world, "WAITS-1", "accepted");
}

#[test]
fn an_account_that_has_api_v3_alone_is_asked_and_told_in_it() {
    let world = world(|setup| {
        setup.resigns();
        std::fs::write(setup.dir.join("unpaid.jsonl"), "").unwrap();
        setup.config["pending_orders"] =
            json!([{ "name": "shop", "every": "1s", "route": "resigned", "file": { "path": "unpaid.jsonl" } }]);
    });
    let id = world.wechat.order(&NEW.merchant, "LISTED-1").paid(100);
    let order = json!({ "order": "LISTED-1", "channel": "new", "amount": 100, "created_at": "2026-11-22 10:00:00" });
    list(world.dir(), &[order]);
    let seen = &delivered(&world, "LISTED-1", 1)[0];
    assert!(is_signed_by_the_gate(seen), "{:?}", signature(seen));
    let plain = sealed_for(&NEW, seen);
    assert_eq!((&plain["out_trade_no"], &plain["transaction_id"]), (&json!("LISTED-1"), &json!(id)));
    assert_eq!(plain["zzz_new_field"], json!({ "x": [1, "值"] }), "WeChat Pay's answer as it is");
    stands(&world, "LISTED-1", "accepted");
}

#[test]
fn what_was_taken_waits_for_no_younger_notification_when_a_person_sends_it_again() {
    let world = world(|_| ());
    world.wechat.order(&MIXED.merchant, "TAKEN-1").paid(100);
    world.upstream.answers(taken());
    let notice = Notice::paid(&MIXED, "TAKEN-1", 100);
    let stamp = notice.stamp().offset(OLD);
    assert_eq!(world.send(&notice.stamped(&format!("{V3}/mixed"), &stamp)).status(), 200);
    stands(&world, "TAKEN-1", "accepted");
    // Its answer was lost on the way, so WeChat Pay sends it again; of what was taken nothing is renewed.
    assert_eq!(world.notice(V3, "mixed", &notice).status(), 200);
    let past = stamp.timestamp.parse::<i64>().unwrap() + 301;
    until("the window to be over", || crate::fakes::wechat::v3::now() > past);
    let again = ["redeliver", "TAKEN-1", "--override", "accepted", "--because", "it was lost", "--wait", "10s"];
    let ended = world.command(&again);
    assert_eq!(ended.code, 1, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("window-over"), "{} {}", ended.stdout, ended.stderr);
}
