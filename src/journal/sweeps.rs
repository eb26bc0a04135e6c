//! Sweeps as they are kept: which bill of which merchant was, or is to be, compared, how far that is, and the rows
//! behind its numbers.
//!
//! The journal is their queue too, so that an operator's command and the running gate, and a gate after a restart, see
//! the same sweeps.

use super::{BoxFuture, Callback, EntryId, State};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;
use std::time::Duration;

/// A sweep's number in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SweepId(pub i64);

/// What is to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Whose bill.
    pub mch_id: MerchantId,
    /// Of which day, in Beijing.
    pub bill_date: Date,
    /// Which of its channels.
    pub channels: Vec<ChannelId>,
    /// The Beijing day whose schedule wants it; `None` if an operator does. A day wants each bill once.
    pub due_on: Option<Date>,
    /// Whether nothing is to be asked or delivered.
    pub dry_run: bool,
}

/// A sweep, as far as it is.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Its number.
    pub id: SweepId,
    /// What is compared.
    pub wanted: Wanted,
    /// How far it is.
    pub state: Progress,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it is tried, if not now.
    pub again_at: Option<Timestamp>,
    /// When it began the last time.
    pub began_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What is in its way, or was odd about the bill.
    pub problem: Option<String>,
    /// How many rows there were of what.
    pub counts: Counts,
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Waiting for its turn, or for a bill that is not ready.
    Asked,
    /// The bill is being read.
    Running,
    /// The bill was read; what it brought to light is followed up.
    Done,
    /// It was given up.
    Failed,
}

impl Progress {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Asked, Self::Running, Self::Done, Self::Failed];

    /// The word in the file and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more is read.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A sweep's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of the bill.
    pub rows: u64,
    /// Payments among them.
    pub paid: u64,
    /// Refunds among them.
    pub refunds: u64,
    /// Rows that are neither, such as revoked ones.
    pub others: u64,
    /// Rows that cannot be read.
    pub malformed: u64,
    /// Payments of an application or order number that no swept channel has.
    pub not_ours: u64,
    /// Payments whose delivery was accepted before.
    pub accepted: u64,
    /// Payments that are being delivered.
    pub under_way: u64,
    /// Payments that were parked before, for a person to decide.
    pub parked: u64,
    /// Payments whose order no callback and no source has named: its id is not its number on that channel.
    pub unknown: u64,
    /// Payments that were not delivered, and are followed up now.
    pub found: u64,
}

/// What a row of the bill is to a sweep. What was accepted before is only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Paid, and not delivered.
    Found,
    /// Paid, and being delivered.
    UnderWay,
    /// Paid, and parked for a person to decide.
    Parked,
    /// Paid, and no callback and no source has said which order that is.
    UnknownOrder,
    /// Of no channel that is swept; only the first of them are kept.
    NotOurs,
    /// It cannot be read.
    Malformed,
}

impl RowKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Found, Self::UnderWay, Self::Parked, Self::UnknownOrder, Self::NotOurs, Self::Malformed];

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The word in the file and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::UnderWay => "under-way",
            Self::Parked => "parked",
            Self::UnknownOrder => "unknown-order",
            Self::NotOurs => "not-ours",
            Self::Malformed => "malformed",
        }
    }
}

/// A row of the bill that is kept.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its line in the bill, from 1.
    pub line: u64,
    /// What it is.
    pub kind: RowKind,
    /// The payment, if it can be read.
    pub payment: Option<RowPayment>,
    /// What is wrong with it.
    pub detail: Option<String>,
    /// The order's entry, if it has one.
    pub entry: Option<EntryId>,
    /// The order to be followed up, for one that is [`RowKind::Found`]; only on the way into the journal.
    pub follow_up: Option<Box<Callback>>,
}

/// A payment as the bill has it: a hint, since bills are not signed.
#[derive(Debug, Clone, Copy)]
pub struct RowPayment {
    /// The channel, if one is swept that it belongs to.
    pub channel: Option<ChannelId>,
    /// The legacy system's order id, on that channel.
    pub order: Option<OrderId>,
    /// The merchant's number of the order, if it is one that an order of ours can have.
    pub out_trade_no: Option<OutTradeNo>,
    /// WeChat Pay's number of the payment.
    pub transaction_id: TransactionId,
    /// What the order costs, if the row tells.
    pub amount: Option<Money>,
    /// Whether the same bill has a refund of it.
    pub refunded: bool,
}

/// A row, and how its order stands now.
#[derive(Debug, Clone)]
pub struct RowRecord {
    /// The row.
    pub row: Row,
    /// How its entry stands.
    pub state: Option<State>,
    /// Why.
    pub reason: Option<Reason>,
    /// Whether the follow-up has tried it, or is done with it.
    pub tried: bool,
}

