//! Orders that were found without a callback, taken in many at once.

use super::Postgres;
use super::columns::{self, get, number, rank_column};
use super::database::Tx;
use super::error::Error;
use super::incarnation::Current;
use super::numbers::Bucket;
use super::statement::{List, Statement};
use crate::journal::{Callback, EntryId, Rank, State};
use std::collections::HashMap;
use uuid::Uuid;

/// An order to be taken in, whose number was made before.
#[derive(Debug, Clone)]
pub(super) struct FoundOrder {
    entry: EntryId,
    bucket: i16,
    key: [u8; 16],
    delivery: Uuid,
    callback: Callback,
    /// In how many milliseconds it is due.
    due_in: i64,
    /// Whether one that was given up without ever being confirmed is asked about anew.
    anew: bool,
}

impl FoundOrder {
    /// The order of this callback, which is none and has no request.
    pub(super) fn of(store: &Postgres, me: &Current, callback: &Callback, due_in: i64, anew: bool) -> Self {
        let bucket = Bucket::of(callback.claimed.order.as_str());
        Self {
            entry: EntryId(store.numbers.next(store.incarnation.now(), bucket, me.slot)),
            bucket: bucket.column(),
            key: callback.key().0,
            delivery: callback.delivery().0,
            callback: callback.clone(),
            due_in,
            anew,
        }
    }
}

const INSERT: &str = "INSERT INTO ~entry (bucket, id, key, delivery, request_id, route, channel, \"order\", out_trade_no,
        claimed_transaction_id, claimed_total_fee, claimed_fee_type, origin, created_at, received_at, state, since, due_at, rank)
    SELECT found.bucket, found.id, found.key, found.delivery, found.request_id, found.route, found.channel, found.\"order\",
        found.out_trade_no, found.transaction_id, found.total_fee, found.fee_type, found.origin, found.created_at, @now,
        $15, @now, @now + found.due_in, $16
    FROM unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bigint[], $12::text[], $13::text[], $14::bigint[], $17::bigint[])
        AS found (bucket, id, key, delivery, request_id, route, channel, \"order\", out_trade_no, transaction_id, total_fee,
            fee_type, origin, created_at, due_in)
    ORDER BY found.bucket, found.\"order\", found.key
    ON CONFLICT (bucket, \"order\", key) DO NOTHING";

const ANEW: &str = "UPDATE ~entry AS entry SET state = 'asking', since = @now, due_at = @now + found.due_in, tries = 0
    FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bigint[]) AS found (bucket, \"order\", key, due_in)
    WHERE entry.bucket = found.bucket AND entry.\"order\" = found.\"order\" AND entry.key = found.key
        AND entry.transaction_id IS NULL AND entry.due_at IS NULL";

const THERE: &str =
    "SELECT entry.id, entry.key FROM unnest($1::smallint[], $2::text[], $3::bytea[]) AS found (bucket, \"order\", key)
    JOIN ~entry entry ON entry.bucket = found.bucket AND entry.\"order\" = found.\"order\" AND entry.key = found.key";

/// Takes orders in, or finds the entries they have, in the order of `all`.
pub(super) async fn take_in_found(tx: &Tx<'_>, all: &[FoundOrder]) -> Result<Vec<EntryId>, Error> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut statements = vec![insert(all)];
    let anew: Vec<&FoundOrder> = all.iter().filter(|found| found.anew).collect();
    if !anew.is_empty() {
        let due_in = List(anew.iter().map(|found| found.due_in).collect::<Vec<_>>());
        statements.push(of_keys(Statement::of(ANEW), &anew).with(due_in));
    }
    statements.push(of_keys(Statement::of(THERE), &all.iter().collect::<Vec<_>>()));
    let there = tx.all(&statements).await?.pop().unwrap_or_default();
    let there: HashMap<Vec<u8>, EntryId> =
        there.iter().map(|row| Ok((get(row, "key")?, columns::entry(row, "id")?))).collect::<Result<_, Error>>()?;
    all.iter().map(|found| there.get(&found.key[..]).copied().ok_or(Error::Overtaken)).collect()
}

fn of_keys(statement: Statement, all: &[&FoundOrder]) -> Statement {
    statement
        .with(List(all.iter().map(|found| found.bucket).collect::<Vec<_>>()))
        .with(List(all.iter().map(|found| found.callback.claimed.order.as_str().to_owned()).collect::<Vec<_>>()))
        .with(List(all.iter().map(|found| found.key.to_vec()).collect::<Vec<_>>()))
}

fn insert(all: &[FoundOrder]) -> Statement {
    fn each<T>(all: &[FoundOrder], column: impl Fn(&FoundOrder) -> T) -> List<T> {
        List(all.iter().map(column).collect())
    }
    let claimed = |found: &FoundOrder| found.callback.claimed;
    Statement::of(INSERT)
        .with(each(all, |found| found.bucket))
        .with(each(all, |found| found.entry.0))
        .with(each(all, |found| found.key.to_vec()))
        .with(each(all, |found| found.delivery))
        .with(each(all, |found| found.callback.request_id))
        .with(each(all, |found| found.callback.route.clone()))
        .with(each(all, |found| claimed(found).channel.as_str().to_owned()))
        .with(each(all, |found| claimed(found).order.as_str().to_owned()))
        .with(each(all, |found| claimed(found).out_trade_no.as_str().to_owned()))
        .with(each(all, |found| claimed(found).transaction_id.map(|id| id.as_str().to_owned())))
        .with(each(all, |found| claimed(found).amount.map(|amount| number(amount.fen.0))))
        .with(each(all, |found| claimed(found).amount.map(|amount| amount.currency.as_str().to_owned())))
        .with(each(all, |found| found.callback.origin.as_str()))
        .with(each(all, |found| found.callback.created_at.map(|at| at.as_millisecond())))
        .with(State::Asking.as_str())
        .with(rank_column(Rank::Likely))
        .with(each(all, |found| found.due_in))
}
