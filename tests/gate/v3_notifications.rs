//! Notifications of API v3: everything about them is checked before anything is asked, and they go on as they came.

use crate::api_v3::{ANY, AUTO, TAKEN, V3, is_refused};
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::v3::{
    Account, Headers, MIXED, NEW, Notice, OLD, PLATFORM_1, PROBE, PROVIDER, SCHEME, STRANGER, SWITCHING, Stamp,
    set_header, with_headers,
};
use crate::fakes::wechat::{Fault, SignType, notification, transaction_id};
use crate::harness::{World, return_code};
use crate::wire::{Message, Request};
use serde_json::{Value, json};

const ACK: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

const NAMES: [&str; 5] =
    ["Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature", "Wechatpay-Signature-Type", "Wechatpay-Timestamp"];

fn takes(world: &World) {
    world.upstream.answers(Reply::Says { status: 200, content_type: "application/json", body: TAKEN.into() });
}

/// Sends these headers with a notification's body.
fn with(world: &World, notice: &Notice, change: impl FnOnce(&mut Headers, &mut Vec<u8>)) -> Message {
    let mut body = notice.body();
    let mut headers = notice.stamp().headers(&body);
    change(&mut headers, &mut body);
    world.send(&with_headers(&format!("{V3}/new"), &body, &headers))
}

#[test]
fn a_notification_passes_byte_for_byte_with_the_headers_that_sign_it() {
    let world = World::of_v3(|_| ());
    takes(&world);
    let cases: [(&Account, String); 6] = [
        (&NEW, format!("{V3}/new")),
        (&OLD, format!("{ANY}/old")),
        (&SWITCHING, AUTO.to_owned()),
        (&PROVIDER, format!("{V3}/provider")),
        (&MIXED, format!("{V3}/mixed")),
        (&MIXED, AUTO.to_owned()),
    ];
    for (index, (account, path)) in cases.iter().enumerate() {
        let order = format!("NOTICE-{index}");
        let id = world.wechat.order(&account.merchant, &order).paid(77);
        let notice = Notice::paid(account, &order, 77);
        let body = notice.body();
        let headers = notice.stamp().headers(&body);
        let answer = world.send(&with_headers(path, &body, &headers));
        assert_eq!((answer.status(), answer.text().as_str()), (200, TAKEN), "{path}: {}", world.summary(&answer));
        let seen = world.upstream.requests().pop().unwrap();
        assert_eq!((seen.line(), &seen.body), (format!("POST {path} HTTP/1.1"), &body));
        for (name, value) in &headers {
            assert_eq!(seen.folded(name), [value.as_str()], "{path} {name}");
        }
        assert_eq!(seen.folded("X-Verified-Transaction-Id"), [id], "{path}");
        assert_eq!(seen.folded("X-Verified-Total-Fee"), ["77"], "{path}");
        assert!(seen.folded("X-Verified-Event").is_empty());
        assert_eq!(
            world.wechat.asked(&order)
                + world
                    .wechat
                    .queries()
                    .iter()
                    .filter(|q| q.field("transaction_id") == transaction_id(&account.merchant, &order))
                    .count(),
            1,
            "{path}"
        );
    }
}

#[test]
fn a_header_that_signs_must_be_there_once_and_under_one_name() {
    let world = World::of_v3(|_| ());
    world.wechat.order(&NEW.merchant, "TWIN-1").paid(100);
    let notice = Notice::paid(&NEW, "TWIN-1", 100);
    for name in NAMES {
        for twin in [name.to_owned(), name.to_lowercase(), name.replace('-', "_"), name.replacen('-', "_", 1)] {
            let answer = with(&world, &notice, |headers, _| {
                let (_, value) = headers.iter().find(|(found, _)| found == name).unwrap().clone();
                headers.push((twin.clone(), value));
            });
            assert_eq!((answer.status(), is_refused(&answer)), (400, true), "{twin}: {}", answer.text());
            assert_eq!(world.reason(&answer), "field-repeated", "{twin}");
        }
        for connection in [name.to_owned(), format!("close, {}", name.to_lowercase())] {
            let answer =
                with(&world, &notice, |headers, _| headers.push(("Connection".to_owned(), connection.clone())));
            assert_eq!(answer.status(), 400, "Connection: {connection}: {}", answer.text());
        }
        // In a second spelling alone, too: some backend reads it, and it is none that was verified.
        let answer = with(&world, &notice, |headers, _| {
            headers.iter_mut().find(|(found, _)| found == name).unwrap().0 = name.replace('-', "_");
        });
        assert_eq!(answer.status(), 400, "{name} with underscores: {}", answer.text());
    }
    world.nothing_came_of_it();
}

