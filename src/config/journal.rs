//! What is kept of callbacks, where and how long.

use super::read::{Section, Value};
use crate::journal::{Keep, Room, Settings};
use std::path::Path;
use std::time::Duration;

/// The durable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Where it is, and what it may keep of orders that were never confirmed.
    pub settings: Settings,
    /// How long finished callbacks are kept, and what is in them.
    pub keep: Keep,
}

pub(super) static JOURNAL: Section =
    Section { name: "journal", keys: &["path", "url", "keep", "unconfirmed", "unconfirmed_bytes"] };
pub(super) static KEEP: Section = Section { name: "journal.keep", keys: &["bodies", "entries"] };
const DAY: u64 = 24 * 60 * 60;
const JOURNAL_FILE: &str = "tollgate.db";
const KEPT: Keep = Keep { bodies: Duration::from_secs(30 * DAY), entries: Duration::from_secs(90 * DAY) };
/// About 150 MB at a kilobyte and a half each.
const UNCONFIRMED: u64 = 100_000;
/// Two and a half kilobytes for each of those: an ordinary callback has less.
const UNCONFIRMED_BYTES: u64 = 256 * MIB;
const MIB: u64 = 1024 * 1024;

/// A file beside the configuration.
pub(super) fn default_journal(directory: &Path) -> Journal {
    let room = Room { records: UNCONFIRMED, bytes: UNCONFIRMED_BYTES };
    Journal { settings: Settings { path: directory.join(JOURNAL_FILE), room }, keep: KEPT }
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
    let Journal { settings: Settings { path, room }, keep: kept } = default_journal(value.directory());
    let path = map.or("path", path, Value::file_path);
    let keep = map.or("keep", kept, keep);
    let records = map.or("unconfirmed", room.records, |v| v.number(100..=100_000_000));
    let bytes = map.or("unconfirmed_bytes", room.bytes, |v| v.size(MIB..=1024 * 1024 * MIB).map(|bytes| bytes as u64));
    Some(Some(Journal { settings: Settings { path, room: Room { records, bytes } }, keep }))
}

/// A duration, which is that of the entries, or how long each.
fn keep(value: &Value<'_>) -> Option<Keep> {
    if !value.is_map() {
        let entries = value.duration()?;
        return Some(Keep { bodies: KEPT.bodies.min(entries), entries });
    }
    let map = value.map(&KEEP)?;
    let entries = map.or("entries", KEPT.entries, Value::duration);
    let bodies = map.optional("bodies", Value::duration);
    if bodies.is_some_and(|bodies| bodies > entries)
        && let Some(value) = map.get("bodies")
    {
        value.warn("is longer than journal.keep.entries, with which bodies go at the latest");
    }
    Some(Keep { bodies: bodies.unwrap_or(KEPT.bodies).min(entries), entries })
}
