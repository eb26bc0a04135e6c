//! A row of a bill.

use crate::sandbox::order::Order;

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Payment,
    Refund,
}

impl Kind {
    /// When it was.
    pub(super) fn time(self, order: &Order) -> &str {
        let time = match self {
            Self::Payment => &order.time_end,
            Self::Refund => &order.refund_time,
        };
        time.as_deref().unwrap_or_default()
    }
}

/// A row.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) order: Order,
    pub(super) kind: Kind,
}

impl Entry {
    pub(super) fn time(&self) -> &str {
        self.kind.time(&self.order)
    }
}
