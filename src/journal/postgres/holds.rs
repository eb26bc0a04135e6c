//! What this process holds: entries that it works on, and under which of its incarnations. What says so to others is the
//! column `holder`; this only knows what to write there, what rests, and what was given up and is not durable yet.

use crate::journal::EntryId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The entries that this process holds. There are never more than are worked on at once, or rest.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    holds: HashMap<EntryId, Hold>,
    count: u64,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    incarnation: i64,
    /// Tells it from one of the same entry before and after.
    number: u64,
    /// It is given to no worker before this time.
    rests_until: Option<Instant>,
    /// Whether no worker has it any more; what says so is not durable yet.
    ends: bool,
}

/// A hold that ends once what ends it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    entry: EntryId,
    number: u64,
    pub(super) incarnation: i64,
}

impl Inner {
    fn put(&mut self, entry: EntryId, incarnation: i64) {
        self.count += 1;
        let hold = Hold { incarnation, number: self.count, rests_until: None, ends: false };
        self.holds.insert(entry, hold);
    }
}

impl Holds {
    /// An entry is held from now on.
    pub(super) fn take(&self, entry: EntryId, incarnation: i64) {
        self.0.lock().put(entry, incarnation);
    }

    /// An entry is held from now on, unless a worker has it. Returns whether.
    pub(super) fn take_if_free(&self, entry: EntryId, incarnation: i64) -> bool {
        let mut inner = self.0.lock();
        let is_free = inner.holds.get(&entry).is_none_or(|hold| hold.ends);
        if is_free {
            inner.put(entry, incarnation);
        }
        is_free
    }

    /// Under which incarnation a worker has an entry, if one has.
    pub(super) fn of(&self, entry: EntryId) -> Option<i64> {
        self.0.lock().holds.get(&entry).filter(|hold| !hold.ends).map(|hold| hold.incarnation)
    }

    /// Whether an entry is held, by a worker or until what ends that is durable.
    pub(super) fn has(&self, entry: EntryId) -> bool {
        self.0.lock().holds.contains_key(&entry)
    }

    /// All entries that are held, by a worker or until what ends that is durable.
    pub(super) fn all(&self) -> Vec<EntryId> {
        self.0.lock().holds.keys().copied().collect()
    }

    /// Whether something has ended that is not durable yet.
    pub(super) fn are_ending(&self) -> bool {
        self.0.lock().holds.values().any(|hold| hold.ends)
    }

    /// No worker has an entry any more.
    pub(super) fn end(&self, entry: EntryId) -> Option<Ending> {
        let mut inner = self.0.lock();
        let hold = inner.holds.get_mut(&entry).filter(|hold| !hold.ends)?;
        hold.ends = true;
        Some(Ending { entry, number: hold.number, incarnation: hold.incarnation })
    }

    /// That a hold ended is durable.
    pub(super) fn ended(&self, ending: Ending) {
        let mut inner = self.0.lock();
        if inner.holds.get(&ending.entry).is_some_and(|hold| hold.number == ending.number) {
            inner.holds.remove(&ending.entry);
        }
    }

    /// An entry is not held after all.
    pub(super) fn forget(&self, entry: EntryId) {
        self.0.lock().holds.remove(&entry);
    }

    /// An entry is held on, and given to no worker for this time.
    pub(super) fn rest(&self, entry: EntryId, again_in: Duration) {
        let until = Instant::now().checked_add(again_in);
        if let Some(hold) = self.0.lock().holds.get_mut(&entry).filter(|hold| !hold.ends) {
            hold.rests_until = until.or(hold.rests_until);
        }
    }

    /// Up to `limit` entries that have rested long enough, which are worked on from now on, with their incarnations.
    pub(super) fn rested(&self, limit: usize) -> Vec<(EntryId, i64)> {
        let now = Instant::now();
        let mut inner = self.0.lock();
        let is_rested = |hold: &Hold| !hold.ends && hold.rests_until.is_some_and(|until| until <= now);
        let rested = inner.holds.iter().filter(|(_, hold)| is_rested(hold));
        let rested: Vec<_> = rested.map(|(entry, hold)| (*entry, hold.incarnation)).take(limit).collect();
        for (entry, _) in &rested {
            if let Some(hold) = inner.holds.get_mut(entry) {
                hold.rests_until = None;
            }
        }
        rested
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().holds.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_that_ends_is_free_and_does_not_take_the_next_one_along() {
        let (holds, entry) = (Holds::default(), EntryId(1));
        assert!(holds.take_if_free(entry, 7) && !holds.take_if_free(entry, 7));
        let ending = holds.end(entry).unwrap();
        assert_eq!((holds.end(entry), holds.of(entry), holds.has(entry)), (None, None, true));
        assert!(holds.take_if_free(entry, 8));
        holds.ended(ending);
        assert_eq!(holds.of(entry), Some(8));
        holds.ended(holds.end(entry).unwrap());
        assert!(!holds.has(entry));
    }

    #[test]
    fn what_rests_is_given_out_once_its_time_is_over() {
        let (holds, entry) = (Holds::default(), EntryId(1));
        holds.take(entry, 7);
        assert!(holds.rested(10).is_empty());
        holds.rest(entry, Duration::from_secs(600));
        assert!(holds.rested(10).is_empty());
        holds.rest(entry, Duration::ZERO);
        assert_eq!(holds.rested(10), [(entry, 7)]);
        assert!(holds.rested(10).is_empty());
    }
}
