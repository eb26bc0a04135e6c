//! Entries: one claim on one route, and what became of it.

use super::{Payment, time, words};
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{self, AttemptRecord, Record};
use serde::Serialize;
use utoipa::ToSchema;

/// One claim on one route, as it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entry {
    /// Its number.
    pub entry: i64,
    /// The `X-Tollgate-Delivery` of its order on this route.
    pub delivery: String,
    /// The `X-Request-Id` of the callback that made it.
    pub request_id: String,
    /// The route, by name.
    pub route: String,
    /// What brought it.
    #[schema(value_type = words::Origin)]
    pub origin: &'static str,
    /// What somebody may want to know of its payment, whatever became of it.
    pub flags: Vec<&'static str>,
    /// The merchant account.
    pub channel: String,
    /// The legacy system's order id.
    pub order: String,
    /// What WeChat Pay calls it.
    pub out_trade_no: String,
    /// What was claimed beside that.
    pub claimed: Claimed,
    /// What it costs by a source of pending orders; null if none says so.
    pub expected: Option<Expected>,
    /// When it came.
    #[schema(value_type = words::Time)]
    pub received_at: String,
    /// How it stands.
    #[schema(value_type = words::State)]
    pub state: &'static str,
    /// Since when.
    #[schema(value_type = words::Time)]
    pub since: String,
    /// What WeChat Pay's word comes to.
    #[schema(value_type = Option<words::Verdict>)]
    pub verdict: Option<&'static str>,
    /// Why it stands so.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<&'static str>,
    /// When the follow-up goes on with it.
    #[schema(value_type = Option<words::Time>)]
    pub due_at: Option<String>,
    /// The payment, once it is confirmed.
    pub payment: Option<Payment>,
    /// How often its delivery was sent.
    pub attempts: u64,
    /// When the upstream accepted the delivery.
    #[schema(value_type = Option<words::Time>)]
    pub accepted_at: Option<String>,
    /// Whether its request is there, to be sent again; it goes after `journal.keep.bodies`.
    pub request_kept: bool,
}

/// What a callback claims of a payment; each may be missing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Claimed {
    /// The transaction id.
    pub transaction_id: Option<String>,
    /// The amount, in fen.
    pub total_fee: Option<u64>,
    /// Its currency.
    pub fee_type: Option<String>,
}

/// What an order costs by a source of pending orders.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Expected {
    /// The amount, in fen.
    pub total_fee: u64,
    /// The source, by name.
    pub source: String,
    /// Since when it says so.
    #[schema(value_type = Option<words::Time>)]
    pub listed_at: Option<String>,
}

/// An entry, and everything that happened to it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryStory {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// What the reason means.
    pub explanation: Option<&'static str>,
    /// What to do about it.
    pub what_to_do: Option<&'static str>,
    /// What happened, the oldest first.
    pub events: Vec<Event>,
    /// Each time its delivery was sent, the oldest first, as far as each is kept.
    pub sendings: Vec<Sending>,
}

/// Something that happened to an entry.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Event {
    /// When.
    #[schema(value_type = words::Time)]
    pub at: String,
    /// `found`, `again`, `asked-for`, `unparked`, `flagged`.
    pub what: String,
    /// The reason it came with.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<&'static str>,
    /// The callback it came with.
    pub request_id: Option<String>,
    /// The gate that wrote it, by name, where several share the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
}

/// One time a delivery was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sending {
    /// Its `X-Tollgate-Attempt`.
    pub attempt: u64,
    /// Why it was sent.
    #[schema(value_type = words::Origin)]
    pub origin: &'static str,
    /// When.
    #[schema(value_type = words::Time)]
    pub began_at: String,
    /// When the answer was there, or none came any more.
    #[schema(value_type = Option<words::Time>)]
    pub ended_at: Option<String>,
    /// The upstream's status.
    pub status: Option<u16>,
    /// Whether that counts as accepted.
    pub accepted: bool,
    /// Why there was no status.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<&'static str>,
    /// The gate that sent it, by name, where several share the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
}

impl From<&Record> for Entry {
    fn from(record: &Record) -> Self {
        let claimed = &record.claimed;
        Self {
            entry: record.entry.0,
            delivery: record.delivery.to_string(),
            request_id: record.request_id.to_string(),
            route: record.route.clone(),
            origin: record.origin.as_str(),
            flags: record.flags().map(Reason::code).collect(),
            channel: claimed.channel.to_string(),
            order: claimed.order.to_string(),
            out_trade_no: claimed.out_trade_no.to_string(),
            claimed: Claimed {
                transaction_id: claimed.transaction_id.map(|id| id.to_string()),
                total_fee: claimed.amount.map(|amount| amount.fen.0),
                fee_type: claimed.amount.map(|amount| amount.currency.as_str().to_owned()),
            },
            expected: record.price.as_ref().map(|price| Expected {
                total_fee: price.amount.fen.0,
                source: price.source.clone(),
                listed_at: price.listed_at.map(time),
            }),
            received_at: time(record.received_at),
            state: record.state.as_str(),
            since: time(record.since),
            verdict: record.verdict().map(Verdict::as_str),
            reason: record.reason.map(Reason::code),
            due_at: record.due_at.map(time),
            payment: record.verified.as_ref().map(|verified| Payment::new(verified, record.verified_at)),
            attempts: record.attempts,
            accepted_at: record.accepted_at.map(time),
            request_kept: record.request_kept,
        }
    }
}

impl From<&Record> for EntryStory {
    fn from(record: &Record) -> Self {
        Self {
            entry: record.into(),
            explanation: record.reason.map(Reason::text),
            what_to_do: record.reason.map(Reason::remedy),
            events: record.events.iter().map(Event::from).collect(),
            sendings: record.attempt_log.iter().map(Sending::from).collect(),
        }
    }
}

impl From<&journal::Event> for Event {
    fn from(event: &journal::Event) -> Self {
        Self {
            at: time(event.at),
            what: event.what.clone(),
            reason: event.reason.map(Reason::code),
            request_id: event.request_id.map(|id| id.to_string()),
            replica: event.replica.clone(),
        }
    }
}

impl From<&AttemptRecord> for Sending {
    fn from(sent: &AttemptRecord) -> Self {
        Self {
            attempt: sent.attempt,
            origin: sent.origin.as_str(),
            began_at: time(sent.began_at),
            ended_at: sent.ended_at.map(time),
            status: sent.status,
            accepted: sent.accepted,
            reason: sent.reason.map(Reason::code),
            replica: sent.replica.clone(),
        }
    }
}
