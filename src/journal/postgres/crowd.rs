//! Callbacks that wait until others give way, since the budget for what was never confirmed is spent.

use super::op::Taking;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Callbacks that wait for others to give way. There are no more than may wait at all.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "they come from a queue and go back, and are large")]
pub(super) struct Crowd {
    waiting: Mutex<Vec<Box<Taking>>>,
    comes: Notify,
    closed: AtomicBool,
}

impl Crowd {
    pub(super) fn join(&self, taking: Box<Taking>) {
        self.waiting.lock().push(taking);
        self.comes.notify_one();
    }

    /// Waits until some come, which leave it, or until it is closed.
    pub(super) async fn comes(&self) -> Vec<Box<Taking>> {
        self.comes.notified().await;
        std::mem::take(&mut *self.waiting.lock())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.comes.notify_one();
    }
}
