//! Which route a request belongs to: an exact match on the path as it was sent, and on those parameters of the query
//! that a route wants.
//!
//! A path that two programs could read differently is refused rather than normalised, because the legacy system behind
//! might normalise it the other way (threat P-06).

mod query;

mod reading;

pub use query::QueryMatch;
pub use reading::Reading;

use super::claim::Unreadable;
use super::event::Events;
use super::path::{PathPattern, PathValues, is_canonical};
use super::policy::{Duplicates, NumberProof};
use super::reply::Refusal;
use super::template::Synthesize;
use crate::domain::reason::Reason;
use crate::provider::Resign;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use std::sync::Arc;
use std::time::Duration;

/// A path of the legacy system that takes callbacks, and how one is read, judged and answered there.
#[derive(Debug)]
pub struct Route {
    /// Its name in config, logs and metrics.
    pub name: String,
    /// The paths that it matches.
    pub path: PathPattern,
    /// The parameters that the query must have; `match`.
    pub query: QueryMatch,
    /// Which methods it takes.
    pub methods: Vec<Method>,
    /// How callbacks are read.
    pub main: Reading,
    /// How they are read in the other languages of their provider. Which it is, the body's first byte says.
    pub also: Vec<Reading>,
    /// What notifications may tell of that are taken.
    pub events: Events,
    /// What signs notifications whose signature ages, in the provider's stead.
    pub resign: Option<Arc<dyn Resign>>,
    /// How old a provider's signature may be that the order system takes; `None` if it does not look at the time.
    pub upstream_window: Option<Duration>,
    /// How it is proven that the number in a callback is that of the order in it.
    pub number_proof: NumberProof,
    /// From the whole request to the first byte of the answer, if its senders wait longer or shorter than others.
    pub deadline: Option<Duration>,
    /// What becomes of callbacks whose order was accepted before.
    pub duplicates: Duplicates,
    /// How the callback of a paid order is made that never called back, if the gate is told.
    pub synthesize: Option<Synthesize>,
}

/// The routes, in the config's order.
#[derive(Debug)]
pub struct Routes(Vec<Route>);

/// Why no route takes a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A target form that the method does not have (RFC 9112 section 3.2).
    #[error("the request target does not fit the method")]
    Malformed,
    /// An absolute-form target for another authority than Host.
    #[error("the request target names another authority than Host")]
    Misdirected,
    /// A path that changes under normalisation.
    #[error("the path changes under normalisation")]
    NotCanonical,
    /// No such path, or no such query on it.
    #[error("no route has this path and query")]
    Unknown,
    /// The path is there, for other methods: these, for the Allow field. None for CONNECT and `OPTIONS *`.
    #[error("the path does not take this method")]
    Method(Vec<Method>),
}

impl RouteError {
    /// The reason code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Malformed => Reason::RequestMalformed,
            Self::Misdirected => Reason::Misdirected,
            Self::NotCanonical => Reason::TargetNotCanonical,
            Self::Unknown => Reason::RouteUnknown,
            Self::Method(_) => Reason::MethodNotAllowed,
        }
    }
}

impl From<RouteError> for Refusal {
    fn from(error: RouteError) -> Self {
        let allow = match &error {
            RouteError::Method(methods) => {
                let names: Vec<_> = methods.iter().map(Method::as_str).collect();
                HeaderValue::from_str(&names.join(", ")).ok()
            }
            _ => None,
        };
        Self { reason: error.reason(), allow }
    }
}

impl Routes {
    /// These routes; of two that match the same request, which config refuses, the first would be found.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Route> {
        self.0.iter()
    }

    /// The route of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.name == name)
    }

    /// The route of a request, by target and method.
    ///
    /// # Errors
    /// If the target is in a form or spelling that is not taken, or no route has this path and method.
    pub fn find<'h, 'r: 'h>(&'r self, head: &'h Parts) -> Result<(&'r Route, PathValues<'h>), RouteError> {
        let path = target_path(head)?;
        let mut others = Vec::new();
        for route in &self.0 {
            let Some(values) = route.path.matches(path).filter(|_| route.query.takes(head.uri.query())) else {
                continue;
            };
            if route.methods.contains(&head.method) {
                return Ok((route, values));
            }
            others.extend(route.methods.iter().filter(|method| !others.contains(*method)).cloned().collect::<Vec<_>>());
        }
        Err(if others.is_empty() { RouteError::Unknown } else { RouteError::Method(others) })
    }
}

impl Route {
    /// How a callback with this body is read.
    ///
    /// # Errors
    /// If the route takes several languages, and the body is in none of them.
    pub fn reading(&self, body: &[u8]) -> Result<&Reading, Unreadable> {
        if self.also.is_empty() {
            return Ok(&self.main);
        }
        let first = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        let begins = |reading: &&Reading| reading.preset.map(|preset| preset.begins) == first;
        self.readings().find(begins).ok_or_else(|| {
            Unreadable::new(Reason::BodyMalformed, "the body begins as none of the notifications that the route takes")
        })
    }

    /// How a callback is answered whose body is not there or begins as none that the route takes: in the language that
    /// its head names, if it names one.
    #[must_use]
    pub fn reading_of_head(&self, headers: &HeaderMap) -> &Reading {
        if self.also.is_empty() {
            return &self.main;
        }
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.readings().find(|reading| reading.is_named_by(content_type)).unwrap_or(&self.main)
    }

    /// All ways that callbacks are read.
    pub fn readings(&self) -> impl Iterator<Item = &Reading> {
        std::iter::once(&self.main).chain(&self.also)
    }

    /// Whether callbacks are a provider's own notifications.
    #[must_use]
    pub const fn takes_notifications(&self) -> bool {
        self.main.preset.is_some()
    }

    /// What the placeholders of its path stand for in this target; `None` if it is not for this route.
    #[must_use]
    pub fn takes<'h>(&'h self, head: &'h Parts) -> Option<PathValues<'h>> {
        self.path.matches(head.uri.path()).filter(|_| self.query.takes(head.uri.query()))
    }
}

/// The path of a target in origin-form, or in an absolute-form that says the same as Host.
fn target_path(head: &Parts) -> Result<&str, RouteError> {
    if head.method == Method::CONNECT {
        return Err(RouteError::Method(Vec::new()));
    }
    let path = head.uri.path();
    if path == "*" && head.method == Method::OPTIONS {
        return Err(RouteError::Method(Vec::new()));
    }
    if !path.starts_with('/') {
        return Err(RouteError::Malformed);
    }
    if let Some(authority) = head.uri.authority()
        && !is_host(&head.headers, authority.as_str())
    {
        return Err(RouteError::Misdirected);
    }
    if !is_canonical(path) || !head.uri.query().is_none_or(str::is_ascii) {
        return Err(RouteError::NotCanonical);
    }
    Ok(path)
}

fn is_host(headers: &HeaderMap, authority: &str) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
