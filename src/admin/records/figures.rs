//! How much there is of what.

use super::{time, words};
use crate::domain::money::Money;
use crate::journal::pending_orders::SourceHealth;
use crate::journal::{self, State};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Entries by state.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Entries {
    /// Asked about again.
    pub asking: u64,
    /// Paid, and sent again.
    pub delivering: u64,
    /// Taken by the upstream.
    pub accepted: u64,
    /// Waiting for somebody to look.
    pub parked: u64,
    /// Nothing comes of them.
    pub closed: u64,
}

/// How much the journal has of what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Figures {
    /// Entries by state.
    pub entries: Entries,
    /// Entries whose order was never confirmed as paid.
    pub unconfirmed: u64,
    /// Bytes of their requests, head and body, as they stand in the file.
    pub unconfirmed_bytes: u64,
    /// Refused callbacks that are kept.
    pub refused: u64,
    /// Orders that are paid and that the upstream has not accepted.
    pub paid_not_accepted: u64,
    /// What was paid for them, one sum for each currency.
    pub paid_not_accepted_sums: Vec<Sum>,
    /// For how many seconds the oldest of them has been paid.
    pub oldest_not_accepted_s: Option<u64>,
    /// Paid orders that a bill brought to light, of those that are kept.
    pub found_by_sweep: u64,
    /// Paid orders that a source of pending orders brought to light.
    pub found_by_pending: u64,
    /// Second payments of an order, of those that are kept.
    pub second_payments: u64,
    /// Payments of orders that were closed at their source before.
    pub paid_after_close: u64,
    /// When each merchant's bill was compared the last time.
    pub last_sweeps: BTreeMap<String, String>,
    /// Bills that a schedule wanted and that could not be compared so far.
    pub sweeps_missing: u64,
    /// Rows that cannot be read, of the bills compared in the last 24 hours.
    pub rows_malformed: u64,
    /// How the sources of pending orders are.
    pub sources: Vec<Source>,
    /// Bytes of the file and its log.
    pub bytes: u64,
    /// Bytes in it that are free.
    pub free_bytes: u64,
}

/// What was paid, in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Sum {
    /// The currency.
    pub fee_type: String,
    /// The sum, in fen.
    pub total_fee: u64,
}

impl From<&Money> for Sum {
    fn from(sum: &Money) -> Self {
        Self { fee_type: sum.currency.as_str().to_owned(), total_fee: sum.fen.0 }
    }
}

/// How a source of pending orders is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// When it could be read the last time.
    #[schema(value_type = Option<words::Time>)]
    pub read_at: Option<String>,
    /// When it could not.
    #[schema(value_type = Option<words::Time>)]
    pub failed_at: Option<String>,
    /// How often it could not since it could.
    pub failures: u64,
    /// Why.
    pub problem: Option<String>,
    /// Orders it listed the last time.
    pub orders: u64,
    /// Rows of it that could not be understood.
    pub malformed: u64,
}

impl Entries {
    /// With what `count` says of each state.
    #[must_use]
    pub fn counted(count: impl Fn(State) -> u64) -> Self {
        Self {
            asking: count(State::Asking),
            delivering: count(State::Delivering),
            accepted: count(State::Accepted),
            parked: count(State::Parked),
            closed: count(State::Closed),
        }
    }
}

impl From<&journal::Figures> for Figures {
    fn from(figures: &journal::Figures) -> Self {
        Self {
            entries: Entries::counted(|state| figures.in_state(state)),
            unconfirmed: figures.unconfirmed,
            unconfirmed_bytes: figures.unconfirmed_bytes,
            refused: figures.refused,
            paid_not_accepted: figures.paid_not_accepted,
            paid_not_accepted_sums: figures.paid_not_accepted_sums.iter().map(Sum::from).collect(),
            oldest_not_accepted_s: figures.oldest_not_accepted.map(|oldest| oldest.as_secs()),
            found_by_sweep: figures.found_by_sweep,
            found_by_pending: figures.found_by_pending,
            second_payments: figures.second_payments,
            paid_after_close: figures.paid_after_close,
            last_sweeps: figures.last_sweeps.iter().map(|(mch_id, at)| (mch_id.to_string(), time(*at))).collect(),
            sweeps_missing: figures.sweeps_missing,
            rows_malformed: figures.rows_malformed,
            sources: figures.sources.iter().map(Source::from).collect(),
            bytes: figures.bytes,
            free_bytes: figures.free_bytes,
        }
    }
}

impl From<&SourceHealth> for Source {
    fn from(health: &SourceHealth) -> Self {
        Self {
            name: health.name.clone(),
            read_at: health.read_at.map(time),
            failed_at: health.failed_at.map(time),
            failures: health.failures,
            problem: health.problem.clone(),
            orders: health.orders,
            malformed: health.malformed,
        }
    }
}
