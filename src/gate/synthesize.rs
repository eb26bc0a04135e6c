//! The callback of a paid order that never called back, made by the gate.
//!
//! WeChat Pay's own notification is made from the answer that proved the payment; any other callback from the route's
//! templates. Whatever is made is read back by the route's own reader before it is used, and must say what is known:
//! a template that is wrong makes no callback, never one about another order (invariant I4).

mod sample;

use super::channel::Channel;
use super::claim::{Carrier, Choose, Unreadable};
use super::intake::Intake;
use super::path::NotFilled;
use super::route::{Reading, Route};
use super::template::{BadPart, BadText, Made, Synthesize, headers};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::{Claimed, DeliveryId, Request};
use crate::provider::payment::Payment;
use crate::provider::{CannotNotify, Evidence, Notification, ToNotify};
use hyper::{Method, Uri};
use jiff::Timestamp;
use minijinja::{Value, context};
use std::net::{Ipv4Addr, SocketAddr};

/// What a callback is made of.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The legacy system's order id; on a route with a preset, the payment's `out_trade_no`.
    pub order: &'a OrderId,
    /// The merchant account that was paid.
    pub channel: &'a Channel,
    /// The confirmed payment.
    pub payment: &'a Payment,
    /// The provider's proof of the payment.
    pub evidence: &'a Evidence,
    /// The time of day.
    pub at: Timestamp,
}

