//! One callback, by the id that its sender got.

use super::params::{self, Asked, Nothing, Place};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::{EntryStory, Refused};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The callback that a path names.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Which {
    /// Its `X-Request-Id`, or an `X-Tollgate-Delivery`.
    #[param(format = "uuid")]
    id: String,
}

/// What became of a callback.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Callback {
    /// The entries that it made or belongs to, or whose delivery it is.
    pub(super) entries: Vec<EntryStory>,
    /// That it was refused before it was taken in.
    pub(super) refused: Vec<Refused>,
}

/// What became of a callback.
///
/// A repetition beyond the sixteenth of an order is in the log only.
#[utoipa::path(get, path = "/api/callbacks/{id}", tag = "orders", params(Which), responses(
    (status = 200, description = "What became of it.", body = Callback),
    (status = 404, description = "Nothing is known of it.", body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn callback(
    State(admin): State<Arc<Admin>>,
    Place(which): Place<Which>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Callback>, Problem> {
    let (entries, refused) = admin.callback(params::read::<Uuid>("id", &which.id)?).await?;
    if entries.is_empty() && refused.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "the journal knows nothing of this id"));
    }
    let entries = entries.iter().map(EntryStory::from).collect();
    Ok(Json(Callback { entries, refused: refused.iter().map(Refused::from).collect() }))
}
