//! Forgetting what was kept long enough, in SQL, in small steps. What is removed must still be so when it is removed: it is said
//! once more by the statement that does it.

use super::columns::{self, get, millis};
use super::database::Tx;
use super::error::Error;
use super::owners::{self, Outlived};
use super::read::of_entries;
use super::statement::{List, Statement};
use super::{Postgres, clock, refusals, sweeps, trail};
use crate::journal::{DeliveryId, EntryId, EntryKey, Forgotten, JournalError, Keep, State};
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// How long the content of what was closed is kept: another callback of the same claim may be on its way.
const CONTENT_OF_CLOSED: Duration = Duration::from_secs(60);

/// What may be forgotten of what is done with.
const DONE: [&str; 3] =
    ["entry.state = 'accepted'", "entry.state = 'closed'", "entry.state = 'parked' AND entry.transaction_id IS NULL"];

/// As [`Upkeep::forget`](crate::journal::Upkeep::forget).
pub(super) async fn forget(store: &Postgres, keep: Keep, limit: usize) -> Result<Forgotten, JournalError> {
    let me = store.incarnation.current().map_or(0, |me| me.id);
    let forgotten = store.database.write(move |tx| Box::pin(forget_in(tx, keep, limit, me)));
    forgotten.await
}

async fn forget_in(tx: &Tx<'_>, keep: Keep, limit: usize, me: i64) -> Result<Forgotten, Error> {
    let steps = clock::steps(tx).await?;
    let (before, bodies) = (steps.kept_since(keep.entries), steps.kept_since(keep.bodies));
    let closed = bodies.max(steps.now().saturating_sub(millis(CONTENT_OF_CLOSED)));
    let mut forgotten = Forgotten { entries: entries(tx, before, limit, me).await?, ..Forgotten::default() };
    for (state, before) in [(State::Accepted, bodies), (State::Closed, closed)] {
        forgotten.others += requests(tx, state, before, left(limit, &forgotten)).await?;
    }
    forgotten.answers = answers(tx, bodies, left(limit, &forgotten)).await?;
    let others = |limit| {
        let [rows, sweeps, listed] = sweeps::forget(before, limit);
        [
            refusals::forget(before, limit),
            trail::forget(before, limit),
            owners::forget(millis(keep.entries), limit),
            rows,
            sweeps,
            listed,
        ]
    };
    for statement in others(left(limit, &forgotten)) {
        // Each removes no more than what is left, so that all together remove a few times as much at most.
        forgotten.others += tx.rows(statement).await?.len();
    }
    tidy(tx).await?;
    Ok(forgotten)
}

/// How many rows are left of the limit.
fn left(limit: usize, Forgotten { entries, answers, others, .. }: &Forgotten) -> i64 {
    columns::at_most(limit.saturating_sub(entries.len() + answers.len() + others))
}

/// Removes entries, with all that hangs on them; at most `limit`.
async fn entries(tx: &Tx<'_>, before: i64, limit: usize, me: i64) -> Result<Vec<EntryKey>, Error> {
    let mut removed: Vec<Row> = Vec::new();
    for done in DONE {
        for has_request in [false, true] {
            let left = columns::at_most(limit.saturating_sub(removed.len()));
            if left == 0 {
                break;
            }
            // Each is found in the index that has no others.
            let is_old = format!("{done} AND entry.due_at IS NULL AND (entry.bytes > 0) = $1 AND entry.since < $2");
            let text = format!(
                "DELETE FROM ~entry AS entry USING (
                     SELECT entry.bucket, entry.id FROM ~entry entry WHERE {is_old} ORDER BY entry.since LIMIT $3) AS old
                 WHERE entry.bucket = old.bucket AND entry.id = old.id AND {is_old}
                 RETURNING entry.id, entry.key, entry.delivery, entry.\"order\", entry.state, entry.transaction_id,
                     entry.channel, entry.out_trade_no"
            );
            removed.extend(tx.rows(Statement::of(text).with(has_request).with(before).with(left)).await?);
        }
    }
    if !removed.is_empty() {
        clear_up(tx, &removed, me).await?;
    }
    removed.iter().map(key).collect()
}

fn key(row: &Row) -> Result<EntryKey, Error> {
    let key: &[u8] = get(row, "key")?;
    key.try_into().map(EntryKey).map_err(|_| Error::Damaged("key"))
}

/// Removes what hangs on entries that were removed, remembers whose their payments were, and counts them.
async fn clear_up(tx: &Tx<'_>, removed: &[Row], me: i64) -> Result<(), Error> {
    let entries: Vec<EntryId> = removed.iter().map(|row| columns::entry(row, "id")).collect::<Result<_, _>>()?;
    let mut statements: Vec<Statement> = ["request", "event", "attempt"]
        .map(|table| {
            let text = format!(
                "DELETE FROM ~{table} AS its USING unnest($1::smallint[], $2::bigint[]) AS gone (bucket, id)
                 WHERE its.bucket = gone.bucket AND its.entry = gone.id"
            );
            of_entries(Statement::of(text), &entries)
        })
        .into();
    statements.push(deliveries(removed, &entries)?);
    let outlived = outlived(removed)?;
    if !outlived.is_empty() {
        statements.push(owners::outlive(&outlived));
    }
    let count = "INSERT INTO ~forgotten AS known (incarnation, entries) VALUES ($1, $2)
        ON CONFLICT (incarnation) DO UPDATE SET entries = known.entries + excluded.entries";
    statements.push(Statement::of(count).with(me).with(columns::at_most(entries.len())));
    tx.all(&statements).await.map(drop)
}

