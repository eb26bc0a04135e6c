//! The way to the legacy system: one attempt, with a deadline, and an error that says whether the upstream may have
//! seen it. It does not retry a request of which a byte was sent; only the sender, the journal, or a caller that counts
//! it as another attempt may do that (threats D-05, D-06).

pub mod coding;

pub mod health;

// Which fields are for one connection only.
pub mod hop;

mod target;

// Whether an upstream is there at all.
pub mod reach;

pub mod standing;

use crate::domain::quick_map::QuickMap;
use crate::domain::reason::Reason;
use crate::net::connection::{Answer, Bound, Connection, ExchangeError, Failure};
use crate::net::connector::{Connector, Unreachable};
use crate::net::pool;
use bytes::Bytes;
use health::UpstreamHealth;
use hop::named_by_connection;
use http_body_util::Full;
use hyper::header::HeaderName;
use hyper::http::uri::{Authority, Scheme, Uri};
use hyper::{HeaderMap, Request, StatusCode};
use standing::Standing;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use target::Target;
use tokio::time::Instant;

/// A legacy system's origin: scheme and authority, without a path, since a callback keeps its own target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// http or https, nothing else.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
}

/// Why a text is not an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUpstream {
    /// Not a URL with a host.
    #[error("is not a URL like http://127.0.0.1:5000")]
    Url,
    /// Neither http nor https.
    #[error("is neither http:// nor https://")]
    Scheme,
    /// Something behind the authority.
    #[error("has a path, query or user, but a callback keeps its own path: write scheme, host and port only")]
    Path,
}

impl Upstream {
    /// Reads `http://host:port`.
    ///
    /// # Errors
    /// If it is no http or https origin.
    pub fn parse(text: &str) -> Result<Self, BadUpstream> {
        let uri: Uri = text.parse().map_err(|_| BadUpstream::Url)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(BadUpstream::Url) };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(BadUpstream::Scheme);
        }
        if authority.as_str().contains('@') || parts.path_and_query.is_some_and(|path| path != "/") {
            return Err(BadUpstream::Path);
        }
        if authority.host().is_empty() || authority.as_str().ends_with(':') {
            return Err(BadUpstream::Url);
        }
        Ok(Self { scheme, authority })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The upstream's own answer.
#[derive(Debug, Clone)]
pub struct UpstreamAnswer {
    /// The status code, unchanged.
    pub status: StatusCode,
    /// Its headers, less those that speak about the connection, or about a content coding that was undone.
    pub headers: HeaderMap,
    /// Its body, byte for byte, a content coding undone.
    pub body: Bytes,
}

/// The largest answer taken from an upstream. A sender wants an acknowledgement, not a page.
pub const LARGEST_ANSWER: usize = 1024 * 1024;

/// Whatever its status, an answer is the sender's.
const BOUND: Bound = |_| Some(LARGEST_ANSWER);

/// Why a request has no answer.
#[derive(Debug)]
pub struct Unanswered {
    /// One of the upstream reasons. Only [`Reason::UpstreamUnreachable`] means that the upstream saw nothing.
    pub reason: Reason,
    /// Whether the request was written to a kept connection that ended before a byte of an answer came. Most likely the
    /// upstream had closed it before, so it may be sent once more, [afresh](To::send_afresh).
    pub again: bool,
}

impl From<Reason> for Unanswered {
    fn from(reason: Reason) -> Self {
        Self { reason, again: false }
    }
}

impl From<Unreachable> for Reason {
    fn from(_: Unreachable) -> Self {
        Self::UpstreamUnreachable
    }
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout => Self::UpstreamTimeout,
            Failure::TooLarge => Self::UpstreamAnswerTooLarge,
            Failure::Broken(_) => Self::UpstreamBroke,
        }
    }
}

/// Sends to upstreams, on connections it keeps open.
#[derive(Debug)]
pub struct Forward {
    connector: Arc<Connector>,
    /// How long a connection may wait for the next callback; `None` if none may.
    keep_alive: Option<Duration>,
    targets: QuickMap<Upstream, Arc<Target>>,
}

/// One of the upstreams, found once for all that a delivery has to do with it.
#[derive(Debug, Clone, Copy)]
pub struct To<'f> {
    forward: &'f Forward,
    upstream: &'f Upstream,
    target: &'f Target,
}

impl Forward {
    /// For these upstreams. `connect` is the time for connecting, TLS included; `keep_alive` is how long a connection
    /// may wait for the next callback, `None` if none may. Connections that one `before` keeps open are used on.
    ///
    /// # Errors
    /// If an upstream is https and this machine's trusted certificates cannot be read.
    pub fn new(
        upstreams: impl IntoIterator<Item = Upstream>,
        connect: Duration,
        keep_alive: Option<Duration>,
        before: Option<&Self>,
    ) -> Result<Self, rustls::Error> {
        let target =
            |upstream: &Upstream| before.and_then(|before| before.targets.get(upstream)).cloned().unwrap_or_default();
        let targets: QuickMap<_, _> =
            upstreams.into_iter().map(|upstream| (upstream.clone(), target(&upstream))).collect();
        let with_tls = targets.keys().any(|upstream| upstream.scheme == Scheme::HTTPS);
        // Reading the system's certificates takes long, and callbacks go on meanwhile.
        let connector = match before.filter(|before| before.connector.does(connect, with_tls)) {
            Some(before) => Arc::clone(&before.connector),
            None => Arc::new(Connector::new(connect, with_tls)?),
        };
        Ok(Self { connector, keep_alive, targets })
    }

