//! What people did.

use super::{time, words};
use crate::journal::audit::AuditRecord;
use serde::Serialize;
use utoipa::ToSchema;

/// A line of the audit trail.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditLine {
    /// Its number.
    pub id: i64,
    /// When.
    #[schema(value_type = words::Time)]
    pub at: String,
    /// Who: `token`, `session:NAME`, `local` (no token is configured), `cli:USER`, `nobody` (a wrong token),
    /// `sighup` or `file` (a reload).
    pub who: String,
    /// From where: an address, `cli`, or the configuration's path.
    pub from: String,
    /// What.
    #[schema(value_type = words::Action)]
    pub action: &'static str,
    /// On this channel.
    pub channel: Option<String>,
    /// To this order.
    pub order: Option<String>,
    /// To these entries.
    pub entries: Vec<i64>,
    /// What came of it; of a redelivery what was decided, with both amounts in fen.
    pub outcome: Option<String>,
    /// Why, in that person's words.
    pub because: Option<String>,
    /// The gate that wrote it, by name, where several share the journal; absent for a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
}

impl From<&AuditRecord> for AuditLine {
    fn from(AuditRecord { id, at, audit, replica }: &AuditRecord) -> Self {
        Self {
            id: *id,
            at: time(*at),
            who: audit.by.who.clone(),
            from: audit.by.from.clone(),
            action: audit.action.as_str(),
            channel: audit.channel.map(|id| id.to_string()),
            order: audit.order.map(|id| id.to_string()),
            entries: audit.entries.iter().map(|entry| entry.0).collect(),
            outcome: audit.outcome.clone(),
            because: audit.because.clone(),
            replica: replica.clone(),
        }
    }
}
