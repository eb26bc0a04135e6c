//! What the upstream sees as headers: every one of ours removed from the request, whatever its spelling, and set again
//! from the confirmed payment, last (threats P-08 to P-11).

mod pattern;

use super::decide::Pass;
use super::delivery::Attempt;
use super::event::Event;
use super::reply::X_REQUEST_ID;
use super::sender::{Sender, X_FORWARDED_FOR};
use crate::domain::order::ChannelId;
use crate::domain::secret::Secret;
use crate::journal::Overrides;
use crate::provider::payment::Payment;
use crate::upstream::Upstream;
use crate::upstream::hop::named_by_connection;
use arrayvec::ArrayString;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, FORWARDED, HOST, HeaderName, HeaderValue, InvalidHeaderValue};
use pattern::{Ours, Pattern};
use sha2::Sha256;
use std::fmt::Write;
use std::net::IpAddr;

/// The names of the headers the gate owns (`headers` in config.yaml; docs/config.md has the defaults).
#[derive(Debug, Clone)]
pub struct HeaderNames {
    /// WeChat Pay's `transaction_id`.
    pub transaction_id: HeaderName,
    /// The merchant's number of the order.
    pub out_trade_no: HeaderName,
    /// `total_fee`, in fen.
    pub amount: HeaderName,
    /// `fee_type`.
    pub currency: HeaderName,
    /// `time_end`, as RFC 3339.
    pub paid_at: HeaderName,
    /// `trade_state`: SUCCESS or REFUND.
    pub trade_state: HeaderName,
    /// The channel's name.
    pub channel: HeaderName,
    /// One stable id per order and route: a key for idempotency.
    pub delivery: HeaderName,
    /// 1, 2, 3 ... every time the delivery is sent.
    pub attempt: HeaderName,
    /// Where the delivery comes from: `callback`, `follow-up`, `sweep` or `pending`.
    pub origin: HeaderName,
    /// What a person decided against the rules for this attempt: `amount`, `accepted`, `second-payment`; absent
    /// otherwise.
    pub overrides: HeaderName,
    /// What a callback tells of, if that is not a payment: `refund`.
    pub event: HeaderName,
    /// An HMAC-SHA256 over the values above but for the overrides, for receivers that can check it.
    pub signature: Option<SignatureHeader>,
}

/// The name of the signed header unless configured otherwise.
pub static SIGNATURE_BY_DEFAULT: HeaderName = HeaderName::from_static("x-verified-signature");

impl Default for HeaderNames {
    /// The names of docs/config.md, without a signature, which needs a key.
    fn default() -> Self {
        Self {
            transaction_id: HeaderName::from_static("x-verified-transaction-id"),
            out_trade_no: HeaderName::from_static("x-verified-out-trade-no"),
            amount: HeaderName::from_static("x-verified-total-fee"),
            currency: HeaderName::from_static("x-verified-fee-type"),
            paid_at: HeaderName::from_static("x-verified-time-end"),
            trade_state: HeaderName::from_static("x-verified-trade-state"),
            channel: HeaderName::from_static("x-verified-channel"),
            delivery: HeaderName::from_static("x-tollgate-delivery"),
            attempt: HeaderName::from_static("x-tollgate-attempt"),
            origin: HeaderName::from_static("x-tollgate-origin"),
            overrides: HeaderName::from_static("x-tollgate-override"),
            event: HeaderName::from_static("x-verified-event"),
            signature: None,
        }
    }
}

impl HeaderNames {
    /// The ten that each confirmed request has, in the order in which they are signed.
    fn verified(&self) -> [(&HeaderName, Ours); 10] {
        [
            (&self.transaction_id, Ours::TransactionId),
            (&self.out_trade_no, Ours::OutTradeNo),
            (&self.amount, Ours::Amount),
            (&self.currency, Ours::Currency),
            (&self.paid_at, Ours::PaidAt),
            (&self.trade_state, Ours::TradeState),
            (&self.channel, Ours::Channel),
            (&self.delivery, Ours::Delivery),
            (&self.attempt, Ours::Attempt),
            (&self.origin, Ours::Origin),
        ]
    }

    fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        let sometimes = [&self.overrides, &self.event].into_iter().chain(self.signature.iter().map(|it| &it.name));
        self.verified().map(|(name, _)| name).into_iter().chain(sometimes)
    }
}

/// The header that signs the verified ones.
#[derive(Debug, Clone)]
pub struct SignatureHeader {
    /// The header's name.
    pub name: HeaderName,
    /// The key that it is signed with.
    pub key: Secret,
}

/// What the upstream sees as Host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// The Host field that the sender sent.
    Preserve,
    /// The upstream's own authority.
    Upstream,
    /// This value, of the configuration.
    Literal(HeaderValue),
}

/// What a request's new headers are made from.
#[derive(Debug)]
pub struct Source<'a> {
    /// The sender, behind trusted proxies.
    pub sender: Sender,
    /// The upstream that gets them.
    pub upstream: &'a Upstream,
    /// The value of `X-Request-Id`.
    pub request_id: &'a HeaderValue,
}

/// What the verified headers are made from, beside the payment.
#[derive(Debug)]
pub struct Delivered<'a> {
    /// The channel that confirmed.
    pub channel: &'a ChannelId,
    /// Which delivery, and which attempt of it.
    pub attempt: &'a Attempt,
    /// The rules that a person has overridden for it.
    pub overrides: Overrides,
    /// What it tells of.
    pub event: Event,
}

/// Rewrites headers.
#[derive(Debug)]
pub struct Stamp {
    names: HeaderNames,
    host: Host,
    unwanted: Unwanted,
    /// Of a request that is confirmed.
    verified: Pattern,
    /// And of one that is not.
    unverified: Pattern,
}

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The upstream's answer is judged, and may be told to senders who offered no coding.
const AS_IT_IS: HeaderValue = HeaderValue::from_static("identity");

/// Fields that speak about one connection only (RFC 9110 section 7.6.1), or that would change what the request is: a
/// callback is no part of something, and hangs on no condition (sections 13.1 and 14.2); and the answer is read here.
const NEVER_PASSED: [&str; 29] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "script-name",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-uri",
    "x-original-url",
    "x-request-id",
    "x-rewrite-url",
    "x-forwarded-for",
];

/// Fields by which a proxy in front says who called; believed from a trusted proxy only.
const PASSED_FROM_TRUSTED: [&str; 13] = [
    "cf-connecting-ip",
    "client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-uri",
    "x-real-ip",
];

impl Stamp {
    /// Owns `names`.
    #[must_use]
    pub fn new(names: HeaderNames, host: Host) -> Self {
        let unwanted = Unwanted::new(&names);
        let always = [
            (&HOST, Ours::Host),
            (&X_FORWARDED_FOR, Ours::ForwardedFor),
            (&X_REQUEST_ID, Ours::RequestId),
            (&ACCEPT_ENCODING, Ours::AcceptEncoding),
        ];
        let unverified = Pattern::new(&always);
        let verified = Pattern::new(&[&always[..], &names.verified()].concat());
        Self { names, host, unwanted, verified, unverified }
    }

