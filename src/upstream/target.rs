//! One upstream: the connections that are kept open to it, and what is known of it.

use super::health::Seen;
use super::standing::Standing;
use super::{Unanswered, UpstreamAnswer};
use crate::net::pool::Pool;
use parking_lot::Mutex;
use std::sync::atomic::AtomicU64;

#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) pool: Pool,
    /// Callbacks that were sent here while their sender waited.
    pub(super) fresh: AtomicU64,
    /// How the upstream is.
    pub(super) seen: Seen,
    /// Whether it takes what it is sent.
    standing: Mutex<Standing>,
}

impl Target {
    /// Records how the upstream is by what came of a request; one that may be sent once more says nothing of that.
    pub(super) fn told(&self, answer: Result<UpstreamAnswer, Unanswered>) -> Result<UpstreamAnswer, Unanswered> {
        match &answer {
            Ok(_) => self.seen.answered(),
            Err(Unanswered { again: true, .. }) => {}
            Err(Unanswered { reason, again: false }) => self.seen.failed(*reason),
        }
        answer
    }

    /// Reads or changes how the upstream stands. A lock is held meanwhile.
    pub(super) fn standing<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        look(&mut self.standing.lock())
    }
}
