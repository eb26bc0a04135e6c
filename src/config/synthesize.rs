//! The callbacks to make for paid orders that never called back. They are tried when the file is read: a template that
//! is found to be wrong when an order needs it is found too late.

use super::read::{Map, Section, Value, suggest};
use crate::gate::channel::Channel;
use crate::gate::claim::Carrier;
use crate::gate::path::NotFilled;
use crate::gate::route::Route;
use crate::gate::synthesize::CannotSynthesize;
use crate::gate::template::{BadText, Escape, Synthesize, Template, Text, VARIABLES};
use crate::provider::CannotNotify;
use crate::reconcile::bill::Plan;
use crate::reconcile::pending_orders::Watched;
use hyper::header::{HeaderName, HeaderValue};

pub(super) static SYNTHESIZE: Section =
    Section { name: "routes[].synthesize", keys: &["body", "query", "headers", "content_type"] };

/// What the gate writes itself, or must not be said twice.
const TAKEN: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// A route that others may name, and whether a callback can be made for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct RouteName<'n> {
    pub(super) name: &'n str,
    pub(super) can_be_made: bool,
}

/// What a preset makes needs no words.
pub(super) fn notification(preset: &str, route: &Map<'_>) -> Synthesize {
    if let Some(value) = route.get("synthesize") {
        let remedy = "remove it: the notification is made from WeChat Pay's own answer";
        value.problem(format!("cannot stand beside preset: {preset}"), remedy);
    }
    Synthesize::Notification
}

pub(super) fn template(value: &Value<'_>, carrier: Carrier) -> Option<Synthesize> {
    let map = value.map(&SYNTHESIZE)?;
    if carrier == Carrier::Multipart {
        let remedy =
            "remove it; let found orders go to another route of the order system, such as one with carrier: form";
        value.problem("cannot stand beside carrier: multipart, of which the gate makes no callback", remedy);
        return None;
    }
    let body = map.get("body").map(|v| text(&v, Escape::of(carrier)).ok_or(())).transpose();
    let query = map.get("query").map(|v| text(&v, Escape::Form).ok_or(())).transpose();
    let headers = map.get("headers").map(|v| headers(&v).ok_or(())).transpose();
    let content_type = map.optional("content_type", content_type);
    let by_query = carrier == Carrier::Query;
    let (has_body, has_query) = (map.get("body").is_some(), map.get("query").is_some());
    if by_query && has_body && has_query {
        value.problem("has the query twice, as body and as query", "remove one of them");
    }
    if !(has_body || by_query && has_query) {
        map.required("body", "body: the callback's body, with {{ order }}", |_| Some(()));
    }
    // What is there and cannot be read was reported.
    let (mut body, mut query, headers) = (body.ok()?, query.ok()?, headers.ok()?.unwrap_or_default());
    if by_query {
        // What the route reads is the query, whichever of the two it is called.
        query = query.or(body.take());
    }
    Some(Synthesize::Template(Template { body, query, headers, content_type }))
}

fn text(value: &Value<'_>, escape: Escape) -> Option<Text> {
    let report = |why: BadText| {
        let remedy = match &why {
            // What was read from elsewhere may be a secret.
            _ if value.written().is_some_and(|written| written.starts_with("${")) => {
                return value.problem("is no template that works", "write it here in MiniJinja");
            }
            BadText::UnknownVariable(name) => suggest(name, VARIABLES, &format!("known are {}", VARIABLES.join(", "))),
            _ => "write it in MiniJinja, for instance OrderID={{ order }}".to_owned(),
        };
        value.problem(why.to_string(), remedy);
    };
    Text::parse(value.text()?, escape).map_err(report).ok()
}

fn headers(value: &Value<'_>) -> Option<Vec<(HeaderName, Text)>> {
    let read: Vec<_> = value.entries()?.into_iter().map(|(name, _, value)| header(name, &value)).collect();
    read.into_iter().collect()
}

fn header(name: &str, value: &Value<'_>) -> Option<(HeaderName, Text)> {
    let Ok(header) = name.parse::<HeaderName>() else {
        value.problem("its name is not a header's", "use letters, digits and - as in X-Shop");
        return None;
    };
    if TAKEN.contains(&header.as_str()) {
        value.problem("is a header that the gate writes itself", "remove it; content_type has a key of its own");
        return None;
    }
    Some((header, text(value, Escape::Header)?))
}

