//! The whole file: its top level, and what holds between its parts.

use super::admin::{self, Admin};
use super::channels::{self, Inherited, MODES, ReadChannel};
use super::follow_up::{self, FollowUp};
use super::headers;
use super::journal::{self, Journal};
use super::number_proof;
use super::pending;
use super::presets;
use super::read::{Map, Section, Value};
use super::resign;
use super::routes;
use super::sweep;
use super::synthesize;
use super::traces;
use super::value::duration;
use super::{Cache, Config, Forwarding, Limits, Log, settings};
use crate::gate::policy::Mode;
use crate::gate::route::Route;
use crate::gate::sender::{Rate, is_near};
use crate::gate::stamp::HeaderNames;
use crate::provider::wechat::Service;
use crate::reconcile::pending_orders::Watched;
use crate::upstream::Upstream;
use std::net::SocketAddr;
use std::sync::Arc;
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
        "traces",
        "shutdown_grace",
    ],
};

const DEADLINE: Duration = Duration::from_millis(4500);
/// Of a shorter `deadline`, half.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(2);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);

/// Routes and channels: they name each other.
struct Business {
    routes: Vec<Route>,
    channels: Vec<ReadChannel>,
}

/// Reads everything; `None` or faulty only if problems were reported.
pub(super) fn config(root: &Value<'_>) -> Option<Config> {
    let map = root.map(&FILE)?;
    let listen = map.required("listen", "listen: 127.0.0.1:8080", Value::address);
    let upstream = map.required("upstream", "upstream: http://127.0.0.1:5000", settings::upstream);
    report_loop(&map, listen, upstream.as_ref());
    let mode = map.or("mode", Mode::default(), |v| v.choice(MODES));
    let wechat = Service::new(map.or("wechat", settings::default_wechat(), settings::wechat));
    let business = business(&map, upstream.as_ref(), mode, &wechat);
    let headers = map.or("headers", HeaderNames::default(), headers::headers);
    let (deadline, confirm_deadline) = deadlines(&map);
    report_short_deadlines(&map, confirm_deadline);
    let cache = map.or("cache", Cache::default(), settings::cache);
    let limits = map.or("limits", Limits::default(), settings::limits);
    let forwarding = map.or("forwarding", Forwarding::default(), settings::forwarding);
    warn_of_one_sender(&map, listen, &limits, &forwarding);
    let tls = map.optional("tls", settings::tls);
    let log = map.or("log", Log::default(), settings::log);
    let shutdown_grace = map.or("shutdown_grace", SHUTDOWN_GRACE, Value::duration);
    let default_journal = journal::default_journal(map.value().directory());
    let journal = map.or("journal", Some(default_journal), journal::journal);
    let follow_up =
        map.or("follow_up", FollowUp::default(), |v| follow_up::follow_up(v, wechat.settings().queries_per_second));
    let route_names = map.get("routes").map(|v| routes::names(&v)).unwrap_or_default();
    let pending_orders = map.or("pending_orders", Vec::new(), |v| pending::pending_orders(v, &route_names));
    let traces = map.optional("traces", traces::traces);
    let admin = admin(&map, listen);
    let Business { mut routes, channels } = business?;
    for route in &mut routes {
        for reading in std::iter::once(&mut route.main).chain(&mut route.also) {
            reading.claim.set_json_keys(limits.json_keys);
        }
    }
    number_proof::settle(&map, &mut routes, &pending_orders);
    report_what_does_not_fit(&map, &routes, &channels, journal.as_ref(), &pending_orders);
    let mut config = Config {
        listen: listen?,
        tls,
        upstream: upstream?,
        mode,
        routes,
        channels: Vec::with_capacity(channels.len()),
        accounts: Vec::with_capacity(channels.len()),
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
        sweeps: Vec::new(),
        pending_orders,
        admin,
        traces,
        warnings: Vec::new(),
    };
    take(&mut config, channels);
    Some(config)
}

