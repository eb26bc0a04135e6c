//! The request that goes on to the upstream, made of the one that came.

use super::claim::Blank;
use super::decide::Pass;
use super::deliver::UpstreamRequest;
use super::{Gate, stamp};
use crate::domain::reason::Reason;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Uri};

impl Gate {
    /// The request for the upstream: same method, same target, same body bytes but for a blank that is filled, and new
    /// headers.
    pub(super) fn outgoing(
        &self,
        parcel: UpstreamRequest<'_>,
        pass: &Pass,
        sending: Option<stamp::Delivered<'_>>,
    ) -> Result<Request<Full<Bytes>>, Reason> {
        let source = stamp::Source {
            sender: self.senders.identify(parcel.peer),
            upstream: self.upstream_of(&parcel),
            request_id: &parcel.request_id,
        };
        let UpstreamRequest { head, body, fill, .. } = parcel;
        let (target, body) = filled(&head.uri, body, fill.as_ref(), pass).ok_or(Reason::InternalError)?;
        let headers = self.stamp.headers(head.headers, &source, pass, sending.as_ref());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = head.method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers.map_err(|_| Reason::InternalError)?;
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
