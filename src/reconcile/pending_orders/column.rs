//! What a source may say about an order, each in a column of a result or under a key of an object.

use std::fmt;

/// What a source may say about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Required.
    Order,
    /// Required.
    Channel,
    /// If it is not the order's number.
    OutTradeNo,
    /// What is expected.
    Amount,
    /// Since when it waits.
    CreatedAt,
}

impl Column {
    /// All of them, in the order of a [`Row`](super::listing::Row).
    pub(super) const ALL: [Self; 5] = [Self::Order, Self::Channel, Self::OutTradeNo, Self::Amount, Self::CreatedAt];

    /// Those without which there is nothing to ask.
    pub(super) const REQUIRED: [Self; 2] = [Self::Order, Self::Channel];

    /// Its name in a query or an object.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Channel => "channel",
            Self::OutTradeNo => "out_trade_no",
            Self::Amount => "amount",
            Self::CreatedAt => "created_at",
        }
    }

    /// The column of that name, in any case: databases fold names as they like.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
