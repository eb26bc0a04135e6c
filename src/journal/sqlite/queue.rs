//! The queue, in one file: the writer takes in and is told, and leases are in memory.

use super::leases::{self, Lease};
use super::op::{Op, Place};
use super::{Sqlite, at_once, due, rank, read, sweeps};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::journal::sweeps::Standing;
use crate::journal::{
    Acceptance, BoxFuture, Callback, DeliveryId, EntryId, Job, JournalError, JournalEvent, Looks, Queue, Taken,
    Throttled, Trust,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Queue for Sqlite {
    fn take_in(&self, callback: Box<Callback>, trust: Trust, due_in: Duration) -> BoxFuture<'_, Taken> {
        let Some(place) = Place::take(&self.waiting) else { return Box::pin(async { Err(JournalError::Busy) }) };
        let taking = self.ask(|reply| Op::TakeIn { callback, trust, due_in, place, reply });
        Box::pin(async move {
            let (taken, lease) = taking.await?;
            lease.into_iter().for_each(Lease::keep);
            Ok(taken)
        })
    }

    fn append(&self, event: JournalEvent) {
        let at = clock::now().as_millisecond();
        let seq = self.leases.appended(&event, at);
        self.send(Op::Append { event, seq, began: None }, at);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.ask(Op::Flush)
    }

    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>> {
        let look = due::Look {
            leases: Arc::clone(&self.leases),
            healthy: self.healthy.load(Ordering::Relaxed),
            turn: self.turn.fetch_add(1, Ordering::Relaxed),
            limit,
            throttled,
        };
        let setting = Arc::clone(&self.setting);
        self.read(move |connection| {
            let _not_now = setting.read();
            due::lease_due(connection, &look)
        })
    }

    fn release(&self, entry: EntryId) {
        self.leases.release(entry);
    }

    fn postpone(&self, entry: EntryId, again_in: Duration) {
        self.leases.rest(entry, clock::now().as_millisecond().saturating_add(leases::millis(again_in)));
    }

    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
        let reading = self.read(move |connection| rank::likely(connection, &channel, &looks));
        Box::pin(async move {
            let likely = reading.await?;
            if likely.is_empty() {
                return Ok(());
            }
            self.write_only(move |connection, _| rank::lift(connection, &likely)).await
        })
    }

    fn acceptance(&self, delivery: DeliveryId, _: OrderId) -> BoxFuture<'_, Option<Acceptance>> {
        self.read(move |connection| {
            let delivery = delivery.to_string();
            match read::delivered(connection, &delivery)? {
                (_, Some(accepted)) => Ok(Some(accepted)),
                // What was sent more than once stands in no entry.
                (1.., None) => Ok(None),
                (0, None) => at_once::acceptance_of(connection, &delivery),
            }
        })
    }

    fn standing(&self, payments: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>> {
        self.read(move |connection| payments.iter().map(|payment| sweeps::standing(connection, payment)).collect())
    }
}
