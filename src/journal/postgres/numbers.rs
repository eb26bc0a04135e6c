//! Numbers that replicas make by themselves: no two are the same, and they ascend with time. In that of an entry stands its
//! bucket, so that whoever has the number knows where its rows are.
//!
//! From the highest bit: milliseconds since 2020 by the database's clock (41), bucket (8), slot of the replica (8), count (6).

use crate::journal::EntryId;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// Where all rows of an order stand: the first byte of SHA-256 of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket(pub(super) u8);

/// 2020-01-01T00:00:00Z, in milliseconds since 1970.
pub(super) const SINCE: i64 = 1_577_836_800_000;

/// Slots that there are.
pub(super) const SLOTS: u16 = 256;

const COUNT_BITS: u32 = 6;
const SLOT_BITS: u32 = 8;
const BUCKET_BITS: u32 = 8;

impl Bucket {
    /// The bucket of an order, or of whatever a table is spread by.
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).first().copied().unwrap_or(0))
    }

    /// The bucket that stands in an entry's number.
    pub(super) fn of_entry(entry: EntryId) -> Self {
        Self((entry.0 >> (COUNT_BITS + SLOT_BITS)).to_le_bytes()[0])
    }

    /// As a column has it.
    pub(super) fn column(self) -> i16 {
        i16::from(self.0)
    }
}

/// The number of an entry that was made `at` this time (milliseconds since 1970), by the lowest bits of another.
pub(super) fn number(at: i64, bucket: Bucket, low: u16) -> i64 {
    let low = i64::from(low) & ((1 << (COUNT_BITS + SLOT_BITS)) - 1);
    (at.saturating_sub(SINCE).max(0) << (COUNT_BITS + SLOT_BITS + BUCKET_BITS))
        | (i64::from(bucket.0) << (COUNT_BITS + SLOT_BITS))
        | low
}

/// Makes numbers, under one slot.
#[derive(Debug, Default)]
pub(super) struct Numbers(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    at: i64,
    count: u16,
}

impl Numbers {
    /// The next number: `at` this time or, where more are wanted in a millisecond than can be told apart, a little later.
    pub(super) fn next(&self, at: i64, bucket: Bucket, slot: u16) -> i64 {
        let mut last = self.0.lock();
        if at > last.at {
            *last = Last { at, count: 0 };
        } else {
            last.count += 1;
            if last.count >= 1 << COUNT_BITS {
                *last = Last { at: last.at + 1, count: 0 };
            }
        }
        number(last.at, bucket, (slot << COUNT_BITS) | last.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_ascend_and_say_their_bucket() {
        let numbers = Numbers::default();
        let at = SINCE + 217_000_000_000;
        let mut all = Vec::new();
        for index in 0..1000_u16 {
            let bucket = Bucket(index.to_le_bytes()[0]);
            // A clock that stands still, and one that goes back.
            let number = numbers.next(at - i64::from(index % 3), bucket, 255);
            assert_eq!(Bucket::of_entry(EntryId(number)), bucket);
            assert!(number > 0);
            all.push(number);
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        let of_one_bucket: Vec<_> = (0..200).map(|_| numbers.next(at, Bucket(7), 1)).collect();
        assert!(of_one_bucket.is_sorted());
    }

    #[test]
    fn slots_tell_numbers_of_the_same_moment_apart() {
        let (one, other) = (Numbers::default(), Numbers::default());
        let at = SINCE + 1;
        let all: HashSet<_> =
            (0..64).flat_map(|_| [one.next(at, Bucket(1), 0), other.next(at, Bucket(1), 1)]).collect();
        assert_eq!(all.len(), 128);
    }
}
