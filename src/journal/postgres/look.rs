//! Looking now and then whether the database says that this process holds what no worker of it has: what a step took that was
//! broken off before it heard of it. It is given back, since nobody else may touch what a living one holds.

use super::database::{Kind, Work};
use super::error::Error;
use super::holds::Holds;
use super::lane::Lane;
use super::numbers::Bucket;
use super::op::Note;
use super::room;
use super::statement::Statement;
use super::writer::Writer;
use crate::journal::EntryId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it looks within a lease.
const LOOKS_A_LEASE: u32 = 3;

/// The least time between two looks.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// For how many round trips nobody may have known of what is given back: whoever took it has broken off by then.
const UNKNOWN_FOR: u32 = 10;

/// What is looked at in one look.
const MOST: i64 = 4096;

/// What the database says that this process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Held {
    Entry(EntryId),
    /// A delivery's turn, by the operation that took it.
    Turn(Bucket, i64),
}

/// Looks until the writer is closed.
pub(super) async fn look(writer: Arc<Writer>) {
    let mut unknown: HashMap<Held, Instant> = HashMap::new();
    let pause = writer.database.settings.lease / LOOKS_A_LEASE;
    while !writer.is_closed() {
        // It counts what there is of the budget, too, which others spend as well.
        let looked = async {
            room::count_anew(&writer).await?;
            held(&writer).await
        };
        match looked.await {
            Ok(held) => {
                give_back(&writer, held, &mut unknown);
                // Only servers that write are asked; who has something to write finds out for itself.
                if !writer.lanes.iter().any(Lane::fails) {
                    writer.meters.set_writable(true);
                }
            }
            Err(error) => tracing::debug!(%error, "what is held in the journal could not be looked at"),
        }
        sleep(pause.max(LEAST_PAUSE)).await;
    }
}

fn give_back(writer: &Writer, held: Vec<Held>, unknown: &mut HashMap<Held, Instant>) {
    let now = Instant::now();
    let long = writer.database.settings.timeout * UNKNOWN_FOR;
    let is_known = |held: &Held| match held {
        Held::Entry(entry) => writer.holds.has(*entry),
        Held::Turn(_, op) => writer.attempts.has_turn(*op),
    };
    let before = std::mem::take(unknown);
    for held in held.into_iter().filter(|held| !is_known(held)) {
        let since = before.get(&held).copied().unwrap_or(now);
        if now.saturating_duration_since(since) < long {
            unknown.insert(held, since);
            continue;
        }
        match held {
            Held::Entry(entry) => release(writer, &writer.holds, entry),
            Held::Turn(bucket, op) => {
                writer.note(Note::Abandon, bucket, Some(super::begun::Known { op, alone: true }));
            }
        }
    }
}

fn release(writer: &Writer, holds: &Holds, entry: EntryId) {
    let Some(current) = writer.incarnation.current() else { return };
    if holds.take_if_free(entry, current.id) {
        writer.note(Note::Release(entry), Bucket::of_entry(entry), None);
    }
}

async fn held(writer: &Writer) -> Result<Vec<Held>, Error> {
    let Some(current) = writer.incarnation.current() else { return Ok(Vec::new()) };
    let rows = writer.database.transact(Kind::Single, &|tx| rows(tx, current.id)).await?;
    rows.iter()
        .map(|row| {
            let id: i64 = row.try_get("id")?;
            let bucket: i16 = row.try_get("bucket")?;
            let bucket = Bucket(u8::try_from(bucket).map_err(|_| Error::Damaged("bucket"))?);
            Ok(if row.try_get("is_turn")? { Held::Turn(bucket, id) } else { Held::Entry(EntryId(id)) })
        })
        .collect()
}

fn rows<'t>(tx: &'t super::database::Tx<'t>, me: i64) -> Work<'t, Vec<tokio_postgres::Row>> {
    Box::pin(
        tx.rows(
            Statement::of(
                "(SELECT false AS is_turn, bucket, id FROM ~entry WHERE holder = $1 LIMIT $2)
             UNION ALL (SELECT true, bucket, turn FROM ~delivery WHERE sender = $1 AND turn IS NOT NULL LIMIT $2)",
            )
            .with(me)
            .with(MOST),
        ),
    )
}
