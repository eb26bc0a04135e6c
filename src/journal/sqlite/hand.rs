//! What is in somebody's hand: entries that are being worked on, or whose next step is decided and not on disk yet. They
//! are due to nobody else. It lives in memory, because only this process works on this file.

use crate::journal::{EntryId, JournalEvent, Transition};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The entries in hand.
#[derive(Debug, Default)]
pub(super) struct Hand(Mutex<Entries>);

/// An entry that was taken; it is given back when this is dropped, unless it is kept.
#[derive(Debug)]
pub(super) struct Held {
    hand: Arc<Hand>,
    entry: EntryId,
    kept: bool,
}

impl Held {
    /// Which it is.
    pub(super) fn entry(&self) -> EntryId {
        self.entry
    }

    /// It is somebody's from now on.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.kept {
            self.hand.let_go(self.entry);
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
    /// Somebody works on it.
    Working,
    /// It is nobody's turn before this time, in milliseconds.
    Resting { until: i64 },
    /// Its next step is not on disk yet; `seq` is the note that says so.
    Unwritten { seq: u64, next: Transition, due_at: Option<i64> },
}

impl Hand {
    /// Takes an entry, unless somebody has it.
    pub(super) fn take(&self, entry: EntryId) -> bool {
        let mut held = self.lock();
        let free = !held.entries.contains_key(&entry);
        if free {
            held.entries.insert(entry, Holding::Working);
        }
        free
    }

    /// Takes an entry that is given back unless it is kept.
    pub(super) fn hold(self: &Arc<Self>, entry: EntryId) -> Option<Held> {
        self.take(entry).then(|| Held { hand: Arc::clone(self), entry, kept: false })
    }

    /// Gives back an entry that was taken.
    pub(super) fn let_go(&self, entry: EntryId) {
        let mut held = self.lock();
        if matches!(held.entries.get(&entry), Some(Holding::Working)) {
            held.entries.remove(&entry);
        }
    }

    /// Whether somebody works on it, and has not noted yet what comes of it.
    pub(super) fn is_worked_on(&self, entry: EntryId) -> bool {
        matches!(self.lock().entries.get(&entry), Some(Holding::Working))
    }

    /// A note was made at this time (milliseconds): an entry that goes on with it is kept until that is written.
    /// Returns the note's number.
    pub(super) fn noted(&self, note: &JournalEvent, at: i64) -> u64 {
        let mut held = self.lock();
        held.seq += 1;
        let seq = held.seq;
        let (entry, next) = match note {
            JournalEvent::Found { entry, next: Some(next), .. } => (*entry, *next),
            JournalEvent::Sent { sending, next: Some(next), .. } => (sending.entry, *next),
            _ => return seq,
        };
        let due_at = next.due().map(|(again_in, _)| at.saturating_add(millis(again_in)));
        held.entries.insert(entry, Holding::Unwritten { seq, next, due_at });
        seq
    }

    /// A note was written: its entry is free if nothing newer was noted of it.
    pub(super) fn written(&self, note: &JournalEvent, seq: u64) {
        let entry = match note {
            JournalEvent::Found { entry, .. } => *entry,
            JournalEvent::Sent { sending, .. } => sending.entry,
            _ => return,
        };
        let mut held = self.lock();
        if matches!(held.entries.get(&entry), Some(Holding::Unwritten { seq: last, .. }) if *last == seq) {
            held.entries.remove(&entry);
        }
    }

    /// Gives back an entry that was taken, to nobody before `until` (milliseconds).
    pub(super) fn rest(&self, entry: EntryId, until: i64) {
        let mut held = self.lock();
        if matches!(held.entries.get(&entry), Some(Holding::Working)) {
            held.entries.insert(entry, Holding::Resting { until });
        }
    }

    /// All entries in hand at `now`; those that rested long enough are not any more.
    pub(super) fn entries(&self, now: i64) -> HashSet<EntryId> {
        let mut held = self.lock();
        held.entries.retain(|_, holding| !matches!(holding, Holding::Resting { until } if *until <= now));
        held.entries.keys().copied().collect()
    }

    /// Takes up to `limit` entries whose next step is not on disk and is due at `now`: what goes on while the disk fails.
    /// With each, the step it is at.
    pub(super) fn take_unwritten(self: &Arc<Self>, now: i64, limit: usize) -> Vec<(Held, Transition)> {
        let mut held = self.lock();
        let due = |holding: &Holding| match holding {
            Holding::Unwritten { next, due_at: Some(due_at), .. } if *due_at <= now => Some(*next),
            _ => None,
        };
        let due: Vec<_> =
            held.entries.iter().filter_map(|(entry, holding)| Some((*entry, due(holding)?))).take(limit).collect();
        for (entry, _) in &due {
            held.entries.insert(*entry, Holding::Working);
        }
        due.into_iter().map(|(entry, next)| (Held { hand: Arc::clone(self), entry, kept: false }, next)).collect()
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let next = Some(Transition::Ask { again_in: Duration::from_millis(5), tries: 0 });
        JournalEvent::Found { entry: EntryId(entry), reason: Reason::NotPaidYet, verified: None, next }
    }

    #[test]
    fn what_is_in_one_hand_is_in_no_other() {
        let hand = Hand::default();
        assert!(hand.take(EntryId(1)) && !hand.take(EntryId(1)) && hand.take(EntryId(2)));
        hand.let_go(EntryId(1));
        assert!(hand.take(EntryId(1)));
    }

    #[test]
    fn what_rests_is_nobodys_until_its_time() {
        let hand = Hand::default();
        hand.take(EntryId(1));
        hand.rest(EntryId(1), 100);
        hand.rest(EntryId(2), 100);
        assert!(hand.entries(99) == HashSet::from([EntryId(1)]) && !hand.take(EntryId(1)));
        assert!(hand.entries(100).is_empty() && hand.take(EntryId(1)));
    }

    #[test]
    fn what_rests_goes_on_resting_when_the_clock_is_set() {
        for by in [1_000_000, -1_000_000] {
            let hand = Hand::default();
            hand.take(EntryId(1));
            hand.rest(EntryId(1), 100);
            hand.clock_was_set(by);
            assert!(hand.entries(by + 99) == HashSet::from([EntryId(1)]) && hand.entries(by + 100).is_empty());
        }
    }

    #[test]
    fn an_entry_is_kept_until_the_latest_note_of_it_is_written() {
        let hand = Hand::default();
        hand.take(EntryId(1));
        let first = hand.noted(&asked(1), 0);
        let second = hand.noted(&asked(1), 0);
        hand.let_go(EntryId(1));
        hand.written(&asked(1), first);
        assert_eq!(hand.entries(0), HashSet::from([EntryId(1)]));
        hand.written(&asked(1), second);
        assert!(hand.entries(0).is_empty());
    }

    #[test]
    fn what_is_not_written_is_due_all_the_same() {
        let hand = Arc::new(Hand::default());
        hand.take(EntryId(1));
        hand.noted(&asked(1), 100);
        assert!(hand.take_unwritten(104, 10).is_empty());
        let due = hand.take_unwritten(105, 10);
        assert!(matches!(due.as_slice(), [(held, Transition::Ask { .. })] if held.entry() == EntryId(1)), "{due:?}");
        assert!(hand.take_unwritten(105, 10).is_empty() && !hand.take(EntryId(1)));
        drop(due);
        assert!(hand.take(EntryId(1)));
    }
}
