//! The gates that share a journal.

use super::params::{Asked, Nothing};
use crate::admin::problem::Problem;
use crate::admin::records::words;
use crate::admin::{self, Admin};
use crate::domain::clock;
use crate::journal;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// All of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Replicas {
    /// Those that live and those that are gone for a day at most, by name; none where the journal is a file, which has one gate.
    pub(super) replicas: Vec<Replica>,
    /// Whether two that live go by different configurations.
    pub(super) config_differs: bool,
}

/// A gate.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Replica {
    /// Its name (`journal.replica`).
    pub(super) replica: String,
    /// Whether its lease lives.
    pub(super) state: Life,
    /// Whether it is the one that answers this.
    pub(super) this: bool,
    /// The name of its machine.
    pub(super) host: String,
    /// Its process id there.
    pub(super) process: u32,
    /// The version of its program.
    pub(super) version: String,
    /// The number of its configuration, from 1.
    pub(super) generation: u32,
    /// 16 hex digits that stand for its configuration; the same on gates whose configurations are the same. Empty before it said so.
    pub(super) config: String,
    /// Since when it is there, by the database's clock.
    #[schema(value_type = words::Time)]
    pub(super) since: String,
    /// When it was heard of last.
    #[schema(value_type = words::Time)]
    pub(super) seen_at: String,
    /// What it alone does: `sweep`, `source:NAME`, `forget`.
    pub(super) duties: Vec<String>,
    /// How many entries it works on, or holds while they rest.
    pub(super) held: u64,
    /// Its own clock less the database's, in milliseconds.
    pub(super) clock_skew_ms: i64,
}

/// Whether a gate is there.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Life {
    /// Its lease lives.
    Live,
    /// It left, or was not heard of for longer than its lease.
    Gone,
}

impl From<&journal::Replica> for Replica {
    fn from(replica: &journal::Replica) -> Self {
        Self {
            replica: replica.replica.clone(),
            state: if replica.live { Life::Live } else { Life::Gone },
            this: replica.this,
            host: replica.host.clone(),
            process: replica.process,
            version: replica.version.clone(),
            generation: replica.generation,
            config: replica.config.clone(),
            since: clock::rfc3339(replica.since),
            seen_at: clock::rfc3339(replica.seen_at),
            duties: replica.duties.clone(),
            held: replica.held,
            clock_skew_ms: replica.clock_skew_ms,
        }
    }
}

impl From<&admin::Replicas> for Replicas {
    fn from(replicas: &admin::Replicas) -> Self {
        Self { replicas: replicas.list.iter().map(Replica::from).collect(), config_differs: replicas.config_differs() }
    }
}

/// The gates that share this journal.
#[utoipa::path(get, path = "/api/replicas", tag = "gate", responses(
    (status = 200, description = "All of them, as of a second or so ago.", body = Replicas)
))]
pub(super) async fn replicas(
    State(admin): State<Arc<Admin>>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Replicas>, Problem> {
    Ok(Json((&admin.replicas().await?).into()))
}
