//! The kinds of entries that there are: what entries can have in common that lists are filtered by. There are few of
//! them, however many entries there are, and they are found by jumping from one to the next in the index `entry_list`.

use super::columns::get;
use super::database::Tx;
use super::error::Error;
use super::statement::{List, Statement};
use crate::journal::State;
use crate::journal::view::Filter;
use tokio_postgres::Row;

/// What entries of one kind have in common; the reason is empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) state: String,
    pub(super) channel: String,
    pub(super) reason: String,
    pub(super) origin: String,
    /// Whether a payment was confirmed.
    pub(super) confirmed: bool,
}

/// Entries of a kind, where `kind` has its columns.
pub(super) const OF_KIND: &str =
    "entry.state = kind.state AND entry.channel = kind.channel AND entry.reason = kind.reason
        AND entry.origin = kind.origin AND (entry.transaction_id IS NOT NULL) = kind.confirmed";

/// The kinds of a statement, from its first five values on.
pub(super) const KINDS: &str = "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[])
        WITH ORDINALITY AS kind (state, channel, reason, origin, confirmed, place)";

/// Those that a filter wants, whatever it wants besides.
pub(super) async fn kinds(tx: &Tx<'_>, filter: &Filter) -> Result<Vec<Kind>, Error> {
    kinds_in(tx, &filter.state.map_or_else(|| State::ALL.to_vec(), |state| vec![state]), filter).await
}

/// Those in one of these states that a filter wants.
pub(super) async fn kinds_in(tx: &Tx<'_>, states: &[State], filter: &Filter) -> Result<Vec<Kind>, Error> {
    let states: Vec<&'static str> = states.iter().map(|state| state.as_str()).collect();
    let channel = filter.channel.as_ref().map(|channel| channel.as_str().to_owned());
    let statement = Statement::of(text(channel.is_some())).with(List(states));
    let statement = match channel {
        Some(channel) => statement.with(channel),
        None => statement,
    };
    let all = tx.rows(statement).await?.iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|kind| kind.is_wanted(filter)).collect())
}

/// The columns that tell kinds apart.
const KIND: &str =
    "entry.state, entry.channel, entry.reason, entry.origin, (entry.transaction_id IS NOT NULL) AS confirmed";

fn text(of_channel: bool) -> String {
    let of_channel = if of_channel { "AND entry.channel = $2" } else { "" };
    let order = "ORDER BY entry.channel, entry.reason, entry.origin, (entry.transaction_id IS NOT NULL) LIMIT 1";
    format!(
        "WITH RECURSIVE kind (state, channel, reason, origin, confirmed) AS (
            SELECT first.state, first.channel, first.reason, first.origin, first.confirmed
            FROM unnest($1::text[]) AS wanted (state) CROSS JOIN LATERAL (
                SELECT {KIND} FROM ~entry entry WHERE entry.state = wanted.state {of_channel} {order}) first
            UNION ALL
            SELECT next.state, next.channel, next.reason, next.origin, next.confirmed FROM kind CROSS JOIN LATERAL (
                SELECT {KIND} FROM ~entry entry WHERE entry.state = kind.state {of_channel}
                    AND (entry.channel, entry.reason, entry.origin, (entry.transaction_id IS NOT NULL))
                        > (kind.channel, kind.reason, kind.origin, kind.confirmed) {order}) next)
         SELECT kind.*, array_position($1::text[], kind.state::text) AS place FROM kind
         ORDER BY place, channel, reason, origin, confirmed"
    )
}

fn kind(row: &Row) -> Result<Kind, Error> {
    Ok(Kind {
        state: get(row, "state")?,
        channel: get(row, "channel")?,
        reason: get(row, "reason")?,
        origin: get(row, "origin")?,
        confirmed: get(row, "confirmed")?,
    })
}

impl Kind {
    /// Whether a filter wants it.
    pub(super) fn is_wanted(&self, filter: &Filter) -> bool {
        filter.state.is_none_or(|state| self.state == state.as_str())
            && filter.channel.is_none_or(|channel| self.channel == channel.as_str())
            && filter.reason.is_none_or(|reason| self.reason == reason.code())
            && filter.origin.is_none_or(|origin| self.origin == origin.as_str())
            && (self.confirmed || !filter.confirmed)
    }
}

/// Adds kinds to a statement whose text has [`KINDS`].
pub(super) fn of_kinds<'k>(statement: Statement, kinds: impl Iterator<Item = &'k Kind> + Clone) -> Statement {
    let texts = |column: fn(&Kind) -> &String| List(kinds.clone().map(|kind| column(kind).clone()).collect::<Vec<_>>());
    statement
        .with(texts(|kind| &kind.state))
        .with(texts(|kind| &kind.channel))
        .with(texts(|kind| &kind.reason))
        .with(texts(|kind| &kind.origin))
        .with(List(kinds.clone().map(|kind| kind.confirmed).collect::<Vec<_>>()))
}
