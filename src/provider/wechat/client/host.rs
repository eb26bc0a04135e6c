//! One host of WeChat Pay.

use super::BuildError;
use crate::net::http_client::USER_AGENT;
use crate::net::pool::Pool;
use crate::provider::wechat::breaker::Breaker;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper::{Method, Request};
use reqwest::Url;
use std::sync::Arc;

pub(super) struct Host {
    pub(super) position: usize,
    pub(super) origin: Arc<str>,
    /// Where API v2 is asked for an order.
    pub(super) order_query: PathAndQuery,
    pub(super) download_bill: Url,
    pub(super) breaker: Breaker,
    /// Connections for order queries that wait for the next one.
    pub(super) kept: Pool,
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// The same as a header.
    named: HeaderValue,
    base: Url,
}

impl Host {
    pub(super) fn new(position: usize, origin: &str) -> Result<Self, BuildError> {
        let base = Url::parse(origin).ok().filter(is_origin).ok_or(BuildError::Host(position))?;
        let bad = |_| BuildError::Host(position);
        let authority = Authority::try_from(base.authority()).map_err(bad)?;
        let order_query = PathAndQuery::try_from(under(&base, "/pay/orderquery").path()).map_err(bad)?;
        Ok(Self {
            position,
            origin: origin.into(),
            order_query,
            download_bill: under(&base, "/pay/downloadbill"),
            breaker: Breaker::default(),
            kept: Pool::default(),
            scheme: if base.scheme() == "https" { Scheme::HTTPS } else { Scheme::HTTP },
            named: HeaderValue::try_from(authority.as_str()).map_err(|_| BuildError::Host(position))?,
            authority,
            base,
        })
    }

    /// A request for this host, without what only this one wants.
    pub(super) fn request(&self, method: Method, target: PathAndQuery, accept: HeaderValue) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::default());
        (*request.method_mut(), *request.uri_mut()) = (method, Uri::from(target));
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.named.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::ACCEPT, accept);
        request
    }

    /// A path and query of API v3 as it is sent to this host; `None` if it is none.
    pub(super) fn target(&self, target: &str) -> Option<PathAndQuery> {
        match self.base.path().trim_end_matches('/') {
            "" => PathAndQuery::try_from(target).ok(),
            base => PathAndQuery::try_from(format!("{base}{target}")).ok(),
        }
    }

    /// Where a path and query of API v3 are on this host; what is signed is what this says.
    pub(super) fn url(&self, target: &str) -> Url {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut url = under(&self.base, path);
        url.set_query(query);
        url
    }

    /// Whether the host is asked over TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Whether a URL leads to this host and no other.
    pub(super) fn has(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none()
    }
}

fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

fn is_origin(url: &Url) -> bool {
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    bare && matches!(url.scheme(), "http" | "https")
}
