//! How much speaks for entries, as it becomes known.

use super::columns;
use crate::domain::order::ChannelId;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{EntryId, Looks, MOST_LIFTED, Rank};
use rusqlite::{Connection, Result, params};

/// From this rank on entries are sent before their time. That is over when their own timer tried them, which counts.
pub(super) const BROUGHT: u8 = Rank::Brought as u8;

/// What WeChat Pay said of an order that anybody can have made up: it is there, or it is not. What says nothing of the
/// order leaves its rank as it is.
pub(super) fn told(connection: &Connection, entry: EntryId, reason: Reason) -> Result<()> {
    let sql = match reason.verdict() {
        _ if reason == Reason::OrderNotFound => {
            "UPDATE entry SET rank = rank + 2 WHERE id = ?1 AND rank < 2 AND origin = 'callback' AND state = 'asking'"
        }
        Some(Verdict::Unknown) | None => return Ok(()),
        Some(_) => "UPDATE entry SET rank = 0 WHERE id = ?1 AND rank > 0 AND state = 'asking'",
    };
    connection.prepare_cached(sql)?.execute([entry.0]).map(drop)
}

/// Callbacks of a channel that wait and whose number `looks` likely after all; none if that are more than
/// [`MOST_LIFTED`]. Read and not written, as there may be many whose number does not.
pub(super) fn likely(connection: &Connection, channel: &ChannelId, looks: &Looks) -> Result<Vec<EntryId>> {
    let mut likely = Vec::new();
    for rank in [Rank::Strange, Rank::Absent] {
        let mut waiting = connection.prepare_cached(
            "SELECT id, out_trade_no FROM entry INDEXED BY entry_due
             WHERE due_at IS NOT NULL AND state = 'asking' AND channel = ?1 AND origin = 'callback' AND rank = ?2",
        )?;
        let mut rows = waiting.query(params![channel.as_str(), rank as u8])?;
        while let Some(row) = rows.next()? {
            if columns::parsed(row, "out_trade_no").is_ok_and(|number| looks(&number)) {
                likely.push(EntryId(row.get("id")?));
            }
            if likely.len() > MOST_LIFTED {
                return Ok(Vec::new());
            }
        }
    }
    Ok(likely)
}

/// Ranks callbacks as likely, those of them that still wait to be asked about.
pub(super) fn lift(connection: &Connection, likely: &[EntryId]) -> Result<()> {
    let mut lift = connection
        .prepare_cached("UPDATE entry SET rank = rank - 1 WHERE id = ?1 AND rank IN (1, 3) AND state = 'asking'")?;
    likely.iter().try_for_each(|entry| lift.execute([entry.0]).map(drop))
}
