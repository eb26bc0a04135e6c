//! A callback as it is kept: what it claims, and the request itself, so that it can be sent again byte for byte. An
//! order that never called back is kept like one, whose request is made once it is confirmed.

use super::Origin;
use super::claimed::Claimed;
use super::ids::{DeliveryId, EntryKey};
use crate::domain::money::Money;
use crate::domain::order::TransactionId;
use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use std::net::SocketAddr;
use uuid::Uuid;

/// A callback.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Its `X-Request-Id`.
    pub request_id: Uuid,
    /// The route it came on, by name.
    pub route: String,
    /// What brought it: [`Origin::Callback`], or for an order that never called back where it was found.
    pub origin: Origin,
    /// What it says.
    pub claimed: Claimed,
    /// When the order was made or paid, as the one that named it says.
    pub created_at: Option<Timestamp>,
    /// The request; none yet for an order that never called back and is not confirmed.
    pub request: Option<Request>,
}

/// A request as it was received. It may hold personal data and credentials: it is for sending, and never shown.
#[derive(Clone)]
pub struct Request {
    /// The address that it came from; the port is 0 for a request that the gate made.
    pub peer: SocketAddr,
    /// Whether over TLS.
    pub tls: bool,
    /// Its method.
    pub method: Method,
    /// Its target, as sent.
    pub target: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A payment that WeChat Pay confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// WeChat Pay's number, needed for a refund.
    pub transaction_id: TransactionId,
    /// What was paid.
    pub amount: Money,
    /// When it was paid (WeChat Pay's `time_end`), if that was said.
    pub paid_at: Option<Timestamp>,
    /// A refund was started since.
    pub refunded: bool,
}

impl Callback {
    /// Its entry's key.
    #[must_use]
    pub fn key(&self) -> EntryKey {
        EntryKey::of(&self.route, &self.claimed, self.origin)
    }

    /// Its delivery.
    #[must_use]
    pub fn delivery(&self) -> DeliveryId {
        DeliveryId::of(&self.route, &self.claimed.order)
    }
}

impl Request {
    /// Whether the gate made it: no socket has a peer with the port 0.
    #[must_use]
    pub const fn is_made(&self) -> bool {
        self.peer.port() == 0
    }

    /// Its head, as the gate's steps want it.
    #[must_use]
    pub fn head(&self) -> Parts {
        let (mut head, ()) = hyper::Request::new(()).into_parts();
        head.method = self.method.clone();
        head.uri = self.target.clone();
        head.headers = self.headers.clone();
        head
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = self.body.len();
        f.debug_struct("Request").field("method", &self.method).field("body_bytes", &body).finish_non_exhaustive()
    }
}
