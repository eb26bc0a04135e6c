//! What the journal's writer does.

use super::Histogram;
use super::labels::{CodeLabel, WhatLabel};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
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
    round_trips: Family<WhatLabel, Histogram>,
    retries: Family<CodeLabel, Counter>,
    leases_lost: Counter,
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
        let round_trips = Family::new_with_constructor(Histogram::coarse as fn() -> Histogram);
        let help = "A transaction of a journal in a database, until the database has answered, by what it is mostly of";
        registry.register_with_unit("tollgate_journal_round_trip", help, Unit::Seconds, Family::clone(&round_trips));
        let retries = Family::default();
        let help = "Transactions of a journal in a database that are done again, by why";
        registry.register("tollgate_journal_retries", help, Family::clone(&retries));
        let leases_lost = Counter::default();
        let help = "Steps that another replica had taken over before they were done";
        registry.register("tollgate_lease_lost", help, leases_lost.clone());
        let (commit_began, epoch) = (AtomicU64::new(0), OnceLock::new());
        let fails = AtomicBool::new(false);
        Self(Arc::new(Inner { commits, batches, round_trips, retries, leases_lost, fails, commit_began, epoch }))
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

    /// A transaction of a database was answered after this time: what it is mostly of, and of how many operations it was.
    pub fn round_trip(&self, what: &'static str, took: Duration, operations: usize) {
        self.0.round_trips.get_or_create(&WhatLabel { what }).observe(took);
        self.0.batches.observe_number(operations as u64);
    }

    /// A transaction of a database is done again: its SQLSTATE, or `connection`.
    pub fn retry(&self, code: &str) {
        self.0.retries.get_or_create(&CodeLabel { code: code.to_owned() }).inc();
    }

    /// A step found that another replica had taken over.
    pub fn lease_lost(&self) {
        self.0.leases_lost.inc();
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
