//! How many callbacks ended how, and how long they took.

use super::histogram::{Histogram, LATENCY};
use super::outcome::Outcome;
use crate::domain::reason::Verdict;
use std::time::Duration;

/// Every verdict, and that there is none.
pub(super) const VERDICTS: usize = Verdict::ALL.len() + 1;

/// How many callbacks ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// In the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// In the order of [`Verdict::ALL`], and those that came to none.
    pub verdicts: [u64; VERDICTS],
    /// How long they took, from head to answer.
    pub latencies: Latencies,
}

/// Durations, as far as a histogram tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latencies([u64; BUCKETS]);

const BUCKETS: usize = LATENCY.len() + 1;

impl Totals {
    pub(super) fn add(&mut self, outcome: Outcome, verdict: Option<Verdict>, callbacks: u64) {
        let verdict = verdict.map_or(VERDICTS - 1, |verdict| verdict as usize);
        if let (Some(outcomes), Some(verdicts)) =
            (self.outcomes.get_mut(outcome as usize), self.verdicts.get_mut(verdict))
        {
            *outcomes += callbacks;
            *verdicts += callbacks;
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.each(other, |ours, theirs| ours.saturating_add(theirs));
    }

    pub(super) fn less(mut self, other: &Self) -> Self {
        self.each(other, |ours, theirs| ours.saturating_sub(theirs));
        self
    }

    fn each(&mut self, other: &Self, act: impl Fn(u64, u64) -> u64) {
        let ours = self.outcomes.iter_mut().chain(&mut self.verdicts).chain(&mut self.latencies.0);
        let theirs = other.outcomes.iter().chain(&other.verdicts).chain(&other.latencies.0);
        ours.zip(theirs).for_each(|(ours, theirs)| *ours = act(*ours, *theirs));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outcomes.iter().all(|count| *count == 0)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Latencies {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self::from_counts(histogram.buckets())
    }

    /// How many there are in each bucket, for keeping.
    #[must_use]
    pub const fn counts(&self) -> &[u64] {
        &self.0
    }

    /// The reverse of [`counts`](Self::counts).
    #[must_use]
    pub fn from_counts(counts: impl IntoIterator<Item = u64>) -> Self {
        let mut latencies = Self::default();
        latencies.0.iter_mut().zip(counts).for_each(|(bucket, count)| *bucket = count);
        latencies
    }

    /// What this share of them took at most, evenly spread within a bucket as Prometheus does it; `None` if there are
    /// none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * all as f64;
        let mut before = 0.0;
        let mut lower = 0;
        for (bucket, count) in self.0.iter().enumerate() {
            // Beyond the last bound nothing is known but that.
            let Some(upper) = LATENCY.get(bucket).copied() else { break };
            let here = *count as f64;
            if *count > 0 && before + here >= rank {
                let within = (rank - before) / here;
                return Some(Duration::from_secs_f64((lower as f64 + (upper - lower) as f64 * within) / 1e6));
            }
            before += here;
            lower = upper;
        }
        Some(Duration::from_micros(lower))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_spread_within_a_bucket() {
        let histogram = Histogram::seconds(LATENCY);
        (0..10).for_each(|_| histogram.observe(Duration::from_millis(2)));
        let latencies = Latencies::of(&histogram);
        assert_eq!(latencies.quantile(0.5), Some(Duration::from_micros(1750)));
        assert_eq!(latencies.quantile(1.0), Some(Duration::from_millis(2)));
        histogram.observe(Duration::from_secs(60));
        assert_eq!(Latencies::of(&histogram).quantile(1.0), Some(Duration::from_secs(10)));
        assert_eq!(Latencies::default().quantile(0.5), None);
    }
}
