//! What an order costs by a source of pending orders, in SQL.

use super::columns::{self, optional_time};
use crate::domain::money::{Currency, Fen, Money};
use crate::journal::EntryId;
use crate::journal::overrides::Price;
use rusqlite::{Connection, OptionalExtension, Result, Row};

/// What a source says that an order costs; one that still lists it rather than one that did.
const LISTED: &str = "SELECT total_fee, source, listed_at FROM listed
    WHERE listed.channel = ?1 AND listed.out_trade_no = ?2 AND listed.total_fee NOT NULL
    ORDER BY gone_at IS NOT NULL, listed_at LIMIT 1";

/// What a source says that an order costs, for the order of an entry.
const LISTED_OF_ENTRY: &str = "SELECT total_fee, source, listed_at FROM listed
    WHERE listed.channel = entry.channel AND listed.out_trade_no = entry.out_trade_no AND listed.total_fee NOT NULL
    ORDER BY gone_at IS NOT NULL, listed_at LIMIT 1";

/// What the order of an entry costs, by a source as it lists it now, or as it did when another amount was paid.
pub(super) fn of(connection: &Connection, entry: &Row<'_>) -> Result<Option<Price>> {
    let (channel, number): (String, String) = (entry.get("channel")?, entry.get("out_trade_no")?);
    let read = |fee: Option<i64>, source: Option<String>, listed_at| {
        let fen = fee.map(u64::try_from).transpose().map_err(|_| columns::damaged("total_fee"))?;
        let of =
            |(fen, source)| Price { amount: Money { fen: Fen(fen), currency: Currency::default() }, source, listed_at };
        Ok(fen.zip(source).map(of))
    };
    let listed = connection
        .prepare_cached(LISTED)?
        .query_row([channel, number], |row| {
            read(row.get("total_fee")?, row.get("source")?, optional_time(row, "listed_at")?)
        })
        .optional()?;
    match listed.flatten() {
        Some(listed) => Ok(Some(listed)),
        None => read(entry.get("expected_fee")?, entry.get("expected_source")?, optional_time(entry, "expected_at")?),
    }
}

/// Keeps what the order of an entry costs, since another amount was paid.
pub(super) fn keep(connection: &Connection, entry: EntryId) -> Result<()> {
    keep_where(connection, entry, "")
}

/// Keeps anew what the order of an entry costs, where that was kept before: its source may have put it right.
pub(super) fn renew(connection: &Connection, entry: EntryId) -> Result<()> {
    keep_where(connection, entry, "expected_fee NOT NULL AND")
}

fn keep_where(connection: &Connection, entry: EntryId, only: &str) -> Result<()> {
    connection
        .prepare_cached(&format!(
            "UPDATE entry SET (expected_fee, expected_source, expected_at) = ({LISTED_OF_ENTRY})
             WHERE id = ?1 AND {only} EXISTS ({LISTED_OF_ENTRY})"
        ))?
        .execute([entry.0])
        .map(drop)
}
