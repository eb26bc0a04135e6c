//! What the writer is asked for, and what it answers.

use super::batch::Batch;
use super::leases::Lease;
use crate::journal::overrides::{Redelivered, Redelivery};
use crate::journal::{Act, By, Callback, EntryId, Forgotten, JournalError, JournalEvent, Keep, Search, Taken, Trust};
use jiff::SignedDuration;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// A callback that was taken in, and its lease if it goes to the one who asked.
pub(super) type Kept = (Taken, Option<Lease>);

pub(super) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// What can be asked of the writer.
#[derive(Debug)]
pub(super) enum Op {
    TakeIn { callback: Box<Callback>, trust: Trust, due_in: Duration, place: Place, reply: Reply<Kept> },
    Append { event: JournalEvent, seq: u64, began: Option<Box<Began>> },
    Flush(Reply<()>),
    Act { act: Act, search: Search, limit: usize, by: By, reply: Reply<Vec<EntryId>> },
    Redeliver { redelivery: Box<Redelivery>, reply: Reply<Redelivered> },
    Forget { keep: Keep, limit: usize, reply: Reply<Forgotten> },
    SetClock { by: SignedDuration, reply: Reply<()> },
    Write { write: Write, reply: Reply<i64> },
}

/// That an attempt began, and when; it is written with its end.
#[derive(Debug)]
pub(super) struct Began {
    pub(super) event: JournalEvent,
    pub(super) at: i64,
}

/// What is written at a time, and gives a number back.
pub(super) struct Write(pub(super) Box<Writing>);

type Writing = dyn Fn(&Batch<'_>, i64) -> rusqlite::Result<i64> + Send;

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Write")
    }
}

/// An operation and when it was asked for, in milliseconds.
#[derive(Debug)]
pub(super) struct Stamped {
    pub(super) op: Op,
    pub(super) at: i64,
}

/// What an operation has come to, to be told once it is durable.
#[expect(clippy::large_enum_variant, reason = "there are 256 at most, and most are the large one")]
pub(super) enum Done {
    Nothing,
    Taken(Result<Kept, JournalError>),
    /// It is done once everything that was said of entries before is written.
    NotYet,
    Entries(Vec<EntryId>),
    Redelivered(Redelivered),
    Forgotten(Forgotten),
    Number(i64),
}

/// Says that nothing was written. No caller waits for an event.
pub(super) fn refuse(op: Op) {
    match op {
        Op::TakeIn { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Flush(reply) => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Act { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Redeliver { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Forget { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::SetClock { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Write { reply, .. } => drop(reply.send(Err(JournalError::Unavailable))),
        Op::Append { .. } => {}
    }
}

/// Callbacks that may wait for the writer; more are turned away.
const MOST_WAITING: usize = 8192;

/// A place among the callbacks that wait for the writer. One whose caller waits no longer keeps it, as it does its
/// memory.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    pub(super) fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(waiting));
        (waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
