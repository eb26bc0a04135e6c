//! Finding callbacks, in SQL. Where one is looked for by an id, its number is found in the indices of ids first, so that no
//! order or limit makes the database walk through all others.

use super::columns::{at_most, entry, millis};
use super::database::Tx;
use super::error::Error;
use super::numbers::{self, Bucket};
use super::read::{self, by_place, of_entries};
use super::statement::{Statement, Typed, Value};
use crate::domain::order::OrderId;
use crate::journal::{EntryId, Record, Search};
use uuid::Uuid;

/// The version of the UUIDs that deliveries have.
const DELIVERY_ID: usize = 8;

/// How much later or earlier than it was received an entry may have been numbered, in milliseconds.
const NUMBERED_WITHIN: i64 = 3_600_000;

/// What is looked for, as it grows: where, the conditions, and their values.
#[derive(Default)]
pub(super) struct Question {
    /// Numbers of entries among which it is.
    among: Vec<String>,
    conditions: String,
    values: Vec<Value>,
}

impl Question {
    /// A value, and how it is named in the text.
    fn value<T: Typed>(&mut self, value: T) -> String {
        self.values.push((Box::new(value), T::TYPE));
        format!("${}", self.values.len())
    }

    /// Adds a condition with one value, `?`.
    pub(super) fn must<T: Typed>(&mut self, condition: &str, value: T) {
        let place = self.value(value);
        self.conditions.push_str(" AND ");
        self.conditions.push_str(&condition.replace('?', &place));
    }

    /// What a search looks for.
    fn of(search: &Search, now: i64) -> Self {
        let mut question = Self::default();
        if let Some(order) = &search.order {
            question.among_named(order);
        }
        if let Some(order) = &search.order_id {
            question.must("entry.bucket = ?", Bucket::of(order.as_str()).column());
            question.must("entry.\"order\" = ?", order.as_str().to_owned());
        }
        if let Some(channel) = &search.channel {
            question.must("entry.channel = ?", channel.as_str().to_owned());
        }
        if let Some(id) = search.request_id {
            question.among_asked(id);
        }
        if let Some(within) = search.received_within {
            let since = now.saturating_sub(millis(within));
            question.must("entry.received_at >= ?", since);
            let first = since.saturating_sub(NUMBERED_WITHIN);
            question.must("entry.id >= ?", numbers::number(first, Bucket(0), 0));
        }
        if let Some(state) = search.state {
            question.must("entry.state = ?", state.as_str());
        }
        if let Some(after) = search.after {
            question.must("entry.id > ?", after.0);
        }
        if let Some(entry) = search.entry {
            question.must("entry.bucket = ?", Bucket::of_entry(entry).column());
            question.must("entry.id = ?", entry.0);
        }
        question
    }

    /// Those with this order id, number or transaction id.
    fn among_named(&mut self, order: &OrderId) {
        let bucket = self.value(Bucket::of(order.as_str()).column());
        let order = self.value(order.as_str().to_owned());
        self.among.push(format!(
            "SELECT id FROM ~entry WHERE bucket = {bucket} AND \"order\" = {order}
             UNION SELECT id FROM ~entry WHERE transaction_id = {order}
             UNION SELECT id FROM ~entry WHERE out_trade_no = {order}"
        ));
    }

    /// Those with this id, which may be a request's, which its sender chose, or a delivery's.
    fn among_asked(&mut self, id: Uuid) {
        let place = self.value(id);
        let mut among = format!(
            "SELECT id FROM ~entry WHERE request_id = {place} UNION SELECT entry FROM ~event WHERE request_id = {place}"
        );
        if id.get_version_num() == DELIVERY_ID {
            among.push_str(&format!(" UNION SELECT id FROM ~entry WHERE delivery = {place}"));
        }
        self.among.push(among);
    }

    /// The numbers of what is looked for; `more` are further conditions and the order.
    fn into_statement(mut self, more: &str, limit: usize) -> Statement {
        let limit = self.value(at_most(limit));
        let mut text = String::from("SELECT entry.id FROM ~entry entry");
        for (place, among) in self.among.iter().enumerate() {
            text.push_str(&format!(" JOIN ({among}) AS among{place} (id) ON among{place}.id = entry.id"));
        }
        text.push_str(&format!(" WHERE true{} {more} LIMIT {limit}", self.conditions));
        let mut statement = Statement::of(text);
        statement.values = self.values;
        statement
    }
}

/// The database's time, in milliseconds since 1970.
pub(super) async fn now(tx: &Tx<'_>) -> Result<i64, Error> {
    let row = tx.first(Statement::of("SELECT @now AS now")).await?;
    row.map_or(Err(Error::Damaged("now")), |row| super::columns::get(&row, "now"))
}

/// The numbers of entries that match; `more` are further conditions and the order.
pub(super) async fn entries(tx: &Tx<'_>, search: &Search, limit: usize, more: &str) -> Result<Vec<EntryId>, Error> {
    let now = if search.received_within.is_some() { now(tx).await? } else { 0 };
    let rows = tx.rows(Question::of(search, now).into_statement(more, limit)).await?;
    rows.iter().map(|row| entry(row, "id")).collect()
}

/// Everything about the callbacks that match: the latest first, or with `after` the oldest.
pub(super) async fn find(tx: &Tx<'_>, search: &Search, limit: usize) -> Result<Vec<Record>, Error> {
    let order = if search.after.is_some() { "ORDER BY entry.id" } else { "ORDER BY entry.id DESC" };
    let found = entries(tx, search, limit, order).await?;
    records(tx, &found).await
}

const EVENTS: &str = "SELECT wanted.place, event.*
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~event event ON event.bucket = wanted.bucket AND event.entry = wanted.id
    ORDER BY wanted.place, event.id";

/// Those of the delivery, whichever entry was sent.
const ATTEMPTS: &str = "SELECT wanted.place, attempt.*
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id
    JOIN ~entry other ON other.bucket = entry.bucket AND other.\"order\" = entry.\"order\" AND other.delivery = entry.delivery
    JOIN ~attempt attempt ON attempt.bucket = other.bucket AND attempt.entry = other.id
    ORDER BY wanted.place, attempt.id";

/// Everything about these entries.
async fn records(tx: &Tx<'_>, entries: &[EntryId]) -> Result<Vec<Record>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let of = |sql| of_entries(Statement::of(sql), entries);
    let answers = tx.all(&[read::heads(entries), of(EVENTS), of(ATTEMPTS)]).await?;
    let [heads, events, attempts] = &answers[..] else { return Err(Error::Away) };
    let mut records: Vec<Record> = heads.iter().map(read::head).collect::<Result<_, _>>()?;
    by_place(events, read::event, |place, event| {
        records.get_mut(place).into_iter().for_each(|record| record.events.push(event.clone()));
    })?;
    by_place(attempts, read::attempt, |place, attempt| {
        records.get_mut(place).into_iter().for_each(|record| record.attempt_log.push(attempt.clone()));
    })?;
    read::add_prices(tx, &mut records).await?;
    Ok(records)
}
