//! The queue, in a database: the writer takes in and is told, and what is due is claimed.

use super::numbers::Bucket;
use super::op::Note;
use super::statement::{List, Statement};
use super::{Postgres, columns, due, rank, script, take_in};
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::journal::sweeps::Standing;
use crate::journal::{
    Acceptance, BoxFuture, Callback, DeliveryId, EntryId, Job, JournalEvent, Looks, Queue, Taken, Throttled, Trust,
};
use std::time::Duration;

impl Queue for Postgres {
    fn take_in(&self, callback: Box<Callback>, trust: Trust, due_in: Duration) -> BoxFuture<'_, Taken> {
        take_in::take_in(self, callback, trust, due_in)
    }

    fn append(&self, event: JournalEvent) {
        let bucket = bucket_of(&event);
        self.writer.note(Note::Event(event), bucket, None);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.writer.flush()
    }

    fn lease_due(&self, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>> {
        due::lease_due(self, limit, throttled)
    }

    fn release(&self, entry: EntryId) {
        self.writer.note(Note::Release(entry), Bucket::of_entry(entry), None);
    }

    fn postpone(&self, entry: EntryId, again_in: Duration) {
        self.holds.rest(entry, again_in);
    }

    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
        rank::lift(self, channel, looks)
    }

    fn acceptance(&self, delivery: DeliveryId, order: OrderId) -> BoxFuture<'_, Option<Acceptance>> {
        self.database.read(move |tx| {
            Box::pin(async move {
                let accepted = Statement::of(
                    "SELECT transaction_id AS accepted_transaction_id, answer_status, answer_headers, answer_body
                     FROM ~delivery WHERE bucket = $1 AND id = $2",
                );
                let bucket = Bucket::of(order.as_str()).column();
                let row = tx.first(accepted.with(bucket).with(delivery.0)).await?;
                row.as_ref().map(columns::acceptance).transpose().map(Option::flatten)
            })
        })
    }

    /// The entry that says most about each: one whose delivery was accepted, or else the latest that goes on.
    fn standing(&self, payments: Vec<TransactionId>) -> BoxFuture<'_, Vec<Option<Standing>>> {
        let asked: Vec<String> = payments.iter().map(|payment| payment.to_string()).collect();
        self.database.read(move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let mut standing: Vec<Option<Standing>> = asked.iter().map(|_| None).collect();
                for row in tx.rows(Statement::of(STANDING).with(List(asked))).await? {
                    let entry = EntryId(row.try_get("id")?);
                    let one = Standing { entry, state: columns::state(&row)?, accepted: row.try_get("accepted")? };
                    if let Some(place) = standing.get_mut(script::place(&row)) {
                        *place = Some(one);
                    }
                }
                Ok(standing)
            })
        })
    }
}

const STANDING: &str =
    "SELECT w.place, s.id, s.state, s.accepted FROM unnest($1::text[]) WITH ORDINALITY AS w(payment, place)
    CROSS JOIN LATERAL (
        SELECT e.id, e.state, e.state = 'accepted' OR coalesce(d.transaction_id = e.transaction_id, false) AS accepted
        FROM ~entry e LEFT JOIN ~delivery d ON d.bucket = e.bucket AND d.id = e.delivery
        WHERE e.transaction_id = w.payment AND e.state <> 'closed'
        ORDER BY 3 DESC, e.state <> 'delivering', e.id DESC LIMIT 1) s";

/// Where what an event is about stands.
fn bucket_of(event: &JournalEvent) -> Bucket {
    match event {
        JournalEvent::Decided { entry, .. }
        | JournalEvent::Made { entry, .. }
        | JournalEvent::Renewed { entry, .. }
        | JournalEvent::Flagged { entry, .. }
        | JournalEvent::Again { entry, .. }
        | JournalEvent::Counted { entry, .. } => Bucket::of_entry(*entry),
        JournalEvent::AttemptStarted { attempt, .. } | JournalEvent::AttemptEnded { attempt, .. } => {
            Bucket::of_entry(attempt.entry)
        }
        JournalEvent::Refunded { order, .. } => Bucket::of(order.as_str()),
        // It is no order's, and those that come first have the lower numbers.
        JournalEvent::Refused(_) => Bucket(0),
    }
}
