//! What people did, in SQL, a line each.

use super::Sqlite;
use super::columns::{self, number, optional, parsed, time};
use crate::journal::audit::{Act, Action, Audit, AuditRecord, Audits, By};
use crate::journal::{BoxFuture, EntryId, Search};
use rusqlite::{Connection, Result, Row, named_params, params};

impl Audits for Sqlite {
    fn act(&self, act: Act, search: Search, limit: usize, by: By) -> BoxFuture<'_, Vec<EntryId>> {
        self.ask(|reply| super::Op::Act { act, search, limit, by, reply })
    }

    fn audit(&self, audit: Audit) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, at| keep(connection, &audit, at))
    }

    fn audits(&self, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<AuditRecord>> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
                .query_map(params![before.unwrap_or(i64::MAX), number(limit as u64)], read_audit)?
                .collect()
        })
    }
}

/// Lines about wrong tokens that are kept: anybody can cause them, and they must not bury what people did.
const REFUSED_KEPT: i64 = 1000;

/// Adds a line.
pub(super) fn keep(connection: &Connection, audit: &Audit, at: i64) -> Result<()> {
    let entries: Vec<_> = audit.entries.iter().map(|entry| entry.0.to_string()).collect();
    connection
        .prepare_cached(
            "INSERT INTO audit (at, who, came_from, action, channel, \"order\", entries, outcome, because)
             VALUES (:at, :who, :came_from, :action, :channel, :order, :entries, :outcome, :because)",
        )?
        .execute(named_params! {
            ":at": at,
            ":who": audit.by.who,
            ":came_from": audit.by.from,
            ":action": audit.action.as_str(),
            ":channel": audit.channel.as_ref().map(|id| id.as_str()),
            ":order": audit.order.as_ref().map(|id| id.as_str()),
            ":entries": entries.join(" "),
            ":outcome": audit.outcome,
            ":because": audit.because,
        })?;
    if audit.action == Action::LoginRefused {
        // The action is said for the index that has no others.
        connection
            .prepare_cached(
                "DELETE FROM audit WHERE action = 'login-refused' AND id <= (
                     SELECT id FROM audit WHERE action = 'login-refused' ORDER BY id DESC LIMIT 1 OFFSET ?1)",
            )?
            .execute([REFUSED_KEPT])?;
    }
    Ok(())
}

fn read_audit(row: &Row<'_>) -> Result<AuditRecord> {
    let entries: String = row.get("entries")?;
    let entries = entries.split_whitespace().map(|entry| entry.parse().map(EntryId));
    let action: String = row.get("action")?;
    Ok(AuditRecord {
        id: row.get("id")?,
        at: time(row, "at")?,
        audit: Audit {
            by: By { who: parsed(row, "who")?, from: parsed(row, "came_from")? },
            action: Action::from_name(&action).ok_or_else(|| columns::damaged("action"))?,
            channel: optional(row, "channel")?,
            order: optional(row, "order")?,
            entries: entries.collect::<std::result::Result<_, _>>().map_err(|_| columns::damaged("entries"))?,
            outcome: row.get("outcome")?,
            because: row.get("because")?,
        },
        replica: None,
    })
}

/// Removes lines from before a time.
pub(super) fn forget(connection: &Connection, before: i64, limit: i64) -> Result<usize> {
    connection
        .prepare_cached("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY id LIMIT ?2)")?
        .execute([before, limit])
}
