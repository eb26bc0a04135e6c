//! A histogram that is counted in without a lock, and that can be read by this process as well as by Prometheus.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds for the whole of a callback: close enough to tell a median by.
pub(super) const LATENCY: &[u64] = &[
    100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 50_000,
    70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
    5_000_000, 7_000_000, 10_000_000,
];

/// Upper bounds in microseconds where there are many histograms of a kind.
pub(super) const COARSE: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// What was observed so far. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Upper bounds, each belonging to its bucket; one more bucket has no bound.
    bounds: &'static [u64],
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// How much of what is observed is one of what is shown.
    unit: f64,
}

impl Histogram {
    /// Of durations, with bounds in microseconds; shown in seconds.
    #[must_use]
    pub fn seconds(bounds: &'static [u64]) -> Self {
        Self::new(bounds, 1e6)
    }

    /// Of durations, with few buckets.
    #[must_use]
    pub fn coarse() -> Self {
        Self::seconds(COARSE)
    }

    /// Of numbers.
    #[must_use]
    pub fn numbers(bounds: &'static [u64]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &'static [u64], unit: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { bounds, buckets, sum: AtomicU64::new(0), unit }))
    }

    /// One more duration.
    pub fn observe(&self, took: Duration) {
        self.observe_number(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// One more number.
    pub fn observe_number(&self, value: u64) {
        let Inner { bounds, buckets, sum, .. } = &*self.0;
        if let Some(bucket) = buckets.get(bounds.partition_point(|bound| *bound < value)) {
            sum.fetch_add(value, Ordering::Relaxed);
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there are in each bucket.
    pub(super) fn buckets(&self) -> impl Iterator<Item = u64> {
        self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed))
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = self.0.bounds.iter().map(|bound| *bound as f64 / self.0.unit).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.buckets()).collect();
        // Counted here rather than kept, so that it is what the buckets say.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.0.sum.load(Ordering::Relaxed) as f64 / self.0.unit;
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::numbers(&[1, 10]);
        [0, 1, 2, 10, 11, u64::MAX].into_iter().for_each(|value| histogram.observe_number(value));
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [2, 2, 2]);
    }

    #[test]
    fn bounds_ascend() {
        assert!(LATENCY.is_sorted() && COARSE.is_sorted());
    }
}