fn content_type(value: &Value<'_>) -> Option<HeaderValue> {
    value.parse(|text| HeaderValue::from_str(text).map_err(|_| "is not a header's value"), "write application/json")
}

/// Tries every route with the channels it is needed for: those that are swept for it, and at least one if it has a
/// template or is where pending orders go.
pub(super) fn check(file: &Map<'_>, routes: &[Route], channels: &[(&Channel, Option<&Plan>)], pending: &[Watched]) {
    let report = |at: Option<Value<'_>>, why: &Failure<'_>| {
        at.as_ref().unwrap_or(file.value()).problem(why.what(), why.remedy())
    };
    let written = file.get("channels").map(|channels| channels.peek_keys().len());
    let mut useless = Vec::new();
    // Of a faulty file, what is missing is not missed.
    for route in routes.iter().filter(|_| written == Some(channels.len())) {
        let Err(why) = for_any(route, channels) else { continue };
        if let Some(Synthesize::Template(_)) = route.synthesize {
            report(named(file, "routes", &route.name).and_then(|route| route.peek("synthesize")), &why);
            useless.push(&route.name);
            continue;
        }
        for source in pending.iter().filter(|source| source.route == route.name) {
            report(named(file, "pending_orders", &source.name).and_then(|source| source.peek("route")), &why);
        }
    }
    for (channel, sweep) in channels {
        let Some(route) = sweep.and_then(|sweep| find(routes, &sweep.route)) else { continue };
        if let (Err(why), false) = (for_channel(route, channel), useless.contains(&&route.name)) {
            let at = || file.get("channels")?.peek(channel.id.as_str())?.peek("sweep")?.peek("route");
            report(at(), &why);
        }
    }
}

/// Why a route makes no callbacks of a channel.
struct Failure<'c> {
    channel: &'c Channel,
    why: CannotSynthesize,
}

impl Failure<'_> {
    fn what(&self) -> String {
        format!("makes no callback of channel {}: {}", self.channel.id, self.why)
    }

    fn remedy(&self) -> &'static str {
        match &self.why {
            CannotSynthesize::Path(NotFilled::Unknown(_)) => {
                "a path to fill has {channel}, {order} and {out_trade_no} only"
            }
            CannotSynthesize::Path(NotFilled::NotCanonical) => "take a route whose path does not name this channel",
            CannotSynthesize::Template { why: BadText::Control, .. } => {
                "write it on one line, or with >- and {%- if ... -%} on several"
            }
            CannotSynthesize::Template { .. } | CannotSynthesize::Target => "correct the template",
            CannotSynthesize::Unsigned(_) => {
                "add resign to the route, or name a route with synthesize, or one with preset: wechat and a channel that has its APIv2 key"
            }
            CannotSynthesize::Notification(CannotNotify::NoKey(_)) => {
                "add it to the channel, or name a route whose notifications the channel can make"
            }
            CannotSynthesize::Notification(_)
            | CannotSynthesize::Unreadable(_)
            | CannotSynthesize::Refused(_)
            | CannotSynthesize::ReadsOtherwise { .. } => {
                "let synthesize give what the route's fields and channel rules read"
            }
        }
    }
}

/// Why no channel's callbacks can be made: what stops the first one's.
fn for_any<'c>(route: &Route, channels: &[(&'c Channel, Option<&Plan>)]) -> Result<(), Failure<'c>> {
    let mut first = Ok(());
    for (channel, _) in channels {
        let tried = for_channel(route, channel);
        if tried.is_ok() {
            return tried;
        }
        first = first.and(tried);
    }
    first
}

fn for_channel<'c>(route: &Route, channel: &'c Channel) -> Result<(), Failure<'c>> {
    let Some(synthesize) = &route.synthesize else { return Ok(()) };
    synthesize.check(route, channel).map_err(|why| Failure { channel, why })
}

fn find<'r>(routes: &'r [Route], name: &str) -> Option<&'r Route> {
    routes.iter().find(|route| route.name == name)
}

/// The item of this name in a list of the file.
fn named<'v>(file: &Map<'v>, list: &'static str, name: &str) -> Option<Value<'v>> {
    let items = file.get(list)?.peek_items();
    items.into_iter().find(|item| item.peek("name").and_then(|value| value.written()) == Some(name))
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
                suggest(&name, &known, &format!("name one of the routes: {}", known.join(", "))),
            );
            None
        }
    }
}
