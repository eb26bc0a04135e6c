//! What the commands share that look into the journal: opening it beside a gate that may be running, reading times, and
//! records as JSON.

use crate::config::{Outline, Problems, parse_duration};
use crate::journal::sqlite::Sqlite;
use crate::journal::{AttemptRecord, Event, Record, Refused, Verified};
use crate::reason::{Reason, Verdict};
use crate::{clock, config};
use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The journal that a configuration names; the secrets in it are not read.
pub(super) fn open(config: &Path) -> anyhow::Result<Result<Sqlite, Problems>> {
    let outline = match Outline::load(config) {
        Ok(outline) => outline,
        Err(problems) => return Ok(Err(problems)),
    };
    Ok(Ok(Sqlite::beside(&file(outline.journal.as_ref())?.path)?))
}

/// The file that a configuration names.
pub(super) fn file(journal: Option<&config::Journal>) -> anyhow::Result<&config::Journal> {
    match journal {
        Some(journal) => Ok(journal),
        None => bail!("this configuration says journal: none, so nothing is kept; name a file in journal.path"),
    }
}

/// How long ago `text` is: a duration like `2h`, or a time like `2026-11-24T10:00:00Z`.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    if let Ok(duration) = parse_duration(text) {
        return Ok(duration);
    }
    let at: Timestamp = text
        .parse()
        .map_err(|_| "write a duration like 30m, 2h or 3d, or a time like 2026-11-24T10:00:00+08:00".to_owned())?;
    Duration::try_from(clock::now().duration_since(at)).map_err(|_| "that time is still to come".to_owned())
}

/// A time as these commands show it: RFC 3339, UTC.
pub(super) fn show(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// An entry, under the file's names.
pub(super) fn record(record: &Record) -> Value {
    let claimed = &record.claimed;
    json!({
        "entry": record.entry.0,
        "delivery": record.delivery.to_string(),
        "request_id": record.request_id.to_string(),
        "route": record.route,
        "origin": record.origin.as_str(),
        "flags": record.flags().map(Reason::code).collect::<Vec<_>>(),
        "channel": claimed.channel.as_str(),
        "order": claimed.order.as_str(),
        "out_trade_no": claimed.out_trade_no.as_str(),
        "claimed": {
            "transaction_id": claimed.transaction_id.as_ref().map(|id| id.as_str()),
            "total_fee": claimed.amount.map(|amount| amount.fen.0),
            "fee_type": claimed.amount.as_ref().map(|amount| amount.currency.as_str()),
        },
        "received_at": show(record.received_at),
        "state": record.state.as_str(),
        "since": show(record.since),
        "verdict": record.verdict().map(Verdict::as_str),
        "reason": record.reason.map(Reason::code),
        "due_at": record.due_at.map(show),
        "payment": record.verified.as_ref().map(|verified| payment(verified, record.verified_at)),
        "attempts": record.attempts,
        "accepted_at": record.accepted_at.map(show),
        "events": record.events.iter().map(event).collect::<Vec<_>>(),
        "sendings": record.sendings.iter().map(sending).collect::<Vec<_>>(),
    })
}

fn payment(verified: &Verified, at: Option<Timestamp>) -> Value {
    json!({
        "transaction_id": verified.transaction_id.as_str(),
        "total_fee": verified.amount.fen.0,
        "fee_type": verified.amount.currency.as_str(),
        "paid_at": verified.paid_at.map(clock::rfc3339_beijing),
        "trade_state": if verified.refunded { "REFUND" } else { "SUCCESS" },
        "verified_at": at.map(show),
    })
}

fn event(event: &Event) -> Value {
    json!({
        "at": show(event.at),
        "what": event.what,
        "reason": event.reason.map(Reason::code),
        "request_id": event.request_id.map(|id| id.to_string()),
    })
}

fn sending(sent: &AttemptRecord) -> Value {
    json!({
        "attempt": sent.attempt,
        "origin": sent.origin.as_str(),
        "began_at": show(sent.began_at),
        "ended_at": sent.ended_at.map(show),
        "status": sent.status,
        "accepted": sent.accepted,
        "reason": sent.reason.map(Reason::code),
    })
}

/// A callback that was refused before it was taken in.
pub(super) fn refused(refused: &Refused) -> Value {
    json!({
        "request_id": refused.request_id.to_string(),
        "at": refused.at.map(show),
        "route": refused.route,
        "channel": refused.channel.as_ref().map(|id| id.as_str()),
        "order": refused.order.as_ref().map(|id| id.as_str()),
        "reason": refused.reason.code(),
        "detail": refused.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_duration_or_a_date() {
        assert_eq!(since("2h"), Ok(Duration::from_secs(7200)));
        let day = Duration::from_secs(24 * 3600);
        assert!(since("2020-01-01T00:00:00+08:00").unwrap() > day);
        for text in ["", "yesterday", "2099-01-01T00:00:00Z", "2026-11-24"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
