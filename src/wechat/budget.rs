//! The query budget of each merchant, because a flood of made-up callbacks must not use up the rate that WeChat Pay
//! grants to real ones (threat R-05).

use crate::order::MchId;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// One token bucket per merchant. Merchants come from the configuration, so there are never more buckets than those.
pub(super) struct Budget(DefaultKeyedRateLimiter<MchId>);

impl Budget {
    /// `per_second` queries a second for each merchant (at least 1), twice as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let at_once = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        Self(RateLimiter::keyed(Quota::per_second(per_second).allow_burst(at_once)))
    }

    /// Takes one query out of the merchant's budget; `false` if there is none left at the moment.
    pub(super) fn take(&self, merchant: &MchId) -> bool {
        self.0.check_key(merchant).is_ok()
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
    fn no_rate_at_all_counts_as_one() {
        assert!(Budget::new(0).take(&MchId::parse("1900000109").unwrap()));
    }
}
