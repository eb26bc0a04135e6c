//! Who may use the admin listener, and from where something may be changed (threats S-06, S-07).

use crate::fakes::tls::Certificate;
use crate::harness::{ADMIN_TOKEN, World, at_once, until};
use crate::wire::{Message, Request, Wire};
use serde_json::json;
use std::time::{Duration, Instant};

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

impl World {
    fn browse(&self, request: Request) -> Message {
        self.admin_send(&request.at(self.gate.admin()).header("Accept", HTML))
    }

    /// Logs out as a browser does.
    fn log_out(&self, cookie: &str) {
        let out = Request::post("/logout").header("Cookie", pair(cookie)).header("Origin", &self.origin());
        let answer = self.browse(out);
        assert_eq!(answer.status(), 303);
        assert!(answer.header("Set-Cookie").unwrap().contains("Max-Age=0"));
    }

    /// What the API says to whoever has this session.
    fn status_with(&self, cookie: &str) -> u16 {
        self.browse(Request::get("/api/config").header("Cookie", pair(cookie))).status()
    }

    /// Logs in as a browser does; the cookie.
    fn log_in(&self) -> String {
        let form = Request::post("/login").form(format!("token={ADMIN_TOKEN}&next=/orders"));
        let answer = self.browse(form.header("Origin", &self.origin()));
        assert_eq!((answer.status(), answer.header("Location").as_deref()), (303, Some("/orders")));
        answer.header("Set-Cookie").unwrap()
    }

    /// Asks for something with this token.
    fn guess(&self, token: &str) -> Message {
        let request = Request::get("/api/config").at(self.gate.admin());
        self.admin_send(&request.header("Authorization", &format!("Bearer {token}")))
    }

    fn origin(&self) -> String {
        format!("http://{}", self.gate.admin())
    }
}

