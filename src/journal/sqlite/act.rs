//! Parking, going on, and sending again, in SQL: the change and its line in one transaction.

use super::batch::Batch;
use super::{audit, events, read, redeliver};
use crate::domain::reason::Reason;
use crate::journal::audit::{Act, Action, Audit, By};
use crate::journal::overrides::{Overrides, Redelivery};
use crate::journal::{EntryId, Search};
use rusqlite::Result;

/// What can be parked.
const UNFINISHED: &str = "AND state IN ('asking', 'delivering') ORDER BY id";

/// What can be gone on with.
const PARKED: &str = "AND state = 'parked' ORDER BY id";

/// Does something to the entries that match, and keeps a line of it.
pub(super) fn act(
    batch: &Batch<'_>,
    act: Act,
    search: &Search,
    limit: usize,
    by: &By,
    at: i64,
) -> Result<Vec<EntryId>> {
    let (which, change, what, reason) = match act {
        Act::Redeliver => {
            let (search, by, given) = (*search, by.clone(), Overrides::NONE);
            let wanted = Redelivery { search, limit, given, because: None, leave_out: true, by };
            return redeliver::redeliver(batch, &wanted, at).map(|done| done.entries);
        }
        Act::Park => (
            UNFINISHED,
            "state = 'parked', reason = 'parked-by-operator', since = ?2, due_at = NULL, tries = 0, asked_for = 0,
             overrides = 0",
            "found",
            Some(Reason::ParkedByOperator),
        ),
        // It has the reason again that its payment gives it; the follow-up finds out the rest.
        Act::Unpark => (
            PARKED,
            "state = CASE WHEN transaction_id IS NULL THEN 'asking' ELSE 'delivering' END,
             reason = CASE WHEN transaction_id IS NULL THEN NULL WHEN trade_state = 'REFUND' THEN 'refunded' ELSE 'paid' END,
             since = ?2, due_at = ?2, tries = 0, asked_for = 0, overrides = 0",
            "unparked",
            None,
        ),
    };
    let entries = read::entries(batch, search, limit, which, at)?;
    let mut change = batch.prepare_cached(&format!("UPDATE entry SET {change} WHERE id = ?1"))?;
    for entry in &entries {
        batch.change(*entry, || change.execute([entry.0, at]))?;
        events::add(batch, *entry, at, what, reason, None)?;
    }
    if !entries.is_empty() {
        let line = Audit {
            by: by.clone(),
            action: Action::Act(act),
            channel: search.channel,
            order: search.order_id.or(search.order),
            entries: entries.clone(),
            outcome: None,
            because: None,
        };
        audit::keep(batch, &line, at)?;
    }
    Ok(entries)
}
