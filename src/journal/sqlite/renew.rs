//! A callback that came once more under a fresh signature, in place of the one that is kept.

use super::budget::Budget;
use super::content::{self, Content};
use super::leases::millis;
use super::rank::BROUGHT;
use super::{columns, events};
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::journal::{EntryId, Request, State};
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::time::Duration;

/// Gives an entry that is not done with this request, and lets what is being delivered begin its schedule anew.
pub(super) fn renew(
    connection: &Connection,
    entry: EntryId,
    request: &Request,
    again_in: Option<Duration>,
    at: i64,
    budget: &mut Budget,
) -> Result<()> {
    let known = connection
        .prepare_cached("SELECT state, reason FROM entry WHERE id = ?1")?
        .query_row([entry.0], |row| Ok((columns::state(row)?, columns::reason(row, "reason")?)))
        .optional()?;
    let Some((state, reason)) = known else { return Ok(()) };
    if matches!(state, State::Accepted | State::Closed) {
        return Ok(());
    }
    let content = Content::of(request);
    if let Some((before, true)) = content::replace(connection, entry, &content)? {
        budget.replaced(before, content.bytes());
    }
    let Some(again_in) = again_in.filter(|_| state == State::Delivering) else { return Ok(()) };
    begin_anew(connection, entry, at.saturating_add(millis(again_in)), at)?;
    if reason == Some(Reason::WindowOver) { waits_no_more(connection, entry, at) } else { Ok(()) }
}

/// Makes due what waits and came on one of these routes. Returns how many entries that are.
pub(super) fn end_waiting(
    connection: &Connection,
    channels: &[ChannelId],
    routes: &[String],
    limit: usize,
    at: i64,
) -> Result<i64> {
    let mut ended = 0;
    for channel in channels {
        let mut waiting = connection.prepare_cached(WAITING)?;
        let all = waiting.query_map(params![channel.as_str(), Reason::WindowOver.code()], |row| {
            Ok((EntryId(row.get("id")?), row.get::<_, String>("route")?))
        })?;
        let wanted = all.filter(|entry| entry.as_ref().is_ok_and(|(_, route)| routes.contains(route)));
        let left = limit.saturating_sub(usize::try_from(ended).unwrap_or(usize::MAX));
        for (entry, _) in wanted.take(left).collect::<Result<Vec<_>>>()? {
            begin_anew(connection, entry, at, at)?;
            waits_no_more(connection, entry, at)?;
            ended += 1;
        }
    }
    Ok(ended)
}

const WAITING: &str = "SELECT id, route FROM entry INDEXED BY entry_list
    WHERE state = 'delivering' AND channel = ?1 AND ifnull(reason, '') = ?2";

/// Lets an entry begin its schedule anew, due at a time at the latest.
fn begin_anew(connection: &Connection, entry: EntryId, due_at: i64, at: i64) -> Result<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE entry SET due_at = min(due_at, ?2), tries = 0,
                 rank = CASE WHEN rank >= {BROUGHT} AND due_at > ?3 THEN 0 ELSE rank END
             WHERE id = ?1"
        ))?
        .execute(params![entry.0, due_at, at])
        .map(drop)
}

/// The entry has the reason again that its payment gives it.
fn waits_no_more(connection: &Connection, entry: EntryId, at: i64) -> Result<()> {
    let refunded: Option<bool> = connection
        .prepare_cached("SELECT trade_state = 'REFUND' FROM entry WHERE id = ?1")?
        .query_row([entry.0], |row| row.get(0))?;
    let reason = if refunded == Some(true) { Reason::Refunded } else { Reason::Paid };
    connection
        .prepare_cached("UPDATE entry SET reason = ?2 WHERE id = ?1")?
        .execute(params![entry.0, reason.code()])?;
    events::add(connection, entry, at, "found", Some(reason), None)
}
