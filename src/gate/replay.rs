//! Sends a callback on whose sender waits, or replays what the upstream said when it took the same payment before
//! (idempotent replay).

use super::decide::Pass;
use super::deliver::{Delivered, Forwarder, Undelivered};
use super::delivery::{Acceptance, DeliveryId, Origin};
use super::event::Event;
use super::outgoing::UpstreamRequest;
use super::policy::Duplicates;
use super::record::{Lease, Record, verified};
use super::records::Records;
use super::reply::ReplyStyle;
use crate::domain::reason::Reason;
use crate::journal::Transition;
use crate::provider::Payment;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// What the sender of a callback that passed is told.
#[derive(Debug)]
pub(super) enum Answer<'g> {
    /// The upstream's answer to this very callback.
    Forwarded(Delivered),
    /// What the upstream said when it took the payment before.
    Replayed(&'g ReplyStyle, Arc<Acceptance>),
}

/// What is kept of a callback that passed.
#[derive(Debug)]
pub(super) struct Held<'c> {
    pub(super) record: Option<&'c Arc<Record>>,
    /// Taken as soon as the journal has an event of where the record goes on.
    pub(super) lease: &'c mut Option<Lease>,
}

impl<'g> Forwarder<'g> {
    /// Sends a callback whose sender waits, unless its order was accepted before and the route absorbs duplicates.
    pub(super) async fn forward_or_replay(
        &self,
        upstream_request: &UpstreamRequest<'g, '_>,
        pass: &Pass,
        held: Held<'_>,
        deadline: Instant,
    ) -> Result<Answer<'g>, Undelivered> {
        let UpstreamRequest { route, reading, order, event, .. } = *upstream_request;
        let (Some(confirmed), Some(order)) = (pass.confirmed(), order) else {
            return self.send_unrecorded(upstream_request, pass, deadline).await.map(Answer::Forwarded);
        };
        let delivery = || match event {
            Event::Payment => DeliveryId::of(&route.name, &order),
            Event::Refund(delivery) => delivery,
        };
        let record = held.record.cloned().unwrap_or_else(|| self.records.unkept(delivery()));
        // Each notification of a refund is sent on.
        let absorb = route.duplicates == Duplicates::Absorb && event == Event::Payment;
        let _turn = if absorb {
            let turn = timeout_at(deadline, record.delivery.turn.lock()).await;
            Some(turn.map_err(|_| unsent(Reason::DeliveryUnderWay))?)
        } else {
            None
        };
        let paid_by = Some(confirmed.payment().transaction_id);
        let accepted = record.delivery.accepted().filter(|accepted| absorb && accepted.transaction_id == paid_by);
        if let Some(accepted) = accepted {
            let answer = self.records.answer(&record.delivery, order, accepted).await.map_err(unsent)?;
            absorbed(self.records, held, confirmed.payment());
            return Ok(Answer::Replayed(&reading.reply, answer));
        }
        let next = self.records.after_callback(&record, held.lease.is_some());
        let delivered = self.deliver(upstream_request, pass, &record, Origin::Callback, next, deadline).await;
        if let Some(lease) = held.lease.take() {
            lease.done();
        }
        let delivered = delivered?;
        if absorb && delivered.is_accepted() {
            // The next callback, even after a restart, must find that the order was taken.
            let _ = timeout_at(deadline, self.records.flush()).await;
        }
        Ok(Answer::Forwarded(delivered))
    }
}

const fn unsent(reason: Reason) -> Undelivered {
    Undelivered { reason, resent: false }
}

/// A record that another claim made about an order that was accepted is accepted too.
fn absorbed(records: &Records, held: Held<'_>, payment: &Payment) {
    if let (Some(record), Some(lease)) = (held.record, held.lease.take()) {
        records.decided(record, Reason::Paid, Some(verified(payment)), Some(Transition::Accepted));
        lease.done();
    }
}
