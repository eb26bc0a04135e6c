//! What is in somebody's hand: entries that are being worked on, or whose next step is decided and not on disk yet. They
//! are due to nobody else. It lives in memory, because only this process works on this file.

use crate::journal::{EntryId, Next, Note};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The entries in hand.
#[derive(Debug, Default)]
pub(super) struct Hand(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<EntryId, Holding>,
    seq: u64,
}

#[derive(Debug, Clone, Copy)]
enum Holding {
    /// Somebody works on it.
    Working,
    /// Its next step is not on disk yet; `seq` is the note that says so.
    Unwritten { seq: u64, next: Option<Next>, due_at: Option<i64> },
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

    /// Gives back an entry that was taken.
    pub(super) fn let_go(&self, entry: EntryId) {
        let mut held = self.lock();
        if matches!(held.entries.get(&entry), Some(Holding::Working)) {
            held.entries.remove(&entry);
        }
    }

    /// A note was made at this time (milliseconds): an entry that goes on with it is kept until that is written.
    /// Returns the note's number.
    pub(super) fn noted(&self, note: &Note, at: i64) -> u64 {
        let mut held = self.lock();
        held.seq += 1;
        let seq = held.seq;
        let (entry, next, again_in) = match note {
            Note::Found { entry, next: Some(next), .. } => {
                (*entry, Some(*next), next.due().map(|(again_in, _)| again_in))
            }
            Note::Sent { sending, next: Some(next), .. } => {
                (sending.entry, Some(*next), next.due().map(|(again_in, _)| again_in))
            }
            Note::Postponed { entry, again_in } => (*entry, None, Some(*again_in)),
            _ => return seq,
        };
        let due_at = again_in.map(|again_in| at.saturating_add(millis(again_in)));
        held.entries.insert(entry, Holding::Unwritten { seq, next, due_at });
        seq
    }

    /// A note was written: its entry is free if nothing newer was noted of it.
    pub(super) fn written(&self, note: &Note, seq: u64) {
        let entry = match note {
            Note::Found { entry, .. } | Note::Postponed { entry, .. } => *entry,
            Note::Sent { sending, .. } => sending.entry,
            _ => return,
        };
        let mut held = self.lock();
        if matches!(held.entries.get(&entry), Some(Holding::Unwritten { seq: last, .. }) if *last == seq) {
            held.entries.remove(&entry);
        }
    }

    /// All entries in hand at this moment.
    pub(super) fn entries(&self) -> Vec<EntryId> {
        self.lock().entries.keys().copied().collect()
    }

    /// Takes up to `limit` entries whose next step is not on disk and is due at `now`: what goes on while the disk fails.
    /// With each, the step it is at.
    pub(super) fn take_unwritten(&self, now: i64, limit: usize) -> Vec<(EntryId, Option<Next>)> {
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
        due
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
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
    use std::time::Duration;

    fn postponed(entry: i64) -> Note {
        Note::Postponed { entry: EntryId(entry), again_in: Duration::from_millis(5) }
    }

    #[test]
    fn what_is_in_one_hand_is_in_no_other() {
        let hand = Hand::default();
        assert!(hand.take(EntryId(1)) && !hand.take(EntryId(1)) && hand.take(EntryId(2)));
        hand.let_go(EntryId(1));
        assert!(hand.take(EntryId(1)));
    }

    #[test]
    fn an_entry_is_kept_until_the_latest_note_of_it_is_written() {
        let hand = Hand::default();
        hand.take(EntryId(1));
        let first = hand.noted(&postponed(1), 0);
        let second = hand.noted(&postponed(1), 0);
        hand.let_go(EntryId(1));
        hand.written(&postponed(1), first);
        assert_eq!(hand.entries(), [EntryId(1)]);
        hand.written(&postponed(1), second);
        assert!(hand.entries().is_empty());
    }

    #[test]
    fn what_is_not_written_is_due_all_the_same() {
        let hand = Hand::default();
        hand.take(EntryId(1));
        hand.noted(&postponed(1), 100);
        assert!(hand.take_unwritten(104, 10).is_empty());
        assert_eq!(hand.take_unwritten(105, 10), [(EntryId(1), None)]);
        assert!(hand.take_unwritten(105, 10).is_empty() && !hand.take(EntryId(1)));
    }
}
