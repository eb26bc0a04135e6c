//! What is written, in SQL. Everything here runs inside one transaction of the writer's.

use super::batch::Batch;
use super::budget::{Budget, Spent};
use super::columns::{self, number};
use super::content::{self, Content};
use super::leases::millis;
use super::op::Began;
use super::rank::BROUGHT;
use super::remove::remove;
use super::room::{is_short, make_room};
use super::{at_once, events, price, rank, read, redeliver, refused, renew};
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::journal::stored::{self, headers};
use crate::journal::{
    Acceptance, Attempt, Callback, EntryId, JournalError, JournalEvent, Outcome, Rank, State, Taken, Transition, Trust,
    Verified,
};
use rusqlite::{Connection, OptionalExtension, Result, named_params, params};
use std::time::Duration;

/// How many attempts of one entry have a line each; beyond, they are counted.
const ATTEMPTS_KEPT: i64 = 200;

/// Finds out whether the disk takes writes.
pub(super) fn probe(connection: &Connection, at: i64) -> Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO probe (id, at) VALUES (1, ?1)")?.execute([at]).map(drop)
}

/// Whether there is an entry of this order.
pub(super) fn is_known(connection: &Connection, order: &OrderId) -> Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM entry WHERE \"order\" = ?1)")?
        .query_row([order.as_str()], |row| row.get(0))
}

/// Takes a callback in, or finds the entry it already has, which is looked for only if its order
/// [is known](is_known): most orders are new. `None` if that has to wait for what is held, which may be said of that
/// entry, or of one that would give way.
pub(super) fn take_in(
    batch: &Batch<'_>,
    callback: &Callback,
    holds_any: bool,
    (trust, due_in): (Trust, Duration),
    at: i64,
    budget: &mut Budget,
) -> Result<Option<std::result::Result<Taken, JournalError>>> {
    let is_known = is_known(batch, &callback.claimed.order)?;
    if is_known && holds_any {
        return Ok(None);
    }
    let key = callback.key();
    // Looked for first: what is known must not cost a write, as even an insert that does nothing would.
    if let Some(taken) = known(batch, callback, key.0, is_known)? {
        if taken.state != State::Closed {
            return Ok(Some(Ok(taken)));
        }
        // It begins anew, with what this callback brings.
        budget.give_back(remove(batch, taken.entry)?);
    }
    let content = callback.request.as_ref().map(Content::of);
    let bytes = content.as_ref().map_or(0, Content::bytes);
    if holds_any && is_short(*budget, bytes, trust) {
        // What would give way may be confirmed by then.
        return Ok(None);
    }
    if !make_room(batch, budget, bytes, trust)? {
        return Ok(Some(Err(JournalError::Full)));
    }
    if is_known {
        at_once::unfold_order(batch, &callback.claimed.order)?;
    }
    let delivery = callback.delivery().to_string();
    let rank = if trust == Trust::Unconfirmed { Rank::Strange } else { Rank::Likely };
    let due_at = at.saturating_add(millis(due_in));
    let entry = insert(batch, key.0, &delivery, callback, (rank, content.as_ref()), at, due_at)?;
    budget.spend(bytes);
    let (attempts, accepted) = if is_known { read::delivered(batch, &delivery)? } else { (0, None) };
    let paid_by = if is_known { read::paid_by(batch, &callback.claimed.order)? } else { Vec::new() };
    Ok(Some(Ok(Taken {
        entry,
        fresh: true,
        state: State::Asking,
        attempts,
        accepted,
        paid_by,
        price: None,
        listed: None,
    })))
}

/// Takes in an order that was found without a callback, or finds the entry it has. One that was given up without ever
/// being confirmed is asked about `anew`, if that is wanted.
pub(super) fn take_in_found(
    batch: &Batch<'_>,
    callback: &Callback,
    at: i64,
    due_at: i64,
    anew: bool,
) -> Result<EntryId> {
    let key = callback.key();
    let known: Option<i64> = batch
        .prepare_cached("SELECT id FROM entry WHERE \"order\" = ?1 AND key = ?2")?
        .query_row(params![callback.claimed.order.as_str(), key.0], |row| row.get(0))
        .optional()?;
    let Some(known) = known else {
        at_once::unfold_order(batch, &callback.claimed.order)?;
        let (delivery, content) = (callback.delivery().to_string(), callback.request.as_ref().map(Content::of));
        return insert(batch, key.0, &delivery, callback, (Rank::Likely, content.as_ref()), at, due_at);
    };
    if anew {
        let mut ask = batch.prepare_cached(
            "UPDATE entry SET state = 'asking', since = ?2, due_at = ?3, tries = 0
             WHERE id = ?1 AND transaction_id IS NULL AND due_at IS NULL",
        )?;
        batch.change(EntryId(known), || ask.execute([known, at, due_at]))?;
    }
    Ok(EntryId(known))
}

