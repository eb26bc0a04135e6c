//! What is held, by why it is: all of it is counted, in one pass, so that every number that is told of it is the same.

use super::columns::{self, count, get, money, parsed};
use super::database::Tx;
use super::error::Error;
use super::kinds::{KINDS, Kind, OF_KIND, kinds_in, of_kinds};
use super::statement::Statement;
use crate::domain::money::{Fen, Money};
use crate::domain::order::{ChannelId, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::history::HeldGroup;
use crate::journal::view::Filter;
use crate::journal::{Figures, State};
use std::collections::{BTreeMap, HashSet};
use tokio_postgres::Row;

/// Of so many that are being delivered at most it is looked up what came of sending each the last time.
const TOLD_APART: u64 = 50_000;

/// States in which something is held, in the order in which it is counted.
const HELD: [State; 3] = [State::Delivering, State::Parked, State::Asking];

/// Confirmed entries of kinds; with each whether its payment is open: neither refunded nor accepted with any entry; and what
/// came of sending it the last time that something is known of, if it was not accepted.
fn confirmed_text(are_told_apart: bool) -> String {
    let failure = "SELECT CASE WHEN attempt.accepted THEN NULL
                ELSE coalesce(attempt.reason, CASE WHEN attempt.status IS NOT NULL THEN 'not-accepted' END) END AS reason
            FROM ~attempt attempt
            WHERE attempt.bucket = entry.bucket AND attempt.entry = entry.id AND attempt.ended_at IS NOT NULL
                AND entry.state = 'delivering' AND entry.reason <> 'window-over'
            ORDER BY attempt.attempt DESC, attempt.id DESC LIMIT 1";
    let failure = if are_told_apart { format!("({failure})") } else { "NULL::text".to_owned() };
    format!(
        "SELECT entry.state, entry.channel, entry.reason, entry.transaction_id, entry.total_fee, entry.fee_type,
            coalesce(entry.paid_at, entry.confirmed_at) AS since, {failure} AS failure,
            entry.trade_state <> 'REFUND' AND NOT EXISTS (
                SELECT 1 FROM ~entry other
                LEFT JOIN ~delivery delivery ON delivery.bucket = other.bucket AND delivery.id = other.delivery
                WHERE other.transaction_id = entry.transaction_id
                    AND (other.state = 'accepted' OR delivery.transaction_id = entry.transaction_id)) AS open
         FROM {KINDS} JOIN ~entry entry ON {OF_KIND}
         WHERE kind.confirmed ORDER BY kind.place, entry.received_at, entry.id"
    )
}

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
pub(super) async fn count_held(tx: &Tx<'_>, figures: &mut Figures) -> Result<Option<i64>, Error> {
    let are_told_apart = figures.in_state(State::Delivering) <= TOLD_APART;
    let all = kinds_in(tx, &HELD, &Filter::default()).await?;
    let mut held = Count::default();
    let confirmed = of_kinds(Statement::of(confirmed_text(are_told_apart)), all.iter());
    for row in tx.slowly(confirmed).await? {
        held.confirmed(&row)?;
    }
    let unconfirmed = format!(
        "SELECT kind.place, (SELECT count(*) FROM ~entry entry WHERE {OF_KIND}) AS n FROM {KINDS} WHERE NOT kind.confirmed"
    );
    for row in tx.slowly(of_kinds(Statement::of(unconfirmed), all.iter())).await? {
        let place: i64 = get(&row, "place")?;
        let kind = usize::try_from(place - 1).ok().and_then(|place| all.get(place));
        kind.map_or(Ok(()), |kind| held.unconfirmed(kind, count(&row, "n")?))?;
    }
    figures.waiting = held.waiting.into_iter().filter(|(_, orders)| *orders > 0).collect();
    figures.paid_not_accepted = held.open.len() as u64;
    figures.paid_not_accepted_sums = held.sums;
    figures.held = held.groups.into_values().filter(|group| group.count > 0).collect();
    Ok(held.oldest)
}

impl Count {
    /// Counts one that is confirmed.
    fn confirmed(&mut self, row: &Row) -> Result<(), Error> {
        let (state, reason) = (columns::state(row)?, columns::reason(row, "reason")?);
        let is_open: bool = get(row, "open")?;
        if is_open && !self.open.insert(parsed(row, "transaction_id")?) {
            return Ok(());
        }
        let amount = money(row, "total_fee", "fee_type")?.filter(|_| is_open);
        let group = self.group(state, columns::reason(row, "failure")?.or(reason));
        group.count += 1;
        amount.into_iter().for_each(|amount| add(&mut group.sums, amount));
        amount.into_iter().for_each(|amount| add(&mut self.sums, amount));
        let since: Option<i64> = get(row, "since")?;
        self.oldest = self.oldest.into_iter().chain(since.filter(|_| is_open)).min();
        self.wait(state, get(row, "channel")?, 1);
        Ok(())
    }

    /// Adds entries that are not confirmed.
    fn unconfirmed(&mut self, kind: &Kind, orders: u64) -> Result<(), Error> {
        let state = State::from_name(&kind.state).ok_or(Error::Damaged("state"))?;
        self.group(state, Reason::from_code(&kind.reason)).count += orders;
        self.wait(state, &kind.channel, orders);
        Ok(())
    }

    /// So many wait for their channel's upstream, if they are being delivered.
    fn wait(&mut self, state: State, channel: &str, orders: u64) {
        if let Some(channel) = ChannelId::parse(channel).ok().filter(|_| state == State::Delivering) {
            *self.waiting.entry(channel).or_default() += orders;
        }
    }

    fn group(&mut self, state: State, reason: Option<Reason>) -> &mut HeldGroup {
        let key = (state as u8, reason.map(Reason::code));
        self.groups.entry(key).or_insert_with(|| HeldGroup { state, reason, count: 0, sums: Vec::new() })
    }
}

/// Adds an amount to the sum of its currency.
fn add(sums: &mut Vec<Money>, amount: Money) {
    let of = |sum: &&mut Money| sum.currency == amount.currency;
    match sums.iter_mut().find(of) {
        Some(sum) => sum.fen = Fen(sum.fen.0.saturating_add(amount.fen.0)),
        None => sums.push(amount),
    }
}
