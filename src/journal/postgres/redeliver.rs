//! Sending again, in SQL: what a person has to decide for that, the change, and its line, in one transaction.

use super::changed::{all_of, tell};
use super::columns::{self, get, money, number, parsed};
use super::database::Tx;
use super::error::Error;
use super::read::{self, of_entries};
use super::statement::{List, Statement};
use super::trail::{self, Line};
use super::{Postgres, find};
use crate::domain::money::Money;
use crate::domain::order::OutTradeNo;
use crate::domain::reason::Reason;
use crate::journal::audit::{Act, Action, Audit};
use crate::journal::overrides::{Needed, Override, Overrides, Price, Redelivered, Redeliveries, Redelivery};
use crate::journal::{BoxFuture, EntryId, JournalError, Queue, Search};
use std::sync::Arc;
use tokio_postgres::Row;

impl Redeliveries for Postgres {
    fn redeliver(&self, redelivery: Redelivery) -> BoxFuture<'_, Redelivered> {
        Box::pin(redeliver(self, redelivery))
    }

    fn needed(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Needed>> {
        self.database.read(move |tx| {
            Box::pin(async move {
                let all = looked_at(tx, &search, limit).await?;
                Ok(all.into_iter().map(|one| one.needed).collect())
            })
        })
    }
}

/// What can be sent again, once for each delivery: the latest claim that was confirmed, or else the latest. What is
/// closed has nothing left to send.
const SENDABLE: &str = "AND entry.state <> 'closed' AND NOT EXISTS (
        SELECT 1 FROM ~entry other
        WHERE other.bucket = entry.bucket AND other.\"order\" = entry.\"order\" AND other.delivery = entry.delivery
            AND other.state <> 'closed'
            AND (other.transaction_id IS NOT NULL, other.id) > (entry.transaction_id IS NOT NULL, entry.id))
    ORDER BY entry.id";

const NEEDED: &str = "SELECT entry.*, entry.state = 'accepted' OR (delivery.accepted_at IS NOT NULL
            AND coalesce(delivery.transaction_id = entry.transaction_id, true)) AS was_accepted
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id
    LEFT JOIN ~delivery delivery ON delivery.bucket = entry.bucket AND delivery.id = entry.delivery
    ORDER BY wanted.place";

/// An entry that would be sent, and how it was when that was found out.
#[derive(Debug)]
struct LookedAt {
    needed: Needed,
    /// What a source says now that it costs.
    listed: Option<Price>,
    state: String,
    reason: String,
    transaction_id: Option<String>,
}

/// What can be sent of what matches.
async fn looked_at(tx: &Tx<'_>, search: &Search, limit: usize) -> Result<Vec<LookedAt>, Error> {
    let entries = find::entries(tx, search, limit, SENDABLE).await?;
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.rows(of_entries(Statement::of(NEEDED), &entries)).await?;
    let numbers: Vec<(_, OutTradeNo)> = rows
        .iter()
        .map(|row| Ok((parsed(row, "channel")?, parsed(row, "out_trade_no")?)))
        .collect::<Result<_, Error>>()?;
    let listed = tx.rows(read::listed(numbers.iter().map(|(channel, number)| (channel, number)))).await?;
    let listed = read::prices(&listed, rows.iter().map(|_| None).collect())?;
    rows.iter().zip(listed).map(|(row, listed)| looked(row, listed)).collect()
}

fn looked(row: &Row, listed: Option<Price>) -> Result<LookedAt, Error> {
    Ok(LookedAt {
        needed: needed(row, listed.clone().or(read::expected(row)?))?,
        listed,
        state: get(row, "state")?,
        reason: get(row, "reason")?,
        transaction_id: get(row, "transaction_id")?,
    })
}

/// What would have to be decided of an entry whose order costs this by a source.
fn needed(row: &Row, listed: Option<Price>) -> Result<Needed, Error> {
    let (reason, paid) = (columns::reason(row, "reason")?, money(row, "total_fee", "fee_type")?);
    let is_found = columns::origin(row)?.is_found();
    let billed = money(row, "claimed_total_fee", "claimed_fee_type")?.filter(|_| is_found);
    let billed = billed.map(|amount| Price { amount, source: Price::BILL.to_owned(), listed_at: None });
    // Of what differs the source is told first, since a person set that price.
    let is_other = |price: &Price| paid.is_some_and(|paid| paid != price.amount);
    let other = [&listed, &billed].into_iter().flatten().find(|price| is_other(price)).cloned();
    let unpaid_but_other = paid.is_none()
        && (reason == Some(Reason::ExpectedAmountDiffers) || (is_found && reason == Some(Reason::AmountDiffers)));
    let needs = Overrides::NONE
        .with(Override::Amount, other.is_some() || unpaid_but_other)
        .with(Override::Accepted, get(row, "was_accepted")?)
        .with(Override::SecondPayment, reason == Some(Reason::SecondPayment));
    Ok(Needed {
        entry: columns::entry(row, "id")?,
        channel: parsed(row, "channel")?,
        order: parsed(row, "order")?,
        needs,
        paid,
        price: other.or(listed).or(billed),
    })
}

