//! What a refund needs to know.

use super::params::{self, Asked};
use crate::admin::Admin;
use crate::admin::problem::Problem;
use crate::admin::records::Entry;
use crate::journal::view::{Cursor, Filter};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which payments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Whose order id, `out_trade_no` or `transaction_id` begins with this.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_|*@-]+$", example = "A1001")]
    text: String,
    /// `next` of the page before.
    #[param(max_length = 40, pattern = "^[0-9]{1,18}-[0-9]{1,18}$")]
    cursor: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u64>,
}

/// A page of confirmed payments.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ledger {
    /// Entries whose `payment` is there, the latest first.
    pub(super) found: Vec<Entry>,
    /// The `cursor` of the next page; null if there is none.
    pub(super) next: Option<String>,
}

/// The transaction ids of orders, for refunds.
///
/// Only what WeChat Pay has confirmed.
#[utoipa::path(get, path = "/api/ledger", tag = "orders", params(Which), responses(
    (status = 200, description = "A page of them.", body = Ledger)
))]
pub(super) async fn ledger(
    State(admin): State<Arc<Admin>>,
    Asked(which): Asked<Which>,
) -> Result<Json<Ledger>, Problem> {
    let after: Option<Cursor> = params::optional("cursor", which.cursor.as_ref())?;
    let text = Some(params::read("text", &which.text)?);
    let filter = Filter { text, confirmed: true, ..Filter::default() };
    let page = admin.orders(&filter, after, params::limit(which.limit)?).await?;
    let found = page.records.iter().map(Entry::from).collect();
    Ok(Json(Ledger { found, next: page.next.map(|next| next.to_string()) }))
}
