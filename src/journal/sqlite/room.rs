//! What gives way when the budget for callbacks whose order was never confirmed is spent.

use super::batch::Batch;
use super::budget::{Budget, Spent};
use super::content;
use super::remove::remove;
use crate::journal::{EntryId, State, Trust};
use rusqlite::{Connection, OptionalExtension, Result};

/// Entries that give way to one at most, so that the writer is not held up: a large body takes the place of many small
/// ones.
const MOST_GIVING_WAY: usize = 512;

/// The oldest in a state, of those that have a request or of those that have none.
const OLDEST: &str = "SELECT id FROM entry INDEXED BY entry_unconfirmed
    WHERE state = ?1 AND transaction_id IS NULL AND origin = 'callback' AND (bytes > 0) = ?2 ORDER BY id LIMIT 1";

/// Whether something has to give way to one more with so many bytes.
pub(super) fn is_short(budget: Budget, bytes: u64, trust: Trust) -> bool {
    let (most, spent) = (budget.most_of(trust), budget.spent());
    let is_short = spent.records >= most.records || spent.bytes.saturating_add(bytes) > most.bytes;
    trust != Trust::Confirmed && is_short
}

/// Makes room for one more with so many bytes; what is confirmed has it in any case. The oldest of what is done with
/// gives way: what is closed, or else parked. Of what is closed its bytes alone are enough, where bytes are what is
/// missing.
pub(super) fn make_room(batch: &Batch<'_>, budget: &mut Budget, bytes: u64, trust: Trust) -> Result<bool> {
    if trust == Trust::Confirmed {
        return Ok(true);
    }
    let most = budget.most_of(trust);
    if bytes > most.bytes {
        return Ok(false);
    }
    if budget.spent().records >= most.records {
        let oldest = match oldest(batch, State::Closed)? {
            None => oldest(batch, State::Parked)?,
            closed => closed,
        };
        let Some(oldest) = oldest else { return Ok(false) };
        budget.give_back(remove(batch, oldest)?);
    }
    for _ in 0..MOST_GIVING_WAY {
        if budget.spent().bytes.saturating_add(bytes) <= most.bytes {
            return Ok(true);
        }
        if let Some(closed) = oldest_of(batch, State::Closed, true)? {
            let bytes = content::clear(batch, closed)?;
            budget.give_back(Spent { records: 0, bytes });
        } else if let Some(parked) = oldest_of(batch, State::Parked, true)? {
            budget.give_back(remove(batch, parked)?);
        } else {
            return Ok(false);
        }
    }
    Ok(false)
}

fn oldest(connection: &Connection, state: State) -> Result<Option<EntryId>> {
    let (with, without) = (oldest_of(connection, state, true)?, oldest_of(connection, state, false)?);
    Ok(with.into_iter().chain(without).min())
}

fn oldest_of(connection: &Connection, state: State, has_request: bool) -> Result<Option<EntryId>> {
    connection
        .prepare_cached(OLDEST)?
        .query_row((state.as_str(), has_request), |row| row.get(0).map(EntryId))
        .optional()
}
