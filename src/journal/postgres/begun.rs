//! Which operation began each attempt of this process that is under way: what ends it says so by that, so that done twice, or
//! late, it ends no other.

use crate::journal::{Attempt, DeliveryId};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};

/// Attempts that are remembered; beyond, the oldest is forgotten, and gives neither number nor turn back.
const MOST: usize = 65_536;

/// How an attempt began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// The operation that gave its number.
    pub(super) op: i64,
    /// Whether it took the delivery's turn.
    pub(super) alone: bool,
}

/// Attempts that are under way.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<(DeliveryId, u64), Known>,
    turns: HashSet<i64>,
    oldest: VecDeque<(DeliveryId, u64, i64)>,
}

impl Inner {
    fn remove(&mut self, key: (DeliveryId, u64)) -> Option<Known> {
        let known = self.known.remove(&key)?;
        self.turns.remove(&known.op);
        Some(known)
    }
}

impl Attempts {
    /// An attempt began.
    pub(super) fn began(&self, delivery: DeliveryId, number: u64, known: Known) {
        let mut inner = self.0.lock();
        inner.remove((delivery, number));
        inner.known.insert((delivery, number), known);
        if known.alone {
            inner.turns.insert(known.op);
        }
        inner.oldest.push_back((delivery, number, known.op));
        while inner.oldest.len() > MOST {
            if let Some((delivery, number, op)) = inner.oldest.pop_front()
                && inner.known.get(&(delivery, number)).is_some_and(|known| known.op == op)
            {
                inner.remove((delivery, number));
            }
        }
    }

    /// An attempt ended. How it began.
    pub(super) fn end(&self, attempt: &Attempt) -> Option<Known> {
        self.0.lock().remove((attempt.delivery, attempt.number))
    }

    /// Whether the attempt that took a turn with this operation is under way.
    pub(super) fn has_turn(&self, op: i64) -> bool {
        self.0.lock().turns.contains(&op)
    }
}
