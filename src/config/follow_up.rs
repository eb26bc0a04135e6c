//! When is tried again what was not decided or not accepted, and how much at once.

use super::read::{Map, Section, Value};
use crate::follow_up::schedule::Schedule;
use std::ops::RangeInclusive;
use std::time::Duration;

/// When undecided orders are asked for again, and confirmed ones delivered again.
#[derive(Debug, Clone)]
pub struct FollowUp {
    /// Questions.
    pub ask_again: Schedule,
    /// Deliveries.
    pub redeliver: Schedule,
    /// How many orders are worked on at once.
    pub concurrency: usize,
    /// How long the upstream has for what nobody waits for.
    pub upstream_timeout: Duration,
    /// How long there is between two tries whether a failing upstream is well again.
    pub probe: Duration,
    /// Deliveries a second to each upstream.
    pub pace: u32,
}

pub(super) static FOLLOW_UP: Section = Section {
    name: "follow_up",
    keys: &[
        "ask_again",
        "redeliver",
        "ask_again_for",
        "redeliver_for",
        "concurrency",
        "upstream_timeout",
        "probe",
        "pace",
    ],
};

/// How long there may be between two probes: each keeps an order system busy, and finds out late what it finds out.
const PROBES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * MINUTE);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Default for FollowUp {
    fn default() -> Self {
        let schedule = |delays: &[u64], lasts| Schedule {
            delays: delays.iter().copied().map(Duration::from_secs).collect(),
            lasts: Duration::from_secs(lasts),
        };
        Self {
            ask_again: schedule(&[5, 15, 30, MINUTE, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR], 26 * HOUR),
            redeliver: schedule(&[5, 15, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR], 7 * DAY),
            concurrency: 16,
            upstream_timeout: Duration::from_secs(30),
            probe: Duration::from_secs(20),
            pace: 10,
        }
    }
}

/// `follow_up`; a merchant may be asked so many queries a second.
pub(super) fn follow_up(value: &Value<'_>, queries_per_second: u32) -> Option<FollowUp> {
    let map = value.map(&FOLLOW_UP)?;
    let default = FollowUp::default();
    Some(FollowUp {
        ask_again: schedule(&map, "ask_again", "ask_again_for", default.ask_again),
        redeliver: schedule(&map, "redeliver", "redeliver_for", default.redeliver),
        concurrency: map.or("concurrency", default.concurrency, |v| v.number(1..=1024)),
        upstream_timeout: map.or("upstream_timeout", default.upstream_timeout, Value::duration),
        probe: map.or("probe", default.probe, probe),
        pace: map.or("pace", default.pace, |v| pace(v, queries_per_second)),
    })
}

fn probe(value: &Value<'_>) -> Option<Duration> {
    let probe = value.duration()?;
    if !PROBES.contains(&probe) {
        value.problem("is outside 1s to 5m", "write a duration from 1s to 5m");
        return None;
    }
    Some(probe)
}

/// Each delivery is confirmed again first, and of a merchant's queries the follow-up has a half.
fn pace(value: &Value<'_>, queries_per_second: u32) -> Option<u32> {
    let (pace, share) = (value.number(1..=1000)?, (queries_per_second / 2).max(1));
    if pace > share {
        value.warn(format!(
            "is not reached by the orders of one merchant: each is confirmed again before it is sent, and the follow-up has half \
             of wechat.queries_per_second for that, {share} a second"
        ));
    }
    Some(pace)
}

fn schedule(map: &Map<'_>, delays: &'static str, lasts: &'static str, default: Schedule) -> Schedule {
    Schedule {
        delays: map.or(delays, default.delays, |v| Some(v.list()?.iter().filter_map(Value::duration).collect())),
        lasts: map.or(lasts, default.lasts, Value::duration),
    }
}
