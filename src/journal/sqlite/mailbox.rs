//! Where callers leave what the writer is to do. The writer takes all of it at once, and sleeps while there is nothing.
//!
//! What is left here is no more than its callers may have under way: who waits to be taken in has a place, and a
//! callback appends a few events.

use super::op::{Op, Stamped};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Instant;

/// The callers' end.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    left: Mutex<Left>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Left {
    ops: Vec<Stamped>,
    /// When the first of them was left.
    since: Option<Instant>,
    sleep: Sleep,
    /// Whether nobody leaves anything any more.
    closed: bool,
    /// Whether nobody takes anything any more.
    deserted: bool,
}

/// How the writer sleeps.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    #[default]
    No,
    /// Until anything comes.
    Deep,
    /// Until something comes that somebody waits for: it wakes soon by itself.
    Light,
}

impl Mailbox {
    /// Leaves something to be done. Who waits for it hears of it if the writer is gone.
    pub(super) fn leave(&self, stamped: Stamped) {
        let is_event = matches!(stamped.op, Op::Append { .. });
        let mut left = self.left.lock();
        if left.deserted {
            return;
        }
        left.since.get_or_insert_with(Instant::now);
        left.ops.push(stamped);
        if left.sleep == Sleep::Deep || left.sleep == Sleep::Light && !is_event {
            left.sleep = Sleep::No;
            drop(left);
            self.wake.notify_one();
        }
    }

    /// Nothing is left after this.
    pub(super) fn close(&self) {
        self.left.lock().closed = true;
        self.wake.notify_one();
    }
}

/// The writer's end. When it is dropped, all that was left is too.
#[derive(Debug)]
pub(super) struct Emptier(Arc<Mailbox>);

impl Emptier {
    pub(super) fn of(mailbox: &Arc<Mailbox>) -> Self {
        Self(Arc::clone(mailbox))
    }

    /// Moves everything behind what is in `ops`. When the first of it was left, and whether more can come.
    pub(super) fn take(&self, ops: &mut Vec<Stamped>) -> (Option<Instant>, bool) {
        let mut left = self.0.left.lock();
        ops.append(&mut left.ops);
        (left.since.take(), !left.closed)
    }

    /// Sleeps until anything comes, or until `until`; while events are held, until something else comes.
    pub(super) fn sleep(&self, until: Instant, events_are_held: bool) {
        let mut left = self.0.left.lock();
        if left.closed || left.ops.iter().any(|stamped| !events_are_held || !matches!(stamped.op, Op::Append { .. })) {
            return;
        }
        left.sleep = if events_are_held { Sleep::Light } else { Sleep::Deep };
        while left.sleep != Sleep::No && !left.closed {
            if self.0.wake.wait_until(&mut left, until).timed_out() {
                left.sleep = Sleep::No;
            }
        }
    }
}

impl Drop for Emptier {
    fn drop(&mut self) {
        let mut left = self.0.left.lock();
        left.deserted = true;
        let ops = std::mem::take(&mut left.ops);
        drop(left);
        drop(ops);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{JournalError, JournalEvent};
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn flush() -> (Stamped, oneshot::Receiver<Result<(), JournalError>>) {
        let (reply, answer) = oneshot::channel();
        (Stamped { op: Op::Flush(reply), at: 0 }, answer)
    }

    fn event() -> Stamped {
        let event = JournalEvent::Counted {
            entry: crate::journal::EntryId(1),
            delivery: crate::journal::DeliveryId(uuid::Uuid::nil()),
            attempts: 1,
        };
        Stamped { op: Op::Append { event, seq: 0, began: None }, at: 0 }
    }

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_sleeping_writer_is_woken_by_whoever_waits_for_it() {
        for held in [false, true] {
            let mailbox = Arc::new(Mailbox::default());
            let emptier = Emptier::of(&mailbox);
            std::thread::scope(|scope| {
                scope.spawn(|| emptier.sleep(Instant::now() + LONG, held));
                mailbox.leave(flush().0);
            });
            let mut ops = Vec::new();
            assert!(matches!(emptier.take(&mut ops), (Some(_), true)) && ops.len() == 1);
        }
    }

    #[test]
    fn an_event_wakes_a_writer_that_has_nothing_and_none_that_holds_others() {
        let mailbox = Arc::new(Mailbox::default());
        let emptier = Emptier::of(&mailbox);
        std::thread::scope(|scope| {
            scope.spawn(|| emptier.sleep(Instant::now() + LONG, false));
            mailbox.leave(event());
        });
        // It is there, and wakes nobody.
        let until = Instant::now() + Duration::from_millis(30);
        emptier.sleep(until, true);
        assert!(Instant::now() >= until);
        mailbox.close();
        emptier.sleep(Instant::now() + LONG, true);
        assert!(!emptier.take(&mut Vec::new()).1);
    }

    #[test]
    fn whoever_waits_for_a_writer_that_is_gone_hears_of_it() {
        let mailbox = Arc::new(Mailbox::default());
        let emptier = Emptier::of(&mailbox);
        let (before, answer_before) = flush();
        mailbox.leave(before);
        drop(emptier);
        let (after, answer_after) = flush();
        mailbox.leave(after);
        assert!(answer_before.blocking_recv().is_err() && answer_after.blocking_recv().is_err());
    }
}
