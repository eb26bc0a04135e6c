//! What a journal is told: what happened to an entry, to a delivery, or to a callback that was refused.

use super::{DeliveryId, EntryId, Origin, Refused, Request, Transition, Verified};
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::domain::reason::Reason;
use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use std::time::Duration;
use uuid::Uuid;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum JournalEvent {
    /// What is known of an entry's order now.
    Decided {
        /// The entry.
        entry: EntryId,
        /// Why it goes on as it does.
        reason: Reason,
        /// The payment, if it is paid.
        verified: Option<Verified>,
        /// Where it goes on; `None` leaves that as it is.
        next: Option<Transition>,
    },
    /// The callback of an order that never called back was made.
    Made {
        /// The entry.
        entry: EntryId,
        /// The request.
        request: Box<Request>,
    },
    /// The callback of an entry came once more, under a fresh signature: this is what is sent from now on. What was
    /// accepted stays as it is, and so does what is closed.
    Renewed {
        /// The entry.
        entry: EntryId,
        /// The request.
        request: Box<Request>,
        /// What is being delivered begins its schedule anew, and is due in this time at the latest, where only this
        /// signature makes it worth sending; `None` leaves that as it is.
        again_in: Option<Duration>,
    },
    /// WeChat Pay says that a payment was refunded since, asked because its order was paid again.
    Refunded {
        /// The merchant account.
        channel: ChannelId,
        /// The order that it was for.
        order: OrderId,
        /// The payment.
        transaction_id: TransactionId,
    },
    /// Something about a payment that an operator may want to know, whatever becomes of it.
    Flagged {
        /// The entry.
        entry: EntryId,
        /// What.
        reason: Reason,
    },
    /// An entry is being sent.
    AttemptStarted {
        /// Which attempt.
        attempt: Attempt,
        /// What is sent as verified; `None` if it passes unconfirmed, in observe mode.
        verified: Option<Verified>,
        /// Where it goes on if nothing more is heard of it.
        next: Option<Transition>,
    },
    /// What came of sending it.
    AttemptEnded {
        /// Which.
        attempt: Attempt,
        /// What the upstream said, or why nothing was heard.
        outcome: Outcome,
        /// Where it goes on; `None` leaves that as it is.
        next: Option<Transition>,
    },
    /// A delivery was sent so many times in all, the latest of which are not worth a line each.
    Counted {
        /// An entry of the delivery.
        entry: EntryId,
        /// The delivery.
        delivery: DeliveryId,
        /// All its attempts.
        attempts: u64,
    },
    /// Another callback of an entry.
    Again {
        /// The entry.
        entry: EntryId,
        /// The callback's id.
        request_id: Uuid,
        /// What came of it.
        reason: Reason,
    },
    /// A callback that was refused before it was taken in.
    Refused(Box<Refused>),
}

/// One attempt of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The entry whose callback is sent.
    pub entry: EntryId,
    /// The order on its route.
    pub delivery: DeliveryId,
    /// 1 the first time.
    pub number: u64,
    /// Why it is sent.
    pub origin: Origin,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The upstream answered, and that counts as having taken it.
    Accepted(Acceptance),
    /// It answered something else.
    Answered(StatusCode),
    /// It did not answer, for this reason.
    Failed(Reason),
}

/// That the upstream took a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The payment that was delivered; empty for a callback that passed unconfirmed.
    pub transaction_id: Option<TransactionId>,
    /// The upstream's answer, or its status alone where it was not worth keeping.
    pub status: StatusCode,
    /// Its headers, where its body is kept.
    pub headers: HeaderMap,
    /// Its body, for duplicates that are absorbed.
    pub body: Option<Bytes>,
}
