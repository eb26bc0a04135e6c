//! A callback that the upstream accepted at once, in SQL: the one attempt of a delivery of which there is one entry. By
//! far the most are, so what there is to say of such a one stands in its entry (`first_began_at`, `first_ended_at`,
//! `first_status`), and not in a row of `delivery_row` and one of `attempt_row`. Before anything else is said of the
//! delivery it is moved there ([`unfold`]).

use super::batch::{Batch, Kind};
use super::budget::{Budget, Spent};
use super::columns::{self, number};
use super::op::Began;
use super::rank::BROUGHT;
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::journal::stored;
use crate::journal::{
    Acceptance, Attempt, AttemptRecord, EntryId, JournalEvent, Origin, Outcome, State, Transition, Verified,
};
use hyper::{HeaderMap, StatusCode};
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};

/// An entry that was taken in, and of which nothing else was said so far; it is the only one of its order.
const FRESH: &str = "SELECT channel, origin, bytes FROM entry
    WHERE id = ?1 AND delivery = ?2 AND state = 'asking' AND origin = 'callback' AND transaction_id IS NULL
        AND asked_for = 0 AND overrides = 0 AND expected_fee IS NULL AND rank < ?3 AND bytes > 0
        AND NOT EXISTS (SELECT 1 FROM delivery_row WHERE delivery_row.id = ?2)
        AND NOT EXISTS (SELECT 1 FROM entry AS other WHERE other.\"order\" = entry.\"order\" AND other.id <> ?1)";

const ACCEPT: &str =
    "UPDATE entry SET state = 'accepted', since = :ended_at, due_at = NULL, tries = 0, reason = :reason,
        transaction_id = :transaction_id, total_fee = :total_fee, fee_type = :fee_type, paid_at = :paid_at,
        trade_state = :trade_state, verified_at = :began_at, confirmed_at = ifnull(confirmed_at, :began_at),
        first_began_at = :began_at, first_ended_at = :ended_at, first_status = :status
    WHERE id = :entry";

/// Writes an attempt and its end, of a fresh entry that was accepted at once. `false` if it is not that simple; then
/// nothing was written.
pub(super) fn accept(
    batch: &Batch<'_>,
    began: &Began,
    event: &JournalEvent,
    (began_at, ended_at): (i64, i64),
    budget: &mut Budget,
) -> Result<bool> {
    let Some((attempt, payment, status)) = simple(began, event) else { return Ok(false) };
    let Verified { transaction_id, amount, paid_at, refunded } = payment;
    let fresh = batch
        .prepare_cached(FRESH)?
        .query_row(params![attempt.entry.0, attempt.delivery.to_string(), BROUGHT], |row| {
            let state = State::Accepted.as_str().to_owned();
            let kind = Kind { state, channel: row.get("channel")?, origin: row.get("origin")?, confirmed: true };
            Ok((kind, columns::count(row, "bytes")?))
        })
        .optional()?;
    let Some((kind, bytes)) = fresh else { return Ok(false) };
    let reason = if *refunded { Reason::Refunded } else { Reason::Paid };
    batch.prepare_cached(ACCEPT)?.execute(named_params! {
        ":entry": attempt.entry.0,
        ":began_at": began_at,
        ":ended_at": ended_at,
        ":status": status.as_u16(),
        ":reason": reason.code(),
        ":transaction_id": transaction_id.as_str(),
        ":total_fee": number(amount.fen.0),
        ":fee_type": amount.currency.as_str(),
        ":paid_at": paid_at.map(|at| at.as_millisecond()),
        ":trade_state": stored::trade_state(*refunded),
    })?;
    batch.done_with(kind);
    budget.give_back(Spent { records: 1, bytes });
    Ok(true)
}

/// The first attempt of a delivery whose answer is its status alone, and the payment that was delivered.
fn simple<'e>(began: &'e Began, event: &'e JournalEvent) -> Option<(&'e Attempt, &'e Verified, StatusCode)> {
    let JournalEvent::AttemptStarted { verified: Some(verified), .. } = &began.event else { return None };
    let JournalEvent::AttemptEnded {
        attempt,
        outcome: Outcome::Accepted(acceptance),
        next: Some(Transition::Accepted),
    } = event
    else {
        return None;
    };
    let Acceptance { transaction_id, status, headers, body } = acceptance;
    let is_plain = body.is_none() && headers.is_empty() && *transaction_id == Some(verified.transaction_id);
    let is_first = attempt.number == 1 && attempt.origin == Origin::Callback;
    (is_plain && is_first).then_some((attempt, verified, *status))
}

