//! Stopping without breaking off: one signal that spreads to every task, and one waiter until all have finished.
//! It knows nothing of what it stops.

use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The word, and the tasks that must finish after it. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    winding_down: CancellationToken,
    draining: CancellationToken,
    tasks: TaskTracker,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every task finished.
    Whole,
    /// The grace was over first.
    OutOfTime,
    /// A second signal ended the waiting.
    Forced,
}

impl Shutdown {
    /// One that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that this one's word reaches too, and whose own word this one does not hear; its tasks are this one's.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { token: self.token.child_token(), ..self.clone() }
    }

    /// Announces the word: what is begun from now on is not meant to last.
    pub fn wind_down(&self) {
        self.winding_down.cancel();
    }

    /// Whether it was announced, or said.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.winding_down.is_cancelled() || self.has_begun()
    }

    /// Says the word. Saying it again changes nothing.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Whether it was said.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is said.
    pub fn begun(&self) -> impl Future<Output = ()> + Send + '_ {
        self.token.cancelled()
    }

    /// Waits until everybody is waited for, which the end of a child alone is not.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + '_ {
        self.draining.cancelled()
    }

    /// Starts a task that [`drain`](Self::drain) waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Says the word and waits for the tasks, at most `grace`, and no longer than until `force` is ready. Tasks that
    /// are left are not ended: that is the process's end.
    pub async fn drain(&self, grace: Duration, force: impl Future<Output = ()>) -> Drained {
        self.begin();
        self.draining.cancel();
        self.tasks.close();
        tokio::select! {
            biased;
            () = self.tasks.wait() => Drained::Whole,
            () = force => Drained::Forced,
            () = tokio::time::sleep(grace) => Drained::OutOfTime,
        }
    }
}

/// The signals that ask a process to stop: SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the system's default, which is to die at once.
    ///
    /// # Errors
    ///
    /// The system does not let it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one. The first means drain, the second means now.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn a_drain_ends_with_its_tasks() {
        let shutdown = Shutdown::new();
        let task = shutdown.clone();
        shutdown.spawn(async move { task.begun().await });
        assert!(!shutdown.has_begun());
        assert_eq!(shutdown.drain(Duration::from_secs(60), pending()).await, Drained::Whole);
        assert!(shutdown.has_begun());
    }

    #[tokio::test]
    async fn a_child_is_ended_alone_and_waited_for_by_its_parent() {
        let shutdown = Shutdown::new();
        let (ended, goes_on) = (shutdown.child(), shutdown.child());
        ended.begin();
        assert!(ended.has_begun() && !shutdown.has_begun() && !goes_on.has_begun());
        assert!(!ended.draining.is_cancelled());
        let task = goes_on.clone();
        goes_on.spawn(async move { task.begun().await });
        assert_eq!(shutdown.drain(Duration::from_secs(60), pending()).await, Drained::Whole);
        assert!(goes_on.has_begun() && ended.draining.is_cancelled());
    }

    #[tokio::test]
    async fn a_drain_ends_with_its_grace_or_when_forced() {
        let shutdown = Shutdown::new();
        shutdown.spawn(pending());
        assert_eq!(shutdown.drain(Duration::from_millis(10), pending()).await, Drained::OutOfTime);
        assert_eq!(shutdown.drain(Duration::from_secs(60), ready(())).await, Drained::Forced);
    }
}
