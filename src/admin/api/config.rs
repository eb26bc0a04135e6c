//! Which configuration is in force.

use super::params::{Asked, Nothing};
use crate::admin::Admin;
use crate::admin::records::words;
use crate::domain::clock;
use crate::domain::config_status::{self, ConfigStatus};
use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Which configuration is in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Config {
    /// The program's version.
    pub(super) version: &'static str,
    /// 1 at the start, one more with each reload.
    pub(super) generation: u32,
    /// Since when it is in force.
    #[schema(value_type = words::Time)]
    pub(super) since: String,
    /// The latest attempt to replace it, if that failed.
    pub(super) refused: Option<RefusedConfig>,
    /// The gate's first whole day in Beijing, `2026-12-01`: the one after its journal was made. Bills of earlier days
    /// are not delivered by schedule. Null without a journal, or while it cannot be read.
    pub(super) gate_since: Option<String>,
    /// By how many seconds the system's clock has jumped away from the time that this gate goes by; null while it is
    /// believed.
    pub(super) clock_away_s: Option<i64>,
}

/// A configuration that was not put in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct RefusedConfig {
    /// When it was tried.
    #[schema(value_type = words::Time)]
    pub(super) at: String,
    /// What is wrong with it.
    pub(super) problem: String,
}

impl Config {
    pub(super) fn new(config_status: ConfigStatus, gate_since: Option<Date>) -> Self {
        let ConfigStatus { number, since, refused } = config_status;
        let refused =
            refused.map(|config_status::Refused { at, problem }| RefusedConfig { at: clock::rfc3339(at), problem });
        let (gate_since, clock_away_s) = (gate_since.map(|day| day.to_string()), clock::away().map(|by| by.as_secs()));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            generation: number,
            since: clock::rfc3339(since),
            refused,
            gate_since,
            clock_away_s,
        }
    }
}

/// Which configuration is in force, and what became of the latest attempt to replace it.
#[utoipa::path(get, path = "/api/config", tag = "gate", responses(
    (status = 200, description = "Without anything secret.", body = Config)
))]
pub(super) async fn config(State(admin): State<Arc<Admin>>, Asked(Nothing {}): Asked<Nothing>) -> Json<Config> {
    Json(Config::new(admin.config_status(), admin.gate_since().await))
}
