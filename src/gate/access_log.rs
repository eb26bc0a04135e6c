//! The access log of a callback when it has ended: one line in the log with everything an operator asks for, one span,
//! and one count.

use super::accepted::FailedRule;
use super::context::{CallbackContext, Sent};
use super::event::Event;
use crate::domain::order::{OrderId, OutTradeNo};
use crate::domain::reason::{Reason, Stage, Verdict};
use crate::journal::State;
use crate::observe::metrics::{Metrics, Outcome, UnderWay};
use crate::observe::traces::Span;
use hyper::StatusCode;
use std::time::Duration;
use tracing::Level;

/// What a callback came to.
struct Ended {
    reason: Reason,
    verdict: Option<Verdict>,
    outcome: Outcome,
    /// Of the answer to the sender.
    status: StatusCode,
}

/// Writes line, span and count of a callback, now that its record is settled.
pub(super) fn write(
    mut context: CallbackContext<'_>,
    under_way: &mut UnderWay<'_>,
    metrics: &Metrics,
    refused: Option<Reason>,
    status: StatusCode,
) {
    let reason = context.reason(refused);
    let (verdict, outcome) = (verdict(&context, reason), outcome(&context, refused));
    let ended = Ended { reason, verdict, outcome, status };
    count(&context, under_way, metrics, &ended);
    end_span(std::mem::take(&mut context.span), &context, &ended);
    write_line(&context, &ended);
}

fn verdict(context: &CallbackContext<'_>, reason: Reason) -> Option<Verdict> {
    match context.passed {
        // What the provider said stays the verdict when the upstream then failed.
        Some(passed) if passed.would_refuse.is_none() => {
            let refunded = passed.refunded || context.event != Event::Payment;
            Some(if refunded { Verdict::Refunded } else { Verdict::Paid })
        }
        _ => reason.verdict(),
    }
}

fn outcome(context: &CallbackContext<'_>, refused: Option<Reason>) -> Outcome {
    match context.record.as_ref().map(|record| record.state()) {
        _ if refused.is_none() => match context.sent {
            Some(Sent::Replayed) => Outcome::Absorbed,
            _ => Outcome::Forwarded,
        },
        Some(State::Asking | State::Delivering) => Outcome::Retrying,
        Some(State::Parked) => Outcome::Parked,
        Some(State::Accepted | State::Closed) | None => Outcome::Refused,
    }
}

fn count(context: &CallbackContext<'_>, under_way: &mut UnderWay<'_>, metrics: &Metrics, ended: &Ended) {
    if let Some((source, took)) = context.confirmation {
        source.of(&metrics.confirm).took(took);
    }
    let route = context.route.map(|route| route.name.as_str());
    let channel = context.channel.map(|channel| channel.id);
    under_way.end(route, channel, (ended.reason, ended.verdict), ended.outcome, context.began.elapsed());
}

/// Gives the span the fields of the log line, but for what is personal.
fn end_span(mut span: Span, context: &CallbackContext<'_>, ended: &Ended) {
    if !span.is_wanted() {
        return;
    }
    span.set("tollgate.request_id", context.id);
    if let Some(route) = context.route {
        span.set("tollgate.route", &route.name);
    }
    if let Some(channel) = context.channel {
        span.set("tollgate.channel", channel.id);
    }
    if let Some(order) = context.order {
        span.set("tollgate.order", order);
    }
    if let Some(out_trade_no) = context.out_trade_no {
        span.set("tollgate.out_trade_no", out_trade_no);
    }
    if let Some(verdict) = ended.verdict {
        span.set("tollgate.verdict", verdict);
    }
    span.set("tollgate.reason", ended.reason);
    span.set("tollgate.outcome", ended.outcome.as_str());
    span.set_number("http.response.status_code", ended.status.as_u16());
    if matches!(ended.reason.stage(), Stage::Upstream | Stage::Gate | Stage::Verdict(Verdict::Unknown)) {
        span.failed(ended.reason.code());
    }
}

fn write_line(context: &CallbackContext<'_>, ended: &Ended) {
    // One macro call for each level, since a level must be a constant.
    macro_rules! line {
        ($level:expr) => {
            if tracing::enabled!(target: "tollgate::callback", $level) {
                let fields = Fields::of(context, ended);
                tracing::event!(
                    target: "tollgate::callback",
                    $level,
                    request_id = fields.request_id,
                    peer = %context.peer.addr,
                    route = fields.route,
                    channel = fields.channel,
                    order = fields.order,
                    out_trade_no = fields.out_trade_no,
                    verdict = fields.verdict,
                    reason = ended.reason.code(),
                    detail = fields.detail,
                    event = fields.event,
                    would_refuse = fields.would_refuse,
                    source = fields.source,
                    status = ended.status.as_u16(),
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
    match (ended.reason.stage(), ended.reason) {
        // WeChat Pay sends it on purpose: nobody is to be woken by it.
        (_, Reason::NotificationProbe) => line!(Level::INFO),
        (Stage::Verdict(Verdict::Contradicted) | Stage::Upstream | Stage::FollowUp | Stage::Gate, _) => {
            line!(Level::WARN)
        }
        (_, Reason::QueryRefused) => line!(Level::WARN),
        _ => line!(Level::INFO),
    }
}

/// The line's fields; one that does not apply is left out.
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

impl<'a> Fields<'a> {
    fn of(context: &'a CallbackContext<'_>, ended: &Ended) -> Self {
        let ms = |took: Duration| took.as_micros() as f64 / 1000.0;
        let (answered, resent, replayed) = match context.sent {
            None => (None, false, false),
            Some(Sent::Answered { status, failed_rule, resent }) => (Some((status, failed_rule)), resent, false),
            Some(Sent::Failed { resent }) => (None, resent, false),
            Some(Sent::Replayed) => (None, false, true),
        };
        let passed = context.passed.filter(|_| !replayed);
        Self {
            request_id: context.request_id.to_str().unwrap_or_default(),
            route: context.route.map(|route| route.name.as_str()),
            channel: context.channel.map(|channel| channel.id.as_str()),
            order: context.order.as_ref().map(OrderId::as_str),
            out_trade_no: context.out_trade_no.as_ref().map(OutTradeNo::as_str),
            verdict: ended.verdict.map(Verdict::as_str),
            detail: context.detail.as_deref(),
            event: (context.event != Event::Payment).then_some("refund"),
            would_refuse: context.would_refuse().is_some().then_some(true),
            source: context.confirmation.map(|(source, _)| source.as_str()),
            upstream_status: answered.map(|(status, _)| status.as_u16()),
            accepted: answered.map(|(_, failed)| failed.is_none()),
            failed_rule: answered.and_then(|(_, failed)| failed).map(FailedRule::as_str),
            resent: resent.then_some(true),
            absorbed: replayed.then_some(true),
            elapsed_ms: ms(context.began.elapsed()),
            confirm_ms: context.confirmation.map(|(_, took)| ms(took)),
            upstream_ms: passed.map(|passed| ms(passed.at.elapsed())),
        }
    }
}
