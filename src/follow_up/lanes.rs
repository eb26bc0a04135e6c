//! The lanes by which the follow-up asks about orders, so many queries of each merchant in each of them; where several gates
//! ask for a merchant, each its part of that.

use crate::domain::clock;
use crate::domain::order::MerchantId;
use crate::journal::{Job, Rank, State};
use crate::provider::Part;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Queries a minute about orders that are over a month old (`docs/reference/wechatpay-v2.md` section 11).
const OLD_PER_MINUTE: f64 = 10.0;

/// An order of this age is asked about in the slow lane, since no sender waits for it any more.
const LATE: Duration = Duration::from_secs(30 * 60);

/// An order of this age is asked about rarely: beyond a month WeChat Pay allows few such queries
/// (`docs/reference/wechatpay-v2.md` section 11).
const OLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// How old an order is.
pub(super) fn age(job: &Job) -> Duration {
    let made = job.callback.created_at.map(|at| Duration::try_from(clock::now().duration_since(at)));
    // By a source whose clock is ahead an order is not made yet.
    made.and_then(Result::ok).unwrap_or(job.age)
}

/// By which lane WeChat Pay is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Orders that were called back for and that something speaks for, or that were made just now.
    FollowUp,
    /// Those that nothing speaks for, and WeChat Pay was not asked about yet.
    Strange,
    /// Those that WeChat Pay does not know, although something speaks for them.
    LikelyAbsent,
    /// Those that nothing speaks for.
    Absent,
    /// Orders whose callback no sender waits for.
    Late,
    /// Orders over a month old.
    Old,
}

impl Lane {
    const ALL: [Self; 6] = [Self::FollowUp, Self::Strange, Self::LikelyAbsent, Self::Absent, Self::Late, Self::Old];

    /// The lane of an order that was called back for. What is confirmed, and what an `operator` asked for, waits behind
    /// nothing that may be made up.
    #[must_use]
    pub fn of(rank: Rank, state: State, operator: bool) -> Self {
        match rank {
            _ if state == State::Delivering || operator => Self::FollowUp,
            Rank::Likely | Rank::Brought | Rank::AskedFor => Self::FollowUp,
            Rank::Strange => Self::Strange,
            Rank::LikelyAbsent => Self::LikelyAbsent,
            Rank::Absent => Self::Absent,
        }
    }

    /// The lane of an order that never called back.
    #[must_use]
    pub fn of_recovered(job: &Job) -> Self {
        let age = age(job);
        if age > OLD {
            Self::Old
        } else if age > LATE {
            Self::Late
        } else {
            Self::FollowUp
        }
    }

    /// Out of which part of the merchant's budget it asks.
    #[must_use]
    pub const fn part(self) -> Part {
        match self {
            // Of what only looks likely little can be made up before it does not look so any more.
            Self::FollowUp | Self::LikelyAbsent | Self::Late | Self::Old => Part::FollowUp,
            Self::Strange => Part::StrangeFollowUp,
            Self::Absent => Part::Absent,
        }
    }

    /// It gets one of a merchant's queries in this many; `None` if it has a rate of its own.
    const fn one_in(self) -> Option<u32> {
        match self {
            Self::FollowUp => Some(2),
            // What no other callback uses: the sooner they are told apart, the better.
            Self::Strange => Some(1),
            Self::LikelyAbsent | Self::Absent => Some(8),
            Self::Late => Some(4),
            Self::Old => None,
        }
    }

    /// How many come in each second of `queries_per_second`, and how many of them are kept at most.
    fn rate(self, queries_per_second: u32) -> (f64, f64) {
        match self.one_in() {
            Some(one_in) => {
                let each_second = f64::from((queries_per_second / one_in).max(1));
                (each_second, each_second)
            }
            None => (OLD_PER_MINUTE / 60.0, 1.0),
        }
    }
}

/// What is left in each lane of each merchant. Merchants come from the configuration, so there are never more than those.
#[derive(Debug)]
pub(super) struct Lanes {
    queries_per_second: u32,
    merchants: Mutex<HashMap<MerchantId, OfMerchant>>,
}

#[derive(Debug)]
struct OfMerchant {
    /// Which part of its rate is this process's.
    share: f64,
    /// How often there was nothing left.
    refused: u64,
    /// What is left in each of [`Lane::ALL`], and as of when.
    left: [(f64, Instant); Lane::ALL.len()],
}

impl OfMerchant {
    fn full(queries_per_second: u32, share: f64, now: Instant) -> Self {
        let left = Lane::ALL.map(|lane| (at_once(lane, queries_per_second, share), now));
        Self { share, refused: 0, left }
    }
}

/// However small the part is, one can be asked at a time.
fn at_once(lane: Lane, queries_per_second: u32, share: f64) -> f64 {
    (lane.rate(queries_per_second).1 * share).max(1.0)
}

