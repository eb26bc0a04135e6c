//! What gives way when the budget for callbacks whose order was never confirmed is spent.

use super::budget::Spent;
use super::columns::count;
use super::database::{Kind, Tx};
use super::error::Error;
use super::op::{Stage, Taking, Wait, number};
use super::statement::{List, Statement};
use super::writer::Writer;
use crate::journal::{JournalError, Room, State, Trust};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Entries of a state that give way at once for their bytes: a large body takes the place of many small ones.
const MOST_GIVING_WAY: i64 = 512;

/// Counting what there is takes this part of the time at most.
const SHARE_OF_COUNTING: u32 = 10;

/// The longest pause between two countings.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Makes room for those that wait for it, until the writer is closed.
pub(super) async fn make_room(writer: Arc<Writer>) {
    loop {
        let waiting = writer.crowd.comes().await;
        if writer.crowd.is_closed() {
            return;
        }
        let waiting: Vec<_> = waiting.into_iter().filter(|taking| !taking.reply.is_closed()).collect();
        if waiting.is_empty() {
            continue;
        }
        let began = Instant::now();
        let made = make(&writer, &waiting).await;
        let pause = (began.elapsed() * SHARE_OF_COUNTING).min(LONGEST_PAUSE);
        for mut taking in waiting {
            if made.is_err() {
                Wait::TakeIn(taking).refuse(JournalError::Unavailable);
            } else if writer.budget.spend(taking.bytes(), taking.trust) {
                taking.stage = Stage::Write;
                taking.is_spent = true;
                writer.wait(Wait::TakeIn(taking));
            } else {
                Wait::TakeIn(taking).refuse(JournalError::Full);
            }
        }
        sleep(pause).await;
    }
}

/// Counts what there is.
pub(super) async fn count_anew(writer: &Writer) -> Result<(), Error> {
    let counting = writer.budget.count();
    let spent = writer.database.transact(Kind::Single, &|tx| Box::pin(counted(tx))).await?;
    writer.budget.is(spent, counting);
    Ok(())
}

/// What those that wait need, and how much there may be with it.
type Need = (Room, Spent);

async fn make(writer: &Writer, waiting: &[Box<Taking>]) -> Result<(), Error> {
    let needs: Arc<[Need]> = [Trust::Likely, Trust::Unconfirmed].map(|trust| need(writer, waiting, trust)).into();
    let by = writer.incarnation.current().map_or(0, |current| current.id);
    let counting = writer.budget.count();
    let spent = writer.database.transact(Kind::Write, &|tx| Box::pin(give_way(tx, Arc::clone(&needs), by))).await?;
    writer.budget.is(spent, counting);
    Ok(())
}

fn need(writer: &Writer, waiting: &[Box<Taking>], trust: Trust) -> Need {
    let most = writer.budget.most_of(trust);
    let mut need = Spent::default();
    // What would not fit into an empty one makes no room.
    let fits = waiting.iter().filter(|taking| taking.trust == trust && taking.bytes() <= most.bytes);
    fits.for_each(|taking| need.add(taking.bytes()));
    (most, need)
}

/// Callbacks whose order was never confirmed, and bytes of their requests, in one walk through an index of nothing else.
async fn counted(tx: &Tx<'_>) -> Result<Spent, Error> {
    let counted = tx.first(Statement::of(
        "SELECT count(*) AS records, coalesce(sum(bytes), 0)::bigint AS bytes
         FROM ~entry WHERE transaction_id IS NULL AND origin = 'callback'",
    ));
    spent(counted.await?.as_ref())
}

fn spent(row: Option<&tokio_postgres::Row>) -> Result<Spent, Error> {
    let Some(row) = row else { return Ok(Spent::default()) };
    Ok(Spent { records: count(row, "records")?, bytes: count(row, "bytes")? })
}

/// Lets the oldest of what is done with give way to what is needed: what is closed, or else parked. Of what is closed its bytes
/// alone are enough, where bytes are what is missing. What there is then.
async fn give_way(tx: &Tx<'_>, needs: Arc<[Need]>, by: i64) -> Result<Spent, Error> {
    let mut spent = counted(tx).await?;
    for (most, need) in needs.iter().filter(|(_, need)| need.records > 0) {
        for state in [State::Closed, State::Parked] {
            let missing = (spent.records + need.records).saturating_sub(most.records);
            if missing > 0 {
                let oldest = oldest(tx, state, false, number(missing)).await?;
                spent = spent.less(remove(tx, state, &oldest, by).await?);
            }
        }
        for state in [State::Closed, State::Parked] {
            let missing = spent.bytes.saturating_add(need.bytes).saturating_sub(most.bytes);
            if missing > 0 {
                let mut oldest = oldest(tx, state, true, MOST_GIVING_WAY).await?;
                oldest.truncate(enough(&oldest, missing));
                let gone = match state {
                    State::Closed => clear(tx, &oldest).await?,
                    _ => remove(tx, state, &oldest, by).await?,
                };
                spent = spent.less(gone);
            }
        }
    }
    Ok(spent)
}

