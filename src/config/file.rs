//! The whole file: its top level, and what holds between its parts.

use super::channels::{self, Inherited, MODES, ReadChannel};
use super::headers;
use super::journal::{self, FollowUp};
use super::later::{self, Later};
use super::pending;
use super::read::{Map, Section, Value};
use super::routes::{self, ReadRoute};
use super::{Cache, Config, Forwarding, Limits, Log, settings};
use crate::gate::decide::Mode;
use crate::gate::forward::Upstream;
use crate::gate::stamp::HeaderNames;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) static FILE: Section = Section {
    name: "config.yaml",
    keys: &[
        "listen",
        "upstream",
        "mode",
        "admin",
        "routes",
        "channels",
        "pending_orders",
        "headers",
        "wechat",
        "deadline",
        "confirm_deadline",
        "cache",
        "journal",
        "follow_up",
        "limits",
        "forwarding",
        "tls",
        "log",
        "shutdown_grace",
    ],
};

const DEADLINE: Duration = Duration::from_millis(4500);
/// Of a shorter `deadline`, half.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(2);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// Routes and channels: they name each other.
struct Business {
    routes: Vec<ReadRoute>,
    channels: Vec<ReadChannel>,
}

/// Reads everything; `None` or faulty only if problems were reported.
pub(super) fn config(root: &Value<'_>) -> Option<Config> {
    let map = root.map(&FILE)?;
    let listen = map.required("listen", "listen: 127.0.0.1:8080", Value::address);
    let upstream = map.required("upstream", "upstream: http://127.0.0.1:5000", settings::upstream);
    report_loop(&map, listen, upstream.as_ref());
    let mode = map.or("mode", Mode::default(), |v| v.choice(MODES));
    let business = business(&map, upstream.as_ref(), mode);
    let headers = map.or("headers", HeaderNames::default(), headers::headers);
    let wechat = map.or("wechat", settings::default_wechat(), settings::wechat);
    let (deadline, confirm_deadline) = deadlines(&map);
    let cache = map.or("cache", Cache::default(), settings::cache);
    let limits = map.or("limits", Limits::default(), settings::limits);
    let forwarding = map.or("forwarding", Forwarding::default(), settings::forwarding);
    let tls = map.optional("tls", settings::tls);
    let log = map.or("log", Log::default(), settings::log);
    let shutdown_grace = map.or("shutdown_grace", SHUTDOWN_GRACE, Value::duration);
    let default_journal = journal::default_journal(map.value().directory());
    let journal = map.or("journal", Some(default_journal), journal::journal);
    let follow_up = map.or("follow_up", FollowUp::default(), journal::follow_up);
    let later = later(&map, listen);
    let Business { routes, channels } = business?;
    report_absorbing_without_a_journal(&map, journal.is_some());
    let mut config = Config {
        listen: listen?,
        tls,
        upstream: upstream?,
        mode,
        routes: Vec::with_capacity(routes.len()),
        channels: Vec::with_capacity(channels.len()),
        headers,
        wechat,
        deadline,
        confirm_deadline,
        cache,
        limits,
        forwarding,
        log,
        shutdown_grace,
        journal,
        follow_up,
        not_built_yet: not_built_yet(&map, &routes, &channels),
        later,
    };
    take(&mut config, routes, channels);
    Some(config)
}

fn business(map: &Map<'_>, upstream: Option<&Upstream>, mode: Mode) -> Option<Business> {
    let channel_names = map.get("channels").map(|v| v.peek_keys()).unwrap_or_default();
    let route_names = map.get("routes").map(|v| routes::names(&v)).unwrap_or_default();
    let inherited = Inherited { upstream, mode, routes: &route_names };
    let routes = map.required("routes", "routes: what callbacks look like", |v| routes::routes(v, &channel_names));
    let channels = map.required("channels", "channels: the merchant accounts", |v| channels::channels(v, &inherited));
    Some(Business { routes: routes?, channels: channels? })
}

/// A gate in front of itself would forward until nothing is left.
fn report_loop(map: &Map<'_>, listen: Option<SocketAddr>, upstream: Option<&Upstream>) {
    let (Some(value), Some(listen), Some(upstream)) = (map.get("upstream"), listen, upstream) else { return };
    if upstream.authority.as_str() == listen.to_string() {
        value.problem("is the address that the gate listens on", "name the order system's own address");
    }
}

/// Without a journal nobody knows after a restart what was accepted before it.
fn report_absorbing_without_a_journal(map: &Map<'_>, has_journal: bool) {
    let routes = map.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for duplicates in routes.iter().filter_map(|route| route.peek("duplicates")) {
        if !has_journal && duplicates.written() == Some("absorb") {
            duplicates.problem("needs the journal", "remove journal: none, or write forward");
        }
    }
}

fn deadlines(map: &Map<'_>) -> (Duration, Duration) {
    let deadline = map.or("deadline", DEADLINE, Value::duration);
    let confirm = map.or("confirm_deadline", CONFIRM_DEADLINE.min(deadline / 2), Value::duration);
    if let (true, Some(at)) = (confirm >= deadline, map.get("confirm_deadline")) {
        at.problem("leaves the upstream no time", "write less than deadline (default 4500ms), or remove it");
    }
    (deadline, confirm)
}

fn later(map: &Map<'_>, listen: Option<SocketAddr>) -> Later {
    let route_names = map.get("routes").map(|v| routes::names(&v)).unwrap_or_default();
    let admin = map.optional("admin", later::admin);
    if let (Some(admin), Some(value)) = (&admin, map.get("admin"))
        && Some(admin.listen) == listen
        && admin.listen.port() != 0
    {
        value.problem("listens on the address of the callbacks", "choose another port");
    }
    Later {
        admin,
        pending_orders: map.or("pending_orders", Vec::new(), |v| pending::pending_orders(v, &route_names)),
        sweeps: Vec::new(),
        second_payments: Vec::new(),
        synthesize: Vec::new(),
    }
}

/// What the file asks for and this version does not do.
fn not_built_yet(map: &Map<'_>, routes: &[ReadRoute], channels: &[ReadChannel]) -> Vec<String> {
    let mut named = Vec::new();
    for key in ["admin", "pending_orders"] {
        if map.get(key).is_some() {
            named.push(key.to_owned());
        }
    }
    for ReadRoute { route, synthesize, .. } in routes {
        if synthesize.is_some() {
            named.push(format!("routes.{}.synthesize", route.name));
        }
    }
    for ReadChannel { channel, sweep, second_payment } in channels {
        if sweep.is_some() {
            named.push(format!("channels.{}.sweep", channel.id));
        }
        if second_payment.is_some() {
            named.push(format!("channels.{}.on_second_payment", channel.id));
        }
    }
    named
}

/// Moves routes and channels into the configuration, and their later features beside them.
fn take(config: &mut Config, routes: Vec<ReadRoute>, channels: Vec<ReadChannel>) {
    for ReadRoute { route, synthesize } in routes {
        config.later.synthesize.extend(synthesize.map(|body| (route.name.clone(), body)));
        config.routes.push(route);
    }
    for ReadChannel { channel, sweep, second_payment } in channels {
        config.later.sweeps.extend(sweep.map(|sweep| (channel.id, sweep)));
        config.later.second_payments.extend(second_payment.map(|second| (channel.id, second)));
        config.channels.push(channel);
    }
}
