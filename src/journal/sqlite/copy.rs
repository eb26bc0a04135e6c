//! Reading a whole file for another store, as of one moment.

use super::lock::Lock;
use super::{OpenError, connect, schema, sound};
use crate::journal::copy::{Column, Head, NotCopied, Number, Page, Part, Table};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};
use std::path::Path;
use uuid::Uuid;

/// Rows of a page, and bytes of their largest columns, at most.
const ROWS: usize = 500;
const BYTES: usize = 4 * 1024 * 1024;

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Text,
    Bytes,
    Id,
    Flag,
    /// Numbers of entries, separated by blanks.
    Entries,
}

/// Reads the file and hands out its parts until one is not taken. No gate may have it meanwhile.
///
/// # Errors
/// If a gate has it, or it cannot be read.
pub(in crate::journal) fn read(
    path: &Path,
    number: Number,
    mut take: impl FnMut(Part) -> bool,
) -> std::result::Result<(), NotCopied> {
    if !path.exists() {
        return Err(OpenError::Absent(path.to_owned()).into());
    }
    let _lock = Lock::take(path)?;
    sound::before_opening(path)?;
    let connection = opened(path).map_err(|error| error.of_a_file(path))?;
    let unreadable = |error: Error| NotCopied::Unreadable { path: path.to_owned(), what: error.to_string() };
    let moment = connection.unchecked_transaction().map_err(unreadable)?;
    if !take(Part::Head(head(&connection).map_err(unreadable)?)) {
        return Ok(());
    }
    for table in Table::ALL {
        if !pages(&connection, table, number, &mut take).map_err(unreadable)? {
            return Ok(());
        }
    }
    moment.finish().map_err(unreadable)
}

fn opened(path: &Path) -> std::result::Result<Connection, OpenError> {
    let connection = connect(path, false)?;
    match schema::version(&connection, path)? {
        None => Err(OpenError::Absent(path.to_owned())),
        Some(schema::VERSION) => {
            connection.pragma_update(None, "query_only", true)?;
            Ok(connection)
        }
        Some(version) => Err(OpenError::Older { path: path.to_owned(), version, known: schema::VERSION }),
    }
}

fn head(connection: &Connection) -> Result<Head> {
    let mut head = connection.query_row(
        "SELECT made_at, latest_at, (SELECT entries FROM forgotten) AS forgotten FROM clock",
        [],
        |row| {
            let (made_at, latest_at) = (row.get("made_at")?, row.get("latest_at")?);
            Ok(Head { made_at, latest_at, forgotten: row.get("forgotten")?, steps: Vec::new() })
        },
    )?;
    // A clock that was set back is none of the database's.
    head.steps = connection
        .prepare("SELECT old_at, new_at FROM clock_step WHERE new_at > old_at")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    Ok(head)
}

/// The columns of a table behind those that its number is made of, which are `at`, `of` and `low`.
fn shape(table: Table) -> (&'static str, &'static [Kind]) {
    use Kind::{Bytes as B, Entries as E, Flag as F, Id as U, Integer as I, Text as T};
    match table {
        Table::Entries => (
            "SELECT received_at AS at, \"order\" AS of, id AS low, key, delivery, request_id, route, channel, \"order\",
                 out_trade_no, claimed_transaction_id, claimed_total_fee, claimed_fee_type, origin, created_at, received_at, state,
                 since, ifnull(reason, ''), due_at, rank, tries, asked_for, overrides, transaction_id, total_fee, fee_type, paid_at,
                 trade_state, verified_at, confirmed_at, expected_fee, expected_source, expected_at, bytes
             FROM entry ORDER BY id",
            &[
                B, U, U, T, T, T, T, T, I, T, T, I, I, T, I, T, I, I, I, F, I, T, I, T, I, T, I, I, I, T, I, I,
            ],
        ),
        Table::Deliveries => (
            "SELECT 0 AS at, \"order\" AS of, 0 AS low, id, \"order\", attempts, accepted_at, transaction_id, answer_status,
                 answer_headers, answer_body
             FROM delivery",
            &[U, T, I, I, T, I, B, B],
        ),
        Table::Requests => (
            "SELECT 0 AS at, entry.\"order\" AS of, 0 AS low, entry.\"order\", entry.key, peer, tls, method, target, headers, body,
                 inflated
             FROM request JOIN entry ON entry.id = request.entry ORDER BY request.entry",
            &[T, B, T, F, T, T, B, B, I],
        ),
        Table::Attempts => (
            "SELECT attempt.began_at AS at, entry.\"order\" AS of, ifnull(attempt.id, entry.id) AS low, entry.\"order\", entry.key,
                 attempt.attempt, attempt.origin, attempt.began_at, attempt.ended_at, attempt.status, attempt.accepted,
                 attempt.reason
             FROM attempt JOIN entry ON entry.id = attempt.entry",
            &[T, B, I, T, I, I, I, F, T],
        ),
        Table::Events => (
            "SELECT event.at AS at, entry.\"order\" AS of, event.id AS low, entry.\"order\", entry.key, event.at, event.what,
                 event.reason, event.request_id
             FROM event JOIN entry ON entry.id = event.entry ORDER BY event.id",
            &[T, B, I, T, T, U],
        ),
        Table::Refused => (
            "SELECT at, NULL AS of, id AS low, request_id, at, route, channel, \"order\", reason, detail FROM refused ORDER BY id",
            &[U, I, T, T, T, T, T],
        ),
        Table::Owners => (
            "SELECT 0 AS at, transaction_id AS of, 0 AS low, transaction_id, channel, out_trade_no, \"order\", bound_at
             FROM payment_owner",
            &[T, T, T, T, I],
        ),
        Table::Listed => (
            "SELECT 0 AS at, out_trade_no AS of, 0 AS low, channel, out_trade_no, source, \"order\", total_fee, listed_at, gone_at
             FROM listed",
            &[T, T, T, T, I, I, I],
        ),
        Table::Sources => (
            "SELECT 0 AS at, NULL AS of, 0 AS low, name, read_at, failed_at, failures, problem, orders, malformed FROM source",
            &[T, I, I, I, T, I, I],
        ),
        Table::Sweeps => (
            "SELECT asked_at AS at, NULL AS of, id AS low, id, mch_id, bill_date, channels, due_on, dry_run, asked_at, state, again_at,
                 began_at, ended_at, problem, rows, paid, refunds, others, malformed, not_ours, accepted, under_way, parked,
                 unknown, found
             FROM sweep ORDER BY id",
            &[I, T, T, T, T, F, I, T, I, I, I, T, I, I, I, I, I, I, I, I, I, I, I],
        ),
        Table::SweepRows => (
            "SELECT sweep.asked_at AS at, NULL AS of, sweep.id AS low, sweep.mch_id, line, what, channel, sweep_row.\"order\",
                 out_trade_no, transaction_id, total_fee, fee_type, refunded, CAST(entry AS TEXT), detail
             FROM sweep_row JOIN sweep ON sweep.id = sweep_row.sweep ORDER BY sweep, line",
            &[T, I, T, T, T, T, T, I, T, F, E, T],
        ),
        Table::Audit => (
            "SELECT at, NULL AS of, id AS low, at, who, came_from, action, channel, \"order\", entries, outcome, because FROM audit
             ORDER BY id",
            &[I, T, T, T, T, T, E, T, T],
        ),
        Table::Minutes => (
            "SELECT at, NULL AS of, 0 AS low, at, outcomes, verdicts, latencies FROM minute",
            &[I, T, T, T],
        ),
    }
}

