//! TLS on both sides: for senders, and towards the upstream and WeChat Pay, whose certificates must be right (V-11).

use crate::fakes::tls::Certificate;
use crate::fakes::upstream::Upstream;
use crate::fakes::wechat::{APP, WeChat};
use crate::harness::{Setup, World};
use crate::wire::{Request, Wire};
use serde_json::json;

fn serve_tls(setup: &mut Setup, certificate: &Certificate) {
    let (cert, key) = certificate.write(&setup.dir);
    setup.config["tls"] = json!({ "cert": cert, "key": key });
}

#[test]
fn callbacks_arrive_over_tls() {
    let certificate = Certificate::new();
    let world = World::with(|setup| serve_tls(setup, &certificate));
    world.wechat.order(&APP, "TLS-1").paid(100);
    let mut wire = certificate.connect(world.gate.addr);
    for _ in 0..3 {
        assert!(wire.send(&Request::post("/pay/success").form("OrderID=TLS-1").kept_alive()));
        let answer = wire.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(world.upstream.requests()[0].folded("X-Forwarded-Proto"), ["https"]);
    assert!(world.gate.log().contains("listening on https://"));
}

#[test]
fn plain_http_at_a_tls_port_gets_nothing() {
    let certificate = Certificate::new();
    let world = World::with(|setup| serve_tls(setup, &certificate));
    world.wechat.order(&APP, "TLS-2").paid(100);
    let mut wire = Wire::to(world.gate.addr);
    wire.send(&Request::post("/pay/success").form("OrderID=TLS-2").bytes());
    assert!(wire.answer().is_none_or(|answer| answer.status() == 400));
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn r01_a_handshake_that_does_not_come_has_the_heads_deadline() {
    let certificate = Certificate::new();
    let world = World::with(|setup| {
        serve_tls(setup, &certificate);
        setup.config["limits"] = json!({ "head_timeout": "250ms" });
    });
    let since = std::time::Instant::now();
    let mut wire = Wire::to(world.gate.addr);
    wire.send(b"\x16\x03\x01");
    assert!(wire.closes());
    assert!(since.elapsed() < std::time::Duration::from_secs(3), "{:?}", since.elapsed());
}

#[test]
fn an_upstream_over_tls_must_have_the_right_certificate() {
    let certificate = Certificate::new();
    for (trusted, status) in [(true, 200), (false, 502)] {
        let upstream = Upstream::start_with(Some(certificate.server()));
        let world = World::with(|setup| {
            setup.config["upstream"] = json!(format!("https://{}", upstream.addr));
            setup.watch(&upstream);
            if trusted {
                let (cert, _) = certificate.write(&setup.dir);
                setup.env.push(("SSL_CERT_FILE".to_owned(), cert.display().to_string()));
            }
        });
        world.wechat.order(&APP, "TLS-3").paid(100);
        assert_eq!(world.app_callback("TLS-3").status(), status, "trusted: {trusted}");
        assert_eq!(upstream.requests().len(), usize::from(trusted));
    }
}

#[test]
fn v11_a_wechat_pay_with_the_wrong_certificate_confirms_nothing() {
    let certificate = Certificate::new();
    for (trusted, status) in [(true, 200), (false, 503)] {
        let wechat = WeChat::start_with(Some(certificate.server()));
        wechat.order(&APP, "TLS-4").paid(100);
        let world = World::with(|setup| {
            setup.watch_wechat(&wechat);
            setup.config["wechat"]["hosts"] = json!([format!("https://{}", wechat.addr)]);
            if trusted {
                let (cert, _) = certificate.write(&setup.dir);
                setup.env.push(("SSL_CERT_FILE".to_owned(), cert.display().to_string()));
            }
        });
        assert_eq!(world.app_callback("TLS-4").status(), status, "trusted: {trusted}");
        assert_eq!(wechat.queries().len(), usize::from(trusted));
    }
}
