//! What is known of a callback on its way through the gate. [`Gate::process`](super::Gate) alone writes here; its steps
//! take what they need and give back what they found.

use super::accepted::FailedRule;
use super::channel::Channel;
use super::claim::Unreadable;
use super::confirm::Source;
use super::decide::Pass;
use super::deliver::Undelivered;
use super::event::Event;
use super::intake::Callback;
use super::record::{Lease, Record, TakenIn};
use super::replay::Answer;
use super::reply::ReplyStyle;
use super::route::{Reading, Route};
use crate::domain::order::{OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::observe::traces::Span;
use crate::provider::{Payment, Unopened};
use crate::server::Peer;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A callback as far as it has come.
#[derive(Debug)]
pub(super) struct CallbackContext<'g> {
    pub(super) id: Uuid,
    /// The id as `X-Request-Id`.
    pub(super) request_id: HeaderValue,
    /// When the whole request was there: all deadlines count from here.
    pub(super) began: Instant,
    /// When the first byte of an answer must be there, once the route is known.
    pub(super) deadline: Instant,
    pub(super) peer: Peer,
    pub(super) span: Span,
    pub(super) route: Option<&'g Route>,
    /// How it is read there: in which language, if the route takes several.
    pub(super) reading: Option<&'g Reading>,
    pub(super) channel: Option<&'g Arc<Channel>>,
    pub(super) event: Event,
    pub(super) order: Option<OrderId>,
    pub(super) out_trade_no: Option<OutTradeNo>,
    /// Why the callback was not readable, in plain words.
    pub(super) detail: Option<String>,
    /// Where the order state came from, and how long that took.
    pub(super) confirmation: Option<(Source, Duration)>,
    /// The record of the callback, once there is one.
    pub(super) record: Option<Arc<Record>>,
    /// Whether this callback made the record.
    pub(super) made_record: bool,
    /// There if this callback made the record, and the journal has no event yet of where the record goes on.
    pub(super) lease: Option<Lease>,
    /// The payment that was found, if the callback was held back all the same.
    pub(super) held_payment: Option<Arc<Payment>>,
    pub(super) passed: Option<Passed>,
    pub(super) sent: Option<Sent>,
}

/// That a callback was let through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed {
    pub(super) at: Instant,
    /// Whether its payment was refunded since.
    pub(super) refunded: bool,
    /// Why enforce would have held it back.
    pub(super) would_refuse: Option<Reason>,
}

/// What became of a callback that was let through.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sent {
    /// The upstream answered, with this status.
    Answered { status: StatusCode, failed_rule: Option<FailedRule>, resent: bool },
    /// The upstream gave no answer.
    Failed { resent: bool },
    /// The callback was not forwarded, since the upstream had taken it before.
    Replayed,
}

impl<'g> CallbackContext<'g> {
    pub(super) fn begin(peer: Peer, span: Span) -> Self {
        let (id, began) = (Uuid::now_v7(), Instant::now());
        Self {
            id,
            request_id: request_id(id),
            began,
            deadline: began,
            peer,
            span,
            route: None,
            reading: None,
            channel: None,
            event: Event::Payment,
            order: None,
            out_trade_no: None,
            detail: None,
            confirmation: None,
            record: None,
            made_record: false,
            lease: None,
            held_payment: None,
            passed: None,
            sent: None,
        }
    }

    /// How its sender is answered: in its own language, once that is known.
    pub(super) fn reply(&self) -> Option<&'g ReplyStyle> {
        self.reading.or(self.route.map(|route| &route.main)).map(|reading| &reading.reply)
    }

    /// The callback was not readable, or is not what it says.
    pub(super) fn unreadable(&mut self, unreadable: Unreadable) -> Reason {
        self.detail = Some(unreadable.detail);
        unreadable.reason
    }

    /// The account does not take the callback for a notification.
    pub(super) fn unopened(&mut self, unopened: Unopened) -> Reason {
        self.detail = unopened.detail.map(Cow::into_owned);
        unopened.reason
    }

    /// The callback was read to its end.
    pub(super) fn read(&mut self, callback: &Callback) {
        self.event = callback.event;
        (self.order, self.out_trade_no) = (Some(callback.claimed.order), Some(callback.claimed.out_trade_no));
    }

    /// The callback was taken in, if there is something kept of it now.
    pub(super) fn taken_in(&mut self, taken: Option<TakenIn>) {
        if let Some(TakenIn { record, lease, .. }) = taken {
            self.made_record = lease.is_some();
            (self.record, self.lease) = (Some(record), lease);
        }
    }

    /// The callback may go on to the upstream.
    pub(super) fn passed(&mut self, pass: &Pass) {
        self.passed = Some(Passed {
            at: Instant::now(),
            refunded: pass.confirmed().is_some_and(|confirmed| confirmed.payment().refunded),
            would_refuse: pass.would_refuse(),
        });
    }

    /// The callback was sent, or answered without.
    pub(super) fn sent(&mut self, answer: &Result<Answer<'_>, Undelivered>) {
        self.sent = Some(match answer {
            Ok(Answer::Forwarded(delivered)) => Sent::Answered {
                status: delivered.answer.status,
                failed_rule: delivered.failed_rule,
                resent: delivered.resent,
            },
            Ok(Answer::Replayed(..)) => Sent::Replayed,
            Err(undelivered) => Sent::Failed { resent: undelivered.resent },
        });
    }

    /// Why enforce would have held back what passed.
    pub(super) fn would_refuse(&self) -> Option<Reason> {
        self.passed.and_then(|passed| passed.would_refuse)
    }

    /// The one reason code that stands for how it went.
    pub(super) fn reason(&self, refused: Option<Reason>) -> Reason {
        let confirmed = match self.event {
            Event::Refund(_) => Reason::RefundConfirmed,
            Event::Payment if self.passed.is_some_and(|passed| passed.refunded) => Reason::Refunded,
            Event::Payment => Reason::Paid,
        };
        refused.or(self.would_refuse()).unwrap_or(confirmed)
    }
}

/// A UUID version 7 (RFC 9562), which sorts by time.
fn request_id(id: Uuid) -> HeaderValue {
    let mut buffer = Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("00000000-0000-7000-8000-000000000000"))
}
