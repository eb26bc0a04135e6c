//! What the follow-up leaves to callbacks that wait: it asks and sends in lanes of its own, so that neither a backlog
//! of undecided orders nor an upstream that has just come back keeps fresh callbacks waiting (threat D-07).

use crate::domain::order::MerchantId;
use crate::follow_up::lanes::{Lane, Lanes};
use crate::upstream::Upstream;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// To an upstream so many more deliveries are allowed for each callback that was forwarded by itself.
const PER_CALLBACK: f64 = 0.2;

/// Seconds' worth of deliveries that may come at once after a quiet time.
const AT_ONCE: f64 = 2.0;

/// What the follow-up may spend: queries by lane for each merchant, deliveries for each upstream.
#[derive(Debug)]
pub struct RetryBudgets {
    lanes: Lanes,
    upstreams: HashMap<Upstream, Arc<UpstreamBudget>>,
}

/// What one upstream gets: workers at the same time, and deliveries over time.
#[derive(Debug)]
struct UpstreamBudget {
    workers: Arc<Semaphore>,
    /// Deliveries a second, of all gates together.
    pace: u32,
    tokens: Mutex<TokenBucket>,
}

/// A permit to send one delivery to an upstream, with the worker that sends it if one is needed. The worker is given
/// back when the permit is dropped, the delivery too if it was not [used up](Self::use_up).
#[derive(Debug)]
pub struct SendPermit {
    budget: Arc<UpstreamBudget>,
    _worker: Option<OwnedSemaphorePermit>,
    used: bool,
}

impl SendPermit {
    /// The delivery is sent now, so its token is spent.
    pub fn use_up(&mut self) {
        self.used = true;
    }
}

impl Drop for SendPermit {
    fn drop(&mut self) {
        if !self.used {
            self.budget.tokens().left += 1.0;
        }
    }
}

/// The deliveries that may be sent, as tokens: the retry budget of finagle and linkerd.
#[derive(Debug)]
struct TokenBucket {
    /// Deliveries a second that are always allowed to this process.
    pace: f64,
    left: f64,
    at: Instant,
    /// Callbacks that were forwarded by themselves until then; `None` until the first look.
    forwarded: Option<u64>,
}

impl RetryBudgets {
    /// Budgets for `upstreams`, each of which gets `pace` deliveries a second and half of `concurrency` workers; and
    /// for WeChat Pay, which is asked at most `queries_per_second` for each merchant in all. What the budgets `before`
    /// them have spent counts. Must be made inside a tokio runtime.
    #[must_use]
    pub fn new(
        upstreams: impl IntoIterator<Item = Upstream>,
        concurrency: usize,
        pace: u32,
        queries_per_second: u32,
        before: Option<&Self>,
    ) -> Self {
        let upstream_budget = |upstream: Upstream| {
            let workers = Arc::new(Semaphore::new((concurrency / 2).max(1)));
            let before = before.and_then(|before| before.upstreams.get(&upstream));
            let tokens = match before {
                Some(before) => before.tokens().at_pace(pace),
                None => TokenBucket::empty(pace, Instant::now()),
            };
            (upstream, Arc::new(UpstreamBudget { workers, pace, tokens: Mutex::new(tokens) }))
        };
        let upstreams = upstreams.into_iter().map(upstream_budget).collect();
        Self { lanes: Lanes::new(queries_per_second), upstreams }
    }

    /// This part of what a merchant may be asked is this process's from now on (more than 0, at most 1).
    pub fn set_share(&self, merchant: &MerchantId, share: f64) {
        self.lanes.set_share(merchant, share, Instant::now());
    }

    /// So many gates share the pace of each upstream from now on, this one among them.
    pub fn set_living(&self, gates: usize) {
        #[expect(clippy::cast_precision_loss, reason = "there are not 2^52 gates")]
        let gates = gates.max(1) as f64;
        for budget in self.upstreams.values() {
            budget.tokens().pace = f64::from(budget.pace) / gates;
        }
    }

    /// How many queries of each merchant its lanes had no place for so far.
    #[must_use]
    pub fn queries_refused(&self) -> Vec<(MerchantId, u64)> {
        self.lanes.refused()
    }

