//! Taking callbacks in, in SQL: all those of a batch at once.

use super::content::Content;
use super::error::Error;
use super::numbers::Bucket;
use super::op::{Mine, Place as Waiting, Stage, Taking, Wait, millis, number};
use super::read::{self, by_place};
use super::script::{self, Place, Rows, Script};
use super::statement::{List, Statement};
use super::{Postgres, columns};
use crate::journal::{BoxFuture, Callback, EntryId, JournalError, Rank, State, Taken, Trust};
use jiff::Timestamp;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::Row;

/// As [`Queue::take_in`](crate::journal::Queue::take_in).
pub(super) fn take_in(
    postgres: &Postgres,
    callback: Box<Callback>,
    trust: Trust,
    due_in: Duration,
) -> BoxFuture<'_, Taken> {
    let Some(place) = Waiting::take(&postgres.writer.waiting) else {
        return Box::pin(async { Err(JournalError::Busy) });
    };
    let (reply, answer) = oneshot::channel();
    let bucket = Bucket::of(callback.claimed.order.as_str());
    let content = callback.request.as_ref().map(Content::of);
    let bytes = content.as_ref().map_or(0, Content::bytes);
    let is_spent = postgres.writer.budget.spend(bytes, trust);
    let stage = if is_spent { Stage::Write } else { Stage::Look };
    let (mine, since) = (None, Instant::now());
    let taking =
        Taking { callback, content, trust, due_in, bucket, stage, is_spent, mine, since, reply, _place: place };
    postgres.writer.wait(Wait::TakeIn(Box::new(taking)));
    Box::pin(async move { answer.await.unwrap_or(Err(JournalError::Unavailable)) })
}

/// Where the answers will be.
#[derive(Debug)]
pub(super) struct Asked {
    known: Place,
    paid_by: Place,
    listed: Place,
}

/// What became of one.
#[derive(Debug)]
pub(super) enum Came {
    /// It was taken in, or is known.
    Taken(Box<Taken>),
    /// It is not known, and the budget is spent.
    Short,
    /// Its claim has a closed entry, which gives way to it.
    Closed,
    /// It is neither there nor was it written: its entry was removed in this moment.
    Neither,
}

/// A closed entry gives way to a new one. Its delivery stays, with the numbers that its attempts have.
const REPLACE: &str = r#"WITH gone AS (
        DELETE FROM ~entry e USING unnest($1::smallint[], $2::text[], $3::bytea[], $4::bigint[]) AS w(bucket, ord, key, id)
        WHERE e.bucket = w.bucket AND e."order" = w.ord AND e.key = w.key AND e.state = 'closed' AND e.id <> w.id
        RETURNING e.bucket, e.id),
    request AS (DELETE FROM ~request r USING gone WHERE r.bucket = gone.bucket AND r.entry = gone.id),
    event AS (DELETE FROM ~event r USING gone WHERE r.bucket = gone.bucket AND r.entry = gone.id),
    attempt AS (DELETE FROM ~attempt r USING gone WHERE r.bucket = gone.bucket AND r.entry = gone.id)
    INSERT INTO ~forgotten AS f (incarnation, entries) SELECT $5, count(*) FROM gone HAVING count(*) > 0
    ON CONFLICT (incarnation) DO UPDATE SET entries = f.entries + excluded.entries"#;

const WRITE: &str = r#"WITH w AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::uuid[], $5::uuid[], $6::text[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::bigint[],
            $15::bigint[], $16::bigint[], $17::bigint[], $18::smallint[], $19::bigint[], $20::text[], $21::bool[],
            $22::text[], $23::text[], $24::bytea[], $25::bytea[], $26::bigint[])
        AS w(bucket, id, key, delivery, request_id, route, channel, ord, out_trade_no, transaction_id, total_fee, fee_type,
            origin, created_at, age, due_in, holder, rank, bytes, peer, tls, method, target, headers, body, inflated)),
    new AS (
        INSERT INTO ~entry (bucket, id, key, delivery, request_id, route, channel, "order", out_trade_no,
            claimed_transaction_id, claimed_total_fee, claimed_fee_type, origin, created_at, received_at, state, since, due_at,
            holder, rank, bytes)
        SELECT bucket, id, key, delivery, request_id, route, channel, ord, out_trade_no, transaction_id, total_fee, fee_type,
            origin, created_at, @now - age, 'asking', @now - age, @now - age + due_in, holder, rank, bytes
        FROM w ORDER BY bucket, ord, key
        ON CONFLICT DO NOTHING RETURNING bucket, id)
    INSERT INTO ~request (bucket, entry, peer, tls, method, target, headers, body, inflated)
    SELECT w.bucket, w.id, peer, tls, method, target, headers, body, inflated
    FROM w JOIN new ON new.bucket = w.bucket AND new.id = w.id WHERE peer IS NOT NULL
    ON CONFLICT DO NOTHING"#;

const KNOWN: &str = r#"SELECT w.place, e.id, e.state, e.expected_fee, d.attempts,
        d.transaction_id AS accepted_transaction_id, d.answer_status, d.answer_headers, d.answer_body
    FROM unnest($1::smallint[], $2::text[], $3::bytea[]) WITH ORDINALITY AS w(bucket, ord, key, place)
    JOIN ~entry e ON e.bucket = w.bucket AND e."order" = w.ord AND e.key = w.key
    LEFT JOIN ~delivery d ON d.bucket = e.bucket AND d.id = e.delivery"#;

