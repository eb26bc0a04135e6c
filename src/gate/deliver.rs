//! The last stretch: a callback that may pass is stamped, sent once, and what came of it is written down. The same for
//! a callback that waits for the answer and for one that the follow-up sends later.

use super::channel::Channel;
use super::claim::Blank;
use super::decide::Pass;
use super::delivery::{Acceptance, Origin, Sending};
use super::forward::{Upstream, UpstreamAnswer};
use super::record::Record;
use super::reply::ReplyStyle;
use super::route::{Duplicates, Route};
use super::story::Story;
use super::{Gate, stamp};
use crate::journal::{Next, Outcome, Override, Overrides, State};
use crate::metrics::Sent;
use crate::order::OrderId;
use crate::reason::Reason;
use crate::server::Peer;
use crate::traces::Parent;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{DATE, HeaderName, HeaderValue, SET_COOKIE};
use hyper::http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A callback that is to be sent.
#[derive(Debug)]
pub struct Parcel<'p> {
    /// The route it came on.
    pub route: &'p Route,
    /// Its channel; observing also sends what names none.
    pub channel: Option<&'p Channel>,
    /// Its order, if that was readable.
    pub order: Option<OrderId>,
    /// Its head as received.
    pub head: Parts,
    /// Its body.
    pub body: Bytes,
    /// Where the transaction id can be written.
    pub fill: Option<Blank>,
    /// Who sent it.
    pub peer: Peer,
    /// Its `X-Request-Id`.
    pub request_id: HeaderValue,
    /// What sending it is a step of.
    pub trace: Parent,
    /// What a person decided, as far as it counts for this.
    pub overrides: Overrides,
}

/// What a sending came to.
#[derive(Debug)]
pub struct Delivered {
    /// The upstream's answer.
    pub answer: UpstreamAnswer,
    /// Whether that counts as having taken it.
    pub accepted: bool,
}

/// What the sender of a callback that passed is told.
pub(super) enum Answer<'g> {
    /// What the upstream said.
    Forwarded(UpstreamAnswer),
    /// That it was taken before.
    Absorbed(&'g ReplyStyle, Arc<Acceptance>),
}

/// The largest answer whose body is kept for duplicates; of a larger one they get the status.
const LARGEST_KEPT: usize = 64 * 1024;

/// How long the follow-up waits for an attempt's number to be on disk. If the disk fails it is sent all the same.
const NUMBERED: Duration = Duration::from_millis(500);

