//! TEMPORARY
use super::database::AWAY;
use super::{Postgres, due, rank};
use crate::domain::order::*;
use crate::journal::sweeps::Standing;
use crate::journal::*;
use std::time::Duration;
impl Queue for Postgres {
    fn take_in(&self, _: Box<Callback>, _: Trust, _: Duration) -> BoxFuture<'_, Taken> {
        Box::pin(async { Err(AWAY) })
    }

    fn append(&self, _: JournalEvent) {}

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>> {
        due::lease_due(self, limit, throttled)
    }

    fn release(&self, _: EntryId) {}

    fn postpone(&self, _: EntryId, _: Duration) {}

    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
        rank::lift(self, channel, looks)
    }

    fn acceptance(&self, _: DeliveryId, _: OrderId) -> BoxFuture<'_, Option<Acceptance>> {
        Box::pin(async { Err(AWAY) })
    }

    fn standing(&self, _: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>> {
        Box::pin(async { Err(AWAY) })
    }
}
