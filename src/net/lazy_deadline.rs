//! A lazy deadline: it is moved back for every request and hardly ever met, so moving it back costs nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// The timer inside is set again only when it fires too early, or must fire earlier than it would.
#[derive(Debug)]
pub struct LazyDeadline {
    sleep: Pin<Box<Sleep>>,
    at: Instant,
}

impl LazyDeadline {
    /// A deadline at `at`. Must be made inside a tokio runtime.
    #[must_use]
    pub fn new(at: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(at)), at }
    }

    /// Moves it.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
        if at < self.sleep.deadline() {
            self.sleep.as_mut().reset(at);
        }
    }

    /// Ready once the time has come.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.sleep.deadline() >= self.at {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test]
    async fn it_goes_off_at_the_last_time_it_was_set_to() {
        let start = Instant::now();
        let mut deadline = LazyDeadline::new(start + Duration::from_millis(1));
        deadline.set(start + Duration::from_millis(40));
        poll_fn(|cx| deadline.poll(cx)).await;
        assert!(start.elapsed() >= Duration::from_millis(40));

        let mut deadline = LazyDeadline::new(start + Duration::from_secs(3600));
        deadline.set(start);
        poll_fn(|cx| deadline.poll(cx)).await;
    }
}