impl Gate {
    /// Sends a callback whose sender waits, unless its order was accepted before and the route absorbs duplicates.
    pub(super) async fn hand_over<'g>(
        &'g self,
        parcel: Parcel<'g>,
        pass: &Pass,
        story: &mut Story<'g>,
    ) -> Result<Answer<'g>, Reason> {
        let (route, deadline) = (parcel.route, story.began + self.deadline);
        let (Some(confirmed), Some(order)) = (pass.confirmed(), parcel.order) else {
            let delivered = self.send(parcel, pass, None, deadline).await?;
            story.forwarded(&delivered);
            return Ok(Answer::Forwarded(delivered.answer));
        };
        let record = story.record.clone().unwrap_or_else(|| self.records.unkept(&route.name, &order));
        let absorb = route.duplicates == Duplicates::Absorb;
        let _turn = if absorb {
            let turn = timeout_at(deadline, record.delivery.turn.lock()).await;
            Some(turn.map_err(|_| Reason::DeliveryUnderWay)?)
        } else {
            None
        };
        let paid_by = Some(confirmed.payment().transaction_id);
        let accepted = record.delivery.accepted().filter(|accepted| absorb && accepted.transaction_id == paid_by);
        if let Some(accepted) = accepted {
            let answer = self.records.answer(&record.delivery, accepted).await?;
            story.absorbed(&self.records, confirmed.payment());
            return Ok(Answer::Absorbed(&route.reply, answer));
        }
        let next = self.records.after_callback(&record, story.in_hand.is_some());
        let delivered = self.deliver(parcel, pass, &record, Origin::Callback, next, deadline).await;
        if let Some(in_hand) = story.in_hand.take() {
            in_hand.done();
        }
        let delivered = delivered?;
        story.forwarded(&delivered);
        if absorb && delivered.accepted {
            // Whoever comes next, even after a restart, must find that it was taken.
            let _ = timeout_at(deadline, self.records.written()).await;
        }
        Ok(Answer::Forwarded(delivered.answer))
    }

    /// Sends a confirmed callback once, and writes down what came of it. `next` is where it goes on if it is not accepted.
    ///
    /// # Errors
    /// One of the upstream reasons. Only [`Reason::UpstreamUnreachable`] means that the upstream saw nothing.
    pub async fn deliver(
        &self,
        parcel: Parcel<'_>,
        pass: &Pass,
        record: &Record,
        origin: Origin,
        next: Option<Next>,
        deadline: Instant,
    ) -> Result<Delivered, Reason> {
        let (keeps_answer, overrides) = (parcel.route.duplicates == Duplicates::Absorb, parcel.overrides);
        let sending = record.delivery.next(origin);
        let meanwhile = next.filter(|next| next.state() == State::Delivering);
        let noted = |payment| self.records.sending(record, payment, &sending, meanwhile);
        let line = pass.confirmed().and_then(|confirmed| noted(confirmed.payment()));
        if origin == Origin::Callback {
            self.forward.count_fresh(self.upstream_of(&parcel));
        } else {
            // Nobody waits, so there is time to have the attempt's number on disk before the upstream sees it.
            let _ = timeout_at(deadline.min(Instant::now() + NUMBERED), self.records.written()).await;
        }
        let delivered = self.send(parcel, pass, Some(sending.clone()), deadline).await;
        let outcome = match &delivered {
            Ok(Delivered { answer, accepted: true }) => Outcome::Accepted(acceptance(answer, pass, keeps_answer)),
            Ok(Delivered { answer, accepted: false }) => Outcome::Answered(answer.status),
            Err(reason) => Outcome::Failed(*reason),
        };
        // Before what came of it, so that no crash leaves the one without the other.
        if !matches!(outcome, Outcome::Failed(Reason::UpstreamUnreachable)) {
            self.flag_overridden(record, overrides);
        }
        self.records.sent(record, &sending, line, outcome, next);
        delivered
    }

    /// That a person decided it stays with the record for ever. A second payment is flagged anyway.
    fn flag_overridden(&self, record: &Record, overrides: Overrides) {
        if overrides.has(Override::Amount) {
            self.records.flag(Some(record), Reason::DeliveredOverPrice);
        }
        if overrides.has(Override::Accepted) {
            self.records.flag(Some(record), Reason::DeliveredAgain);
        }
    }

    async fn send(
        &self,
        parcel: Parcel<'_>,
        pass: &Pass,
        sending: Option<Sending>,
        deadline: Instant,
    ) -> Result<Delivered, Reason> {
        let (route, channel) = (parcel.route, parcel.channel);
        let upstream = self.upstream_of(&parcel).clone();
        let origin = sending.as_ref().map_or(Origin::Callback, |sending| sending.origin);
        let overrides = parcel.overrides;
        let sending = sending.zip(channel).map(|(sending, channel)| stamp::Delivered {
            channel: &channel.id,
            sending,
            overrides,
        });
        let mut span = parcel.trace.client("forward");
        span.set("tollgate.origin", origin.as_str());
        span.set("server.address", &upstream);
        if let Some(sending) = &sending {
            span.set("tollgate.attempt", sending.sending.attempt);
        }
        let mut request = self.outgoing(parcel, pass, sending)?;
        span.take_over(request.headers_mut());
        let sent_at = Instant::now();
        let answer = self.forward.send(&upstream, request, deadline).await;
        let accepted = answer.as_ref().map(|answer| route.accepted.holds(answer));
        let sent = match &accepted {
            Ok(true) => Sent::Accepted,
            Ok(false) => Sent::NotAccepted,
            Err(reason) => Sent::Failed(**reason),
        };
        self.sent.sent(channel.map(|channel| channel.id), origin.as_str(), sent, sent_at.elapsed());
        match &answer {
            Ok(answer) => span.set_number("http.response.status_code", answer.status.as_u16()),
            Err(reason) => span.failed(reason.code()),
        }
        let accepted = accepted.is_ok_and(|accepted| accepted);
        span.set("tollgate.accepted", accepted);
        Ok(Delivered { answer: answer?, accepted })
    }

    /// Where a callback goes.
    pub(super) fn upstream_of<'a>(&'a self, parcel: &Parcel<'a>) -> &'a Upstream {
        parcel.channel.map_or(&self.upstream, |channel| &channel.upstream)
    }
}

fn acceptance(answer: &UpstreamAnswer, pass: &Pass, keep: bool) -> Acceptance {
    // Copied, since what was read from the upstream holds the whole buffer it was read into.
    let copied = |body: &Bytes| Bytes::copy_from_slice(body);
    let body = Some(&answer.body).filter(|body| keep && body.len() <= LARGEST_KEPT).map(copied);
    let headers = if body.is_some() { lasting(&answer.headers) } else { HeaderMap::new() };
    let transaction_id = pass.confirmed().map(|confirmed| confirmed.payment().transaction_id);
    Acceptance { transaction_id, status: answer.status, headers, body }
}

/// What of an answer's head is true for everybody who gets it later, copied like its body.
fn lasting(headers: &HeaderMap) -> HeaderMap {
    let lasts = |(name, _): &(&HeaderName, &HeaderValue)| *name != SET_COOKIE && *name != DATE;
    let copied = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    let mut lasting = HeaderMap::new();
    for (name, value) in headers.iter().filter(lasts).filter_map(copied) {
        lasting.append(name, value);
    }
    lasting
}
