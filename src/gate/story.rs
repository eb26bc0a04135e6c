//! What is told of a callback: one line in the log with everything an operator asks for, and what is counted of it.

use super::accepted::FailedRule;
use super::channel::Channel;
use super::claim::Unreadable;
use super::confirm::Source;
use super::decide::Pass;
use super::deliver::{Delivered, Undelivered};
use super::notification::Event;
use super::record::{Lease, Record, Records, verified};
use super::route::Route;
use crate::domain::order::{OrderId, OutTradeNo};
use crate::domain::reason::{Reason, Stage, Verdict};
use crate::journal::{Refused, State, Transition};
use crate::observe::metrics::{Counts, Metrics, Outcome, UnderWay};
use crate::observe::traces::Span;
use crate::provider::payment::Payment;
use crate::server::Peer;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Level;
use uuid::Uuid;

/// A callback's story as far as it has come.
#[derive(Debug)]
pub(super) struct Story<'g> {
    pub(super) id: Uuid,
    pub(super) request_id: HeaderValue,
    pub(super) began: Instant,
    pub(super) peer: Peer,
    pub(super) route: Option<&'g Route>,
    pub(super) channel: Option<&'g Arc<Channel>>,
    pub(super) order: Option<OrderId>,
    pub(super) out_trade_no: Option<OutTradeNo>,
    pub(super) event: Event,
    /// What is kept of the callback, once it is.
    pub(super) record: Option<Arc<Record>>,
    /// There if this callback made the record, and it was not gone on with yet.
    pub(super) lease: Option<Lease>,
    /// The payment that was found, if the callback was held back all the same.
    pub(super) payment: Option<Arc<Payment>>,
    under_way: UnderWay<'g>,
    pub(super) span: Span,
    made_record: bool,
    absorbed: bool,
    refunded: bool,
    would_refuse: Option<Reason>,
    unreadable: Option<Unreadable>,
    confirm: Option<(Source, Duration)>,
    sent_at: Option<Instant>,
    upstream: Option<(StatusCode, Option<FailedRule>)>,
    resent: bool,
}

impl<'g> Story<'g> {
    pub(super) fn begin(peer: Peer, counts: &'g Counts, span: Span) -> Self {
        let id = Uuid::now_v7();
        Self {
            id,
            request_id: request_id(id),
            began: Instant::now(),
            peer,
            route: None,
            channel: None,
            order: None,
            out_trade_no: None,
            event: Event::Payment,
            record: None,
            lease: None,
            payment: None,
            under_way: counts.receive(),
            span,
            made_record: false,
            absorbed: false,
            refunded: false,
            would_refuse: None,
            unreadable: None,
            confirm: None,
            sent_at: None,
            upstream: None,
            resent: false,
        }
    }

    pub(super) fn unreadable(&mut self, unreadable: Unreadable) -> Reason {
        let reason = unreadable.reason;
        self.unreadable = Some(unreadable);
        reason
    }

    pub(super) fn confirmed(&mut self, source: Source, took: Duration) {
        self.confirm = Some((source, took));
    }

    pub(super) fn passed(&mut self, pass: &Pass) {
        self.refunded = pass.confirmed().is_some_and(|confirmed| confirmed.payment().refunded);
        self.would_refuse = pass.would_refuse();
        self.sent_at = Some(Instant::now());
    }

    pub(super) fn sent(&mut self, delivered: &Result<Delivered, Undelivered>) {
        match delivered {
            Ok(delivered) => {
                self.upstream = Some((delivered.answer.status, delivered.failed_rule));
                self.resent = delivered.resent;
            }
            Err(undelivered) => self.resent = undelivered.resent,
        }
    }

    pub(super) fn kept(&mut self, record: Arc<Record>, lease: Option<Lease>) {
        self.record = Some(record);
        self.made_record = lease.is_some();
        self.lease = lease;
    }

    pub(super) fn absorbed(&mut self, records: &Records, payment: &Payment) {
        self.absorbed = true;
        self.sent_at = None;
        if let (Some(record), Some(lease)) = (&self.record, self.lease.take()) {
            // Another claim about an order that was accepted.
            records.found(record, Reason::Paid, Some(verified(payment)), Some(Transition::Accepted));
            lease.done();
        }
    }