fn known(connection: &Connection, callback: &Callback, key: [u8; 16], is_known: bool) -> Result<Option<Taken>> {
    if !is_known {
        return Ok(None);
    }
    let found = connection
        .prepare_cached("SELECT id, state, delivery, expected_fee, transaction_id, first_status FROM entry WHERE \"order\" = ?1 AND key = ?2")?
        .query_row(params![callback.claimed.order.as_str(), key], |row| {
            let delivery: String = row.get("delivery")?;
            let at_once = at_once::acceptance(row)?;
            Ok((EntryId(row.get("id")?), columns::state(row)?, delivery, columns::expected(row)?, at_once))
        })
        .optional()?;
    let Some((entry, state, delivery, price, at_once)) = found else { return Ok(None) };
    let (attempts, accepted) = if at_once.is_some() { (1, at_once) } else { read::delivered(connection, &delivery)? };
    let paid_by = read::paid_by(connection, &callback.claimed.order)?;
    Ok(Some(Taken { entry, fresh: false, state, attempts, accepted, paid_by, price, listed: None }))
}

fn insert(
    connection: &Connection,
    key: [u8; 16],
    delivery: &str,
    callback: &Callback,
    (rank, content): (Rank, Option<&Content<'_>>),
    at: i64,
    due_at: i64,
) -> Result<EntryId> {
    let Callback { request_id, route, origin, claimed, created_at, request: _ } = callback;
    connection
        .prepare_cached(
            "INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no,
                 claimed_transaction_id, claimed_total_fee, claimed_fee_type, received_at, state, since, due_at,
                 origin, created_at, rank, bytes)
             VALUES (:key, :delivery, :request_id, :route, :channel, :order, :out_trade_no,
                 :transaction_id, :total_fee, :fee_type, :at, 'asking', :at, :due_at, :origin, :created_at, :rank, :bytes)",
        )?
        .execute(named_params! {
            ":key": key,
            ":delivery": delivery,
            ":request_id": request_id.to_string(),
            ":route": route,
            ":channel": claimed.channel.as_str(),
            ":order": claimed.order.as_str(),
            ":out_trade_no": claimed.out_trade_no.as_str(),
            ":transaction_id": claimed.transaction_id.as_ref().map(|id| id.as_str()),
            ":total_fee": claimed.amount.map(|amount| number(amount.fen.0)),
            ":fee_type": claimed.amount.as_ref().map(|amount| amount.currency.as_str()),
            ":at": at,
            ":due_at": due_at,
            ":origin": origin.as_str(),
            ":created_at": created_at.map(|at| at.as_millisecond()),
            ":rank": rank as u8,
            ":bytes": content.map_or(0, |content| number(content.bytes())),
        })?;
    let entry = EntryId(connection.last_insert_rowid());
    if let Some(content) = content {
        content.insert(connection, entry)?;
    }
    Ok(entry)
}

/// Writes an attempt whose beginning was held until its end, each with its time.
pub(super) fn attempted(
    batch: &Batch<'_>,
    began: &Began,
    event: &JournalEvent,
    (began_at, at): (i64, i64),
    budget: &mut Budget,
) -> Result<()> {
    if at_once::accept(batch, began, event, (began_at, at), budget)? {
        return Ok(());
    }
    append(batch, &began.event, began_at, budget)?;
    append(batch, event, at, budget)
}

