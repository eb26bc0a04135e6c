//! The request that goes on to the upstream, made of the one that came.

use super::channel::Channel;
use super::claim::Blank;
use super::decide::Pass;
use super::event::Event;
use super::route::{Reading, Route};
use super::sender::Sender;
use super::stamp::{Delivered, Source, Stamp};
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::journal::Overrides;
use crate::observe::traces::Parent;
use crate::provider::Resign;
use crate::server::Peer;
use crate::upstream::Upstream;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, Uri};
use std::sync::Arc;

/// A callback that is to be sent.
#[derive(Debug)]
pub struct UpstreamRequest<'g, 'r> {
    /// The route it came on.
    pub route: &'g Route,
    /// How it is read there.
    pub reading: &'g Reading,
    /// Its channel; observing also sends what names none.
    pub channel: Option<&'g Channel>,
    /// Its order, if that was readable.
    pub order: Option<OrderId>,
    /// Its head as received.
    pub head: &'r Parts,
    /// Its body as received.
    pub body: &'r Bytes,
    /// Where the transaction id can be written.
    pub fill: Option<&'r Blank>,
    /// The connection's other end, which sent it.
    pub peer: Peer,
    /// Its id, the value of `X-Request-Id`.
    pub request_id: &'r HeaderValue,
    /// The span that the attempt is a step of.
    pub trace: Parent,
    /// The rules that a person has overridden for this order.
    pub overrides: Overrides,
    /// Whether it tells of a payment or of a refund.
    pub event: Event,
    /// Whether its account has opened it, so that it may be signed in the provider's stead.
    pub opened: bool,
}

impl<'g> UpstreamRequest<'g, '_> {
    /// What signs it afresh in place of its provider; `None` where it goes on under the signature that it has.
    #[must_use]
    pub fn resign(&self) -> Option<&'g Arc<dyn Resign>> {
        self.route.resign.as_ref().filter(|_| self.opened && self.reading.ages())
    }
}

/// The request for the upstream: same method, same target, same body bytes but for a blank that is filled, and new
/// headers. Where the route signs afresh, it is not signed yet.
pub(super) fn outgoing(
    upstream_request: &UpstreamRequest<'_, '_>,
    pass: &Pass,
    stamp: &Stamp,
    sender: Sender,
    upstream: &Upstream,
    delivered: Option<Delivered<'_>>,
) -> Result<Request<Full<Bytes>>, Reason> {
    let UpstreamRequest { head, body, fill, request_id, .. } = *upstream_request;
    let source = Source { sender, upstream, request_id };
    let headers = stamp.headers(&head.headers, &source, pass, delivered.as_ref());
    let (target, body) = filled(&head.uri, body, fill, pass).ok_or(Reason::InternalError)?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = target;
    *request.headers_mut() = headers.map_err(|_| Reason::InternalError)?;
    Ok(request)
}

/// Target and body as they were received, the blank filled in if there is one and something was confirmed.
fn filled(target: &Uri, body: &Bytes, fill: Option<&Blank>, pass: &Pass) -> Option<(Uri, Bytes)> {
    let (Some(blank), Some(confirmed)) = (fill, pass.confirmed()) else {
        return Some((origin_form(target)?, body.clone()));
    };
    let id = &confirmed.payment().transaction_id;
    if !blank.in_query {
        return Some((origin_form(target)?, Bytes::from(blank.fill(body, id)?)));
    }
    let query = blank.fill(target.query().unwrap_or_default().as_bytes(), id)?;
    let target = [target.path().as_bytes(), b"?", &query].concat();
    Some((Uri::try_from(target).ok()?, body.clone()))
}

fn origin_form(uri: &Uri) -> Option<Uri> {
    if uri.authority().is_none() {
        return Some(uri.clone());
    }
    Uri::builder().path_and_query(uri.path_and_query()?.clone()).build().ok()
}
