//! How the journal's types stand in columns, and are read back.

use crate::domain::money::{Currency, Fen, Money};
use crate::domain::reason::Reason;
use crate::journal::stored::headers::read_headers;
use crate::journal::{Acceptance, Claimed, DeliveryId, Origin, Rank, State, Verified};
use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Error, Result, Row};
use std::str::FromStr;
use uuid::Uuid;

/// A value that does not read as what its column holds.
pub(super) fn damaged(column: &str) -> Error {
    let message = format!("column {column} holds something else");
    Error::FromSqlConversionFailure(0, Type::Null, Box::new(FromSqlError::Other(message.into())))
}

/// A column of text, parsed.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: &str) -> Result<T> {
    let value = row.get_ref(column)?.as_str().map_err(|_| damaged(column))?;
    value.parse().map_err(|_| damaged(column))
}

/// A column of text, parsed, where there may be nothing.
pub(super) fn optional<T: FromStr>(row: &Row<'_>, column: &str) -> Result<Option<T>> {
    match row.get_ref(column)?.as_str_or_null().map_err(|_| damaged(column))? {
        None => Ok(None),
        Some(value) => value.parse().map(Some).map_err(|_| damaged(column)),
    }
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|_| damaged(column))
}

/// A time, where there may be none.
pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    let at: Option<i64> = row.get(column)?;
    at.map(Timestamp::from_millisecond).transpose().map_err(|_| damaged(column))
}

/// A reason, where there may be none; one of a newer program's is none to us.
pub(super) fn reason(row: &Row<'_>, column: &str) -> Result<Option<Reason>> {
    let code: Option<String> = row.get(column)?;
    Ok(code.as_deref().and_then(Reason::from_code))
}

/// How much speaks for an entry.
pub(super) fn rank(row: &Row<'_>) -> Result<Rank> {
    let rank: u8 = row.get("rank")?;
    Rank::ALL.into_iter().find(|known| *known as u8 == rank).ok_or_else(|| damaged("rank"))
}

/// A number that is never negative.
pub(super) fn count(row: &Row<'_>, column: &str) -> Result<u64> {
    let count: Option<i64> = row.get(column)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// A number for a column; more than fits does not occur.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn state(row: &Row<'_>) -> Result<State> {
    let name: String = row.get("state")?;
    State::from_name(&name).ok_or_else(|| damaged("state"))
}

pub(super) fn delivery(row: &Row<'_>) -> Result<DeliveryId> {
    Ok(DeliveryId(parsed::<Uuid>(row, "delivery")?))
}

pub(super) fn origin(row: &Row<'_>) -> Result<Origin> {
    let name: String = row.get("origin")?;
    Origin::ALL.into_iter().find(|origin| origin.as_str() == name).ok_or_else(|| damaged("origin"))
}

/// An amount, where there may be none.
pub(super) fn money(row: &Row<'_>, fee: &str, currency: &str) -> Result<Option<Money>> {
    let (Some(fen), Some(code)) = (row.get::<_, Option<i64>>(fee)?, row.get::<_, Option<String>>(currency)?) else {
        return Ok(None);
    };
    let fen = u64::try_from(fen).map_err(|_| damaged(fee))?;
    let currency = Currency::parse(&code).map_err(|_| damaged(currency))?;
    Ok(Some(Money { fen: Fen(fen), currency }))
}

/// What an order cost by its source when another amount was paid, in CNY as sources count.
pub(super) fn expected(row: &Row<'_>) -> Result<Option<Money>> {
    let fen: Option<i64> = row.get("expected_fee")?;
    let fen = fen.map(u64::try_from).transpose().map_err(|_| damaged("expected_fee"))?;
    Ok(fen.map(|fen| Money { fen: Fen(fen), currency: Currency::default() }))
}

/// What a callback claims.
pub(super) fn claimed(row: &Row<'_>) -> Result<Claimed> {
    Ok(Claimed {
        channel: parsed(row, "channel")?,
        order: parsed(row, "order")?,
        out_trade_no: parsed(row, "out_trade_no")?,
        transaction_id: optional(row, "claimed_transaction_id")?,
        amount: money(row, "claimed_total_fee", "claimed_fee_type")?,
    })
}

/// The confirmed payment, if there is one.
pub(super) fn verified(row: &Row<'_>) -> Result<Option<Verified>> {
    let (Some(transaction_id), Some(amount)) = (optional(row, "transaction_id")?, money(row, "total_fee", "fee_type")?)
    else {
        return Ok(None);
    };
    let trade_state: Option<String> = row.get("trade_state")?;
    let refunded = trade_state.as_deref() == Some("REFUND");
    Ok(Some(Verified { transaction_id, amount, paid_at: optional_time(row, "paid_at")?, refunded }))
}

/// That a delivery was accepted, if it was.
pub(super) fn acceptance(row: &Row<'_>) -> Result<Option<Acceptance>> {
    let Some(status) = row.get::<_, Option<u16>>("answer_status")? else { return Ok(None) };
    let headers: Option<Vec<u8>> = row.get("answer_headers")?;
    let body: Option<Vec<u8>> = row.get("answer_body")?;
    Ok(Some(Acceptance {
        transaction_id: optional(row, "accepted_transaction_id")?,
        status: StatusCode::from_u16(status).map_err(|_| damaged("answer_status"))?,
        headers: read_headers(&headers.unwrap_or_default()).ok_or_else(|| damaged("answer_headers"))?,
        body: body.map(Bytes::from),
    }))
}