/// Writes an event that was appended at `at`.
pub(super) fn append(batch: &Batch<'_>, event: &JournalEvent, at: i64, budget: &mut Budget) -> Result<()> {
    match event {
        JournalEvent::Decided { entry, reason, verified, next } => {
            found(batch, *entry, *reason, at)?;
            rank::told(batch, *entry, *reason)?;
            if *reason == Reason::ExpectedAmountDiffers {
                price::keep(batch, *entry)?;
            }
            if verified.is_some() {
                at_once::unfold(batch, *entry)?;
            }
            verify(batch, *entry, verified.as_ref(), Some(*reason), at, budget)?;
            go_on(batch, *entry, *next, at)
        }
        JournalEvent::Made { entry, request } => {
            let content = Content::of(request);
            if let Some((before, true)) = content::replace(batch, *entry, &content)? {
                budget.replaced(before, content.bytes());
            }
            Ok(())
        }
        JournalEvent::Renewed { entry, request, again_in } => {
            renew::renew(batch, *entry, request, *again_in, at, budget)
        }
        JournalEvent::Refunded { channel, transaction_id, .. } => {
            refund(batch, channel.as_str(), transaction_id.as_str(), at)
        }
        JournalEvent::Flagged { entry, reason } => events::flag(batch, *entry, *reason, at),
        JournalEvent::AttemptStarted { attempt, verified, next } => {
            at_once::unfold(batch, attempt.entry)?;
            verify(batch, attempt.entry, verified.as_ref(), None, at, budget)?;
            begin(batch, attempt, at)?;
            go_on(batch, attempt.entry, *next, at)
        }
        JournalEvent::AttemptEnded { attempt, outcome, next } => {
            at_once::unfold(batch, attempt.entry)?;
            end(batch, attempt, outcome, at)?;
            if matches!(outcome, Outcome::Accepted(_)) {
                redeliver::settle(batch, attempt.entry, at)?;
            }
            go_on(batch, attempt.entry, *next, at)
        }
        JournalEvent::Counted { entry, delivery, attempts } => {
            at_once::unfold(batch, *entry)?;
            count(batch, *entry, &delivery.to_string(), *attempts)
        }
        JournalEvent::Again { entry, request_id, reason } => {
            events::add(batch, *entry, at, "again", Some(*reason), Some(&request_id.to_string()))
        }
        JournalEvent::Refused(refused) => refused::keep(batch, refused, at),
    }
}

/// What an operator parked, which only an operator leads on, unless the upstream accepts it all the same.
const HELD: &str = "(state = 'parked' AND ifnull(reason, '') = 'parked-by-operator')";

/// Why an entry goes on as it does; a line if that is news.
fn found(connection: &Connection, entry: EntryId, reason: Reason, at: i64) -> Result<()> {
    let changed = connection
        .prepare_cached(&format!(
            "UPDATE entry SET reason = ?2 WHERE id = ?1 AND reason IS NOT ?2 AND state <> 'accepted' AND NOT {HELD}"
        ))?
        .execute(params![entry.0, reason.code()])?;
    if changed > 0 { events::add(connection, entry, at, "found", Some(reason), None) } else { Ok(()) }
}

/// A payment was refunded; where its entries go on stays as it is.
fn refund(connection: &Connection, channel: &str, transaction_id: &str, at: i64) -> Result<()> {
    let entries = connection
        .prepare_cached(
            "UPDATE entry SET trade_state = 'REFUND', verified_at = ?3
             WHERE channel = ?1 AND transaction_id = ?2 AND trade_state <> 'REFUND' RETURNING id",
        )?
        .query_map(params![channel, transaction_id, at], |row| row.get(0).map(EntryId))?
        .collect::<Result<Vec<_>>>()?;
    entries.into_iter().try_for_each(|entry| events::add(connection, entry, at, "found", Some(Reason::Refunded), None))
}

fn verify(
    batch: &Batch<'_>,
    entry: EntryId,
    verified: Option<&Verified>,
    reason: Option<Reason>,
    at: i64,
    budget: &mut Budget,
) -> Result<()> {
    let Some(Verified { transaction_id, amount, paid_at, refunded }) = verified else { return Ok(()) };
    let reason = reason.unwrap_or(if *refunded { Reason::Refunded } else { Reason::Paid });
    let values = params![
        entry.0,
        transaction_id.as_str(),
        number(amount.fen.0),
        amount.currency.as_str(),
        paid_at.map(|at| at.as_millisecond()),
        stored::trade_state(*refunded),
        at,
        reason.code(),
    ];
    let unconfirmed = batch
        .prepare_cached("SELECT bytes FROM entry WHERE id = ?1 AND transaction_id IS NULL AND origin = 'callback'")?
        .query_row([entry.0], |row| columns::count(row, "bytes"))
        .optional()?;
    let mut verify = batch.prepare_cached(VERIFY)?;
    batch.change(entry, || verify.execute(values))?;
    if let Some(bytes) = unconfirmed {
        budget.give_back(Spent { records: 1, bytes });
    }
    price::renew(batch, entry)
}

const VERIFY: &str =
    "UPDATE entry SET transaction_id = ?2, total_fee = ?3, fee_type = ?4, paid_at = ?5, trade_state = ?6,
        verified_at = ?7, confirmed_at = ifnull(confirmed_at, ?7),
        reason = CASE WHEN state = 'accepted' OR (state = 'parked' AND reason = 'parked-by-operator') THEN reason ELSE ?8 END
    WHERE id = ?1";