    /// Makes the headers for the upstream of the received ones. Only a confirmed pass adds verified ones.
    ///
    /// # Errors
    /// If a value cannot stand in a header, which the grammars of the ids and the config check rule out.
    pub fn headers(
        &self,
        received: &HeaderMap,
        source: &Source<'_>,
        pass: &Pass,
        delivered: Option<&Delivered<'_>>,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = match pass.confirmed().zip(delivered) {
            Some((confirmed, delivered)) => self.verified(received, source, confirmed.payment(), delivered)?,
            None => self.unverified.filled(|ours| self.always(ours, received, source))?,
        };
        self.pass_on(received, &mut headers, source.sender);
        // What a proxy says of it has passed, if the proxy is trusted.
        let is_told = |headers: &HeaderMap| headers.contains_key(&X_FORWARDED_PROTO) || headers.contains_key(FORWARDED);
        if !(source.sender.trusted_proxy && is_told(&headers)) {
            let proto = if source.sender.peer.tls { "https" } else { "http" };
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        }
        Ok(headers)
    }

    /// Adds what the sender sent and the upstream may see. Nothing of it has the name of a header that is there.
    fn pass_on(&self, received: &HeaderMap, headers: &mut HeaderMap, sender: Sender) {
        let usual = |name: &&[u8]| matches!(*name, b"close" | b"keep-alive");
        let hop_fields: Vec<&[u8]> = named_by_connection(received).filter(|name| !usual(name)).collect();
        let named =
            |name: &HeaderName| hop_fields.iter().any(|field| field.eq_ignore_ascii_case(name.as_str().as_bytes()));
        for (name, value) in received {
            // Host speaks about the request, whatever Connection says of it, and is there.
            if *name != HOST && self.unwanted.passes(name, sender.trusted_proxy) && !named(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }

    /// The value of a header that every request has.
    fn always(&self, ours: Ours, received: &HeaderMap, source: &Source<'_>) -> Result<HeaderValue, InvalidHeaderValue> {
        Ok(match ours {
            Ours::Host => match (&self.host, received.get(HOST)) {
                (Host::Literal(host), _) => host.clone(),
                (Host::Preserve, Some(host)) => host.clone(),
                // HTTP/1.0 need not name a host, but the upstream is spoken to in HTTP/1.1, which must.
                (Host::Preserve, None) | (Host::Upstream, _) => {
                    HeaderValue::from_str(source.upstream.authority.as_str())?
                }
            },
            Ours::ForwardedFor => forwarded_for(received, source.sender)?,
            Ours::RequestId => source.request_id.clone(),
            Ours::AcceptEncoding => AS_IT_IS,
            _ => HeaderValue::from_static(""),
        })
    }

    fn verified(
        &self,
        received: &HeaderMap,
        source: &Source<'_>,
        payment: &Payment,
        delivered: &Delivered<'_>,
    ) -> Result<HeaderMap, InvalidHeaderValue> {
        let names = &self.names;
        let written = payment.written.get_or_write(payment)?;
        let Attempt { delivery, number, origin } = delivered.attempt;
        let mut headers = self.verified.filled(|ours| {
            Ok(match ours {
                Ours::TransactionId => written.transaction_id.clone(),
                Ours::OutTradeNo => written.out_trade_no.clone(),
                Ours::Amount => written.amount.clone(),
                Ours::Currency => written.currency.clone(),
                Ours::PaidAt => written.paid_at.clone().unwrap_or(HeaderValue::from_static("")),
                Ours::TradeState => HeaderValue::from_static(if payment.refunded { "REFUND" } else { "SUCCESS" }),
                Ours::Channel => HeaderValue::from_str(delivered.channel.as_str())?,
                Ours::Delivery => delivery.clone(),
                Ours::Attempt => match number {
                    Some(number) => HeaderValue::from_str(itoa::Buffer::new().format(*number))?,
                    None => HeaderValue::from_static(""),
                },
                Ours::Origin => HeaderValue::from_static(origin.as_str()),
                Ours::Host | Ours::ForwardedFor | Ours::RequestId | Ours::AcceptEncoding => {
                    return self.always(ours, received, source);
                }
            })
        })?;
        if written.paid_at.is_none() {
            headers.remove(&names.paid_at);
        }
        if number.is_none() {
            headers.remove(&names.attempt);
        }
        if let Event::Refund(_) = delivered.event {
            headers.insert(&names.event, HeaderValue::from_static("refund"));
        }
        if let Some(SignatureHeader { name, key }) = &names.signature {
            let event = headers.get(&names.event).map(Some);
            let signed = names.verified().map(|(name, _)| headers.get(name)).into_iter().chain(event);
            let signature = sign(key, signed)?;
            headers.insert(name, signature);
        }
        if !delivered.overrides.is_empty() {
            headers.insert(&names.overrides, HeaderValue::from_str(&delivered.overrides.to_string())?);
        }
        Ok(headers)
    }
}

/// The sender's address, behind those that a trusted proxy named.
fn forwarded_for(received: &HeaderMap, sender: Sender) -> Result<HeaderValue, InvalidHeaderValue> {
    let address = written(sender.peer.addr.ip());
    if !(sender.trusted_proxy && received.contains_key(&X_FORWARDED_FOR)) {
        return HeaderValue::from_str(&address);
    }
    let mut chain = String::new();
    for hops in received.get_all(&X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()) {
        chain.push_str(hops);
        chain.push_str(", ");
    }
    chain.push_str(&address);
    HeaderValue::from_str(&chain)
}

/// Characters of the longest address: `ffff:...:ffff:255.255.255.255`.
const LONGEST_ADDRESS: usize = 45;

/// Every callback needs it, and formatting through `Display` costs several times as much.
fn written(address: IpAddr) -> ArrayString<LONGEST_ADDRESS> {
    let mut text = ArrayString::new();
    // There is room for every address.
    match address {
        IpAddr::V4(address) => {
            for (position, octet) in address.octets().into_iter().enumerate() {
                let _ = text.try_push_str(if position > 0 { "." } else { "" });
                let _ = text.try_push_str(itoa::Buffer::new().format(octet));
            }
        }
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
    text
}

/// Lower-case hexadecimal HMAC-SHA256 over the ten values in the order of [`HeaderNames`], and the event as the
/// eleventh if it is no payment, each ended by a line feed; an absent one of the ten is an empty line.
fn sign<'v>(
    key: &Secret,
    values: impl Iterator<Item = Option<&'v HeaderValue>>,
) -> Result<HeaderValue, InvalidHeaderValue> {
    // HMAC takes a key of any length, so there is no error to act on; without a key there is no header value either.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else {
        return HeaderValue::from_str("\n");
    };
    for value in values {
        mac.update(value.map_or(&[], HeaderValue::as_bytes));
        mac.update(b"\n");
    }
    HeaderValue::from_str(&hex::encode(mac.finalize().into_bytes()))
}

