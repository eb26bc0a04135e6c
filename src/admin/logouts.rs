//! Which sessions were ended before their time, by the audit trail: before this process began, and at other gates of the same
//! journal. There, whoever brings a session has the trail looked at again before long; what cannot be read ends none.

use super::queries::Unread;
use super::{Admin, Who, session};
use crate::domain::clock;
use crate::journal::audit::Action;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Lines of the audit trail that are read at once, and how often at most.
const PAGE_LINES: usize = 500;
const PAGES: usize = 40;

/// How long what was heard of other gates counts.
const COUNTS_FOR: Duration = Duration::from_secs(2);

/// How long a request waits for it.
const TIMEOUT: Duration = Duration::from_secs(1);

/// By how much clocks may differ and lines come late: so much of the trail is read twice.
const TWICE: SignedDuration = SignedDuration::from_secs(120);

/// What was read of the trail.
#[derive(Debug, Default)]
pub(super) struct Logouts(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    /// When it was asked for the last time.
    asked_at: Option<Instant>,
    /// When it was read the last time.
    read_at: Option<Timestamp>,
}

impl Logouts {
    /// Whether the trail is to be read again; it is taken that whoever asks does.
    fn is_due(&self) -> bool {
        let mut read = self.0.lock();
        let is_due = read.asked_at.is_none_or(|at| at.elapsed() >= COUNTS_FOR);
        if is_due {
            read.asked_at = Some(Instant::now());
        }
        is_due
    }

    /// From when on lines may not be known.
    fn unknown_since(&self, now: Timestamp) -> Timestamp {
        let all = now - session::LASTS;
        self.0.lock().read_at.map_or(all, |at| at.saturating_sub(TWICE).unwrap_or(all))
    }
}

impl Admin {
    /// Reads in the audit trail which sessions were ended before this process began.
    pub async fn recall_logouts(&self) {
        if let Err(error) = self.read_logouts().await {
            tracing::warn!(%error, "sessions that were ended hold again until their time is over");
        }
    }

    /// As [`recall_logouts`](Self::recall_logouts), for a request that brings a session: of other gates of the journal it is heard
    /// a few seconds later at most.
    pub(super) async fn hear_of_logouts(&self) {
        if self.shared.is_some()
            && self.logouts.is_due()
            && !matches!(timeout(TIMEOUT, self.read_logouts()).await, Ok(Ok(())))
        {
            tracing::debug!("which sessions were ended elsewhere cannot be read");
        }
    }

    async fn read_logouts(&self) -> Result<(), Unread> {
        let access = self.access.load_full();
        let (Some(sessions), Some(_)) = (access.sessions(), &self.archive) else { return Ok(()) };
        let now = clock::now();
        let since = self.logouts.unknown_since(now);
        let mut before = None;
        for _ in 0..PAGES {
            let page = self.audits(before, PAGE_LINES).await?;
            for line in page.iter().filter(|line| line.audit.action == Action::Logout && line.at >= since) {
                if let Some(name) = Who::session_in(&line.audit.by.who) {
                    sessions.was_ended(name, line.at);
                }
            }
            match page.last() {
                Some(last) if last.at >= since && page.len() == PAGE_LINES => before = Some(last.id),
                _ => break,
            }
        }
        self.logouts.0.lock().read_at = Some(now);
        Ok(())
    }
}
