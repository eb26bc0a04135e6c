//! What several gates spend together: each merchant's rate of queries, and the pace at which an upstream gets what is sent
//! again. Each gate says what it wanted lately, and is told which part is its own.

use crate::domain::order::MerchantId;
use crate::follow_up::FollowUp;
use crate::journal::Shared;
use crate::provider::Provider;
use crate::provider::wechat::Service;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Gives the budgets of this process their parts.
#[derive(Debug)]
pub(super) struct Sharing {
    pub(super) shared: Arc<dyn Shared>,
    pub(super) wechat: Arc<Service>,
    pub(super) follow_up: Arc<FollowUp>,
}

/// How often what was wanted is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How much of what was wanted counts that is older than a second.
const LATELY: f64 = 0.7;

/// What was wanted of each merchant.
#[derive(Debug, Default)]
struct Wanted {
    /// Queries so far, with those that there was nothing left for.
    so_far: HashMap<MerchantId, u64>,
    /// Queries a second, lately.
    lately: HashMap<MerchantId, f64>,
}

impl Sharing {
    /// Goes on until it is dropped.
    pub(super) async fn run(&self) {
        let mut wanted = Wanted::default();
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut at = Instant::now();
        loop {
            ticks.tick().await;
            let passed = at.elapsed();
            at = Instant::now();
            self.tell(&mut wanted, passed);
        }
    }

    /// Has the budgets know their parts before anything is spent.
    pub(super) fn begin(&self) {
        self.tell(&mut Wanted::default(), Duration::ZERO);
    }

    fn tell(&self, wanted: &mut Wanted, passed: Duration) {
        let budgets = &self.follow_up.budgets;
        // Every merchant has a part, also one that nothing was asked of yet.
        let all = self.follow_up.gate.channels.iter().map(|channel| (channel.account.payee().merchant, 0));
        let so_far = self.wechat.queries_wanted().into_iter().chain(budgets.queries_refused());
        wanted.count(all.chain(so_far), passed);
        let lately: Vec<_> = wanted.lately.iter().map(|(merchant, each_second)| (*merchant, *each_second)).collect();
        for (merchant, share) in self.shared.shares(&lately) {
            self.wechat.set_share(&merchant, share);
            budgets.set_share(&merchant, share);
        }
        budgets.set_living(self.shared.membership().live);
    }
}

impl Wanted {
    /// So many were wanted in all by now, the last time `passed` ago.
    fn count(&mut self, so_far: impl Iterator<Item = (MerchantId, u64)>, passed: Duration) {
        let mut now: HashMap<MerchantId, u64> = HashMap::new();
        for (merchant, queries) in so_far {
            *now.entry(merchant).or_default() += queries;
        }
        for (merchant, queries) in &now {
            // A client that was put in another's place counts from 0.
            let before = self.so_far.get(merchant).copied().unwrap_or(0).min(*queries);
            #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact beyond 2^52 queries")]
            let each_second = (queries - before) as f64 / passed.as_secs_f64().max(TELL_EVERY.as_secs_f64());
            let lately = self.lately.entry(*merchant).or_default();
            *lately = *lately * LATELY + each_second * (1.0 - LATELY);
        }
        self.so_far = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wanted_lately_rises_and_falls_with_what_is_asked() {
        let merchant = MerchantId::parse("1900000109").unwrap();
        let (mut wanted, mut so_far) = (Wanted::default(), 0);
        let mut count = |each_second, seconds| {
            for _ in 0..seconds {
                so_far += each_second;
                wanted.count([(merchant, so_far), (merchant, 0)].into_iter(), Duration::from_secs(1));
            }
            wanted.lately[&merchant]
        };
        assert!((19.0..=20.0).contains(&count(20, 20)));
        assert!(count(0, 3) > 5.0);
        assert!(count(0, 20) < 0.1);
    }

    #[test]
    fn a_client_that_counts_anew_wants_nothing_for_it() {
        let merchant = MerchantId::parse("1900000109").unwrap();
        let mut wanted = Wanted::default();
        for so_far in [1000, 3] {
            wanted.lately.clear();
            wanted.count([(merchant, so_far)].into_iter(), Duration::from_secs(1));
        }
        assert!(wanted.lately[&merchant] < 1.0);
    }
}
