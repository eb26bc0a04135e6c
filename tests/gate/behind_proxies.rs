//! Who a sender is behind proxies: an IPv4 peer of a socket that listens for both families is an IPv4 address everywhere,
//! and a hop may have a port and brackets.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::APP;
use crate::follow_up::stands;
use crate::harness::{ADMIN_TOKEN, Setup, World, at_once, until};
use crate::wire::{Message, Request, Wire};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};

/// A gate that listens for both families, behind these proxies.
fn dual(proxies: Value, more: impl FnOnce(&mut Setup)) -> World {
    World::with(|setup| {
        setup.hurry();
        setup.config["listen"] = json!("[::]:0");
        setup.config["forwarding"] = json!({ "trusted_proxies": proxies });
        more(setup);
    })
}

/// Sends over IPv4.
fn send(world: &World, request: &Request) -> Message {
    let mut wire = Wire::to(SocketAddr::from((Ipv4Addr::LOCALHOST, world.gate.addr.port())));
    wire.send(&request.bytes());
    let answer = wire.answer().unwrap();
    world.heard(&answer);
    answer
}

#[test]
fn an_ipv4_proxy_of_a_listener_for_both_families_is_known() {
    for (index, proxies) in [json!(["127.0.0.1"]), json!(["::ffff:127.0.0.0/104"])].into_iter().enumerate() {
        let world = dual(proxies.clone(), |_| ());
        let order = format!("DUAL-{index}");
        world.wechat.order(&APP, &order).paid(100);
        world.upstream.answers_once(Reply::Breaks);
        let request = Request::post("/pay/success").form(format!("OrderID={order}"));
        let request = request.header("X-Forwarded-For", "198.51.100.7:50312");
        let request = request.header("X-Real-IP", "198.51.100.7").header("X-Forwarded-Proto", "https");
        let answer = send(&world, &request);
        let peer = world.summary(&answer)["peer"].as_str().unwrap().to_owned();
        assert!(peer.starts_with("127.0.0.1:"), "{peer}");
        stands(&world, &order, "accepted");
        for seen in world.upstream.requests_for(&order) {
            // The hops as the proxy wrote them, and the proxy.
            assert_eq!(seen.folded("X-Forwarded-For"), ["198.51.100.7:50312, 127.0.0.1"], "{proxies}");
            assert_eq!(seen.folded("X-Real-IP"), ["198.51.100.7"]);
            assert_eq!(seen.folded("X-Forwarded-Proto"), ["https"]);
        }
        assert!(!world.gate.log().contains("::ffff:"), "{}", world.gate.log());
        assert_eq!(world.journal("SELECT count(*) FROM request WHERE peer LIKE '%ffff%'"), 0);
    }
}

#[test]
fn a_mapped_peer_of_an_older_journal_is_known_when_its_callback_is_sent_again() {
    let mut world = World::with(|setup| {
        setup.hurry();
        setup.config["forwarding"] = json!({ "trusted_proxies": ["127.0.0.1"] });
        setup.config["follow_up"]["redeliver"] = json!(["1h"]);
    });
    world.wechat.order(&APP, "OLDER-1").paid(100);
    world.upstream.answers_once(Reply::Breaks);
    let request = Request::post("/pay/success").form("OrderID=OLDER-1").header("X-Forwarded-For", "198.51.100.7");
    assert_eq!(world.send(&request).status(), 502);
    stands(&world, "OLDER-1", "delivering");
    world.kill9();
    let journal = rusqlite::Connection::open(world.journal_file()).unwrap();
    assert_eq!(journal.execute("UPDATE request SET peer = '[::ffff:127.0.0.1]:4711'", ()).unwrap(), 1);
    drop(journal);
    world.restart();
    assert_eq!(world.command(&["redeliver", "OLDER-1"]).code, 0);
    let again = world.upstream.requests_for("OLDER-1").remove(1);
    assert_eq!(again.folded("X-Forwarded-For"), ["198.51.100.7, 127.0.0.1"]);
}

#[test]
fn senders_behind_a_proxy_are_told_apart_however_it_writes_them() {
    let hops: [fn(usize) -> String; 4] = [
        |index| format!("198.51.100.{index}:5031{index}"),
        |index| format!("[2001:db8:0:{index}::a]:50312"),
        |index| format!("[2001:db8:1:{index}::a]"),
        |index| format!("::ffff:203.0.113.{index}"),
    ];
    for hop in hops {
        let world = dual(json!(["127.0.0.1"]), |setup| setup.config["limits"] = json!({ "rate_per_address": 1 }));
        let statuses = at_once(9, |index| {
            let request = Request::post("/pay/success").form(format!("OrderID=HOP-{index}"));
            send(&world, &request.header("X-Forwarded-For", &hop(index))).status()
        });
        assert!(statuses.iter().all(|status| *status == 503), "{}: {statuses:?}", hop(0));
    }
}

#[test]
fn one_sender_is_one_whatever_its_port() {
    let world = dual(json!(["127.0.0.1"]), |setup| setup.config["limits"] = json!({ "rate_per_address": 1 }));
    let statuses = at_once(9, |index| {
        let request = Request::post("/pay/success").form(format!("OrderID=PORT-{index}"));
        send(&world, &request.header("X-Forwarded-For", &format!("198.51.100.7:{}", 50_000 + index))).status()
    });
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn the_admin_listener_knows_an_ipv4_peer_too() {
    let world = World::with(|setup| setup.config["admin"]["listen"] = json!("[::ffff:127.0.0.1]:0"));
    let port = world.gate.admin().port();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut wire = Wire::to(at);
    let park = Request::post("/api/orders/app/NOBODY/park").at(at);
    wire.send(&park.header("Authorization", &format!("Bearer {ADMIN_TOKEN}")).bytes());
    assert_eq!(wire.answer().unwrap().status(), 404);
    let mut wire = Wire::to(at);
    wire.send(&Request::get("/api/overview").at(at).header("Authorization", "Bearer wrong").bytes());
    assert_eq!(wire.answer().unwrap().status(), 401);
    until("the wrong token to be told of", || world.gate.log().contains("127.0.0.1"));
    assert!(
        !world.gate.log().lines().any(|line| line.contains("::ffff:") && line.contains("token")),
        "{}",
        world.gate.log()
    );
}
