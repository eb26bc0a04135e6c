//! The parts of the file that are plain settings: how WeChat Pay is asked, what is remembered, limits, forwarding, TLS
//! and the log.

use super::read::{Map, Section, Value, is_loopback};
use super::value::duration;
use super::{Cache, Forwarding, Limits, Log, TlsFiles};
use crate::gate::claim::Strictness;
use crate::gate::sender::Rate;
use crate::gate::stamp::Host;
use crate::observe::logging::LogFormat;
use crate::provider::wechat::Settings;
use crate::server;
use crate::upstream::{BadUpstream, Upstream};
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, Scheme};
use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

pub(super) static TLS: Section = Section { name: "tls", keys: &["cert", "key"] };
pub(super) static WECHAT: Section = Section { name: "wechat", keys: &["hosts", "hedge_after", "queries_per_second"] };
pub(super) static CACHE: Section = Section { name: "cache", keys: &["capacity", "paid", "pending"] };
pub(super) static LIMITS: Section = Section {
    name: "limits",
    keys: &[
        "body",
        "memory",
        "head",
        "headers",
        "connections",
        "head_timeout",
        "body_timeout",
        "answer_timeout",
        "idle_timeout",
        "rate_per_address",
        "json_keys",
    ],
};
pub(super) static FORWARDING: Section =
    Section { name: "forwarding", keys: &["connect", "keep_alive", "host", "trusted_proxies"] };
pub(super) static LOG: Section = Section { name: "log", keys: &["format", "level"] };

/// Bodies of `limits.body` that `limits.memory` holds at least, and fewer than which are worth a warning.
const LEAST_BODIES: usize = 2;
const FEW_BODIES: usize = 16;

/// The most that `limits.json_keys` can be: a body of some megabytes.
const MOST_JSON_KEYS: u64 = 1_000_000;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

impl Default for Cache {
    fn default() -> Self {
        Self { capacity: 100_000, paid: Duration::from_secs(5 * 60), pending: Duration::from_secs(2) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let server = server::Limits {
            body: 64 * 1024,
            memory: 128 * 1024 * 1024,
            head: 16 * 1024,
            headers: 64,
            connections: 8192,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
        };
        Self { server, rate_per_address: Rate::Auto, json_keys: Strictness::default().json_keys }
    }
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            // Shorter than the 5 s of Node.js and many others, so that the gate lets go first.
            keep_alive: Some(Duration::from_secs(4)),
            host: Host::Preserve,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: None, level: "info".to_owned() }
    }
}

/// WeChat Pay's two hosts (`docs/reference/wechatpay-v2.md` section 1), and a query budget no small shop reaches.
pub(super) fn default_wechat() -> Settings {
    Settings {
        hosts: vec!["https://api.mch.weixin.qq.com".to_owned(), "https://api2.mch.weixin.qq.com".to_owned()],
        hedge_after: Duration::from_millis(700),
        queries_per_second: 20,
    }
}

pub(super) fn tls(value: &Value<'_>) -> Option<TlsFiles> {
    let map = value.map(&TLS)?;
    let cert = map.required("cert", "cert: cert.pem", Value::readable_file);
    let key = map.required("key", "key: key.pem", Value::readable_file);
    Some(TlsFiles { cert: cert?, key: key? })
}

pub(super) fn wechat(value: &Value<'_>) -> Option<Settings> {
    let map = value.map(&WECHAT)?;
    let default = default_wechat();
    Some(Settings {
        hosts: map.or("hosts", default.hosts, hosts),
        hedge_after: map.or("hedge_after", default.hedge_after, Value::duration),
        queries_per_second: map.or("queries_per_second", default.queries_per_second, |v| v.number(1..=1_000_000)),
    })
}

fn hosts(value: &Value<'_>) -> Option<Vec<String>> {
    let mut hosts: Vec<String> = Vec::new();
    for item in value.list()? {
        let Some(host) = wechat_host(&item) else { continue };
        if hosts.contains(&host) {
            item.problem("names the same host again", "remove it");
        }
        hosts.push(host);
    }
    Some(hosts)
}

/// An origin. Answers are signed, and yet only https keeps the order numbers and the payers' openids to ourselves.
fn wechat_host(value: &Value<'_>) -> Option<String> {
    let origin = value.parse(
        |text| origin(text).map_err(|_| "is not scheme, host and perhaps port"),
        "write an origin like https://api.mch.weixin.qq.com, without a path",
    )?;
    if origin.scheme != Scheme::HTTPS && !is_loopback(origin.authority.host()) {
        value.problem("is not https", "write https://; plain http is for tests on 127.0.0.1");
        return None;
    }
    Some(format!("{}://{}", origin.scheme, origin.authority))
}

pub(super) fn upstream(value: &Value<'_>) -> Option<Upstream> {
    value.parse(origin, "write only where it is: http://HOST:PORT")
}