/// How a payment stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The entry that has it.
    pub entry: EntryId,
    /// How that stands.
    pub state: State,
    /// Whether the upstream accepted this payment's delivery.
    pub accepted: bool,
}

/// What became of the orders that a sweep found: how many stand how, for which reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How their entries stand; `None` in a dry run.
    pub state: Option<State>,
    /// Why.
    pub reason: Option<Reason>,
    /// How many.
    pub orders: u64,
    /// How many of them the follow-up has not tried yet.
    pub untried: u64,
}

/// What happened to a sweep, which says where it goes on.
#[derive(Debug, Clone)]
pub enum SweepEvent {
    /// It began, from nothing: rows of an earlier attempt go, but for the orders that it found.
    Began,
    /// It goes on; the numbers so far.
    Counted(Counts),
    /// It is over; with what was odd about the bill.
    Done(Counts, Option<String>),
    /// It cannot be done now, and is tried again after this time; why.
    Again(Duration, String),
    /// It is given up; why.
    Failed(String),
}

/// What a sweeper needs: the sweeps that are wanted, one after the other, and where each goes on. One sweeper works on
/// one journal: a store of several processes gives [`next_sweep`](Self::next_sweep) to one of them, until that has
/// ended.
pub trait SweepQueue: Send + Sync {
    /// The sweep whose turn it is: one that was broken off, or else the oldest of those that a person wants, or of
    /// those that a schedule wants, whose time has come. It stays the next one until an event says that it goes on
    /// otherwise.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next_sweep(&self) -> BoxFuture<'_, Option<Sweep>>;

    /// The payments that a sweep has found before it was broken off.
    ///
    /// # Errors
    /// If it cannot be read.
    fn found_before(&self, sweep: SweepId) -> BoxFuture<'_, Vec<TransactionId>>;

    /// Keeps rows of a sweep, and takes in the orders to be followed up. An order that is known and was never confirmed
    /// is followed up anew.
    ///
    /// # Errors
    /// If it cannot be written.
    fn sweep_rows(&self, sweep: SweepId, rows: Vec<Row>) -> BoxFuture<'_, ()>;

    /// Marks rows of a sweep whose payments have a refund in the same bill.
    ///
    /// # Errors
    /// If it cannot be written.
    fn sweep_refunds(&self, sweep: SweepId, refunded: Vec<TransactionId>) -> BoxFuture<'_, ()>;

    /// Writes down what happened to a sweep.
    ///
    /// # Errors
    /// If it cannot be written.
    fn sweep_event(&self, sweep: SweepId, event: SweepEvent) -> BoxFuture<'_, ()>;
}

/// What is known of sweeps, and what a sweep compares a bill with. A person or a schedule wants one here.
pub trait Sweeps: Send + Sync {
    /// Puts a sweep into the queue and returns its number. One that a day's schedule has wanted before is not wanted
    /// twice: its number is returned, whichever process asks.
    ///
    /// # Errors
    /// If it cannot be written.
    fn want_sweep(&self, wanted: Wanted) -> BoxFuture<'_, SweepId>;

    /// A sweep, if there is one of this number.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sweep(&self, id: SweepId) -> BoxFuture<'_, Option<Sweep>>;

    /// Sweeps, the latest first, from before the one with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sweeps(&self, before: Option<SweepId>, limit: usize) -> BoxFuture<'_, Vec<Sweep>>;

    /// The days whose bills of a merchant were compared by schedule, the earliest first.
    ///
    /// # Errors
    /// If it cannot be read.
    fn days_swept(&self, mch_id: MerchantId) -> BoxFuture<'_, Vec<Date>>;

    /// The orders that these numbers of WeChat Pay's were used for, in the same order, as confirmed callbacks and
    /// sources said.
    ///
    /// # Errors
    /// If it cannot be read.
    fn orders_of(&self, numbers: Vec<(ChannelId, OutTradeNo)>) -> BoxFuture<'_, Vec<Option<OrderId>>>;

    /// What became of the orders that a sweep found.
    ///
    /// # Errors
    /// If it cannot be read.
    fn sweep_outcomes(&self, sweep: SweepId) -> BoxFuture<'_, Vec<Outcome>>;

    /// The rows behind a sweep's numbers, or those of one kind, in the bill's order, from behind line `after`; at most
    /// `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn swept_rows(
        &self,
        sweep: SweepId,
        kind: Option<RowKind>,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<RowRecord>>;
}
