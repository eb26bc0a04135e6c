//! Delivery: a callback that may pass is stamped and sent, and what came of it goes into the journal. A callback whose
//! sender waits and one that the follow-up sends later are delivered alike.
//!
//! The callback is sent once; and once more, as an attempt of its own, if a kept connection took it along.

use super::accepted::FailedRule;
use super::begin::{Errand, NotSent, UnderWay};
use super::decide::Pass;
use super::delivery::{Acceptance, Attempt, Origin};
use super::outgoing::{UpstreamRequest, outgoing};
use super::policy::Duplicates;
use super::record::Record;
use super::records::Records;
use super::resign::resign;
use super::sender::Senders;
use super::stamp::{self, Stamp};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::{Outcome, Override, Overrides};
use crate::observe::metrics::{Sent, UpstreamMeters};
use crate::observe::traces::Span;
use crate::upstream::standing::{Change, Failure};
use crate::upstream::{Forward, To, Unanswered, Upstream, UpstreamAnswer};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{DATE, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{HeaderMap, Request, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a delivery came to.
#[derive(Debug)]
pub struct Delivered {
    /// The upstream's answer.
    pub answer: UpstreamAnswer,
    /// Which part of the route's `accepted` it did not meet; `None` if it counts as having taken what was sent.
    pub failed_rule: Option<FailedRule>,
    /// Whether it was sent twice.
    pub resent: bool,
}

impl Delivered {
    /// Whether the answer counts as having taken what was sent.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.failed_rule.is_none()
    }
}

/// Why a delivery has no answer.
#[derive(Debug, Clone, Copy)]
pub struct Undelivered {
    /// One of the upstream reasons. Only [`Reason::UpstreamUnreachable`] means that the upstream saw nothing of the
    /// latest attempt.
    pub reason: Reason,
    /// Whether it was sent twice.
    pub resent: bool,
}

/// Why a delivery came to nothing.
#[derive(Debug)]
pub enum NotDelivered {
    /// It was not sent.
    NotSent(NotSent),
    /// It was sent, and has no answer.
    Unanswered(Undelivered),
}

impl From<NotSent> for NotDelivered {
    fn from(why: NotSent) -> Self {
        Self::NotSent(why)
    }
}

/// Where a callback goes, and what for.
#[derive(Debug)]
struct Destination<'d> {
    callback: &'d UpstreamRequest<'d, 'd>,
    upstream: &'d Upstream,
    /// The way there; none to an upstream that is not configured, which is a fault.
    to: Option<To<'d>>,
    origin: Origin,
}

impl Destination<'_> {
    fn channel(&self) -> Option<ChannelId> {
        self.callback.channel.map(|channel| channel.id)
    }
}

/// An answer, and whether it counts as having taken what was sent.
type Judged = (UpstreamAnswer, Result<(), FailedRule>);

/// The largest answer whose body is kept for duplicates; of a larger one they get the status.
const LARGEST_KEPT: usize = 64 * 1024;

/// How long the follow-up waits for an attempt's number to be on disk. If the disk fails it is sent all the same.
const NUMBERED: Duration = Duration::from_millis(500);

/// Delivers to the upstream, over what it uses of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Forwarder<'g> {
    pub(super) senders: &'g Senders,
    pub(super) stamp: &'g Stamp,
    pub(super) forward: &'g Forward,
    /// Where callbacks go whose channel is not known.
    pub(super) default: &'g Upstream,
    pub(super) records: &'g Records,
    pub(super) meters: &'g UpstreamMeters,
}

