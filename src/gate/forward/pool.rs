//! Connections to one upstream that wait for the next callback.

use super::health::Seen;
use super::line::Line;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection waits. Shorter than most servers' own limit, so that the gate lets go first.
const IDLE: Duration = Duration::from_secs(4);

/// How many wait at most.
const MOST: usize = 512;

/// The newest is used first, so that after a rush the older ones run out.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<VecDeque<(Instant, Line)>>,
    /// Callbacks that were sent here while their sender waited.
    pub(super) fresh: AtomicU64,
    /// How the upstream is.
    pub(super) seen: Seen,
}

impl Pool {
    /// A connection that was good when it was last used.
    pub(super) fn take(&self) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop_back().filter(|(since, _)| since.elapsed() < IDLE).map(|(_, line)| line)
    }

    /// Keeps `line` for the next callback, if it can be used again.
    pub(super) fn keep(&self, line: Line) {
        if !line.is_reusable() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back((Instant::now(), line));
        while idle.len() > MOST || idle.front().is_some_and(|(since, _)| since.elapsed() >= IDLE) {
            idle.pop_front();
        }
    }
}
