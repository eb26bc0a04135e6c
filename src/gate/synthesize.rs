//! The callback of a paid order that never called back, made by the gate.
//!
//! WeChat Pay's own notification is made from the answer that proved the payment; any other callback from the route's
//! templates. Whatever is made is read back by the route's own reader before it is used, and must say what is known:
//! a template that is wrong makes no callback, never one about another order (invariant I4).

mod sample;

mod template;

pub use template::{BadText, Escape, Template, Text, VARIABLES};

use super::channel::{Channel, Choose};
use super::claim::Claim;
use super::claim::{Callback, Carrier, Unreadable};
use super::route::{NotFilled, Route};
use crate::domain::clock;
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::Request;
use crate::provider::payment::Payment;
use crate::provider::{CannotNotify, Envelope, Evidence, Notification, Told};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, Uri};
use minijinja::{Value, context};
use std::net::{Ipv4Addr, SocketAddr};

/// How a route's callbacks are made.
#[derive(Debug)]
pub enum Synthesize {
    /// As WeChat Pay's own notification (`wechatpay-v2.md` section 7.6).
    Notification,
    /// As `routes[].synthesize` writes it.
    Template(Template),
}

/// What a callback is made of.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The legacy system's order id; on a route with a preset, the payment's `out_trade_no`.
    pub order: &'a OrderId,
    /// The merchant account that was paid.
    pub channel: &'a Channel,
    /// The payment, confirmed.
    pub payment: &'a Payment,
    /// What proved it.
    pub evidence: &'a Evidence,
}

/// Why no callback can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSynthesize {
    /// The route's path.
    #[error(transparent)]
    Path(#[from] NotFilled),
    /// A template; `part` is its key, such as `headers.x-shop`.
    #[error("its {part} {why}")]
    Template {
        /// The key.
        part: String,
        /// What is wrong.
        why: BadText,
    },
    /// Path and query are no request target.
    #[error("its query has a character that no request target has")]
    Target,
    /// The provider's own notification cannot be made.
    #[error(transparent)]
    Notification(#[from] CannotNotify),
    /// The route's reader refuses what was made.
    #[error("it cannot be read back: {0}")]
    Unreadable(Unreadable),
    /// The gate would refuse it as a notification.
    #[error("it would be refused: {0}")]
    Refused(Reason),
    /// It is read as something other than it was made of.
    #[error("it reads back as {what}")]
    ReadsOtherwise {
        /// `order 1, not 2`.
        what: String,
    },
}

/// The parts of a request that differ from route to route.
struct Made {
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

/// Who sends what nobody sent.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

const AGENT: HeaderValue = HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));

impl Synthesize {
    /// The callback that tells of this payment on `route`, which is the one that this belongs to. It has neither Host
    /// nor Content-Length: these are set when it is sent.
    ///
    /// # Errors
    /// If it cannot be made, or would not be read as what it is made of.
    pub fn request(&self, route: &Route, facts: &Facts<'_>) -> Result<Request, CannotSynthesize> {
        let path = route.path.fill(|placeholder| facts.placeholder(placeholder))?;
        let Made { query, headers, body } = match self {
            Self::Notification => notify(facts)?,
            Self::Template(template) => template.render(&facts.variables(), route.claim.fields().carrier)?,
        };
        let target = match route.query.beside(query) {
            Some(query) if query.is_ascii() => format!("{path}?{query}"),
            Some(_) => return Err(CannotSynthesize::Target),
            None => path,
        };
        let target: Uri = target.parse().map_err(|_| CannotSynthesize::Target)?;
        let request = Request { peer: PEER, tls: false, method: method(route), target, headers, body };
        read_back(route, facts, &request)?;
        Ok(request)
    }

    /// Whether callbacks can be made for orders of `channel` on `route`, tried with made-up payments.
    ///
    /// # Errors
    /// As [`Synthesize::request`].
    pub fn check(&self, route: &Route, channel: &Channel) -> Result<(), CannotSynthesize> {
        for sample in sample::all(route, channel) {
            self.request(route, &sample.facts(channel))?;
        }
        Ok(())
    }

    /// Whether the callbacks of `channel` on `route` carry the number that WeChat Pay knows beside the order id, so that the
    /// number does not tell the order.
    #[must_use]
    pub fn names_the_number(&self, route: &Route, channel: &Channel) -> bool {
        let named = |request: &Request| claim_in(route, request).is_some_and(|claim| claim.out_trade_no.is_some());
        let samples = sample::all(route, channel);
        samples.iter().filter_map(|sample| self.request(route, &sample.facts(channel)).ok()).any(|made| named(&made))
    }
}

impl CannotSynthesize {
    /// The reason code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        Reason::CannotSynthesize
    }
}

