//! Sending again, in SQL: what a person has to decide for that, the change, and its line, in one transaction.

use super::batch::Batch;
use super::columns::{self, money, parsed};
use super::{Sqlite, at_once, audit, events, price, read};
use crate::domain::money::Money;
use crate::domain::reason::Reason;
use crate::journal::audit::{Act, Action, Audit};
use crate::journal::overrides::{Needed, Override, Overrides, Price, Redelivered, Redeliveries, Redelivery};
use crate::journal::{BoxFuture, EntryId, Search};
use rusqlite::{Connection, OptionalExtension, Result, params};

impl Redeliveries for Sqlite {
    fn redeliver(&self, redelivery: Redelivery) -> BoxFuture<'_, Redelivered> {
        self.ask(|reply| super::Op::Redeliver { redelivery: Box::new(redelivery), reply })
    }

    fn needed(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Needed>> {
        self.read(move |connection| {
            let now = crate::domain::clock::now().as_millisecond();
            let entries = read::entries(connection, &search, limit, SENDABLE, now)?;
            entries.into_iter().map(|entry| needed(connection, entry)).collect()
        })
    }
}

/// What can be sent again, once for each delivery: the latest claim that was confirmed, or else the latest. What is
/// closed has nothing left to send.
const SENDABLE: &str = "AND state <> 'closed' AND NOT EXISTS (
        SELECT 1 FROM entry AS other
        WHERE other.\"order\" = entry.\"order\" AND other.delivery = entry.delivery AND other.state <> 'closed'
            AND (other.transaction_id IS NOT NULL, other.id) > (entry.transaction_id IS NOT NULL, entry.id))
    ORDER BY id";

fn needed(connection: &Connection, entry: EntryId) -> Result<Needed> {
    connection
        .prepare_cached(
            "SELECT entry.*, state = 'accepted'
                     OR delivery_row.accepted_at NOT NULL AND ifnull(delivery_row.transaction_id = entry.transaction_id, 1)
                 AS was_accepted
             FROM entry LEFT JOIN delivery_row ON delivery_row.id = entry.delivery WHERE entry.id = ?1",
        )?
        .query_row([entry.0], |row| {
            let (reason, paid) = (columns::reason(row, "reason")?, money(row, "total_fee", "fee_type")?);
            let is_found = columns::origin(row)?.is_found();
            let listed = price::of(connection, row)?;
            let billed = money(row, "claimed_total_fee", "claimed_fee_type")?.filter(|_| is_found);
            let billed = billed.map(|amount| Price { amount, source: Price::BILL.to_owned(), listed_at: None });
            // Of what differs the source is told first, since a person set that price.
            let is_other = |price: &Price| paid.is_some_and(|paid| paid != price.amount);
            let other = [&listed, &billed].into_iter().flatten().find(|price| is_other(price)).cloned();
            let unpaid_but_other = paid.is_none()
                && (reason == Some(Reason::ExpectedAmountDiffers)
                    || (is_found && reason == Some(Reason::AmountDiffers)));
            let needs = Overrides::NONE
                .with(Override::Amount, other.is_some() || unpaid_but_other)
                .with(Override::Accepted, row.get("was_accepted")?)
                .with(Override::SecondPayment, reason == Some(Reason::SecondPayment));
            let price = other.or(listed).or(billed);
            Ok(Needed { entry, channel: parsed(row, "channel")?, order: parsed(row, "order")?, needs, paid, price })
        })
}

/// Makes due what is wanted, and keeps a line of it.
pub(super) fn redeliver(batch: &Batch<'_>, wanted: &Redelivery, at: i64) -> Result<Redelivered> {
    let Redelivery { search, limit, given, because, leave_out, by } = wanted;
    let entries = read::entries(batch, search, *limit, SENDABLE, at)?;
    let mut done = Redelivered { last: entries.last().copied(), ..Redelivered::default() };
    let all = entries.into_iter().map(|entry| needed(batch, entry)).collect::<Result<Vec<_>>>()?;
    if all.is_empty() {
        return Ok(done);
    }
    let needs = all.iter().fold(Overrides::NONE, |needs, one| needs.and(one.needs));
    let (free, held): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.needs.without(*given).is_empty());
    done.held = held;
    if !leave_out {
        done.unneeded = given.without(needs);
        if !(done.unneeded.is_empty() && done.held.is_empty()) {
            return Ok(done);
        }
    }
    let mut change = batch.prepare_cached(
        "UPDATE entry SET state = CASE WHEN transaction_id IS NULL THEN 'asking' ELSE 'delivering' END,
             rank = CASE WHEN transaction_id IS NULL THEN rank ELSE 5 END,
             since = ?2, due_at = ?2, tries = 0, asked_for = 1, overrides = ?3 WHERE id = ?1",
    )?;
    for one in &free {
        at_once::unfold(batch, one.entry)?;
        batch.change(one.entry, || change.execute(params![one.entry.0, at, one.needs.bits()]))?;
        if one.needs.has(Override::Amount) {
            price::keep(batch, one.entry)?;
        }
        events::add(batch, one.entry, at, "asked-for", None, None)?;
    }
    done.entries = free.iter().map(|one| one.entry).collect();
    if !free.is_empty() {
        let line = Audit {
            by: by.clone(),
            action: Action::Act(Act::Redeliver),
            channel: search.channel,
            order: search.order_id.or(search.order),
            entries: done.entries.clone(),
            outcome: outcome(*given, &free),
            because: because.clone(),
        };
        audit::keep(batch, &line, at)?;
    }
    Ok(done)
}

/// What a person had delivered is accepted: other claims that were held with the same payment of the same delivery are
/// done too.
pub(super) fn settle(batch: &Batch<'_>, entry: EntryId, at: i64) -> Result<()> {
    let asked_for: Option<bool> = batch
        .prepare_cached("SELECT asked_for FROM entry WHERE id = ?1")?
        .query_row([entry.0], |row| row.get(0))
        .optional()?;
    if asked_for != Some(true) {
        return Ok(());
    }
    let others = batch
        .prepare_cached(
            "SELECT id FROM entry WHERE state = 'parked' AND id <> ?1 AND ifnull(reason, '') <> 'parked-by-operator'
                 AND (\"order\", delivery, transaction_id) = (
                     SELECT \"order\", delivery, transaction_id FROM entry WHERE id = ?1)",
        )?
        .query_map([entry.0], |row| row.get(0).map(EntryId))?
        .collect::<Result<Vec<_>>>()?;
    let mut settle =
        batch.prepare_cached("UPDATE entry SET state = 'accepted', reason = 'paid', since = ?2 WHERE id = ?1")?;
    for other in others {
        batch.change(other, || settle.execute(params![other.0, at]))?;
        events::add(batch, other, at, "found", Some(Reason::Paid), None)?;
    }
    Ok(())
}

/// `override amount: paid 1, expected 990`.
fn outcome(given: Overrides, all: &[Needed]) -> Option<String> {
    if given.is_empty() {
        return None;
    }
    let amounts = all.iter().filter(|one| one.needs.has(Override::Amount)).map(|one| {
        let told = |amount: Option<Money>| amount.map_or_else(|| "unknown".to_owned(), |amount| amount.fen.to_string());
        format!("paid {}, expected {}", told(one.paid), told(one.price.as_ref().map(|price| price.amount)))
    });
    let mut amounts: Vec<String> = amounts.collect();
    amounts.dedup();
    let amounts = if amounts.is_empty() { String::new() } else { format!(": {}", amounts.join("; ")) };
    Some(format!("override {given}{amounts}"))
}
