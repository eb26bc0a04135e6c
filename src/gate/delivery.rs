//! Which delivery a forwarded callback is: the same id every time an order is delivered on a route, a count of how
//! often the upstream has seen it, and whether it was accepted, so that both sides can be idempotent.

use crate::domain::order::TransactionId;
pub use crate::journal::{Acceptance, DeliveryId, Origin};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hyper::header::HeaderValue;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Mutex as Turn;
use uuid::Uuid;

/// An order on a route, as far as this process knows it.
#[derive(Debug)]
pub struct Delivery {
    /// Its id, the same for every attempt.
    pub id: DeliveryId,
    /// The id as the value of `X-Tollgate-Delivery`.
    pub header: HeaderValue,
    /// Held by the task that sends it, where only one may.
    pub turn: Turn<()>,
    attempts: AtomicU64,
    accepted: OnceLock<Accepted>,
    /// Whether some of its attempts are counted here only.
    uncounted: AtomicBool,
}

/// That the upstream took a delivery, as far as it is in memory.
#[derive(Debug)]
pub struct Accepted {
    /// The payment that was delivered.
    pub transaction_id: Option<TransactionId>,
    /// What the upstream said; none if that is too large for memory, or is not kept any more: then the journal has
    /// what there is.
    pub answer: ArcSwapOption<Acceptance>,
}

/// The largest answer that is kept in memory, in bytes, since there may be as many as deliveries: acknowledgements are
/// shorter.
const AT_HAND: usize = 1024;

/// One attempt to deliver, as its headers tell.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The delivery's id, as a header value.
    pub delivery: HeaderValue,
    /// Counts from 1 for each delivery; `None` where several gates send it, and no journal gives numbers out.
    pub number: Option<u64>,
    /// What the attempt comes from: the callback, the follow-up, a sweep or a source.
    pub origin: Origin,
}

impl Delivery {
    /// A delivery that was sent `attempts` times.
    #[must_use]
    pub fn new(id: DeliveryId, attempts: u64, accepted: Option<Acceptance>) -> Self {
        let text = id.0.hyphenated();
        let header = HeaderValue::from_str(text.encode_lower(&mut Uuid::encode_buffer()));
        let delivery = Self {
            id,
            // A UUID is a header value.
            header: header.unwrap_or(HeaderValue::from_static("00000000-0000-0000-0000-000000000000")),
            turn: Turn::default(),
            attempts: AtomicU64::new(attempts),
            accepted: OnceLock::new(),
            uncounted: AtomicBool::new(false),
        };
        if let Some(accepted) = accepted {
            delivery.accept(accepted);
        }
        delivery
    }

