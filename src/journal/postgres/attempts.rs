//! Attempts that began and ended, in SQL.

use super::begin::ATTEMPTS_KEPT;
use super::op::{Noted, number};
use super::statement::{List, Statement};
use crate::domain::reason::Reason;
use crate::journal::stored::headers::write_headers;
use crate::journal::{Acceptance, Attempt, DeliveryId, EntryId, Outcome};

type Ended<'n> = (&'n Noted, Attempt, &'n Outcome);

/// These attempts began, under the numbers that they say.
pub(super) fn started(all: &[(&Noted, Attempt)], replica: &str) -> Statement {
    Statement::of(format!(
        r#"WITH w AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::text[]) AS w(bucket, entry, delivery, attempt, op, age, origin)),
            d AS (
                INSERT INTO ~delivery AS d (bucket, id, "order", attempts, op)
                SELECT w.bucket, w.delivery, e."order", w.attempt, w.op
                FROM w JOIN ~entry e ON e.bucket = w.bucket AND e.id = w.entry ORDER BY 1, 2
                ON CONFLICT (bucket, id) DO UPDATE SET attempts = greatest(d.attempts, excluded.attempts),
                    op = CASE WHEN d.attempts < excluded.attempts THEN excluded.op ELSE d.op END)
            INSERT INTO ~attempt (bucket, entry, id, attempt, origin, replica, began_at)
            SELECT w.bucket, w.entry, w.op, w.attempt, w.origin, $8, @now - w.age
            FROM w JOIN ~entry e ON e.bucket = w.bucket AND e.id = w.entry
            WHERE (SELECT count(*) FROM ~attempt b WHERE b.bucket = w.bucket AND b.entry = w.entry) < {ATTEMPTS_KEPT}
            ON CONFLICT DO NOTHING"#
    ))
    .with(List(all.iter().map(|(noted, _)| noted.bucket.column()).collect()))
    .with(List(all.iter().map(|(_, attempt)| attempt.entry.0).collect()))
    .with(List(all.iter().map(|(_, attempt)| attempt.delivery.0).collect()))
    .with(List(all.iter().map(|(_, attempt)| number(attempt.number)).collect()))
    .with(List(all.iter().map(|(noted, _)| noted.id).collect()))
    .with(List(all.iter().map(|(noted, _)| noted.age()).collect()))
    .with(List(all.iter().map(|(_, attempt)| attempt.origin.as_str()).collect()))
    .with(replica.to_owned())
}

/// What came of these attempts. The first acceptance of a delivery is the one that counts; a number that the upstream
/// certainly did not see is given back by the operation that was given it, while nobody has another.
const ENDED: &str = "WITH w AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[],
        $6::bigint[], $7::integer[], $8::bool[], $9::text[], $10::bool[], $11::text[], $12::bytea[], $13::bytea[])
        AS w(bucket, entry, delivery, attempt, op, age, status, accepted, reason, unseen, payment, headers, body)),
    d AS (
        UPDATE ~delivery d SET
            attempts = CASE WHEN w.unseen AND d.attempts = w.attempt AND d.op = w.op THEN d.attempts - 1 ELSE d.attempts END,
            op = CASE WHEN w.unseen AND d.attempts = w.attempt AND d.op = w.op THEN NULL ELSE d.op END,
            sender = CASE WHEN d.turn = w.op THEN NULL ELSE d.sender END,
            turn = CASE WHEN d.turn = w.op THEN NULL ELSE d.turn END,
            accepted_at = CASE WHEN w.accepted AND d.accepted_at IS NULL THEN @now - w.age ELSE d.accepted_at END,
            transaction_id = CASE WHEN w.accepted AND d.accepted_at IS NULL THEN w.payment ELSE d.transaction_id END,
            answer_status = CASE WHEN w.accepted AND d.accepted_at IS NULL THEN w.status ELSE d.answer_status END,
            answer_headers = CASE WHEN w.accepted AND d.accepted_at IS NULL THEN w.headers ELSE d.answer_headers END,
            answer_body = CASE WHEN w.accepted AND d.accepted_at IS NULL THEN w.body ELSE d.answer_body END
        FROM w WHERE d.bucket = w.bucket AND d.id = w.delivery)
    UPDATE ~attempt a SET ended_at = @now - w.age, status = w.status, accepted = w.accepted, reason = w.reason
    FROM w WHERE a.bucket = w.bucket AND a.entry = w.entry AND a.ended_at IS NULL
        AND (a.id = w.op OR w.op IS NULL AND a.attempt = w.attempt)";

fn accepted(outcome: &Outcome) -> Option<&Acceptance> {
    match outcome {
        Outcome::Accepted(acceptance) => Some(acceptance),
        Outcome::Answered(_) | Outcome::Failed(_) => None,
    }
}

