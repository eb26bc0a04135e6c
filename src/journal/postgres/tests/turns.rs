//! Two replicas of one journal that take turns: each call goes to the other one than the call before, but for what is about an
//! entry that one of them works on.

use super::super::room;
use super::{Postgres, open_living};
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::journal::audit::{Act, Audit, AuditRecord, Audits, By};
use crate::journal::overrides::{Needed, Redelivered, Redeliveries, Redelivery};
use crate::journal::owners::{Owner, OwnerClaim, Owners};
use crate::journal::pending_orders::{News, PendingOrder, PendingOrderQueue, SourceHealth};
use crate::journal::sweeps::{
    Outcome, Row, RowKind, RowRecord, Standing, Sweep, SweepEvent, SweepId, SweepQueue, Sweeps, Wanted,
};
use crate::journal::view::{Cursor, Filter, Page, RefusedFilter, Today, Views};
use crate::journal::{
    Acceptance, Archive, BoxFuture, Callback, DatabaseSettings, DeliveryId, EntryId, Figures, Forgotten, Job, Journal,
    JournalError, JournalEvent, Keep, Looks, Queue, Record, Recovery, Refused, Room, Search, Taken, Throttled, Trust,
    Upkeep,
};
use crate::observe::metrics::Moment;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Debug)]
struct Two {
    both: [Arc<Postgres>; 2],
    turn: AtomicUsize,
    /// Which of them works on an entry.
    works: Mutex<HashMap<EntryId, usize>>,
}

/// Opens a journal twice, as two replicas.
pub(super) fn open_twice(settings: &DatabaseSettings, room: Room) -> Journal {
    let other = DatabaseSettings { replica: "two".to_owned(), ..settings.clone() };
    let both = [open_living(settings, room), open_living(&other, room)];
    // Groups take turns in each process; the other one has had the first turn.
    both[1].turn.store(1, Ordering::Relaxed);
    let two = Arc::new(Two { both, turn: AtomicUsize::new(0), works: Mutex::default() });
    Journal { queue: Arc::clone(&two) as _, archive: two, shared: None }
}

impl Two {
    fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) % 2
    }

    fn next(&self) -> &Postgres {
        &self.both[self.turn()]
    }

    fn of(&self, entry: EntryId) -> &Postgres {
        let works = self.works.lock().get(&entry).copied();
        &self.both[works.unwrap_or_else(|| self.turn())]
    }

    /// One of them works on what it leases from now on.
    fn leases<'t>(&'t self, lease: impl FnOnce(&'t Postgres) -> BoxFuture<'t, Vec<Job>>) -> BoxFuture<'t, Vec<Job>> {
        let turn = self.turn();
        let leasing = lease(&self.both[turn]);
        Box::pin(async move {
            let jobs = leasing.await?;
            self.works.lock().extend(jobs.iter().map(|job| (job.entry, turn)));
            Ok(jobs)
        })
    }
}

impl Queue for Two {
    fn take_in(&self, callback: Box<Callback>, trust: Trust, due_in: Duration) -> BoxFuture<'_, Taken> {
        let turn = self.turn();
        Box::pin(async move {
            // What the other one has spent of the budget is known after a third of a lease; the suite does not wait for that.
            self.flush().await?;
            room::count_anew(&self.both[turn].writer).await.map_err(|_| JournalError::Unavailable)?;
            let taken = self.both[turn].take_in(callback, trust, due_in).await?;
            if taken.fresh {
                self.works.lock().insert(taken.entry, turn);
            }
            Ok(taken)
        })
    }

    fn append(&self, event: JournalEvent) {
        let entry = match &event {
            JournalEvent::Decided { entry, .. }
            | JournalEvent::Made { entry, .. }
            | JournalEvent::Renewed { entry, .. }
            | JournalEvent::Flagged { entry, .. }
            | JournalEvent::Again { entry, .. }
            | JournalEvent::Counted { entry, .. } => Some(*entry),
            JournalEvent::AttemptStarted { attempt, .. } | JournalEvent::AttemptEnded { attempt, .. } => {
                Some(attempt.entry)
            }
            JournalEvent::Refunded { .. } | JournalEvent::Refused(_) => None,
        };
        // What is of no entry comes from one of them, so that it is in order.
        entry.map_or(&*self.both[0], |entry| self.of(entry)).append(event);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.both[0].flush().await?;
            self.both[1].flush().await
        })
    }

    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async move {
            // What was appended before is seen, as it is where one process has the journal.
            self.flush().await?;
            self.leases(|one| one.lease_due(limit, throttled)).await
        })
    }

    fn release(&self, entry: EntryId) {
        self.of(entry).release(entry);
    }

    fn postpone(&self, entry: EntryId, again_in: Duration) {
        self.of(entry).postpone(entry, again_in);
    }

    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
        self.next().lift(channel, looks)
    }

    fn acceptance(&self, delivery: DeliveryId, order: OrderId) -> BoxFuture<'_, Option<Acceptance>> {
        self.next().acceptance(delivery, order)
    }

    fn standing(&self, payments: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>> {
        self.next().standing(payments)
    }
}