/// Moves what stands in an entry into rows.
pub(super) fn unfold(connection: &Connection, entry: EntryId) -> Result<()> {
    let is_folded: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE id = ?1 AND first_began_at IS NOT NULL)")?
        .query_row([entry.0], |row| row.get(0))?;
    if !is_folded {
        return Ok(());
    }
    for sql in [
        "INSERT INTO delivery_row (id, \"order\", attempts, accepted_at, transaction_id, answer_status)
         SELECT delivery, \"order\", 1, first_ended_at, transaction_id, first_status FROM entry WHERE id = ?1",
        "INSERT INTO attempt_row (entry, attempt, origin, began_at, ended_at, status, accepted)
         SELECT id, 1, 'callback', first_began_at, first_ended_at, first_status, 1 FROM entry WHERE id = ?1",
        "UPDATE entry SET first_began_at = NULL, first_ended_at = NULL, first_status = NULL WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([entry.0])?;
    }
    Ok(())
}

/// Moves what stands in the only entry of an order into rows, since it is to get another one.
pub(super) fn unfold_order(connection: &Connection, order: &OrderId) -> Result<()> {
    let folded = connection
        .prepare_cached("SELECT id FROM (SELECT id, first_began_at FROM entry WHERE \"order\" = ?1 LIMIT 1) WHERE first_began_at IS NOT NULL")?
        .query_row([order.as_str()], |row| row.get(0).map(EntryId))
        .optional()?;
    folded.map_or(Ok(()), |entry| unfold(connection, entry))
}

/// The acceptance that stands in an entry.
pub(super) fn acceptance(entry: &Row<'_>) -> Result<Option<Acceptance>> {
    let Some(status) = entry.get::<_, Option<u16>>("first_status")? else { return Ok(None) };
    Ok(Some(Acceptance {
        transaction_id: columns::optional(entry, "transaction_id")?,
        status: StatusCode::from_u16(status).map_err(|_| columns::damaged("first_status"))?,
        headers: HeaderMap::new(),
        body: None,
    }))
}

/// The acceptance of a delivery that stands in its entry. All that stand in entries are looked through.
pub(super) fn acceptance_of(connection: &Connection, delivery: &str) -> Result<Option<Acceptance>> {
    connection
        .prepare_cached(
            "SELECT transaction_id, first_status FROM entry INDEXED BY entry_first
             WHERE first_began_at IS NOT NULL AND delivery = ?1",
        )?
        .query_row([delivery], acceptance)
        .optional()
        .map(Option::flatten)
}

/// The attempt that stands in an entry.
pub(super) fn attempt(connection: &Connection, entry: EntryId) -> Result<Option<AttemptRecord>> {
    connection
        .prepare_cached(
            "SELECT first_began_at, first_ended_at, first_status FROM entry WHERE id = ?1 AND first_began_at IS NOT NULL",
        )?
        .query_row([entry.0], |row| {
            Ok(AttemptRecord {
                attempt: 1,
                origin: Origin::Callback,
                began_at: columns::time(row, "first_began_at")?,
                ended_at: columns::optional_time(row, "first_ended_at")?,
                status: row.get("first_status")?,
                accepted: true,
                reason: None,
                replica: None,
            })
        })
        .optional()
}

#[cfg(test)]
mod tests;
