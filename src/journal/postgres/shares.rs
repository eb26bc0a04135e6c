//! Which part of each merchant's rate of queries is whose: by what each replica wanted lately, at least half of an equal part.

use super::replicas::{List, Living};
use crate::domain::order::MerchantId;
use std::time::Duration;
use tokio::time::Instant;

/// The list of the living as it was read twice, from which the parts follow that this replica may use. One that is to have more
/// has it only when the others had the time to read of it, one renewal later; one that is to have less has that at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Views {
    /// The incarnation that this process was when it read them.
    me: Option<i64>,
    latest: Vec<Living>,
    before: Option<Vec<Living>>,
    /// When the latest took the place of the one before.
    moved_at: Option<Instant>,
}

/// The part of an equal part that one has as long as others may not have heard of it.
const AT_FIRST: f64 = 0.1;

impl Views {
    /// The list was read. Looks that come within this time count as one.
    pub(super) fn read(&mut self, list: &List, me: i64, within: Duration) {
        self.me = Some(me);
        if self.moved_at.is_some_and(|at| at.elapsed() < within) {
            self.latest.clone_from(&list.living);
            return;
        }
        self.moved_at = Some(Instant::now());
        self.before = Some(std::mem::replace(&mut self.latest, list.living.clone()));
    }

    /// The part of a merchant's rate that is this process's: more than 0, at most 1.
    pub(super) fn share(&self, merchant: MerchantId) -> f64 {
        let Some(me) = self.me else { return AT_FIRST };
        let now = part(self.latest.iter(), me, merchant);
        let is_alone = self.latest.iter().all(|one| one.incarnation == me);
        if is_alone {
            return now;
        }
        // Who has left since does not count in what was true before either.
        let still_there = |one: &&Living| self.latest.iter().any(|other| other.incarnation == one.incarnation);
        match self.before.as_ref().filter(|before| before.iter().any(|one| one.incarnation == me)) {
            Some(before) => now.min(part(before.iter().filter(still_there), me, merchant)),
            None => now.min(AT_FIRST / self.latest.len().max(1) as f64),
        }
    }
}

fn part<'l>(living: impl Iterator<Item = &'l Living>, me: i64, merchant: MerchantId) -> f64 {
    let wanted = |one: &Living| one.wanted.get(&merchant).copied().unwrap_or(0.0);
    let (mut count, mut sum, mut mine) = (0_u32, 0.0, 0.0);
    for one in living {
        count += 1;
        sum += wanted(one);
        if one.incarnation == me {
            mine = wanted(one);
        }
    }
    let equal = 1.0 / f64::from(count.max(1));
    let asked = if sum > 0.0 { mine / sum } else { equal };
    (equal + asked) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Renewals of 5 s each, in steps of half a second.
    const STEP_S: f64 = 0.5;
    const RENEWAL: usize = 10;

    struct One {
        incarnation: i64,
        views: Views,
        wants: f64,
        told: f64,
        renews_at: usize,
        leaves_at: usize,
    }

    fn merchant() -> MerchantId {
        MerchantId::parse("1900000109").unwrap()
    }

    fn living(incarnation: i64, wanted: f64) -> Living {
        Living {
            incarnation,
            name: String::new(),
            since: 0,
            seen_at: 0,
            alive_until: 0,
            config: String::new(),
            wanted: HashMap::from([(merchant(), wanted)]),
            duties: Vec::new(),
        }
    }

    fn list(all: &[(i64, f64)]) -> List {
        let living = all.iter().map(|(incarnation, wanted)| living(*incarnation, *wanted)).collect();
        List { now: 0, renewed: true, living }
    }

    fn read_twice(all: &[(i64, f64)], me: i64) -> f64 {
        let mut views = Views::default();
        (0..2).for_each(|_| views.read(&list(all), me, Duration::ZERO));
        views.share(merchant())
    }

    #[test]
    fn a_part_is_what_was_wanted_and_half_of_an_equal_one_at_least() {
        assert_eq!(read_twice(&[(1, 0.0)], 1), 1.0);
        assert_eq!(read_twice(&[(1, 0.0), (2, 0.0)], 1), 0.5);
        assert_eq!(read_twice(&[(1, 0.0), (2, 30.0)], 1), 0.25);
        assert_eq!(read_twice(&[(1, 30.0), (2, 0.0)], 1), 0.75);
        assert_eq!(read_twice(&[(1, 1.0), (2, 2.0), (3, 1.0)], 3), (1.0 / 3.0 + 0.25) / 2.0);
    }

    #[test]
    fn one_that_others_have_not_heard_of_begins_with_little_and_one_that_is_left_alone_has_all_at_once() {
        let mut views = Views::default();
        assert!(views.share(merchant()) > 0.0);
        views.read(&list(&[(1, 0.0), (2, 0.0)]), 2, Duration::ZERO);
        assert_eq!(views.share(merchant()), AT_FIRST / 2.0);
        // A look soon after the first is no second one.
        views.read(&list(&[(1, 0.0), (2, 0.0)]), 2, Duration::from_secs(60));
        assert_eq!(views.share(merchant()), AT_FIRST / 2.0);
        views.read(&list(&[(2, 0.0)]), 2, Duration::ZERO);
        assert_eq!(views.share(merchant()), 1.0);
    }

    /// Gates come, leave and want now this and now that; each reads the list at its own times.
    fn spent(random: &mut fastrand::Rng, steps: usize) -> Vec<f64> {
        let mut all: Vec<One> = Vec::new();
        let mut spent = Vec::new();
        for step in 0..steps {
            if all.len() < 6 && random.u8(..) < 8 {
                let incarnation = i64::try_from(step).unwrap();
                let leaves_at = step + random.usize(20..200);
                all.push(One {
                    incarnation,
                    views: Views::default(),
                    wants: 0.0,
                    told: 0.0,
                    renews_at: step,
                    leaves_at,
                });
            }
            all.retain(|one| one.leaves_at > step);
            for index in 0..all.len() {
                if random.u8(..) < 6 {
                    all[index].wants = random.choice([0.0, 0.0, 1.0, 10.0]).unwrap();
                }
                if all[index].renews_at == step {
                    let told: Vec<_> = all.iter().map(|one| (one.incarnation, one.told)).collect();
                    let one = &mut all[index];
                    one.views.read(&list(&told), one.incarnation, Duration::ZERO);
                    one.told = one.wants;
                    one.renews_at = step + RENEWAL - random.usize(0..2);
                }
            }
            spent.push(all.iter().map(|one| one.views.share(merchant())).sum::<f64>() * STEP_S);
        }
        spent
    }

    #[test]
    fn all_together_never_have_more_than_the_rate_and_a_fifth_beyond_what_may_come_at_once() {
        for seed in 0..200 {
            let spent = spent(&mut fastrand::Rng::with_seed(seed), 800);
            for seconds in [1.0, 5.0, 20.0, 100.0] {
                let most = seconds * 1.2 + 2.0;
                for window in spent.windows((seconds / STEP_S) as usize) {
                    let sum: f64 = window.iter().sum();
                    assert!(sum <= most, "{sum} in {seconds} s, seed {seed}");
                }
            }
        }
    }
}
