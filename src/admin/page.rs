//! The pages.

use super::Admin;
use axum::Router;
use std::sync::Arc;

/// The pages' paths.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
}