    /// Whether one more query may be asked.
    #[must_use]
    pub fn to_wechat(&self, merchant: &MerchantId, lane: Lane) -> bool {
        self.lanes.take(merchant, lane, Instant::now())
    }

    /// A permit to send to an upstream, to which `forwarded` callbacks went by themselves so far; `None` while the
    /// upstream has no worker or no token left.
    #[must_use]
    pub fn to_upstream(&self, upstream: &Upstream, forwarded: u64) -> Option<SendPermit> {
        let budget = self.upstreams.get(upstream)?;
        let worker = Arc::clone(&budget.workers).try_acquire_owned().ok()?;
        budget.permit(Some(worker), forwarded)
    }

    /// A permit to send a probe, which needs no worker: what hangs there must not keep it from being sent.
    #[must_use]
    pub fn probe(&self, upstream: &Upstream, forwarded: u64) -> Option<SendPermit> {
        self.upstreams.get(upstream)?.permit(None, forwarded)
    }

    /// How many deliveries could be sent to the upstream now.
    #[must_use]
    pub fn room(&self, upstream: &Upstream, forwarded: u64) -> usize {
        let Some(budget) = self.upstreams.get(upstream) else { return 0 };
        budget.workers.available_permits().min(budget.tokens().room(forwarded, Instant::now()))
    }
}

impl UpstreamBudget {
    fn permit(self: &Arc<Self>, worker: Option<OwnedSemaphorePermit>, forwarded: u64) -> Option<SendPermit> {
        let is_allowed = self.tokens().take(forwarded, Instant::now());
        is_allowed.then(|| SendPermit { budget: Arc::clone(self), _worker: worker, used: false })
    }

    fn tokens(&self) -> MutexGuard<'_, TokenBucket> {
        self.tokens.lock()
    }
}

impl TokenBucket {
    /// Nothing is allowed yet: a process before this one may have spent all there was a moment ago.
    fn empty(pace: u32, at: Instant) -> Self {
        Self { pace: f64::from(pace), left: 0.0, at, forwarded: None }
    }

    /// What is left of it, at this pace from now on.
    fn at_pace(&self, pace: u32) -> Self {
        let pace = f64::from(pace);
        Self { pace, left: self.left.min(pace * AT_ONCE), ..*self }
    }

    /// How many deliveries are allowed.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than one is none")]
    fn room(&mut self, forwarded: u64, now: Instant) -> usize {
        self.earn(forwarded, now);
        self.left as usize
    }

    fn take(&mut self, forwarded: u64, now: Instant) -> bool {
        self.earn(forwarded, now);
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }

    fn earn(&mut self, forwarded: u64, now: Instant) {
        let passed = now.saturating_duration_since(self.at).min(Duration::from_secs(60)).as_secs_f64();
        let fresh = forwarded.saturating_sub(self.forwarded.unwrap_or(forwarded));
        #[expect(clippy::cast_precision_loss, reason = "a budget need not be exact beyond 2^52 callbacks")]
        let earned = passed * self.pace + fresh as f64 * PER_CALLBACK;
        self.left = (self.left + earned).min((self.pace * AT_ONCE).max(fresh_limit(fresh)).max(1.0));
        (self.at, self.forwarded) = (now, Some(forwarded));
    }
}