/// The statements that take these in, and ask what is known of each.
pub(super) fn write(script: &mut Script, all: &[&Taking]) -> Asked {
    let replacing: Vec<&Taking> = all.iter().copied().filter(|one| one.stage == Stage::Replace).collect();
    if let Some(mine) = replacing.first().and_then(|one| one.mine.as_ref()) {
        let replace = Statement::of(REPLACE).with(buckets(&replacing)).with(orders(&replacing)).with(keys(&replacing));
        script.add(replace.with(ids(&replacing)).with(mine.by.id));
    }
    let written: Vec<&Taking> = all.iter().copied().filter(|one| one.stage != Stage::Look).collect();
    if !written.is_empty() {
        script.add(insert(&written));
    }
    let claims = all.iter().map(|one| &one.callback.claimed);
    Asked {
        known: script.add(Statement::of(KNOWN).with(buckets(all)).with(orders(all)).with(keys(all))),
        paid_by: script.add(read::paid_by(claims.clone().map(|claimed| &claimed.order))),
        listed: script.add(read::listed(claims.map(|claimed| (&claimed.channel, &claimed.out_trade_no)))),
    }
}

fn insert(all: &[&Taking]) -> Statement {
    fn each<T>(all: &[&Taking], value: impl Fn(&Taking) -> T) -> List<T> {
        List(all.iter().map(|one| value(one)).collect())
    }
    fn of_content<T>(all: &[&Taking], value: impl Fn(&Content) -> T) -> List<Option<T>> {
        List(all.iter().map(|one| one.content.as_ref().map(&value)).collect())
    }
    let claimed = |one: &Taking| one.callback.claimed;
    let rank = |one: &Taking| if one.trust == Trust::Unconfirmed { Rank::Strange } else { Rank::Likely };
    Statement::of(WRITE)
        .with(buckets(all))
        .with(ids(all))
        .with(keys(all))
        .with(each(all, |one| one.callback.delivery().0))
        .with(each(all, |one| one.callback.request_id))
        .with(each(all, |one| one.callback.route.clone()))
        .with(each(all, |one| claimed(one).channel.to_string()))
        .with(orders(all))
        .with(each(all, |one| claimed(one).out_trade_no.to_string()))
        .with(each(all, |one| claimed(one).transaction_id.map(|id| id.to_string())))
        .with(each(all, |one| claimed(one).amount.map(|amount| number(amount.fen.0))))
        .with(each(all, |one| claimed(one).amount.map(|amount| amount.currency.as_str().to_owned())))
        .with(each(all, |one| one.callback.origin.as_str()))
        .with(each(all, |one| one.callback.created_at.map(Timestamp::as_millisecond)))
        .with(each(all, |one| millis(one.since.elapsed())))
        .with(each(all, |one| millis(one.due_in)))
        .with(each(all, |one| one.mine.as_ref().map(|mine| mine.by.id)))
        .with(each(all, |one| rank(one) as i16))
        .with(each(all, |one| number(one.bytes())))
        .with(of_content(all, |content| content.peer.clone()))
        .with(of_content(all, |content| content.tls))
        .with(of_content(all, |content| content.method.clone()))
        .with(of_content(all, |content| content.target.clone()))
        .with(of_content(all, |content| content.headers.clone()))
        .with(of_content(all, |content| content.body.clone()))
        .with(each(all, |one| one.content.as_ref().and_then(|content| content.inflated)))
}

fn buckets(all: &[&Taking]) -> List<i16> {
    List(all.iter().map(|one| one.bucket.column()).collect())
}

fn orders(all: &[&Taking]) -> List<String> {
    List(all.iter().map(|one| one.callback.claimed.order.to_string()).collect())
}

fn keys(all: &[&Taking]) -> List<Vec<u8>> {
    List(all.iter().map(|one| one.callback.key().0.to_vec()).collect())
}

fn ids(all: &[&Taking]) -> List<Option<i64>> {
    List(all.iter().map(|one| one.mine.as_ref().map(|mine| mine.id)).collect())
}

impl Taking {
    /// What its request takes.
    pub(super) fn bytes(&self) -> u64 {
        self.content.as_ref().map_or(0, Content::bytes)
    }

    /// The entry that it is to be.
    pub(super) fn entry(&self) -> Option<EntryId> {
        self.mine.as_ref().map(|Mine { id, .. }| EntryId(*id))
    }
}

/// What became of each, in their order.
pub(super) fn answers(asked: &Asked, all: &[&Taking], rows: &Rows) -> Result<Vec<Came>, Error> {
    let is_short = |one: &&Taking| if one.stage == Stage::Look { Came::Short } else { Came::Neither };
    let mut came: Vec<Came> = all.iter().map(is_short).collect();
    for row in rows.of(asked.known) {
        let place = script::place(row);
        if let (Some(one), Some(came)) = (all.get(place), came.get_mut(place)) {
            *came = known(row, one)?;
        }
    }
    by_place(rows.of(asked.paid_by), read::payment, |place, payment| {
        if let Some(Came::Taken(taken)) = came.get_mut(place) {
            taken.paid_by.push(payment);
        }
    })?;
    by_place(rows.of(asked.listed), read::pending_order, |place, order| {
        if let Some(Came::Taken(taken)) = came.get_mut(place) {
            taken.listed.get_or_insert_default().push(order);
        }
    })?;
    Ok(came)
}

fn known(row: &Row, one: &Taking) -> Result<Came, Error> {
    let (entry, state) = (columns::entry(row, "id")?, columns::state(row)?);
    let fresh = one.entry() == Some(entry);
    if state == State::Closed && !fresh {
        return Ok(Came::Closed);
    }
    Ok(Came::Taken(Box::new(Taken {
        entry,
        fresh,
        state,
        attempts: columns::count(row, "attempts")?,
        accepted: columns::acceptance(row)?,
        paid_by: Vec::new(),
        price: columns::yuan(row, "expected_fee")?,
        listed: Some(Vec::new()),
    })))
}
