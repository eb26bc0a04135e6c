//! Lists in pages, in SQL.
//!
//! The index `entry_list` has the entries of each kind (state, channel, reason, origin, confirmed or not) by the time they were
//! received. There are few kinds (`kinds`); of each that a filter wants the latest is looked at, and a page is made of those
//! kinds whose latest are the latest of all. What has a text in it is found by the indices of ids, by its number.

use super::columns::{self, at_most, count, get};
use super::database::Tx;
use super::error::Error;
use super::find::entries;
use super::kinds::{KINDS, Kind, OF_KIND, kinds, of_kinds};
use super::read::{self, by_place, of_entries};
use super::statement::Statement;
use super::texts::{Look, behind, span};
use super::{Postgres, refusals};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::view::{Cursor, Filter, Page, RefusedFilter, Tally, Today, Views};
use crate::journal::{BoxFuture, EntryId, Origin, Record, Refused, Search, State};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

/// Entries whose numbers are sorted at most, to look at the highest.
const MOST_SORTED: usize = 50_000;

/// How many of the latest are tried before more is done to find those with a text.
const TRIED: usize = 300;

impl Views for Postgres {
    fn list(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> BoxFuture<'_, Page> {
        self.database.read(move |tx| Box::pin(list(tx, filter, after, limit)))
    }

    fn today(&self, since: Timestamp) -> BoxFuture<'_, Today> {
        self.database.read(move |tx| Box::pin(today(tx, since.as_millisecond())))
    }

    fn refusals(&self, filter: RefusedFilter, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<(i64, Refused)>> {
        self.database.read(move |tx| Box::pin(refusals::list(tx, filter, before, limit)))
    }
}

/// Of each kind the latest entry, then of the kinds with the latest ones as many as there may be, and of these the latest.
fn latest_text() -> String {
    let behind = "entry.received_at >= $6 AND (entry.received_at, entry.id) < ($7, $8)";
    format!(
        "WITH heads AS (
            SELECT kind.state, kind.channel, kind.reason, kind.origin, kind.confirmed, head.received_at, head.id
            FROM {KINDS} CROSS JOIN LATERAL (
                SELECT entry.received_at, entry.id FROM ~entry entry WHERE {OF_KIND} AND {behind}
                ORDER BY entry.received_at DESC, entry.id DESC LIMIT 1) head
            ORDER BY head.received_at DESC, head.id DESC LIMIT $9)
         SELECT latest.received_at, latest.id FROM heads AS kind CROSS JOIN LATERAL (
            SELECT entry.received_at, entry.id FROM ~entry entry WHERE {OF_KIND} AND {behind}
            ORDER BY entry.received_at DESC, entry.id DESC LIMIT $9) latest
         ORDER BY latest.received_at DESC, latest.id DESC LIMIT $9"
    )
}

/// The latest entries behind `after`, at most `most`, by everything but text.
async fn latest(
    tx: &Tx<'_>,
    kinds: &[Kind],
    filter: &Filter,
    after: Option<Cursor>,
    most: usize,
) -> Result<Vec<Cursor>, Error> {
    let (since, until) = span(filter);
    let behind = Cursor { received_at: until, entry: EntryId(i64::MIN) };
    let behind = after.map_or(behind, |after| after.min(behind));
    let statement = of_kinds(Statement::of(latest_text()), kinds.iter())
        .with(since)
        .with(behind.received_at)
        .with(behind.entry.0)
        .with(at_most(most));
    tx.rows(statement).await?.iter().map(cursor).collect()
}

fn cursor(row: &Row) -> Result<Cursor, Error> {
    Ok(Cursor { received_at: get(row, "received_at")?, entry: columns::entry(row, "id")? })
}

/// A page of entries.
pub(super) async fn list(tx: &Tx<'_>, filter: Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Error> {
    let (found, next) = match &filter.text {
        Some(text) => with_text(tx, &filter, text, after, limit).await?,
        None => {
            let kinds = kinds(tx, &filter).await?;
            let mut found = latest(tx, &kinds, &filter, after, limit.saturating_add(1)).await?;
            let more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().copied().filter(|_| more);
            (found, next)
        }
    };
    let found: Vec<EntryId> = found.into_iter().map(|cursor| cursor.entry).collect();
    Ok(Page { records: summaries(tx, &found).await?, next })
}

/// A page of those with a text, by their numbers, the highest first.
async fn with_text(
    tx: &Tx<'_>,
    filter: &Filter,
    text: &OrderId,
    after: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<Cursor>, Option<Cursor>), Error> {
    let before = after.map_or(EntryId(i64::MAX), |after| after.entry);
    let mut look = Look::of(filter, text, limit);
    let (few, all) = named(tx, text, EntryId(i64::MAX), "").await?;
    if all {
        look.through(tx, few.into_iter().filter(|entry| *entry < before)).await?;
    } else if let Some(few) = few_of_kinds(tx, filter).await? {
        look.through(tx, few.into_iter().filter(|entry| *entry < before)).await?;
    } else {
        // Most have it, or the latest do not.
        look.through(tx, newest(tx, before).await?).await?;
        if !look.is_full() {
            let before = look.place().map_or(before, |place| place.entry);
            let (some, all) = named(tx, text, before, "ORDER BY id DESC").await?;
            look.through(tx, some).await?;
            look.ends_early(!all);
        }
    }
    Ok(look.into_found())
}

/// The latest entries before one.
async fn newest(tx: &Tx<'_>, before: EntryId) -> Result<Vec<EntryId>, Error> {
    let newest = Statement::of("SELECT id FROM ~entry WHERE id < $1 ORDER BY id DESC LIMIT $2");
    numbers(tx, newest.with(before.0).with(at_most(TRIED))).await
}

