//! What is kept of callbacks, where and how long.

use super::read::{Map, Material, Section, Value};
use crate::domain::secret::Secret;
use crate::journal::database::{DatabaseSettings, DatabaseTls};
use crate::journal::{self, Keep, Place, Room, Settings};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The durable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Where it is, and what it may keep of orders that were never confirmed.
    pub settings: Settings,
    /// How long finished callbacks are kept, and what is in them.
    pub keep: Keep,
}

pub(super) static JOURNAL: Section = Section {
    name: "journal",
    keys: &[
        "path",
        "url",
        "password",
        "tls",
        "schema",
        "replica",
        "lease",
        "timeout",
        "pool",
        "migrate",
        "keep",
        "unconfirmed",
        "unconfirmed_bytes",
    ],
};
pub(super) static TLS: Section = Section { name: "journal.tls", keys: &["ca", "cert", "key"] };
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
    Journal { settings: Settings::file(directory.join(JOURNAL_FILE), room), keep: KEPT }
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
    let Journal { settings: Settings { room, .. }, keep: kept } = default_journal(value.directory());
    let place = match map.get("url") {
        Some(url) => Place::Database(Box::new(database(&map, &url)?)),
        None => Place::File(file(&map)),
    };
    let keep = map.or("keep", kept, keep);
    let records = map.or("unconfirmed", room.records, |v| v.number(100..=100_000_000));
    let bytes = map.or("unconfirmed_bytes", room.bytes, |v| v.size(MIB..=1024 * 1024 * MIB).map(|bytes| bytes as u64));
    Some(Some(Journal { settings: Settings { place, room: Room { records, bytes } }, keep }))
}

/// Keys that say something of a database only.
const OF_A_DATABASE: [&str; 8] = ["password", "tls", "schema", "replica", "lease", "timeout", "pool", "migrate"];

fn file(map: &Map<'_>) -> PathBuf {
    for key in OF_A_DATABASE {
        if let Some(value) = map.get(key) {
            value.problem("is of a database, and this journal is a file", "remove it, or write url in place of path");
        }
    }
    map.or("path", map.value().directory().join(JOURNAL_FILE), Value::file_path)
}

const SCHEMA: &str = "tollgate";
const LEASE: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(2);
const POOL: usize = 8;
const LEASES: RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(600);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const LONGEST_SCHEMA: usize = 31;

fn database(map: &Map<'_>, url: &Value<'_>) -> Option<DatabaseSettings> {
    if let Some(path) = map.get("path") {
        path.problem(
            "stands beside url",
            "keep one of them: path for a file and one gate, url for a database and several",
        );
    }
    let (written, password) = (given(url)?, map.optional("password", given));
    let shown = match [Some(&written), password.as_ref()].into_iter().flatten().find_map(Given::unread) {
        Some(reference) => Some(reference.to_owned()),
        None => shown(url, &written),
    };
    let (written, password) = (written.into_secret(), password.map(Given::into_secret));
    let tls = map.optional("tls", tls).unwrap_or_default();
    let schema = map.or("schema", SCHEMA.to_owned(), schema);
    let replica = map.or("replica", host_name(), replica);
    let lease = map.or("lease", LEASE, |v| within(v, LEASES, "a duration from 2s to 10m, such as 15s"));
    let timeout = map.or("timeout", TIMEOUT, |v| within(v, TIMEOUTS, "a duration from 100ms to 60s, such as 2s"));
    let pool = map.or("pool", POOL, |v| v.number(2..=64));
    let migrate = map.or("migrate", true, |v| v.choice(&[("auto", true), ("never", false)]));
    Some(DatabaseSettings {
        url: written,
        password,
        tls,
        schema,
        replica,
        lease,
        timeout,
        pool,
        migrate,
        shown: shown?,
    })
}

/// The URL or the password.
enum Given {
    Here(Secret),
    /// A reference that is not read here, because what it names is not there; nothing can be opened with it.
    Unread(String),
}

impl Given {
    fn unread(&self) -> Option<&str> {
        match self {
            Self::Here(_) => None,
            Self::Unread(reference) => Some(reference),
        }
    }

    fn into_secret(self) -> Secret {
        match self {
            Self::Here(secret) => secret,
            Self::Unread(_) => Secret::new(String::new()),
        }
    }
}

fn given(value: &Value<'_>) -> Option<Given> {
    match value.material()? {
        Material::Text(secret) => Some(Given::Here(secret)),
        Material::Unread => Some(Given::Unread(value.written().unwrap_or_default().to_owned())),
        // It says what is wrong with that.
        Material::Binary => value.secret().map(Given::Here),
    }
}

fn shown(url: &Value<'_>, written: &Given) -> Option<String> {
    let Given::Here(written) = written else { return None };
    journal::shown(written.expose())
        .map_err(|error| url.problem(error.to_string(), "write postgres://user@host:5432/database"))
        .ok()
}

fn tls(value: &Value<'_>) -> Option<DatabaseTls> {
    let map = value.map(&TLS)?;
    let files = DatabaseTls {
        ca: map.optional("ca", Value::readable_file),
        cert: map.optional("cert", Value::readable_file),
        key: map.optional("key", Value::readable_file),
    };
    if files.cert.is_some() != files.key.is_some() {
        value.problem("has one of cert and key", "write both, or neither");
    }
    Some(files)
}

fn schema(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let goes_on = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if begins && goes_on && name.len() <= LONGEST_SCHEMA {
        return Some(name);
    }
    value.problem("is no name of a schema", "write small letters, digits and _, at most 31, such as tollgate");
    None
}

/// Most characters of a replica's name.
const LONGEST_REPLICA: usize = 64;

fn replica(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    if name.chars().count() <= LONGEST_REPLICA && name.chars().all(|char| char.is_ascii_graphic()) {
        return Some(name);
    }
    value.problem(
        "is no name of a replica",
        "write at most 64 letters, digits and signs without blanks, such as gate-1",
    );
    None
}

fn within(value: &Value<'_>, range: RangeInclusive<Duration>, such: &str) -> Option<Duration> {
    let duration = value.duration()?;
    if range.contains(&duration) {
        return Some(duration);
    }
    value.problem("is out of its bounds", format!("write {such}"));
    None
}

/// The machine's name, or a word where it has none that can be shown.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_usable =
        !name.is_empty() && name.len() <= LONGEST_REPLICA && name.chars().all(|char| char.is_ascii_graphic());
    if is_usable { name } else { "gate".to_owned() }
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
