//! Sweeps, and the rows behind their numbers.

use super::params::{self, Asked, Place};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::{self, SweepOutcome, SweepRow, words};
use crate::journal::sweeps::{RowKind, SweepId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which sweeps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `next` of the page before.
    #[param(minimum = 1)]
    cursor: Option<i64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// A page of sweeps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Sweeps {
    /// The latest first.
    pub(super) sweeps: Vec<records::Sweep>,
    /// The `cursor` of the next page; null if there is none.
    pub(super) next: Option<i64>,
}

/// Comparisons of WeChat Pay's bills with what was accepted.
#[utoipa::path(get, path = "/api/sweeps", tag = "recovery", params(Which), responses(
    (status = 200, description = "A page of them.", body = Sweeps)
))]
pub(super) async fn sweeps(
    State(admin): State<Arc<Admin>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Sweeps>, Problem> {
    let limit = params::limit(which.limit)?;
    let before = params::positive("cursor", which.cursor)?.map(SweepId);
    let mut page = admin.sweeps(before, limit + 1).await?;
    let next = params::cut(&mut page, limit, |sweep| sweep.id.0);
    Ok(Json(Sweeps { sweeps: page.iter().map(records::Sweep::from).collect(), next }))
}

/// The sweep that a path names.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Number {
    /// Its number.
    #[param(minimum = 1)]
    id: i64,
}

/// Which of its rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rows {
    /// Of this kind.
    #[param(value_type = Option<words::RowKind>)]
    what: Option<String>,
    /// `next` of the page before.
    #[param(minimum = 0, maximum = 2147483647)]
    cursor: Option<u64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// A sweep and a page of its rows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SweepPage {
    /// The sweep.
    #[serde(flatten)]
    pub(super) sweep: records::Sweep,
    /// What became of the orders that it found.
    pub(super) outcomes: Vec<SweepOutcome>,
    /// Rows of the bill, in its order; those that were accepted before are only counted.
    pub(super) kept_rows: Vec<SweepRow>,
    /// The `cursor` of the next page of rows; null if there is none.
    pub(super) next: Option<u64>,
}

/// One sweep, and the rows behind its numbers.
#[utoipa::path(get, path = "/api/sweeps/{id}", tag = "recovery", params(Number, Rows), responses(
    (status = 200, description = "The sweep.", body = SweepPage),
    (status = 404, description = "There is none of this number.", body = Problem, content_type = "application/problem+json")
))]
pub(super) async fn sweep(
    State(admin): State<Arc<Admin>>,
    Place(Number { id }): Place<Number>,
    Asked(rows): Asked<Rows>,
) -> Result<Json<SweepPage>, Problem> {
    let (id, limit) = (SweepId(params::positive("id", Some(id))?.unwrap_or(id)), params::limit(rows.limit)?);
    let kind = params::one_of("what", rows.what.as_ref(), RowKind::from_name)?;
    let after = rows.cursor.unwrap_or(0);
    if i32::try_from(after).is_err() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "cursor is larger than any line"));
    }
    let missing = || Problem::new(StatusCode::NOT_FOUND, "there is no sweep of this number");
    let (sweep, outcomes) = admin.sweep(id).await?.ok_or_else(missing)?;
    let mut page = admin.sweep_rows(id, kind, after, limit + 1).await?;
    let next = params::cut(&mut page, limit, |row| row.row.line);
    Ok(Json(SweepPage {
        sweep: (&sweep).into(),
        outcomes: outcomes.iter().map(SweepOutcome::from).collect(),
        kept_rows: page.iter().map(SweepRow::from).collect(),
        next,
    }))
}