/// An [`Upstream`] whose port, if it names one, is a port.
fn origin(text: &str) -> Result<Upstream, BadUpstream> {
    let origin = Upstream::parse(text)?;
    let authority = &origin.authority;
    match authority.port_u16() {
        Some(0) => Err(BadUpstream::Url),
        None if authority.host().len() != authority.as_str().len() => Err(BadUpstream::Url),
        _ => Ok(origin),
    }
}

pub(super) fn cache(value: &Value<'_>) -> Option<Cache> {
    let map = value.map(&CACHE)?;
    let default = Cache::default();
    Some(Cache {
        capacity: map.or("capacity", default.capacity, |v| v.number(1..=100_000_000)),
        paid: map.or("paid", default.paid, Value::duration),
        pending: map.or("pending", default.pending, Value::duration),
    })
}

pub(super) fn limits(value: &Value<'_>) -> Option<Limits> {
    let map = value.map(&LIMITS)?;
    let Limits { server: default, rate_per_address, json_keys } = Limits::default();
    let server = server::Limits {
        body: map.or("body", default.body, |v| v.size(1..=64 * MIB)),
        memory: map.or("memory", default.memory, |v| v.size(MIB..=1024 * 1024 * MIB)),
        head: map.or("head", default.head, |v| v.size(KIB..=MIB)),
        headers: map.or("headers", default.headers, |v| v.number(1..=1000)),
        connections: map.or("connections", default.connections, |v| v.number(1..=1_000_000)),
        head_timeout: map.or("head_timeout", default.head_timeout, Value::duration),
        body_timeout: map.or("body_timeout", default.body_timeout, Value::duration),
        answer_timeout: map.or("answer_timeout", default.answer_timeout, Value::duration),
        idle_timeout: map.or("idle_timeout", default.idle_timeout, Value::duration),
    };
    room_for_bodies(&map, &server);
    let rate_per_address = map.or("rate_per_address", rate_per_address, |v| match v.written() {
        Some("auto") => Some(Rate::Auto),
        _ => v.number(0..=1_000_000).map(Rate::Each),
    });
    let json_keys = map.or("json_keys", json_keys, |v| v.number(1..=MOST_JSON_KEYS));
    Some(Limits { server, rate_per_address, json_keys })
}

/// A body has room beside another one, and for a crowd of them there is room as well.
fn room_for_bodies(map: &Map<'_>, limits: &server::Limits) {
    let holds = limits.memory / limits.body.max(1);
    if holds < LEAST_BODIES {
        let value = map.get("memory").unwrap_or_else(|| map.value().clone());
        value.problem("is less than two bodies of limits.body", "raise it, or lower limits.body");
    } else if holds < FEW_BODIES {
        map.value().warn_of(
            "memory",
            format!(
                "holds {holds} bodies of limits.body: a few slow senders of large bodies \
            make the others wait"
            ),
        );
    }
}

pub(super) fn forwarding(value: &Value<'_>) -> Option<Forwarding> {
    let map = value.map(&FORWARDING)?;
    let default = Forwarding::default();
    Some(Forwarding {
        connect: map.or("connect", default.connect, Value::duration),
        keep_alive: map.or("keep_alive", default.keep_alive, keep_alive),
        host: map.or("host", default.host, host),
        trusted_proxies: map.or("trusted_proxies", default.trusted_proxies, |v| {
            Some(v.list_or_empty()?.iter().filter_map(network).collect())
        }),
    })
}

fn keep_alive(value: &Value<'_>) -> Option<Option<Duration>> {
    if value.written() == Some("none") {
        return Some(None);
    }
    value.parse(duration, "write a duration like 4s, or none, which opens a connection for each callback").map(Some)
}

fn host(value: &Value<'_>) -> Option<Host> {
    let read = |text: &str| match text {
        "preserve" => Ok(Host::Preserve),
        "upstream" => Ok(Host::Upstream),
        literal => match (literal.parse::<Authority>(), HeaderValue::from_str(literal)) {
            (Ok(_), Ok(host)) if !literal.contains('@') => Ok(Host::Literal(host)),
            _ => Err("is not a host"),
        },
    };
    value.parse(read, "write preserve, upstream, or a host like shop.example:8443")
}

fn network(value: &Value<'_>) -> Option<IpNet> {
    let read = |text: &str| {
        let single = text.parse::<IpAddr>().map(IpNet::from);
        single.or_else(|_| text.parse()).map_err(|_| "is not a network")
    };
    value.parse(read, "write an address or network like 10.0.0.7 or 10.0.0.0/8")
}

pub(super) fn log(value: &Value<'_>) -> Option<Log> {
    let map = value.map(&LOG)?;
    let default = Log::default();
    Some(Log {
        format: map.optional("format", |v| v.choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)])),
        level: map.or("level", default.level, level),
    })
}

fn level(value: &Value<'_>) -> Option<String> {
    let read = |text: &str| match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is not a log filter"),
    };
    value.parse(read, "write error, warn, info, debug or trace, or a filter like info,tollgate=debug")
}