    /// The way to an upstream; `None` if it is not one of these.
    #[must_use]
    pub fn to(&self, upstream: &Upstream) -> Option<To<'_>> {
        let (upstream, target) = self.targets.get_key_value(upstream)?;
        Some(To { forward: self, upstream, target })
    }

    /// How many callbacks were sent to an upstream so far while their senders waited.
    #[must_use]
    pub fn fresh(&self, upstream: &Upstream) -> u64 {
        self.targets.get(upstream).map_or(0, |target| target.fresh.load(Ordering::Relaxed))
    }

    /// How every upstream is, by name.
    #[must_use]
    pub fn health(&self) -> Vec<UpstreamHealth> {
        let health =
            |(upstream, target): (&Upstream, &Arc<Target>)| target.standing(|it| target.seen.health(upstream, it));
        let mut all: Vec<_> = self.targets.iter().map(health).collect();
        all.sort_by_cached_key(|health| health.upstream.to_string());
        all
    }

    /// Reads or changes how an upstream stands; `None` if it is not one of these. A lock is held meanwhile.
    pub fn standing<T>(&self, upstream: &Upstream, look: impl FnOnce(&mut Standing) -> T) -> Option<T> {
        self.targets.get(upstream).map(|target| target.standing(look))
    }

    /// Whether an upstream takes nothing at the moment, as far as is known.
    #[must_use]
    pub fn is_failing(&self, upstream: &Upstream) -> bool {
        self.standing(upstream, |standing| standing.failing_since().is_some()).unwrap_or(false)
    }
}

impl To<'_> {
    /// Counts a callback whose sender waits.
    pub fn count_fresh(&self) {
        self.target.fresh.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads or changes how the upstream stands. A lock is held meanwhile.
    pub fn standing<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        self.target.standing(look)
    }

    /// Sends `request`, whose target is in origin form, once.
    ///
    /// # Errors
    /// Why there is no answer. The upstream is not said to have failed where the request may be sent once more.
    pub async fn send(&self, request: Request<Full<Bytes>>, deadline: Instant) -> Result<UpstreamAnswer, Unanswered> {
        self.target.told(self.exchange(request, deadline).await)
    }

    /// Sends `request` on a connection of its own that had no request before.
    ///
    /// # Errors
    /// Why there is no answer; it cannot be sent once more.
    pub async fn send_afresh(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<UpstreamAnswer, Unanswered> {
        self.target.told(self.exchange_afresh(request, deadline).await.map_err(Unanswered::from))
    }

    async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<UpstreamAnswer, Unanswered> {
        // A kept connection that the upstream was seen to have closed gives the request back unsent, which is no retry.
        while let Some(mut connection) = self.target.pool.take(self.forward.keep_alive) {
            match connection.exchange(request, BOUND, deadline).await {
                Ok(answer) => return Ok(self.keep(connection, answer)?),
                Err(ExchangeError::Unsent(unsent)) => request = *unsent,
                Err(ExchangeError::Unanswered(_)) => {
                    return Err(Unanswered { reason: Reason::UpstreamBroke, again: true });
                }
                Err(ExchangeError::Failed(failure)) => return Err(Reason::from(failure).into()),
            }
        }
        Ok(self.exchange_afresh(request, deadline).await?)
    }

    async fn exchange_afresh(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<UpstreamAnswer, Reason> {
        let upstream = self.upstream;
        let mut connection = self.forward.connector.connect(&upstream.scheme, &upstream.authority, deadline).await?;
        match connection.exchange(request, BOUND, deadline).await {
            Ok(answer) => self.keep(connection, answer),
            Err(ExchangeError::Unsent(_)) => Err(Reason::UpstreamUnreachable),
            Err(ExchangeError::Unanswered(_)) => Err(Reason::UpstreamBroke),
            Err(ExchangeError::Failed(failure)) => Err(failure.into()),
        }
    }

    /// Keeps the connection as long as both sides want it, and what was answered without what speaks about it, legible.
    fn keep(&self, connection: Connection, answer: Answer) -> Result<UpstreamAnswer, Reason> {
        self.target.pool.keep(connection, pool::limit(self.forward.keep_alive, &answer.headers));
        let Answer { status, headers, body } = answer;
        let mut headers = without_connection_fields(headers);
        let body = coding::undo(&mut headers, body).map_err(|illegible| {
            tracing::warn!(upstream = %self.upstream, status = status.as_u16(), "the body of an answer {illegible}");
            illegible.reason()
        })?;
        Ok(UpstreamAnswer { status, headers, body })
    }
}

/// Whether a field of an answer speaks about the upstream's connection only (RFC 9110 section 7.6.1).
fn is_of_the_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn without_connection_fields(mut headers: HeaderMap) -> HeaderMap {
    if !headers.keys().any(is_of_the_connection) {
        return headers;
    }
    let named = named_by_connection(&headers).filter_map(|name| HeaderName::from_bytes(name).ok());
    let unwanted: Vec<HeaderName> =
        named.chain(headers.keys().filter(|name| is_of_the_connection(name)).cloned()).collect();
    for name in unwanted {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests;
