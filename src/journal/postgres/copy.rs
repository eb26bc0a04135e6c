//! Taking in what another store had, in SQL: page by page, each in a transaction of its own. A row that is there is left alone,
//! but for a delivery, whose highest number and whose acceptance count.

use super::columns::count;
use super::copied_tables::{Shape, shape};
use super::database::Tx;
use super::error::Error;
use super::numbers::{self, Bucket};
use super::statement::{List, Statement};
use super::{Postgres, is_worked_on};
use crate::journal::copy::{Column, Copied, Head, NotCopied, Page, Part, Table};
use crate::journal::{DatabaseSettings, JournalError, sqlite};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Parts that are read ahead.
const AHEAD: usize = 2;

/// Copies a file. Of all of its tables how much there is on both sides.
///
/// # Errors
/// If a gate works on one of the two, or one of them fails.
pub(in crate::journal) async fn copy(from: &Path, to: &DatabaseSettings) -> Result<Vec<Copied>, NotCopied> {
    let store = Postgres::beside(to).await?;
    if is_worked_on(to).await? {
        return Err(NotCopied::WorkedOn(to.to_string()));
    }
    let (sender, mut parts) = mpsc::channel(AHEAD);
    let path = from.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        sqlite::read_for_copy(&path, row_number, |part| sender.blocking_send(part).is_ok())
    });
    let mut copied: Vec<Copied> = Table::ALL.map(|table| Copied { table, in_file: 0, in_database: 0, added: 0 }).into();
    while let Some(part) = parts.recv().await {
        let done = match part {
            Part::Head(head) => take_head(&store, head).await,
            Part::Page(page) => take_page(&store, page, &mut copied).await,
        };
        done.map_err(NotCopied::Unwritten)?;
    }
    let ended =
        |error: tokio::task::JoinError| NotCopied::Unreadable { path: PathBuf::from(from), what: error.to_string() };
    reading.await.map_err(ended)??;
    Ok(copied)
}

/// A row's bucket and its number: the same each time.
fn row_number(at: i64, of: Option<&str>, low: i64) -> (i64, i64) {
    let bucket = of.map_or(Bucket(0), Bucket::of);
    let [first, second, ..] = low.to_le_bytes();
    (i64::from(bucket.0), numbers::number(at, bucket, u16::from_le_bytes([first, second])))
}

async fn take_head(store: &Postgres, head: Head) -> Result<(), JournalError> {
    let head = Arc::new(head);
    let written = store.database.write(move |tx| {
        let head = Arc::clone(&head);
        Box::pin(async move {
            // One that was made before is as old as the file. What was forgotten there stands under a number of its own.
            let incarnation = -head.made_at.unwrap_or(1).max(1);
            let mut statements = vec![
                Statement::of("UPDATE ~meta SET made_at = least(made_at, coalesce($1, made_at))").with(head.made_at),
                Statement::of(
                    "INSERT INTO ~forgotten (incarnation, entries) VALUES ($1, $2)
                     ON CONFLICT (incarnation) DO UPDATE SET entries = excluded.entries",
                )
                .with(incarnation)
                .with(head.forgotten),
            ];
            if let Some(latest_at) = head.latest_at {
                let latest = "INSERT INTO ~clock (id, latest_at) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
                statements.push(Statement::of(latest).with(latest_at));
            }
            for (old, new) in &head.steps {
                let step = "INSERT INTO ~clock_step (old_at, new_at) VALUES ($1, $2) ON CONFLICT (old_at) DO NOTHING";
                statements.push(Statement::of(step).with(*old).with(*new));
            }
            tx.all(&statements).await.map(drop)
        })
    });
    written.await
}

async fn take_page(store: &Postgres, page: Page, copied: &mut [Copied]) -> Result<(), JournalError> {
    let (table, rows, page) = (page.table, page.rows as u64, Arc::new(page));
    let written = store.database.write(move |tx| {
        let page = Arc::clone(&page);
        Box::pin(async move { insert(tx, &page).await })
    });
    let (added, before) = written.await?;
    for one in copied.iter_mut().filter(|one| one.table == table) {
        one.in_file += rows;
        one.added += added;
        one.in_database += added + before;
    }
    Ok(())
}

/// Puts rows where they belong that are not there yet. How many were added, and how many were there before.
async fn insert(tx: &Tx<'_>, page: &Page) -> Result<(u64, u64), Error> {
    tx.take_time().await?;
    let mut statement = Statement::of(text(page));
    for column in &page.columns {
        statement = match column.clone() {
            Column::Integers(all) => statement.with(List(all)),
            Column::Texts(all) => statement.with(List(all)),
            Column::Bytes(all) => statement.with(List(all)),
            Column::Ids(all) => statement.with(List(all)),
            Column::Flags(all) => statement.with(List(all)),
        };
    }
    let counts = tx.slowly(statement).await?;
    let counts = counts.first().ok_or(Error::Damaged("added"))?;
    Ok((count(counts, "added")?, count(counts, "before")?))
}

fn text(page: &Page) -> String {
    let Shape { columns, into, select, from, conflict, same } = shape(page.table);
    let types = page.columns.iter().zip(1..).map(|(column, place)| {
        let of = match column {
            Column::Integers(_) => "bigint[]",
            Column::Texts(_) => "text[]",
            Column::Bytes(_) => "bytea[]",
            Column::Ids(_) => "uuid[]",
            Column::Flags(_) => "boolean[]",
        };
        format!("${place}::{of}")
    });
    let values = types.collect::<Vec<_>>().join(", ");
    // A delivery that is there is written too.
    let less = if page.table == Table::Deliveries { " - there.before" } else { "" };
    format!(
        "WITH kept AS (SELECT * FROM unnest({values}) AS kept (bucket, number, {columns})),
             there AS (SELECT count(*) AS before FROM kept {from} JOIN {same}),
             added AS (INSERT INTO {into} SELECT {select} FROM kept {from} ON CONFLICT {conflict} RETURNING 1 AS one)
         SELECT there.before, (SELECT count(*) FROM added){less} AS added FROM there"
    )
}
