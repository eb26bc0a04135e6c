//! What this process holds: entries that it works on, and under which of its incarnations. What says so to others is the
//! column `holder`; this only knows what to write there, and what rests.

use crate::journal::EntryId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The entries that this process holds. There are never more than are worked on at once, or rest.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<HashMap<EntryId, Hold>>);

#[derive(Debug, Clone, Copy)]
struct Hold {
    incarnation: i64,
    /// It is given to no worker before this time.
    rests_until: Option<Instant>,
}

impl Holds {
    /// An entry is held from now on.
    pub(super) fn take(&self, entry: EntryId, incarnation: i64) {
        self.0.lock().insert(entry, Hold { incarnation, rests_until: None });
    }

    /// Under which incarnation an entry is held, if it is.
    pub(super) fn of(&self, entry: EntryId) -> Option<i64> {
        self.0.lock().get(&entry).map(|hold| hold.incarnation)
    }

    /// An entry is held no more. Under which incarnation it was.
    pub(super) fn end(&self, entry: EntryId) -> Option<i64> {
        self.0.lock().remove(&entry).map(|hold| hold.incarnation)
    }

    /// An entry is held on, and given to no worker for this time.
    pub(super) fn rest(&self, entry: EntryId, again_in: Duration) {
        if let Some(hold) = self.0.lock().get_mut(&entry) {
            hold.rests_until = Some(Instant::now() + again_in);
        }
    }

    /// Up to `limit` entries that have rested long enough, which are worked on from now on, with their incarnations.
    pub(super) fn rested(&self, limit: usize) -> Vec<(EntryId, i64)> {
        let now = Instant::now();
        let mut holds = self.0.lock();
        let rested = holds.iter().filter(|(_, hold)| hold.rests_until.is_some_and(|until| until <= now));
        let rested: Vec<_> = rested.map(|(entry, hold)| (*entry, hold.incarnation)).take(limit).collect();
        for (entry, _) in &rested {
            if let Some(hold) = holds.get_mut(entry) {
                hold.rests_until = None;
            }
        }
        rested
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }
}
