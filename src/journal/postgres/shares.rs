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
