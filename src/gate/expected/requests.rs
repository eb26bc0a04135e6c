//! Asking for a source to be read now rather than when its time comes.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// Between two readings of a source that callbacks ask for. A sender that repeats a paid callback must not read the
/// order system's database all the time.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// The sources' desks, by name.
#[derive(Debug, Default)]
pub struct Requests(Mutex<HashMap<String, Arc<Desk>>>);

/// Where one source is asked for, and says how often it was read.
#[derive(Debug)]
pub struct Desk {
    wanted: Notify,
    readings: watch::Sender<Readings>,
}

/// How often a source was read.
#[derive(Debug, Clone, Copy, Default)]
struct Readings {
    begun: u64,
    ended: u64,
    last_begun: Option<Instant>,
}

impl Requests {
    /// The desk of a source.
    #[must_use]
    pub fn desk(&self, source: &str) -> Arc<Desk> {
        let mut desks = self.0.lock();
        Arc::clone(desks.entry(source.to_owned()).or_insert_with(|| {
            Arc::new(Desk { wanted: Notify::new(), readings: watch::Sender::new(Readings::default()) })
        }))
    }

    /// Only these sources are asked for from now on.
    pub fn keep(&self, sources: &[&str]) {
        self.0.lock().retain(|source, _| sources.contains(&source.as_str()));
    }

    /// Waits until each of these was read by a reading that began after this call, or until `until`. Those who ask at
    /// the same time share a reading.
    pub async fn read(&self, sources: &[String], until: Instant) {
        let waiting: Vec<_> = sources
            .iter()
            .map(|source| {
                let desk = self.desk(source);
                let mut readings = desk.readings.subscribe();
                let wanted = readings.borrow_and_update().begun + 1;
                desk.wanted.notify_one();
                async move {
                    let read = readings.wait_for(|readings| readings.ended >= wanted);
                    // The source's task may be gone; what is known then counts.
                    let _ = timeout_at(until, read).await;
                }
            })
            .collect();
        for one in waiting {
            one.await;
        }
    }
}

impl Desk {
    /// Waits until a callback wants the source read, and until it may be.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
        let last = self.readings.borrow().last_begun;
        if let Some(last) = last {
            tokio::time::sleep_until(last + AT_MOST_EVERY).await;
        }
    }

    /// A reading of the source begins.
    pub fn begins(&self) {
        self.readings.send_modify(|readings| {
            readings.begun += 1;
            readings.last_begun = Some(Instant::now());
        });
    }

    /// The reading that began last has ended, and what it brought is known.
    pub fn ended(&self) {
        self.readings.send_modify(|readings| readings.ended = readings.begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_reading_that_had_begun_before_does_not_count() {
        let requests = Arc::new(Requests::default());
        let desk = requests.desk("shop");
        desk.begins();
        let asking = Arc::clone(&requests);
        let asked = tokio::spawn(async move { asking.read(&["shop".to_owned()], Instant::now() + LATE).await });
        desk.wanted().await;
        desk.ended();
        tokio::task::yield_now().await;
        assert!(!asked.is_finished());
        desk.begins();
        desk.ended();
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_waits_beyond_his_time_for_a_source_that_is_not_read() {
        let requests = Requests::default();
        let sources = ["shop".to_owned(), "other".to_owned()];
        requests.read(&sources, Instant::now() + Duration::from_millis(20)).await;
    }

    #[tokio::test]
    async fn a_source_that_is_asked_for_all_the_time_is_not_read_all_the_time() {
        let desk = Requests::default().desk("shop");
        let began = Instant::now();
        for _ in 0..2 {
            desk.wanted.notify_one();
            desk.wanted().await;
            desk.begins();
            desk.ended();
        }
        assert!(began.elapsed() >= AT_MOST_EVERY);
    }
}