/// Leads an entry on. What was accepted stays so, unless an operator asked for it.
fn go_on(batch: &Batch<'_>, entry: EntryId, next: Option<Transition>, at: i64) -> Result<()> {
    let Some(next) = next else { return Ok(()) };
    let (due_at, retries) = match next.due() {
        Some((again_in, retries)) => (Some(at.saturating_add(millis(again_in))), retries),
        None => (None, 0),
    };
    let state = next.state();
    // What is being delivered meanwhile is not closed by a worker that was slower.
    let from = match state {
        State::Closed => "state = 'asking'".to_owned(),
        State::Accepted => "state <> 'accepted'".to_owned(),
        State::Asking | State::Delivering | State::Parked => format!("state <> 'accepted' AND NOT {HELD}"),
    };
    let mut lead = batch.prepare_cached(&format!(
        "UPDATE entry SET
             since = CASE WHEN state = ?2 THEN since ELSE ?3 END,
             state = ?2, due_at = ?4, tries = ?5, asked_for = asked_for AND ?4 NOT NULL,
             overrides = CASE WHEN ?4 IS NULL THEN 0 ELSE overrides END,
             rank = CASE WHEN rank >= {BROUGHT} AND (?2 <> 'delivering' OR tries <> ?5) THEN 0 ELSE rank END,
             reason = CASE WHEN ?2 = 'accepted' AND {HELD} THEN 'paid' ELSE reason END
         WHERE id = ?1 AND {from}"
    ))?;
    batch.change(entry, || lead.execute(params![entry.0, state.as_str(), at, due_at, retries])).map(drop)
}

fn begin(connection: &Connection, attempt: &Attempt, at: i64) -> Result<()> {
    let delivery = attempt.delivery.to_string();
    count(connection, attempt.entry, &delivery, attempt.number)?;
    connection
        .prepare_cached(
            "INSERT INTO attempt_row (entry, attempt, origin, began_at) SELECT id, ?2, ?3, ?4 FROM entry
             WHERE id = ?1 AND (SELECT count(*) FROM attempt_row WHERE attempt_row.entry = ?1) < ?5",
        )?
        .execute(params![attempt.entry.0, number(attempt.number), attempt.origin.as_str(), at, ATTEMPTS_KEPT])?;
    Ok(())
}

fn count(connection: &Connection, entry: EntryId, delivery: &str, attempts: u64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO delivery_row (id, \"order\", attempts) SELECT ?1, \"order\", ?2 FROM entry WHERE entry.id = ?3
             ON CONFLICT (id) DO UPDATE SET attempts = max(attempts, excluded.attempts)",
        )?
        .execute(params![delivery, number(attempts), entry.0])?;
    Ok(())
}

fn end(connection: &Connection, attempt: &Attempt, outcome: &Outcome, at: i64) -> Result<()> {
    let delivery = attempt.delivery.to_string();
    let (status, accepted, reason) = match outcome {
        Outcome::Accepted(acceptance) => (Some(acceptance.status.as_u16()), true, None),
        Outcome::Answered(status) => (Some(status.as_u16()), false, None),
        Outcome::Failed(reason) => (None, false, Some(reason.code())),
    };
    connection
        .prepare_cached(
            "UPDATE attempt_row SET ended_at = ?3, status = ?4, accepted = ?5, reason = ?6
             WHERE entry = ?1 AND attempt = ?2 AND ended_at IS NULL",
        )?
        .execute(params![attempt.entry.0, number(attempt.number), at, status, accepted, reason])?;
    if let Outcome::Accepted(acceptance) = outcome {
        accept(connection, &delivery, acceptance, at)?;
    }
    if matches!(outcome, Outcome::Failed(Reason::UpstreamUnreachable)) {
        // The upstream saw nothing, so the next one it sees has this number.
        connection
            .prepare_cached("UPDATE delivery_row SET attempts = attempts - 1 WHERE id = ?1 AND attempts = ?2")?
            .execute(params![delivery, number(attempt.number)])?;
    }
    Ok(())
}

/// The first acceptance is the one that counts.
fn accept(connection: &Connection, delivery: &str, acceptance: &Acceptance, at: i64) -> Result<()> {
    let kept = acceptance.body.as_ref();
    connection
        .prepare_cached(
            "UPDATE delivery_row SET accepted_at = ?2, transaction_id = ?3, answer_status = ?4, answer_headers = ?5,
                 answer_body = ?6
             WHERE id = ?1 AND accepted_at IS NULL",
        )?
        .execute(params![
            delivery,
            at,
            acceptance.transaction_id.as_ref().map(|id| id.as_str()),
            acceptance.status.as_u16(),
            kept.map(|_| headers::write_headers(&acceptance.headers)),
            kept.map(|body| body.as_ref()),
        ])?;
    Ok(())
}
