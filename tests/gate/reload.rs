//! A changed configuration is put in force whole or not at all, and nobody who is served notices (D-13, O-02, C-05).

#[cfg(feature = "otlp")]
use crate::fakes::collector::Collector;
use crate::fakes::tls::Certificate;
use crate::fakes::upstream::{Reply, Upstream};
use crate::fakes::wechat::{APP, C1};
use crate::harness::{ADMIN_TOKEN, World, until};
use crate::wire::{Request, Wire};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// How many configurations were put in force, and how many were not.
fn outcomes(world: &World) -> (usize, usize) {
    let log = world.gate.log();
    let lines = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    (lines("\"configuration in force\""), lines("the configuration was not reloaded"))
}

/// The number of the configuration in force. A machine that is busy may notice the changed file before the signal comes, and
/// reload for both.
fn generation(world: &World) -> usize {
    1 + outcomes(world).0
}

/// Puts a changed file in place as an editor does, sends SIGHUP, and waits for what comes of it.
pub fn reload(world: &World, change: impl FnOnce(&mut Value)) {
    let (before, _) = outcomes(world);
    world.change_config(change);
    world.gate.signal(Signal::SIGHUP);
    until("the new configuration", || outcomes(world).0 > before);
}

/// Sends SIGHUP after this was written in place of the file.
fn refuse(world: &World, text: &str) {
    let (_, before) = outcomes(world);
    fs::write(world.config_file(), text).unwrap();
    world.gate.signal(Signal::SIGHUP);
    until("the refusal", || outcomes(world).1 > before);
}

fn free_addr(host: &str) -> SocketAddr {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

fn broken() -> Reply {
    Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() }
}

fn kept_alive(order: &str) -> Vec<u8> {
    Request::post("/pay/success").form(format!("OrderID={order}")).kept_alive()
}

#[test]
fn a_sighup_puts_a_changed_file_in_force() {
    let world = World::new();
    world.wechat.order(&APP, "NEW-1").paid(100);
    let moved = Request::post("/pay/moved").form("OrderID=NEW-1");
    assert_eq!(world.send(&moved).status(), 404);
    reload(&world, |config| config["routes"][0]["path"] = json!("/pay/moved"));
    assert_eq!(world.send(&moved).status(), 200);
    assert_eq!(world.upstream_received().target(), "/pay/moved");
}

