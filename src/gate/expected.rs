//! What the merchant's own system expects: the orders that its sources of pending orders list, and at which price. It is
//! held against what WeChat Pay says, and proves nothing by itself.

use crate::journal::listed::Listed;
use crate::money::{Currency, Fen, Money};
use crate::order::{ChannelId, OutTradeNo};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The orders that are listed, and those that were until a while ago.
#[derive(Debug, Default)]
pub struct Expected(RwLock<HashMap<(ChannelId, OutTradeNo), Order>>);

#[derive(Debug, Clone, Copy)]
struct Order {
    amount: Option<Fen>,
    gone_at: Option<Timestamp>,
}

impl Expected {
    /// What an order costs, if a source says so.
    #[must_use]
    pub fn amount(&self, channel: ChannelId, number: OutTradeNo) -> Option<Money> {
        let fen = self.get(channel, number)?.amount?;
        Some(Money { fen, currency: Currency::default() })
    }

    /// Whether an order was not listed any more when it was paid.
    #[must_use]
    pub fn was_gone(&self, channel: ChannelId, number: OutTradeNo, paid_at: Option<Timestamp>) -> bool {
        let gone_at = self.get(channel, number).and_then(|order| order.gone_at);
        gone_at.zip(paid_at).is_some_and(|(gone_at, paid_at)| paid_at > gone_at)
    }

    /// Takes in what a source says of an order.
    pub fn learn(&self, listed: &Listed) {
        let Listed { channel, out_trade_no, amount, gone_at } = *listed;
        let mut orders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        orders.insert((channel, out_trade_no), Order { amount, gone_at });
    }

    /// Forgets orders that are not listed since before `time`.
    pub fn forget_gone(&self, time: Timestamp) {
        let mut orders = self.0.write().unwrap_or_else(PoisonError::into_inner);
        orders.retain(|_, order| order.gone_at.is_none_or(|gone_at| gone_at >= time));
    }

    fn get(&self, channel: ChannelId, number: OutTradeNo) -> Option<Order> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(channel, number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_word_of_a_source_counts() {
        let (channel, number) = (ChannelId::parse("app").unwrap(), OutTradeNo::parse("A").unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let listed = |amount, gone_at| Listed { channel, out_trade_no: number, amount, gone_at };
        let expected = Expected::default();
        assert_eq!(expected.amount(channel, number), None);
        expected.learn(&listed(Some(Fen(1)), None));
        expected.learn(&listed(Some(Fen(2)), None));
        assert_eq!(expected.amount(channel, number).map(|money| money.fen), Some(Fen(2)));
        assert!(!expected.was_gone(channel, number, Some(at(100))));
        expected.learn(&listed(Some(Fen(2)), Some(at(50))));
        assert!(expected.was_gone(channel, number, Some(at(100))) && !expected.was_gone(channel, number, Some(at(50))));
        assert!(!expected.was_gone(channel, number, None));
        expected.forget_gone(at(51));
        assert_eq!(expected.amount(channel, number), None);
    }
}
