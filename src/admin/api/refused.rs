//! Callbacks that were refused before they were taken in.

use super::params::{self, Asked};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::{self, words};
use crate::domain::reason::Reason;
use crate::journal::view::RefusedFilter;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which refused callbacks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// For this reason.
    #[param(value_type = Option<words::Reason>)]
    reason: Option<String>,
    /// On this channel.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_./-]+$")]
    channel: Option<String>,
    /// At this time or later.
    #[param(value_type = Option<words::Time>)]
    since: Option<String>,
    /// Before this time.
    #[param(value_type = Option<words::Time>)]
    until: Option<String>,
    /// Of this order, or with this request id.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_|*@-]+$")]
    text: Option<String>,
    /// `next` of the page before.
    #[param(minimum = 1)]
    cursor: Option<i64>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// A page of refused callbacks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedPage {
    /// The latest first; the latest ten thousand are kept.
    pub(super) refused: Vec<records::Refused>,
    /// The `cursor` of the next page; null if there is none.
    pub(super) next: Option<i64>,
}

/// Callbacks that were refused before they were taken in.
///
/// Only some of many in the same second are kept; the metrics count all.
#[utoipa::path(get, path = "/api/refused", tag = "orders", params(Which), responses(
    (status = 200, description = "A page of them.", body = RefusedPage)
))]
pub(super) async fn refused(
    State(admin): State<Arc<Admin>>,
    Asked(which): Asked<Which>,
) -> Result<Json<RefusedPage>, Problem> {
    let filter = RefusedFilter {
        reason: params::one_of("reason", which.reason.as_ref(), Reason::from_code)?,
        channel: params::optional("channel", which.channel.as_ref())?,
        since: params::time("since", which.since.as_ref())?,
        until: params::time("until", which.until.as_ref())?,
        text: params::optional("text", which.text.as_ref())?,
    };
    let limit = params::limit(which.limit)?;
    let mut page = admin.refused(filter, params::positive("cursor", which.cursor)?, limit + 1).await?;
    let next = params::cut(&mut page, limit, |(id, _)| *id);
    Ok(Json(RefusedPage { refused: page.iter().map(|(_, refused)| refused.into()).collect(), next }))
}
