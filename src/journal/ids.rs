//! The names of entries and deliveries, made of what they are about alone, so that they survive restarts and are the
//! same on every replica.

use super::Claimed;
use crate::order::OrderId;
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// An entry's number in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

/// What makes two callbacks the same entry: the route, and everything they claim.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryKey(pub [u8; 16]);

/// An order on a route: what `X-Tollgate-Delivery` says, the same on every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub Uuid);

impl EntryKey {
    /// The key of a claim on a route.
    #[must_use]
    pub fn of(route: &str, claimed: &Claimed) -> Self {
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            hash.update(text.as_bytes());
            hash.update([0]);
        };
        field(route);
        field(claimed.channel.as_str());
        field(claimed.order.as_str());
        field(claimed.out_trade_no.as_str());
        field(claimed.transaction_id.as_ref().map_or("", |id| id.as_str()));
        if let Some(amount) = &claimed.amount {
            field(amount.currency.as_str());
            field(itoa::Buffer::new().format(amount.fen.0));
        }
        Self(first_half(hash))
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryKey({})", hex::encode(self.0))
    }
}

impl DeliveryId {
    /// The delivery of an order on a route: a UUID version 8 (RFC 9562).
    #[must_use]
    pub fn of(route: &str, order: &OrderId) -> Self {
        let mut hash = Sha256::new();
        hash.update(route.as_bytes());
        hash.update([0]);
        hash.update(order.as_str().as_bytes());
        Self(Uuid::new_v8(first_half(hash)))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

fn first_half(hash: Sha256) -> [u8; 16] {
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Fen, Money};
    use crate::order::{ChannelId, OutTradeNo, TransactionId};
    use std::collections::HashSet;

    #[test]
    fn every_part_of_a_claim_tells_entries_apart() {
        let claimed = Claimed {
            channel: ChannelId::parse("app").unwrap(),
            order: OrderId::parse("A").unwrap(),
            out_trade_no: OutTradeNo::parse("A").unwrap(),
            transaction_id: None,
            amount: None,
        };
        let amount = |fen| Some(Money { fen: Fen(fen), currency: Currency::default() });
        let all = [
            EntryKey::of("app", &claimed),
            EntryKey::of("other", &claimed),
            EntryKey::of("app", &Claimed { channel: ChannelId::parse("b").unwrap(), ..claimed }),
            EntryKey::of("app", &Claimed { order: OrderId::parse("B").unwrap(), ..claimed }),
            EntryKey::of("app", &Claimed { out_trade_no: OutTradeNo::parse("B").unwrap(), ..claimed }),
            EntryKey::of("app", &Claimed { transaction_id: Some(TransactionId::parse("1").unwrap()), ..claimed }),
            EntryKey::of("app", &Claimed { amount: amount(1), ..claimed }),
            EntryKey::of("app", &Claimed { amount: amount(2), ..claimed }),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all[0], EntryKey::of("app", &claimed));
    }

    #[test]
    fn a_delivery_has_the_same_id_for_ever() {
        let id = DeliveryId::of("app", &OrderId::parse("A-1").unwrap());
        assert_eq!(id.to_string(), DeliveryId::of("app", &OrderId::parse("A-1").unwrap()).to_string());
        assert_ne!(id, DeliveryId::of("notify", &OrderId::parse("A-1").unwrap()));
    }
}
