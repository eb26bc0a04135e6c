//! The hot restart, as this process sees it: waiting for the process before it, and handing off to the process after
//! it.

use super::BuildError;
use super::systemd;
use crate::config;
use crate::journal::{self, Journal, Place, Queue};
use crate::observe::metrics::JournalMeters;
use crate::process::handoff::{Handoff, Predecessor, SharedSocket, again};
use std::sync::Weak;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

/// How much longer than its grace a process may take to end.
const WRITING_OUT: Duration = Duration::from_secs(10);

/// How long this process waits for its own tasks to give the journal back.
const LETTING_GO: Duration = Duration::from_secs(2);

/// How often it is found out whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A handoff that was agreed on: another process waits for this one to give the journal back.
#[derive(Debug)]
pub struct PendingHandoff {
    pub(super) handoff: Handoff,
    pub(super) queue: Option<Weak<dyn Queue>>,
    /// Sockets that are this process's again if the successor is gone before it accepts.
    pub(super) sockets: Vec<SharedSocket>,
}

/// What has come of a handoff.
#[derive(Debug)]
pub enum HandoffOutcome {
    /// The successor accepts callbacks.
    Completed,
    /// The journal is still held here, so that this process has to end before the successor can go on.
    Unknown,
    /// The successor is gone. This process is to [become itself](FailedHandoff::start_again) once more.
    Failed(FailedHandoff),
}

/// The sockets that were to be the successor's.
#[derive(Debug)]
pub struct FailedHandoff {
    sockets: Vec<SharedSocket>,
}

impl PendingHandoff {
    /// Waits for the outcome. The app must have been dropped.
    pub async fn outcome(self) -> HandoffOutcome {
        let is_held = || self.queue.as_ref().is_some_and(|queue| queue.strong_count() > 0);
        let since = Instant::now();
        while is_held() {
            if since.elapsed() > LETTING_GO {
                return HandoffOutcome::Unknown;
            }
            sleep(LOOK_EVERY).await;
        }
        let successor = self.handoff.successor;
        if self.handoff.other_accepts().await {
            systemd::succeeded_by(successor);
            tracing::info!(successor, "another gate has taken over");
            return HandoffOutcome::Completed;
        }
        tracing::error!(successor, "the gate that was to take over is gone before it accepted; this one starts again");
        HandoffOutcome::Failed(FailedHandoff { sockets: self.sockets })
    }
}

impl FailedHandoff {
    /// Starts this program again in this process, with the sockets. It comes back only if that fails, with the reason.
    #[must_use]
    pub fn start_again(self) -> std::io::Error {
        again::start(self.sockets)
    }
}

/// Opens the journal, once the gate `before` has given it back if there is one: however long that takes, since nobody
/// accepts callbacks meanwhile.
///
/// # Errors
/// If `before` does not leave, or the journal cannot be opened.
pub(super) async fn open(
    file: &config::Journal,
    meters: JournalMeters,
    before: Option<Predecessor>,
) -> Result<(Journal, Option<Predecessor>), BuildError> {
    let settings = &file.settings;
    let (Some(before), Place::File(path)) = (before, &settings.place) else {
        return Ok((journal::open(settings, meters).await?, None));
    };
    let (path, room) = (path.clone(), settings.room);
    let (process, limit) = (before.process, before.grace + WRITING_OUT);
    let mut opening = spawn_blocking(move || {
        before.go().map_err(BuildError::NoHandoff)?;
        Ok((journal::open_when_free(&path, room, meters)?, before))
    });
    loop {
        match timeout(limit, &mut opening).await {
            Ok(Ok(opened)) => return opened.map(|(journal, before)| (journal, Some(before))),
            Ok(Err(error)) => return Err(BuildError::NoHandoff(error.into())),
            Err(_) => tracing::error!(
                process,
                timeout_s = limit.as_secs(),
                "the gate that is to leave still has the journal, longer than its shutdown_grace allows; kill it, and \
                 this one goes on"
            ),
        }
    }
}
