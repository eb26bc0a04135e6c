//! What became of one callback, step by step, as spans of OpenTelemetry: which step took how long, and which service before
//! or behind the gate it belongs to.
//!
//! Off unless configured: then there is no span, and every call here is a look at `None`. Spans are handed on by those who do
//! the work, and have nothing to do with the log. Without the feature `otlp` there cannot be any.

#[cfg(feature = "otlp")]
mod export;

#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
#[path = "traces/without.rs"]
mod otlp;

use crate::domain::secret::Secret;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Uri;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where spans go, and how many.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The collector's base, http or https; `/v1/traces` is appended.
    pub endpoint: Uri,
    /// The share of traces that are kept, of those that begin here: from 0 to 1.
    pub sample: f64,
    /// What the collector wants besides, such as a key.
    pub headers: Vec<(HeaderName, Secret)>,
}

/// Whether this program was built so that it can make spans.
pub const BUILT: bool = cfg!(feature = "otlp");

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The program cannot.
    #[error("this program was built without traces")]
    NotBuilt,
    /// The system's certificate authorities could not be read.
    #[error("no certificate authorities to know an https collector by: install ca-certificates, or set SSL_CERT_FILE")]
    Tls(#[from] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client for the collector of traces could not be set up")]
    Http(#[from] reqwest::Error),
}

/// Makes spans, if the configuration names a collector. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<otlp::Tracer>);

/// Something that is being done. It ends when this is dropped.
#[derive(Debug, Default)]
pub struct Span(Option<Box<otlp::Span>>);

/// What further spans belong to. It may outlive the span.
#[derive(Debug, Clone, Default)]
pub struct Parent(Option<Arc<otlp::Parent>>);

/// The headers of W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

impl Traces {
    /// Sends spans as these want it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the client for the collector cannot be set up. Whether there is a collector is not looked at.
    pub fn begin(settings: Option<&Settings>) -> Result<Self, BuildError> {
        settings.map(otlp::Tracer::begin).transpose().map(Self)
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.0.as_ref().map(otlp::Tracer::settings)
    }

    /// A request that came with these headers: what sent it is the parent, if it says so.
    #[must_use]
    pub fn request(&self, name: &'static str, headers: &HeaderMap) -> Span {
        Span(self.0.as_ref().map(|tracer| Box::new(tracer.request(name, headers))))
    }

    /// Work that began by itself, for the sake of a request that had these headers and was answered long ago.
    #[must_use]
    pub fn later(&self, name: &'static str, headers: Option<&HeaderMap>) -> Span {
        Span(self.0.as_ref().map(|tracer| Box::new(tracer.later(name, headers))))
    }

    /// Sends what is there, within `deadline`; afterwards there are no spans.
    pub async fn end(&self, deadline: Duration) {
        if let Some(tracer) = self.0.clone() {
            // It waits for its own thread.
            let _ = tokio::task::spawn_blocking(move || tracer.end(deadline)).await;
        }
    }
}

impl Span {
    /// A step of it.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Self {
        self.parent().child(name)
    }

    /// A request to another service.
    #[must_use]
    pub fn client(&self, name: &'static str) -> Self {
        self.parent().client(name)
    }

    /// Does a step of it that takes no waiting.
    pub fn around<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let _step = self.child(name);
        work()
    }

    /// For those who make further spans elsewhere.
    #[must_use]
    pub fn parent(&self) -> Parent {
        Parent(self.0.as_ref().map(|span| Arc::new(span.parent())))
    }

    /// Whether spans go to a collector.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Sets an attribute of the span. No secret, nothing personal.
    pub fn set(&mut self, key: &'static str, value: impl fmt::Display) {
        if let Some(span) = &mut self.0 {
            span.set(key, value.to_string());
        }
    }

    /// Sets an attribute of the span to a number.
    pub fn set_number(&mut self, key: &'static str, value: impl Into<i64>) {
        if let Some(span) = &mut self.0 {
            span.set_number(key, value.into());
        }
    }

    /// It came to nothing, for a reason that is a fixed word.
    pub fn failed(&mut self, reason: &'static str) {
        if let Some(span) = &mut self.0 {
            span.failed(reason);
        }
    }

    /// Puts itself in the place of what a request belonged to.
    pub fn take_over(&self, headers: &mut HeaderMap) {
        let Some((traceparent, tracestate)) = self.0.as_ref().and_then(|span| span.context()) else { return };
        headers.insert(TRACEPARENT, traceparent);
        match tracestate {
            Some(tracestate) => drop(headers.insert(TRACESTATE, tracestate)),
            None => drop(headers.remove(TRACESTATE)),
        }
    }
}

impl Parent {
    /// A step of it.
    #[must_use]
    pub fn child(&self, name: &'static str) -> Span {
        Span(self.0.as_ref().map(|parent| Box::new(parent.child(name))))
    }

    /// A request to another service.
    #[must_use]
    pub fn client(&self, name: &'static str) -> Span {
        Span(self.0.as_ref().map(|parent| Box::new(parent.client(name))))
    }
}

/// What goes on to another service: `traceparent`, and `tracestate` if there is one.
type Context = (HeaderValue, Option<HeaderValue>);
