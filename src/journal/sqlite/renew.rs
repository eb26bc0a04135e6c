//! A callback that came once more under a fresh signature, in place of the one that is kept.

use super::budget::Budget;
use super::content::{self, Content};
use super::leases::millis;
use super::write::BROUGHT;
use super::{columns, events};
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
        .prepare_cached("SELECT state, reason, trade_state = 'REFUND' AS refunded FROM entry WHERE id = ?1")?
        .query_row([entry.0], |row| {
            let refunded: Option<bool> = row.get("refunded")?;
            Ok((columns::state(row)?, columns::reason(row, "reason")?, refunded == Some(true)))
        })
        .optional()?;
    let Some((state, reason, refunded)) = known else { return Ok(()) };
    if matches!(state, State::Accepted | State::Closed) {
        return Ok(());
    }
    let content = Content::of(request);
    if let Some((before, true)) = content::replace(connection, entry, &content)? {
        budget.replaced(before, content.bytes());
    }
    let Some(again_in) = again_in.filter(|_| state == State::Delivering) else { return Ok(()) };
    connection
        .prepare_cached(&format!(
            "UPDATE entry SET due_at = min(due_at, ?2), tries = 0,
                 rank = CASE WHEN rank >= {BROUGHT} AND due_at > ?3 THEN 0 ELSE rank END
             WHERE id = ?1"
        ))?
        .execute(params![entry.0, at.saturating_add(millis(again_in)), at])?;
    if reason != Some(Reason::WindowOver) {
        return Ok(());
    }
    let reason = if refunded { Reason::Refunded } else { Reason::Paid };
    connection
        .prepare_cached("UPDATE entry SET reason = ?2 WHERE id = ?1")?
        .execute(params![entry.0, reason.code()])?;
    events::add(connection, entry, at, "found", Some(reason), None)
}