impl Forwarder<'_> {
    /// Sends a confirmed callback, and writes down what came of it.
    ///
    /// # Errors
    /// Why it was not sent, or there is no answer.
    pub async fn deliver(
        &self,
        callback: &UpstreamRequest<'_, '_>,
        pass: &Pass,
        errand: Errand<'_>,
        deadline: Instant,
    ) -> Result<Delivered, NotDelivered> {
        let Errand { record, origin, next, .. } = errand;
        let mut under_way = UnderWay::begin(self.records, callback, pass, errand).await?;
        let destination = self.destination(callback, origin);
        if let Some(to) = destination.to.filter(|_| origin == Origin::Callback) {
            to.count_fresh();
        }
        let accepted_before = destination.to.map(|to| to.standing(|standing| standing.accepted_so_far()));
        self.flush_number(origin, deadline).await;
        let mut sent = self.send(&destination, pass, Some(&under_way.attempt), deadline).await;
        let resent = is_sent_again(&sent, deadline);
        if resent {
            // What became of this attempt is known, and where the callback goes on is not.
            let broke = Outcome::Failed(Reason::UpstreamBroke);
            self.records.attempt_ended(record, &under_way.attempt, under_way.line, broke, None);
            under_way.ended();
            let again = UnderWay::begin(self.records, callback, pass, errand).await;
            if again.is_err() {
                self.flag_overridden(record, callback.overrides);
            }
            under_way = again?;
            self.flush_number(origin, deadline).await;
            // Boxed here as below: it is rare, and the others should not carry the room for it.
            sent = Box::pin(self.send_again(&destination, pass, Some(&under_way.attempt), deadline)).await;
        }
        // Before what came of it, so that no crash leaves the one without the other.
        if !matches!(&sent, Err(Unanswered { reason: Reason::UpstreamUnreachable, .. })) {
            self.flag_overridden(record, callback.overrides);
        }
        if under_way.line.is_none() && matches!(sent, Ok((_, Ok(())))) && record.delivery.accepted().is_some() {
            self.records.accepted_again(record);
        } else {
            let keep = callback.route.duplicates == Duplicates::Absorb;
            let outcome = outcome(&sent, pass, keep);
            self.records.attempt_ended(record, &under_way.attempt, under_way.line, outcome, next);
        }
        under_way.ended();
        self.update_standing(&destination, &sent, accepted_before.unwrap_or_default());
        result_of(sent, resent).map_err(NotDelivered::Unanswered)
    }

    /// Records whether the upstream took a delivery. The journal has what came of it by then, so that what waits is
    /// known to wait.
    fn update_standing(&self, destination: &Destination<'_>, sent: &Result<Judged, Unanswered>, accepted_before: u64) {
        let failed = |status, reason| Some(Failure { at: clock::now(), status, reason });
        let failure = match sent {
            Ok((_, Ok(()))) => None,
            Ok((answer, Err(_))) => failed(Some(answer.status), Reason::NotAccepted),
            // That says nothing of the upstream.
            Err(Unanswered { reason: Reason::InternalError, .. }) => return,
            Err(unanswered) => failed(None, unanswered.reason),
        };
        let Some(to) = destination.to else { return };
        let change = to.standing(|standing| match (failure, destination.callback.order) {
            (None, _) => standing.accepted(clock::now()),
            (Some(failure), Some(order)) => standing.failed(order, failure, accepted_before),
            (Some(_), None) => None,
        });
        match change {
            None => {}
            Some(Change::Fails) => tracing::warn!(
                upstream = %destination.upstream,
                reason = failure.map(|failure| failure.reason.code()),
                "the upstream accepts nothing: held orders wait, and one of them is sent every follow_up.probe"
            ),
            Some(Change::Recovers(since)) => tracing::warn!(
                upstream = %destination.upstream,
                failing_since = clock::rfc3339(since),
                "the upstream accepts again: held orders are sent at follow_up.pace"
            ),
        }
    }

    /// Where no sender waits there is time to have the attempt's number on disk before the upstream sees it.
    async fn flush_number(&self, origin: Origin, deadline: Instant) {
        if origin != Origin::Callback && self.records.shared().is_none() {
            let until = deadline.min(Instant::now() + NUMBERED);
            let _ = Box::pin(timeout_at(until, self.records.flush())).await;
        }
    }

    /// Sends a callback that is not confirmed; the journal gets nothing of it.
    pub(super) async fn send_unrecorded(
        &self,
        callback: &UpstreamRequest<'_, '_>,
        pass: &Pass,
        deadline: Instant,
    ) -> Result<Delivered, Undelivered> {
        let destination = self.destination(callback, Origin::Callback);
        let mut sent = self.send(&destination, pass, None, deadline).await;
        let resent = is_sent_again(&sent, deadline);
        if resent {
            sent = Box::pin(self.send_again(&destination, pass, None, deadline)).await;
        }
        result_of(sent, resent)
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
        destination: &Destination<'_>,
        pass: &Pass,
        attempt: Option<&Attempt>,
        deadline: Instant,
    ) -> Result<Judged, Unanswered> {
        let mut request = self.request(destination, pass, attempt).await?;
        let to = destination.to.ok_or(Reason::InternalError)?;
        let span = span(destination, attempt, &mut request);
        let sent_at = Instant::now();
        let answer = to.send(request, deadline).await;
        self.heard(destination, answer, span, sent_at)
    }

    /// Sends the same request on a connection of its own, as another attempt. It is never done unseen (threat D-06).
    async fn send_again(
        &self,
        destination: &Destination<'_>,
        pass: &Pass,
        attempt: Option<&Attempt>,
        deadline: Instant,
    ) -> Result<Judged, Unanswered> {
        let mut request = self.request(destination, pass, attempt).await?;
        let to = destination.to.ok_or(Reason::InternalError)?;
        let mut span = span(destination, attempt, &mut request);
        span.set("tollgate.resent", true);
        let channel = destination.channel();
        self.meters.resent(channel);
        tracing::info!(
            channel = channel.as_ref().map(ChannelId::as_str),
            order = destination.callback.order.as_ref().map(OrderId::as_str),
            origin = destination.origin.as_str(),
            attempt = attempt.and_then(|attempt| attempt.number),
            upstream = %destination.upstream,
            "the upstream closed a kept connection under a callback, which is sent once more on a fresh one"
        );
        let sent_at = Instant::now();
        let answer = to.send_afresh(request, deadline).await;
        self.heard(destination, answer, span, sent_at)
    }

    /// The request of an attempt, signed afresh where the route does that.
    async fn request(
        &self,
        destination: &Destination<'_>,
        pass: &Pass,
        attempt: Option<&Attempt>,
    ) -> Result<Request<Full<Bytes>>, Reason> {
        let callback = destination.callback;
        let sender = self.senders.identify(callback.peer);
        let stamped = stamped(destination, attempt);
        let mut request = outgoing(callback, pass, self.stamp, sender, destination.upstream, stamped)?;
        if let Some(with) = callback.resign() {
            Box::pin(resign(Arc::clone(with), &mut request, callback.body.clone())).await?;
        }
        Ok(request)
    }

    /// Counts what came of an attempt, and judges the answer.
    fn heard(
        &self,
        destination: &Destination<'_>,
        answer: Result<UpstreamAnswer, Unanswered>,
        mut span: Span,
        sent_at: Instant,
    ) -> Result<Judged, Unanswered> {
        let judged = answer.as_ref().map(|answer| destination.callback.reading.accepted.judge(answer));
        let sent = match &judged {
            Ok(Ok(())) => Sent::Accepted,
            Ok(Err(_)) => Sent::NotAccepted,
            Err(unanswered) => Sent::Failed(unanswered.reason),
        };
        self.meters.sent(destination.channel(), destination.origin.as_str(), sent, sent_at.elapsed());
        match &answer {
            Ok(answer) => span.set_number("http.response.status_code", answer.status.as_u16()),
            Err(unanswered) => span.failed(unanswered.reason.code()),
        }
        span.set("tollgate.accepted", matches!(judged, Ok(Ok(()))));
        let judged = judged.unwrap_or(Err(FailedRule::Status));
        let answer = answer?;
        if let Err(failed_rule) = judged {
            not_taken(destination, answer.status, failed_rule);
        }
        Ok((answer, judged))
    }

    fn destination<'a>(&'a self, callback: &'a UpstreamRequest<'a, 'a>, origin: Origin) -> Destination<'a> {
        let upstream = callback.channel.map_or(self.default, |channel| &channel.upstream);
        Destination { callback, upstream, to: self.forward.to(upstream), origin }
    }
}

