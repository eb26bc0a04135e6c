//! Parking, going on, and sending again, in SQL: the change and its line in one transaction. What was read of an entry must still
//! hold when it is changed; else all of it is done again.

use super::changed::{all_of, tell};
use super::database::Tx;
use super::error::Error;
use super::read::of_entries;
use super::statement::Statement;
use super::trail::{self, Line};
use super::{Postgres, find, redeliver};
use crate::domain::reason::Reason;
use crate::journal::audit::{Act, Action, Audit, By};
use crate::journal::overrides::{Overrides, Redelivery};
use crate::journal::{EntryId, JournalError, Queue, Search};
use std::sync::Arc;

/// What is done to entries that are parked or gone on with.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// In which states.
    from: &'static str,
    set: &'static str,
    what: &'static str,
    reason: Option<Reason>,
}

const PARK: Change = Change {
    from: "entry.state IN ('asking', 'delivering')",
    set: "state = 'parked', reason = 'parked-by-operator', since = @now, due_at = NULL, tries = 0, asked_for = false,
        overrides = 0",
    what: "found",
    reason: Some(Reason::ParkedByOperator),
};

/// It has the reason again that its payment gives it; the follow-up finds out the rest.
const UNPARK: Change = Change {
    from: "entry.state = 'parked'",
    set: "state = CASE WHEN entry.transaction_id IS NULL THEN 'asking' ELSE 'delivering' END,
        reason = CASE WHEN entry.transaction_id IS NULL THEN '' WHEN entry.trade_state = 'REFUND' THEN 'refunded'
            ELSE 'paid' END,
        since = @now, due_at = @now, tries = 0, asked_for = false, overrides = 0",
    what: "unparked",
    reason: None,
};

/// Does something to the entries that match, and keeps a line of it.
pub(super) async fn act(
    store: &Postgres,
    act: Act,
    search: Search,
    limit: usize,
    by: By,
) -> Result<Vec<EntryId>, JournalError> {
    let change = match act {
        Act::Redeliver => {
            let wanted = Redelivery { search, limit, given: Overrides::NONE, because: None, leave_out: true, by };
            return redeliver::redeliver(store, wanted).await.map(|done| done.entries);
        }
        Act::Park => PARK,
        Act::Unpark => UNPARK,
    };
    // What was said before comes first.
    store.flush().await?;
    let (line, by) = (Line::of(store), Arc::new(by));
    let done = store.database.write(move |tx| {
        let (line, by) = (line.clone(), Arc::clone(&by));
        Box::pin(async move {
            let entries = make(tx, change, &search, limit, &line).await?;
            if !entries.is_empty() {
                let (action, entries) = (Action::Act(act), entries.clone());
                let (channel, order) = (search.channel, search.order_id.or(search.order));
                let by = By::clone(&by);
                let line_of = Audit { by, action, channel, order, entries, outcome: None, because: None };
                trail::keep(tx, &line_of, &line).await?;
            }
            Ok(entries)
        })
    });
    done.await
}

async fn make(tx: &Tx<'_>, change: Change, search: &Search, limit: usize, line: &Line) -> Result<Vec<EntryId>, Error> {
    let Change { from, set, what, reason } = change;
    let entries = find::entries(tx, search, limit, &format!("AND {from} ORDER BY entry.id")).await?;
    if entries.is_empty() {
        return Ok(entries);
    }
    let text = format!(
        "UPDATE ~entry AS entry SET {set} FROM unnest($1::smallint[], $2::bigint[]) AS wanted (bucket, id)
         WHERE entry.bucket = wanted.bucket AND entry.id = wanted.id AND {from} RETURNING entry.id"
    );
    let changed = tx.rows(of_entries(Statement::of(text), &entries)).await?;
    all_of(&entries, &changed)?;
    tell(tx, &entries, what, reason, line).await?;
    Ok(entries)
}
