//! Remembers which hosts have been out of reach many times in a row, so that callbacks do not queue up behind
//! connections that will not open while another host can answer.
//!
//! It only says which host is asked last. No host is refused: the host may be back, and the payment real. Only
//! reachability counts; whatever a host answers, badly signed or with an error, it is there (threat V-04).

use crate::provider::HostState;
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Failures in a row that open a breaker.
const FAILURES: u32 = 20;

/// How long the host is then asked last, before one query finds out whether it is back.
const PAUSE: Duration = Duration::from_secs(1);

/// The breaker of one host.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    answered_at: Option<Instant>,
    /// Set while open: when the next query is let through in its turn.
    trial_at: Option<Instant>,
}

impl Breaker {
    /// Whether the host is asked in its turn. Of an open breaker's host one query is, once in a while.
    pub(super) fn admit(&self) -> bool {
        self.with(|state| state.admit(Instant::now()))
    }

    /// The host answered something.
    pub(super) fn answered(&self) {
        self.with(|state| *state = State { answered_at: Some(Instant::now()), ..State::default() });
    }

    /// The host, asked at `asked_at`, could not be reached or broke off.
    pub(super) fn failed(&self, asked_at: Instant) {
        self.with(|state| state.fail(asked_at, Instant::now()));
    }

    /// How the host is asked at the moment.
    pub(super) fn host_state(&self) -> HostState {
        self.with(|state| if state.trial_at.is_some() { HostState::Open } else { HostState::Closed })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock())
    }
}

impl State {
    fn admit(&mut self, now: Instant) -> bool {
        match self.trial_at {
            Some(at) if now < at => false,
            Some(_) => {
                self.trial_at = Some(now + PAUSE);
                true
            }
            None => true,
        }
    }

    fn fail(&mut self, asked_at: Instant, now: Instant) {
        // A query from before the host's last answer says nothing about the host since.
        if self.answered_at.is_some_and(|answered_at| asked_at < answered_at) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.trial_at = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn after_failures(count: u32, now: Instant) -> State {
        let mut state = State::default();
        (0..count).for_each(|_| state.fail(now, now));
        state
    }

    #[test]
    fn it_opens_at_the_twentieth_failure_in_a_row_for_a_second() {
        let now = Instant::now();
        assert!(after_failures(FAILURES - 1, now).admit(now));
        let mut state = after_failures(FAILURES, now);
        assert!(!state.admit(now));
        assert!(!state.admit(now + PAUSE - MOMENT));
        assert!(state.admit(now + PAUSE));
    }

    #[test]
    fn once_a_pause_one_query_finds_out_whether_the_host_is_back() {
        let now = Instant::now();
        let mut state = after_failures(FAILURES, now);
        let later = now + PAUSE;
        assert_eq!([state.admit(later), state.admit(later)], [true, false]);
        assert!(state.admit(later + PAUSE), "a trial that came to nothing does not keep it open");
        state.fail(later + PAUSE, later + 2 * PAUSE);
        assert!(!state.admit(later + 3 * PAUSE - MOMENT));
    }

    #[test]
    fn any_answer_closes_it_and_forgets_the_failures() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            (1..FAILURES).for_each(|_| breaker.failed(Instant::now()));
            assert_eq!(breaker.host_state(), HostState::Closed);
            breaker.answered();
        }
        (0..FAILURES).for_each(|_| breaker.failed(Instant::now()));
        assert_eq!((breaker.host_state(), breaker.admit()), (HostState::Open, false));
        breaker.answered();
        assert_eq!((breaker.host_state(), breaker.admit()), (HostState::Closed, true));
    }

    #[test]
    fn failures_of_queries_from_before_the_last_answer_do_not_count() {
        let before = Instant::now() - MOMENT;
        let breaker = Breaker::default();
        breaker.answered();
        (0..2 * FAILURES).for_each(|_| breaker.failed(before));
        assert_eq!(breaker.host_state(), HostState::Closed);
    }
}
