//! Looking at entries one by one for a text, because no index has all that is wanted of them.

use super::columns::{self, get};
use super::database::Tx;
use super::error::Error;
use super::kinds::Kind;
use super::read::of_entries;
use super::statement::Statement;
use crate::domain::order::OrderId;
use crate::journal::EntryId;
use crate::journal::view::{Cursor, Filter};
use std::collections::BTreeSet;
use tokio_postgres::Row;
use uuid::Uuid;

/// Entries that are asked for at once.
const AT_ONCE: usize = 500;

/// One page of those that have a text, as it is put together.
pub(super) struct Look<'l> {
    filter: &'l Filter,
    text: &'l OrderId,
    limit: usize,
    found: Vec<Cursor>,
    looked_at: usize,
    /// The one that was looked at last.
    place: Option<Cursor>,
    /// Whether there are more.
    ends_early: bool,
}

/// What of an entry a filter looks at.
struct Looked {
    cursor: Cursor,
    kind: Kind,
    has_text: bool,
}

/// The text as it is, what is behind it, and as an id of a request or delivery.
const LOOK: &str = "SELECT entry.id, entry.received_at, entry.state, entry.channel, entry.reason, entry.origin,
        entry.transaction_id IS NOT NULL AS confirmed,
        (entry.\"order\" >= $3 AND entry.\"order\" < $4) OR (entry.out_trade_no >= $3 AND entry.out_trade_no < $4)
            OR coalesce(entry.transaction_id >= $3 AND entry.transaction_id < $4, false)
            OR coalesce(entry.request_id = $5 OR entry.delivery = $5, false)
            OR ($5 IS NOT NULL AND EXISTS (SELECT 1 FROM ~event event
                WHERE event.bucket = entry.bucket AND event.entry = entry.id AND event.request_id = $5)) AS has_text
    FROM unnest($1::smallint[], $2::bigint[]) AS wanted (bucket, id)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id
    ORDER BY entry.id DESC";

impl<'l> Look<'l> {
    /// Entries that are looked at for one page at most.
    pub(super) const MOST: usize = 2000;

    pub(super) fn of(filter: &'l Filter, text: &'l OrderId, limit: usize) -> Self {
        Self { filter, text, limit, found: Vec::new(), looked_at: 0, place: None, ends_early: false }
    }

    /// Looks at these by their numbers, the highest first, until there is a page or enough was looked at.
    pub(super) async fn through(
        &mut self,
        tx: &Tx<'_>,
        entries: impl IntoIterator<Item = EntryId>,
    ) -> Result<(), Error> {
        let entries: BTreeSet<EntryId> = entries.into_iter().collect();
        let entries: Vec<EntryId> = entries.into_iter().rev().collect();
        for some in entries.chunks(AT_ONCE) {
            for looked in self.look(tx, some).await? {
                if self.is_full() || self.looked_at >= Self::MOST {
                    self.ends_early = true;
                    return Ok(());
                }
                self.take(looked);
            }
        }
        Ok(())
    }

    fn take(&mut self, looked: Looked) {
        let (since, until) = span(self.filter);
        self.looked_at += 1;
        self.place = Some(looked.cursor);
        let is_within = (since..until).contains(&looked.cursor.received_at);
        if looked.has_text && is_within && looked.kind.is_wanted(self.filter) {
            self.found.push(looked.cursor);
        }
    }

    async fn look(&self, tx: &Tx<'_>, entries: &[EntryId]) -> Result<Vec<Looked>, Error> {
        let look = of_entries(Statement::of(LOOK), entries)
            .with(self.text.as_str().to_owned())
            .with(behind(self.text))
            .with(self.text.as_str().parse::<Uuid>().ok());
        tx.rows(look).await?.iter().map(looked).collect()
    }

    /// Whether there is a page.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= self.limit
    }

    /// The one that was looked at last.
    pub(super) fn place(&self) -> Option<Cursor> {
        self.place
    }

    /// Whether there may be more than was looked at.
    pub(super) fn ends_early(&mut self, there_are_more: bool) {
        self.ends_early |= there_are_more;
    }

    /// The page, and where it goes on.
    pub(super) fn into_found(self) -> (Vec<Cursor>, Option<Cursor>) {
        (self.found, self.place.filter(|_| self.ends_early))
    }
}

fn looked(row: &Row) -> Result<Looked, Error> {
    Ok(Looked {
        cursor: Cursor { received_at: get(row, "received_at")?, entry: columns::entry(row, "id")? },
        kind: Kind {
            state: get(row, "state")?,
            channel: get(row, "channel")?,
            reason: get(row, "reason")?,
            origin: get(row, "origin")?,
            confirmed: get(row, "confirmed")?,
        },
        has_text: get(row, "has_text")?,
    })
}

/// From when to when: the first inclusive, the second exclusive.
pub(super) fn span(filter: &Filter) -> (i64, i64) {
    let since = filter.since.map_or(i64::MIN, |since| since.as_millisecond());
    (since, filter.until.map_or(i64::MAX, |until| until.as_millisecond()))
}

/// What is behind the last text that begins with this one; the bytes of ids are ASCII.
pub(super) fn behind(text: &OrderId) -> String {
    format!("{text}\u{7f}")
}