/// Makes due what is wanted, and keeps a line of it.
pub(super) async fn redeliver(store: &Postgres, wanted: Redelivery) -> Result<Redelivered, JournalError> {
    // What was said before comes first.
    store.flush().await?;
    let (line, wanted) = (Line::of(store), Arc::new(wanted));
    let done = store.database.write(move |tx| {
        let (line, wanted) = (line.clone(), Arc::clone(&wanted));
        Box::pin(async move { make_due(tx, &wanted, &line).await })
    });
    done.await
}

async fn make_due(tx: &Tx<'_>, wanted: &Redelivery, line: &Line) -> Result<Redelivered, Error> {
    let Redelivery { search, limit, given, because, leave_out, by } = wanted;
    let all = looked_at(tx, search, *limit).await?;
    let mut done = Redelivered { last: all.last().map(|one| one.needed.entry), ..Redelivered::default() };
    if all.is_empty() {
        return Ok(done);
    }
    let needs = all.iter().fold(Overrides::NONE, |needs, one| needs.and(one.needed.needs));
    let (free, held): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.needed.needs.without(*given).is_empty());
    done.held = held.into_iter().map(|one| one.needed).collect();
    if !leave_out {
        done.unneeded = given.without(needs);
        if !(done.unneeded.is_empty() && done.held.is_empty()) {
            return Ok(done);
        }
    }
    if free.is_empty() {
        return Ok(done);
    }
    done.entries = free.iter().map(|one| one.needed.entry).collect();
    all_of(&done.entries, &tx.rows(change(&free)).await?)?;
    keep_prices(tx, &free).await?;
    tell(tx, &done.entries, "asked-for", None, line).await?;
    let told = Audit {
        by: by.clone(),
        action: Action::Act(Act::Redeliver),
        channel: search.channel,
        order: search.order_id.or(search.order),
        entries: done.entries.clone(),
        outcome: outcome(*given, free.iter().map(|one| &one.needed)),
        because: because.clone(),
    };
    trail::keep(tx, &told, line).await?;
    Ok(done)
}

const CHANGE: &str = "UPDATE ~entry AS entry
    SET state = CASE WHEN entry.transaction_id IS NULL THEN 'asking' ELSE 'delivering' END,
        rank = CASE WHEN entry.transaction_id IS NULL THEN entry.rank ELSE 5 END,
        since = @now, due_at = @now, tries = 0, asked_for = true, overrides = seen.overrides
    FROM unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
        AS seen (bucket, id, overrides, state, reason, transaction_id)
    WHERE entry.bucket = seen.bucket AND entry.id = seen.id AND entry.state = seen.state AND entry.reason = seen.reason
        AND entry.transaction_id IS NOT DISTINCT FROM seen.transaction_id
    RETURNING entry.id";

/// Makes due what is as it was when it was looked at.
fn change(all: &[LookedAt]) -> Statement {
    let entries: Vec<EntryId> = all.iter().map(|one| one.needed.entry).collect();
    of_entries(Statement::of(CHANGE), &entries)
        .with(List(all.iter().map(|one| i16::from(one.needed.needs.bits())).collect::<Vec<_>>()))
        .with(List(all.iter().map(|one| one.state.clone()).collect::<Vec<_>>()))
        .with(List(all.iter().map(|one| one.reason.clone()).collect::<Vec<_>>()))
        .with(List(all.iter().map(|one| one.transaction_id.clone()).collect::<Vec<_>>()))
}

const KEEP_PRICES: &str = "UPDATE ~entry AS entry
    SET expected_fee = price.fee, expected_source = price.source, expected_at = price.listed_at
    FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
        AS price (bucket, id, fee, source, listed_at)
    WHERE entry.bucket = price.bucket AND entry.id = price.id";

/// Keeps what orders cost that were paid at another price.
async fn keep_prices(tx: &Tx<'_>, all: &[LookedAt]) -> Result<(), Error> {
    let differ = all.iter().filter(|one| one.needed.needs.has(Override::Amount));
    let prices: Vec<(EntryId, &Price)> =
        differ.filter_map(|one| one.listed.as_ref().map(|price| (one.needed.entry, price))).collect();
    if prices.is_empty() {
        return Ok(());
    }
    let entries: Vec<EntryId> = prices.iter().map(|(entry, _)| *entry).collect();
    let listed_at = prices.iter().map(|(_, price)| price.listed_at.map(|at| at.as_millisecond()));
    let keep = of_entries(Statement::of(KEEP_PRICES), &entries)
        .with(List(prices.iter().map(|(_, price)| number(price.amount.fen.0)).collect::<Vec<_>>()))
        .with(List(prices.iter().map(|(_, price)| price.source.clone()).collect::<Vec<_>>()))
        .with(List(listed_at.collect::<Vec<_>>()));
    tx.rows(keep).await.map(drop)
}

/// `override amount: paid 1, expected 990`.
fn outcome<'n>(given: Overrides, all: impl Iterator<Item = &'n Needed>) -> Option<String> {
    if given.is_empty() {
        return None;
    }
    let amounts = all.filter(|one| one.needs.has(Override::Amount)).map(|one| {
        let told = |amount: Option<Money>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.fen.to_string());
        format!("paid {}, expected {}", told(one.paid), told(one.price.as_ref().map(|price| price.amount)))
    });
    let mut amounts: Vec<String> = amounts.collect();
    amounts.dedup();
    let amounts = if amounts.is_empty() { String::new() } else { format!(": {}", amounts.join("; ")) };
    Some(format!("override {given}{amounts}"))
}