/// What routes, channels, the journal and sources of pending orders want of one another.
fn report_what_does_not_fit(
    map: &Map<'_>,
    routes: &[Route],
    channels: &[ReadChannel],
    journal: Option<&Journal>,
    pending_orders: &[Watched],
) {
    if journal.is_none() {
        report_what_needs_the_journal(map);
    }
    presets::check(map, routes, channels);
    resign::check(map, routes, channels);
    let sweeps: Vec<_> = channels.iter().map(|read| (&read.channel, read.sweep.as_ref())).collect();
    synthesize::check(map, routes, &sweeps, pending_orders);
    sweep::check(map, &sweeps);
    if let Some(journal) = journal {
        let plans: Vec<_> = sweeps.iter().filter_map(|(_, plan)| *plan).collect();
        sweep::warn(map, &plans, &journal.settings);
    }
}

fn business(map: &Map<'_>, upstream: Option<&Upstream>, mode: Mode, wechat: &Arc<Service>) -> Option<Business> {
    let channel_names = map.get("channels").map(|v| v.peek_keys()).unwrap_or_default();
    let route_names = map.get("routes").map(|v| routes::names(&v)).unwrap_or_default();
    let inherited = Inherited { upstream, mode, routes: &route_names, wechat };
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

/// Whoever stands in front of an address that is not public is the only sender that is seen, unless it is named.
fn warn_of_one_sender(map: &Map<'_>, listen: Option<SocketAddr>, limits: &Limits, forwarding: &Forwarding) {
    const NAME_IT: &str = "if nginx or a load balancer stands in front, name its address in forwarding.trusted_proxies, such as \
                           [127.0.0.1]; if the senders reach the gate themselves, nothing is to be done";
    if !forwarding.trusted_proxies.is_empty() || !listen.is_some_and(|listen| is_near(listen.ip())) {
        return;
    }
    match (limits.rate_per_address, map.get("limits").and_then(|limits| limits.peek("rate_per_address"))) {
        (Rate::Each(0), _) => {}
        (Rate::Each(rate), Some(at)) => {
            at.warn(format!("all senders behind one proxy would share {rate} callbacks a second: {NAME_IT}"));
        }
        _ => {
            let text = format!("all senders behind one proxy would be one, and none is told from a flood: {NAME_IT}");
            map.value().warn_of("forwarding.trusted_proxies", text);
        }
    }
}

/// Without a journal nobody knows after a restart what was accepted before it, or what was found without a callback.
fn report_what_needs_the_journal(map: &Map<'_>) {
    let routes = map.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for duplicates in routes.iter().filter_map(|route| route.peek("duplicates")) {
        if duplicates.written() == Some("absorb") {
            duplicates.problem("needs the journal", "remove journal: none, or write forward");
        }
    }
    let channels = map.get("channels");
    let names = channels.as_ref().map(|channels| channels.peek_keys()).unwrap_or_default();
    let sweeps = names.iter().filter_map(|name| channels.as_ref()?.peek(name)?.peek("sweep"));
    for found in sweeps.chain(map.get("pending_orders")) {
        found.problem("needs the journal", "remove journal: none, or remove this");
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

/// A route whose senders wait for less than asking may take would forward nothing that has to be asked about.
fn report_short_deadlines(map: &Map<'_>, confirm: Duration) {
    let routes = map.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for at in routes.iter().filter_map(|route| route.peek("deadline")) {
        let deadline = at.written().and_then(|written| duration(written).ok());
        if deadline.is_some_and(|deadline| deadline <= confirm) {
            let remedy =
                format!("write more than confirm_deadline, which is {}ms here, or lower that", confirm.as_millis());
            at.problem("leaves the upstream no time", remedy);
        }
    }
}

fn admin(map: &Map<'_>, listen: Option<SocketAddr>) -> Option<Admin> {
    let admin = map.optional("admin", admin::admin);
    if let (Some(admin), Some(value)) = (&admin, map.get("admin"))
        && Some(admin.listen) == listen
        && admin.listen.port() != 0
    {
        value.problem("listens on the address of the callbacks", "choose another port");
    }
    admin
}

/// Moves the channels into the configuration, and their sweeps beside them.
fn take(config: &mut Config, channels: Vec<ReadChannel>) {
    for ReadChannel { channel, account, sweep } in channels {
        config.sweeps.extend(sweep);
        config.accounts.push(account);
        config.channels.push(channel);
    }
}
