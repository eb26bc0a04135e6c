//! Leases: an entry that is being worked on, or whose next step is decided and not on disk yet, is leased, and given
//! out to no one else. They live in memory and end with the process, because only this process works on this file.

use crate::journal::{EntryId, JournalEvent, Transition};
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The entries that are leased.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Entries>);

/// The lease of one entry; it is released when this is dropped, unless it is kept.
#[derive(Debug)]
pub(super) struct Lease {
    leases: Arc<Leases>,
    entry: EntryId,
    kept: bool,
}

impl Lease {
    /// Which it is.
    pub(super) fn entry(&self) -> EntryId {
        self.entry
    }

    /// The lease belongs to whoever asked from now on.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.kept {
            self.leases.release(self.entry);
        }
    }
}

#[derive(Debug, Default)]
struct Entries {
    entries: HashMap<EntryId, Holding>,
    seq: u64,
}

#[derive(Debug, Clone, Copy)]
enum Holding {
    /// A worker has it.
    Working,
    /// It is leased to no worker before this time, in milliseconds.
    Resting { until: i64 },
    /// Its next step is not on disk yet; `seq` is the event that says so.
    Unwritten { seq: u64, next: Transition, due_at: Option<i64> },
}

impl Leases {
    /// Leases an entry, unless it is leased.
    pub(super) fn take(&self, entry: EntryId) -> bool {
        let mut leased = self.lock();
        let free = !leased.entries.contains_key(&entry);
        if free {
            leased.entries.insert(entry, Holding::Working);
        }
        free
    }

    /// Leases an entry that is released unless the lease is kept.
    pub(super) fn lease(self: &Arc<Self>, entry: EntryId) -> Option<Lease> {
        self.take(entry).then(|| Lease { leases: Arc::clone(self), entry, kept: false })
    }

    /// Releases an entry that was leased.
    pub(super) fn release(&self, entry: EntryId) {
        let mut leased = self.lock();
        if matches!(leased.entries.get(&entry), Some(Holding::Working)) {
            leased.entries.remove(&entry);
        }
    }

    /// Whether a worker has it, and has not said yet where it goes on.
    pub(super) fn is_worked_on(&self, entry: EntryId) -> bool {
        matches!(self.lock().entries.get(&entry), Some(Holding::Working))
    }

    /// An event was appended at this time (milliseconds): an entry that goes on with it is kept until that is written.
    /// Returns the event's number.
    pub(super) fn appended(&self, event: &JournalEvent, at: i64) -> u64 {
        let mut leased = self.lock();
        leased.seq += 1;
        let seq = leased.seq;
        let (entry, next) = match event {
            JournalEvent::Decided { entry, next: Some(next), .. } => (*entry, *next),
            JournalEvent::AttemptEnded { attempt, next: Some(next), .. } => (attempt.entry, *next),
            _ => return seq,
        };
        let due_at = next.due().map(|(again_in, _)| at.saturating_add(millis(again_in)));
        leased.entries.insert(entry, Holding::Unwritten { seq, next, due_at });
        seq
    }

    /// An event was written: its entry is free if no newer one says where it goes on.
    pub(super) fn written(&self, event: &JournalEvent, seq: u64) {
        let entry = match event {
            JournalEvent::Decided { entry, .. } => *entry,
            JournalEvent::AttemptEnded { attempt, .. } => attempt.entry,
            _ => return,
        };
        let mut leased = self.lock();
        if matches!(leased.entries.get(&entry), Some(Holding::Unwritten { seq: last, .. }) if *last == seq) {
            leased.entries.remove(&entry);
        }
    }

    /// Releases an entry that was leased; it is given out to no one before `until` (milliseconds).
    pub(super) fn rest(&self, entry: EntryId, until: i64) {
        let mut leased = self.lock();
        if matches!(leased.entries.get(&entry), Some(Holding::Working)) {
            leased.entries.insert(entry, Holding::Resting { until });
        }
    }

    /// All entries that are leased at `now`; those that rested long enough are not any more.
    pub(super) fn entries(&self, now: i64) -> HashSet<EntryId> {
        let mut leased = self.lock();
        leased.entries.retain(|_, holding| !matches!(holding, Holding::Resting { until } if *until <= now));
        leased.entries.keys().copied().collect()
    }

