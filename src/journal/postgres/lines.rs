//! What is only told afterwards, in SQL: lines of an entry's history, and callbacks that were refused.

use super::op::Noted;
use super::script::Script;
use super::statement::Statement;
use crate::domain::order::{ChannelId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::{EntryId, Refused};
use uuid::Uuid;

/// How many refused callbacks are kept; the oldest give way.
const MOST_REFUSED: i64 = 10_000;

/// Of how many refused callbacks about one looks whether that are too many.
const LOOKS: i64 = 64;

/// A payment was refunded; where its entries go on stays as it is. Of any order that has it, in whichever bucket.
pub(super) fn refunded(noted: &Noted, channel: &ChannelId, payment: &TransactionId, replica: &str) -> Statement {
    Statement::of(
        "WITH refunded AS (
             UPDATE ~entry SET trade_state = 'REFUND', verified_at = @now - $4
             WHERE channel = $1 AND transaction_id = $2 AND trade_state <> 'REFUND' RETURNING bucket, id)
         INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
         SELECT bucket, id, $3, @now - $4, 'found', 'refunded', $5 FROM refunded ON CONFLICT DO NOTHING",
    )
    .with(channel.to_string())
    .with(payment.to_string())
    .with(noted.id)
    .with(noted.age())
    .with(replica.to_owned())
}

/// A line for what is flagged, the first time.
pub(super) fn flagged(noted: &Noted, entry: EntryId, reason: Reason, replica: &str) -> Statement {
    Statement::of(
        "INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
         SELECT e.bucket, e.id, $3, @now - $4, 'flagged', $5, $6 FROM ~entry e
         WHERE e.bucket = $1 AND e.id = $2 AND NOT EXISTS (
             SELECT 1 FROM ~event v WHERE v.bucket = $1 AND v.entry = $2 AND v.what = 'flagged' AND v.reason = $5)
         ON CONFLICT DO NOTHING",
    )
    .with(noted.bucket.column())
    .with(entry.0)
    .with(noted.id)
    .with(noted.age())
    .with(reason.code())
    .with(replica.to_owned())
}

/// A line for another callback of an entry.
pub(super) fn again(noted: &Noted, entry: EntryId, request_id: Uuid, reason: Reason, replica: &str) -> Statement {
    Statement::of(
        "INSERT INTO ~event (bucket, entry, id, at, what, reason, request_id, replica)
         SELECT e.bucket, e.id, $3, @now - $4, 'again', $5, $6, $7 FROM ~entry e WHERE e.bucket = $1 AND e.id = $2
         ON CONFLICT DO NOTHING",
    )
    .with(noted.bucket.column())
    .with(entry.0)
    .with(noted.id)
    .with(noted.age())
    .with(reason.code())
    .with(request_id)
    .with(replica.to_owned())
}

/// A callback that was refused.
pub(super) fn refused(script: &mut Script, noted: &Noted, refused: &Refused) {
    script.add(
        Statement::of(
            r#"INSERT INTO ~refused (id, request_id, at, route, channel, "order", reason, detail)
            VALUES ($1, $2, @now - $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"#,
        )
        .with(noted.id)
        .with(refused.request_id)
        .with(noted.age())
        .with(refused.route.clone())
        .with(refused.channel.map(|id| id.to_string()))
        .with(refused.order.map(|id| id.to_string()))
        .with(refused.reason.code())
        // No text of the database's has it.
        .with(refused.detail.as_ref().map(|detail| detail.replace('\0', "\u{fffd}"))),
    );
    if fastrand::i64(..LOOKS) == 0 {
        script.add(
            Statement::of(
                "DELETE FROM ~refused WHERE id <= (SELECT id FROM ~refused ORDER BY id DESC OFFSET $1 LIMIT 1)",
            )
            .with(MOST_REFUSED),
        );
    }
}