impl<'a> Facts<'a> {
    /// What a placeholder of the path stands for.
    fn placeholder(&self, name: &str) -> Option<&'a str> {
        match name {
            "channel" => Some(self.channel.id.as_str()),
            "order" => Some(self.order.as_str()),
            "out_trade_no" => Some(self.payment.out_trade_no.as_str()),
            _ => None,
        }
    }

    /// The values of [`VARIABLES`].
    fn variables(&self) -> Value {
        let Payment { transaction_id, out_trade_no, amount, paid_at, refunded, .. } = self.payment;
        let fen = amount.fen.0;
        context! {
            order => self.order.as_str(),
            out_trade_no => out_trade_no.as_str(),
            transaction_id => transaction_id.as_str(),
            amount => fen,
            amount_yuan => format!("{}.{:02}", fen / 100, fen % 100),
            currency => amount.currency.as_str(),
            paid_at => paid_at.map(clock::rfc3339_beijing).unwrap_or_default(),
            time_end => paid_at.map(clock::time_end).unwrap_or_default(),
            trade_state => if *refunded { "REFUND" } else { "SUCCESS" },
            channel => self.channel.id.as_str(),
            channel_parts => self.channel.id.as_str().split('/').collect::<Value>(),
        }
    }
}

/// The provider's own words, signed as it signs.
fn notify(facts: &Facts<'_>) -> Result<Made, CannotSynthesize> {
    let Notification { content_type, body } = facts.channel.account.notify(facts.payment, facts.evidence)?;
    Ok(Made { query: None, headers: headers(Some(content_type)), body })
}

/// The headers that every callback has which is made.
fn headers(content_type: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(USER_AGENT, AGENT)]);
    headers.extend(content_type.map(|content_type| (CONTENT_TYPE, content_type)));
    headers
}

const fn media_type(carrier: Carrier) -> HeaderValue {
    HeaderValue::from_static(match carrier {
        Carrier::Query | Carrier::Form => "application/x-www-form-urlencoded",
        Carrier::Json => "application/json",
        Carrier::Xml => "text/xml",
        // No template is taken for it.
        Carrier::Multipart => "multipart/form-data",
    })
}

/// The route's first method; with a body, its first that means to have one.
fn method(route: &Route) -> Method {
    let has_body = route.claim.fields().carrier != Carrier::Query;
    let fits = |method: &&Method| has_body && [Method::POST, Method::PUT, Method::PATCH].contains(method);
    route.methods.iter().find(fits).or(route.methods.first()).cloned().unwrap_or(Method::POST)
}

/// Reads the callback as if it had come in, and holds it against what it was made of. It may leave its channel out: it goes
/// to that channel's upstream, where an order id is one order.
fn read_back(route: &Route, facts: &Facts<'_>, request: &Request) -> Result<(), CannotSynthesize> {
    let head = request.head();
    let path = route.takes(&head).ok_or_else(|| otherwise("a request on another path, or with another query"))?;
    let mut read = route.claim.read(&head, &path, &request.body).map_err(CannotSynthesize::Unreadable)?;
    if route.notification {
        let (headers, fields) = (&head.headers, read.xml.as_ref());
        let opened = facts.channel.account.open(&Envelope { headers, body: &request.body, fields, sealed: false });
        match opened.map_err(|unopened| CannotSynthesize::Refused(unopened.reason))?.claim {
            Told::InTheClear { currency } => read.claim.currency = currency,
            Told::Sealed(_) => {}
        }
    }
    let named = route.claim.fields().channel.iter().any(|rule| rule.choose == Choose::Is(facts.channel.id));
    let left_out = |channel: &ChannelId| {
        !named && route.claim.fields().channel.iter().any(|rule| rule.choose == Choose::Is(*channel))
    };
    match read.channel {
        Some(channel) if channel == facts.channel.id || left_out(&channel) => compare(&read, facts),
        other => {
            let other = other.as_ref().map_or("no channel", ChannelId::as_str);
            Err(otherwise(format!("channel {other}, not {}", facts.channel.id)))
        }
    }
}

fn claim_in(route: &Route, request: &Request) -> Option<Claim> {
    let head = request.head();
    let path = route.takes(&head)?;
    route.claim.read(&head, &path, &request.body).ok().map(|read| read.claim)
}

fn compare(read: &Callback<'_>, facts: &Facts<'_>) -> Result<(), CannotSynthesize> {
    let Facts { order, channel, payment, .. } = facts;
    let claim = &read.claim;
    if claim.order != **order {
        return Err(otherwise(format!("order {}, not {order}", claim.order)));
    }
    match channel.number(claim) {
        Ok(number) if number == payment.out_trade_no => {}
        Ok(number) => return Err(otherwise(format!("WeChat Pay's number {number}, not {}", payment.out_trade_no))),
        Err(_) => return Err(otherwise("an order that WeChat Pay can have no number for")),
    }
    if claim.transaction_id.is_some_and(|id| id != payment.transaction_id) {
        return Err(otherwise("another transaction id"));
    }
    let claimed = claim.amount.map(|fen| Money { fen, currency: claim.currency });
    match claimed.filter(|claimed| *claimed != payment.amount) {
        Some(claimed) => Err(otherwise(format!("{claimed}, not {}", payment.amount))),
        None => Ok(()),
    }
}

fn otherwise(what: impl Into<String>) -> CannotSynthesize {
    CannotSynthesize::ReadsOtherwise { what: what.into() }
}

#[cfg(test)]
mod tests;
