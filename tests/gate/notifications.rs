//! WeChat Pay's own notification: its signature first, then the same question as for everybody.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, C1, Merchant, SignType, notification, set, signed_xml};
use crate::harness::{World, return_code};
use serde_json::json;

const ACK: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

#[test]
fn a_notification_passes_and_the_upstreams_acknowledgement_comes_back_unchanged() {
    let world = World::new();
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "NOTIFY-1").paid(100);
    let xml = signed_xml(notification(&APP, "NOTIFY-1", 100), APP.key, SignType::Md5);
    let answer = world.notify("app", &xml);
    assert_eq!((answer.status(), answer.text().as_str()), (200, ACK));
    let seen = world.upstream_received();
    assert_eq!(seen.text(), xml);
    assert_eq!(seen.line(), "POST /wxpay/notify/app HTTP/1.1");
}

#[test]
fn an_odd_acknowledgement_passes_unchanged_too() {
    let world = World::new();
    let odd = "\n<xml>\r\n <return_code>SUCCESS</return_code>\n</xml>  ";
    world.upstream.answers(Reply::xml(odd));
    world.wechat.order(&APP, "NOTIFY-2").paid(100);
    let answer = world.wechat_calls_back("app", notification(&APP, "NOTIFY-2", 100), APP.key, SignType::Md5);
    assert_eq!(answer.text(), odd);
}

#[test]
fn both_algorithms_are_read_with_and_without_sign_type() {
    // `docs/reference/wechatpay-v2.md` section 2: by sign_type, else by the signature's length.
    let world = World::new();
    world.upstream.answers(Reply::xml(ACK));
    let cases: [(&str, &Merchant, SignType, Option<&str>); 6] = [
        ("app", &APP, SignType::Md5, None),
        ("app", &APP, SignType::Md5, Some("MD5")),
        ("app", &APP, SignType::HmacSha256, None),
        ("app", &APP, SignType::HmacSha256, Some("HMAC-SHA256")),
        ("hmac", &C1, SignType::HmacSha256, None),
        ("hmac", &C1, SignType::HmacSha256, Some("HMAC-SHA256")),
    ];
    for (index, (channel, merchant, sign_type, named)) in cases.into_iter().enumerate() {
        let order = format!("ALGORITHM-{index}");
        world.wechat.order(merchant, &order).paid(100);
        let mut fields = notification(merchant, &order, 100);
        if let Some(named) = named {
            set(&mut fields, "sign_type", named);
        }
        let answer = world.wechat_calls_back(channel, fields, merchant.key, sign_type);
        assert_eq!(return_code(&answer), "SUCCESS", "{channel} {sign_type:?} {named:?}: {}", answer.text());
    }
}

#[test]
fn a_signature_in_another_algorithm_than_it_says_is_refused() {
    let world = World::new();
    world.wechat.order(&APP, "LIAR-1").paid(100);
    for (sign_type, named) in [(SignType::Md5, "HMAC-SHA256"), (SignType::HmacSha256, "MD5"), (SignType::Md5, "RSA")] {
        let mut fields = notification(&APP, "LIAR-1", 100);
        set(&mut fields, "sign_type", named);
        let answer = world.wechat_calls_back("app", fields, APP.key, sign_type);
        assert_eq!(return_code(&answer), "FAIL", "{sign_type:?} said to be {named}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn unknown_empty_and_zero_fields_take_their_part_in_the_signature() {
    let world = World::new();
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "FIELDS-1").paid(100);
    let mut fields = notification(&APP, "FIELDS-1", 100);
    for (name, value) in [
        ("coupon_fee", "0"),
        ("coupon_fee_10", "4"),
        ("coupon_fee_2", "5"),
        ("Zzz_field_of_the_future", " 值 & <b> "),
        ("device_info", ""),
    ] {
        set(&mut fields, name, value);
    }
    let answer = world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
    assert_eq!(return_code(&answer), "SUCCESS", "{}", answer.text());
}

#[test]
fn a_signature_in_small_letters_is_a_signature() {
    let world = World::new();
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "SMALL-1").paid(100);
    let mut fields = notification(&APP, "SMALL-1", 100);
    let sign = crate::fakes::wechat::sign(&fields, APP.key, SignType::Md5).to_lowercase();
    set(&mut fields, "sign", &sign);
    assert_eq!(return_code(&world.notify("app", &crate::fakes::wechat::xml(&fields))), "SUCCESS");
}

#[test]
fn during_a_rotation_any_key_verifies_and_the_first_one_signs() {
    // S-08
    let old = "Old0Key1Old2Key3Old4Key5Old6Key7";
    let world = World::with(|setup| setup.config["channels"]["app"]["key"] = json!([APP.key, old]));
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "ROTATE-1").paid(100);
    world.wechat.order(&APP, "ROTATE-2").paid(100);
    for (order, key) in [("ROTATE-1", APP.key), ("ROTATE-2", old)] {
        let answer = world.wechat_calls_back("app", notification(&APP, order, 100), key, SignType::Md5);
        assert_eq!(return_code(&answer), "SUCCESS", "{order}");
    }
    let other = world.wechat_calls_back("app", notification(&APP, "ROTATE-1", 100), C1.key, SignType::Md5);
    assert_eq!(return_code(&other), "FAIL");
}

#[test]
fn a_channel_in_the_path_that_nobody_configured_is_not_found() {
    let world = World::new();
    let xml = signed_xml(notification(&APP, "NOWHERE-1", 100), APP.key, SignType::Md5);
    for channel in ["nobody", "APP", "2/c1", "2%2Fc1"] {
        let answer = world.notify(channel, &xml);
        assert!([400, 404].contains(&answer.status()), "{channel}: {}", answer.line());
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn the_same_notification_twice_is_one_query_and_two_deliveries() {
    let world = World::new();
    world.upstream.answers(Reply::xml(ACK));
    world.wechat.order(&APP, "AGAIN-1").paid(100);
    for _ in 0..2 {
        let answer = world.wechat_calls_back("app", notification(&APP, "AGAIN-1", 100), APP.key, SignType::Md5);
        assert_eq!(return_code(&answer), "SUCCESS");
    }
    assert_eq!((world.wechat.asked("AGAIN-1"), world.upstream.requests().len()), (1, 2));
}

#[test]
fn a_notification_that_fails_upstream_is_not_acknowledged() {
    // I7
    let world = World::new();
    world.wechat.order(&APP, "BROKEN-1").paid(100);
    world.upstream.answers(Reply::Breaks);
    let answer = world.wechat_calls_back("app", notification(&APP, "BROKEN-1", 100), APP.key, SignType::Md5);
    assert_eq!((answer.status(), return_code(&answer).as_str()), (200, "FAIL"));
}
