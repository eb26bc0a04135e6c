//! What the file says about features that this version does not have. It is checked like the rest, so that a file
//! written today is right on the day they come.

use super::TlsFiles;
use super::pending::PendingOrders;
use super::read::{Section, Value, is_loopback};
use super::settings;
use crate::order::ChannelId;
use crate::secret::Secret;
use jiff::civil::Time;
use std::net::SocketAddr;

/// Everything that is checked and not used yet.
#[derive(Debug)]
pub struct Later {
    /// Dashboard, API, metrics, health.
    pub admin: Option<Admin>,
    /// Where orders wait for payment.
    pub pending_orders: Vec<PendingOrders>,
    /// Channels whose bill is compared every night.
    pub sweeps: Vec<(ChannelId, Sweep)>,
    /// What channels do with a second verified payment of the same order, where they say.
    pub second_payments: Vec<(ChannelId, SecondPayment)>,
    /// By route name, the body of the callback to make for a paid order that never called back.
    pub synthesize: Vec<(String, String)>,
}

/// The admin listener.
#[derive(Debug)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its users bring; always there beyond loopback.
    pub token: Option<Secret>,
    /// Always there beyond loopback.
    pub tls: Option<TlsFiles>,
}

/// The nightly comparison with WeChat Pay's bill.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The route to deliver to.
    pub route: String,
    /// When, Beijing time.
    pub at: Time,
    /// How many days back.
    pub days: u8,
}

/// A second verified payment of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondPayment {
    /// An operator looks.
    Park,
    /// It goes through.
    Forward,
}

/// A route that others may name, and whether a callback can be made for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteName<'n> {
    pub(super) name: &'n str,
    pub(super) can_be_made: bool,
}

pub(super) static ADMIN: Section = Section { name: "admin", keys: &["listen", "token", "tls"] };
pub(super) static SWEEP: Section = Section { name: "channels.NAME.sweep", keys: &["route", "at", "days"] };
pub(super) static SYNTHESIZE: Section = Section { name: "routes[].synthesize", keys: &["body"] };

/// Shorter tokens can be guessed.
const MIN_TOKEN: usize = 16;
/// Half an hour after the bill of the day before is there.
const SWEEP_AT: Time = Time::constant(10, 30, 0, 0);
const SWEEP_DAYS: u8 = 3;

pub(super) fn admin(value: &Value<'_>) -> Option<Admin> {
    let map = value.map(&ADMIN)?;
    let listen = map.required("listen", "listen: 127.0.0.1:8081", Value::address);
    let token = map.optional("token", token);
    let tls = map.optional("tls", settings::tls);
    let open = listen.is_some_and(|listen| !is_loopback(&listen.ip().to_string()));
    if let (true, Some(at)) = (open, map.get("listen")) {
        for key in ["token", "tls"] {
            if map.get(key).is_none() {
                at.problem(
                    format!("is not loopback and has no admin.{key}"),
                    format!("add {key}, or listen on 127.0.0.1"),
                );
            }
        }
    }
    Some(Admin { listen: listen?, token, tls })
}

fn token(value: &Value<'_>) -> Option<Secret> {
    let token = value.secret()?;
    let text = token.expose();
    if text.len() < MIN_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        value.problem("is not 16 or more visible ASCII characters", "make one with: openssl rand -hex 32");
    }
    Some(token)
}

pub(super) fn sweep(value: &Value<'_>, routes: &[RouteName<'_>]) -> Option<Sweep> {
    let map = value.map(&SWEEP)?;
    let route = map.required("route", "route: the name of the route to deliver to", |v| target(v, routes));
    let at = map.or("at", SWEEP_AT, |v| {
        let read = |text: &str| Time::strptime("%H:%M", text).map_err(|_| "is not a time of day");
        v.parse(read, "write \"10:30\"; it is Beijing time, and bills are ready from 10:00")
    });
    let days = map.or("days", SWEEP_DAYS, |v| v.number(1..=90));
    Some(Sweep { route: route?, at, days })
}

/// The body's template.
pub(super) fn synthesize(value: &Value<'_>) -> Option<String> {
    value.map(&SYNTHESIZE)?.required("body", "body: the callback's body, with {{ order }}", Value::text)
}

/// A route for which the gate can make callbacks.
pub(super) fn target(value: &Value<'_>, routes: &[RouteName<'_>]) -> Option<String> {
    let name = value.text()?;
    match routes.iter().find(|route| route.name == name) {
        Some(route) if route.can_be_made => Some(name),
        Some(_) => {
            value.problem("names a route without synthesize", "say there which callback to make for a paid order");
            None
        }
        // That there are no routes is reported where they are missing.
        None if routes.is_empty() => None,
        None => {
            let known: Vec<&str> = routes.iter().map(|route| route.name).collect();
            value.problem(
                "is no route",
                super::read::suggest(&name, &known, &format!("name one of the routes: {}", known.join(", "))),
            );
            None
        }
    }
}
