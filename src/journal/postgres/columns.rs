//! How the journal's types stand in columns, and are read back.

use super::error::Error;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::reason::Reason;
use crate::journal::stored::{body, headers};
use crate::journal::{Acceptance, Callback, Claimed, DeliveryId, EntryId, Origin, Rank, Request, State, Verified};
use bytes::Bytes;
use hyper::StatusCode;
use jiff::Timestamp;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

/// A column's value.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: &'static str) -> Result<T, Error> {
    row.try_get(column).map_err(|_| Error::Damaged(column))
}

/// A column of text, parsed.
pub(super) fn parsed<T: FromStr>(row: &Row, column: &'static str) -> Result<T, Error> {
    get::<&str>(row, column)?.parse().map_err(|_| Error::Damaged(column))
}

/// A column of text, parsed, where there may be nothing.
pub(super) fn optional<T: FromStr>(row: &Row, column: &'static str) -> Result<Option<T>, Error> {
    let text: Option<&str> = get(row, column)?;
    text.map(str::parse).transpose().map_err(|_| Error::Damaged(column))
}

/// A time.
pub(super) fn time(row: &Row, column: &'static str) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(get(row, column)?).map_err(|_| Error::Damaged(column))
}

/// A time, where there may be none.
pub(super) fn optional_time(row: &Row, column: &'static str) -> Result<Option<Timestamp>, Error> {
    let at: Option<i64> = get(row, column)?;
    at.map(Timestamp::from_millisecond).transpose().map_err(|_| Error::Damaged(column))
}

/// A reason, where there may be none; one of a newer program's is none to us.
pub(super) fn reason(row: &Row, column: &'static str) -> Result<Option<Reason>, Error> {
    let code: Option<&str> = get(row, column)?;
    Ok(code.and_then(Reason::from_code))
}

/// A number that is never negative, nothing for 0.
pub(super) fn count(row: &Row, column: &'static str) -> Result<u64, Error> {
    let count: Option<i64> = get(row, column)?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// A number for a column; more than fits does not occur.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many rows at most, for a column.
pub(super) fn at_most(limit: usize) -> i64 {
    number(limit as u64)
}

/// A time span for a column, in milliseconds, so short that a time plus or less it is still one.
pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX).min(FARTHEST)
}

/// A thousand years, in milliseconds.
const FARTHEST: i64 = 1000 * 365 * 24 * 3_600_000;

/// From one time to another, in milliseconds each.
pub(super) fn span(from: i64, to: i64) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

/// How many times something was tried.
pub(super) fn tries(row: &Row) -> Result<u32, Error> {
    u32::try_from(get::<i32>(row, "tries")?).map_err(|_| Error::Damaged("tries"))
}

/// An entry's number.
pub(super) fn entry(row: &Row, column: &'static str) -> Result<EntryId, Error> {
    get(row, column).map(EntryId)
}

/// The delivery of an entry.
pub(super) fn delivery(row: &Row) -> Result<DeliveryId, Error> {
    get::<Uuid>(row, "delivery").map(DeliveryId)
}

pub(super) fn state(row: &Row) -> Result<State, Error> {
    State::from_name(get(row, "state")?).ok_or(Error::Damaged("state"))
}

pub(super) fn origin(row: &Row) -> Result<Origin, Error> {
    Origin::from_name(get(row, "origin")?).ok_or(Error::Damaged("origin"))
}

/// How much speaks for an entry.
pub(super) fn rank(row: &Row) -> Result<Rank, Error> {
    let rank: i16 = get(row, "rank")?;
    Rank::ALL.into_iter().find(|known| rank_column(*known) == rank).ok_or(Error::Damaged("rank"))
}

/// A rank as its column has it.
pub(super) const fn rank_column(rank: Rank) -> i16 {
    rank as u8 as i16
}

