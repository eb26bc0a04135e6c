//! The query budget of each merchant, because a flood of made-up callbacks must not use up the rate that WeChat Pay
//! grants to real ones (threat R-05).

use crate::order::MchId;
use governor::clock::DefaultClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One token bucket per merchant. Merchants come from the configuration, so there are never more buckets than those.
pub(super) struct Budget {
    buckets: RateLimiter<MchId, DefaultKeyedStateStore<MchId>, DefaultClock, StateInformationMiddleware>,
    /// What was left in each, and when.
    left: Mutex<HashMap<MchId, (u32, Instant)>>,
    per_second: NonZeroU32,
    at_once: NonZeroU32,
}

impl Budget {
    /// `per_second` queries a second for each merchant (at least 1), twice as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let at_once = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        let buckets = RateLimiter::keyed(Quota::per_second(per_second).allow_burst(at_once));
        Self { buckets: buckets.with_middleware(), left: Mutex::default(), per_second, at_once }
    }

    /// Takes one query out of the merchant's budget; `false` if there is none left at the moment.
    pub(super) fn take(&self, merchant: &MchId) -> bool {
        let left = match self.buckets.check_key(merchant) {
            Ok(state) => Some(state.remaining_burst_capacity()),
            Err(_) => None,
        };
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(*merchant, (left.unwrap_or(0), Instant::now()));
        left.is_some()
    }

    /// How many queries of a merchant can be sent at once now, and how many if none was for a while.
    pub(super) fn left(&self, merchant: &MchId) -> (u32, u32) {
        let most = self.at_once.get();
        let all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((left, at)) = all.get(merchant) else { return (most, most) };
        let added = at.elapsed().as_secs_f64() * f64::from(self.per_second.get());
        (left.saturating_add(added as u32).min(most), most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchant_may_burst_twice_its_rate_and_spends_nobody_elses() {
        let budget = Budget::new(1);
        let (one, other) = (MchId::parse("1900000109").unwrap(), MchId::parse("1900000110").unwrap());
        assert_eq!([budget.take(&one), budget.take(&one), budget.take(&one)], [true, true, false]);
        assert!(budget.take(&other));
    }

    #[test]
    fn what_is_left_is_known_without_taking_it() {
        let budget = Budget::new(1000);
        let (one, other) = (MchId::parse("1900000109").unwrap(), MchId::parse("1900000110").unwrap());
        for _ in 0..1500 {
            budget.take(&one);
        }
        let (left, most) = budget.left(&one);
        assert!(left < 1500 && most == 2000, "{left} of {most}");
        assert_eq!(budget.left(&other), (2000, 2000));
    }

    #[test]
    fn no_rate_at_all_counts_as_one() {
        assert!(Budget::new(0).take(&MchId::parse("1900000109").unwrap()));
    }
}