#[test]
fn a_file_that_is_replaced_is_noticed_without_a_signal() {
    let world = World::new();
    let path = |name: &str| world.dir().join(name);
    for (at, text) in [("by-rename", "/pay/renamed"), ("by-link", "/pay/linked")] {
        let (before, _) = outcomes(&world);
        let mut config: Value = serde_json::from_str(&fs::read_to_string(world.config_file()).unwrap()).unwrap();
        config["routes"][0]["path"] = json!(text);
        fs::write(path(at), config.to_string()).unwrap();
        if at == "by-link" {
            std::os::unix::fs::symlink(at, path("link")).unwrap();
            fs::rename(path("link"), world.config_file()).unwrap();
        } else {
            fs::rename(path(at), world.config_file()).unwrap();
        }
        until("the new configuration", || outcomes(&world).0 > before);
        assert_ne!(world.send(&Request::post(text).form("OrderID=UNPAID")).status(), 404);
    }
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_with_its_remedy() {
    let world = World::new();
    world.wechat.order(&APP, "OLD-1").paid(100);
    let whole = fs::read_to_string(world.config_file()).unwrap();
    for broken in ["", "listen: [", &whole[..whole.len() / 2], &whole.replacen("listen", "lisden", 1)] {
        refuse(&world, broken);
        assert_eq!(world.app_callback("OLD-1").status(), 200);
    }
    let log = world.gate.log();
    assert!(log.contains("lisden") && log.contains("did you mean"), "{log}");
    fs::write(world.config_file(), &whole).unwrap();
    reload(&world, |_| ());
    assert_eq!(world.app_callback("OLD-1").status(), 200);
}

#[test]
fn every_reload_is_in_the_audit_trail() {
    let world = World::new();
    refuse(&world, &fs::read_to_string(world.config_file()).unwrap().replacen("listen", "lisden", 1));
    let mut lines = Vec::new();
    until("a line", || {
        lines = world.admin_json("/api/audit")["audit"].as_array().unwrap().clone();
        lines.iter().any(|line| line["who"] == "sighup")
    });
    let line = lines.iter().find(|line| line["who"] == "sighup").unwrap();
    let outcome = line["outcome"].as_str().unwrap();
    assert_eq!(line["action"], "reload");
    assert!(
        outcome.starts_with("refused: ") && outcome.contains("admin.listen: ") && !outcome.contains('\n'),
        "{outcome}"
    );
    assert!(line["from"].as_str().unwrap().ends_with("config.yaml"), "{line}");
}

#[test]
fn a_reload_that_nobody_signalled_is_in_the_audit_trail_too() {
    let world = World::new();
    world.change_config(|config| config["routes"][0]["path"] = json!("/pay/moved"));
    let audit = || world.admin_json("/api/audit")["audit"][0].clone();
    until("a line", || audit()["action"] == "reload");
    assert_eq!((&audit()["who"], &audit()["outcome"]), (&json!("file"), &json!("in force: generation 2")));
}

#[test]
fn what_a_running_gate_cannot_change_is_refused_and_said() {
    let world = World::new();
    let mut config: Value = serde_json::from_str(&fs::read_to_string(world.config_file()).unwrap()).unwrap();
    config["journal"]["path"] = json!(world.dir().join("other.db"));
    refuse(&world, &config.to_string());
    assert!(world.gate.log().contains("journal.path"));
    assert!(!world.dir().join("other.db").exists());
}

#[test]
fn c05_a_changed_channel_is_asked_anew_and_an_unchanged_one_is_not() {
    let world = World::new();
    world.wechat.order(&APP, "KEPT-1").paid(100);
    for (change, asked) in [("deadline", 1), ("key", 2), ("upstream", 2), ("hosts", 3)] {
        reload(&world, |config| match change {
            "deadline" => config["deadline"] = json!("4s"),
            // The same key in a list with another one: what was found out with it counts no longer.
            "key" => config["channels"]["app"]["key"] = json!(["${APP_KEY}", "Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0"]),
            "hosts" => {
                let host = config["wechat"]["hosts"][0].clone();
                config["wechat"]["hosts"] = json!([host, "http://127.0.0.1:9"]);
            }
            _ => config["forwarding"] = json!({ "connect": "900ms" }),
        });
        assert_eq!(world.app_callback("KEPT-1").status(), 200);
        assert_eq!(world.wechat.asked("KEPT-1"), asked, "{change}");
    }
    // It is the same delivery all the same.
    let attempts: Vec<_> =
        world.upstream.requests().iter().map(|request| request.header("X-Tollgate-Attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2", "3", "4"]);
}

#[test]
fn a_key_in_a_file_is_reloaded_with_the_file() {
    let world = World::with(|setup| {
        fs::write(setup.dir.join("key"), "Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0\n").unwrap();
        setup.config["channels"]["app"]["key"] = json!("${file:key}");
    });
    world.wechat.order(&APP, "KEY-1").paid(100);
    assert_eq!(world.app_callback("KEY-1").status(), 503);
    let (before, _) = outcomes(&world);
    fs::write(world.dir().join("key.new"), APP.key).unwrap();
    fs::rename(world.dir().join("key.new"), world.dir().join("key")).unwrap();
    until("the new key", || outcomes(&world).0 > before);
    assert_eq!(world.app_callback("KEY-1").status(), 200);
}

#[test]
fn a_renewed_certificate_is_shown_to_whoever_comes_next() {
    let (old, new) = (Certificate::new(), Certificate::new());
    let world = World::with(|setup| {
        let (cert, key) = old.write(&setup.dir);
        setup.config["tls"] = json!({ "cert": cert, "key": key });
    });
    world.wechat.order(&APP, "CERT-1").paid(100);
    let mut inside = old.connect(world.gate.addr);
    let answers = |wire: &mut Wire| {
        wire.send(&kept_alive("CERT-1"));
        let answer = wire.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
    };
    answers(&mut inside);
    let (before, _) = outcomes(&world);
    // Certificate and key are written one after the other; a pair that does not fit is not put in force.
    new.write(world.dir());
    until("the new certificate", || outcomes(&world).0 > before);
    answers(&mut new.connect(world.gate.addr));
    answers(&mut inside);
}

#[test]
fn a_listener_moves_and_who_is_inside_stays() {
    let mut world = World::new();
    world.wechat.order(&APP, "MOVE-1").paid(100);
    let (mut inside, before) = (Wire::to(world.gate.addr), world.gate.addr);
    let mut answers = |world: &World| {
        inside.send(&kept_alive("MOVE-1"));
        let answer = inside.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
    };
    answers(&world);
    let elsewhere = free_addr("127.0.0.1");
    for addr in [elsewhere, SocketAddr::from(([0, 0, 0, 0], elsewhere.port()))] {
        reload(&world, |config| config["listen"] = json!(addr.to_string()));
        world.gate.addr = SocketAddr::from(([127, 0, 0, 1], addr.port()));
        assert_eq!(world.app_callback("MOVE-1").status(), 200);
        answers(&world);
        until("the old socket's end", || TcpStream::connect(before).is_err());
    }
}

#[test]
fn a_socket_that_cannot_be_had_leaves_both_listeners_as_they_were() {
    let mut world = World::new();
    world.wechat.order(&APP, "STAY-1").paid(100);
    let at = free_addr("127.0.0.1");
    reload(&world, |config| config["listen"] = json!(at.to_string()));
    world.gate.addr = at;
    let (other, beside_it) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind(("127.0.0.2", at.port())).unwrap());
    let elsewhere = other.local_addr().unwrap().to_string();
    let config: Value = serde_json::from_str(&fs::read_to_string(world.config_file()).unwrap()).unwrap();
    // Somebody else has the address, or one that is in it, or the other listener's.
    for (listener, listen) in
        [("callbacks", elsewhere.clone()), ("callbacks", format!("0.0.0.0:{}", at.port())), ("admin", elsewhere)]
    {
        let mut config = config.clone();
        config["admin"]["token"] = json!("another-admin-token-0123456789abcdef0");
        match listener {
            "admin" => config["admin"]["listen"] = json!(listen),
            _ => config["listen"] = json!(listen),
        }
        refuse(&world, &config.to_string());
        assert!(world.gate.log().contains("cannot listen on"));
        assert_eq!(world.app_callback("STAY-1").status(), 200);
        // With the token of before.
        assert!(world.admin_json("/api/config")["refused"]["problem"].as_str().unwrap().contains("cannot listen"));
    }
    drop(beside_it);
}

