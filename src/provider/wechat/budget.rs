//! The query budget of each merchant, because a flood of made-up callbacks must not use up the rate that WeChat Pay
//! grants to real ones (threat R-05).
//!
//! Where several gates ask for a merchant, each has a share of its rate.
//!
//! Each [`Part`] of it is kept for those it is for, so that none can take everything. What is not used of a part is
//! free for all, and the parts that come first leave least of that to others.

use crate::domain::order::MerchantId;
use crate::provider::Part;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Instant;

impl Part {
    /// How many sixteenths of the budget are kept for it. One of sixteen is kept for no part.
    const fn kept(self) -> u8 {
        match self {
            Self::KnownSender | Self::FollowUp => 4,
            Self::KnownShape | Self::Stranger | Self::StrangeFollowUp => 2,
            Self::Absent => 1,
        }
    }

    /// How many sixteenths of what may be sent at once it leaves to the parts that come first, of what is kept for no
    /// part.
    const fn leaves(self) -> u8 {
        match self {
            Self::KnownSender => 0,
            Self::KnownShape | Self::FollowUp => 1,
            Self::Stranger => 3,
            // So that a backlog keeps no callback waiting.
            Self::StrangeFollowUp => 5,
            Self::Absent => 6,
        }
    }
}

/// Below so many queries a second there is too little to be divided.
const DIVIDED_FROM: u32 = 4;

/// One bucket per merchant. Merchants come from the configuration, so there are never more buckets than those.
pub(super) struct Budget {
    merchants: Mutex<HashMap<MerchantId, OfMerchant>>,
    rate: Rate,
}

/// The budget of one merchant.
struct OfMerchant {
    bucket: Bucket,
    /// This process's part of the rate.
    rate: Rate,
    /// How many queries were wanted so far.
    wanted: u64,
}

/// How much comes in and is kept.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
    divided: bool,
}

impl Rate {
    fn of_share(self, share: f64) -> Self {
        let per_second = self.per_second * share;
        Self { per_second, divided: self.divided && per_second >= f64::from(DIVIDED_FROM) }
    }

    /// However small a share is, one can be sent at a time.
    fn at_once(self) -> f64 {
        (self.per_second * 2.0).max(1.0)
    }

    /// What a part gets each second.
    fn of(self, part: Part) -> f64 {
        if self.divided { self.per_second * f64::from(part.kept()) / 16.0 } else { 0.0 }
    }

    /// What is kept of that at most: a second's, or one query.
    fn most_of(self, part: Part) -> f64 {
        if self.divided { self.of(part).max(1.0) } else { 0.0 }
    }

    fn left_by(self, part: Part) -> f64 {
        if self.divided { self.at_once() * f64::from(part.leaves()) / 16.0 } else { 0.0 }
    }
}

/// What is left at a moment. There is always as much as is kept for all parts.
#[derive(Debug, Clone)]
struct Bucket {
    at: Instant,
    left: f64,
    /// Of that, for each part of [`Part::ALL`].
    kept: [f64; Part::ALL.len()],
}

impl Bucket {
    fn full(rate: Rate, at: Instant) -> Self {
        Self { at, left: rate.at_once(), kept: Part::ALL.map(|part| rate.most_of(part)) }
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + passed * rate.per_second).min(rate.at_once());
        for (kept, part) in self.kept.iter_mut().zip(Part::ALL) {
            *kept = (*kept + passed * rate.of(part)).min(rate.most_of(part));
        }
    }

    /// No more is left of it than there may be at this rate.
    fn cut(&mut self, rate: Rate) {
        self.left = self.left.min(rate.at_once());
        for (kept, part) in self.kept.iter_mut().zip(Part::ALL) {
            *kept = kept.min(rate.most_of(part));
        }
    }

    /// Takes one query, out of what is kept for `part` or of what is kept for no part.
    fn take(&mut self, rate: Rate, part: Part, now: Instant) -> bool {
        self.fill(rate, now);
        let of_others: f64 = self.kept.iter().zip(Part::ALL).filter(|(_, of)| *of != part).map(|(kept, _)| kept).sum();
        let mut own = self.kept.iter_mut().zip(Part::ALL).filter(|(_, of)| *of == part).map(|(kept, _)| kept);
        let Some(own) = own.next() else { return false };
        let free = self.left - of_others - rate.left_by(part);
        let allowed = self.left >= 1.0 && (*own >= 1.0 || free >= 1.0);
        if allowed {
            self.left -= 1.0;
            *own = (*own - 1.0).max(0.0);
        }
        allowed
    }
}