/// What many fresh callbacks since the last look earned may be spent at once.
#[expect(clippy::cast_precision_loss, reason = "as above")]
fn fresh_limit(fresh: u64) -> f64 {
    fresh as f64 * PER_CALLBACK
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing was sent for a while.
    fn rested(budgets: &RetryBudgets) {
        for budget in budgets.upstreams.values() {
            let mut tokens = budget.tokens();
            tokens.left = tokens.pace * AT_ONCE;
        }
    }

    #[tokio::test]
    async fn a_backlog_gets_ten_a_second_and_a_fifth_of_what_is_fresh() {
        let start = Instant::now();
        let mut tokens = TokenBucket::empty(10, start);
        let mut take = |forwarded, ms| tokens.take(forwarded, start + Duration::from_millis(ms));
        assert_eq!((0..100).filter(|_| take(7000, 0)).count(), 0, "what was before is not known");
        assert_eq!((0..100).filter(|_| take(7000, 9000)).count(), 20);
        assert_eq!((0..100).filter(|_| take(7000, 10_000)).count(), 10);
        assert_eq!((0..100).filter(|_| take(7050, 10_000)).count(), 10);
        assert_eq!((0..100).filter(|_| take(7050, 60_000)).count(), 20);
    }

    #[tokio::test]
    async fn budgets_go_on_with_what_those_before_them_have_left() {
        let upstream = Upstream::parse("http://127.0.0.1:1").unwrap();
        let before = RetryBudgets::new([upstream.clone()], 64, 10, 20, None);
        assert_eq!(before.room(&upstream, 900_000), 0);
        rested(&before);
        assert_eq!(before.room(&upstream, 900_000), 20);
        for _ in 0..15 {
            before.to_upstream(&upstream, 900_000).unwrap().use_up();
        }
        for (pace, left) in [(10, 5), (50, 5), (2, 4)] {
            let budgets = RetryBudgets::new([upstream.clone()], 64, pace, 20, Some(&before));
            assert_eq!(budgets.room(&upstream, 900_000), left, "{pace}");
        }
    }

    #[tokio::test]
    async fn a_probe_finds_its_way_past_what_hangs() {
        let upstream = Upstream::parse("http://127.0.0.1:1").unwrap();
        let budgets = RetryBudgets::new([upstream.clone()], 1, 10, 20, None);
        rested(&budgets);
        let hangs = budgets.to_upstream(&upstream, 0);
        assert!(hangs.is_some() && budgets.to_upstream(&upstream, 0).is_none());
        let probes: Vec<_> = (0..30).map_while(|_| budgets.probe(&upstream, 0)).collect();
        assert_eq!(probes.len(), 19, "as many as the pace allows");
    }

    #[tokio::test]
    async fn one_upstream_gets_half_of_the_workers() {
        let upstreams = ["http://127.0.0.1:1", "http://127.0.0.1:2"].map(|url| Upstream::parse(url).unwrap());
        let budgets = RetryBudgets::new(upstreams.clone(), 4, 10, 20, None);
        rested(&budgets);
        let held: Vec<_> = (0..4).map(|_| budgets.to_upstream(&upstreams[0], 0)).collect();
        assert_eq!(held.iter().flatten().count(), 2);
        assert!(budgets.to_upstream(&upstreams[1], 0).is_some());
        drop(held);
        assert!(budgets.to_upstream(&upstreams[0], 0).is_some());
    }

    #[tokio::test]
    async fn a_place_that_was_not_used_costs_no_delivery() {
        let upstream = Upstream::parse("http://127.0.0.1:1").unwrap();
        let budgets = RetryBudgets::new([upstream.clone()], 64, 1, 20, None);
        rested(&budgets);
        for _ in 0..10 {
            assert!(budgets.to_upstream(&upstream, 0).is_some());
        }
        assert_eq!(budgets.room(&upstream, 0), 2);
        let permits: Vec<_> = (0..4).filter_map(|_| budgets.to_upstream(&upstream, 0)).collect();
        assert_eq!((permits.len(), budgets.room(&upstream, 0)), (2, 0));
        permits.into_iter().for_each(|mut permit| permit.use_up());
        assert_eq!(budgets.room(&upstream, 0), 0);
    }

    #[tokio::test]
    async fn gates_that_share_an_upstream_share_its_pace() {
        let upstream = Upstream::parse("http://127.0.0.1:1").unwrap();
        let budgets = RetryBudgets::new([upstream.clone()], 64, 10, 20, None);
        budgets.set_living(4);
        rested(&budgets);
        assert_eq!(budgets.room(&upstream, 0), 5);
        budgets.set_living(100);
        rested(&budgets);
        assert_eq!(budgets.upstreams[&upstream].tokens().pace, 0.1);
        budgets.set_living(1);
        rested(&budgets);
        assert_eq!(budgets.room(&upstream, 0), 20);
    }

    #[test]
    fn however_many_share_a_pace_one_delivery_at_a_time_is_earned() {
        let start = Instant::now();
        let mut tokens = TokenBucket { pace: 0.1, ..TokenBucket::empty(10, start) };
        assert!(!tokens.take(0, start) && tokens.take(0, start + Duration::from_secs(11)));
        assert!(!tokens.take(0, start + Duration::from_secs(11)));
    }
}