/// Whether a callback is sent once more: its kept connection ended before a byte of an answer came.
fn is_sent_again(sent: &Result<Judged, Unanswered>, deadline: Instant) -> bool {
    matches!(sent, Err(Unanswered { again: true, .. })) && Instant::now() < deadline
}

/// Says why an answer does not count, where no line about a callback says it.
fn not_taken(destination: &Destination<'_>, status: StatusCode, failed_rule: FailedRule) {
    if destination.origin != Origin::Callback {
        tracing::info!(
            route = destination.callback.route.name,
            channel = destination.channel().as_ref().map(ChannelId::as_str),
            order = destination.callback.order.as_ref().map(OrderId::as_str),
            origin = destination.origin.as_str(),
            status = status.as_u16(),
            failed_rule = failed_rule.as_str(),
            "the order system answered, and not as the route's accepted wants"
        );
    }
}

fn stamped<'w>(destination: &Destination<'w>, attempt: Option<&'w Attempt>) -> Option<stamp::Delivered<'w>> {
    let UpstreamRequest { channel, overrides, event, .. } = *destination.callback;
    Some(stamp::Delivered { channel: &channel?.id, attempt: attempt?, overrides, event })
}

/// The span of an attempt, which takes the place of the span that the request belonged to.
fn span(destination: &Destination<'_>, attempt: Option<&Attempt>, request: &mut Request<Full<Bytes>>) -> Span {
    let mut span = destination.callback.trace.client("forward");
    if span.is_wanted() {
        span.set("tollgate.origin", destination.origin.as_str());
        span.set("server.address", destination.upstream);
        if let Some(number) = attempt.filter(|_| destination.callback.channel.is_some()).and_then(|it| it.number) {
            span.set("tollgate.attempt", number);
        }
        span.take_over(request.headers_mut());
    }
    span
}

fn result_of(sent: Result<Judged, Unanswered>, resent: bool) -> Result<Delivered, Undelivered> {
    match sent {
        Ok((answer, judged)) => Ok(Delivered { answer, failed_rule: judged.err(), resent }),
        Err(unanswered) => Err(Undelivered { reason: unanswered.reason, resent }),
    }
}

fn outcome(sent: &Result<Judged, Unanswered>, pass: &Pass, keep: bool) -> Outcome {
    match sent {
        Ok((answer, Ok(()))) => Outcome::Accepted(acceptance(answer, pass, keep)),
        Ok((answer, Err(_))) => Outcome::Answered(answer.status),
        Err(unanswered) => Outcome::Failed(unanswered.reason),
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

/// The headers of an answer that are true for every sender who gets it later, copied like its body.
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