impl Budget {
    /// `per_second` queries a second for each merchant (at least 1), twice as many at once.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        let rate = Rate { per_second: f64::from(per_second), divided: per_second >= DIVIDED_FROM };
        Self { merchants: Mutex::default(), rate }
    }

    /// Takes one query out of the merchant's budget for `part`; `false` if there is none left for that at the moment.
    pub(super) fn take(&self, merchant: &MerchantId, part: Part) -> bool {
        let now = Instant::now();
        let mut merchants = self.merchants.lock();
        let known = merchants.entry(*merchant).or_insert_with(|| OfMerchant::full(self.rate, now));
        known.wanted += 1;
        known.bucket.take(known.rate, part, now)
    }

    /// Only this part of a merchant's rate is this process's from now on (more than 0, at most 1). What comes with a greater one
    /// comes with time.
    pub(super) fn set_share(&self, merchant: &MerchantId, share: f64) {
        let (rate, now) = (self.rate.of_share(share), Instant::now());
        let mut merchants = self.merchants.lock();
        let known = merchants.entry(*merchant).or_insert_with(|| OfMerchant::full(rate, now));
        known.bucket.fill(known.rate, now);
        known.bucket.cut(rate);
        known.rate = rate;
    }

    /// How many queries of each merchant were wanted so far.
    pub(super) fn wanted(&self) -> Vec<(MerchantId, u64)> {
        self.merchants.lock().iter().map(|(merchant, known)| (*merchant, known.wanted)).collect()
    }

    /// How many queries of a merchant can be sent at once now by all together, and how many if none was for a while.
    pub(super) fn left(&self, merchant: &MerchantId) -> (u32, u32) {
        let merchants = self.merchants.lock();
        let (left, most) = match merchants.get(merchant) {
            None => (self.rate.at_once(), self.rate.at_once()),
            Some(OfMerchant { bucket, rate, .. }) => {
                let mut bucket = bucket.clone();
                bucket.fill(*rate, Instant::now());
                (bucket.left, rate.at_once())
            }
        };
        (left as u32, most as u32)
    }
}

impl OfMerchant {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { bucket: Bucket::full(rate, now), rate, wanted: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const TWENTY: Rate = Rate { per_second: 20.0, divided: true };

    /// Each part asks this often a second for ten seconds, after five in which strangers alone took what they could;
    /// what each got in one second of those ten.
    fn shared(rate: Rate, wanted: &[(Part, u32)]) -> Vec<(Part, f64)> {
        let start = Instant::now();
        let mut bucket = Bucket::full(rate, start);
        let mut got: Vec<_> = wanted.iter().map(|(part, _)| (*part, 0.0)).collect();
        for ms in 0..15_000_u32 {
            let now = start + Duration::from_millis(u64::from(ms));
            if ms < 5000 {
                bucket.take(rate, Part::Stranger, now);
                continue;
            }
            for ((part, each_second), (_, got)) in wanted.iter().zip(&mut got) {
                let due =
                    u64::from(ms) * u64::from(*each_second) / 1000 - u64::from(ms - 1) * u64::from(*each_second) / 1000;
                *got += (0..due).filter(|_| bucket.take(rate, *part, now)).count() as f64 / 10.0;
            }
        }
        got
    }

    #[test]
    fn a_flood_of_strangers_leaves_each_part_what_is_kept_for_it() {
        for (part, kept) in [
            (Part::KnownSender, 5.0),
            (Part::KnownShape, 2.5),
            (Part::FollowUp, 5.0),
            (Part::StrangeFollowUp, 2.5),
            (Part::Absent, 1.25),
        ] {
            let got = shared(TWENTY, &[(Part::Stranger, 2000), (part, 100)]);
            assert!(got[1].1 >= kept - 0.2, "{got:?}");
            assert!(got[0].1 >= 2.3, "strangers have their part too: {got:?}");
        }
    }

