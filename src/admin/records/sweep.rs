//! Sweeps, and the rows behind their numbers.

use super::{time, words};
use crate::domain::reason::Reason;
use crate::journal::State;
use crate::journal::sweeps::{self, Outcome, RowRecord};
use serde::Serialize;
use utoipa::ToSchema;

/// One comparison of a merchant's bill of one day with what was accepted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sweep {
    /// Its number.
    pub sweep: i64,
    /// Whose bill.
    pub mch_id: String,
    /// Of which day, in Beijing.
    #[schema(format = Date)]
    pub bill_date: String,
    /// Which channels.
    pub channels: Vec<String>,
    /// The day whose schedule wants it; null if an operator does.
    pub due_on: Option<String>,
    /// Whether nothing is asked or delivered.
    pub dry_run: bool,
    /// How far it is.
    #[schema(value_type = words::Progress)]
    pub state: &'static str,
    /// What is in its way, or was odd about the bill.
    pub problem: Option<String>,
    /// When it was asked for.
    #[schema(value_type = words::Time)]
    pub asked_at: String,
    /// When it began the last time.
    #[schema(value_type = Option<words::Time>)]
    pub began_at: Option<String>,
    /// When it ended.
    #[schema(value_type = Option<words::Time>)]
    pub ended_at: Option<String>,
    /// When it is tried, if not now.
    #[schema(value_type = Option<words::Time>)]
    pub again_at: Option<String>,
    /// Rows of the bill.
    pub rows: u64,
    /// Payments among them.
    pub paid: u64,
    /// Refunds among them.
    pub refunds: u64,
    /// Rows that are neither.
    pub others: u64,
    /// Rows that cannot be read.
    pub malformed: u64,
    /// Payments of no channel that is swept.
    pub not_ours: u64,
    /// Payments whose delivery was accepted before.
    pub accepted_before: u64,
    /// Payments that are being delivered.
    pub under_way: u64,
    /// Payments that were parked before.
    pub parked_before: u64,
    /// Payments whose order nobody has named.
    pub unknown_order: u64,
    /// Payments that were not delivered, and are followed up.
    pub found: u64,
}

/// What became of orders that a sweep found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SweepOutcome {
    /// How their entries stand; null in a dry run.
    #[schema(value_type = Option<words::State>)]
    pub state: Option<&'static str>,
    /// Why.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<&'static str>,
    /// How many.
    pub orders: u64,
    /// How many of them the follow-up has not tried yet.
    pub not_yet_tried: u64,
}

/// A row of the bill that is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SweepRow {
    /// Its line, from 1.
    pub line: u64,
    /// What it is.
    #[schema(value_type = words::RowKind)]
    pub what: &'static str,
    /// The channel, if one is swept that it belongs to.
    pub channel: Option<String>,
    /// The order on that channel.
    pub order: Option<String>,
    /// The merchant's number of it.
    pub out_trade_no: Option<String>,
    /// WeChat Pay's number of the payment.
    pub transaction_id: Option<String>,
    /// What was paid, in fen.
    pub total_fee: Option<u64>,
    /// Of which currency.
    pub fee_type: Option<String>,
    /// Whether the same bill has a refund of it.
    pub refunded: Option<bool>,
    /// Its entry's number.
    pub entry: Option<i64>,
    /// How that stands.
    #[schema(value_type = Option<words::State>)]
    pub state: Option<&'static str>,
    /// Why.
    #[schema(value_type = Option<words::Reason>)]
    pub reason: Option<&'static str>,
    /// What is wrong with the row.
    pub detail: Option<String>,
}

impl From<&sweeps::Sweep> for Sweep {
    fn from(sweep: &sweeps::Sweep) -> Self {
        let sweeps::Sweep { id, wanted, state, counts, .. } = sweep;
        Self {
            sweep: id.0,
            mch_id: wanted.mch_id.to_string(),
            bill_date: wanted.bill_date.to_string(),
            channels: wanted.channels.iter().map(ToString::to_string).collect(),
            due_on: wanted.due_on.map(|day| day.to_string()),
            dry_run: wanted.dry_run,
            state: state.as_str(),
            problem: sweep.problem.clone(),
            asked_at: time(sweep.asked_at),
            began_at: sweep.began_at.map(time),
            ended_at: sweep.ended_at.map(time),
            again_at: sweep.again_at.map(time),
            rows: counts.rows,
            paid: counts.paid,
            refunds: counts.refunds,
            others: counts.others,
            malformed: counts.malformed,
            not_ours: counts.not_ours,
            accepted_before: counts.accepted,
            under_way: counts.under_way,
            parked_before: counts.parked,
            unknown_order: counts.unknown,
            found: counts.found,
        }
    }
}

impl From<&Outcome> for SweepOutcome {
    fn from(outcome: &Outcome) -> Self {
        Self {
            state: outcome.state.map(State::as_str),
            reason: outcome.reason.map(Reason::code),
            orders: outcome.orders,
            not_yet_tried: outcome.untried,
        }
    }
}

impl From<&RowRecord> for SweepRow {
    fn from(record: &RowRecord) -> Self {
        let payment = record.row.payment;
        Self {
            line: record.row.line,
            what: record.row.kind.as_str(),
            channel: payment.and_then(|payment| payment.channel).map(|id| id.to_string()),
            order: payment.and_then(|payment| payment.order).map(|id| id.to_string()),
            out_trade_no: payment.and_then(|payment| payment.out_trade_no).map(|id| id.to_string()),
            transaction_id: payment.map(|payment| payment.transaction_id.to_string()),
            total_fee: payment.and_then(|payment| payment.amount).map(|amount| amount.fen.0),
            fee_type: payment.and_then(|payment| payment.amount).map(|amount| amount.currency.as_str().to_owned()),
            refunded: payment.map(|payment| payment.refunded),
            entry: record.row.entry.map(|entry| entry.0),
            state: record.state.map(State::as_str),
            reason: record.reason.map(Reason::code),
            detail: record.row.detail.clone(),
        }
    }
}
