//! Beginning an attempt: its number, and whether it may be sent at all, in SQL.
//!
//! A turn is taken from nobody, from who does not live, or from an older operation of this very incarnation: one that was given up
//! and is written late takes none from a newer one.
//!
//! The entries of the order are locked when this is done, so that of several payments of one order that are about to be sent
//! one goes first, in whatever process.

use super::Postgres;
use super::begun::Known;
use super::columns;
use super::error::Error;
use super::incarnation::Incarnation;
use super::lead::{self, COLUMNS, Columns};
use super::numbers::Bucket;
use super::op::{Beginning, Mine, Note, Place as Waiting, Wait};
use super::script::{self, Place, Rows, Script};
use super::statement::{List, Statement};
use crate::journal::{Attempt, Begun, BoxFuture, JournalError, Sending};
use std::sync::LazyLock;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::Row;

/// How many attempts of one entry have a line each; beyond, they are counted.
pub(super) const ATTEMPTS_KEPT: i64 = 200;

/// As [`Shared::begin`](crate::journal::Shared::begin).
pub(super) fn begin(postgres: &Postgres, sending: Sending) -> BoxFuture<'_, Begun> {
    let Some(place) = Waiting::take(&postgres.writer.waiting) else {
        return Box::pin(async { Err(JournalError::Busy) });
    };
    let (reply, answer) = oneshot::channel();
    let bucket = Bucket::of(sending.order.as_str());
    let hold = postgres.holds.of(sending.entry);
    let beginning = Beginning { sending, bucket, hold, mine: None, since: Instant::now(), reply, _place: place };
    postgres.writer.wait(Wait::Begin(Box::new(beginning)));
    Box::pin(async move { answer.await.unwrap_or(Err(JournalError::Unavailable)) })
}

/// As [`Shared::abandon`](crate::journal::Shared::abandon).
pub(super) fn abandon(postgres: &Postgres, attempt: Attempt) {
    if let Some(began) = postgres.writer.attempts.end(&attempt).filter(|began| began.alone) {
        postgres.writer.note(Note::Abandon, Bucket::of_entry(attempt.entry), Some(began));
    }
}

/// The statement that begins these, each of another order. Where it will be said which were given a number.
pub(super) fn write(script: &mut Script, all: &[&Beginning]) -> Place {
    script.add(give(all))
}

/// The payment that came first of those of an order that are held against each other: one that was accepted, or else the
/// earliest. `w` has the order and the channels.
const FIRST: &str = r#"SELECT o.channel, o.transaction_id FROM ~entry o
    LEFT JOIN ~delivery a ON a.bucket = o.bucket AND a.id = o.delivery
    WHERE o.bucket = w.bucket AND o."order" = w.ord AND o.channel = ANY(string_to_array(w.channels, ' '))
        AND o.transaction_id IS NOT NULL AND o.trade_state <> 'REFUND'
        AND NOT (o.state = 'parked' AND o.reason IN ('second-payment', 'expected-amount-differs'))
    ORDER BY coalesce(a.transaction_id = o.transaction_id, false) DESC, o.confirmed_at, o.transaction_id LIMIT 1"#;

