//! Telling a supervisor how this process is: systemd's notify protocol, on the socket that `NOTIFY_SOCKET` names.
//! Without one nothing is told.

use crate::journal::Queue;
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Callbacks are accepted from now on; also after [`reloading`].
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Callbacks are accepted from now on, by a process that took over from another: systemd is to watch this one now.
pub(super) fn ready_instead(status: &str) {
    tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready, NotifyState::Status(status)]);
}

/// The process `successor` has taken over, and this one is about to end.
pub(super) fn succeeded_by(successor: u32) {
    tell(&[NotifyState::MainPid(successor)]);
}

/// A changed configuration is looked at. Must be followed by [`ready`], whatever comes of it.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock to tell the supervisor"),
    }
}

/// No new callbacks from now on.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: requests under way finish")]);
}

/// How often the supervisor wants to hear that this process lives, if it does. One that `took_over` is told in the
/// words that were for the process before it.
#[must_use]
pub(super) fn watchdog(took_over: bool) -> Option<Duration> {
    let every = if took_over {
        let every = std::env::var("WATCHDOG_USEC").ok();
        every.and_then(|every| every.parse().ok()).map(Duration::from_micros)
    } else {
        sd_notify::watchdog_enabled()
    };
    every.filter(|every| !every.is_zero())
}

/// Says that this process lives, well before `every` is over each time, for as long as tasks get their turn and, if its journal
/// is a file of this machine, the journal's writer answers. A writer whose disk fails answers; one whose disk hangs does not.
pub(super) async fn keep_alive(every: Duration, queue: Option<Arc<dyn Queue>>) {
    let limit = every / 3;
    let mut ticks = interval(limit);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let queue = queue.clone();
        let turn = tokio::spawn(async move {
            if let Some(queue) = queue {
                // What it says of the disk is told elsewhere.
                let _ = queue.flush().await;
            }
        });
        if timeout(limit, turn).await.is_ok() {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(
                timeout_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
                "the journal's writer does not answer; the supervisor is not told that this process lives"
            );
        }
    }
}

/// A supervisor that does not listen is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the supervisor cannot be told");
    }
}
