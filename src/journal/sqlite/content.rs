//! The request of an entry as it stands in the file, and its removal. `entry.bytes` says how much that is, and is 0
//! where there is none.

use super::columns::{self, number};
use crate::journal::stored::body::{deflate, inflate};
use crate::journal::stored::headers::{read_headers, write_headers};
use crate::journal::{DeliveryId, EntryId, Request};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::borrow::Cow;
use uuid::Uuid;

/// A request, ready to be written.
#[derive(Debug)]
pub(super) struct Content<'r> {
    request: &'r Request,
    target: String,
    headers: Vec<u8>,
    body: Cow<'r, [u8]>,
    /// The body's length, where it stands deflated.
    inflated: Option<usize>,
}

impl<'r> Content<'r> {
    /// Deflates the body where that makes it notably smaller, which takes time: for the thread that writes.
    pub(super) fn of(request: &'r Request) -> Self {
        let deflated = deflate(&request.body);
        Self {
            request,
            target: request.target.to_string(),
            headers: write_headers(&request.headers),
            inflated: deflated.is_some().then_some(request.body.len()),
            body: deflated.map_or(Cow::Borrowed(request.body.as_ref()), Cow::Owned),
        }
    }

    /// What it takes in the file.
    pub(super) fn bytes(&self) -> u64 {
        (self.target.len() + self.headers.len() + self.body.len()) as u64
    }

    /// Writes it down. Its bytes are the entry's to say.
    pub(super) fn insert(&self, connection: &Connection, entry: EntryId) -> Result<()> {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO request (entry, peer, tls, method, target, headers, body, inflated)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                entry.0,
                self.request.peer.to_string(),
                self.request.tls,
                self.request.method.as_str(),
                self.target,
                self.headers,
                self.body,
                self.inflated.map(|length| number(length as u64)),
            ])
            .map(drop)
    }
}

/// The request, if there is one yet.
pub(super) fn read(row: &Row<'_>) -> Result<Option<Request>> {
    let (Some(headers), Some(body)) =
        (row.get::<_, Option<Vec<u8>>>("headers")?, row.get::<_, Option<Vec<u8>>>("body")?)
    else {
        return Ok(None);
    };
    let body = match row.get::<_, Option<i64>>("inflated")?.map(usize::try_from) {
        None => Bytes::from(body),
        Some(length) => {
            let inflated = length.ok().and_then(|length| inflate(&body, length));
            inflated.ok_or_else(|| columns::damaged("body"))?
        }
    };
    Ok(Some(Request {
        peer: columns::parsed(row, "peer")?,
        tls: row.get("tls")?,
        method: columns::parsed(row, "method")?,
        target: columns::parsed(row, "target")?,
        headers: read_headers(&headers).ok_or_else(|| columns::damaged("headers"))?,
        body,
    }))
}

/// Gives an entry that is there this request. Returns the bytes it had before, and whether they are an unconfirmed
/// callback's; `None` if there is no such entry.
pub(super) fn replace(connection: &Connection, entry: EntryId, content: &Content<'_>) -> Result<Option<(u64, bool)>> {
    let before = connection
        .prepare_cached(
            "SELECT bytes, transaction_id IS NULL AND origin = 'callback' AS unconfirmed FROM entry WHERE id = ?1",
        )?
        .query_row([entry.0], |row| Ok((columns::count(row, "bytes")?, row.get("unconfirmed")?)))
        .optional()?;
    if before.is_some() {
        content.insert(connection, entry)?;
        connection
            .prepare_cached("UPDATE entry SET bytes = ?2 WHERE id = ?1")?
            .execute([entry.0, number(content.bytes())])?;
    }
    Ok(before)
}

/// Removes the request of an entry that stays. Returns its bytes if they were an unconfirmed callback's.
pub(super) fn clear(connection: &Connection, entry: EntryId) -> Result<u64> {
    let bytes = connection
        .prepare_cached("SELECT bytes FROM entry WHERE id = ?1 AND transaction_id IS NULL AND origin = 'callback'")?
        .query_row([entry.0], |row| columns::count(row, "bytes"))
        .optional()?;
    connection.prepare_cached("DELETE FROM request WHERE entry = ?1")?.execute([entry.0])?;
    connection.prepare_cached("UPDATE entry SET bytes = 0 WHERE id = ?1")?.execute([entry.0])?;
    Ok(bytes.unwrap_or(0))
}

/// Removes the upstream's answers from before a time, but for the status. Returns whose.
pub(super) fn forget_answers(connection: &Connection, before: i64, limit: i64) -> Result<Vec<DeliveryId>> {
    let deliveries: Vec<Uuid> = connection
        .prepare_cached(
            "SELECT id FROM delivery_row INDEXED BY delivery_answer
             WHERE answer_headers IS NOT NULL AND accepted_at < ?1 ORDER BY accepted_at LIMIT ?2",
        )?
        .query_map([before, limit], |row| columns::parsed(row, "id"))?
        .collect::<Result<_>>()?;
    let mut clear =
        connection.prepare_cached("UPDATE delivery_row SET answer_headers = NULL, answer_body = NULL WHERE id = ?1")?;
    for delivery in &deliveries {
        clear.execute([delivery.to_string()])?;
    }
    Ok(deliveries.into_iter().map(DeliveryId).collect())
}
