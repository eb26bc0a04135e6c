//! The dashboard, the JSON API, metrics and health, on a listener of their own that no callback reaches.
//!
//! | what | is |
//! |---|---|
//! | `/`, `/orders`, `/ledger`, ... | the pages (`page`) |
//! | `/api/...` | the JSON API (`api`) |
//! | `/healthz`, `/readyz` | whether the gate is alive, and can take callbacks in (`health`); for everybody |
//! | `/metrics` | what Prometheus reads (`metrics`) |
//! | `POST /login`, `POST /logout` | a session for browsers (`login`) |
//!
//! It stands on the same `server` as the callbacks, with its limits and deadlines; above that everything is axum. What
//! a request has to bring is said in one place (`guard`). Pages and API ask and act through [`Admin`] alone.

mod accept;

mod access;

mod act;

pub mod api;

mod stale_while_revalidate;

mod attempts;

mod figures;

mod guard;

mod health;

mod held;

mod listener;

mod login;

mod logouts;

mod queries;

mod metrics;

mod overview;

mod page;

mod problem;

pub mod records;

mod replicas;

mod session;

mod signing;

pub use access::{Access, Who};
pub use act::{Action, Asked, Decided, Done, NotDone, needs, told};
pub use health::NotReady;
pub use held::Held;
pub use listener::Listener;
pub use overview::{BudgetLeft, Overview};
pub(crate) use page::reason_in_chinese;
pub use queries::Unread;
pub use replicas::Replicas;
pub use signing::ChannelKeys;

use crate::domain::config_status::ConfigStatus;
use crate::gate::current::Current;
use crate::journal::{Archive, Figures, Replica, Shared};
use crate::server;
use arc_swap::ArcSwap;
use attempts::Attempts;
use axum::Router;
use health::Readiness;
use logouts::Logouts;
use overview::Day;
use stale_while_revalidate::StaleWhileRevalidate;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Ceilings on what a client can make the admin listener hold or wait for. When all connections are taken, the one that
/// is silent longest gives way to the next.
pub const LIMITS: server::Limits = server::Limits {
    body: 64 * 1024,
    memory: 16 * 1024 * 1024,
    head: 16 * 1024,
    headers: 64,
    connections: 256,
    head_timeout: Duration::from_secs(5),
    body_timeout: Duration::from_secs(10),
    // A page over a slow line.
    answer_timeout: Duration::from_secs(60),
    idle_timeout: Duration::from_secs(60),
};

/// What pages and API know and can do.
#[derive(Debug)]
pub struct Admin {
    gate: Arc<Current>,
    archive: Option<Arc<dyn Archive>>,
    shared: Option<Arc<dyn Shared>>,
    config_status: watch::Receiver<ConfigStatus>,
    access: ArcSwap<Access>,
    attempts: Attempts,
    readiness: Readiness,
    figures: StaleWhileRevalidate<Figures>,
    day: StaleWhileRevalidate<Day>,
    held: StaleWhileRevalidate<Held>,
    replicas: StaleWhileRevalidate<Vec<Replica>>,
    logouts: Logouts,
}

impl Admin {
    /// Shows this gate and its journal, and what gates share that work on it, to those whom `access` lets.
    #[must_use]
    pub fn new(
        gate: Arc<Current>,
        archive: Option<Arc<dyn Archive>>,
        shared: Option<Arc<dyn Shared>>,
        config_status: watch::Receiver<ConfigStatus>,
        access: Access,
    ) -> Self {
        let access = ArcSwap::from_pointee(access);
        Self {
            gate,
            archive,
            shared,
            config_status,
            access,
            attempts: Attempts::default(),
            readiness: Readiness::default(),
            figures: StaleWhileRevalidate::default(),
            day: StaleWhileRevalidate::default(),
            held: StaleWhileRevalidate::default(),
            replicas: StaleWhileRevalidate::default(),
            logouts: Logouts::default(),
        }
    }

    /// Lets others in from now on, as a new configuration says; sessions under another token end.
    pub fn let_in(&self, access: Access) {
        self.access.store(Arc::new(access.after(&self.access.load())));
    }

    /// Which configuration is in force.
    #[must_use]
    pub fn config_status(&self) -> ConfigStatus {
        self.config_status.borrow().clone()
    }

    /// Everything it answers, on whatever it is served.
    pub fn router(self: Arc<Self>) -> Router {
        let routes = Router::new()
            .merge(health::routes())
            .merge(login::routes())
            .merge(metrics::routes())
            .merge(api::routes())
            .merge(page::routes())
            .fallback(problem::not_found);
        guard::around(routes, self)
    }
}
