//! What a callback says: a claim, with the channel that it is on. Never a fact.

use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};

/// What a callback claims, and which order of which account that is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// The merchant account.
    pub channel: ChannelId,
    /// The legacy system's order id.
    pub order: OrderId,
    /// What WeChat Pay calls that order.
    pub out_trade_no: OutTradeNo,
    /// The claimed transaction id.
    pub transaction_id: Option<TransactionId>,
    /// The claimed amount.
    pub amount: Option<Money>,
}
