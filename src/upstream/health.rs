//! How an upstream is, as far as what was sent to it has shown.

use super::Upstream;
use super::standing::{Failure, Standing};
use crate::domain::clock;
use crate::domain::reason::Reason;
use jiff::Timestamp;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::time::Instant;

/// How an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// Its origin.
    pub upstream: Upstream,
    /// When it answered the last time, whatever it said.
    pub answered_at: Option<Timestamp>,
    /// When it last gave no answer.
    pub failed_at: Option<Timestamp>,
    /// The reason of the latest failure.
    pub reason: Option<Reason>,
    /// How many requests in a row had no answer.
    pub failures: u64,
    /// Since when it is failing, if it is.
    pub failing_since: Option<Timestamp>,
    /// When it accepted a delivery the last time.
    pub accepted_at: Option<Timestamp>,
    /// The latest delivery that it did not accept.
    pub failure: Option<Failure>,
    /// When the next probe is sent, while it is failing.
    pub next_probe_at: Option<Timestamp>,
}

/// The health of one upstream. Answering costs two stores; times are milliseconds since 1970, 0 for never.
#[derive(Debug, Default)]
pub(super) struct Seen {
    answered_at: AtomicI64,
    failures: AtomicU64,
    failed: Mutex<Option<(Timestamp, Reason)>>,
}

impl Seen {
    /// The upstream answered.
    pub(super) fn answered(&self) {
        self.answered_at.store(clock::now().as_millisecond(), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
    }

    /// The upstream gave no answer, for this reason.
    pub(super) fn failed(&self, reason: Reason) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.failed.lock() = Some((clock::now(), reason));
    }

    /// What is shown of the upstream.
    pub(super) fn health(&self, upstream: &Upstream, standing: &Standing) -> UpstreamHealth {
        let answered_at = Some(self.answered_at.load(Ordering::Relaxed)).filter(|at| *at != 0);
        let failed = *self.failed.lock();
        UpstreamHealth {
            upstream: upstream.clone(),
            answered_at: answered_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
            failed_at: failed.map(|(at, _)| at),
            reason: failed.map(|(_, reason)| reason),
            failures: self.failures.load(Ordering::Relaxed),
            failing_since: standing.failing_since(),
            accepted_at: standing.accepted_at(),
            failure: standing.failure(),
            next_probe_at: standing.next_probe_in(Instant::now()).map(|left| clock::now() + left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_since_the_last_answer() {
        let (seen, upstream) = (Seen::default(), Upstream::parse("http://127.0.0.1:5000").unwrap());
        assert_eq!(seen.health(&upstream, &Standing::default()).answered_at, None);
        seen.failed(Reason::UpstreamUnreachable);
        seen.answered();
        seen.failed(Reason::UpstreamTimeout);
        seen.failed(Reason::UpstreamBroke);
        let health = seen.health(&upstream, &Standing::default());
        assert_eq!((health.failures, health.reason), (2, Some(Reason::UpstreamBroke)));
        assert!(health.answered_at.is_some() && health.failed_at.is_some());
    }
}
