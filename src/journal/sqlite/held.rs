//! What is held, by why it is: all of it is counted, in one pass, so that every number that is told of it is the same.

use super::columns::{self, count, money, parsed};
use super::kinds::{Kind, kinds};
use crate::domain::money::{Fen, Money};
use crate::domain::order::{ChannelId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::history::HeldGroup;
use crate::journal::view::Filter;
use crate::journal::{Figures, State};
use rusqlite::{Connection, Result};
use std::collections::{BTreeMap, HashSet};

/// Of so many that are being delivered at most it is looked up what came of sending each the last time.
const TOLD_APART: u64 = 50_000;

/// Confirmed entries of one kind; with each whether its payment is open: neither refunded nor accepted with any entry.
const CONFIRMED: &str = "SELECT id, transaction_id, total_fee, fee_type, ifnull(paid_at, confirmed_at) AS since,
        trade_state <> 'REFUND' AND NOT EXISTS (
            SELECT 1 FROM entry AS other LEFT JOIN delivery_row ON delivery_row.id = other.delivery
            WHERE other.transaction_id = entry.transaction_id
                AND (other.state = 'accepted' OR delivery_row.transaction_id = entry.transaction_id)) AS open
    FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4 AND (transaction_id IS NOT NULL) = 1";

/// Those that are not confirmed.
const UNCONFIRMED: &str = "SELECT count(*) AS n FROM entry INDEXED BY entry_list
    WHERE state = ?1 AND channel = ?2 AND ifnull(reason, '') = ?3 AND origin = ?4 AND (transaction_id IS NOT NULL) = 0";

/// What came of sending an entry the last time that something is known of, if it was not accepted.
const LAST_FAILURE: &str =
    "SELECT CASE WHEN accepted THEN NULL ELSE ifnull(reason, CASE WHEN status NOT NULL THEN 'not-accepted' END) END AS reason
    FROM attempt_row WHERE entry = ?1 AND ended_at NOT NULL ORDER BY attempt DESC, id DESC LIMIT 1";

/// What is counted of what is held.
#[derive(Debug, Default)]
struct Count {
    groups: BTreeMap<(u8, Option<&'static str>), HeldGroup>,
    /// Payments that were counted. Claims may have one in common.
    open: HashSet<TransactionId>,
    sums: Vec<Money>,
    /// What waits for each channel's upstream.
    waiting: BTreeMap<ChannelId, u64>,
    /// Since when the oldest of them is paid, in milliseconds.
    oldest: Option<i64>,
}

/// Counts it. Returns since when the oldest payment is paid that was not accepted, in milliseconds.
pub(super) fn count_held(connection: &Connection, figures: &mut Figures) -> Result<Option<i64>> {
    let are_told_apart = figures.in_state(State::Delivering) <= TOLD_APART;
    let mut held = Count::default();
    for state in [State::Delivering, State::Parked, State::Asking] {
        for kind in kinds(connection, &Filter { state: Some(state), ..Filter::default() })? {
            let orders = if kind.confirmed {
                held.confirmed(connection, state, &kind, are_told_apart)?
            } else {
                held.unconfirmed(connection, state, &kind)?
            };
            if let Some(channel) = ChannelId::parse(&kind.channel).ok().filter(|_| state == State::Delivering) {
                *held.waiting.entry(channel).or_default() += orders;
            }
        }
    }
    figures.waiting = held.waiting.into_iter().filter(|(_, orders)| *orders > 0).collect();
    figures.paid_not_accepted = held.open.len() as u64;
    figures.paid_not_accepted_sums = held.sums;
    figures.held = held.groups.into_values().filter(|group| group.count > 0).collect();
    Ok(held.oldest)
}

impl Count {
    /// Counts those of one kind. Returns how many were.
    fn confirmed(&mut self, connection: &Connection, state: State, kind: &Kind, are_told_apart: bool) -> Result<u64> {
        let reason = Reason::from_code(&kind.reason);
        let mut orders = 0;
        let mut entries = connection.prepare_cached(CONFIRMED)?;
        let mut rows = entries.query([&kind.state, &kind.channel, &kind.reason, &kind.origin])?;
        while let Some(row) = rows.next()? {
            let is_open: bool = row.get("open")?;
            if is_open && !self.open.insert(parsed(row, "transaction_id")?) {
                continue;
            }
            let is_sent = state == State::Delivering && reason != Some(Reason::WindowOver);
            let failure = if is_sent && are_told_apart { last_failure(connection, row.get("id")?)? } else { None };
            let amount = money(row, "total_fee", "fee_type")?.filter(|_| is_open);
            let group = self.group(state, failure.or(reason));
            group.count += 1;
            orders += 1;
            amount.into_iter().for_each(|amount| add(&mut group.sums, amount));
            amount.into_iter().for_each(|amount| add(&mut self.sums, amount));
            let since: Option<i64> = row.get("since")?;
            self.oldest = self.oldest.into_iter().chain(since.filter(|_| is_open)).min();
        }
        Ok(orders)
    }

    /// Adds entries that are not confirmed.
    fn unconfirmed(&mut self, connection: &Connection, state: State, kind: &Kind) -> Result<u64> {
        let values = [&kind.state, &kind.channel, &kind.reason, &kind.origin];
        let orders = connection.prepare_cached(UNCONFIRMED)?.query_row(values, |row| count(row, "n"))?;
        self.group(state, Reason::from_code(&kind.reason)).count += orders;
        Ok(orders)
    }

    fn group(&mut self, state: State, reason: Option<Reason>) -> &mut HeldGroup {
        let key = (state as u8, reason.map(Reason::code));
        self.groups.entry(key).or_insert_with(|| HeldGroup { state, reason, count: 0, sums: Vec::new() })
    }
}

fn last_failure(connection: &Connection, entry: i64) -> Result<Option<Reason>> {
    let mut last = connection.prepare_cached(LAST_FAILURE)?;
    let mut rows = last.query([entry])?;
    rows.next()?.map_or(Ok(None), |row| columns::reason(row, "reason"))
}

/// Adds an amount to the sum of its currency.
fn add(sums: &mut Vec<Money>, amount: Money) {
    let of = |sum: &&mut Money| sum.currency == amount.currency;
    match sums.iter_mut().find(of) {
        Some(sum) => sum.fen = Fen(sum.fen.0.saturating_add(amount.fen.0)),
        None => sums.push(amount),
    }
}