async fn numbers(tx: &Tx<'_>, statement: Statement) -> Result<Vec<EntryId>, Error> {
    tx.rows(statement).await?.iter().map(|row| columns::entry(row, "id")).collect()
}

/// All entries that a filter wants, but for the text, unless these are too many.
async fn few_of_kinds(tx: &Tx<'_>, filter: &Filter) -> Result<Option<Vec<EntryId>>, Error> {
    let (since, until) = span(filter);
    let wanted = kinds(tx, filter).await?;
    let text = format!(
        "SELECT entry.id FROM {KINDS} JOIN ~entry entry ON {OF_KIND} AND entry.received_at >= $6 AND entry.received_at < $7
         LIMIT $8"
    );
    let few = of_kinds(Statement::of(text), wanted.iter()).with(since).with(until).with(at_most(MOST_SORTED + 1));
    Ok(Some(numbers(tx, few).await?).filter(|few| few.len() <= MOST_SORTED))
}

/// Some entries with numbers below `before` that have a text at the beginning of an id, in an order, and whether these
/// are all. Each is read from an index alone.
async fn named(tx: &Tx<'_>, text: &OrderId, before: EntryId, order: &str) -> Result<(Vec<EntryId>, bool), Error> {
    let most = Look::MOST;
    let of_column = |column: &str| {
        let sql = format!("SELECT id FROM ~entry WHERE {column} >= $1 AND {column} < $2 AND id < $3 {order} LIMIT $4");
        Statement::of(sql).with(text.as_str().to_owned()).with(behind(text)).with(before.0).with(at_most(most))
    };
    let (mut found, mut all) = (Vec::new(), true);
    for rows in tx.all(&["\"order\"", "out_trade_no", "transaction_id"].map(of_column)).await? {
        all &= rows.len() < most;
        found.extend(rows.iter().map(|row| columns::entry(row, "id")).collect::<Result<Vec<_>, _>>()?);
    }
    if let Ok(id) = text.as_str().parse::<Uuid>() {
        let search = Search { request_id: Some(id), ..Search::default() };
        let named = entries(tx, &search, most, "ORDER BY entry.id DESC").await?;
        found.extend(named.into_iter().filter(|entry| *entry < before));
    }
    Ok((found, all))
}

const FLAGGED: &str = "SELECT wanted.place, event.*
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~event event ON event.bucket = wanted.bucket AND event.entry = wanted.id AND event.what = 'flagged'
    ORDER BY wanted.place, event.id";

/// The latest attempt of each that is being delivered.
const LAST_ATTEMPT: &str = "SELECT wanted.place, attempt.*
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id AND entry.state = 'delivering'
    CROSS JOIN LATERAL (
        SELECT attempt.* FROM ~attempt attempt WHERE attempt.bucket = wanted.bucket AND attempt.entry = wanted.id
        ORDER BY attempt.attempt DESC, attempt.id DESC LIMIT 1) attempt
    ORDER BY wanted.place";

/// Entries as a list shows them.
async fn summaries(tx: &Tx<'_>, entries: &[EntryId]) -> Result<Vec<Record>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let of = |sql| of_entries(Statement::of(sql), entries);
    let answers = tx.all(&[read::heads(entries), of(FLAGGED), of(LAST_ATTEMPT)]).await?;
    let [heads, flagged, attempts] = &answers[..] else { return Err(Error::Away) };
    let mut records: Vec<Record> = heads.iter().map(read::head).collect::<Result<_, _>>()?;
    by_place(flagged, read::event, |place, event| {
        records.get_mut(place).into_iter().for_each(|record| record.events.push(event.clone()))
    })?;
    by_place(attempts, read::attempt, |place, attempt| {
        records.get_mut(place).into_iter().for_each(|record| record.attempt_log.push(attempt.clone()));
    })?;
    read::add_prices(tx, &mut records).await?;
    Ok(records)
}

async fn today(tx: &Tx<'_>, since: i64) -> Result<Today, Error> {
    tx.take_time().await?;
    let all = kinds(tx, &Filter::default()).await?;
    let text = format!(
        "SELECT kind.place, (SELECT count(*) FROM ~entry entry WHERE {OF_KIND} AND entry.received_at >= $6) AS n
         FROM {KINDS} ORDER BY kind.place"
    );
    let mut tallies = Vec::new();
    let counts = tx.slowly(of_kinds(Statement::of(text), all.iter()).with(since)).await?;
    for (kind, row) in all.iter().zip(&counts) {
        let entries = count(row, "n")?;
        if entries > 0 {
            tallies.push(tally(kind, entries)?);
        }
    }
    let refused = "SELECT reason, count(*) AS n FROM ~refused WHERE at >= $1 GROUP BY reason ORDER BY n DESC, reason";
    let mut known = Vec::new();
    for row in tx.slowly(Statement::of(refused).with(since)).await? {
        let n = count(&row, "n")?;
        known.extend(columns::reason(&row, "reason")?.map(|reason| (reason, n)));
    }
    Ok(Today { tallies, refused: known })
}

fn tally(kind: &Kind, entries: u64) -> Result<Tally, Error> {
    let Kind { state, channel, reason, origin, confirmed } = kind;
    Ok(Tally {
        state: State::from_name(state).ok_or(Error::Damaged("state"))?,
        channel: ChannelId::parse(channel).map_err(|_| Error::Damaged("channel"))?,
        reason: Reason::from_code(reason),
        origin: Origin::from_name(origin).ok_or(Error::Damaged("origin"))?,
        confirmed: *confirmed,
        entries,
    })
}