/// An amount, where there may be none.
pub(super) fn money(row: &Row, fee: &'static str, currency: &'static str) -> Result<Option<Money>, Error> {
    let (Some(fen), Some(code)) = (get::<Option<i64>>(row, fee)?, get::<Option<&str>>(row, currency)?) else {
        return Ok(None);
    };
    let fen = u64::try_from(fen).map_err(|_| Error::Damaged(fee))?;
    let currency = Currency::parse(code).map_err(|_| Error::Damaged(currency))?;
    Ok(Some(Money { fen: Fen(fen), currency }))
}

/// An amount in CNY, as sources count, where there may be none.
pub(super) fn yuan(row: &Row, fee: &'static str) -> Result<Option<Money>, Error> {
    let fen = fen(row, fee)?;
    Ok(fen.map(|fen| Money { fen, currency: Currency::default() }))
}

/// Fen, where there may be none.
pub(super) fn fen(row: &Row, column: &'static str) -> Result<Option<Fen>, Error> {
    let fen: Option<i64> = get(row, column)?;
    fen.map(|fen| u64::try_from(fen).map(Fen)).transpose().map_err(|_| Error::Damaged(column))
}

/// What a callback claims.
pub(super) fn claimed(row: &Row) -> Result<Claimed, Error> {
    Ok(Claimed {
        channel: parsed(row, "channel")?,
        order: parsed(row, "order")?,
        out_trade_no: parsed(row, "out_trade_no")?,
        transaction_id: optional(row, "claimed_transaction_id")?,
        amount: money(row, "claimed_total_fee", "claimed_fee_type")?,
    })
}

/// The confirmed payment, if there is one.
pub(super) fn verified(row: &Row) -> Result<Option<Verified>, Error> {
    let (Some(transaction_id), Some(amount)) = (optional(row, "transaction_id")?, money(row, "total_fee", "fee_type")?)
    else {
        return Ok(None);
    };
    let trade_state: Option<&str> = get(row, "trade_state")?;
    let refunded = trade_state == Some("REFUND");
    Ok(Some(Verified { transaction_id, amount, paid_at: optional_time(row, "paid_at")?, refunded }))
}

/// That a delivery was accepted, if it was.
pub(super) fn acceptance(row: &Row) -> Result<Option<Acceptance>, Error> {
    let Some(status) = get::<Option<i32>>(row, "answer_status")? else { return Ok(None) };
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let headers: Option<&[u8]> = get(row, "answer_headers")?;
    let body: Option<&[u8]> = get(row, "answer_body")?;
    Ok(Some(Acceptance {
        transaction_id: optional(row, "accepted_transaction_id")?,
        status: status.ok_or(Error::Damaged("answer_status"))?,
        headers: headers::read_headers(headers.unwrap_or_default()).ok_or(Error::Damaged("answer_headers"))?,
        body: body.map(Bytes::copy_from_slice),
    }))
}

/// A callback, with its request if there is one.
pub(super) fn callback(row: &Row) -> Result<Callback, Error> {
    Ok(Callback {
        request_id: get(row, "request_id")?,
        route: get(row, "route")?,
        origin: origin(row)?,
        claimed: claimed(row)?,
        created_at: optional_time(row, "created_at")?,
        request: request(row)?,
    })
}

/// The request, if there is one.
fn request(row: &Row) -> Result<Option<Request>, Error> {
    let (Some(lines), Some(kept)) = (get::<Option<&[u8]>>(row, "headers")?, get::<Option<&[u8]>>(row, "body")?) else {
        return Ok(None);
    };
    let body = match get::<Option<i64>>(row, "inflated")?.map(usize::try_from) {
        None => Bytes::copy_from_slice(kept),
        Some(length) => length.ok().and_then(|length| body::inflate(kept, length)).ok_or(Error::Damaged("body"))?,
    };
    Ok(Some(Request {
        peer: parsed(row, "peer")?,
        tls: get(row, "tls")?,
        method: parsed(row, "method")?,
        target: parsed(row, "target")?,
        headers: headers::read_headers(lines).ok_or(Error::Damaged("headers"))?,
        body,
    }))
}