fn pair(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

#[test]
fn nothing_is_told_without_the_token() {
    let world = World::new();
    let wrong = format!("Bearer {ADMIN_TOKEN}x");
    for path in ["/api/config", "/api/orders", "/metrics", "/nothing", "/api/"] {
        for authorization in [None, Some(wrong.as_str()), Some("Basic YTpi")] {
            let mut request = Request::get(path).at(world.gate.admin());
            if let Some(authorization) = authorization {
                request = request.header("Authorization", authorization);
            }
            let answer = world.admin_send(&request);
            let status = answer.status();
            assert!(status == 401 || (status == 429 && authorization.is_some()), "{path}: {}", answer.line());
            assert_eq!(answer.header("WWW-Authenticate").is_some(), status == 401, "{path}");
            assert_eq!(answer.header("Content-Type").as_deref(), Some("application/problem+json"));
        }
    }
}

#[test]
fn a_browser_is_led_to_the_login_and_back() {
    let world = World::new();
    let answer = world.browse(Request::get("/orders?state=parked"));
    let place = answer.header("Location").unwrap();
    assert_eq!((answer.status(), place.as_str()), (303, "/login?next=/orders%3Fstate%3Dparked"));
    let answer = world.browse(Request::get("/api/config"));
    assert_eq!(answer.status(), 401, "the API has no login page");
}

#[test]
fn a_session_is_begun_with_the_token_and_ended_for_good() {
    let world = World::new();
    let cookie = world.log_in();
    for part in ["tollgate_session=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(ADMIN_TOKEN));
    assert_eq!(world.status_with(&cookie), 200);
    let bare = world.browse(Request::post("/logout").header("Cookie", pair(&cookie)));
    assert_eq!(bare.status(), 403, "a browser says where it comes from");
    world.log_out(&cookie);
    assert_eq!(world.status_with(&cookie), 401);
}

#[test]
fn a_session_outlives_a_restart_and_one_that_was_ended_does_not() {
    let mut world = World::new();
    let (cookie, ended) = (world.log_in(), world.log_in());
    world.log_out(&ended);
    world.restart();
    assert_eq!((world.status_with(&cookie), world.status_with(&ended)), (200, 401));
}

#[test]
fn a_reload_neither_ends_a_session_nor_begins_one_again_unless_the_token_is_another() {
    let world = World::new();
    let (cookie, ended) = (world.log_in(), world.log_in());
    world.log_out(&ended);
    let generation = || world.admin_json("/api/config")["generation"].as_u64();
    let before = generation();
    world.change_config(|config| config["admin"]["hosts"] = json!(["gate.example.com"]));
    until("the new configuration", || generation() > before);
    assert_eq!((world.status_with(&cookie), world.status_with(&ended)), (200, 401));
    world.change_config(|config| config["admin"]["token"] = json!("another-token-of-a-test"));
    until("the new token", || world.status_with(&cookie) == 401);
}

#[test]
fn a_session_holds_beside_what_a_proxy_in_front_wants_to_know() {
    let world = World::new();
    let cookie = world.log_in();
    let with = |authorization: &str| {
        let request = Request::get("/api/config").header("Cookie", pair(&cookie));
        world.browse(request.header("Authorization", authorization)).status()
    };
    assert_eq!((with("Basic YTpi"), with("Negotiate YTpi"), with("Basic")), (200, 200, 200));
    assert_eq!(with("Bearer a-wrong-token-0123"), 401, "what is said to be the token has to be it");
}

#[test]
fn a_wrong_token_begins_no_session() {
    let world = World::new();
    let form = || Request::post("/login").form("token=wrong&next=//evil.example/");
    let answer = world.browse(form());
    assert_eq!((answer.status(), answer.header("Set-Cookie")), (303, None));
    assert_eq!(answer.header("Location").as_deref(), Some("/login?error=wrong-token&next=/"));
    let answer = world.admin_send(&form().at(world.gate.admin()));
    assert_eq!((answer.status(), answer.header("Set-Cookie")), (401, None));
    until("a warning", || world.gate.log().contains("a wrong token for the admin listener"));
    assert!(!world.gate.log().contains("token=wrong"));
}

#[test]
fn s06_guessing_has_to_wait() {
    let world = World::new();
    let since = Instant::now();
    let answers: Vec<_> = (0..14).map(|number| world.guess(&format!("guess-{number:016}"))).collect();
    assert!(answers.iter().take(10).all(|answer| answer.status() == 401));
    let late: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert!(!late.is_empty());
    for answer in late {
        assert!(answer.header("Retry-After").is_some_and(|wait| wait.parse::<u64>().unwrap() >= 1));
    }
    // Ten at once and one each five seconds are free; the others are held back for 250, 500, 1000 ms ...
    assert!(since.elapsed() >= Duration::from_millis(1500), "{:?}", since.elapsed());
    assert_eq!(world.guess(ADMIN_TOKEN).status(), 200, "who has the token is not kept out by who has not");
    world.log_in();
    until("the wait's end", || world.guess("another-guess-002").status() == 401);
}

#[test]
fn s06_guessing_at_once_gains_nothing() {
    let world = World::new();
    let since = Instant::now();
    let statuses = at_once(60, |number| {
        let is_right = number % 10 == 9;
        let token = if is_right { ADMIN_TOKEN.to_owned() } else { format!("guess-{number:016}") };
        (is_right, world.guess(&token).status())
    });
    let free = 10 + since.elapsed().as_secs() / 5 + 1;
    assert!(statuses.iter().filter(|(is_right, _)| *is_right).all(|(_, status)| *status == 200), "{statuses:?}");
    let wrong: Vec<_> = statuses.iter().filter(|(is_right, _)| !is_right).map(|(_, status)| *status).collect();
    assert!(wrong.iter().all(|status| [401, 429].contains(status)), "{wrong:?}");
    let told = wrong.iter().filter(|status| **status == 401).count();
    assert!(told as u64 <= free, "{told} of {free}");
    // Two of those are held back, one after the other.
    assert!(since.elapsed() >= Duration::from_millis(700), "{:?}", since.elapsed());
}

#[test]
fn silent_connections_keep_nobody_from_health_and_the_dashboard() {
    let world = World::new();
    let started = |bytes: &[u8]| {
        let mut wire = Wire::to(world.gate.admin());
        wire.send(bytes);
        wire
    };
    let kept_alive = Request::get("/healthz").kept_alive();
    let crowds: [(&str, &[u8]); 4] = [
        ("silent", b""),
        ("half a head", b"GET /healthz HTTP/1.1\r\nHost: "),
        ("half a body", b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90\r\n\r\ntoken="),
        ("idle", &kept_alive),
    ];
    for (crowd, bytes) in crowds {
        let crowd_of_them: Vec<_> = (0..300).map(|_| started(bytes)).collect();
        for path in ["/healthz", "/readyz"] {
            assert_eq!(world.admin_send(&Request::get(path)).status(), 200, "{crowd}: {path}");
        }
        assert_eq!(world.browse(Request::get("/login")).status(), 200, "{crowd}");
        let cookie = world.log_in();
        assert_eq!(world.status_with(&cookie), 200, "{crowd}");
        drop(crowd_of_them);
    }
}

#[test]
fn s06_a_target_that_names_another_host_is_not_answered() {
    let world = World::new();
    let own = world.gate.admin();
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for (target, status) in [
        ("http://evil.example/api/config".to_owned(), 421),
        (format!("http://evil.example:{}/api/config", own.port()), 421),
        ("http://127.0.0.1.evil.example/api/config".to_owned(), 421),
        ("http://evil.example/".to_owned(), 421),
        (format!("http://{own}/api/config"), 200),
        ("http://localhost/api/config".to_owned(), 200),
    ] {
        let answer = world.admin_send(&Request::get(&target).at(own).header("Authorization", &bearer));
        assert_eq!(answer.status(), status, "{target}");
    }
}

#[test]
fn s06_another_name_for_our_address_is_not_answered() {
    let world = World::with(|setup| setup.config["admin"]["hosts"] = json!(["gate.example.com"]));
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:8081", 421),
        ("gate.example.com.evil.example", 421),
        ("gate.example.com", 200),
        ("GATE.example.com:8443", 200),
        ("localhost:8081", 200),
        ("[::1]:8081", 200),
        ("10.0.0.1", 200),
    ] {
        let request = Request::get("/api/config").at(host).header("Authorization", &bearer);
        assert_eq!(world.admin_send(&request).status(), status, "{host}");
    }
    let page = Request::get("/login").at("evil.example").header("Accept", HTML);
    assert_eq!(world.admin_send(&page).status(), 421);
}

#[test]
fn s06_a_page_of_somebody_elses_changes_nothing() {
    let world = World::new();
    let cookie = world.log_in();
    let own = world.origin();
    let port = world.gate.admin().port();
    let post = |headers: &[(&str, &str)]| {
        let mut request = Request::post("/nothing").form("a=b");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        world.browse(request).status()
    };
    let session = ("Cookie", pair(&cookie));
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let bearer = ("Authorization", bearer.as_str());
    // 404 is what there is behind the guard.
    assert_eq!(post(&[session, ("Origin", &own)]), 404);
    assert_eq!(post(&[session, ("Sec-Fetch-Site", "same-origin")]), 404);
    assert_eq!(post(&[bearer]), 404);
    assert_eq!(post(&[session]), 403);
    for origin in ["http://evil.example", "null", "", "https://127.0.0.1", &format!("http://localhost:{port}")] {
        assert_eq!(post(&[session, ("Origin", origin)]), 403, "{origin}");
        assert_eq!(post(&[bearer, ("Origin", origin)]), 403, "{origin}");
    }
    assert_eq!(post(&[session, ("Origin", &own), ("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(post(&[bearer, ("Sec-Fetch-Site", "cross-site")]), 403);
}

#[test]
fn without_a_token_loopback_is_open_to_no_page_of_somebody_elses() {
    let world = World::with(|setup| setup.config["admin"] = json!({ "listen": "127.0.0.1:0" }));
    let get = |host: &str| world.admin_send(&Request::get("/api/config").at(host)).status();
    assert_eq!(get(&world.gate.admin().to_string()), 200);
    assert_eq!(get("evil.example"), 421);
    let post = |request: Request| world.admin_send(&request.at(world.gate.admin())).status();
    assert_eq!(post(Request::post("/nothing")), 404);
    assert_eq!(post(Request::post("/nothing").header("Origin", "http://evil.example")), 403);
    assert_eq!(post(Request::post("/nothing").header("Sec-Fetch-Site", "cross-site")), 403);
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let world = World::new();
    let foreign = Request::get("/api/config").at("evil.example");
    let answers = [
        world.admin_get("/api/config"),
        world.admin_get("/nothing"),
        world.admin_send(&Request::get("/healthz")),
        world.admin_send(&foreign),
        world.browse(Request::get("/")),
    ];
    for answer in &answers {
        for (name, value) in [
            ("Content-Security-Policy", "default-src 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            let found = answer.header(name).unwrap_or_default();
            assert!(found.contains(value), "{}: {name}: {found}", answer.line());
        }
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    }
}

#[test]
fn over_tls_the_cookie_stays_there() {
    let certificate = Certificate::new();
    let world = World::with(|setup| {
        let (cert, key) = certificate.write(&setup.dir);
        setup.config["admin"]["tls"] = json!({ "cert": cert, "key": key });
    });
    let mut wire = certificate.connect(world.gate.admin());
    assert!(world.gate.log().contains("admin: listening on https://"));
    let form = Request::post("/login").at("localhost").form(format!("token={ADMIN_TOKEN}"));
    wire.send(&form.header("Origin", "https://localhost").kept_alive());
    let answer = wire.answer().unwrap();
    let cookie = answer.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-tollgate_session=") && cookie.contains("; Secure"), "{cookie}");
}

#[test]
fn other_methods_are_refused_with_those_there_are() {
    let world = World::new();
    let answer = world.admin_ask(Request::of("DELETE", "/api/config"));
    assert_eq!((answer.status(), answer.header("Allow").as_deref()), (405, Some("GET,HEAD")), "{}", answer.text());
    assert_eq!(answer.header("Content-Type").as_deref(), Some("application/problem+json"));
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let head = Request::of("HEAD", "/api/config").at(world.gate.admin()).header("Authorization", &bearer);
    let head = world.admin_head(head);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
}