/// Removes deliveries of which no entry is left.
fn deliveries(removed: &[Row], entries: &[EntryId]) -> Result<Statement, Error> {
    let text = "DELETE FROM ~delivery AS delivery
        USING unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[]) AS gone (bucket, id, delivery, \"order\")
        WHERE delivery.bucket = gone.bucket AND delivery.id = gone.delivery AND NOT EXISTS (
            SELECT 1 FROM ~entry entry WHERE entry.bucket = gone.bucket AND entry.\"order\" = gone.\"order\"
                AND entry.delivery = gone.delivery)";
    let ids: Vec<Uuid> = removed.iter().map(|row| get(row, "delivery")).collect::<Result<_, _>>()?;
    let orders: Vec<String> = removed.iter().map(|row| get(row, "order")).collect::<Result<_, _>>()?;
    Ok(of_entries(Statement::of(text), entries).with(List(ids)).with(List(orders)))
}

/// Accepted entries with a payment.
fn outlived(removed: &[Row]) -> Result<Vec<Outlived>, Error> {
    let mut outlived = Vec::new();
    for row in removed {
        let payment: Option<String> = get(row, "transaction_id")?;
        let Some(transaction_id) = payment.filter(|_| columns::state(row).is_ok_and(|state| state == State::Accepted))
        else {
            continue;
        };
        let (channel, out_trade_no) = (get(row, "channel")?, get(row, "out_trade_no")?);
        outlived.push(Outlived { transaction_id, channel, out_trade_no, order: get(row, "order")? });
    }
    Ok(outlived)
}

/// Removes the requests of what has been in a state since before a time. Returns how many.
async fn requests(tx: &Tx<'_>, state: State, before: i64, limit: i64) -> Result<usize, Error> {
    let is_old = "entry.state = $1 AND entry.due_at IS NULL AND (entry.bytes > 0) = true AND entry.since < $2";
    let text = format!(
        "UPDATE ~entry AS entry SET bytes = 0 FROM (
             SELECT entry.bucket, entry.id FROM ~entry entry WHERE {is_old} ORDER BY entry.since LIMIT $3) AS old
         WHERE entry.bucket = old.bucket AND entry.id = old.id AND {is_old} RETURNING entry.id"
    );
    let cleared = tx.rows(Statement::of(text).with(state.as_str()).with(before).with(limit)).await?;
    let entries: Vec<EntryId> = cleared.iter().map(|row| columns::entry(row, "id")).collect::<Result<_, _>>()?;
    if !entries.is_empty() {
        let text = "DELETE FROM ~request AS its USING unnest($1::smallint[], $2::bigint[]) AS gone (bucket, id)
            WHERE its.bucket = gone.bucket AND its.entry = gone.id";
        tx.rows(of_entries(Statement::of(text), &entries)).await?;
    }
    Ok(entries.len())
}

/// Removes the upstream's answers from before a time, but for the status. Returns whose.
async fn answers(tx: &Tx<'_>, before: i64, limit: i64) -> Result<Vec<DeliveryId>, Error> {
    let is_old = "delivery.answer_headers IS NOT NULL AND delivery.accepted_at < $1";
    let text = format!(
        "UPDATE ~delivery AS delivery SET answer_headers = NULL, answer_body = NULL FROM (
             SELECT delivery.bucket, delivery.id FROM ~delivery delivery WHERE {is_old}
             ORDER BY delivery.accepted_at LIMIT $2) AS old
         WHERE delivery.bucket = old.bucket AND delivery.id = old.id AND {is_old} RETURNING delivery.id"
    );
    let cleared = tx.rows(Statement::of(text).with(before).with(limit)).await?;
    cleared.iter().map(|row| get(row, "id").map(DeliveryId)).collect()
}

/// Adds up what incarnations have counted that are gone, and removes what they left behind.
async fn tidy(tx: &Tx<'_>) -> Result<(), Error> {
    let is_gone = "NOT EXISTS (SELECT 1 FROM ~replica replica WHERE replica.incarnation = its.incarnation)";
    let add_up = format!(
        "WITH gone AS (DELETE FROM ~forgotten AS its WHERE its.incarnation > 0 AND {is_gone} RETURNING its.entries)
         INSERT INTO ~forgotten AS known (incarnation, entries)
         SELECT 0, sum(gone.entries)::bigint FROM gone HAVING count(*) > 0
         ON CONFLICT (incarnation) DO UPDATE SET entries = known.entries + excluded.entries"
    );
    let probes = format!("DELETE FROM ~probe AS its WHERE {is_gone}");
    tx.all(&[Statement::of(add_up), Statement::of(probes)]).await.map(drop)
}
