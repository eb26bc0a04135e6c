//! The gate that is in force: a reload puts another in its place, and what is under way goes on with the one it began
//! with.

use super::Gate;
use crate::server::{Arrival, Handler};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use std::sync::Arc;

/// Where callbacks find the gate of the latest configuration.
#[derive(Debug)]
pub struct Current(ArcSwap<Gate>);

impl Current {
    /// Begins with this one.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self(ArcSwap::new(gate))
    }

    /// The one in force now.
    #[must_use]
    pub fn gate(&self) -> Arc<Gate> {
        self.0.load_full()
    }

    /// Puts another in its place, for every callback from now on.
    pub fn replace(&self, gate: Arc<Gate>) {
        self.0.store(gate);
    }
}

impl Handler for Current {
    fn handle(self: Arc<Self>, arrival: Arrival) -> impl Future<Output = Response<Full<Bytes>>> + Send {
        self.gate().handle(arrival)
    }
}
