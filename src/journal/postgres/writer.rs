//! Writing what callbacks wait for: in batches of whatever has come meanwhile, on two connections that are kept.
//!
//! A bucket is always written on the same one of them, so that what this process says of an order stays in order. What nobody
//! waits for comes first, because it says what a sender was told already; it is held in memory while the database is away.

use super::batch;
use super::begun::{Attempts, Known};
use super::budget::Budget;
use super::crowd::Crowd;
use super::database::Database;
use super::holds::Holds;
use super::inbox::Inbox;
use super::incarnation::Incarnation;
use super::numbers::{Bucket, Numbers};
use super::op::{Note, Noted, Wait};
use crate::journal::{BoxFuture, EntryId, JournalError, JournalEvent, Room};
use crate::observe::metrics::JournalMeters;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::time::Instant;

/// Writes what callbacks wait for. Whoever has it may ask; it works once `work` has begun.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) incarnation: Arc<Incarnation>,
    pub(super) holds: Arc<Holds>,
    pub(super) numbers: Arc<Numbers>,
    pub(super) meters: JournalMeters,
    /// How many wait.
    pub(super) waiting: Arc<AtomicUsize>,
    /// What there may be of unconfirmed callbacks, and is as far as this process knows.
    pub(super) budget: Budget,
    /// Callbacks that wait for others to give way.
    pub(super) crowd: Crowd,
    /// Attempts of this process that are under way.
    pub(super) attempts: Attempts,
    /// What waits for each of its connections.
    pub(super) lanes: Vec<Inbox>,
}

impl Writer {
    pub(super) fn new(
        database: &Arc<Database>,
        incarnation: &Arc<Incarnation>,
        holds: &Arc<Holds>,
        numbers: &Arc<Numbers>,
        (room, meters): (Room, JournalMeters),
    ) -> Self {
        Self {
            database: Arc::clone(database),
            incarnation: Arc::clone(incarnation),
            holds: Arc::clone(holds),
            numbers: Arc::clone(numbers),
            meters,
            waiting: Arc::default(),
            budget: Budget::of(room),
            crowd: Crowd::default(),
            attempts: Attempts::default(),
            lanes: (0..database.writers()).map(|_| Inbox::default()).collect(),
        }
    }

    /// Asks for nothing more; what was asked for is still written while the database answers.
    pub(super) fn close(&self) {
        self.lanes.iter().for_each(Inbox::close);
        self.crowd.close();
    }

    /// Whether it was closed.
    pub(super) fn is_closed(&self) -> bool {
        self.crowd.is_closed()
    }

    /// Closes it, and waits until what was noted is written or cannot be.
    pub(super) async fn finish(&self) {
        // What cannot be written now is lost with the process, as its callers know.
        let _ = self.flush().await;
        self.close();
        for lane in &self.lanes {
            drop(lane.begin().await);
        }
    }

    /// Leaves something that somebody waits for.
    pub(super) fn wait(&self, wait: Wait) {
        if let Some(wait) = self.lane(wait.bucket()).map_or_else(|| None, |lane| lane.wait(wait)) {
            wait.refuse(JournalError::Unavailable);
        }
    }

    /// Leaves a note.
    pub(super) fn note(&self, note: Note, bucket: Bucket, began: Option<Known>) {
        let ends = batch::ends(&note);
        let entry = ends.or_else(|| entry_of(&note));
        let hold = entry.and_then(|entry| self.holds.of(entry));
        let ending = ends.and_then(|entry| self.holds.end(entry));
        if matches!(note, Note::Release(_)) && ending.is_none() {
            return;
        }
        let id = self.number(bucket);
        let began = match &note {
            Note::Event(JournalEvent::AttemptStarted { attempt, .. }) => {
                self.attempts.began(attempt.delivery, attempt.number, Known { op: id, alone: false });
                None
            }
            Note::Event(JournalEvent::AttemptEnded { attempt, .. }) => self.attempts.end(attempt),
            _ => began,
        };
        if let Some(lane) = self.lane(bucket) {
            lane.note(Noted { note, id, bucket, since: Instant::now(), hold, ending, began });
        }
    }

    /// Waits until what was noted before is durable.
    pub(super) fn flush(&self) -> BoxFuture<'_, ()> {
        let waits: Vec<_> = self.lanes.iter().map(Inbox::noted).collect();
        Box::pin(async move {
            for wait in waits {
                if !wait.written().await {
                    return Err(JournalError::Unavailable);
                }
            }
            Ok(())
        })
    }

    /// A number that nobody else makes, which ascends with time.
    pub(super) fn number(&self, bucket: Bucket) -> i64 {
        // Without a slot two processes make the same one only in the same millisecond, by the same chance.
        let slot = self.incarnation.current().map_or_else(|| fastrand::u16(..256), |current| current.slot);
        self.numbers.next(self.incarnation.now(), bucket, slot)
    }

    /// The name of this replica.
    pub(super) fn replica(&self) -> String {
        let current = self.incarnation.current();
        current.map_or_else(|| self.database.settings.replica.clone(), |current| current.name.to_string())
    }

    fn lane(&self, bucket: Bucket) -> Option<&Inbox> {
        self.lanes.get(usize::from(bucket.0) % self.lanes.len().max(1))
    }
}

/// The entry that a note is about.
fn entry_of(note: &Note) -> Option<EntryId> {
    match note {
        Note::Release(entry) => Some(*entry),
        Note::Abandon => None,
        Note::Event(event) => match event {
            JournalEvent::Decided { entry, .. } => Some(*entry),
            JournalEvent::AttemptStarted { attempt, .. } | JournalEvent::AttemptEnded { attempt, .. } => {
                Some(attempt.entry)
            }
            _ => None,
        },
    }
}
