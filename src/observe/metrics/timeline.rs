//! What happened in each minute of the last day: the picture on the dashboard.
//!
//! Nothing is counted for it: a minute is the difference between two readings of what is counted anyway. Each minute is
//! written into the journal as it ends, so that a restart goes on with the picture.

use super::outcome::Outcome;
use super::totals::{Totals, VERDICTS};
use crate::domain::reason::Verdict;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::time::Duration;

/// Minutes that are remembered.
const DAY: u32 = 24 * 60;

const MINUTE: i64 = 60;

/// A clock that goes back by less is waited for.
const SET_BACK: SignedDuration = SignedDuration::from_hours(1);

/// A stretch of time, and the callbacks that ended in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When it began: a whole minute, UTC.
    pub at: Timestamp,
    /// What ended in it.
    pub totals: Totals,
}

/// The last day.
#[derive(Debug, Default)]
pub(super) struct Timeline(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Those that are over and not empty, the oldest first.
    minutes: VecDeque<Moment>,
    /// When the one under way began, and what there was then.
    since: Option<Timestamp>,
    base: Totals,
}

impl Moment {
    /// The callbacks that ended in it.
    #[must_use]
    pub fn callbacks(&self) -> u64 {
        self.totals.outcomes.iter().sum()
    }

    /// Those that ended so.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.totals.outcomes.get(outcome as usize).copied().unwrap_or(0)
    }

    /// Those that came to this verdict, or to none.
    #[must_use]
    pub fn verdict(&self, verdict: Option<Verdict>) -> u64 {
        let place = verdict.map_or(VERDICTS - 1, |verdict| verdict as usize);
        self.totals.verdicts.get(place).copied().unwrap_or(0)
    }

    /// What this share of them took at most, 0.5 for the median; `None` if there were none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        self.totals.latencies.quantile(share)
    }
}

impl Timeline {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    pub(super) fn end_minute(&self, now: Timestamp, at_once: bool, totals: impl FnOnce() -> Totals) -> Option<Moment> {
        let minute = begin(now, 1);
        let mut state = self.lock();
        // One that begins long after now began by a clock that was set back since.
        let began = state.since.filter(|began| began.duration_since(minute) < SET_BACK).unwrap_or(minute);
        state.since = Some(began);
        if began >= minute && !at_once {
            return None;
        }
        let totals = totals();
        let moment = Moment { at: began, totals: totals.clone().less(&state.base) };
        state.base = totals;
        state.since = Some(minute.max(began));
        if moment.totals.is_empty() {
            return None;
        }
        state.enter(moment.clone());
        state.forget_before(oldest(now, 1));
        Some(moment)
    }

    pub(super) fn remember(&self, now: Timestamp, minutes: Vec<Moment>) {
        let mut state = self.lock();
        minutes.into_iter().for_each(|moment| state.enter(moment));
        state.forget_before(oldest(now, 1));
    }

    pub(super) fn moments(&self, now: Timestamp, every: u32, totals: &Totals) -> Vec<Moment> {
        let every = every.clamp(1, DAY);
        let first = oldest(now, every).as_second();
        let step = i64::from(every) * MINUTE;
        let count = (begin(now, every).as_second() - first) / step + 1;
        let at = |place: i64| Timestamp::from_second(first + place * step).unwrap_or(now);
        let mut moments: Vec<_> = (0..count).map(|place| Moment { at: at(place), totals: Totals::default() }).collect();
        let state = self.lock();
        let under_way = Moment { at: state.since.unwrap_or(now), totals: totals.clone().less(&state.base) };
        for minute in state.minutes.iter().chain([&under_way]) {
            let place = usize::try_from((minute.at.as_second() - first).div_euclid(step));
            if let Some(moment) = place.ok().and_then(|place| moments.get_mut(place)) {
                moment.totals.merge(&minute.totals);
            }
        }
        moments
    }
}

impl State {
    /// One that is there already, as when a process ended within it, is added to.
    fn enter(&mut self, moment: Moment) {
        match self.minutes.binary_search_by_key(&moment.at, |other| other.at) {
            Ok(place) => {
                if let Some(known) = self.minutes.get_mut(place) {
                    known.totals.merge(&moment.totals);
                }
            }
            Err(place) => self.minutes.insert(place, moment),
        }
    }