    /// The next attempt.
    #[must_use]
    pub fn next(&self, origin: Origin) -> Attempt {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed) + 1;
        self.attempt(Some(number), origin)
    }

    /// The attempt whose number was given out for all who send it.
    #[must_use]
    pub fn attempt(&self, number: Option<u64>, origin: Origin) -> Attempt {
        if let Some(number) = number {
            self.attempts.fetch_max(number, Ordering::Relaxed);
        }
        Attempt { delivery: self.header.clone(), number, origin }
    }

    /// It stands so by the journal, which others send it by too.
    pub(super) fn stands(&self, attempts: u64, accepted: Option<Acceptance>) {
        self.attempts.fetch_max(attempts, Ordering::Relaxed);
        if let Some(accepted) = accepted.filter(|_| self.accepted().is_none()) {
            self.accept(accepted);
        }
    }

    /// The upstream did not see this one: its number is given again, unless there was another meanwhile.
    pub fn was_not_seen(&self, attempt: Option<u64>) {
        if let Some(attempt) = attempt {
            let _ = self.attempts.compare_exchange(attempt, attempt - 1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// How often it was sent.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// What the upstream said when it took it; the first time counts.
    #[must_use]
    pub fn accepted(&self) -> Option<&Accepted> {
        self.accepted.get()
    }

    /// The upstream took the delivery.
    pub fn accept(&self, acceptance: Acceptance) {
        let transaction_id = acceptance.transaction_id;
        let headers: usize = acceptance.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let bytes = headers + acceptance.body.as_ref().map_or(0, Bytes::len);
        let answer = (bytes <= AT_HAND).then(|| Arc::new(acceptance));
        let _ = self.accepted.set(Accepted { transaction_id, answer: ArcSwapOption::new(answer) });
    }

    /// What the upstream said is not kept in memory any more.
    pub(super) fn forget_answer(&self) {
        if let Some(accepted) = self.accepted.get() {
            accepted.answer.store(None);
        }
    }

    /// Marks that the count is ahead of the journal's. `true` if it was not before.
    pub(super) fn mark_unflushed(&self) -> bool {
        !self.uncounted.swap(true, Ordering::Relaxed)
    }

    /// The count is being written.
    pub(super) fn mark_flushed(&self) {
        self.uncounted.store(false, Ordering::Relaxed);
    }
}

/// A map that remembers at least the latest `capacity` entries, and twice as many at most: when the younger half is
/// full, the older is forgotten. A lock is held for a look-up only.
#[derive(Debug)]
pub(super) struct Latest<K, V, S = RandomState> {
    halves: Mutex<Halves<K, V, S>>,
    capacity: AtomicUsize,
}

#[derive(Debug)]
struct Halves<K, V, S> {
    younger: HashMap<K, V, S>,
    older: HashMap<K, V, S>,
}

impl<K: Hash + Eq + Copy, V: Clone, S: BuildHasher + Default> Latest<K, V, S> {
    pub(super) fn new(capacity: usize) -> Self {
        let halves = Mutex::new(Halves { younger: HashMap::default(), older: HashMap::default() });
        Self { halves, capacity: AtomicUsize::new(capacity) }
    }

    /// Remembers so many from now on.
    pub(super) fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity, Ordering::Relaxed);
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut halves = self.lock();
        halves.younger.clear();
        halves.older.clear();
    }

    /// What is known of `key`.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut halves = self.lock();
        if let Some(value) = halves.younger.get(key) {
            return Some(value.clone());
        }
        let value = halves.older.remove(key)?;
        self.insert(&mut halves, *key, value.clone());
        Some(value)
    }

    /// What is known of `key`, or else what `make` gives, which is remembered.
    pub(super) fn get_or(&self, key: &K, make: impl FnOnce() -> V) -> V {
        let mut halves = self.lock();
        if let Some(value) = halves.younger.get(key) {
            return value.clone();
        }
        let value = halves.older.remove(key).unwrap_or_else(make);
        self.insert(&mut halves, *key, value.clone());
        value
    }

    /// From now on this is known of `key`.
    pub(super) fn put(&self, key: K, value: V) {
        let mut halves = self.lock();
        halves.older.remove(&key);
        self.insert(&mut halves, key, value);
    }

    /// Forgets `key`.
    pub(super) fn remove(&self, key: &K) {
        let mut halves = self.lock();
        halves.younger.remove(key);
        halves.older.remove(key);
    }

    fn insert(&self, halves: &mut Halves<K, V, S>, key: K, value: V) {
        if halves.younger.len() >= self.capacity.load(Ordering::Relaxed) {
            halves.older = std::mem::take(&mut halves.younger);
        }
        halves.younger.insert(key, value);
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Halves<K, V, S>> {
        self.halves.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::OrderId;

    #[test]
    fn the_id_stays_and_the_attempt_counts() {
        let id = DeliveryId::of("app", &OrderId::parse("A-1").unwrap());
        let delivery = Delivery::new(id, 0, None);
        let (first, second) = (delivery.next(Origin::Callback), delivery.next(Origin::FollowUp));
        assert_eq!((first.number, second.number), (Some(1), Some(2)));
        assert_eq!((first.delivery, second.delivery), (delivery.header.clone(), delivery.header.clone()));
        assert_eq!(Delivery::new(id, 7, None).next(Origin::Callback).number, Some(8));
    }

    #[test]
    fn a_number_that_nobody_saw_is_given_again() {
        let delivery = Delivery::new(DeliveryId::of("app", &OrderId::parse("A-1").unwrap()), 0, None);
        let unseen = delivery.next(Origin::Callback).number;
        delivery.was_not_seen(unseen);
        assert_eq!(delivery.next(Origin::Callback).number, unseen);
        let (unseen, _) = (delivery.next(Origin::Callback).number, delivery.next(Origin::Callback));
        delivery.was_not_seen(unseen);
        assert_eq!(delivery.attempts(), 3, "there was another meanwhile");
    }

    #[test]
    fn the_latest_are_remembered_and_no_more_than_twice_as_many() {
        let latest: Latest<_, _> = Latest::new(10);
        for key in 0..100 {
            latest.get_or(&key, || key);
        }
        let held = {
            let halves = latest.halves.lock();
            halves.younger.len() + halves.older.len()
        };
        assert!((10..=20).contains(&held), "{held}");
        assert_eq!((latest.get(&91), latest.get(&1)), (Some(91), None));
        latest.remove(&91);
        assert_eq!(latest.get(&91), None);
    }
}