pub(super) fn ended(all: &[Ended<'_>]) -> Statement {
    let status = |outcome: &Outcome| match outcome {
        Outcome::Accepted(Acceptance { status, .. }) | Outcome::Answered(status) => Some(i32::from(status.as_u16())),
        Outcome::Failed(_) => None,
    };
    let reason = |outcome: &Outcome| match outcome {
        Outcome::Failed(reason) => Some(reason.code()),
        Outcome::Accepted(_) | Outcome::Answered(_) => None,
    };
    let kept = |acceptance: &Acceptance| acceptance.body.as_ref().map(|_| write_headers(&acceptance.headers));
    let body = |acceptance: &Acceptance| acceptance.body.as_ref().map(|body| body.to_vec());
    let payment = |acceptance: &Acceptance| acceptance.transaction_id.map(|id| id.to_string());
    Statement::of(ENDED)
        .with(List(all.iter().map(|(noted, ..)| noted.bucket.column()).collect()))
        .with(List(all.iter().map(|(_, attempt, _)| attempt.entry.0).collect()))
        .with(List(all.iter().map(|(_, attempt, _)| attempt.delivery.0).collect()))
        .with(List(all.iter().map(|(_, attempt, _)| number(attempt.number)).collect()))
        .with(List(all.iter().map(|(noted, ..)| noted.began.map(|began| began.op)).collect::<Vec<_>>()))
        .with(List(all.iter().map(|(noted, ..)| noted.age()).collect()))
        .with(List(all.iter().map(|(.., outcome)| status(outcome)).collect::<Vec<_>>()))
        .with(List(all.iter().map(|(.., outcome)| accepted(outcome).is_some()).collect()))
        .with(List(all.iter().map(|(.., outcome)| reason(outcome)).collect::<Vec<_>>()))
        .with(List(
            all.iter()
                .map(|(.., outcome)| matches!(outcome, Outcome::Failed(Reason::UpstreamUnreachable)))
                .collect::<Vec<_>>(),
        ))
        .with(List(all.iter().map(|(.., outcome)| accepted(outcome).and_then(payment)).collect::<Vec<_>>()))
        .with(List(all.iter().map(|(.., outcome)| accepted(outcome).and_then(kept)).collect::<Vec<_>>()))
        .with(List(all.iter().map(|(.., outcome)| accepted(outcome).and_then(body)).collect::<Vec<_>>()))
}

/// What a person had delivered is accepted: other claims that were held with the same payment of the same delivery are done too.
pub(super) fn settled(all: &[&Ended<'_>], replica: &str) -> Statement {
    Statement::of(
        r#"WITH settled AS (
            UPDATE ~entry o SET state = 'accepted', reason = 'paid', since = @now - w.age
            FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w(bucket, entry, op, age)
            JOIN ~entry e ON e.bucket = w.bucket AND e.id = w.entry AND e.asked_for
            WHERE o.bucket = e.bucket AND o."order" = e."order" AND o.delivery = e.delivery
                AND o.transaction_id = e.transaction_id AND o.id <> e.id AND o.state = 'parked'
                AND o.reason <> 'parked-by-operator'
            RETURNING o.bucket, o.id, w.op, w.age)
        INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
        SELECT bucket, id, op, @now - age, 'found', 'paid', $5 FROM settled ON CONFLICT DO NOTHING"#,
    )
    .with(List(all.iter().map(|(noted, ..)| noted.bucket.column()).collect()))
    .with(List(all.iter().map(|(_, attempt, _)| attempt.entry.0).collect()))
    .with(List(all.iter().map(|(noted, ..)| noted.id).collect()))
    .with(List(all.iter().map(|(noted, ..)| noted.age()).collect()))
    .with(replica.to_owned())
}

/// Nothing more is heard of these attempts.
pub(super) fn abandoned(all: &[&Noted]) -> Statement {
    let turns: Vec<_> = all.iter().filter_map(|noted| noted.began.map(|began| (noted.bucket, began.op))).collect();
    Statement::of(
        "UPDATE ~delivery d SET sender = NULL, turn = NULL FROM unnest($1::smallint[], $2::bigint[]) AS w(bucket, op)
         WHERE d.sender IS NOT NULL AND d.bucket = w.bucket AND d.turn = w.op",
    )
    .with(List(turns.iter().map(|(bucket, _)| bucket.column()).collect()))
    .with(List(turns.iter().map(|(_, op)| *op).collect()))
}

/// A delivery was sent so many times in all.
pub(super) fn counted(noted: &Noted, entry: EntryId, delivery: DeliveryId, attempts: u64) -> Statement {
    Statement::of(
        r#"INSERT INTO ~delivery AS d (bucket, id, "order", attempts)
        SELECT e.bucket, $3, e."order", $4 FROM ~entry e WHERE e.bucket = $1 AND e.id = $2
        ON CONFLICT (bucket, id) DO UPDATE SET attempts = greatest(d.attempts, excluded.attempts)"#,
    )
    .with(noted.bucket.column())
    .with(entry.0)
    .with(delivery.0)
    .with(number(attempts))
}
