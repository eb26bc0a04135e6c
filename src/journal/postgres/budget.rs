//! What there may be of callbacks whose order was never confirmed, in records and in bytes, over all replicas; and what there is,
//! as far as this process knows: it is counted now and then, and whenever it seems spent.

use crate::journal::{Room, Trust};
use parking_lot::Mutex;

/// One part in this many is left for likely ones.
const SHARE_OF_LIKELY: u64 = 8;

/// What there may be, and is.
#[derive(Debug)]
pub(super) struct Budget {
    most: Room,
    spent: Mutex<Known>,
}

/// What is known of what is spent.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    counted: Spent,
    /// What this process has written since that counting began.
    since: Spent,
    /// What it is writing.
    unwritten: Spent,
}

/// A counting that began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting(Spent);

/// Records, and bytes of their requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Spent {
    /// One record more, with a request of so many bytes.
    pub(super) const fn add(&mut self, bytes: u64) {
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// So much less.
    pub(super) const fn less(self, back: Self) -> Self {
        Self { records: self.records.saturating_sub(back.records), bytes: self.bytes.saturating_sub(back.bytes) }
    }

    /// Both together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { records: self.records.saturating_add(other.records), bytes: self.bytes.saturating_add(other.bytes) }
    }

    /// Whether one more with so many bytes has its place.
    pub(super) const fn has_room(self, most: Room, bytes: u64) -> bool {
        self.records < most.records && self.bytes.saturating_add(bytes) <= most.bytes
    }
}

impl Budget {
    /// Nothing is spent of it, as far as is known.
    pub(super) fn of(most: Room) -> Self {
        Self { most, spent: Mutex::default() }
    }

    /// How much there may be before one of this worth finds no place.
    pub(super) const fn most_of(&self, trust: Trust) -> Room {
        let Room { records, bytes } = self.most;
        match trust {
            Trust::Unconfirmed => {
                Room { records: records - records / SHARE_OF_LIKELY, bytes: bytes - bytes / SHARE_OF_LIKELY }
            }
            Trust::Likely | Trust::Confirmed => self.most,
        }
    }

    /// One record more that is to be written, if it has its place; what is confirmed has it in any case.
    pub(super) fn spend(&self, bytes: u64, trust: Trust) -> bool {
        let mut spent = self.spent.lock();
        let all = spent.counted.and(spent.since).and(spent.unwritten);
        let has_room = trust == Trust::Confirmed || all.has_room(self.most_of(trust), bytes);
        if has_room {
            spent.unwritten.add(bytes);
        }
        has_room
    }

    /// A record with a request of so many bytes was written.
    pub(super) fn is_written(&self, bytes: u64) {
        self.give_back(bytes);
        self.spent.lock().since.add(bytes);
    }

    /// A record with a request of so many bytes is not written after all.
    pub(super) fn give_back(&self, bytes: u64) {
        let mut spent = self.spent.lock();
        spent.unwritten = spent.unwritten.less(Spent { records: 1, bytes });
    }

    /// It is counted from now on.
    pub(super) fn count(&self) -> Counting {
        Counting(self.spent.lock().since)
    }

    /// It was counted. What was written meanwhile may be in it twice, until it is counted again.
    pub(super) fn is(&self, counted: Spent, Counting(before): Counting) {
        let mut spent = self.spent.lock();
        spent.counted = counted;
        spent.since = spent.since.less(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_for_likely_ones_and_what_is_confirmed_has_a_place() {
        let budget = Budget::of(Room { records: 8, bytes: 100 });
        assert!((0..7).all(|_| budget.spend(1, Trust::Unconfirmed)));
        assert!(!budget.spend(1, Trust::Unconfirmed) && budget.spend(1, Trust::Likely));
        assert!(!budget.spend(1, Trust::Likely) && budget.spend(1000, Trust::Confirmed));
    }

    #[test]
    fn what_is_written_while_it_is_counted_is_not_forgotten() {
        let budget = Budget::of(Room { records: 8, bytes: 100 });
        assert!(budget.spend(50, Trust::Likely) && budget.spend(20, Trust::Likely));
        budget.is_written(50);
        let counting = budget.count();
        budget.is_written(20);
        assert!(budget.spend(10, Trust::Likely));
        budget.is(Spent { records: 1, bytes: 50 }, counting);
        assert!(!budget.spend(21, Trust::Likely) && budget.spend(20, Trust::Likely));
        budget.give_back(20);
        assert!(budget.spend(20, Trust::Likely));
    }
}
