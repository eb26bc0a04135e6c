//! Order systems of one file: `/index.php?s=/Home/WxPay/notify` and `/index.php?s=/Home/App/paid` are two callbacks, told
//! apart by the query.

use crate::fakes::wechat::{APP, SignType, notification, signed_xml};
use crate::harness::{Setup, World, until};
use crate::wire::Request;
use serde_json::json;

const NOTIFY: &str = "/index.php?s=/Home/WxPay/notify";
const PAID: &str = "/index.php?s=/Home/App/paid";

fn thinkphp(setup: &mut Setup) {
    setup.config["routes"] = json!([
        {
            "name": "notify", "path": "/index.php", "match": { "query.s": "/Home/WxPay/notify" },
            "preset": "wechat-v2", "channel": "app",
        },
        {
            "name": "paid", "path": "/index.php", "match": { "query.s": "/Home/App/paid" }, "carrier": "form",
            "order": "id", "channel": "app",
        },
    ]);
}

#[test]
fn two_routes_of_one_path_are_told_apart_by_the_query_and_it_goes_on_untouched() {
    let world = World::with(thinkphp);
    for (order, target, route) in [
        ("Q-1", PAID, "paid"),
        ("Q-2", "/index.php?s=%2FHome%2fApp/paid&from=app", "paid"),
        ("Q-3", "/index.php?x&%73=/Home/App/paid", "paid"),
    ] {
        world.wechat.order(&APP, order).paid(100);
        let answer = world.send(&Request::post(target).form(format!("id={order}")));
        // The last is another spelling of the name to the claim reader, which may take it for a second one.
        if answer.status() == 200 {
            let seen = world.upstream.requests().pop().unwrap();
            assert!(seen.line().contains(target), "{target}: {}", seen.line());
        }
        assert_eq!(world.summary(&answer)["route"], route, "{target}");
    }
    assert!(world.upstream.requests().len() >= 2);
    world.wechat.order(&APP, "Q-4").paid(100);
    let xml = signed_xml(notification(&APP, "Q-4", 100), APP.key, SignType::Md5);
    let answer = world.send(&Request::post(NOTIFY).xml(&xml));
    assert_eq!((answer.status(), &world.summary(&answer)["route"]), (200, &json!("notify")));
}

#[test]
fn a_query_that_no_route_wants_is_as_no_route() {
    let world = World::with(thinkphp);
    for target in [
        "/index.php",
        "/index.php?s=/Home/Other/pay",
        "/index.php?s=/Home/App/paid/",
        "/index.php?s=Home/App/paid",
        "/index.php?S=/Home/App/paid",
        "/index.php?s=%252FHome/App/paid",
        "/index.php?t=/Home/App/paid",
    ] {
        let answer = world.send(&Request::post(target).form("id=Q-5"));
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (404, "route-unknown"), "{target}");
    }
    let answer = world.send(&Request::get(PAID));
    assert_eq!((answer.status(), answer.header("Allow").as_deref()), (405, Some("POST")));
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

/// I4: the order system may read the other one, and would do for it what was not checked.
#[test]
fn a_parameter_that_routes_stands_once_and_nowhere_else() {
    let world = World::with(thinkphp);
    world.wechat.order(&APP, "Q-6").paid(100);
    for (target, form) in [
        ("/index.php?s=/Home/App/paid&s=/Home/Pay/other", "id=Q-6"),
        ("/index.php?s=/Home/Pay/other&s=/Home/App/paid", "id=Q-6"),
        ("/index.php?s=/Home/App/paid&S=/Home/Pay/other", "id=Q-6"),
        ("/index.php?s=/Home/App/paid&s%5B%5D=/Home/Pay/other", "id=Q-6"),
        ("/index.php?s=/Home/App/paid&a=1;s=/Home/Pay/other", "id=Q-6"),
        ("/index.php?s=/Home/WxPay/notify&s=/Home/App/paid", "id=Q-6"),
        (PAID, "id=Q-6&s=/Home/Pay/other"),
    ] {
        let answer = world.send(&Request::post(target).form(form));
        assert!([400, 415].contains(&answer.status()), "{target} {form}: {}", answer.status());
        if answer.status() == 400 {
            assert_eq!(world.reason(&answer), "field-repeated", "{target} {form}");
        }
    }
    let answer = world.send(&Request::post(PAID).form("id=Q-6").header("Cookie", "s=/Home/Pay/other"));
    assert_eq!(world.reason(&answer), "field-repeated");
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
    assert_eq!(world.send(&Request::post(PAID).form("id=Q-6")).status(), 200);
}

/// Whoever delivers a payment that never called back must reach the same page.
#[test]
fn a_made_callback_has_the_query_that_routes_it() {
    let world = World::with(|setup| {
        thinkphp(setup);
        setup.hurry();
        setup.config["routes"][1]["synthesize"] = json!({ "body": "id={{ order }}", "query": "by=gate" });
        let list = setup.dir.join("unpaid.json");
        std::fs::write(&list, r#"[{"order":"Q-7","channel":"app","amount":100,"created_at":"2020-01-01T00:00:00Z"}]"#)
            .unwrap();
        setup.config["pending_orders"] =
            json!([{ "name": "shop", "every": "1s", "route": "paid", "file": { "path": list } }]);
        setup.wechat().order(&APP, "Q-7").paid(100);
    });
    until("the made callback", || !world.upstream.requests().is_empty());
    let seen = world.upstream.requests().remove(0);
    assert!(seen.line().starts_with("POST /index.php?s=/Home/App/paid&by=gate "), "{}", seen.line());
    assert_eq!(seen.text(), "id=Q-7");
}

/// The same of WeChat Pay's own notification, which no template writes.
#[test]
fn a_made_notification_has_the_query_that_routes_it() {
    let world = World::with(|setup| {
        thinkphp(setup);
        setup.hurry();
        let list = setup.dir.join("unpaid.json");
        std::fs::write(&list, r#"[{"order":"Q-9","channel":"app","created_at":"2020-01-01T00:00:00Z"}]"#).unwrap();
        setup.config["pending_orders"] =
            json!([{ "name": "shop", "every": "1s", "route": "notify", "file": { "path": list } }]);
        setup.wechat().order(&APP, "Q-9").paid(100);
    });
    until("the made notification", || !world.upstream.requests().is_empty());
    let seen = world.upstream.requests().remove(0);
    assert!(seen.line().starts_with(&format!("POST {NOTIFY} ")), "{}", seen.line());
    assert!(seen.text().contains("Q-9"));
}

#[test]
fn verify_knows_the_query() {
    let world = World::with(thinkphp);
    let file = world.dir().join("request.http");
    for (target, code, word) in [(PAID, 0, "paid"), ("/index.php?s=/x", 1, "route-unknown")] {
        std::fs::write(&file, Request::post(target).form("id=Q-8").kept_alive()).unwrap();
        let ended = world.command(&["verify", "--file", file.to_str().unwrap()]);
        assert_eq!(ended.code, code, "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(word), "{}", ended.stdout);
    }
}