    /// Takes up to `limit` entries whose next step is not on disk and is due at `now`: what goes on while the disk
    /// fails. With each, the step it is at.
    pub(super) fn take_unwritten(self: &Arc<Self>, now: i64, limit: usize) -> Vec<(Lease, Transition)> {
        let mut leased = self.lock();
        let due = |holding: &Holding| match holding {
            Holding::Unwritten { next, due_at: Some(due_at), .. } if *due_at <= now => Some(*next),
            _ => None,
        };
        let due: Vec<_> =
            leased.entries.iter().filter_map(|(entry, holding)| Some((*entry, due(holding)?))).take(limit).collect();
        for (entry, _) in &due {
            leased.entries.insert(*entry, Holding::Working);
        }
        due.into_iter().map(|(entry, next)| (Lease { leases: Arc::clone(self), entry, kept: false }, next)).collect()
    }

    /// The clock was set by so many milliseconds: what rests or waits goes on as long as it would have.
    pub(super) fn clock_was_set(&self, by: i64) {
        for holding in self.lock().entries.values_mut() {
            match holding {
                Holding::Resting { until } => *until = until.saturating_add(by),
                Holding::Unwritten { due_at: Some(due_at), .. } => *due_at = due_at.saturating_add(by),
                Holding::Working | Holding::Unwritten { due_at: None, .. } => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock()
    }
}

/// Whole milliseconds, as the file has them.
pub(super) fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::Reason;
    use std::time::Duration;

    fn asked(entry: i64) -> JournalEvent {
        let next = Some(Transition::Ask { again_in: Duration::from_millis(5), retries: 0 });
        JournalEvent::Decided { entry: EntryId(entry), reason: Reason::NotPaidYet, verified: None, next }
    }

    #[test]
    fn what_is_leased_once_is_leased_to_no_other() {
        let leases = Leases::default();
        assert!(leases.take(EntryId(1)) && !leases.take(EntryId(1)) && leases.take(EntryId(2)));
        leases.release(EntryId(1));
        assert!(leases.take(EntryId(1)));
    }

    #[test]
    fn what_rests_is_nobodys_until_its_time() {
        let leases = Leases::default();
        leases.take(EntryId(1));
        leases.rest(EntryId(1), 100);
        leases.rest(EntryId(2), 100);
        assert!(leases.entries(99) == HashSet::from([EntryId(1)]) && !leases.take(EntryId(1)));
        assert!(leases.entries(100).is_empty() && leases.take(EntryId(1)));
    }

    #[test]
    fn what_rests_goes_on_resting_when_the_clock_is_set() {
        for by in [1_000_000, -1_000_000] {
            let leases = Leases::default();
            leases.take(EntryId(1));
            leases.rest(EntryId(1), 100);
            leases.clock_was_set(by);
            assert!(leases.entries(by + 99) == HashSet::from([EntryId(1)]) && leases.entries(by + 100).is_empty());
        }
    }

    #[test]
    fn an_entry_is_kept_until_the_latest_note_of_it_is_written() {
        let leases = Leases::default();
        leases.take(EntryId(1));
        let first = leases.appended(&asked(1), 0);
        let second = leases.appended(&asked(1), 0);
        leases.release(EntryId(1));
        leases.written(&asked(1), first);
        assert_eq!(leases.entries(0), HashSet::from([EntryId(1)]));
        leases.written(&asked(1), second);
        assert!(leases.entries(0).is_empty());
    }

    #[test]
    fn what_is_not_written_is_due_all_the_same() {
        let leases = Arc::new(Leases::default());
        leases.take(EntryId(1));
        leases.appended(&asked(1), 100);
        assert!(leases.take_unwritten(104, 10).is_empty());
        let due = leases.take_unwritten(105, 10);
        assert!(matches!(due.as_slice(), [(lease, Transition::Ask { .. })] if lease.entry() == EntryId(1)), "{due:?}");
        assert!(leases.take_unwritten(105, 10).is_empty() && !leases.take(EntryId(1)));
        drop(due);
        assert!(leases.take(EntryId(1)));
    }
}