/// What a forger does to a notification.
enum Forged {
    Bare,
    Lacks(&'static str),
    Says(&'static str, String),
    Stamped(Stamp),
    Longer,
}

impl Forged {
    fn change(&self, headers: &mut Headers, body: &mut Vec<u8>) {
        match self {
            Self::Bare => headers.clear(),
            Self::Lacks(name) => headers.retain(|(found, _)| found != name),
            Self::Says(name, value) => set_header(headers, name, value),
            Self::Stamped(stamp) => *headers = stamp.headers(body),
            Self::Longer => body.push(b' '),
        }
    }
}

#[test]
fn what_is_not_authentic_is_401_and_costs_no_query() {
    use Forged::{Bare, Lacks, Longer, Says, Stamped};
    let world = World::of_v3(|setup| setup.config["channels"]["new"]["platform_certificates"] = json!("none"));
    world.wechat.order(&NEW.merchant, "FORGED-1").paid(100);
    let notice = Notice::paid(&NEW, "FORGED-1", 100);
    let good = || notice.stamp();
    let signature = |value: &str| Says("Wechatpay-Signature", value.to_owned());
    let scheme = |value: &str| Says("Wechatpay-Signature-Type", value.to_owned());
    let nonce = Says("Wechatpay-Nonce", "593BEC0C930BF1AFEB40B4A08C8FB242".to_owned());
    let zeros = "A".repeat(342) + "==";
    let id = NEW.signed_by().serial;
    let (unsigned, bad, unknown, window) = (
        "notification-unsigned",
        "notification-badly-signed",
        "notification-serial-unknown",
        "notification-outside-window",
    );
    for (what, reason, forged) in [
        ("no headers", unsigned, Bare),
        ("no nonce", unsigned, Lacks("Wechatpay-Nonce")),
        ("no serial", unsigned, Lacks("Wechatpay-Serial")),
        ("no time", unsigned, Lacks("Wechatpay-Timestamp")),
        ("no signature", unsigned, Lacks("Wechatpay-Signature")),
        ("an empty signature", unsigned, signature("")),
        ("zeros", bad, signature(&zeros)),
        ("no base64", bad, signature("%% no base64 %%")),
        ("another nonce", bad, nonce),
        ("SM2", bad, scheme("WECHATPAY2-SM2-WITH-SM3")),
        ("another case of the type", bad, scheme(&SCHEME.to_lowercase())),
        ("one byte more", bad, Longer),
        ("a stranger", bad, Stamped(good().but_by(STRANGER.name))),
        ("the merchant's own key", unknown, Stamped(Stamp::by(NEW.private_key))),
        ("the merchant's own key as WeChat Pay's", bad, Stamped(good().but_by(NEW.private_key.name))),
        ("a serial of nobody", unknown, Stamped(Stamp::by(STRANGER))),
        ("another merchant's public key", unknown, Stamped(Stamp::by(SWITCHING.signed_by()))),
        ("an id in small letters", unknown, Stamped(good().called(&id.to_lowercase()))),
        ("five minutes old", window, Stamped(good().offset(-310))),
        ("five minutes early", window, Stamped(good().offset(310))),
        ("a probe", "notification-probe", signature(&format!("{PROBE}{}", &zeros[..40]))),
    ] {
        let answer = with(&world, &notice, |headers, body| forged.change(headers, body));
        let told = world.reason(&answer);
        assert_eq!((answer.status(), told.as_str(), is_refused(&answer)), (401, reason, true), "{what}");
        assert_eq!(answer.json()["message"], "not taken", "{what}");
        assert!(answer.header("Content-Type").unwrap().starts_with("application/json"), "{what}");
    }
    world.nothing_came_of_it();
    assert!(!world.wechat.downloads().contains(&NEW.merchant.mch_id));
    assert_eq!(with(&world, &notice, |_, _| ()).status(), 200);
}

#[test]
fn a_type_that_is_not_named_is_the_usual_one_and_four_minutes_are_within_the_window() {
    let world = World::of_v3(|_| ());
    for (index, offset) in [0, -280, 280].into_iter().enumerate() {
        let order = format!("WINDOW-{index}");
        world.wechat.order(&NEW.merchant, &order).paid(100);
        let notice = Notice::paid(&NEW, &order, 100);
        let answer = with(&world, &notice, |headers, body| {
            *headers = notice.stamp().offset(offset).headers(body);
            headers.retain(|(name, _)| name != "Wechatpay-Signature-Type");
        });
        assert_eq!(answer.status(), 200, "{offset}: {}", world.summary(&answer));
    }
}

#[test]
fn an_envelope_must_be_one_and_sealed_as_documented() {
    let world = World::of_v3(|_| ());
    world.wechat.order(&NEW.merchant, "SEALED-1").paid(100);
    let good = || Notice::paid(&NEW, "SEALED-1", 100);
    for (what, notice) in [
        ("resource_type", good().enveloped("/resource_type", "plain-resource")),
        ("no resource_type", good().enveloped("/resource_type", Value::Null)),
        ("algorithm", good().enveloped("/resource/algorithm", "AEAD_AES_128_GCM")),
        ("no algorithm", good().enveloped("/resource/algorithm", Value::Null)),
        ("a short nonce", good().enveloped("/resource/nonce", "short")),
        ("a long nonce", good().enveloped("/resource/nonce", "fdasflkja4845")),
        ("no nonce", good().enveloped("/resource/nonce", Value::Null)),
        ("associated_data is a number", good().enveloped("/resource/associated_data", 7)),
        (
            "associated_data is null",
            good()
                .enveloped("/resource/associated_data", Value::Null)
                .enveloped("/resource/x", json!({"associated_data": null})),
        ),
        ("ciphertext is no base64", good().enveloped("/resource/ciphertext", "%%")),
        ("ciphertext is empty", good().enveloped("/resource/ciphertext", "")),
        ("no resource", good().enveloped("/resource", "none")),
    ] {
        let answer = world.notice(V3, "new", &notice);
        if what == "associated_data is null" {
            // An absent one is right.
            assert_eq!(answer.status(), 200, "{what}: {}", world.summary(&answer));
            continue;
        }
        assert!(is_refused(&answer) && [400, 401].contains(&answer.status()), "{what}: {}", world.summary(&answer));
    }
    let text = |notice: &Notice| String::from_utf8(notice.body()).unwrap();
    let valid = text(&good());
    for (what, body) in [
        ("a list", format!("[{valid}]")),
        ("two documents", format!("{valid}{valid}")),
        ("a word behind", format!("{valid} x")),
        ("event_type twice", valid.replacen("{\"", "{\"event_type\":\"REFUND.SUCCESS\",\"", 1)),
        ("ciphertext twice", valid.replacen("\"resource\":{", "\"resource\":{\"ciphertext\":\"AAAA\",", 1)),
        ("resource twice, escaped", valid.replacen("{\"", "{\"res\\u006furce\":{},\"", 1)),
        (
            "associated_data is null",
            valid.replacen("\"associated_data\":\"transaction\"", "\"associated_data\":null", 1),
        ),
        ("no JSON", "{".to_owned()),
        ("an empty object", "{}".to_owned()),
    ] {
        let headers = Stamp::by(NEW.signed_by()).headers(body.as_bytes());
        let answer = world.send(&with_headers(&format!("{V3}/new"), body.as_bytes(), &headers));
        assert!(is_refused(&answer) && [400, 401].contains(&answer.status()), "{what}: {}", world.summary(&answer));
    }
    assert_eq!(world.upstream.requests().len(), 1);
    assert_eq!(world.wechat.queries().len(), 1);
}

#[test]
fn what_no_key_opens_is_401() {
    let world = World::of_v3(|_| ());
    let good = Notice::paid(&NEW, "CLOSED-1", 100);
    let body = String::from_utf8(good.body()).unwrap();
    let other_aad = body.replacen("\"associated_data\":\"transaction\"", "\"associated_data\":\"transactioN\"", 1);
    let headers = good.stamp().headers(other_aad.as_bytes());
    for (what, request) in [
        ("another account's key", good.clone().sealed_with(OLD.api_v3_key).to(&format!("{V3}/new"))),
        ("other associated data", with_headers(&format!("{V3}/new"), other_aad.as_bytes(), &headers)),
        ("shorter than a tag", good.clone().enveloped("/resource/ciphertext", "AAAA").to(&format!("{V3}/new"))),
    ] {
        let answer = world.send(&request);
        assert_eq!((answer.status(), is_refused(&answer)), (401, true), "{what}");
        assert_eq!(world.reason(&answer), "notification-undecipherable", "{what}");
    }
    world.nothing_came_of_it();
}

#[test]
fn any_of_the_keys_opens_one_and_an_absent_or_empty_associated_data_is_none() {
    let older = "Older0Api1V3Key2Older3Api4V3Key5";
    let world = World::of_v3(|setup| setup.config["channels"]["new"]["api_v3_key"] = json!([NEW.api_v3_key, older]));
    let order = |name: &str| drop(world.wechat.order(&NEW.merchant, name).paid(100));
    for (index, change) in [
        &(|notice: Notice| notice) as &dyn Fn(Notice) -> Notice,
        &|notice| notice.sealed_with(older),
        &|notice| notice.enveloped("/resource/associated_data", ""),
        &|notice| notice.enveloped("/resource/associated_data", Value::Null),
        &|notice| notice.enveloped("/zzz_new", json!({ "a": [1] })).saying("/zzz_newer", json!([{}])),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("KEYS-{index}");
        order(&name);
        let answer = world.notice(V3, "new", &change(Notice::paid(&NEW, &name, 100)));
        assert_eq!(answer.status(), 200, "{index}: {}", world.summary(&answer));
    }
}

#[test]
fn what_is_no_payment_is_403_and_a_refund_is_said_to_be_one() {
    let world = World::of_v3(|_| ());
    world.wechat.order(&NEW.merchant, "EVENT-1").paid(100);
    let paid = Notice::paid(&NEW, "EVENT-1", 100);
    for (what, reason, notice) in [
        ("an unknown event", "notification-not-payment", paid.clone().enveloped("/event_type", "TRANSACTION.PAYSCORE")),
        ("another case", "notification-not-payment", paid.clone().enveloped("/event_type", "transaction.success")),
        ("no event", "notification-not-payment", paid.clone().enveloped("/event_type", Value::Null)),
        ("a refund", "notification-not-payment", Notice::refund(&NEW, "EVENT-1", 100, 40, "SUCCESS")),
        ("an abnormal refund", "notification-not-payment", Notice::refund(&NEW, "EVENT-1", 100, 40, "ABNORMAL")),
        ("a closed refund", "notification-not-payment", Notice::refund(&NEW, "EVENT-1", 100, 40, "CLOSED")),
        (
            "a combined order",
            "notification-combined",
            paid.clone().sealing(
                r#"{"combine_out_trade_no":"EVENT-1","combine_appid":"wx7788aa99bb001122","combine_mchid":"1900009191","sub_orders":[]}"#,
            ),
        ),
    ] {
        let answer = world.notice(V3, "new", &notice);
        let told = world.reason(&answer);
        let absent = what == "no event" && answer.status() < 402;
        assert!(is_refused(&answer) && (absent || (answer.status(), told.as_str()) == (403, reason)), "{what}: {} {told}", answer.status());
    }
    world.nothing_came_of_it();
}

#[test]
fn what_is_sealed_must_name_the_channels_account_and_a_payment() {
    let world = World::of_v3(|setup| {
        setup.config["channels"]["new"]["appid"] = json!([NEW.merchant.appid, "wx0123456789abcdef"]);
    });
    world.wechat.order(&NEW.merchant, "INSIDE-1").paid(100);
    world.wechat.order(&PROVIDER.merchant, "INSIDE-1").paid(100);
    let paid = || Notice::paid(&NEW, "INSIDE-1", 100);
    let partner = || Notice::paid(&PROVIDER, "INSIDE-1", 100);
    let other = "notification-for-other-merchant";
    for (channel, pointer, value, reason) in [
        ("new", "/mchid", json!("1900000999"), other),
        ("new", "/mchid", Value::Null, other),
        ("new", "/appid", json!("wx0000000000000000"), other),
        ("new", "/appid", json!("wx7788AA99bb001122"), other),
        ("provider", "/sp_mchid", json!("1900000999"), other),
        ("provider", "/sp_appid", json!("wx0000000000000000"), other),
        ("provider", "/sub_mchid", json!("1900000998"), other),
        ("provider", "/sub_mchid", Value::Null, other),
        ("provider", "/sub_appid", json!("wx0000000000000000"), other),
        ("new", "/trade_state", json!("NOTPAY"), ""),
        ("new", "/trade_state", json!("REFUND"), ""),
        ("new", "/trade_state", Value::Null, ""),
        ("new", "/out_trade_no", Value::Null, ""),
        ("new", "/out_trade_no", json!(""), ""),
        ("new", "/out_trade_no", json!(17), ""),
        ("new", "/transaction_id", Value::Null, ""),
        ("new", "/amount", Value::Null, ""),
        ("new", "/amount/total", Value::Null, ""),
        ("new", "/amount/total", json!("100"), ""),
        ("new", "/amount/total", json!(100.0), ""),
        ("new", "/amount/total", json!(-100), ""),
        ("new", "/amount/total", json!(true), ""),
        ("new", "/amount/currency", Value::Null, ""),
    ] {
        let notice = if channel == "new" { paid() } else { partner() };
        let answer = world.notice(V3, channel, &notice.saying(pointer, value.clone()));
        let told = world.reason(&answer);
        assert!(is_refused(&answer) && answer.status() < 500, "{pointer} {value}: {} {told}", answer.status());
        assert!(reason.is_empty() || (answer.status(), told.as_str()) == (403, reason), "{pointer} {value}: {told}");
    }
    let plain = paid().plain.to_string();
    for (what, text) in [
        ("a list", format!("[{plain}]")),
        ("two", format!("{plain}{plain}")),
        ("out_trade_no twice", plain.replacen('{', "{\"out_trade_no\":\"INSIDE-2\",", 1)),
        ("total twice", plain.replacen("\"total\":", "\"total\":1,\"total\":", 1)),
        ("an exponent", plain.replacen("\"total\":100", "\"total\":1e2", 1)),
        ("no JSON", "x".to_owned()),
    ] {
        let answer = world.notice(V3, "new", &paid().sealing(&text));
        assert!(is_refused(&answer) && answer.status() < 500, "{what}: {}", world.summary(&answer));
    }
    world.nothing_came_of_it();
    // A second app of the same merchant is ours. WeChat Pay must say the same.
    let id = world.wechat.order(&NEW.merchant, "INSIDE-3").field("appid", "wx0123456789abcdef").paid(100);
    let answer = world.notice(V3, "new", &Notice::paid(&NEW, "INSIDE-3", 100).saying("/appid", "wx0123456789abcdef"));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(world.upstream_received().folded("X-Verified-Transaction-Id"), [id]);
}

#[test]
fn every_part_of_the_claim_is_compared_with_the_answer() {
    let world = World::of_v3(|_| ());
    for (order, pointer, value, reason) in [
        ("CLAIM-1", "/amount/total", json!(99), "amount-differs"),
        ("CLAIM-2", "/amount/currency", json!("USD"), "amount-differs"),
        ("CLAIM-3", "/transaction_id", json!("4200000000000000000000000001"), "transaction-differs"),
    ] {
        world.wechat.order(&NEW.merchant, order).paid(100);
        let answer = world.notice(V3, "new", &Notice::paid(&NEW, order, 100).saying(pointer, value));
        let told = world.reason(&answer);
        assert!(
            is_refused(&answer) && (answer.status(), told.as_str()) == (403, reason),
            "{order}: {} {told}",
            answer.status()
        );
    }
    for (order, state, status) in [
        ("CLAIM-4", "NOTPAY", 503),
        ("CLAIM-5", "CLOSED", 403),
        ("CLAIM-6", "REFUND", 403),
        ("CLAIM-7", "REVOKED", 403),
    ] {
        world.wechat.order(&NEW.merchant, order).state(state);
        let answer = world.notice(V3, "new", &Notice::paid(&NEW, order, 100));
        assert_eq!((answer.status(), is_refused(&answer)), (status, true), "{state}");
    }
    world.upstream_saw_nothing();
}

#[test]
fn either_language_comes_on_one_address_and_is_answered_in_itself() {
    let world = World::of_v3(|_| ());
    world.wechat.order(&NEW.merchant, "EITHER-1").paid(100);
    world.wechat.order(&NEW.merchant, "EITHER-2").paid(100);
    world.upstream.answers_once(Reply::xml(ACK));
    let xml =
        crate::fakes::wechat::signed_xml(notification(&NEW.merchant, "EITHER-1", 100), NEW.merchant.key, SignType::Md5);
    let answer = world.send(&Request::post(&format!("{ANY}/new")).xml(&xml));
    assert_eq!((answer.status(), answer.text().as_str()), (200, ACK), "{}", world.summary(&answer));
    takes(&world);
    assert_eq!(world.notice(ANY, "new", &Notice::paid(&NEW, "EITHER-2", 100)).text(), TAKEN);
    assert!(world.wechat.queries().iter().all(|query| query.path.starts_with("/v3/")), "asked as provider says");
    // Refusals, too: v2's say so in their body, v3's by their status.
    let forged = world.send(&Request::post(&format!("{ANY}/new")).xml(xml.replace("EITHER-1", "EITHER-3")));
    assert_eq!((forged.status(), return_code(&forged).as_str()), (200, "FAIL"));
    let body = Notice::paid(&NEW, "EITHER-4", 100).body();
    let forged = world.send(&Request::post(&format!("{ANY}/new")).json(&body));
    assert_eq!((forged.status(), is_refused(&forged)), (401, true));
    // The Content-Type must not say otherwise than the body.
    let notice = Notice::paid(&NEW, "EITHER-2", 100);
    let body = notice.body();
    for (kind, sent) in [
        ("text/xml", body.clone()),
        ("application/json", xml.clone().into_bytes()),
        ("text/plain", b" nothing".to_vec()),
    ] {
        let mut request = Request::post(&format!("{ANY}/new")).header("Content-Type", kind).body(&sent);
        for (name, value) in notice.stamp().headers(&sent) {
            request = request.header(&name, &value);
        }
        let answer = world.send(&request);
        assert!((400..500).contains(&answer.status()), "{kind}: {}", answer.line());
    }
    assert_eq!(world.upstream.requests().len(), 2);
}

#[test]
fn the_account_is_found_by_what_the_notification_says() {
    let world = World::of_v3(|_| ());
    takes(&world);
    // Two accounts that share WeChat Pay's platform certificate: whose api_v3_key opens it, it is.
    world.wechat.order(&OLD.merchant, "AUTO-1").paid(100);
    world.wechat.order(&SWITCHING.merchant, "AUTO-2").paid(100);
    for (account, channel, order) in [(&OLD, "old", "AUTO-1"), (&SWITCHING, "switching", "AUTO-2")] {
        let answer = world.send(&Notice::paid(account, order, 100).stamped(AUTO, &Stamp::by(PLATFORM_1)));
        assert_eq!(answer.status(), 200, "{channel}: {}", world.summary(&answer));
        assert_eq!(world.upstream.requests().pop().unwrap().folded("X-Verified-Channel"), [channel]);
    }
    world.wechat.order(&PROVIDER.merchant, "AUTO-3").paid(100);
    let answer = world.send(&Notice::paid(&PROVIDER, "AUTO-3", 100).to(AUTO));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&MIXED.merchant, "AUTO-4").paid(100);
    let xml = crate::fakes::wechat::signed_xml(
        notification(&MIXED.merchant, "AUTO-4", 100),
        MIXED.merchant.key,
        SignType::Md5,
    );
    let answer = world.send(&Request::post(AUTO).xml(xml));
    assert_eq!(return_code(&answer), "SUCCESS", "{}", world.summary(&answer));
    assert_eq!(world.upstream.requests().pop().unwrap().folded("X-Verified-Channel"), ["mixed"]);
    let before = (world.upstream.requests().len(), world.wechat.queries().len());
    // Signed with the key of one account and sealed with another's.
    for notice in [
        Notice::paid(&NEW, "AUTO-5", 100).sealed_with(OLD.api_v3_key),
        Notice::paid(&OLD, "AUTO-5", 100).sealed_with(NEW.api_v3_key),
        Notice::paid(&OLD, "AUTO-5", 100).saying("/mchid", NEW.merchant.mch_id),
    ] {
        let answer = world.send(&notice.to(AUTO));
        assert!(is_refused(&answer) && [401, 403, 404].contains(&answer.status()), "{}", world.summary(&answer));
    }
    let crossed = Notice::paid(&SWITCHING, "AUTO-5", 100).stamped(AUTO, &Stamp::by(NEW.signed_by()));
    assert!(is_refused(&world.send(&crossed)));
    let mut fields = notification(&MIXED.merchant, "AUTO-5", 100);
    crate::fakes::wechat::set(&mut fields, "mch_id", "1900000999");
    let xml = crate::fakes::wechat::signed_xml(fields, MIXED.merchant.key, SignType::Md5);
    assert_ne!(return_code(&world.send(&Request::post(AUTO).xml(xml))), "SUCCESS");
    assert_eq!((world.upstream.requests().len(), world.wechat.queries().len()), before);
}

#[test]
fn a_channel_without_the_keys_for_it_says_so() {
    let world = World::of_v3(|setup| {
        let routes = setup.config["routes"].as_array_mut().unwrap();
        routes.retain(|route| route["name"] != "notify-v3" && route["name"] != "refunds-v3");
    });
    let answer = world.notice(ANY, "app", &Notice::paid(&NEW, "KEYLESS-1", 100));
    assert_eq!((answer.status(), is_refused(&answer)), (401, true));
    assert_eq!(world.reason(&answer), "notification-keys-missing");
    let xml = crate::fakes::wechat::signed_xml(notification(&OLD.merchant, "KEYLESS-1", 100), "x", SignType::Md5);
    let answer = world.send(&Request::post(&format!("{ANY}/old")).xml(xml));
    assert_eq!(world.reason(&answer), "notification-keys-missing");
    assert_ne!(return_code(&answer), "SUCCESS");
    world.nothing_came_of_it();
}

#[test]
fn a_success_that_is_not_one_goes_back_as_503_and_everything_else_unchanged() {
    // I7
    let world = World::of_v3(|setup| setup.config["follow_up"] = json!({ "redeliver": ["1h"], "ask_again": ["1h"] }));
    world.wechat.order(&NEW.merchant, "STATUS-1").paid(100);
    let says = |status, kind: &'static str, body: &str| Reply::Says { status, content_type: kind, body: body.into() };
    let json = "application/json";
    for (reply, status) in [
        (says(200, json, r#"{"code":"FAIL","message":"no"}"#), 503),
        (says(200, json, r#"{"code":"fail"}"#), 503),
        (says(200, json, r#"{"code":0}"#), 503),
        (says(201, json, r#"{"code":"ERROR"}"#), 503),
        (says(200, "text/xml", "<xml><return_code><![CDATA[FAIL]]></return_code></xml>"), 503),
        (says(302, "text/html", "elsewhere"), 503),
        (says(500, json, r#"{"code":"FAIL","message":"its own"}"#), 500),
        (says(404, "text/html", "its own"), 404),
        (says(200, json, r#"{"code":"SUCCESS"}"#), 200),
        (says(200, json, r#"{"msg":"whatever"}"#), 200),
        (says(200, "text/plain", "success"), 200),
        (says(200, "text/xml", ACK), 200),
        (says(204, "text/plain", ""), 204),
    ] {
        let what = format!("{reply:?}");
        world.upstream.answers(reply);
        let answer = world.notice(V3, "new", &Notice::paid(&NEW, "STATUS-1", 100));
        // A redirect is none of the contract's cases: what the upstream says goes back unchanged.
        assert!(
            answer.status() == status || (status == 503 && answer.status() == 302 && what.contains("302")),
            "{what}: {}",
            answer.line()
        );
        if status == 503 && answer.status() == 503 {
            assert!(is_refused(&answer), "{what}: {}", answer.text());
        }
    }
    for reply in [Reply::Breaks, Reply::half()] {
        world.upstream.answers(reply);
        assert!(is_refused(&world.notice(V3, "new", &Notice::paid(&NEW, "STATUS-1", 100))));
    }
}

#[test]
fn a_repeated_notification_is_absorbed_in_its_own_words() {
    let world = World::of_v3(|setup| setup.route("any")["duplicates"] = json!("absorb"));
    world.upstream.answers(Reply::ok(b"success"));
    world.wechat.order(&NEW.merchant, "ABSORB-1").paid(100);
    assert_eq!(world.notice(ANY, "new", &Notice::paid(&NEW, "ABSORB-1", 100)).text(), "success");
    let again = world.notice(ANY, "new", &Notice::paid(&NEW, "ABSORB-1", 100));
    assert_eq!((again.status(), again.json()), (200, json!({ "code": "SUCCESS", "message": "OK" })));
    let answer = world.send(&Request::post(&format!("{ANY}/new")).xml(crate::fakes::wechat::signed_xml(
        notification(&NEW.merchant, "ABSORB-1", 100),
        NEW.merchant.key,
        SignType::Md5,
    )));
    assert_eq!(return_code(&answer), "SUCCESS", "the same order in the other language");
    assert_eq!(world.upstream.requests().len(), 1);
    // A forged one is not absorbed.
    let forged = Notice::paid(&NEW, "ABSORB-1", 100);
    let stamp = forged.stamp().but_by(STRANGER.name);
    assert!(is_refused(&world.send(&forged.stamped(&format!("{ANY}/new"), &stamp))));
}

#[test]
fn a_query_that_cannot_be_believed_keeps_a_notification_back_and_the_next_one_passes() {
    let world = World::of_v3(|setup| {
        setup.hurry();
        setup.config["confirm_deadline"] = json!("500ms");
    });
    world.wechat.order(&NEW.merchant, "BELIEF-1").faults(&[Fault::Unsigned, Fault::Unsigned, Fault::None]).paid(100);
    let answer = world.notice(V3, "new", &Notice::paid(&NEW, "BELIEF-1", 100));
    assert!(is_refused(&answer) && answer.status() == 503, "{}", answer.line());
    crate::harness::until("the delivery", || {
        world.notice(V3, "new", &Notice::paid(&NEW, "BELIEF-1", 100)).status() == 200
    });
}

#[test]
fn verify_says_the_status_that_the_gate_answers() {
    let world = World::of_v3(|_| ());
    let notice = Notice::paid(&NEW, "SAVED-1", 100);
    let forged = notice.stamped(&format!("{V3}/new"), &notice.stamp().but_by(STRANGER.name));
    let file = world.dir().join("request.http");
    std::fs::write(&file, forged.kept_alive()).unwrap();
    let ended = world.command(&["verify", "--file", file.to_str().unwrap(), "--json"]);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["http_status"], world.send(&forged).status(), "{told}");
}
