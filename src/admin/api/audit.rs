//! What people did.

use super::params::{self, Asked};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::AuditLine;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which lines.
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

/// A page of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// The latest first; kept as long as `journal.keep.entries` says.
    pub(super) audit: Vec<AuditLine>,
    /// The `cursor` of the next page; null if there is none.
    pub(super) next: Option<i64>,
}

/// Who did what, when, and from where.
#[utoipa::path(get, path = "/api/audit", tag = "gate", params(Which), responses(
    (status = 200, description = "A page of it.", body = AuditPage)
))]
pub(super) async fn audit(
    State(admin): State<Arc<Admin>>,
    Asked(which): Asked<Which>,
) -> Result<Json<AuditPage>, Problem> {
    let limit = params::limit(which.limit)?;
    let mut page = admin.audits(params::positive("cursor", which.cursor)?, limit + 1).await?;
    let next = params::cut(&mut page, limit, |line| line.id);
    Ok(Json(AuditPage { audit: page.iter().map(AuditLine::from).collect(), next }))
}
