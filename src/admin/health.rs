//! Is the gate alive, and can it take callbacks in? For whoever looks after processes, so without a token; that WeChat
//! Pay or the order system is down is no reason to restart the gate.

use super::Admin;
use super::problem::Problem;
use crate::gate::Gate;
use crate::gate::policy::Mode;
use crate::journal::{Archive, Shared};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// How long the journal may take for a small write, if its own settings do not say.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer of the journal counts at most: asking costs an fsync, and everybody may ask.
const BELIEVED: Duration = Duration::from_secs(1);

/// What the journal said the last time.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Result<(), NotReady>)>>);

/// Why nothing can be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It is said so.
    #[error("the journal cannot be written")]
    Unwritable,
    /// Nothing is said.
    #[error("the journal did not write within {} s", .0.as_secs_f64())]
    Slow(Duration),
    /// Others may take over what this gate does.
    #[error("this gate has not renewed its lease with the journal's database")]
    NoLease,
}

/// `/healthz` and `/readyz`.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready))
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match admin.ready().await {
        Ok(()) => "ready\n".into_response(),
        // Who balances the load must not cut off what passes all the same.
        Err(why) if observes(&admin.gate.gate()) => {
            format!("ready: callbacks are forwarded and not recorded: {why}\n").into_response()
        }
        Err(why) => {
            let mut answer = Problem::new(StatusCode::SERVICE_UNAVAILABLE, why.to_string()).into_response();
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            answer
        }
    }
}

impl Admin {
    /// Whether callbacks can be taken in, as of a second ago at most.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self) -> Result<(), NotReady> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let limit = self.shared.as_ref().map_or(TIMEOUT, |shared| shared.timeout());
        let mut known = self.readiness.0.lock().await;
        if let Some((at, answer)) = *known
            && at.elapsed() < BELIEVED.min(limit)
        {
            return answer;
        }
        let answer = match probe(&**archive, limit).await {
            Ok(()) => lease(self.shared.as_deref()),
            failed => failed,
        };
        *known = Some((Instant::now(), answer));
        answer
    }
}

async fn probe(archive: &dyn Archive, limit: Duration) -> Result<(), NotReady> {
    match timeout(limit, archive.probe()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(NotReady::Unwritable),
        Err(_) => Err(NotReady::Slow(limit)),
    }
}

fn lease(shared: Option<&dyn Shared>) -> Result<(), NotReady> {
    let holds = shared.is_none_or(|shared| shared.membership().lease_holds);
    if holds { Ok(()) } else { Err(NotReady::NoLease) }
}

/// Whether a gate lets any callbacks pass whatever is known of them.
fn observes(gate: &Gate) -> bool {
    gate.channels.iter().any(|channel| channel.mode == Mode::Observe)
}
