//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::domain::order::*;
use crate::journal::owners::*;
use crate::journal::pending_orders::*;
use crate::journal::recovery::*;
use crate::journal::sweeps::*;
use crate::journal::*;
use crate::observe::metrics::Moment;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
impl Queue for Postgres {
    fn take_in(&self, _: Box<Callback>, _: Trust, _: Duration) -> BoxFuture<'_, Taken> {
        Box::pin(async { Err(AWAY) })
    }

    fn append(&self, _: JournalEvent) {}

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn lease_due(&self, _: usize, _: Throttled) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async { Err(AWAY) })
    }

    fn release(&self, _: EntryId) {}

    fn postpone(&self, _: EntryId, _: Duration) {}

    fn lift(&self, _: ChannelId, _: Looks) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn acceptance(&self, _: DeliveryId, _: OrderId) -> BoxFuture<'_, Option<Acceptance>> {
        Box::pin(async { Err(AWAY) })
    }

    fn standing(&self, _: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Owners for Postgres {
    fn own(&self, _: OwnerClaim) -> BoxFuture<'_, Owner> {
        Box::pin(async { Err(AWAY) })
    }

    fn owner(&self, _: OwnerClaim) -> BoxFuture<'_, Option<Owner>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Recovery for Postgres {
    fn bring_forward(&self, _: Vec<ChannelId>, _: Timestamp, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn bring_anew(&self, _: Vec<ChannelId>, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn end_waiting(&self, _: Vec<ChannelId>, _: Vec<String>, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn next_waiting(&self, _: Vec<ChannelId>, _: Vec<EntryId>) -> BoxFuture<'_, Option<Job>> {
        Box::pin(async { Err(AWAY) })
    }

    fn overdue(&self, _: Vec<ChannelId>, _: Duration, _: usize) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl SweepQueue for Postgres {
    fn next_sweep(&self) -> BoxFuture<'_, Option<Sweep>> {
        Box::pin(async { Err(AWAY) })
    }

    fn found_before(&self, _: SweepId) -> BoxFuture<'_, Vec<TransactionId>> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_rows(&self, _: SweepId, _: Vec<Row>) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_refunds(&self, _: SweepId, _: Vec<TransactionId>) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_event(&self, _: SweepId, _: SweepEvent) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
impl PendingOrderQueue for Postgres {
    fn take_pending_orders(&self, _: News) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn source_is(&self, _: SourceHealth) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Upkeep for Postgres {
    fn forget(&self, _: Keep, _: usize) -> BoxFuture<'_, Forgotten> {
        Box::pin(async { Err(AWAY) })
    }

    fn beat(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn clock_was_set(&self, _: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn keep_minute(&self, _: Moment) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
