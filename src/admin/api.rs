//! The JSON API.

use super::Admin;
use crate::clock;
use crate::generation::{Generation, Refused};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// The API's paths.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new().route("/api/config", get(config))
}

/// Which configuration is in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Config {
    /// The program's version.
    version: &'static str,
    /// 1 at the start, one more with each reload.
    generation: u32,
    /// Since when it is in force.
    since: String,
    /// The latest attempt to replace it, if that failed.
    refused: Option<RefusedConfig>,
}

/// A configuration that was not put in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusedConfig {
    /// When it was tried.
    at: String,
    /// What is wrong with it.
    problem: String,
}

impl From<Generation> for Config {
    fn from(generation: Generation) -> Self {
        let Generation { number, since, refused } = generation;
        let refused = refused.map(|Refused { at, problem }| RefusedConfig { at: clock::rfc3339(at), problem });
        Self { version: env!("CARGO_PKG_VERSION"), generation: number, since: clock::rfc3339(since), refused }
    }
}

async fn config(State(admin): State<Arc<Admin>>) -> Json<Config> {
    Json(admin.generation().into())
}