impl Lanes {
    pub(super) fn new(queries_per_second: u32) -> Self {
        Self { queries_per_second, merchants: Mutex::default() }
    }

    /// Takes one query out of a lane; `false` if there is none left for the moment.
    pub(super) fn take(&self, merchant: &MerchantId, lane: Lane, now: Instant) -> bool {
        let mut merchants = self.merchants.lock();
        let full = || OfMerchant::full(self.queries_per_second, 1.0, now);
        let OfMerchant { share, refused, left } = merchants.entry(*merchant).or_insert_with(full);
        let Some(((left, at), _)) = left.iter_mut().zip(Lane::ALL).find(|(_, of)| *of == lane) else { return false };
        let (each_second, _) = lane.rate(self.queries_per_second);
        let earned = now.saturating_duration_since(*at).as_secs_f64() * each_second * *share;
        *left = (*left + earned).min(at_once(lane, self.queries_per_second, *share));
        *at = now;
        let allowed = *left >= 1.0;
        if allowed {
            *left -= 1.0;
        } else {
            *refused += 1;
        }
        allowed
    }

    /// This part of a merchant's rate is this process's from now on.
    pub(super) fn set_share(&self, merchant: &MerchantId, share: f64, now: Instant) {
        let mut merchants = self.merchants.lock();
        let full = || OfMerchant::full(self.queries_per_second, share, now);
        let known = merchants.entry(*merchant).or_insert_with(full);
        known.share = share;
        for ((left, _), lane) in known.left.iter_mut().zip(Lane::ALL) {
            *left = left.min(at_once(lane, self.queries_per_second, share));
        }
    }

    /// How often there was nothing left for each merchant so far.
    pub(super) fn refused(&self) -> Vec<(MerchantId, u64)> {
        self.merchants.lock().iter().map(|(merchant, known)| (*merchant, known.refused)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lanes: &Lanes, lane: Lane, now: Instant) -> usize {
        let merchant = MerchantId::parse("1900000109").unwrap();
        (0..100).filter(|_| lanes.take(&merchant, lane, now)).count()
    }

    #[test]
    fn each_lane_gets_its_part_of_a_second_at_once_and_then_by_the_second() {
        let (lanes, start) = (Lanes::new(20), Instant::now());
        let second = start + Duration::from_secs(1);
        assert_eq!(Lane::ALL.map(|lane| taken(&lanes, lane, start)), [10, 20, 2, 2, 5, 1]);
        assert_eq!(Lane::ALL.map(|lane| taken(&lanes, lane, second)), [10, 20, 2, 2, 5, 0]);
        assert_eq!(taken(&lanes, Lane::Old, start + Duration::from_secs(7)), 1);
    }

    #[test]
    fn a_part_of_the_rate_is_a_part_of_each_lane_and_never_nothing() {
        let (lanes, start) = (Lanes::new(20), Instant::now());
        lanes.set_share(&MerchantId::parse("1900000109").unwrap(), 0.25, start);
        assert_eq!(Lane::ALL.map(|lane| taken(&lanes, lane, start)), [2, 5, 1, 1, 1, 1]);
        let later = start + Duration::from_secs(8);
        assert_eq!(Lane::ALL.map(|lane| taken(&lanes, lane, later)), [2, 5, 1, 1, 1, 0]);
        let refused: u64 = lanes.refused().into_iter().map(|(_, refused)| refused).sum();
        assert_eq!(refused, 1200 - 21);
    }

    #[test]
    fn a_part_that_becomes_smaller_leaves_no_more_than_it_has() {
        let (lanes, start) = (Lanes::new(20), Instant::now());
        let merchant = MerchantId::parse("1900000109").unwrap();
        assert!(lanes.take(&merchant, Lane::Strange, start));
        lanes.set_share(&merchant, 0.25, start);
        assert_eq!(taken(&lanes, Lane::Strange, start), 5);
        lanes.set_share(&merchant, 1.0, start);
        assert_eq!(taken(&lanes, Lane::Strange, start), 0, "a greater part is earned like any");
    }

    #[test]
    fn what_may_be_made_up_has_lanes_of_its_own() {
        for (rank, state, operator, lane, part) in [
            (Rank::Likely, State::Asking, false, Lane::FollowUp, Part::FollowUp),
            (Rank::Strange, State::Asking, false, Lane::Strange, Part::StrangeFollowUp),
            (Rank::LikelyAbsent, State::Asking, false, Lane::LikelyAbsent, Part::FollowUp),
            (Rank::Absent, State::Asking, false, Lane::Absent, Part::Absent),
            (Rank::Absent, State::Asking, true, Lane::FollowUp, Part::FollowUp),
            (Rank::Strange, State::Delivering, false, Lane::FollowUp, Part::FollowUp),
        ] {
            let chosen = Lane::of(rank, state, operator);
            assert_eq!((chosen, chosen.part()), (lane, part), "{rank:?} {state} {operator}");
        }
    }
}
