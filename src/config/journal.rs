//! What is kept of callbacks, and when it is tried again.

use super::read::{Map, Section, Value};
use crate::gate::schedule::Schedule;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The durable record, in a file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The file.
    pub path: PathBuf,
    /// How long finished callbacks are kept.
    pub keep: Duration,
    /// Most records of orders that were never confirmed.
    pub unconfirmed: u64,
}

/// When undecided orders are asked for again, and confirmed ones delivered again.
#[derive(Debug, Clone)]
pub struct FollowUp {
    /// Questions.
    pub ask_again: Schedule,
    /// Deliveries.
    pub redeliver: Schedule,
    /// How many orders are worked on at once.
    pub concurrency: usize,
}

pub(super) static JOURNAL: Section = Section { name: "journal", keys: &["path", "url", "keep", "unconfirmed"] };
pub(super) static FOLLOW_UP: Section =
    Section { name: "follow_up", keys: &["ask_again", "redeliver", "ask_again_for", "redeliver_for", "concurrency"] };

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const JOURNAL_FILE: &str = "tollgate.db";
const KEEP: Duration = Duration::from_secs(90 * DAY);
/// About 150 MB at a kilobyte and a half each.
const UNCONFIRMED: u64 = 100_000;

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
        }
    }
}

/// A file beside the configuration.
pub(super) fn default_journal(directory: &Path) -> Journal {
    Journal { path: directory.join(JOURNAL_FILE), keep: KEEP, unconfirmed: UNCONFIRMED }
}

/// `journal`; `Some(None)` is none.
pub(super) fn journal(value: &Value<'_>) -> Option<Option<Journal>> {
    if value.written() == Some("none") {
        return Some(None);
    }
    if !value.is_map() {
        value.problem("is neither none nor a map", "write journal: none, or journal: { path: tollgate.db }");
        return None;
    }
    let map = value.map(&JOURNAL)?;
    if let Some(url) = map.get("url") {
        url.problem("a database is not in this version yet", "write path, a file on a disk of this machine");
    }
    let default = default_journal(value.directory());
    Some(Some(Journal {
        path: map.or("path", default.path, Value::file_path),
        keep: map.or("keep", default.keep, Value::duration),
        unconfirmed: map.or("unconfirmed", default.unconfirmed, |v| v.number(100..=100_000_000)),
    }))
}

pub(super) fn follow_up(value: &Value<'_>) -> Option<FollowUp> {
    let map = value.map(&FOLLOW_UP)?;
    let default = FollowUp::default();
    Some(FollowUp {
        ask_again: schedule(&map, "ask_again", "ask_again_for", default.ask_again),
        redeliver: schedule(&map, "redeliver", "redeliver_for", default.redeliver),
        concurrency: map.or("concurrency", default.concurrency, |v| v.number(1..=1024)),
    })
}

fn schedule(map: &Map<'_>, delays: &'static str, lasts: &'static str, default: Schedule) -> Schedule {
    Schedule {
        delays: map.or(delays, default.delays, |v| Some(v.list()?.iter().filter_map(Value::duration).collect())),
        lasts: map.or(lasts, default.lasts, Value::duration),
    }
}