    #[test]
    fn who_comes_first_gets_what_is_kept_for_nobody() {
        let got = shared(TWENTY, &[(Part::Stranger, 2000), (Part::KnownShape, 2000), (Part::KnownSender, 2000)]);
        assert!(got[2].1 > 14.0 && (2.3..4.0).contains(&got[1].1) && (2.3..4.0).contains(&got[0].1), "{got:?}");
        let got = shared(TWENTY, &[(Part::Absent, 2000), (Part::Stranger, 2000), (Part::KnownShape, 12)]);
        assert!(got[2].1 > 11.5, "{got:?}");
    }

    #[test]
    fn what_nobody_else_uses_is_for_one_who_does() {
        for part in Part::ALL {
            let got = shared(TWENTY, &[(part, 200)]);
            assert!((19.0..22.0).contains(&got[0].1), "{got:?}");
        }
    }

    proptest! {
        /// Whoever asks however often.
        #[test]
        fn no_more_is_sent_than_the_rate_and_as_much_is_left_as_is_kept(
            per_second in 1_u32..200, asked in prop::collection::vec((0_usize..6, 0_u64..300), 1..400),
        ) {
            let rate = Rate { per_second: f64::from(per_second), divided: per_second >= DIVIDED_FROM };
            let start = Instant::now();
            let (mut bucket, mut now, mut sent) = (Bucket::full(rate, start), start, 0.0);
            for (part, ms) in asked {
                now += Duration::from_millis(ms);
                sent += f64::from(u8::from(bucket.take(rate, Part::ALL[part], now)));
                prop_assert!(bucket.left >= bucket.kept.iter().sum::<f64>() - 1e-6, "{:?}", bucket);
                prop_assert!(sent <= rate.at_once() + (now - start).as_secs_f64() * rate.per_second + 1e-6);
            }
        }
    }

    #[test]
    fn a_merchant_may_burst_twice_its_rate_and_spends_nobody_elses() {
        let budget = Budget::new(1);
        let (one, other) = (MerchantId::parse("1900000109").unwrap(), MerchantId::parse("1900000110").unwrap());
        let take = |merchant| budget.take(merchant, Part::Stranger);
        assert_eq!([take(&one), take(&one), take(&one)], [true, true, false]);
        assert!(take(&other));
    }

    #[test]
    fn a_share_is_a_part_of_everything_and_a_greater_one_comes_with_time() {
        let budget = Budget::new(1000);
        let merchant = MerchantId::parse("1900000109").unwrap();
        let take = || (0..3000).filter(|_| budget.take(&merchant, Part::KnownSender)).count();
        budget.set_share(&merchant, 0.25);
        assert_eq!(budget.left(&merchant).1, 500);
        let taken = take();
        assert!((300..600).contains(&taken), "{taken}");
        budget.set_share(&merchant, 1.0);
        let taken = take();
        assert!(taken < 300, "{taken}");
        assert_eq!(budget.wanted(), [(merchant, 6000)]);
    }

    #[test]
    fn the_smallest_share_is_not_nothing() {
        let budget = Budget::new(1);
        let merchant = MerchantId::parse("1900000109").unwrap();
        budget.set_share(&merchant, 0.01);
        assert!(budget.take(&merchant, Part::Absent) && !budget.take(&merchant, Part::Absent));
    }

    #[test]
    fn what_is_left_is_known_without_taking_it() {
        let budget = Budget::new(1000);
        let (one, other) = (MerchantId::parse("1900000109").unwrap(), MerchantId::parse("1900000110").unwrap());
        for _ in 0..1500 {
            budget.take(&one, Part::KnownSender);
        }
        let (left, most) = budget.left(&one);
        assert!(left < 1500 && most == 2000, "{left} of {most}");
        assert_eq!(budget.left(&other), (2000, 2000));
    }

    #[test]
    fn no_rate_at_all_counts_as_one() {
        assert!(Budget::new(0).take(&MerchantId::parse("1900000109").unwrap(), Part::Absent));
    }
}