impl Recovery for Two {
    fn bring_forward(&self, channels: Vec<ChannelId>, tried_before: Timestamp, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            self.next().bring_forward(channels, tried_before, limit).await
        })
    }

    fn bring_anew(&self, channels: Vec<ChannelId>, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            self.next().bring_anew(channels, limit).await
        })
    }

    fn end_waiting(&self, channels: Vec<ChannelId>, routes: Vec<String>, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            self.next().end_waiting(channels, routes, limit).await
        })
    }

    fn next_waiting(&self, channels: Vec<ChannelId>, tried: Vec<EntryId>) -> BoxFuture<'_, Option<Job>> {
        Box::pin(async move {
            self.flush().await?;
            let turn = self.turn();
            let job = self.both[turn].next_waiting(channels, tried).await?;
            self.works.lock().extend(job.iter().map(|job| (job.entry, turn)));
            Ok(job)
        })
    }

    fn overdue(&self, channels: Vec<ChannelId>, lasts: Duration, limit: usize) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async move {
            self.flush().await?;
            self.leases(|one| one.overdue(channels, lasts, limit)).await
        })
    }
}

/// Each of these goes to the next one, once what was appended to either before is written.
macro_rules! by_turns {
    ($of:ident { $(fn $name:ident($($value:ident: $type:ty),*) -> $result:ty;)+ }) => {
        impl $of for Two {$(
            fn $name(&self, $($value: $type),*) -> BoxFuture<'_, $result> {
                Box::pin(async move {
                    self.flush().await?;
                    $of::$name(self.next(), $($value),*).await
                })
            }
        )+}
    };
}

by_turns!(Owners {
    fn own(claim: OwnerClaim) -> Owner;
    fn owner(claim: OwnerClaim) -> Option<Owner>;
});

by_turns!(SweepQueue {
    fn next_sweep() -> Option<Sweep>;
    fn found_before(sweep: SweepId) -> Vec<TransactionId>;
    fn sweep_rows(sweep: SweepId, rows: Vec<Row>) -> ();
    fn sweep_refunds(sweep: SweepId, refunded: Vec<TransactionId>) -> ();
    fn sweep_event(sweep: SweepId, event: SweepEvent) -> ();
});

by_turns!(PendingOrderQueue {
    fn take_pending_orders(news: News) -> ();
    fn source_is(health: SourceHealth) -> ();
});

by_turns!(Upkeep {
    fn forget(keep: Keep, limit: usize) -> Forgotten;
    fn beat() -> ();
    fn clock_was_set(by: SignedDuration) -> ();
    fn keep_minute(minute: Moment) -> ();
});

by_turns!(Archive {
    fn find(search: Search, limit: usize) -> Vec<Record>;
    fn refused(search: Search, limit: usize) -> Vec<Refused>;
    fn confirmed(limit: usize) -> Vec<Callback>;
    fn pending_orders(limit: usize) -> Vec<(String, PendingOrder)>;
    fn sources() -> Vec<SourceHealth>;
    fn minutes() -> Vec<Moment>;
    fn figures() -> Figures;
    fn made_at() -> Option<Timestamp>;
    fn probe() -> ();
});

by_turns!(Views {
    fn list(filter: Filter, after: Option<Cursor>, limit: usize) -> Page;
    fn today(since: Timestamp) -> Today;
    fn refusals(filter: RefusedFilter, before: Option<i64>, limit: usize) -> Vec<(i64, Refused)>;
});

by_turns!(Audits {
    fn act(act: Act, search: Search, limit: usize, by: By) -> Vec<EntryId>;
    fn audit(audit: Audit) -> ();
    fn audits(before: Option<i64>, limit: usize) -> Vec<AuditRecord>;
});

by_turns!(Redeliveries {
    fn redeliver(redelivery: Redelivery) -> Redelivered;
    fn needed(search: Search, limit: usize) -> Vec<Needed>;
});

by_turns!(Sweeps {
    fn want_sweep(wanted: Wanted) -> SweepId;
    fn sweep(sweep: SweepId) -> Option<Sweep>;
    fn sweeps(before: Option<SweepId>, limit: usize) -> Vec<Sweep>;
    fn days_swept(merchant: MerchantId) -> Vec<Date>;
    fn orders_of(numbers: Vec<(ChannelId, OutTradeNo)>) -> Vec<Option<OrderId>>;
    fn sweep_outcomes(sweep: SweepId) -> Vec<Outcome>;
    fn swept_rows(sweep: SweepId, kind: Option<RowKind>, after: u64, limit: usize) -> Vec<RowRecord>;
});
