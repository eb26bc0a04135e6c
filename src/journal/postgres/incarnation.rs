//! This process on the list of the living: which incarnation it is, and whether its lease is to be trusted.

use crate::domain::clock;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::Instant;

/// The incarnation that this process is.
#[derive(Debug, Clone)]
pub(super) struct Current {
    /// Its number, which whatever it holds names.
    pub(super) id: i64,
    /// Its slot, which stands in the numbers that it makes.
    pub(super) slot: u16,
    /// The replica's name to people.
    pub(super) name: Arc<str>,
}

/// This process on the list of the living.
#[derive(Debug, Default)]
pub(super) struct Incarnation(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    current: Option<(Current, Instant)>,
    /// The database's time at a moment of the monotonic clock, in milliseconds since 1970.
    time: Option<(i64, Instant)>,
}

impl Incarnation {
    /// Which incarnation this is; `None` if it is none, or has not been heard for so long that others may take over.
    pub(super) fn current(&self) -> Option<Current> {
        let state = self.0.lock();
        state
            .current
            .as_ref()
            .filter(|(_, trusted_until)| *trusted_until > Instant::now())
            .map(|(current, _)| current.clone())
    }

    /// The database's time, in milliseconds since 1970, as far as it is known.
    pub(super) fn now(&self) -> i64 {
        let time = self.0.lock().time;
        match time {
            Some((at, since)) => at.saturating_add(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)),
            None => clock::now().as_millisecond(),
        }
    }

    /// It is this incarnation, which is to be trusted until then.
    pub(super) fn lives(&self, current: Current, trusted_until: Instant) {
        self.0.lock().current = Some((current, trusted_until));
    }

    /// It is none any more.
    pub(super) fn is_gone(&self) {
        self.0.lock().current = None;
    }

    /// The database's time was `at` when it was asked.
    pub(super) fn time_is(&self, at: i64, since: Instant) {
        self.0.lock().time = Some((at, since));
    }
}