    /// Writes down what is not written yet: where the record goes on, that there was another callback of it, or that this
    /// one was refused.
    pub(super) fn settle(&mut self, records: &Records, refused: Option<Reason>) {
        let reason = self.reason(refused);
        let Some(record) = &self.record else {
            if let (Some(reason), Some(route)) = (refused, self.route) {
                records.refused(|| Refused {
                    request_id: self.id,
                    at: None,
                    route: Some(route.name.clone()),
                    channel: self.channel.map(|channel| channel.id),
                    order: self.order,
                    reason,
                    detail: self.unreadable.as_ref().map(|unreadable| unreadable.detail.clone()),
                });
            }
            return;
        };
        let fresh = self.lease.is_some();
        match (refused, self.would_refuse) {
            // Whatever the upstream did with it: nothing more is done about what passed unconfirmed.
            (_, Some(reason)) => records.observed(record, fresh, reason),
            // What went wrong with the upstream was written when it was sent.
            (Some(reason), None) if self.sent_at.is_none() || fresh => {
                records.held(record, fresh, reason, self.payment.as_deref());
            }
            _ => {}
        }
        match self.lease.take() {
            Some(lease) if refused.is_some() || self.would_refuse.is_some() => lease.done(),
            None if !self.made_record => records.again(record, self.id, reason),
            // Nothing was noted, so the follow-up is to look.
            Some(_) | None => {}
        }
    }

    /// The one reason code that stands for how it went.
    fn reason(&self, refused: Option<Reason>) -> Reason {
        let confirmed = match self.event {
            Event::Refund(_) => Reason::RefundConfirmed,
            Event::Payment if self.refunded => Reason::Refunded,
            Event::Payment => Reason::Paid,
        };
        refused.or(self.would_refuse).unwrap_or(confirmed)
    }

    /// Counts the callback and writes its line.
    pub(super) fn tell(&mut self, metrics: &Metrics, refused: Option<Reason>, status: StatusCode) {
        let reason = self.reason(refused);
        self.count(metrics, reason, refused.is_some());
        self.end_span(reason, refused.is_some(), status);
        // One macro call for each level, since a level must be a constant.
        macro_rules! line {
            ($level:expr) => {
                if tracing::enabled!(target: "tollgate::callback", $level) {
                    let fields = self.fields(reason);
                    tracing::event!(
                        target: "tollgate::callback",
                        $level,
                        request_id = fields.request_id,
                        peer = %self.peer.addr,
                        route = fields.route,
                        channel = fields.channel,
                        order = fields.order,
                        out_trade_no = fields.out_trade_no,
                        verdict = fields.verdict,
                        reason = reason.code(),
                        detail = fields.detail,
                        event = fields.event,
                        would_refuse = fields.would_refuse,
                        source = fields.source,
                        status = status.as_u16(),
                        upstream_status = fields.upstream_status,
                        accepted = fields.accepted,
                        failed_rule = fields.failed_rule,
                        resent = fields.resent,
                        absorbed = fields.absorbed,
                        elapsed_ms = fields.elapsed_ms,
                        confirm_ms = fields.confirm_ms,
                        upstream_ms = fields.upstream_ms,
                        "callback"
                    );
                }
            };
        }
        match (reason.stage(), reason) {
            (Stage::Verdict(Verdict::Contradicted) | Stage::Upstream | Stage::FollowUp | Stage::Gate, _) => {
                line!(Level::WARN)
            }
            (_, Reason::QueryRefused) => line!(Level::WARN),
            _ => line!(Level::INFO),
        }
    }

    fn count(&mut self, metrics: &Metrics, reason: Reason, refused: bool) {
        if let Some((source, took)) = self.confirm {
            source.of(&metrics.confirm).took(took);
        }
        let (route, channel) = (self.route.map(|route| route.name.as_str()), self.channel.map(|channel| channel.id));
        let (verdict, outcome) = (self.verdict(reason), self.outcome(refused));
        self.under_way.end(route, channel, (reason, verdict), outcome, self.began.elapsed());
    }

