//! What pages and API are shown of the journal. A disk that hangs keeps no request waiting for long.

use super::Admin;
use crate::domain::order::{ChannelId, OrderId};
use crate::journal::audit::AuditRecord;
use crate::journal::pending_orders::SourceHealth;
use crate::journal::sweeps::{Outcome, Progress, RowKind, RowRecord, Sweep, SweepId};
use crate::journal::view::{Cursor, Filter, Page, RefusedFilter};
use crate::journal::{Archive, BoxFuture, JournalError, Record, Refused, Search, gate_since};
use jiff::civil::Date;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// How long reading may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Entries of one order, and callbacks of one id, that are shown.
const MOST: usize = 100;

/// Why something cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Nothing is kept.
    #[error("this gate keeps nothing: its configuration says journal: none")]
    NoJournal,
    /// It takes too long.
    #[error("the journal did not answer in time")]
    Slow,
    /// It cannot be.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Admin {
    /// The journal.
    pub(super) fn archive(&self) -> Result<&Arc<dyn Archive>, Unread> {
        self.archive.as_ref().ok_or(Unread::NoJournal)
    }

    /// The gate's first whole day, in Beijing; `None` if it cannot be read.
    pub async fn gate_since(&self) -> Option<Date> {
        let made_at = in_time(self.archive().ok()?.made_at()).await.ok()?;
        made_at.and_then(gate_since)
    }

    /// A page of orders' entries from behind `after`, the latest first; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn orders(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Unread> {
        in_time(self.archive()?.list(*filter, after, limit)).await
    }

    /// Everything about the entries of one order, the latest first; none if there is no such order.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn order(&self, channel: ChannelId, order: OrderId) -> Result<Vec<Record>, Unread> {
        let search = Search { order_id: Some(order), channel: Some(channel), ..Search::default() };
        in_time(self.archive()?.find(search, MOST)).await
    }

    /// What became of the callback with this `X-Request-Id`, or of the delivery with this `X-Tollgate-Delivery`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn callback(&self, id: Uuid) -> Result<(Vec<Record>, Vec<Refused>), Unread> {
        let search = Search { request_id: Some(id), ..Search::default() };
        let archive = self.archive()?;
        Ok((in_time(archive.find(search, MOST)).await?, in_time(archive.refused(search, MOST)).await?))
    }

    /// Refused callbacks with their numbers, the latest first, from before the one with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn refused(
        &self,
        filter: RefusedFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, Refused)>, Unread> {
        in_time(self.archive()?.refusals(filter, before, limit)).await
    }

    /// Sweeps, the latest first, from before the one with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn sweeps(&self, before: Option<SweepId>, limit: usize) -> Result<Vec<Sweep>, Unread> {
        in_time(self.archive()?.sweeps(before, limit)).await
    }

    /// A sweep, and what became of the orders that it found; `None` if there is none of this number.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn sweep(&self, id: SweepId) -> Result<Option<(Sweep, Vec<Outcome>)>, Unread> {
        let archive = self.archive()?;
        let Some(sweep) = in_time(archive.sweep(id)).await? else { return Ok(None) };
        // Before, they change with each query.
        let is_done = sweep.state == Progress::Done;
        let outcomes = if is_done { in_time(archive.sweep_outcomes(id)).await? } else { Vec::new() };
        Ok(Some((sweep, outcomes)))
    }

    /// The rows behind a sweep's numbers, or those of one kind, from behind line `after`; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn sweep_rows(
        &self,
        id: SweepId,
        kind: Option<RowKind>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<RowRecord>, Unread> {
        in_time(self.archive()?.swept_rows(id, kind, after, limit)).await
    }

    /// How the sources of pending orders are.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn sources(&self) -> Result<Vec<SourceHealth>, Unread> {
        in_time(self.archive()?.sources()).await
    }

    /// What people did, the latest first, from before the line with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn audits(&self, before: Option<i64>, limit: usize) -> Result<Vec<AuditRecord>, Unread> {
        in_time(self.archive()?.audits(before, limit)).await
    }
}

async fn in_time<T>(reading: BoxFuture<'_, T>) -> Result<T, Unread> {
    timeout(TIMEOUT, reading).await.map_err(|_| Unread::Slow)?.map_err(Unread::Journal)
}
