//! Which order a payment is for, in SQL.

use super::columns::parsed;
use super::{BoxFuture, JournalError, Sqlite};
use crate::journal::EntryId;
use crate::journal::owners::{Owner, OwnerClaim, Owners};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

/// How long an owner is remembered, in milliseconds: three years, well beyond the time in which WeChat Pay can be asked
/// about an order.
const KEPT: i64 = 3 * 365 * 24 * 3600 * 1000;

impl Owners for Sqlite {
    fn own(&self, claim: OwnerClaim) -> BoxFuture<'_, Owner> {
        let asked = claim.clone();
        let written = self.write_only(move |connection, at| own(connection, &claim, at));
        Box::pin(async move {
            written.await?;
            self.owner(asked).await?.ok_or(JournalError::Unavailable)
        })
    }

    fn owner(&self, claim: OwnerClaim) -> BoxFuture<'_, Option<Owner>> {
        self.read(move |connection| owner(connection, &claim))
    }
}

fn own(connection: &Connection, claim: &OwnerClaim, at: i64) -> Result<()> {
    let Owner { channel, order } = owner(connection, claim)?.unwrap_or(claim.claimant);
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO payment_owner (transaction_id, channel, out_trade_no, \"order\", bound_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            claim.transaction_id.as_str(),
            channel.as_str(),
            claim.out_trade_no.as_str(),
            order.as_str(),
            at
        ])
        .map(drop)
}

/// Of several the first: who got it, who got the number's payment, and whose entry was delivered with it.
fn owner(connection: &Connection, claim: &OwnerClaim) -> Result<Option<Owner>> {
    let given = connection
        .prepare_cached("SELECT channel, \"order\" FROM payment_owner WHERE transaction_id = ?1")?
        .query_row([claim.transaction_id.as_str()], read)
        .optional()?;
    if given.is_some() {
        return Ok(given);
    }
    for channel in &claim.same_merchant {
        let of_number = connection
            .prepare_cached(
                "SELECT channel, \"order\" FROM payment_owner WHERE out_trade_no = ?1 AND channel = ?2
                 ORDER BY bound_at LIMIT 1",
            )?
            .query_row([claim.out_trade_no.as_str(), channel.as_str()], read)
            .optional()?;
        if of_number.is_some() {
            return Ok(of_number);
        }
    }
    let mut delivered = connection.prepare_cached(
        "SELECT channel, \"order\", route FROM entry
         WHERE transaction_id = ?1 AND (state IN ('delivering', 'accepted')
             OR EXISTS (SELECT 1 FROM attempt_row WHERE attempt_row.entry = entry.id))
         ORDER BY confirmed_at, id",
    )?;
    let mut rows = delivered.query([claim.transaction_id.as_str()])?;
    while let Some(row) = rows.next()? {
        let route: String = row.get("route")?;
        if !claim.shared_routes.contains(&route) {
            return read(row).map(Some);
        }
    }
    Ok(None)
}

fn read(row: &Row<'_>) -> Result<Owner> {
    Ok(Owner { channel: parsed(row, "channel")?, order: parsed(row, "order")? })
}

/// Remembers whose payment an entry's was that is about to be removed.
pub(super) fn outlive(connection: &Connection, entry: EntryId, at: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO payment_owner (transaction_id, channel, out_trade_no, \"order\", bound_at)
             SELECT transaction_id, channel, out_trade_no, \"order\", ?2 FROM entry
             WHERE id = ?1 AND transaction_id IS NOT NULL AND state = 'accepted'",
        )?
        .execute(params![entry.0, at])
        .map(drop)
}

/// Removes what was kept long enough; at most `limit`.
pub(super) fn forget(connection: &Connection, keep: i64, limit: i64, at: i64) -> Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM payment_owner WHERE transaction_id IN (
                 SELECT transaction_id FROM payment_owner WHERE bound_at < ?1 ORDER BY bound_at LIMIT ?2)",
        )?
        .execute(params![at.saturating_sub(keep.max(KEPT)), limit])
}
