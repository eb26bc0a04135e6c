//! What changes of people have in common: all of what was read is changed or nothing, and each entry tells of it.

use super::columns;
use super::database::Tx;
use super::error::Error;
use super::read::of_entries;
use super::statement::Statement;
use super::trail::Line;
use crate::domain::reason::Reason;
use crate::journal::EntryId;
use tokio_postgres::Row;

/// Whether all of these rows are there: those of other entries were changed meanwhile.
pub(super) fn all_of(entries: &[EntryId], changed: &[Row]) -> Result<(), Error> {
    let mut found: Vec<EntryId> = changed.iter().map(|row| columns::entry(row, "id")).collect::<Result<_, _>>()?;
    found.sort_unstable();
    let mut wanted = entries.to_vec();
    wanted.sort_unstable();
    if found == wanted { Ok(()) } else { Err(Error::Overtaken) }
}

/// Adds a line to what happened to each of these entries.
pub(super) async fn tell(
    tx: &Tx<'_>,
    entries: &[EntryId],
    what: &'static str,
    reason: Option<Reason>,
    line: &Line,
) -> Result<(), Error> {
    let text = "INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
        SELECT wanted.bucket, wanted.id, $3, @now, $4, $5, $6 FROM unnest($1::smallint[], $2::bigint[]) AS wanted (bucket, id)
        ON CONFLICT (bucket, entry, id) DO NOTHING";
    let tell = of_entries(Statement::of(text), entries)
        .with(line.id)
        .with(what)
        .with(reason.map(Reason::code))
        .with(line.replica.clone());
    tx.rows(tell).await.map(drop)
}