/// An entry that may give way: its bucket, number and bytes.
type Old = (i16, i64, u64);

/// How many of these have so many bytes.
fn enough(oldest: &[Old], bytes: u64) -> usize {
    let mut sum = 0_u64;
    oldest
        .iter()
        .take_while(|(.., of_one)| {
            let is_wanted = sum < bytes;
            sum = sum.saturating_add(*of_one);
            is_wanted
        })
        .count()
}

async fn oldest(tx: &Tx<'_>, state: State, with_request: bool, limit: i64) -> Result<Vec<Old>, Error> {
    let rows = tx.rows(
        Statement::of(
            "SELECT bucket, id, bytes FROM ~entry
             WHERE state = $1 AND transaction_id IS NULL AND origin = 'callback' AND (bytes > 0 OR NOT $2)
             ORDER BY id LIMIT $3",
        )
        .with(state.as_str())
        .with(with_request)
        .with(limit),
    );
    let old = |row: &tokio_postgres::Row| Ok((row.try_get("bucket")?, row.try_get("id")?, count(row, "bytes")?));
    rows.await?.iter().map(old).collect()
}

/// Removes entries that are still as they were, with all that hangs on them. What that gives back.
async fn remove(tx: &Tx<'_>, state: State, entries: &[Old], by: i64) -> Result<Spent, Error> {
    let removed = tx.first(
        Statement::of(
            r#"WITH gone AS (
                DELETE FROM ~entry e USING unnest($1::smallint[], $2::bigint[]) AS w(bucket, id)
                WHERE e.bucket = w.bucket AND e.id = w.id AND e.state = $3 AND e.transaction_id IS NULL
                    AND e.origin = 'callback'
                RETURNING e.bucket, e.id, e."order", e.delivery, e.bytes),
            request AS (DELETE FROM ~request r USING gone g WHERE r.bucket = g.bucket AND r.entry = g.id),
            event AS (DELETE FROM ~event r USING gone g WHERE r.bucket = g.bucket AND r.entry = g.id),
            attempt AS (DELETE FROM ~attempt r USING gone g WHERE r.bucket = g.bucket AND r.entry = g.id),
            delivery AS (DELETE FROM ~delivery d USING gone g WHERE d.bucket = g.bucket AND d.id = g.delivery
                AND NOT EXISTS (SELECT 1 FROM ~entry o WHERE o.bucket = g.bucket AND o."order" = g."order"
                    AND o.delivery = g.delivery AND NOT EXISTS (SELECT 1 FROM gone WHERE gone.id = o.id))),
            forgotten AS (
                INSERT INTO ~forgotten AS f (incarnation, entries) SELECT $4, count(*) FROM gone HAVING count(*) > 0
                ON CONFLICT (incarnation) DO UPDATE SET entries = f.entries + excluded.entries)
            SELECT count(*) AS records, coalesce(sum(bytes), 0)::bigint AS bytes FROM gone"#,
        )
        .with(List(entries.iter().map(|(bucket, ..)| *bucket).collect()))
        .with(List(entries.iter().map(|(_, id, _)| *id).collect()))
        .with(state.as_str())
        .with(by),
    );
    spent(removed.await?.as_ref())
}

/// Removes the requests of closed entries, which stay. What that gives back.
async fn clear(tx: &Tx<'_>, entries: &[Old]) -> Result<Spent, Error> {
    let cleared = tx.first(
        Statement::of(
            "WITH w AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS w(bucket, id, bytes)),
             cleared AS (
                 UPDATE ~entry e SET bytes = 0 FROM w
                 WHERE e.bucket = w.bucket AND e.id = w.id AND e.state = 'closed' RETURNING e.bucket, e.id, w.bytes),
             request AS (DELETE FROM ~request r USING cleared c WHERE r.bucket = c.bucket AND r.entry = c.id)
             SELECT 0::bigint AS records, coalesce(sum(bytes), 0)::bigint AS bytes FROM cleared",
        )
        .with(List(entries.iter().map(|(bucket, ..)| *bucket).collect()))
        .with(List(entries.iter().map(|(_, id, _)| *id).collect()))
        .with(List(entries.iter().map(|(.., bytes)| number(*bytes)).collect())),
    );
    spent(cleared.await?.as_ref())
}
