//! One host of WeChat Pay.

use super::BuildError;
use crate::provider::wechat::breaker::Breaker;
use reqwest::Url;
use std::sync::Arc;

pub(super) struct Host {
    pub(super) position: usize,
    pub(super) origin: Arc<str>,
    pub(super) order_query: Url,
    pub(super) download_bill: Url,
    pub(super) breaker: Breaker,
    base: Url,
}

impl Host {
    pub(super) fn new(position: usize, origin: &str) -> Result<Self, BuildError> {
        let base = Url::parse(origin).ok().filter(is_origin).ok_or(BuildError::Host(position))?;
        let (order_query, download_bill) = (under(&base, "/pay/orderquery"), under(&base, "/pay/downloadbill"));
        Ok(Self { position, origin: origin.into(), order_query, download_bill, breaker: Breaker::default(), base })
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
        self.base.scheme() == "https"
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