/// Why no callback can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotSynthesize {
    /// A placeholder of the route's path has no value.
    #[error(transparent)]
    Path(#[from] NotFilled),
    /// A template; `part` is its key, such as `headers.x-shop`.
    #[error("its {part} {why}")]
    Template {
        /// The template's key.
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
    /// It could be, and nothing would sign it.
    #[error("the route has no resign, which signs a {0} notification that the gate makes")]
    Unsigned(&'static str),
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

/// The peer of a callback that the gate made.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Synthesize {
    /// The callback that tells of this payment on `route`, which is the one that this belongs to. It has neither Host
    /// nor Content-Length: these are set when it is sent.
    ///
    /// # Errors
    /// If it cannot be made, or would not be read as what it is made of.
    pub fn request(&self, route: &Route, facts: &Facts<'_>) -> Result<Request, CannotSynthesize> {
        let path = route.path.fill(|placeholder| facts.placeholder(placeholder))?;
        let Made { query, headers, body } = match self {
            Self::Notification => notify(route, facts)?,
            Self::Template(template) => {
                let made = template.render(&facts.variables(), route.main.claim.fields().carrier);
                made.map_err(|BadPart { part, why }| CannotSynthesize::Template { part, why })?
            }
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

    /// Whether the callbacks of `channel` on `route` carry the number that WeChat Pay knows beside the order id, so
    /// that the number does not tell the order.
    #[must_use]
    pub fn names_the_number(&self, route: &Route, channel: &Channel) -> bool {
        let named = |request: &Request| names_number(route, request) == Some(true);
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

    /// The values of [`VARIABLES`](super::template::VARIABLES).
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

/// The provider's own words, in the first of the route's languages that they can be made in.
fn notify(route: &Route, facts: &Facts<'_>) -> Result<Made, CannotSynthesize> {
    let mut why = None;
    for reading in route.readings() {
        match notify_in(reading, route, facts) {
            Ok(Notification { headers: its_own, body }) => {
                let mut headers = headers(None);
                headers.extend(its_own);
                return Ok(Made { query: None, headers, body });
            }
            Err(error) => why = why.or(Some(error)),
        }
    }
    Err(why.unwrap_or(CannotNotify::Sign.into()))
}

/// In one language. What is signed is signed as the provider signs it; where signatures age, the route's key does so
/// when it is sent.
fn notify_in(reading: &Reading, route: &Route, facts: &Facts<'_>) -> Result<Notification, CannotSynthesize> {
    let Facts { payment, evidence, .. } = *facts;
    let preset = reading.preset.ok_or(CannotNotify::Sign)?;
    if reading.ages() && route.resign.is_none() {
        return Err(CannotSynthesize::Unsigned(preset.name));
    }
    let (id, at) = (DeliveryId::of(&route.name, facts.order).0, facts.at);
    Ok(facts.channel.account.notify(&ToNotify { preset, payment, evidence, id, at })?)
}

/// The route's first method; with a body, its first that means to have one.
fn method(route: &Route) -> Method {
    let has_body = route.main.claim.fields().carrier != Carrier::Query;
    let fits = |method: &&Method| has_body && [Method::POST, Method::PUT, Method::PATCH].contains(method);
    route.methods.iter().find(fits).or(route.methods.first()).cloned().unwrap_or(Method::POST)
}

/// Reads the callback as if it had come in, and holds it against what it was made of.
fn read_back(route: &Route, facts: &Facts<'_>, request: &Request) -> Result<(), CannotSynthesize> {
    let head = request.head();
    let path = route.takes(&head).ok_or_else(|| otherwise("a request on another path, or with another query"))?;
    let intake = Intake::read(route, &path, &head, &request.body, facts.at).map_err(CannotSynthesize::Unreadable)?;
    selects(&intake, route, facts.channel)?;
    intake.claim().map_or(Ok(()), |claim| is_order(&claim.order, facts))?;
    let read = intake.open_made(facts.channel).map_err(|unopened| match route.takes_notifications() {
        true => CannotSynthesize::Refused(unopened.reason),
        false => otherwise("an order that WeChat Pay can have no number for"),
    })?;
    compare(&read.claimed, facts)
}

/// Whether the callback is of this channel. It may leave its channel out: it goes to that channel's upstream, where an
/// order id is one order.
fn selects(intake: &Intake<'_>, route: &Route, channel: &Channel) -> Result<(), CannotSynthesize> {
    let names =
        |channel: &ChannelId| route.main.claim.fields().channel.iter().any(|rule| rule.choose == Choose::Is(*channel));
    match intake.selected() {
        _ if intake.selects(channel) => Ok(()),
        Some(other) if !names(&channel.id) && names(&other) => Ok(()),
        other => {
            let other = other.as_ref().map_or("no channel", ChannelId::as_str);
            Err(otherwise(format!("channel {other}, not {}", channel.id)))
        }
    }
}

fn is_order(read: &OrderId, facts: &Facts<'_>) -> Result<(), CannotSynthesize> {
    let order = facts.order;
    if read == order { Ok(()) } else { Err(otherwise(format!("order {read}, not {order}"))) }
}

fn compare(read: &Claimed, facts: &Facts<'_>) -> Result<(), CannotSynthesize> {
    let payment = facts.payment;
    is_order(&read.order, facts)?;
    if read.out_trade_no != payment.out_trade_no {
        let number = read.out_trade_no;
        return Err(otherwise(format!("WeChat Pay's number {number}, not {}", payment.out_trade_no)));
    }
    if read.transaction_id.is_some_and(|id| id != payment.transaction_id) {
        return Err(otherwise("another transaction id"));
    }
    match read.amount.filter(|amount| *amount != payment.amount) {
        Some(amount) => Err(otherwise(format!("{amount}, not {}", payment.amount))),
        None => Ok(()),
    }
}

/// Whether a callback carries the number that WeChat Pay knows beside the order id.
fn names_number(route: &Route, request: &Request) -> Option<bool> {
    let head = request.head();
    let path = route.takes(&head)?;
    let intake = Intake::read(route, &path, &head, &request.body, Timestamp::UNIX_EPOCH).ok()?;
    Some(intake.claim().is_none_or(|claim| claim.out_trade_no.is_some()))
}

fn otherwise(what: impl Into<String>) -> CannotSynthesize {
    CannotSynthesize::ReadsOtherwise { what: what.into() }
}

#[cfg(test)]
mod tests;
