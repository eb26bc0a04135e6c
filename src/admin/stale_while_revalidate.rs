//! Stale while revalidate: reading the journal costs time, and the dashboard, the API and monitoring may ask as often as they like,
//! so what was read a moment ago is answered again. One reading at a time; a disk that hangs keeps no request waiting for
//! long, and no second thread: then what was read before still counts.

use super::queries::Unread;
use crate::journal::JournalError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long something counts as how it is now, at least.
const FRESH: Duration = Duration::from_secs(1);

/// And at most: a journal that takes its time is read for one part in `SHARE` of it.
const FRESH_AT_MOST: Duration = Duration::from_secs(10);
const SHARE: u32 = 20;

/// How long reading is waited for.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How long it is believed that it cannot be read.
const FAILED: Duration = Duration::from_secs(2);

/// What was read last, and what is being read.
#[derive(Debug)]
pub(super) struct StaleWhileRevalidate<T> {
    timeout: Duration,
    state: Mutex<State<T>>,
}

/// What is known.
#[derive(Debug)]
pub(super) struct Last<T> {
    /// What was read last, and how long ago; `None` if nothing that is wanted was.
    pub(super) read: Option<(Arc<T>, Duration)>,
    /// Why nothing later was.
    pub(super) trouble: Option<Unread>,
}

#[derive(Debug)]
struct State<T> {
    known: Option<Known<T>>,
    /// When reading failed, and why, if it did since.
    failed: Option<(Instant, JournalError)>,
    /// Did not come in time; no request waits for it a second time.
    late: Option<JoinHandle<Reading<T>>>,
}

#[derive(Debug)]
struct Known<T> {
    value: Arc<T>,
    /// When it was read.
    at: Instant,
    /// How long it counts as how it is now.
    fresh: Duration,
}

#[derive(Debug)]
struct Reading<T> {
    began: Instant,
    ended: Instant,
    read: Result<T, JournalError>,
}

impl<T> Default for StaleWhileRevalidate<T> {
    fn default() -> Self {
        Self { timeout: TIMEOUT, state: Mutex::new(State { known: None, failed: None, late: None }) }
    }
}

impl<T: Send + Sync + 'static> StaleWhileRevalidate<T> {
    /// What was read last, or what `read` gives if that is too old or not what `is_wanted`.
    pub(super) async fn get(
        &self,
        is_wanted: impl Fn(&T) -> bool,
        read: impl Future<Output = Result<T, JournalError>> + Send + 'static,
    ) -> Last<T> {
        let mut state = self.state.lock().await;
        if let Some(done) = state.late.take_if(|late| late.is_finished()) {
            state.take(done.await.ok());
        }
        if state.late.is_none() && !state.is_fresh(&is_wanted) && !state.failed_just_now() {
            let mut reading = tokio::spawn(async move {
                let began = Instant::now();
                let read = read.await;
                Reading { began, ended: Instant::now(), read }
            });
            match timeout(self.timeout, &mut reading).await {
                Ok(done) => state.take(done.ok()),
                Err(_) => state.late = Some(reading),
            }
        }
        let known = state.known.as_ref().filter(|known| is_wanted(&known.value));
        Last { read: known.map(|known| (Arc::clone(&known.value), known.at.elapsed())), trouble: state.trouble() }
    }
}

impl<T> State<T> {
    /// Of a reading that panicked the log has more.
    fn take(&mut self, done: Option<Reading<T>>) {
        match done {
            Some(Reading { began, ended, read: Ok(value) }) => {
                let fresh = ((ended - began) * SHARE).clamp(FRESH, FRESH_AT_MOST);
                self.known = Some(Known { value: Arc::new(value), at: ended, fresh });
                self.failed = None;
            }
            Some(Reading { ended, read: Err(error), .. }) => {
                tracing::debug!(%error, "looking into the journal");
                self.failed = Some((ended, error));
            }
            None => {}
        }
    }

    fn is_fresh(&self, is_wanted: impl Fn(&T) -> bool) -> bool {
        self.known.as_ref().is_some_and(|known| known.at.elapsed() < known.fresh && is_wanted(&known.value))
    }

    fn failed_just_now(&self) -> bool {
        self.failed.as_ref().is_some_and(|(at, _)| at.elapsed() < FAILED)
    }

    fn trouble(&self) -> Option<Unread> {
        match (&self.late, &self.failed) {
            (Some(_), _) => Some(Unread::Slow),
            (None, Some((_, error))) => Some(Unread::Journal(error.clone())),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::oneshot;

    fn impatient() -> StaleWhileRevalidate<u32> {
        StaleWhileRevalidate { timeout: Duration::from_millis(10), ..StaleWhileRevalidate::default() }
    }

    fn value(last: &Last<u32>) -> Option<u32> {
        last.read.as_ref().map(|(value, _)| **value)
    }

    const fn all(_: &u32) -> bool {
        true
    }

    #[tokio::test]
    async fn it_is_read_once_a_moment_unless_something_else_is_wanted() {
        let cached = impatient();
        assert_eq!(value(&cached.get(all, ready(Ok(1))).await), Some(1));
        assert_eq!(value(&cached.get(all, ready(Ok(2))).await), Some(1));
        let another = cached.get(|value| *value == 3, ready(Ok(3))).await;
        assert_eq!((value(&another), another.trouble), (Some(3), None));
        assert_eq!(value(&cached.get(|value| *value == 4, ready(Ok(5))).await), None);
    }

    #[tokio::test]
    async fn while_one_reading_hangs_there_is_no_other_and_nobody_waits_again() {
        let (cached, readings) = (impatient(), Arc::new(AtomicUsize::new(0)));
        let (release, held) = oneshot::channel::<u32>();
        let counted = Arc::clone(&readings);
        let hangs = async move {
            counted.fetch_add(1, Ordering::Relaxed);
            held.await.map_err(|_| JournalError::Unavailable)
        };
        let first = cached.get(all, hangs).await;
        assert_eq!((value(&first), first.trouble), (None, Some(Unread::Slow)));
        for _ in 0..100 {
            let counted = Arc::clone(&readings);
            let another = async move {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(8)
            };
            assert_eq!(cached.get(all, another).await.trouble, Some(Unread::Slow));
        }
        assert_eq!(readings.load(Ordering::Relaxed), 1);
        release.send(7).unwrap();
        let mut found = None;
        while found.is_none() {
            tokio::task::yield_now().await;
            found = value(&cached.get(all, ready(Ok(8))).await);
        }
        assert_eq!(found, Some(7));
    }

    #[tokio::test]
    async fn a_failure_is_believed_for_a_while_and_what_was_read_before_still_counts() {
        let cached = impatient();
        let failure = || ready(Err(JournalError::Unavailable));
        cached.get(all, ready(Ok(1))).await;
        // Whatever age it has, it is not what is wanted.
        cached.get(|value| *value == 2, failure()).await;
        let believed = cached.get(|value| *value == 2, ready(Ok(2))).await;
        assert_eq!((value(&believed), believed.trouble), (None, Some(Unread::Journal(JournalError::Unavailable))));
        assert_eq!(value(&cached.get(all, ready(Ok(2))).await), Some(1));
    }
}
