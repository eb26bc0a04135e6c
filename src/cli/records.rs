//! What the commands share that look into the journal: opening it beside a gate that may be running, reading times, and who
//! somebody is.
//! What they print under `--json` are the shapes of the API (`admin::records`).

use crate::config::{Outline, Problems, parse_duration};
use crate::journal::By;
use crate::journal::sqlite::Sqlite;
use crate::{clock, config};
use anyhow::bail;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// The journal that a configuration names; the secrets in it are not read.
pub(super) fn open(config: &Path) -> anyhow::Result<Result<Sqlite, Problems>> {
    let outline = match Outline::load(config) {
        Ok(outline) => outline,
        Err(problems) => return Ok(Err(problems)),
    };
    Ok(Ok(Sqlite::beside(&file(outline.journal.as_ref())?.path)?))
}

/// The file that a configuration names.
pub(super) fn file(journal: Option<&config::Journal>) -> anyhow::Result<&config::Journal> {
    match journal {
        Some(journal) => Ok(journal),
        None => bail!("this configuration says journal: none, so nothing is kept; name a file in journal.path"),
    }
}

/// Who runs this command, for the audit trail.
pub(super) fn by() -> By {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let user =
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    By { who: format!("cli:{user}"), from: "cli".to_owned() }
}

/// How long ago `text` is: a duration like `2h`, or a time like `2026-11-24T10:00:00Z`.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    if let Ok(duration) = parse_duration(text) {
        return Ok(duration);
    }
    let at: Timestamp = text
        .parse()
        .map_err(|_| "write a duration like 30m, 2h or 3d, or a time like 2026-11-24T10:00:00+08:00".to_owned())?;
    Duration::try_from(clock::now().duration_since(at)).map_err(|_| "that time is still to come".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_duration_or_a_date() {
        assert_eq!(since("2h"), Ok(Duration::from_secs(7200)));
        let day = Duration::from_secs(24 * 3600);
        assert!(since("2020-01-01T00:00:00+08:00").unwrap() > day);
        for text in ["", "yesterday", "2099-01-01T00:00:00Z", "2026-11-24"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
