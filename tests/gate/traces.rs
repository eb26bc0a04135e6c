//! Traces: what a callback did, step by step, for the collector that is configured; and nothing without one.

use crate::fakes::collector::{Collector, Span};
use crate::fakes::nobody;
use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, OPENID, SignType, notification};
use crate::harness::{ADMIN_TOKEN, World, until};
use crate::wire::{Message, Request};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use std::time::{Duration, Instant};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENDER: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{SENDER}-{flags}")
}

fn traced(collector: &Collector) -> World {
    let addr = collector.addr;
    World::with(|setup| {
        setup.hurry();
        setup.config["traces"] = json!({ "endpoint": format!("http://{addr}") });
    })
}

/// The APP calls back, within a trace if there are headers of one.
fn calls_back(world: &World, order: &str, headers: &[(&str, &str)]) -> Message {
    let request = Request::post("/pay/success").form(format!("OrderID={order}"));
    world.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

/// The root of the callback's spans, and the others of its trace.
fn of_callback(collector: &Collector, order: &str) -> (Span, Vec<Span>) {
    let is_root =
        |span: &Span| span.name == "callback" && span.attributes.get("tollgate.order").is_some_and(|o| o == order);
    until("the callback's spans", || collector.spans().iter().any(is_root));
    let spans = collector.spans();
    let root = spans.iter().find(|span| is_root(span)).unwrap().clone();
    let others = spans.into_iter().filter(|span| span.trace == root.trace && span.id != root.id).collect();
    (root, others)
}

fn one<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

#[test]
fn a_callback_belongs_to_its_senders_trace_and_the_upstreams_work_to_its_own() {
    let collector = Collector::start();
    let world = traced(&collector);
    world.wechat.order(&APP, "TRACED-1").paid(100);
    let sent = traceparent("01");
    let answer = calls_back(&world, "TRACED-1", &[("traceparent", &sent), ("tracestate", "shop=1,other=2")]);
    assert_eq!(answer.status(), 200);
    let (root, steps) = of_callback(&collector, "TRACED-1");
    assert_eq!((root.trace.as_str(), root.parent.as_str(), root.kind), (TRACE, SENDER, SpanKind::Server));
    assert_eq!((root.service.as_str(), root.state.as_str()), ("tollgate", "shop=1,other=2"));
    for name in ["route", "claim", "confirm", "journal", "forward"] {
        let step = one(&steps, name);
        assert_eq!(step.parent, root.id, "{name}");
        assert!(root.lasted.0 <= step.lasted.0 && step.lasted.1 <= root.lasted.1, "{name} is within the whole");
        assert_eq!(step.failed, None, "{name}");
    }
    let (query, forward) = (one(&steps, "query"), one(&steps, "forward"));
    assert_eq!((query.parent.as_str(), query.kind), (one(&steps, "confirm").id.as_str(), SpanKind::Client));
    assert_eq!(query.attributes["tollgate.outcome"], "answered");
    assert_eq!(query.attributes["server.address"], format!("http://{}", world.wechat.addr));
    assert_eq!(one(&steps, "confirm").attributes["tollgate.source"], "miss");
    let said = ["route", "channel", "verdict", "reason", "outcome", "request_id"]
        .map(|key| root.attributes[&format!("tollgate.{key}")].as_str());
    assert_eq!(said[..5], ["app", "app", "paid", "paid", "forwarded"]);
    assert_eq!(Some(said[5].to_owned()), answer.header("X-Request-Id"));
    assert_eq!(root.attributes["http.response.status_code"], "200");
    // The upstream's own spans become children of the sending.
    let seen = world.upstream_received();
    assert_eq!(seen.folded("traceparent"), [format!("00-{TRACE}-{}-01", forward.id)]);
    assert_eq!(seen.folded("tracestate"), ["shop=1,other=2"]);
    assert_eq!(forward.attributes["tollgate.attempt"], "1");
}

#[test]
fn a_callback_without_a_usable_traceparent_begins_a_trace() {
    let collector = Collector::start();
    let world = traced(&collector);
    let (good, other) = (traceparent("01"), format!("00-{}-{SENDER}-01", "a".repeat(32)));
    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[("traceparent", "evil")],
        &[("traceparent", &good), ("traceparent", &other)],
        &[("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"), ("tracestate", "shop=1")],
        &[("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
    ];
    for (index, headers) in cases.into_iter().enumerate() {
        let order = format!("ANEW-{index}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(calls_back(&world, &order, headers).status(), 200);
        let (root, steps) = of_callback(&collector, &order);
        assert_eq!(root.parent, "", "{headers:?}");
        assert!(root.trace != TRACE && !root.trace.starts_with("aaaa"), "{headers:?}");
        let seen = &world.upstream.requests_for(&order)[0];
        assert_eq!(seen.folded("traceparent"), [format!("00-{}-{}-01", root.trace, one(&steps, "forward").id)]);
        assert!(seen.folded("tracestate").is_empty(), "{headers:?}");
    }
}

#[test]
fn without_configuration_nothing_is_sent_and_headers_pass_unchanged() {
    let collector = Collector::start();
    let world = World::with(|setup| {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            setup.env.push((name.to_owned(), format!("http://{}", collector.addr)));
        }
    });
    world.wechat.order(&APP, "PLAIN-1").paid(100);
    let odd = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01-more";
    assert_eq!(calls_back(&world, "PLAIN-1", &[("traceparent", odd), ("tracestate", "a=b")]).status(), 200);
    let seen = world.upstream_received();
    assert_eq!((seen.folded("traceparent"), seen.folded("tracestate")), (vec![odd.to_owned()], vec!["a=b".to_owned()]));
    world.gate.signal(Signal::SIGTERM);
    assert!(world.gate.ends().success());
    assert!(collector.requests().is_empty());
}

#[test]
fn a_refused_callback_says_why_and_an_unknown_one_failed() {
    let collector = Collector::start();
    let world = traced(&collector);
    world.wechat.order(&APP, "DIFFERS-1").paid(100);
    assert_eq!(world.callback("OrderID=DIFFERS-1&TotalFee=1").status(), 403);
    let (root, steps) = of_callback(&collector, "DIFFERS-1");
    assert_eq!(root.attributes["tollgate.reason"], "amount-differs");
    assert_eq!((root.attributes["tollgate.outcome"].as_str(), root.failed), ("refused", None));
    assert!(steps.iter().all(|step| step.name != "forward"));
    world.wechat.goes_down();
    assert_eq!(world.app_callback("DOWN-1").status(), 503);
    let (root, steps) = of_callback(&collector, "DOWN-1");
    assert_eq!(root.failed.as_deref(), Some("query-failed"));
    assert!(steps.iter().any(|step| step.name == "query" && step.failed.as_deref() == Some("transport")));
}

#[test]
fn a_step_of_the_follow_up_links_to_the_callback_it_is_for() {
    let collector = Collector::start();
    let world = traced(&collector);
    world.upstream.answers_once(Reply::Says { status: 500, content_type: "text/plain", body: Vec::new() });
    world.wechat.order(&APP, "LATER-1").paid(100);
    let sent = traceparent("01");
    assert_eq!(calls_back(&world, "LATER-1", &[("traceparent", &sent)]).status(), 500);
    let delivers = |span: &Span| {
        let says = |key: &str, value: &str| span.attributes.get(key).is_some_and(|said| said == value);
        span.name == "follow-up" && says("tollgate.order", "LATER-1") && says("tollgate.step", "delivered")
    };
    until("the delivery's spans", || collector.spans().iter().any(delivers));
    let spans = collector.spans();
    let step = spans.iter().find(|span| delivers(span)).unwrap();
    assert_eq!((step.links.as_slice(), step.parent.as_str()), (&[(TRACE.to_owned(), SENDER.to_owned())][..], ""));
    let forward = spans.iter().find(|span| span.name == "forward" && span.trace == step.trace).unwrap();
    assert_eq!(
        (forward.parent.as_str(), forward.attributes["tollgate.origin"].as_str()),
        (step.id.as_str(), "follow-up")
    );
    let seen = world.upstream.requests();
    assert_eq!(seen[1].folded("traceparent"), [format!("00-{}-{}-01", step.trace, forward.id)]);
}

#[test]
fn what_is_under_way_to_the_collector_is_sent_at_the_end() {
    let collector = Collector::start();
    let world = traced(&collector);
    world.wechat.order(&APP, "LAST-1").paid(100);
    assert_eq!(world.app_callback("LAST-1").status(), 200);
    world.gate.signal(Signal::SIGTERM);
    assert!(world.gate.ends().success());
    assert!(collector.spans().iter().any(|span| span.name == "callback"));
}

#[test]
fn a_share_of_the_traces_is_kept_and_a_senders_choice_counts() {
    let collector = Collector::start();
    let world = World::with(|setup| {
        let endpoint = format!("http://{}/", collector.addr);
        setup.config["traces"] = json!({ "endpoint": endpoint, "sample": 0, "headers": { "X-Key": "${APP_KEY}" } });
    });
    for (order, flags) in [("DROPPED-1", None), ("DROPPED-2", Some("00")), ("KEPT-1", Some("01"))] {
        world.wechat.order(&APP, order).paid(100);
        let sent = flags.map(traceparent).unwrap_or_default();
        let headers = [("traceparent", sent.as_str())];
        calls_back(&world, order, if flags.is_some() { &headers } else { &[] });
    }
    of_callback(&collector, "KEPT-1");
    world.gate.signal(Signal::SIGTERM);
    world.gate.ends();
    assert!(collector.spans().iter().all(|span| span.trace == TRACE));
    assert_eq!(collector.spans().iter().filter(|span| span.name == "callback").count(), 1);
    assert_eq!(collector.requests()[0].header("X-Key").as_deref(), Some(APP.key));
    // Who is not kept still belongs to somebody.
    let seen = world.upstream.requests_for("DROPPED-2")[0].folded("traceparent");
    assert!(seen[0].starts_with(&format!("00-{TRACE}-")) && seen[0].ends_with("-00"), "{seen:?}");
}

#[test]
fn i05_no_span_has_a_secret_or_anything_personal() {
    let collector = Collector::start();
    let world = traced(&collector);
    world.wechat.order(&APP, "SECRET-1").paid(100);
    let fields = notification(&APP, "SECRET-1", 100);
    world.wechat_calls_back("app", fields, APP.key, SignType::Md5);
    world.admin_get("/metrics");
    let (root, _) = of_callback(&collector, "SECRET-1");
    assert_eq!(root.attributes["tollgate.route"], "notify");
    let sent: Vec<u8> = collector.requests().into_iter().flat_map(|request| request.body).collect();
    let sent = String::from_utf8_lossy(&sent);
    let asked: Vec<_> = world.wechat.queries().iter().map(|query| query.fields["sign"].clone()).collect();
    for secret in [APP.key, OPENID, ADMIN_TOKEN].into_iter().chain(asked.iter().map(String::as_str)) {
        assert!(!sent.contains(secret), "{secret}");
    }
}

#[test]
fn a_collector_that_is_not_there_costs_nothing_but_one_warning() {
    let nobody = nobody();
    let world = World::with(|setup| setup.config["traces"] = json!({ "endpoint": format!("http://{nobody}") }));
    for order in 0..50 {
        let order = format!("GONE-{order}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200);
    }
    let warnings = || world.gate.log().matches("spans could not be sent").count();
    until("a warning", || warnings() == 1);
    for order in 50..60 {
        let order = format!("GONE-{order}");
        world.wechat.order(&APP, &order).paid(100);
        assert_eq!(world.app_callback(&order).status(), 200);
    }
    let since = Instant::now();
    world.gate.signal(Signal::SIGTERM);
    assert!(world.gate.ends().success());
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    assert_eq!(warnings(), 1, "one a minute");
}
