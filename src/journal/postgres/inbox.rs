//! What waits for one of the writer's connections: notes first, then those that somebody waits for, each in the order in which
//! they came.

use super::op::{Noted, Wait};
use crate::journal::JournalError;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{MutexGuard, Notify, watch};
use tokio::time::Instant;

/// Notes that are held while the database is away; beyond, those that only add a line to the history are dropped.
const MOST_NOTES: usize = 32_768;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    left: Mutex<Left>,
    comes: Notify,
    written: watch::Sender<Written>,
    /// Held by whoever writes it.
    works: tokio::sync::Mutex<()>,
    /// Whether what is tried now could not be written before.
    fails: AtomicBool,
}

#[derive(Debug, Default)]
struct Left {
    notes: VecDeque<Noted>,
    waits: VecDeque<Wait>,
    /// How many notes there ever were.
    noted: u64,
    closed: bool,
}

/// How far it is.
#[derive(Debug, Default, Clone, Copy)]
struct Written {
    durable: u64,
    /// How often nothing could be written.
    failures: u64,
}

/// Notes that are to be durable.
#[derive(Debug)]
pub(super) struct Noting {
    until: u64,
    failures: u64,
    written: watch::Receiver<Written>,
}

impl Noting {
    /// Waits until they are durable, or cannot be made so at the moment.
    pub(super) async fn written(mut self) -> bool {
        let (until, failures) = (self.until, self.failures);
        let done = |written: &Written| written.durable >= until || written.failures > failures;
        self.written.wait_for(done).await.is_ok_and(|written| written.durable >= until)
    }
}

impl Inbox {
    /// Leaves something that somebody waits for; gives it back if nothing is done any more.
    pub(super) fn wait(&self, wait: Wait) -> Option<Wait> {
        let mut left = self.left.lock();
        if left.closed {
            return Some(wait);
        }
        left.waits.push_back(wait);
        drop(left);
        self.comes.notify_one();
        None
    }

    /// As [`wait`](Self::wait), before the others.
    pub(super) fn wait_first(&self, wait: Wait) {
        self.left.lock().waits.push_front(wait);
        self.comes.notify_one();
    }

    /// Leaves a note.
    pub(super) fn note(&self, noted: Noted) {
        let mut left = self.left.lock();
        if left.closed || left.notes.len() >= MOST_NOTES && noted.is_a_line() {
            return;
        }
        left.notes.push_back(noted);
        left.noted += 1;
        drop(left);
        self.comes.notify_one();
    }

    /// Up to `most` of what is here; of those that somebody waits for none unless `all`. `None` if there is nothing.
    pub(super) fn take(&self, most: usize, all: bool) -> Option<(Vec<Noted>, Vec<Wait>)> {
        let mut left = self.left.lock();
        let notes = left.notes.len().min(most);
        let waits = if all { left.waits.len().min(most - notes) } else { 0 };
        let taken: (Vec<_>, Vec<_>) = (left.notes.drain(..notes).collect(), left.waits.drain(..waits).collect());
        (notes + waits > 0).then_some(taken)
    }

    /// Puts back what was taken, before all others.
    pub(super) fn put_back(&self, notes: Vec<Noted>, waits: Vec<Wait>) {
        let mut left = self.left.lock();
        notes.into_iter().rev().for_each(|noted| left.notes.push_front(noted));
        waits.into_iter().rev().for_each(|wait| left.waits.push_front(wait));
        drop(left);
        self.comes.notify_one();
    }

    /// Waits until something comes. Something may be here already.
    pub(super) async fn comes(&self) {
        self.comes.notified().await;
    }

    pub(super) fn has_waits(&self) -> bool {
        !self.left.lock().waits.is_empty()
    }

    /// Refuses those that have waited for so long, and forgets those that nobody waits for.
    pub(super) fn refuse(&self, patience: Duration) {
        let too_old = Instant::now().checked_sub(patience);
        let is_over = |wait: &Wait| wait.is_left() || too_old.is_some_and(|too_old| wait.since() < too_old);
        let mut left = self.left.lock();
        if !left.waits.iter().any(is_over) {
            return;
        }
        let (over, rest): (VecDeque<_>, VecDeque<_>) = left.waits.drain(..).partition(is_over);
        left.waits = rest;
        drop(left);
        over.into_iter().for_each(|wait| wait.refuse(JournalError::Unavailable));
    }

    pub(super) fn close(&self) {
        self.left.lock().closed = true;
        self.comes.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.left.lock().closed
    }

    pub(super) fn is_closed_and_empty(&self) -> bool {
        let left = self.left.lock();
        left.closed && left.notes.is_empty()
    }

    /// What was noted so far.
    pub(super) fn noted(&self) -> Noting {
        let written = self.written.subscribe();
        let failures = written.borrow().failures;
        Noting { until: self.left.lock().noted, failures, written }
    }

    /// So many notes more are durable.
    pub(super) fn are_durable(&self, notes: usize) {
        if notes > 0 {
            self.written.send_modify(|written| written.durable += notes as u64);
        }
    }

    /// Nothing can be written at the moment.
    pub(super) fn failed(&self) {
        self.fails.store(true, Ordering::Relaxed);
        self.written.send_modify(|written| written.failures += 1);
    }

    /// What is tried next has not failed so far.
    pub(super) fn works(&self) {
        self.fails.store(false, Ordering::Relaxed);
    }

    /// Whether what is tried now could not be written before.
    pub(super) fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// One at a time writes it.
    pub(super) async fn begin(&self) -> MutexGuard<'_, ()> {
        self.works.lock().await
    }
}
