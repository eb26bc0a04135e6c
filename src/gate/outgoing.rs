//! The request that goes on to the upstream, made of the one that came.

use super::Gate;
use super::claim::Blank;
use super::decide::Pass;
use super::delivery::Origin;
use super::route::Route;
use super::stamp;
use super::story::Story;
use crate::reason::Reason;
use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Parts;
use hyper::{Request, Uri};

impl Gate {
    /// The request for the upstream: same method, same target, same body bytes but for a blank that is filled, and new
    /// headers.
    pub(super) fn outgoing(
        &self,
        route: &Route,
        head: Parts,
        body: Bytes,
        fill: Option<&Blank>,
        pass: &Pass,
        story: &Story<'_>,
    ) -> Result<Request<Full<Bytes>>, Reason> {
        let fault = |_| Reason::InternalError;
        let delivered = match (pass.confirmed(), story.order, story.channel) {
            (Some(_), Some(order), Some(channel)) => {
                let sending = self.deliveries.next(&route.name, &order, Origin::Callback);
                Some(stamp::Delivered { channel: &channel.id, sending: sending.map_err(fault)? })
            }
            _ => None,
        };
        let source = stamp::Source {
            sender: self.senders.identify(story.peer),
            upstream: story.channel.map_or(&self.upstream, |channel| &channel.upstream),
            request_id: &story.request_id,
        };
        let (target, body) = filled(&head.uri, body, fill, pass).ok_or(Reason::InternalError)?;
        let headers = self.stamp.headers(head.headers, &source, pass, delivered.as_ref()).map_err(fault)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Target and body as they were received, the blank filled in if there is one and something was confirmed.
fn filled(target: &Uri, body: Bytes, fill: Option<&Blank>, pass: &Pass) -> Option<(Uri, Bytes)> {
    let (Some(blank), Some(confirmed)) = (fill, pass.confirmed()) else { return Some((origin_form(target)?, body)) };
    let id = &confirmed.payment().transaction_id;
    if !blank.in_query {
        return Some((origin_form(target)?, Bytes::from(blank.fill(&body, id)?)));
    }
    let query = blank.fill(target.query().unwrap_or_default().as_bytes(), id)?;
    let target = [target.path().as_bytes(), b"?", &query].concat();
    Some((Uri::try_from(target).ok()?, body))
}

fn origin_form(uri: &Uri) -> Option<Uri> {
    if uri.authority().is_none() {
        return Some(uri.clone());
    }
    Uri::builder().path_and_query(uri.path_and_query()?.clone()).build().ok()
}
