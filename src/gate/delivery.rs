//! Which delivery a forwarded callback is: the same id every time an order is delivered on a route, and a count of how
//! often it was sent, so that the upstream can be idempotent by one header.

use crate::order::OrderId;
use hyper::header::{HeaderValue, InvalidHeaderValue};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Where a delivery comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A callback that is waiting for the answer.
    Callback,
}

impl Origin {
    /// The word in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
        }
    }
}

/// One sending of a delivery.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The delivery's id.
    pub delivery: HeaderValue,
    /// 1 the first time.
    pub attempt: u64,
    /// Why it is sent.
    pub origin: Origin,
}

/// Counts sendings: without a journal, those of this process, for at least the `capacity` latest deliveries.
#[derive(Debug)]
pub struct Deliveries {
    sent: Mutex<Sent>,
    capacity: usize,
}

/// Two generations: when the younger is full, the older is forgotten. Nothing here waits, so a lock is held for a
/// lookup only.
#[derive(Debug, Default)]
struct Sent {
    younger: HashMap<Uuid, u64>,
    older: HashMap<Uuid, u64>,
}

impl Deliveries {
    /// Remembers the counts of `capacity` deliveries, and twice as many at most.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { sent: Mutex::default(), capacity }
    }

    /// The next sending of `order` on `route`.
    ///
    /// # Errors
    /// Never in practice: a UUID is a header value.
    pub fn next(&self, route: &str, order: &OrderId, origin: Origin) -> Result<Sending, InvalidHeaderValue> {
        let id = delivery_id(route, order);
        let attempt = self.count(id);
        let delivery = HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))?;
        Ok(Sending { delivery, attempt, origin })
    }

    fn count(&self, id: Uuid) -> u64 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = sent.younger.get_mut(&id) {
            *count += 1;
            return *count;
        }
        if sent.younger.len() >= self.capacity {
            sent.older = std::mem::take(&mut sent.younger);
        }
        let count = sent.older.remove(&id).unwrap_or(0) + 1;
        sent.younger.insert(id, count);
        count
    }
}

/// A UUID (version 8, RFC 9562) from route and order alone, so that it survives restarts and is the same on every
/// replica.
fn delivery_id(route: &str, order: &OrderId) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(route.as_bytes());
    hash.update([0]);
    hash.update(order.as_str().as_bytes());
    let digest = hash.finalize();
    Uuid::new_v8(digest.first_chunk::<16>().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(deliveries: &Deliveries, route: &str, order: &str) -> Sending {
        deliveries.next(route, &OrderId::parse(order).unwrap(), Origin::Callback).unwrap()
    }

    #[test]
    fn the_id_stays_and_the_attempt_counts() {
        let deliveries = Deliveries::new(10);
        let first = next(&deliveries, "app", "A-1");
        let second = next(&deliveries, "app", "A-1");
        let elsewhere = next(&deliveries, "notify", "A-1");
        assert_eq!((first.attempt, second.attempt, elsewhere.attempt), (1, 2, 1));
        assert_eq!(first.delivery, second.delivery);
        assert_ne!(first.delivery, elsewhere.delivery);
        let after_restart = next(&Deliveries::new(10), "app", "A-1");
        assert_eq!(after_restart.delivery, first.delivery);
    }

    #[test]
    fn counts_of_the_latest_deliveries_are_kept_and_no_more_than_twice_as_many() {
        let deliveries = Deliveries::new(10);
        for order in 0..100 {
            next(&deliveries, "app", &format!("A-{order}"));
        }
        let held = {
            let sent = deliveries.sent.lock().unwrap();
            sent.younger.len() + sent.older.len()
        };
        assert!((10..=20).contains(&held), "{held}");
        assert_eq!(next(&deliveries, "app", "A-91").attempt, 2);
        assert_eq!(next(&deliveries, "app", "A-1").attempt, 1);
    }
}