#[test]
fn the_admin_listener_goes_comes_back_and_changes_its_token() {
    let world = World::new();
    let tells = |token: &str| {
        let request =
            Request::get("/api/config").at(world.gate.admin()).header("Authorization", &format!("Bearer {token}"));
        world.admin_send(&request).status()
    };
    assert_eq!(world.admin_json("/api/config")["generation"], 1);
    let whole = fs::read_to_string(world.config_file()).unwrap();
    refuse(&world, "listen: [");
    let told = world.admin_json("/api/config");
    assert_eq!(told["generation"], 1);
    assert!(told.to_string().contains("config.yaml:2:1"), "{told}");
    fs::write(world.config_file(), whole).unwrap();
    let other = "another-admin-token-0123456789abcdef0";
    reload(&world, |config| config["admin"]["token"] = json!(other));
    assert_eq!((tells(ADMIN_TOKEN), tells(other)), (401, 200));
    let (was, elsewhere) = (world.gate.admin(), free_addr("127.0.0.1"));
    let mut inside = Wire::to(was);
    let asks = Request::get("/api/config").at(was).header("Authorization", &format!("Bearer {other}")).kept_alive();
    inside.send(&asks);
    assert_eq!(inside.answer().unwrap().status(), 200);
    reload(&world, |config| drop(config.as_object_mut().unwrap().remove("admin")));
    until("the admin socket's end", || TcpStream::connect(was).is_err());
    // Who was inside is let in no more either.
    assert!(!inside.send(&asks) || inside.answer().is_none_or(|answer| answer.status() == 401));
    reload(&world, |config| config["admin"] = json!({ "listen": elsewhere.to_string(), "token": ADMIN_TOKEN }));
    let request = Request::get("/api/config").at(elsewhere).header("Authorization", &format!("Bearer {ADMIN_TOKEN}"));
    let mut wire = Wire::to(elsewhere);
    wire.send(&request.bytes());
    assert_eq!(wire.answer().unwrap().json()["generation"], generation(&world));
}

