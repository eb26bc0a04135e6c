//! The names of entries and deliveries, made of what they are about alone, so that they survive restarts and are the
//! same on every replica.

use super::{Claimed, Origin};
use crate::domain::order::OrderId;
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// An entry's number in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub i64);

/// What makes two callbacks the same entry: the route, and everything they claim. What was found without a callback is
/// an entry of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryKey(pub [u8; 16]);

/// An order on a route: what `X-Tollgate-Delivery` says, the same on every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub Uuid);

impl EntryKey {
    /// The key of a claim on a route.
    #[must_use]
    pub fn of(route: &str, claimed: &Claimed, origin: Origin) -> Self {
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
        if origin.is_found() {
            field(origin.as_str());
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

    /// What is told of a refund on a route: one for each refund and status, and never an order's.
    #[must_use]
    pub fn of_refund(route: &str, refund_id: &str, refund_status: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [route, "refund", refund_id, refund_status] {
            hash.update(part.as_bytes());
            // No order has it in its id.
            hash.update([0]);
        }
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

/// Claims on routes of which each differs from the first in one thing.
#[cfg(test)]
pub(crate) fn different_claims() -> Vec<(&'static str, Claimed)> {
    use crate::domain::money::{Currency, Fen, Money};
    use crate::domain::order::{ChannelId, OutTradeNo, TransactionId};
    let claimed = Claimed {
        channel: ChannelId::parse("app").unwrap(),
        order: OrderId::parse("A").unwrap(),
        out_trade_no: OutTradeNo::parse("A").unwrap(),
        transaction_id: None,
        amount: None,
    };
    let amount = |fen| Some(Money { fen: Fen(fen), currency: Currency::default() });
    vec![
        ("app", claimed),
        ("other", claimed),
        ("appapp", claimed),
        ("app", Claimed { channel: ChannelId::parse("b").unwrap(), ..claimed }),
        ("app", Claimed { order: OrderId::parse("B").unwrap(), ..claimed }),
        ("app", Claimed { order: OrderId::parse("AA").unwrap(), ..claimed }),
        ("app", Claimed { out_trade_no: OutTradeNo::parse("AA").unwrap(), ..claimed }),
        ("app", Claimed { transaction_id: Some(TransactionId::parse("1").unwrap()), ..claimed }),
        ("app", Claimed { amount: amount(1), ..claimed }),
        ("app", Claimed { amount: amount(2), ..claimed }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_part_of_a_claim_tells_entries_apart() {
        let claims = different_claims();
        let (route, claimed) = claims[0];
        let key = |origin| EntryKey::of(route, &claimed, origin);
        let mut all: Vec<_> =
            claims.iter().map(|(route, claimed)| EntryKey::of(route, claimed, Origin::Callback)).collect();
        all.extend([key(Origin::Sweep), key(Origin::Pending)]);
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all[0], key(Origin::Callback));
    }

    #[test]
    fn a_delivery_has_the_same_id_for_ever() {
        let id = DeliveryId::of("app", &OrderId::parse("A-1").unwrap());
        assert_eq!(id.to_string(), DeliveryId::of("app", &OrderId::parse("A-1").unwrap()).to_string());
        assert_ne!(id, DeliveryId::of("notify", &OrderId::parse("A-1").unwrap()));
    }

    #[test]
    fn each_refund_and_status_is_a_delivery_of_its_own() {
        let ids = [
            DeliveryId::of_refund("app", "50001", "SUCCESS"),
            DeliveryId::of_refund("app", "50001", "CHANGE"),
            DeliveryId::of_refund("app", "50002", "SUCCESS"),
            DeliveryId::of_refund("notify", "50001", "SUCCESS"),
            DeliveryId::of("app", &OrderId::parse("50001").unwrap()),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(ids[0], DeliveryId::of_refund("app", "50001", "SUCCESS"));
    }
}