/// Names that are compared after folding, because backends fold: PHP and CGI map `-`, `_` and `.` to one character and
/// ignore case.
#[derive(Debug)]
struct Unwanted {
    /// By length, since most names are settled by it.
    by_length: Vec<Vec<(Box<[u8]>, Belief)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    Never,
    FromTrusted,
}

impl Unwanted {
    fn new(names: &HeaderNames) -> Self {
        // The default names are never passed either: a backend that still reads one after it was renamed, or before it
        // was configured, must not read a sender's.
        let by_default = HeaderNames::default();
        let ours = names.iter().chain(by_default.iter()).chain([&SIGNATURE_BY_DEFAULT]).map(HeaderName::as_str);
        let never = ours.chain(NEVER_PASSED).map(|name| (name, Belief::Never));
        let all = never.chain(PASSED_FROM_TRUSTED.map(|name| (name, Belief::FromTrusted)));
        let mut by_length: Vec<Vec<(Box<[u8]>, Belief)>> = Vec::new();
        for (name, belief) in all {
            let folded: Box<[u8]> = name.bytes().map(fold).collect();
            if by_length.len() <= folded.len() {
                by_length.resize_with(folded.len() + 1, Vec::new);
            }
            if let Some(bucket) = by_length.get_mut(folded.len()) {
                bucket.push((folded, belief));
            }
        }
        Self { by_length }
    }

    fn passes(&self, name: &HeaderName, trusted: bool) -> bool {
        let name = name.as_str().as_bytes();
        let Some(bucket) = self.by_length.get(name.len()) else { return true };
        let same = |unwanted: &[u8]| unwanted.iter().zip(name).all(|(ours, theirs)| *ours == fold(*theirs));
        match bucket.iter().find(|(unwanted, _)| same(unwanted)) {
            None => true,
            Some((_, Belief::FromTrusted)) => trusted,
            Some((_, Belief::Never)) => false,
        }
    }
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests;
