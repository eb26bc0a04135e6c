//! The names of entries and deliveries, remembered: they are made with SHA-256, since they are on disk for ever and the
//! same on every replica, and a callback that is repeated need not pay for that again.

use crate::domain::quick_map::QuickHash;
use crate::gate::delivery::Latest;
use crate::journal::{Claimed, EntryKey, Origin};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::{BuildHasher, Hasher, RandomState};

/// The keys of the latest claims of callbacks.
#[derive(Debug)]
pub(super) struct Names {
    known: Latest<Fingerprint, EntryKey, QuickHash>,
    secret: Secret,
}

/// A claim on a route in 128 bits, which only this process can tell.
type Fingerprint = u128;

/// What fingerprints are made with. Who does not know it cannot make two claims that look alike.
type Secret = (u64, u64);

impl Names {
    /// Remembers the latest `capacity`.
    pub(super) fn new(capacity: usize) -> Self {
        let random = || RandomState::new().hash_one(());
        Self { known: Latest::new(capacity), secret: (random(), random()) }
    }

    /// Remembers so many from now on.
    pub(super) fn set_capacity(&self, capacity: usize) {
        self.known.set_capacity(capacity);
    }

    /// The key of a callback's claim on a route.
    pub(super) fn key(&self, route: &str, claimed: &Claimed) -> EntryKey {
        let fingerprint = self.fingerprint(route, claimed);
        self.known.get_or(&fingerprint, || EntryKey::of(route, claimed, Origin::Callback))
    }

    fn fingerprint(&self, route: &str, claimed: &Claimed) -> Fingerprint {
        let (one, other) = self.secret;
        let mut hash = SipHasher13::new_with_keys(one, other);
        let Claimed { channel, order, out_trade_no, transaction_id, amount } = claimed;
        let transaction_id = transaction_id.as_ref().map_or("", |id| id.as_str());
        for text in [route, channel.as_str(), order.as_str(), out_trade_no.as_str(), transaction_id] {
            hash.write(text.as_bytes());
            // No text has it.
            hash.write_u8(0);
        }
        if let Some(amount) = amount {
            hash.write(amount.currency.as_str().as_bytes());
            hash.write_u64(amount.fen.0);
        }
        hash.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::ids::different_claims;

    #[test]
    fn a_key_that_is_remembered_is_the_one_that_is_made() {
        let names = Names::new(100);
        for _ in 0..2 {
            for (route, claimed) in &different_claims() {
                assert_eq!(names.key(route, claimed), EntryKey::of(route, claimed, Origin::Callback), "{claimed:?}");
            }
        }
    }

    #[test]
    fn fingerprints_of_another_process_are_others() {
        for (route, claimed) in &different_claims() {
            let print = || Names::new(1).fingerprint(route, claimed);
            assert_ne!(print(), print());
        }
    }
}
