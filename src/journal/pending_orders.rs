//! What the sources of pending orders said, kept so that a restart knows it before a source is read again: which orders
//! are expected, at which price, since when they are not any more; and how the sources are.

use super::{BoxFuture, Callback};
use crate::domain::money::Fen;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use jiff::Timestamp;
use std::time::Duration;

/// An order as the merchant's own system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingOrder {
    /// The merchant account.
    pub channel: ChannelId,
    /// What WeChat Pay calls the order.
    pub out_trade_no: OutTradeNo,
    /// The legacy system's id.
    pub order: OrderId,
    /// What it costs, if the source says so; CNY.
    pub amount: Option<Fen>,
    /// When it was not listed any more: paid as far as the source knows, or closed.
    pub gone_at: Option<Timestamp>,
}

/// What is new since a source was read before.
#[derive(Debug, Default)]
pub struct News {
    /// The source, by name.
    pub source: String,
    /// Orders that were not listed before, or not so.
    pub listed: Vec<PendingOrder>,
    /// Orders that are not listed any more.
    pub gone: Vec<(ChannelId, OutTradeNo)>,
    /// Orders to be asked about.
    pub found: Vec<Found>,
}

/// An order to be asked about.
#[derive(Debug)]
pub struct Found {
    /// The order, like a callback.
    pub callback: Callback,
    /// In how long it is asked about the first time.
    pub due_in: Duration,
}

/// How a source is. Its times are by the clock of the process that reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// Its name.
    pub name: String,
    /// When it could be read the last time; `None` if it never could.
    pub read_at: Option<Timestamp>,
    /// When reading it failed the last time; `None` if it never did.
    pub failed_at: Option<Timestamp>,
    /// How often reading it failed since it could be read.
    pub failures: u64,
    /// Why it failed the last time; `None` while it can be read.
    pub problem: Option<String>,
    /// Orders it listed the last time.
    pub orders: u64,
    /// Rows of it that could not be understood.
    pub malformed: u64,
}

/// What sources of pending orders put into a journal.
pub trait PendingOrderQueue: Send + Sync {
    /// Takes news in, all of it in one transaction. An order that has an entry is not asked about anew, whatever became
    /// of it. Nothing is leased: what is found is due in [`Found::due_in`].
    ///
    /// # Errors
    /// If it cannot be written; then none of it was.
    fn take_pending_orders(&self, news: News) -> BoxFuture<'_, ()>;

    /// Replaces what is known of how a source is.
    ///
    /// # Errors
    /// If it cannot be written.
    fn source_is(&self, health: SourceHealth) -> BoxFuture<'_, ()>;
}