static GIVE: LazyLock<String> = LazyLock::new(|| {
    format!(
        r#"WITH w AS (SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                 $7::text[], $8::bigint[], $9::bigint[], $10::bool[], $11::bool[], $12::bool[], $13::text[], $14::text[],
                 $15::text[], $16::text[], $17::text[], $18::bigint[], $19::text[], $20::bigint[], $21::text[],
                 $22::text[], $23::bigint[], $24::integer[]) WITH ORDINALITY
             AS w(bucket, delivery, ord, entry, op, me, replica, hold, age, alone, leased, unless_accepted, payment, channels,
                 origin, {COLUMNS}, place)),
         given AS (
             INSERT INTO ~delivery AS d (bucket, id, "order", attempts, op, sender, turn)
             SELECT w.bucket, w.delivery, w.ord, 1, w.op, CASE WHEN w.alone THEN w.me END, CASE WHEN w.alone THEN w.op END
             FROM w
             WHERE EXISTS (SELECT 1 FROM ~replica r WHERE r.incarnation = w.me AND r.alive_until > @now)
                 AND EXISTS (SELECT 1 FROM ~entry e WHERE e.bucket = w.bucket AND e.id = w.entry
                     AND (NOT w.leased OR e.holder = w.hold))
                 AND NOT EXISTS (SELECT 1 FROM ~attempt b WHERE b.bucket = w.bucket AND b.entry = w.entry AND b.id = w.op)
                 AND NOT EXISTS (SELECT 1 FROM ~delivery d WHERE d.bucket = w.bucket AND d.id = w.delivery
                     AND w.unless_accepted AND d.accepted_at IS NOT NULL AND d.transaction_id = w.payment)
                 AND coalesce((SELECT f.transaction_id FROM ({FIRST}) f), w.payment) = w.payment
             ORDER BY w.bucket, w.delivery
             ON CONFLICT (bucket, id) DO UPDATE SET attempts = d.attempts + 1, op = excluded.op,
                 sender = coalesce(excluded.sender, d.sender), turn = coalesce(excluded.turn, d.turn)
             WHERE d.op IS DISTINCT FROM excluded.op
                 AND (excluded.sender IS NULL OR d.sender IS NULL OR d.sender = excluded.sender AND d.turn < excluded.turn
                     OR NOT EXISTS (SELECT 1 FROM ~replica r WHERE r.incarnation = d.sender AND r.alive_until > @now))
             RETURNING d.op, d.attempts),
         numbered AS (SELECT w.*, given.attempts AS number FROM given JOIN w ON w.op = given.op),
         begun AS (
             INSERT INTO ~attempt (bucket, entry, id, attempt, origin, replica, began_at)
             SELECT g.bucket, g.entry, g.op, g.number, g.origin, g.replica, @now - g.age FROM numbered g
             WHERE (SELECT count(*) FROM ~attempt b WHERE b.bucket = g.bucket AND b.entry = g.entry) < {ATTEMPTS_KEPT}
             ON CONFLICT DO NOTHING),
         begins AS (SELECT *, false AS is_decided, false AS ends, 0 AS told, false AS keeps_price FROM numbered),
         {}
         SELECT place, number FROM numbered"#,
        lead::lead("begins")
    )
});

static LOOK: LazyLock<String> = LazyLock::new(|| {
    format!(
        r#"SELECT w.place, d.op = w.op AS is_latest, d.attempts, b.attempt AS given,
             EXISTS (SELECT 1 FROM ~replica r WHERE r.incarnation = w.me AND r.alive_until > @now) AS lives,
             e.id IS NOT NULL AND (NOT w.leased OR coalesce(e.holder = w.hold, false)) AS holds,
             d.transaction_id AS accepted_transaction_id, d.answer_status, d.answer_headers, d.answer_body,
             f.channel AS first_channel, f.transaction_id AS first_payment
         FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
             $8::bool[], $9::text[]) WITH ORDINALITY AS w(bucket, delivery, ord, entry, op, me, hold, leased, channels, place)
         LEFT JOIN ~delivery d ON d.bucket = w.bucket AND d.id = w.delivery
         LEFT JOIN ~entry e ON e.bucket = w.bucket AND e.id = w.entry
         LEFT JOIN ~attempt b ON b.bucket = w.bucket AND b.entry = w.entry AND b.id = w.op
         LEFT JOIN LATERAL ({FIRST}) f ON true"#
    )
});

fn give(all: &[&Beginning]) -> Statement {
    let mut columns = Columns::default();
    all.iter().for_each(|one| columns.push(None, Some(&one.sending.verified), one.sending.next));
    let each = |value: &dyn Fn(&Sending) -> bool| List(all.iter().map(|one| value(&one.sending)).collect::<Vec<_>>());
    let name = |one: &&Beginning| one.mine.as_ref().map(|mine| mine.by.name.to_string());
    let statement = Statement::of(GIVE.as_str())
        .with(buckets(all))
        .with(deliveries(all))
        .with(orders(all))
        .with(entries(all))
        .with(ops(all))
        .with(senders(all))
        .with(List(all.iter().map(name).collect::<Vec<_>>()))
        .with(holds(all))
        .with(List(all.iter().map(|one| super::op::millis(one.since.elapsed())).collect::<Vec<_>>()))
        .with(each(&|sending| sending.alone))
        .with(each(&|sending| sending.leased))
        .with(each(&|sending| sending.unless_accepted))
        .with(List(all.iter().map(|one| one.sending.verified.transaction_id.to_string()).collect::<Vec<_>>()))
        .with(channels(all))
        .with(List(all.iter().map(|one| one.sending.origin.as_str()).collect::<Vec<_>>()));
    columns.put(statement)
}

