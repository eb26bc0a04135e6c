//! What the journal's writer does.

use super::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Clones are one and the same.
#[derive(Debug, Clone)]
pub struct JournalMeters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    commits: Histogram,
    batches: Histogram,
    fails: AtomicBool,
    /// When the commit under way began, in milliseconds since the first; zero if none is.
    commit_began: AtomicU64,
    epoch: OnceLock<Instant>,
}

/// Upper bounds of a batch; the writer takes 256 operations at most.
const OPERATIONS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// A commit that takes longer does not come in time for whoever waits for it.
const TOO_LONG: Duration = Duration::from_secs(5);

impl Default for JournalMeters {
    /// Meters that no scrape reads.
    fn default() -> Self {
        Self::new(&mut Registry::default())
    }
}

impl JournalMeters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (commits, batches) = (Histogram::coarse(), Histogram::numbers(OPERATIONS));
        let help = "Writing a transaction of the journal, until it is on disk";
        registry.register_with_unit("tollgate_journal_commit_duration", help, Unit::Seconds, commits.clone());
        let help = "What was written in one transaction of the journal";
        registry.register("tollgate_journal_batch_size", help, batches.clone());
        let (commit_began, epoch) = (AtomicU64::new(0), OnceLock::new());
        Self(Arc::new(Inner { commits, batches, fails: AtomicBool::new(false), commit_began, epoch }))
    }

    /// Counts a commit while it goes on, whatever it comes to; it says how many operations it was of.
    pub fn commit<T>(&self, commit: impl FnOnce() -> (usize, T)) -> T {
        let (began, epoch) = (Instant::now(), *self.0.epoch.get_or_init(Instant::now));
        let since = u64::try_from(began.saturating_duration_since(epoch).as_millis()).unwrap_or(u64::MAX);
        self.0.commit_began.store(since.saturating_add(1), Ordering::Relaxed);
        let (operations, committed) = commit();
        self.0.commit_began.store(0, Ordering::Relaxed);
        self.0.commits.observe(began.elapsed());
        self.0.batches.observe_number(operations as u64);
        committed
    }

    /// The disk was found to take writes, or not to.
    pub fn set_writable(&self, writable: bool) {
        self.0.fails.store(!writable, Ordering::Relaxed);
    }

    /// Whether the journal can be written: the disk did not fail, and does not hang.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.0.fails.load(Ordering::Relaxed) && self.under_way() < TOO_LONG
    }

    /// How long the commit under way has taken so far.
    #[must_use]
    pub fn under_way(&self) -> Duration {
        let began = self.0.commit_began.load(Ordering::Relaxed).checked_sub(1);
        let began = began.zip(self.0.epoch.get()).map(|(since, epoch)| *epoch + Duration::from_millis(since));
        began.map(|began| began.elapsed()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_writable_while_its_disk_works() {
        let meters = JournalMeters::default();
        assert!(meters.is_writable());
        meters.set_writable(false);
        assert!(!meters.is_writable());
        meters.set_writable(true);
        assert!(meters.is_writable());
    }

    #[test]
    fn a_commit_is_under_way_until_it_ends() {
        let meters = JournalMeters::default();
        let under_way = meters.commit(|| {
            while meters.under_way() < Duration::from_millis(10) {
                std::thread::yield_now();
            }
            (3, meters.under_way())
        });
        assert!(under_way >= Duration::from_millis(10));
        assert_eq!(meters.under_way(), Duration::ZERO);
    }
}
