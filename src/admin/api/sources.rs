//! Where orders wait for payment.

use super::params::{Asked, Nothing};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::Source;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// All sources.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sources {
    /// Every one that there ever was, by name.
    pub(super) sources: Vec<Source>,
}

/// How the sources of pending orders are.
#[utoipa::path(get, path = "/api/sources", tag = "recovery", responses(
    (status = 200, description = "All of them.", body = Sources)
))]
pub(super) async fn sources(
    State(admin): State<Arc<Admin>>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Sources>, Problem> {
    let sources = admin.sources().await?;
    Ok(Json(Sources { sources: sources.iter().map(Source::from).collect() }))
}
