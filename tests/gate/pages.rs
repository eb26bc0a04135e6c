//! The pages as they come over the wire; `tests/browser` looks at them as a person does.

use crate::fakes::wechat::{APP, OPENID, SignType, notification};
use crate::harness::{ADMIN_TOKEN, World};
use crate::wire::{Message, Request};

const PAGES: [&str; 11] = [
    "/",
    "/?span=24h",
    "/orders",
    "/orders/app/PAGE-1",
    "/orders/app/PAGE-1/redeliver",
    "/ledger?text=PAGE-1",
    "/sweeps",
    "/sources",
    "/refused",
    "/audit",
    "/login",
];

/// A gate that has delivered a notification, which names its payer.
fn world() -> World {
    let world = World::new();
    world.wechat.order(&APP, "PAGE-1").paid(6600);
    world.wechat_calls_back("app", notification(&APP, "PAGE-1", 6600), APP.key, SignType::Md5);
    world
}

fn in_language(world: &World, path: &str, language: &str) -> Message {
    world.admin_ask(Request::get(path).header("Accept-Language", language).header("Accept", "text/html"))
}

#[test]
fn every_page_comes_in_both_languages_and_needs_nothing_that_its_policy_forbids() {
    let world = world();
    for path in PAGES {
        for (language, code) in [("en", "en"), ("zh-CN,zh;q=0.9", "zh-CN"), ("fr", "en")] {
            let page = in_language(&world, path, language);
            let text = page.text();
            assert_eq!(page.status(), 200, "{path}: {text}");
            assert_eq!(page.header("Content-Type").as_deref(), Some("text/html; charset=utf-8"), "{path}");
            assert_eq!(page.header("Cache-Control").as_deref(), Some("no-store"), "{path}");
            assert!(
                page.header("Content-Security-Policy").is_some_and(|policy| policy.starts_with("default-src 'none'"))
            );
            assert!(text.contains(&format!("<html lang=\"{code}\">")), "{path}: {text}");
            // Scripts and styles are files of ours; nothing is said about any other host.
            assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains("onclick"), "{path}");
            let scripts = text.matches("<script").count();
            assert_eq!(scripts, text.matches("<script src=\"/assets/").count(), "{path}");
            assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{path}");
        }
    }
}

#[test]
fn no_page_has_the_payer_or_a_secret() {
    let world = world();
    for path in PAGES {
        let text = in_language(&world, path, "en").text();
        for secret in [OPENID, APP.key, ADMIN_TOKEN] {
            assert!(!text.contains(secret), "{path}: {secret}");
        }
    }
}

#[test]
fn what_somebody_else_wrote_stays_text() {
    let world = world();
    for path in [
        "/orders?text=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/orders?channel=%22%3E%3Cscript%3E",
        "/ledger?text=%22%3E%3Cscript%3E",
        "/refused?text=%3Cscript%3E",
        "/login?next=%22%3E%3Cscript%3E",
        "/orders/%3Cscript%3E/A",
        "/?span=%3Cscript%3E",
    ] {
        let page = in_language(&world, path, "en");
        assert!(!page.text().contains("<script>"), "{path}: {}", page.text());
    }
    let with_flash = Request::get("/orders/app/PAGE-1").header("Cookie", "flash=query~paid~%3Cscript%3E");
    assert!(!world.admin_ask(with_flash).text().contains("<script>"));
}

#[test]
fn assets_are_kept_for_good_and_need_no_token() {
    let world = world();
    let page = in_language(&world, "/", "en").text();
    let addresses: Vec<_> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(addresses.len() >= 4, "{addresses:?}");
    for address in addresses {
        let asset = world.admin_send(&Request::get(address).at(world.gate.admin()));
        assert_eq!(asset.status(), 200, "{address}");
        let kept = asset.header("Cache-Control").unwrap();
        assert!(kept.contains("immutable"), "{address}: {kept}");
        let tag = asset.header("ETag").unwrap();
        let again = Request::get(address).at(world.gate.admin()).header("If-None-Match", &tag);
        assert_eq!(world.admin_send(&again).status(), 304, "{address}");
    }
    for missing in ["/assets/page.rs", "/assets/..%2Fpage.rs", "/assets/"] {
        assert_eq!(world.admin_send(&Request::get(missing).at(world.gate.admin())).status() / 100, 4, "{missing}");
    }
}

#[test]
fn the_language_is_switched_by_a_form_of_ours_that_leads_back() {
    let world = world();
    let choose = |body: &str| {
        let own = format!("http://{}", world.gate.admin());
        world.admin_send(&Request::post("/language").at(world.gate.admin()).header("Origin", &own).form(body))
    };
    let chosen = choose("lang=zh-CN&back=%2Forders%3Fstate%3Dparked");
    assert_eq!((chosen.status(), chosen.header("Location").as_deref()), (303, Some("/orders?state=parked")));
    assert!(chosen.header("Set-Cookie").unwrap().starts_with("lang=zh-CN; Path=/;"));
    for elsewhere in ["%2F%2Fevil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil.example", ""] {
        let chosen = choose(&format!("lang=en&back={elsewhere}"));
        assert_eq!(chosen.header("Location").as_deref(), Some("/"), "{elsewhere}");
    }
    let foreign = Request::post("/language").at(world.gate.admin()).header("Origin", "http://evil.example");
    assert_eq!(world.admin_send(&foreign.form("lang=zh")).status(), 403);
}
