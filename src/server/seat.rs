//! Which connection gives way when there is no permit for another: the one whose peer has been waited for longest.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// The seat of a connection whose permit may be given to another connection while its peer says nothing.
#[derive(Debug)]
pub(super) struct Seat {
    all: Arc<WaitedFor>,
    told: Notify,
    /// Its turn among those who are waited for; 0 if it is not. Both change under the lock only.
    turn: AtomicU64,
    is_given_away: AtomicBool,
}

/// The connections whose peers have to send something, those who have owed it longest first.
#[derive(Debug, Default)]
pub(super) struct WaitedFor(Mutex<Turns>);

#[derive(Debug, Default)]
struct Turns {
    latest: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
}

impl Seat {
    /// A seat whose peer is not waited for yet.
    pub(super) fn among(all: &Arc<WaitedFor>) -> Self {
        Self {
            all: Arc::clone(all),
            told: Notify::new(),
            turn: AtomicU64::new(0),
            is_given_away: AtomicBool::new(false),
        }
    }

    /// From now on the peer is waited for.
    pub(super) fn waits(self: &Arc<Self>) {
        self.all.add(self);
    }

    /// Ready when the permit was given to another connection.
    pub(super) async fn gave_way(&self) {
        self.told.notified().await;
    }

    /// From now on the peer waits for us. `false` if another connection has the permit already.
    pub(super) fn is_served(&self) -> bool {
        self.all.remove(self);
        !self.is_given_away.load(Ordering::Relaxed)
    }
}

impl WaitedFor {
    fn add(&self, seat: &Arc<Seat>) {
        let mut turns = self.lock();
        if seat.turn.load(Ordering::Relaxed) == 0 && !seat.is_given_away.load(Ordering::Relaxed) {
            turns.latest += 1;
            seat.turn.store(turns.latest, Ordering::Relaxed);
            let turn = turns.latest;
            turns.seats.insert(turn, Arc::clone(seat));
        }
    }

    fn remove(&self, seat: &Seat) {
        let mut turns = self.lock();
        turns.seats.remove(&seat.turn.swap(0, Ordering::Relaxed));
    }

    /// Whether there was one to give way; its permit is free then.
    pub(super) fn one_gives_way(&self) -> bool {
        let first = self.lock().give_way();
        // It is woken when the lock is free.
        first.inspect(|seat| seat.told.notify_one()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.lock()
    }
}

impl Turns {
    fn give_way(&mut self) -> Option<Arc<Seat>> {
        let (_, seat) = self.seats.pop_first()?;
        seat.turn.store(0, Ordering::Relaxed);
        seat.is_given_away.store(true, Ordering::Relaxed);
        Some(seat)
    }
}
