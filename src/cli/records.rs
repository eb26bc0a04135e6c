//! What the commands share that query the journal: opening it beside a gate that may be running, reading times, and who
//! runs the command. What they print under `--json` are the shapes of the API (`admin::records`).

use crate::config;
use crate::config::{Outline, Problems, parse_duration};
use crate::domain::clock;
use crate::journal::{self, Archive, By};
use anyhow::bail;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The journal that a configuration names; the secrets in it are not read.
pub(super) async fn open(config: &Path) -> anyhow::Result<Result<Arc<dyn Archive>, Problems>> {
    let outline = match Outline::load(config) {
        Ok(outline) => outline,
        Err(problems) => return Ok(Err(problems)),
    };
    Ok(Ok(journal::open_beside(settings(outline.journal.as_ref())?).await?))
}

/// Where the journal is that a configuration names.
pub(super) fn settings(journal: Option<&config::Journal>) -> anyhow::Result<&journal::Settings> {
    match journal {
        Some(journal) => Ok(&journal.settings),
        None => bail!(
            "this configuration says journal: none, so nothing is kept; name a file in journal.path, or a database in journal.url"
        ),
    }
}

/// Who runs this command, for the audit trail.
pub(super) fn by() -> By {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let user =
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    By { who: format!("cli:{user}"), from: "cli".to_owned() }
}

/// A day in Beijing: `2026-11-22`, `today` or `yesterday`.
pub(super) fn date(text: &str) -> Result<Date, String> {
    let today = clock::beijing(clock::now()).date();
    let day = match text {
        "today" => Some(today),
        "yesterday" => today.yesterday().ok(),
        text => text.parse().ok(),
    };
    day.ok_or_else(|| "write a day like 2026-11-22, today or yesterday; it is Beijing's".to_owned())
}

/// How long ago `text` is: a duration like `2h`, a time like `2026-11-24T10:00:00Z`, or a day, which begins at midnight
/// in Beijing.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    if let Ok(duration) = parse_duration(text) {
        return Ok(duration);
    }
    let midnight = || clock::from_beijing(date(text).ok()?.to_datetime(Time::midnight()));
    let at: Timestamp = text.parse().ok().or_else(midnight).ok_or_else(|| {
        "write a duration like 30m, 2h or 3d, a day like 2026-11-24, today or yesterday, or a time like \
         2026-11-24T10:00:00+08:00"
            .to_owned()
    })?;
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
        for text in ["", "tomorrow", "Yesterday", "2099-01-01T00:00:00Z", "2099-01-01", "2026-13-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        assert_eq!(date("2026-11-22").unwrap().to_string(), "2026-11-22");
        assert_eq!(date("today").unwrap().yesterday().unwrap(), date("yesterday").unwrap());
        assert!(date("2026-11-31").is_err() && date("").is_err() && date("TODAY").is_err());
        let day = Duration::from_secs(24 * 3600);
        let (today, yesterday) = (since("today").unwrap(), since("yesterday").unwrap());
        assert!(
            today < day + Duration::from_secs(60) && yesterday >= day && yesterday < 2 * day + Duration::from_secs(60)
        );
        let at = since(&date("yesterday").unwrap().to_string()).unwrap();
        assert!(at >= yesterday && at - yesterday < Duration::from_secs(60));
    }
}