    /// Says in the span what the line says, but for what is personal.
    fn end_span(&mut self, reason: Reason, refused: bool, status: StatusCode) {
        let mut span = std::mem::take(&mut self.span);
        if !span.is_wanted() {
            return;
        }
        span.set("tollgate.request_id", self.id);
        if let Some(route) = self.route {
            span.set("tollgate.route", &route.name);
        }
        if let Some(channel) = self.channel {
            span.set("tollgate.channel", channel.id);
        }
        if let Some(order) = self.order {
            span.set("tollgate.order", order);
        }
        if let Some(out_trade_no) = self.out_trade_no {
            span.set("tollgate.out_trade_no", out_trade_no);
        }
        if let Some(verdict) = self.verdict(reason) {
            span.set("tollgate.verdict", verdict);
        }
        span.set("tollgate.reason", reason);
        span.set("tollgate.outcome", self.outcome(refused).as_str());
        span.set_number("http.response.status_code", status.as_u16());
        if matches!(reason.stage(), Stage::Upstream | Stage::Gate | Stage::Verdict(Verdict::Unknown)) {
            span.failed(reason.code());
        }
    }

    /// What has become of the callback, now that what is kept of it is settled.
    fn outcome(&self, refused: bool) -> Outcome {
        match self.record.as_ref().map(|record| record.state()) {
            _ if !refused => {
                if self.absorbed {
                    Outcome::Absorbed
                } else {
                    Outcome::Forwarded
                }
            }
            Some(State::Asking | State::Delivering) => Outcome::Retrying,
            Some(State::Parked) => Outcome::Parked,
            Some(State::Accepted | State::Closed) | None => Outcome::Refused,
        }
    }

    fn verdict(&self, reason: Reason) -> Option<Verdict> {
        // What WeChat Pay said stays the verdict when the upstream then failed.
        let refunded = self.refunded || self.event != Event::Payment;
        let confirmed = if refunded { Verdict::Refunded } else { Verdict::Paid };
        let passed = (self.sent_at.is_some() || self.absorbed) && self.would_refuse.is_none();
        if passed { Some(confirmed) } else { reason.verdict() }
    }

    fn fields(&self, reason: Reason) -> Fields<'_> {
        let ms = |took: Duration| took.as_micros() as f64 / 1000.0;
        let verdict = self.verdict(reason);
        Fields {
            request_id: self.request_id.to_str().unwrap_or_default(),
            route: self.route.map(|route| route.name.as_str()),
            channel: self.channel.map(|channel| channel.id.as_str()),
            order: self.order.as_ref().map(OrderId::as_str),
            out_trade_no: self.out_trade_no.as_ref().map(OutTradeNo::as_str),
            verdict: verdict.map(Verdict::as_str),
            detail: self.unreadable.as_ref().map(|unreadable| unreadable.detail.as_str()),
            event: (self.event != Event::Payment).then_some("refund"),
            would_refuse: self.would_refuse.is_some().then_some(true),
            source: self.confirm.map(|(source, _)| source.as_str()),
            upstream_status: self.upstream.map(|(status, _)| status.as_u16()),
            accepted: self.upstream.map(|(_, failed)| failed.is_none()),
            failed_rule: self.upstream.and_then(|(_, failed)| failed).map(FailedRule::as_str),
            resent: self.resent.then_some(true),
            absorbed: self.absorbed.then_some(true),
            elapsed_ms: ms(self.began.elapsed()),
            confirm_ms: self.confirm.map(|(_, took)| ms(took)),
            upstream_ms: self.sent_at.map(|at| ms(at.elapsed())),
        }
    }
}

/// The summary line's fields; one that does not apply is left out.
struct Fields<'a> {
    request_id: &'a str,
    route: Option<&'a str>,
    channel: Option<&'a str>,
    order: Option<&'a str>,
    out_trade_no: Option<&'a str>,
    verdict: Option<&'static str>,
    detail: Option<&'a str>,
    event: Option<&'static str>,
    would_refuse: Option<bool>,
    source: Option<&'static str>,
    upstream_status: Option<u16>,
    accepted: Option<bool>,
    failed_rule: Option<&'static str>,
    resent: Option<bool>,
    absorbed: Option<bool>,
    elapsed_ms: f64,
    confirm_ms: Option<f64>,
    upstream_ms: Option<f64>,
}

/// A UUID version 7 (RFC 9562), which sorts by time.
fn request_id(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("00000000-0000-7000-8000-000000000000"))
}
