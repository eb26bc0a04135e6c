//! The journal's figures, as of a second ago at most: reading them costs the journal something, and whoever looks at them may
//! do so as often as he likes. A disk that hangs keeps nobody waiting: then what was read before still counts.

use super::Admin;
use crate::journal::{Figures, JournalError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How long figures count as those of now, at least.
const FRESH: Duration = Duration::from_secs(1);

/// And at most: a journal that takes its time is read for one part in `SHARE` of it.
const FRESH_AT_MOST: Duration = Duration::from_secs(10);
const SHARE: u32 = 20;

/// How long reading them is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was read last, and what is being read.
#[derive(Debug, Default)]
pub(super) struct AtHand(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: Option<(Instant, Arc<Figures>)>,
    /// When reading them began.
    began: Option<Instant>,
    /// How long they count as those of now.
    fresh: Duration,
    /// Did not come in time; nobody waits for it a second time.
    late: Option<JoinHandle<Read>>,
}

type Read = Result<Figures, JournalError>;

impl Admin {
    /// The journal's figures and how old they are; `None` without a journal, or while none could be read.
    pub async fn figures(&self) -> Option<(Arc<Figures>, Duration)> {
        let journal = self.journal.clone()?;
        let mut state = self.figures.0.lock().await;
        let is_fresh = state.known.as_ref().is_some_and(|(at, _)| at.elapsed() < state.fresh);
        if !is_fresh {
            match state.late.take() {
                Some(late) if !late.is_finished() => state.late = Some(late),
                Some(done) => state.take(done.await.ok()),
                None => {
                    state.began = Some(Instant::now());
                    let mut reading = tokio::spawn(async move { journal.figures().await });
                    match timeout(PATIENCE, &mut reading).await {
                        Ok(read) => state.take(read.ok()),
                        Err(_) => state.late = Some(reading),
                    }
                }
            }
        }
        state.known.as_ref().map(|(at, figures)| (Arc::clone(figures), at.elapsed()))
    }
}

impl State {
    fn take(&mut self, read: Option<Read>) {
        match read {
            Some(Ok(figures)) => {
                let took = self.began.map_or(FRESH, |began| began.elapsed());
                self.fresh = (took * SHARE).clamp(FRESH, FRESH_AT_MOST);
                self.known = Some((Instant::now(), Arc::new(figures)));
            }
            Some(Err(error)) => tracing::debug!(%error, "the journal's figures"),
            None => {}
        }
    }
}