/// Asks why these were given no number.
pub(super) fn look(all: &[&Beginning]) -> Statement {
    Statement::of(LOOK.as_str())
        .with(buckets(all))
        .with(deliveries(all))
        .with(orders(all))
        .with(entries(all))
        .with(ops(all))
        .with(senders(all))
        .with(holds(all))
        .with(List(all.iter().map(|one| one.sending.leased).collect::<Vec<_>>()))
        .with(channels(all))
}

fn buckets(all: &[&Beginning]) -> List<i16> {
    List(all.iter().map(|one| one.bucket.column()).collect())
}

fn deliveries(all: &[&Beginning]) -> List<uuid::Uuid> {
    List(all.iter().map(|one| one.sending.delivery.0).collect())
}

fn orders(all: &[&Beginning]) -> List<String> {
    List(all.iter().map(|one| one.sending.order.to_string()).collect())
}

fn entries(all: &[&Beginning]) -> List<i64> {
    List(all.iter().map(|one| one.sending.entry.0).collect())
}

fn ops(all: &[&Beginning]) -> List<Option<i64>> {
    List(all.iter().map(|one| one.mine.as_ref().map(|mine| mine.id)).collect())
}

fn senders(all: &[&Beginning]) -> List<Option<i64>> {
    List(all.iter().map(|one| one.mine.as_ref().map(|mine| mine.by.id)).collect())
}

fn holds(all: &[&Beginning]) -> List<Option<i64>> {
    List(all.iter().map(|one| one.hold).collect())
}

/// No channel has a blank in its name.
fn channels(all: &[&Beginning]) -> List<String> {
    let joined = |one: &&Beginning| {
        let names = one.sending.same_order_on.iter().map(|channel| channel.as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    List(all.iter().map(joined).collect())
}

/// The numbers that were given, by the place of who asked.
pub(super) fn given(place: Place, rows: &Rows) -> Result<Vec<(usize, u64)>, Error> {
    let number = |row: &Row| Ok((script::place(row), columns::count(row, "number")?));
    rows.of(place).iter().map(number).collect()
}

/// Whether a number that was given is good.
pub(super) fn is_given(one: &Beginning, number: u64, incarnation: &Incarnation) -> Begun {
    // A process that was stopped meanwhile sends nothing under the lease that it had.
    if is_still(one.mine.as_ref(), incarnation) { Begun::Number(number) } else { Begun::Lost }
}

/// Why these were given none, in their order; or which one they were given by a try of which nobody knew.
pub(super) fn why(all: &[&Beginning], rows: &[Row], incarnation: &Incarnation) -> Result<Vec<Begun>, Error> {
    let mut answers: Vec<Begun> = all.iter().map(|_| Begun::Lost).collect();
    for row in rows {
        let place = script::place(row);
        if let (Some(one), Some(answer)) = (all.get(place), answers.get_mut(place)) {
            *answer = answer_of(row, one, incarnation)?;
        }
    }
    Ok(answers)
}

fn answer_of(row: &Row, one: &Beginning, incarnation: &Incarnation) -> Result<Begun, Error> {
    let given: Option<i64> = row.try_get("given")?;
    let given = match given {
        None if row.try_get::<_, Option<bool>>("is_latest")? == Some(true) => row.try_get("attempts")?,
        given => given,
    };
    let lives: bool = row.try_get("lives")?;
    if let Some(number) = given.and_then(|given| u64::try_from(given).ok()) {
        return Ok(if lives { is_given(one, number, incarnation) } else { Begun::Lost });
    }
    let accepted = columns::acceptance(row)?;
    let payment = Some(one.sending.verified.transaction_id);
    if let Some(accepted) =
        accepted.filter(|accepted| one.sending.unless_accepted && accepted.transaction_id == payment)
    {
        return Ok(Begun::Accepted(accepted));
    }
    let first = columns::optional(row, "first_channel")?.zip(columns::optional(row, "first_payment")?);
    if let Some((channel, first)) = first.filter(|(_, first)| Some(*first) != payment) {
        return Ok(Begun::PaidBy(channel, first));
    }
    let holds: bool = row.try_get("holds")?;
    Ok(if lives && holds { Begun::Busy } else { Begun::Lost })
}

fn is_still(mine: Option<&Mine>, incarnation: &Incarnation) -> bool {
    mine.zip(incarnation.current()).is_some_and(|(mine, current)| mine.by.id == current.id)
}

/// How an attempt began that this gave a number.
pub(super) const fn known(one: &Beginning, op: i64) -> Known {
    Known { op, alone: one.sending.alone }
}
