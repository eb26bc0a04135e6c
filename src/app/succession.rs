//! From one process to the next: waiting for the one before, and leaving to the one after.

use super::BuildError;
use super::systemd;
use crate::config;
use crate::journal::Journal;
use crate::journal::sqlite::Sqlite;
use crate::observe::metrics::JournalMeters;
use crate::process::handoff::{Leaving, Lent, Predecessor, again};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

/// How much longer than its grace a process may take to end.
const WRITING_OUT: Duration = Duration::from_secs(10);

/// How long this process waits for its own tasks to give the journal back.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Between two looks whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Another process is to go on.
#[derive(Debug)]
pub struct Succession {
    pub(super) leaving: Leaving,
    pub(super) journal: Option<Weak<dyn Journal>>,
    /// To be this process's again if the other does not get as far.
    pub(super) sockets: Vec<Lent>,
}

/// What has come of it.
#[derive(Debug)]
pub enum Succeeded {
    /// The other accepts callbacks.
    Yes,
    /// The journal is still held here, so that this process has to end before the other can know.
    Unknown,
    /// The other is gone. This process is to [become itself](Lost::start_again) once more.
    No(Lost),
}

/// What was to be the other's.
#[derive(Debug)]
pub struct Lost {
    sockets: Vec<Lent>,
}

impl Succession {
    /// Waits for what comes of it. The app must have been dropped.
    pub async fn outcome(self) -> Succeeded {
        let is_held = || self.journal.as_ref().is_some_and(|journal| journal.strong_count() > 0);
        let since = Instant::now();
        while is_held() {
            if since.elapsed() > LETTING_GO {
                return Succeeded::Unknown;
            }
            sleep(LOOK_EVERY).await;
        }
        let successor = self.leaving.successor;
        if self.leaving.other_accepts().await {
            systemd::succeeded_by(successor);
            tracing::info!(successor, "another gate has taken over");
            return Succeeded::Yes;
        }
        tracing::error!(successor, "the gate that was to take over is gone before it accepted; this one starts again");
        Succeeded::No(Lost { sockets: self.sockets })
    }
}

impl Lost {
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
) -> Result<(Arc<dyn Journal>, Option<Predecessor>), BuildError> {
    let (path, room) = (file.path.clone(), file.room());
    let Some(before) = before else { return Ok((Arc::new(Sqlite::open_measured(&path, room, meters)?), None)) };
    let (process, patience) = (before.process, before.grace + WRITING_OUT);
    let mut opening = spawn_blocking(move || {
        before.go().map_err(BuildError::NoSuccession)?;
        Ok((Sqlite::open_when_free(&path, room, meters)?, before))
    });
    loop {
        match timeout(patience, &mut opening).await {
            Ok(Ok(opened)) => return opened.map(|(journal, before)| (Arc::new(journal) as _, Some(before))),
            Ok(Err(error)) => return Err(BuildError::NoSuccession(error.into())),
            Err(_) => tracing::error!(
                process,
                patience_s = patience.as_secs(),
                "the gate that is to leave still has the journal, longer than its shutdown_grace allows; kill it, and \
                 this one goes on"
            ),
        }
    }
}