    fn forget_before(&mut self, oldest: Timestamp) {
        while self.minutes.front().is_some_and(|minute| minute.at < oldest) {
            self.minutes.pop_front();
        }
    }
}

/// When the stretch of so many minutes began that is under way.
fn begin(now: Timestamp, every: u32) -> Timestamp {
    let step = i64::from(every) * MINUTE;
    let second = now.as_second().div_euclid(step) * step;
    Timestamp::from_second(second).unwrap_or(now)
}

/// When the first stretch began that is shown.
fn oldest(now: Timestamp, every: u32) -> Timestamp {
    let (last, step) = (begin(now, every).as_second(), i64::from(every) * MINUTE);
    let stretches = i64::from(DAY.div_ceil(every));
    Timestamp::from_second(last - (stretches - 1) * step).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn totals(forwarded: u64) -> Totals {
        let mut totals = Totals::default();
        totals.add(Outcome::Forwarded, Some(Verdict::Paid), forwarded);
        totals
    }

    #[test]
    fn a_minute_is_the_difference_between_two_readings() {
        let timeline = Timeline::default();
        assert_eq!(timeline.end_minute(at(5), false, || totals(0)), None);
        assert_eq!(timeline.end_minute(at(59), false, || totals(3)), None);
        let first = timeline.end_minute(at(60), false, || totals(4)).unwrap();
        assert_eq!((first.at, first.outcome(Outcome::Forwarded)), (at(0), 4));
        assert_eq!(timeline.end_minute(at(120), false, || totals(4)), None, "nothing happened in it");
        let moments = timeline.moments(at(130), 1, &totals(9));
        assert_eq!(moments.len(), 1440);
        let last: Vec<_> =
            moments[1437..].iter().map(|moment| (moment.at, moment.verdict(Some(Verdict::Paid)))).collect();
        assert_eq!(last, [(at(0), 4), (at(60), 0), (at(120), 5)]);
    }

    #[test]
    fn stretches_add_minutes_up() {
        let timeline = Timeline::default();
        let minute = |at| Moment { at, totals: totals(1) };
        timeline.remember(at(0), vec![minute(at(-600)), minute(at(-60)), minute(at(-60)), minute(at(-3 * 86_400))]);
        let moments = timeline.moments(at(0), 10, &totals(0));
        assert_eq!(moments.len(), 144);
        assert_eq!(moments.iter().map(Moment::callbacks).sum::<u64>(), 3);
        assert_eq!(moments[142].callbacks(), 3);
    }

    #[test]
    fn a_process_that_ends_gives_back_what_it_has_of_its_minute() {
        let timeline = Timeline::default();
        assert_eq!(timeline.end_minute(at(0), false, || totals(0)), None);
        let rest = timeline.end_minute(at(20), true, || totals(2)).unwrap();
        assert_eq!((rest.at, rest.callbacks()), (at(0), 2));
        let next = Timeline::default();
        next.remember(at(30), vec![rest]);
        next.end_minute(at(30), false, || totals(0));
        assert_eq!(next.end_minute(at(60), false, || totals(1)).unwrap().callbacks(), 1);
        assert_eq!(next.moments(at(60), 1, &totals(1))[1438].callbacks(), 3);
    }

    #[test]
    fn a_clock_that_is_turned_back_ends_no_minute() {
        let timeline = Timeline::default();
        assert_eq!(timeline.end_minute(at(0), false, || totals(0)), None);
        assert_eq!(timeline.end_minute(at(-300), false, || totals(5)), None);
        assert_eq!(timeline.end_minute(at(60), false, || totals(5)).unwrap().callbacks(), 5);
    }

    #[test]
    fn a_clock_that_is_set_back_by_a_day_goes_on_counting() {
        let timeline = Timeline::default();
        assert_eq!(timeline.end_minute(at(86_400), false, || totals(0)), None);
        assert_eq!(timeline.end_minute(at(0), false, || totals(3)), None);
        assert_eq!(timeline.end_minute(at(60), false, || totals(5)).unwrap().callbacks(), 5);
    }
}
