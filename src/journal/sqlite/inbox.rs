//! What the writer was asked for and has not done. Events go first: a sender was told already what they say, so each
//! moment that they are not on disk is one in which a crash makes the gate do it again. Whoever waits to be taken in is
//! told nothing before it is durable.

use super::op::{Op, Stamped};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Operations that wait, in two queues.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    events: VecDeque<Stamped>,
    others: VecDeque<Stamped>,
}

impl Inbox {
    /// Takes over everything that has come; waits for at most `timeout` if there is nothing to do. `false` if nobody
    /// can ask any more and everything is done.
    pub(super) fn fill(&mut self, queue: &Receiver<Stamped>, timeout: Duration) -> bool {
        if self.events.is_empty() && self.others.is_empty() {
            match queue.recv_timeout(timeout) {
                Ok(first) => self.put(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        queue.try_iter().for_each(|stamped| self.put(stamped));
        true
    }

    fn put(&mut self, stamped: Stamped) {
        let lane = if matches!(stamped.op, Op::Append { .. }) { &mut self.events } else { &mut self.others };
        lane.push_back(stamped);
    }

    /// The next `most` operations at most. Anything but an event comes after all events that were appended before it,
    /// so that [`Op::Flush`] means what it says.
    pub(super) fn batch(&mut self, most: usize) -> Vec<Stamped> {
        let events = self.events.len().min(most);
        let mut batch: Vec<Stamped> = self.events.drain(..events).collect();
        let others = self.others.len().min(most - events);
        batch.extend(self.others.drain(..others));
        batch
    }

    /// Gives back the end of a batch, none of it events, to be done first.
    pub(super) fn put_back(&mut self, rest: impl DoubleEndedIterator<Item = Stamped>) {
        rest.rev().for_each(|stamped| self.others.push_front(stamped));
    }
}