#[test]
fn o02_what_waits_for_a_channel_that_was_removed_is_parked_and_stays_visible() {
    let down = Upstream::start();
    let world = World::with(|setup| {
        setup.hurry();
        down.answers(broken());
        setup.channel_upstream("hmac", &down);
        setup.route("json")["channel"] = json!([{ "from": "data.channel" }]);
    });
    world.wechat.order(&C1, "GONE-1").paid(100);
    let json = json!({ "data": { "order_id": "GONE-1", "channel": "hmac" } }).to_string();
    assert_eq!(world.send(&Request::post("/pay/json").json(json)).status(), 500);
    let mut hmac = Value::Null;
    reload(&world, |config| hmac = config["channels"].as_object_mut().unwrap().remove("hmac").unwrap());
    until("parked", || world.journal("SELECT count(*) FROM entry WHERE state = 'parked'") == 1);
    let told = world.command(&["explain", "GONE-1"]);
    assert!(told.stdout.contains("route-gone"), "{}", told.stdout);
    // When it is back, an operator can send it on.
    down.answers(Reply::ok(b"ok"));
    reload(&world, |config| config["channels"]["hmac"] = hmac);
    assert_eq!(world.command(&["redeliver", "GONE-1"]).code, 0);
    until("accepted", || world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'") == 1);
}

#[test]
fn a_follow_up_that_is_under_way_is_finished_and_nothing_is_delivered_twice() {
    let world = World::with(|setup| setup.hurry());
    world.wechat.order(&APP, "WAY-1").paid(100);
    world.upstream.answers_once(broken());
    assert_eq!(world.app_callback("WAY-1").status(), 500);
    world.upstream.hold();
    until("the follow-up's delivery", || world.upstream.requests().len() == 2);
    reload(&world, |config| config["deadline"] = json!("4s"));
    world.upstream.release();
    until("accepted", || world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'") == 1);
    assert_eq!(world.upstream.requests().len(), 2);
}

#[test]
fn d13_a_hundred_reloads_under_load_lose_refuse_and_fail_nothing() {
    const RELOADS: usize = 100;
    let world = World::new();
    let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let whole = fs::read_to_string(world.config_file()).unwrap();
    thread::scope(|scope| {
        for sender in 0..4 {
            let (world, done, sent) = (&world, &done, &sent);
            scope.spawn(move || {
                let mut wire = Wire::to(world.gate.addr);
                for number in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let order = format!("LOAD-{sender}-{number}");
                    world.wechat.order(&APP, &order).paid(100);
                    // Two of the four keep their connection all the time.
                    if sender < 2 {
                        wire = Wire::to(world.gate.addr);
                    }
                    assert!(wire.send(&kept_alive(&order)), "{order}: the connection is closed");
                    let answer = wire.answer().unwrap_or_else(|| panic!("{order}: no answer"));
                    world.heard(&answer);
                    assert_eq!(answer.status(), 200, "{order}: {}", answer.text());
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 0..RELOADS {
            let before = sent.load(Ordering::Relaxed);
            match number % 10 {
                5 => refuse(&world, &whole[..whole.len() * number / RELOADS]),
                _ => {
                    fs::write(world.config_file(), &whole).unwrap();
                    reload(&world, |config| {
                        config["deadline"] = json!(format!("{}ms", 4000 + number));
                        // Keys are rotated as well (S-08), and other things that callbacks on their way depend on.
                        let keys = [json!("${APP_KEY}"), json!(["${APP_KEY}", "Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0"])];
                        config["channels"]["app"]["key"] = keys[number % 2].clone();
                        config["limits"] = json!({ "connections": 1000 + number });
                        config["cache"] = json!({ "capacity": 1000 + number / 3 });
                        config["wechat"]["queries_per_second"] = json!(5000 + number / 4);
                    });
                }
            }
            until("callbacks between two reloads", || sent.load(Ordering::Relaxed) > before);
        }
        done.store(true, Ordering::Relaxed);
    });
    let sent = sent.load(Ordering::Relaxed);
    let (in_force, refused) = outcomes(&world);
    println!("{sent} callbacks, {in_force} configurations put in force, {refused} refused");
    assert!(in_force >= RELOADS * 9 / 10 && refused >= RELOADS / 10);
    assert_eq!(world.upstream.requests().len(), sent);
    until("accepted", || {
        usize::try_from(world.journal("SELECT count(*) FROM entry WHERE state = 'accepted'")).unwrap() == sent
    });
}

#[test]
fn counters_go_on_and_the_metrics_tell_of_the_reload_and_of_one_that_was_refused() {
    let world = World::new();
    world.wechat.order(&APP, "COUNTED-1").paid(100);
    world.app_callback("COUNTED-1");
    reload(&world, |config| config["deadline"] = json!("4s"));
    world.app_callback("COUNTED-1");
    let scrape = world.scrape();
    scrape.adds_up();
    assert_eq!(scrape.outcome("forwarded"), 2.0);
    assert_eq!(scrape.one("tollgate_config_generation", &[]), generation(&world) as f64);
    assert_eq!(scrape.one("tollgate_config_last_reload_successful", &[]), 1.0);
    refuse(&world, "nonsense");
    let scrape = world.scrape();
    assert_eq!(scrape.one("tollgate_config_generation", &[]), generation(&world) as f64);
    assert_eq!(scrape.one("tollgate_config_last_reload_successful", &[]), 0.0);
}

#[cfg(feature = "otlp")]
#[test]
fn traces_begin_and_end_with_the_configuration_that_wants_them() {
    let collector = Collector::start();
    let world = World::new();
    world.wechat.order(&APP, "TRACED-1").paid(100);
    let callbacks = || collector.spans().iter().filter(|span| span.name == "callback").count();
    world.app_callback("TRACED-1");
    reload(&world, |config| config["traces"] = json!({ "endpoint": format!("http://{}", collector.addr) }));
    world.app_callback("TRACED-1");
    // What is left is sent when they end.
    reload(&world, |config| drop(config.as_object_mut().unwrap().remove("traces")));
    until("the span", || callbacks() == 1);
    world.app_callback("TRACED-1");
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
    assert_eq!(callbacks(), 1);
}
