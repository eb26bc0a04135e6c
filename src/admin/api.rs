//! The JSON API, under `/api`. What it answers is described by `/api/openapi.json`, which is made of the same types.

mod audit;

mod callbacks;

mod config;

mod document;

mod ledger;

mod orders;

mod overview;

mod params;

mod refused;

mod replicas;

mod signing;

mod sources;

mod sweeps;

use super::Admin;
use super::problem::Problem;
use super::queries::Unread;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::routing::get;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The API's paths.
pub(super) fn routes() -> Router<Arc<Admin>> {
    let (router, api) = OpenApiRouter::with_openapi(document::start())
        .routes(routes!(overview::overview))
        .routes(routes!(orders::orders))
        .routes(routes!(orders::order))
        .routes(routes!(orders::redeliver))
        .routes(routes!(orders::park))
        .routes(routes!(orders::unpark))
        .routes(routes!(orders::query))
        .routes(routes!(callbacks::callback))
        .routes(routes!(ledger::ledger))
        .routes(routes!(refused::refused))
        .routes(routes!(sweeps::sweeps))
        .routes(routes!(sweeps::sweep))
        .routes(routes!(sources::sources))
        .routes(routes!(replicas::replicas))
        .routes(routes!(audit::audit))
        .routes(routes!(config::config))
        .split_for_parts();
    let text: Arc<str> = document::finish(api).into();
    let document = async move || ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text.to_string());
    router.route("/api/openapi.json", get(document))
}

impl From<Unread> for Problem {
    fn from(error: Unread) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}
