//! What is shown of signatures of API v3: which keys made them, what was a probe, when keys end, and what waits for a younger one.

use crate::api_v3::{TAKEN, V3};
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::v3::{Notice, PLATFORM_1, PROBE, SWITCHING, VALID, with_headers};
use crate::harness::{World, until};
use crate::wire::Request;
use serde_json::{Value, json};

/// What is told of a channel's keys.
fn keys_of(overview: &Value, channel: &str) -> Value {
    let mut channels = overview["signing"].as_array().unwrap().iter();
    channels.find(|told| told["channel"] == channel).unwrap_or_else(|| panic!("{overview}")).clone()
}

fn page(world: &World, path: &str, language: &str) -> String {
    let answer = world.admin_ask(Request::get(path).header("Accept", "text/html").header("Accept-Language", language));
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    answer.text()
}

#[test]
fn the_overview_tells_how_far_a_switch_to_the_public_key_has_got() {
    let world = World::of_v3(|_| ());
    world.wechat.has_certificates(&[(PLATFORM_1, VALID)]);
    world.upstream.answers(Reply::ok(TAKEN.as_bytes()));
    let path = format!("{V3}/switching");
    for (order, key) in [("SWITCH-1", PLATFORM_1), ("SWITCH-2", SWITCHING.signed_by()), ("SWITCH-3", PLATFORM_1)] {
        world.wechat.order(&SWITCHING.merchant, order).paid(100);
        let notice = Notice::paid(&SWITCHING, order, 100);
        let stamp = crate::fakes::wechat::v3::Stamp::by(key);
        assert_eq!(world.send(&notice.stamped(&path, &stamp)).status(), 200, "{order}");
    }
    let probe = Notice::paid(&SWITCHING, "SWITCH-1", 100);
    let mut headers = probe.stamp().headers(&probe.body());
    crate::fakes::wechat::v3::set_header(&mut headers, "Wechatpay-Signature", &format!("{PROBE}x"));
    assert_eq!(world.send(&with_headers(&path, &probe.body(), &headers)).status(), 401);

    let overview = world.admin_json("/api/overview");
    let told = keys_of(&overview, "switching");
    let notifications = &told["notifications"];
    assert_eq!((&notifications["by_public_key"], &notifications["by_certificate"]), (&json!(1), &json!(2)), "{told}");
    assert_eq!(notifications["latest"]["serial"], PLATFORM_1.serial, "{told}");
    assert_eq!(told["answers"]["latest"]["kind"], "public-key", "{told}");
    assert!(overview["wechat_clock_ahead_s"].as_f64().unwrap().abs() < 5.0, "{overview}");
    let named: Vec<_> = told["keys"].as_array().unwrap().iter().map(|key| (&key["use"], &key["serial"])).collect();
    assert!(named.contains(&(&json!("platform"), &json!(PLATFORM_1.serial))), "{told}");

    // A probe is no verdict that an alert goes by.
    let scrape = world.scrape();
    assert_eq!(scrape.one("tollgate_wechat_probes_total", &[("on", "notification")]), 1.0);
    let contradicted = [("channel", "switching"), ("verdict", "contradicted")];
    assert_eq!(scrape.one("tollgate_verdicts_total", &contradicted), 0.0);
    let signed = [("channel", "switching"), ("on", "notification"), ("kind", "certificate")];
    assert_eq!(scrape.one("tollgate_wechat_signatures_total", &signed), 2.0);

    let (english, chinese) = (page(&world, "/", "en"), page(&world, "/", "zh-CN"));
    assert!(english.contains("33 % by the public key (1 of 3)"), "{english}");
    assert!(chinese.contains("公钥占 33%（1 / 3）"), "{chinese}");
}

#[test]
fn an_order_that_waits_for_wechat_pay_says_so_everywhere() {
    let world = World::of_v3(|setup| setup.hurry());
    world.wechat.order(&SWITCHING.merchant, "WAITS-1").paid(100);
    world.upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no".to_vec() });
    let notice = Notice::paid(&SWITCHING, "WAITS-1", 100);
    let nearly_old = notice.stamped(&format!("{V3}/switching"), &notice.stamp().offset(-297));
    assert_eq!(world.send(&nearly_old).status(), 500);
    until("the window to be over", || {
        let order = world.admin_json("/api/orders/switching/WAITS-1");
        order["entries"][0]["reason"] == "window-over"
    });
    let story = page(&world, "/orders/switching/WAITS-1", "en");
    assert!(story.contains("Waits for WeChat Pay to send again"), "{story}");
    assert!(story.contains("Parked if none has come: in 1 d"), "{story}");
    until("the overview to group it so", || page(&world, "/", "zh-CN").contains("等待微信支付重发"));
    assert_eq!(world.scrape().one("tollgate_waiting_for_resend", &[]), 1.0);
    let explained = world.command(&["explain", "WAITS-1"]).stdout;
    assert!(explained.contains("WeChat Pay's next notification of it is delivered"), "{explained}");
    let found = world.command(&["lookup", "WAITS-1"]).stdout;
    assert!(found.contains("it waits for WeChat Pay's next notification"), "{found}");
}
