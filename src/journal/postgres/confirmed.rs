//! The latest confirmed callbacks, in SQL.

use super::columns::{at_most, callback};
use super::database::Tx;
use super::error::Error;
use super::kinds::{KINDS, OF_KIND, kinds_in, of_kinds};
use super::statement::Statement;
use crate::domain::reason::Reason;
use crate::journal::view::Filter;
use crate::journal::{Callback, Origin, State};

/// The latest confirmed callbacks of each channel.
pub(super) async fn confirmed(tx: &Tx<'_>, limit: usize) -> Result<Vec<Callback>, Error> {
    let (origin, reason) = (Some(Origin::Callback), Some(Reason::Paid));
    let filter = Filter { origin, reason, confirmed: true, ..Filter::default() };
    let all = kinds_in(tx, &[State::Delivering, State::Accepted], &filter).await?;
    let text = format!(
        "SELECT latest.*, request.peer, request.tls, request.method, request.target, request.headers, request.body,
             request.inflated
         FROM {KINDS} CROSS JOIN LATERAL (
             SELECT entry.* FROM ~entry entry WHERE {OF_KIND} ORDER BY entry.received_at DESC, entry.id DESC LIMIT $6) latest
         LEFT JOIN ~request request ON request.bucket = latest.bucket AND request.entry = latest.id
         ORDER BY kind.place, latest.received_at DESC, latest.id DESC"
    );
    tx.take_time().await?;
    let latest = tx.slowly(of_kinds(Statement::of(text), all.iter()).with(at_most(limit))).await?;
    // A damaged one is told of by whoever has to do with it.
    Ok(latest.iter().filter_map(|row| callback(row).ok()).collect())
}
