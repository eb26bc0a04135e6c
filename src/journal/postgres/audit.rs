//! What people do, and the lines of it.

use super::columns::at_most;
use super::statement::Statement;
use super::trail::{self, Line};
use super::{Postgres, act};
use crate::journal::audit::{Act, Audit, AuditRecord, Audits, By};
use crate::journal::{BoxFuture, EntryId, Search};
use std::sync::Arc;

impl Audits for Postgres {
    fn act(&self, act: Act, search: Search, limit: usize, by: By) -> BoxFuture<'_, Vec<EntryId>> {
        Box::pin(act::act(self, act, search, limit, by))
    }

    fn audit(&self, audit: Audit) -> BoxFuture<'_, ()> {
        let (line, audit) = (Line::of(self), Arc::new(audit));
        self.database.write(move |tx| {
            let (line, audit) = (line.clone(), Arc::clone(&audit));
            Box::pin(async move { trail::keep(tx, &audit, &line).await })
        })
    }

    fn audits(&self, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<AuditRecord>> {
        self.database.read(move |tx| {
            let audits = Statement::of("SELECT * FROM ~audit WHERE id < $1 ORDER BY id DESC LIMIT $2")
                .with(before.unwrap_or(i64::MAX))
                .with(at_most(limit));
            Box::pin(async move { tx.rows(audits).await?.iter().map(trail::read).collect() })
        })
    }
}
