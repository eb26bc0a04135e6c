//! The admin listener as a whole: where it is, that no callback reaches it, and health.

use crate::fakes::wechat::APP;
use crate::harness::{World, until};
use crate::program::command;
use crate::wire::{Message, Request, Wire};
use serde_json::json;

fn healthy(world: &World, path: &str) -> Message {
    world.admin_send(&Request::get(path))
}

#[test]
fn health_needs_no_token_and_no_name() {
    let world = World::new();
    for path in ["/healthz", "/readyz"] {
        let answer = healthy(&world, path);
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        let head = world.admin_head(Request::of("HEAD", path));
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{path}: {head}");
    }
}

#[test]
fn s05_nothing_of_it_is_reached_through_the_callbacks_listener() {
    let world = World::new();
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/login",
        "/logout",
        "/orders",
        "/api/config",
        "/api/orders",
        "/api/openapi.json",
        "/assets/page.css",
        "/%61pi/orders",
        "/api%2Forders",
        "//api/orders",
        "/x/../api/orders",
        "/./api/orders",
        "/api/orders/",
        "/API/orders",
        "/pay/success/../../api/orders",
        "/api;x/orders",
        "http://127.0.0.1/api/orders",
    ] {
        for method in ["GET", "POST"] {
            let host = if path.starts_with("http:") { "127.0.0.1".to_owned() } else { world.gate.admin().to_string() };
            let request = Request::of(method, path).at(host);
            let request = request.header("Authorization", &format!("Bearer {}", crate::harness::ADMIN_TOKEN));
            let answer = world.send(&request);
            assert!(matches!(answer.status(), 400 | 404), "{method} {path}: {}", answer.line());
            assert_eq!(answer.header("Content-Security-Policy"), None, "{method} {path}");
        }
    }
    world.wechat_was_not_asked();
}

#[test]
fn s05_no_callback_is_taken_by_the_admin_listener() {
    let world = World::new();
    world.wechat.order(&APP, "ADMIN-1").paid(100);
    let answer = world.admin_ask(Request::post("/pay/success").form("OrderID=ADMIN-1"));
    assert_eq!(answer.status(), 404, "{}", answer.text());
    world.wechat_was_not_asked();
    world.upstream_saw_nothing();
}

#[test]
fn without_admin_there_is_no_admin_listener() {
    let world = World::with(|setup| {
        setup.config.as_object_mut().unwrap().remove("admin");
    });
    world.app_callback("ADMIN-2");
    until("the summary line", || !world.gate.summaries().is_empty());
    assert!(!world.gate.log().contains("admin: listening"), "{}", world.gate.log());
}

#[test]
fn the_health_command_asks_the_admin_listener() {
    let world = World::new();
    let (callbacks, admin) = (world.gate.addr, world.gate.admin());
    // The ports are the system's choice, so a config of its own names them.
    let file = world.dir().join("health.yaml");
    let ask = |listen: String, admin: Option<String>| {
        let mut config: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(world.config_file()).unwrap()).unwrap();
        config["listen"] = json!(listen);
        match admin {
            Some(admin) => config["admin"]["listen"] = json!(admin),
            None => drop(config.as_object_mut().unwrap().remove("admin")),
        }
        std::fs::write(&file, config.to_string()).unwrap();
        command(&["health", "--config", file.to_str().unwrap()], &[])
    };
    let nobody = "127.0.0.1:1".to_owned();
    assert_eq!(ask(nobody.clone(), Some(admin.to_string())).code, 0);
    assert_eq!(ask(callbacks.to_string(), None).code, 0);
    let ended = ask(callbacks.to_string(), Some(nobody.clone()));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let ended = ask(nobody, Some(callbacks.to_string()));
    assert_eq!((ended.code, ended.stderr.contains("not healthy")), (1, true), "{}", ended.stderr);
}

#[test]
fn what_the_server_refuses_is_a_problem_document() {
    let world = World::new();
    let mut large = Request::post("/api/config").at(world.gate.admin());
    large = large.header("Authorization", "Bearer x").body(vec![b'x'; 70_000]);
    for (bytes, status) in [
        (large.bytes(), 413),
        (b"GET /api/config HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(), 400),
        (
            b"GET /api/config HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n".to_vec(),
            400,
        ),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(9000)).into_bytes(), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(70)).into_bytes(), 431),
    ] {
        let mut wire = Wire::to(world.gate.admin());
        wire.send(&bytes);
        let answer = wire.answer().unwrap();
        assert_eq!(answer.status(), status, "{}", answer.text());
        assert_eq!(answer.header("Content-Type").as_deref(), Some("application/problem+json"));
        assert_eq!(answer.json()["status"], status);
    }
}

#[test]
fn r04_the_admin_listener_answers_while_the_callbacks_listener_is_full() {
    let world = World::with(|setup| setup.config["limits"] = json!({ "connections": 4 }));
    let crowd: Vec<_> = (0..40).map(|_| Wire::to(world.gate.addr)).collect();
    assert_eq!(healthy(&world, "/readyz").status(), 200);
    assert_eq!(world.admin_json("/api/config")["generation"], 1);
    drop(crowd);
}

#[test]
fn which_configuration_is_in_force_is_told() {
    let world = World::new();
    let config = world.admin_json("/api/config");
    assert_eq!((&config["generation"], &config["refused"]), (&json!(1), &json!(null)), "{config}");
    assert_eq!(config["version"], env!("CARGO_PKG_VERSION"));
    assert!(config["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{config}");
}
