//! What the writer is asked for: what somebody waits for, and what is only noted.

use super::begun::Known;
use super::content::Content;
use super::holds::Ending;
use super::incarnation::Current;
use super::numbers::Bucket;
use crate::journal::{Begun, Callback, EntryId, JournalError, JournalEvent, Sending, Taken, Trust};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Callbacks and sendings that may wait for the writer; more are turned away.
const MOST_WAITING: usize = 8192;

/// The longest time for which anything can be put off: a century.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(super) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// What nobody waits for.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most are the large one")]
pub(super) enum Note {
    Event(JournalEvent),
    /// A worker does not go on with an entry.
    Release(EntryId),
    /// A turn is given back, of an attempt that nothing more is heard of.
    Abandon,
}

/// What nobody waits for, and what was known when it was said.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) note: Note,
    /// The number of whatever it adds, made before it is tried first, so that done twice it is once.
    pub(super) id: i64,
    pub(super) bucket: Bucket,
    pub(super) since: Instant,
    /// Under which incarnation its worker held the entry.
    pub(super) hold: Option<i64>,
    /// The hold that it ends.
    pub(super) ending: Option<Ending>,
    /// The beginning of the attempt that it is about.
    pub(super) began: Option<Known>,
}

/// What somebody waits for.
#[derive(Debug)]
pub(super) enum Wait {
    TakeIn(Box<Taking>),
    Begin(Box<Beginning>),
}

/// How a callback is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is written, unless its claim is known.
    Write,
    /// The budget is spent: it is only looked for.
    Look,
    /// It takes the place of a closed entry, and its part of the budget.
    Replace,
}

/// A callback to be taken in.
#[derive(Debug)]
pub(super) struct Taking {
    pub(super) callback: Box<Callback>,
    pub(super) content: Option<Content>,
    pub(super) trust: Trust,
    pub(super) due_in: Duration,
    pub(super) bucket: Bucket,
    pub(super) stage: Stage,
    /// Whether it counts in this process's idea of the budget.
    pub(super) is_spent: bool,
    /// The entry that it is to be, and who holds that; known once it is tried.
    pub(super) mine: Option<Mine>,
    pub(super) since: Instant,
    pub(super) reply: Reply<Taken>,
    pub(super) _place: Place,
}

/// A delivery to be sent.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) sending: Sending,
    pub(super) bucket: Bucket,
    /// Under which incarnation its worker held the entry.
    pub(super) hold: Option<i64>,
    /// The operation, and who sends; known once it is tried.
    pub(super) mine: Option<Mine>,
    pub(super) since: Instant,
    pub(super) reply: Reply<Begun>,
    pub(super) _place: Place,
}

/// A number that was made for an operation, and who does it.
#[derive(Debug, Clone)]
pub(super) struct Mine {
    pub(super) id: i64,
    pub(super) by: Current,
}

impl Wait {
    /// Whether nobody waits any more.
    pub(super) fn is_left(&self) -> bool {
        match self {
            Self::TakeIn(taking) => taking.reply.is_closed(),
            Self::Begin(beginning) => beginning.reply.is_closed(),
        }
    }

    pub(super) const fn since(&self) -> Instant {
        match self {
            Self::TakeIn(taking) => taking.since,
            Self::Begin(beginning) => beginning.since,
        }
    }

    pub(super) const fn bucket(&self) -> Bucket {
        match self {
            Self::TakeIn(taking) => taking.bucket,
            Self::Begin(beginning) => beginning.bucket,
        }
    }

    /// The number that was made for it.
    pub(super) const fn mine(&mut self) -> &mut Option<Mine> {
        match self {
            Self::TakeIn(taking) => &mut taking.mine,
            Self::Begin(beginning) => &mut beginning.mine,
        }
    }

    /// What orders it among others of its batch.
    pub(super) fn order(&self) -> &str {
        match self {
            Self::TakeIn(taking) => taking.callback.claimed.order.as_str(),
            Self::Begin(beginning) => beginning.sending.order.as_str(),
        }
    }

    /// Says that nothing was written.
    pub(super) fn refuse(self, error: JournalError) {
        // Whoever does not wait any more needs no answer.
        match self {
            Self::TakeIn(taking) => drop(taking.reply.send(Err(error))),
            Self::Begin(beginning) => drop(beginning.reply.send(Err(error))),
        }
    }
}

impl Noted {
    /// Whether it only adds a line to the history.
    pub(super) const fn is_a_line(&self) -> bool {
        matches!(
            self.note,
            Note::Event(JournalEvent::Again { .. } | JournalEvent::Flagged { .. } | JournalEvent::Refused(_))
        )
    }

    /// How long ago it was said, in milliseconds.
    pub(super) fn age(&self) -> i64 {
        millis(self.since.elapsed())
    }
}

/// A time in milliseconds, as a column has it.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.min(LONGEST).as_millis()).unwrap_or(i64::MAX)
}

/// A number that is never negative, as a column has it.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A place among those that wait for the writer. One whose caller waits no longer keeps it, as it does its memory.
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