/// Hands out a table page by page. Returns whether all were taken.
fn pages(connection: &Connection, table: Table, number: Number, take: &mut impl FnMut(Part) -> bool) -> Result<bool> {
    let (sql, kinds) = shape(table);
    let mut all = connection.prepare(sql)?;
    let mut rows = all.query([])?;
    let (mut page, mut bytes) = (Page::of(table, kinds), 0);
    while let Some(row) = rows.next()? {
        bytes += page.add(connection, row, kinds, number)?;
        if page.rows >= ROWS || bytes >= BYTES {
            if !take(Part::Page(std::mem::replace(&mut page, Page::of(table, kinds)))) {
                return Ok(false);
            }
            bytes = 0;
        }
    }
    Ok(page.rows == 0 || take(Part::Page(page)))
}

impl Page {
    fn of(table: Table, kinds: &[Kind]) -> Self {
        let numbers = [Column::Integers(Vec::new()), Column::Integers(Vec::new())];
        let columns = kinds.iter().map(|kind| match kind {
            Kind::Integer => Column::Integers(Vec::new()),
            Kind::Text | Kind::Entries => Column::Texts(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
            Kind::Id => Column::Ids(Vec::new()),
            Kind::Flag => Column::Flags(Vec::new()),
        });
        Self { table, rows: 0, columns: numbers.into_iter().chain(columns).collect() }
    }

    /// Adds a row, behind its bucket and its number. Returns how many bytes its largest columns have.
    fn add(&mut self, connection: &Connection, row: &Row<'_>, kinds: &[Kind], number: Number) -> Result<usize> {
        let of: Option<String> = row.get("of")?;
        let (bucket, id) = number(row.get("at")?, of.as_deref(), row.get("low")?);
        let mut bytes = 0;
        let (numbers, columns) = self.columns.split_at_mut(2);
        for (column, value) in numbers.iter_mut().zip([bucket, id]) {
            if let Column::Integers(all) = column {
                all.push(Some(value));
            }
        }
        for (place, (column, kind)) in columns.iter_mut().zip(kinds).enumerate() {
            let place = place + 3;
            match column {
                Column::Integers(all) => all.push(row.get(place)?),
                Column::Texts(all) if matches!(kind, Kind::Entries) => {
                    let text: Option<String> = row.get(place)?;
                    all.push(text.map(|text| entries(connection, &text, number)).transpose()?);
                }
                Column::Texts(all) => all.push(row.get(place)?),
                Column::Bytes(all) => {
                    let value: Option<Vec<u8>> = row.get(place)?;
                    bytes += value.as_ref().map_or(0, Vec::len);
                    all.push(value);
                }
                Column::Ids(all) => all.push(id_of(row, place)?),
                Column::Flags(all) => all.push(row.get(place)?),
            }
        }
        self.rows += 1;
        Ok(bytes)
    }
}

fn id_of(row: &Row<'_>, place: usize) -> Result<Option<Uuid>> {
    let text: Option<String> = row.get(place)?;
    let damaged = |_| {
        let message = FromSqlError::Other("it is no id".into());
        Error::FromSqlConversionFailure(place, Type::Text, Box::new(message))
    };
    text.map(|text| text.parse().map_err(damaged)).transpose()
}

/// The numbers of these entries, as they are in the other store. Of one that is not there any more the number stays.
fn entries(connection: &Connection, numbers: &str, number: Number) -> Result<String> {
    let mut known = connection.prepare_cached("SELECT received_at, \"order\" FROM entry WHERE id = ?1")?;
    let mut words = Vec::new();
    for word in numbers.split_whitespace() {
        let found = known.query_row([word], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).optional()?;
        let low: Option<i64> = word.parse().ok();
        words.push(match found.zip(low) {
            Some(((at, order), low)) => number(at, Some(&order), low).1.to_string(),
            None => word.to_owned(),
        });
    }
    Ok(words.join(" "))
}
