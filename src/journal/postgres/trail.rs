//! The audit trail, in SQL: what people did, a line each.

use super::Postgres;
use super::columns::{get, optional, time};
use super::database::Tx;
use super::error::Error;
use super::statement::Statement;
use crate::journal::EntryId;
use crate::journal::audit::{Action, Audit, AuditRecord, By};
use tokio_postgres::Row;

/// What a line has of the process that writes it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its number, made before it is written, so that it is written once.
    pub(super) id: i64,
    /// The replica's name.
    pub(super) replica: Option<String>,
}

impl Line {
    pub(super) fn of(store: &Postgres) -> Self {
        let replica = store.incarnation.current().map(|me| me.name.as_ref().to_owned());
        Self { id: store.next_id(), replica }
    }
}

/// Lines about wrong tokens that are kept: anybody can cause them, and they must not bury what people did.
const REFUSED_KEPT: i64 = 1000;

/// Adds a line.
pub(super) async fn keep(tx: &Tx<'_>, audit: &Audit, line: &Line) -> Result<(), Error> {
    let entries: Vec<_> = audit.entries.iter().map(|entry| entry.0.to_string()).collect();
    let keep = Statement::of(
        "INSERT INTO ~audit (id, at, who, came_from, action, channel, \"order\", entries, outcome, because, replica)
         VALUES ($1, @now, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING",
    )
    .with(line.id)
    .with(audit.by.who.clone())
    .with(audit.by.from.clone())
    .with(audit.action.as_str())
    .with(audit.channel.map(|id| id.as_str().to_owned()))
    .with(audit.order.map(|id| id.as_str().to_owned()))
    .with(entries.join(" "))
    .with(audit.outcome.clone())
    .with(audit.because.clone())
    .with(line.replica.clone());
    let mut statements = vec![keep];
    if audit.action == Action::LoginRefused {
        let trim = "DELETE FROM ~audit WHERE action = $1 AND id <= (
                SELECT id FROM ~audit WHERE action = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)";
        statements.push(Statement::of(trim).with(Action::LoginRefused.as_str()).with(REFUSED_KEPT));
    }
    tx.all(&statements).await.map(drop)
}

/// A line, as it is kept.
pub(super) fn read(row: &Row) -> Result<AuditRecord, Error> {
    let entries = get::<&str>(row, "entries")?.split_whitespace().map(|entry| entry.parse().map(EntryId));
    Ok(AuditRecord {
        id: get(row, "id")?,
        at: time(row, "at")?,
        audit: Audit {
            by: By { who: get(row, "who")?, from: get(row, "came_from")? },
            action: Action::from_name(get(row, "action")?).ok_or(Error::Damaged("action"))?,
            channel: optional(row, "channel")?,
            order: optional(row, "order")?,
            entries: entries.collect::<Result<_, _>>().map_err(|_| Error::Damaged("entries"))?,
            outcome: get(row, "outcome")?,
            because: get(row, "because")?,
        },
        replica: get(row, "replica")?,
    })
}

/// Removes lines from before a time; at most `limit`.
pub(super) fn forget(before: i64, limit: i64) -> Statement {
    Statement::of(
        "DELETE FROM ~audit WHERE id IN (SELECT id FROM ~audit WHERE at < $1 ORDER BY at LIMIT $2) RETURNING id",
    )
    .with(before)
    .with(limit)
}
