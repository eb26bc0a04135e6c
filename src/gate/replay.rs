//! Sends a callback on whose sender waits, or replays what the upstream said when it took the same payment before
//! (idempotent replay).

use super::begin::{Errand, NotSent, Terms, in_time};
use super::channel::Channel;
use super::decide::{Confirmed, Pass};
use super::deliver::{Delivered, Forwarder, NotDelivered, Undelivered};
use super::delivery::{Acceptance, DeliveryId, Origin};
use super::event::Event;
use super::outgoing::UpstreamRequest;
use super::policy::{Duplicates, Mode, OnSecondPayment};
use super::record::{Lease, Record, verified};
use super::records::Records;
use super::reply::ReplyStyle;
use crate::domain::reason::Reason;
use crate::journal::{State, Transition};
use crate::provider::Payment;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

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
        let errand = Errand {
            record: &record,
            origin: Origin::Callback,
            next: self.records.after_callback(&record, held.lease.is_some()),
            terms: terms(upstream_request.channel, absorb, deadline),
        };
        let delivered = match self.deliver(upstream_request, pass, errand, deadline).await {
            Err(NotDelivered::NotSent(why)) => {
                // Boxed, since it never comes to that in a process that has its journal to itself.
                return Box::pin(self.not_sent(why, upstream_request, pass, errand, held, deadline)).await;
            }
            delivered => delivered,
        };
        if let Some(lease) = held.lease.take() {
            lease.done();
        }
        let delivered = delivered.map_err(unanswered)?;
        if absorb && delivered.is_accepted() {
            // The next callback, even after a restart, must find that the order was taken.
            let _ = timeout_at(deadline, self.records.flush()).await;
        }
        Ok(Answer::Forwarded(delivered))
    }

    /// What the sender of a callback is told that was not sent for this reason. Where another sends it, that is waited for.
    async fn not_sent(
        &self,
        mut why: NotSent,
        upstream_request: &UpstreamRequest<'g, '_>,
        pass: &Pass,
        errand: Errand<'_>,
        held: Held<'_>,
        deadline: Instant,
    ) -> Result<Answer<'g>, Undelivered> {
        let mut pauses = LOOK_AFTER.into_iter();
        loop {
            let delivered = match (why, pass.confirmed()) {
                (NotSent::Busy, _) => {
                    let pause = pauses.next().unwrap_or(LOOK_EVERY);
                    if Instant::now() + pause >= errand.terms.until {
                        return Err(unsent(Reason::DeliveryUnderWay));
                    }
                    sleep(pause).await;
                    self.deliver(upstream_request, pass, errand, deadline).await
                }
                (NotSent::Accepted(acceptance), Some(confirmed)) => {
                    absorbed(self.records, held, confirmed.payment());
                    return Ok(Answer::Replayed(&upstream_request.reading.reply, Arc::new(*acceptance)));
                }
                (NotSent::PaidBy(..), Some(confirmed)) => {
                    second(self.records, errand.record, held, confirmed);
                    return Err(unsent(Reason::SecondPayment));
                }
                (NotSent::Unavailable(_) | NotSent::Lost, _) if is_observed(upstream_request.channel) => {
                    // Nothing will say where the record goes on, so the follow-up is to ask.
                    *held.lease = None;
                    let unkept = self.records.unkept(errand.record.delivery.id);
                    self.deliver(upstream_request, pass, Errand { record: &unkept, ..errand }, deadline).await
                }
                (NotSent::Unavailable(reason), _) => return Err(unsent(reason)),
                (NotSent::Lost, _) => return Err(unsent(Reason::JournalUnavailable)),
                // Nothing but a payment is accepted or paid before.
                (NotSent::Accepted(_) | NotSent::PaidBy(..), None) => return Err(unsent(Reason::InternalError)),
            };
            match delivered {
                Err(NotDelivered::NotSent(again)) => why = again,
                delivered => {
                    if let Some(lease) = held.lease.take() {
                        lease.done();
                    }
                    return delivered.map(Answer::Forwarded).map_err(unanswered);
                }
            }
        }
    }
}

/// When it is looked first whether another has sent a delivery, and then.
const LOOK_AFTER: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(100)];
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// On which terms a callback is sent whose sender waits.
fn terms(channel: Option<&Channel>, absorb: bool, deadline: Instant) -> Terms {
    let (now, until) = (Instant::now(), in_time(deadline));
    Terms {
        alone: absorb,
        leased: false,
        unless_accepted: absorb,
        unless_paid: channel.is_some_and(|channel| channel.on_second_payment == OnSecondPayment::Park),
        // Where everything is forwarded the upstream must have its time all the same.
        until: if is_observed(channel) { now + until.saturating_duration_since(now) / 2 } else { until },
    }
}

fn is_observed(channel: Option<&Channel>) -> bool {
    channel.is_none_or(|channel| channel.mode == Mode::Observe)
}

/// A payment that another one of its order came before, which was not known when it was confirmed.
fn second(records: &Records, record: &Record, held: Held<'_>, confirmed: &Confirmed) {
    records.flag(Some(record), Reason::SecondPayment);
    if !matches!(record.state(), State::Accepted | State::Delivering | State::Parked) {
        let verified = Some(verified(confirmed.payment()));
        records.decided(record, Reason::SecondPayment, verified, Some(Transition::Park));
        if let Some(lease) = held.lease.take() {
            lease.done();
        }
    }
}

/// Why there is no answer.
fn unanswered(why: NotDelivered) -> Undelivered {
    match why {
        NotDelivered::Unanswered(undelivered) => undelivered,
        NotDelivered::NotSent(_) => unsent(Reason::InternalError),
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
