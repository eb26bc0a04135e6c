//! One of the writer's connections, and what waits for it.

use super::batch::{self, Batch, Done};
use super::connection::Connection;
use super::database::LONGEST_PAUSE;
use super::error::Error;
use super::inbox::Inbox;
use super::numbers::Bucket;
use super::op::{Mine, Note, Stage, Taking, Wait};
use super::take_in::Came;
use super::writer::Writer;
use crate::journal::{Begun, EntryId, JournalError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause before the second try again; the first is at once, and each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// From how many failures on, one after the other, the database does not write: a connection may be lost at any time.
const FAILS: u32 = 3;

/// How often it is tried once nobody waits any more, since the process ends.
const LAST_TRIES: u32 = 4;

/// How long one that waits may wait, in round trips; whoever has less patience leaves before.
const PATIENCE: u32 = 4;

/// How often it is looked whether this process is among the living again.
const LOOKS: Duration = Duration::from_millis(20);

/// One of the writer's connections.
struct Lane<'w> {
    inbox: &'w Inbox,
}

/// Tries of one batch.
#[derive(Debug, Default)]
struct Tries {
    failed: u32,
    /// Whether one of them may have been written.
    is_unsure: bool,
}

/// Writes what comes for one of the writer's connections, until the writer is closed and nothing is left.
pub(super) async fn work(writer: Arc<Writer>, lane: usize) {
    if let Some(inbox) = writer.lanes.get(lane) {
        let _works = inbox.begin().await;
        Lane { inbox }.work(&writer).await;
    }
}

impl Lane<'_> {
    async fn work(&self, writer: &Writer) {
        let mut connection = None;
        loop {
            let is_living = writer.incarnation.current().is_some();
            let Some((mut notes, mut waits)) = self.inbox.take(batch::MOST, is_living) else {
                if self.inbox.is_closed_and_empty() {
                    self.inbox.refuse(Duration::ZERO);
                    return;
                }
                self.sleep(writer, is_living).await;
                continue;
            };
            let (late_notes, late_waits) = batch::leave_out(&mut notes, &mut waits);
            self.inbox.put_back(late_notes, late_waits);
            let waits = waits.into_iter().filter_map(|wait| numbered(wait, writer)).collect();
            let mut batches = vec![Batch::of(notes, waits)];
            while let Some(batch) = batches.pop() {
                let mut alone = self.write(batch, writer, &mut connection).await;
                alone.reverse();
                batches.append(&mut alone);
            }
        }
    }

    /// Sleeps until something comes; what waits for this process to be among the living is looked at again soon.
    async fn sleep(&self, writer: &Writer, is_living: bool) {
        if is_living || !self.inbox.has_waits() {
            self.inbox.comes().await;
            return;
        }
        self.inbox.refuse(patience(writer));
        tokio::select! {
            () = self.inbox.comes() => {}
            () = sleep(LOOKS) => {}
        }
    }

    /// Writes a batch, again and again while that may help. Returns the parts that are to be written each alone, since one of them
    /// is at fault or they took too long together.
    async fn write(&self, mut batch: Batch, writer: &Writer, connection: &mut Option<Connection>) -> Vec<Batch> {
        let mut tries = Tries { failed: 0, is_unsure: batch.is_unsure };
        loop {
            self.leave_out(&mut batch, writer, &tries);
            if batch.len() == 0 {
                self.inbox.works();
                return Vec::new();
            }
            let error = match attempt(&batch, writer, connection).await {
                Ok(done) => {
                    writer.meters.set_writable(true);
                    self.inbox.works();
                    self.answer(batch, done, writer, &tries);
                    return Vec::new();
                }
                Err(error) => error,
            };
            let was_connected = connection.is_some();
            if error.is_of_the_connection() {
                *connection = None;
            }
            // What others were in the way of was undone.
            tries.is_unsure |= !error.is_of_others();
            batch.is_unsure = tries.is_unsure;
            let may_pass = error.may_pass() || error.is_of_the_layout();
            if !may_pass || self.inbox.is_closed() && tries.failed >= LAST_TRIES {
                if batch.len() > 1 && !may_pass {
                    return batch.split();
                }
                tracing::error!(%error, "the journal's database does not take what is to be written");
                self.give_up(batch, writer);
                return Vec::new();
            }
            if error.took_too_long() && was_connected && tries.failed > 0 && batch.len() > 1 {
                writer.meters.retry("too-long");
                return batch.halves();
            }
            writer.meters.retry(error.code().map_or("connection", |code| code.code()));
            self.failed(&error, writer, &mut tries);
            sleep(pause(tries.failed)).await;
        }
    }

    fn failed(&self, error: &Error, writer: &Writer, tries: &mut Tries) {
        tries.failed += 1;
        if tries.failed >= FAILS && error.is_of_the_connection() {
            writer.meters.set_writable(false);
            self.inbox.failed();
        }
        tracing::debug!(%error, tries = tries.failed, "a batch of the journal is written again");
    }

    /// Leaves out whom nobody waits for, or who has waited too long.
    fn leave_out(&self, batch: &mut Batch, writer: &Writer, tries: &Tries) {
        let too_old = Instant::now().checked_sub(patience(writer));
        let is_late = |since: Instant| too_old.is_some_and(|too_old| since < too_old);
        self.inbox.refuse(patience(writer));
        for taking in batch.takings.extract_if(.., |taking| taking.reply.is_closed() || is_late(taking.since)) {
            writer.let_go(&taking, tries.is_unsure);
            Wait::TakeIn(taking).refuse(JournalError::Unavailable);
        }
        for one in batch.beginnings.extract_if(.., |one| one.reply.is_closed() || is_late(one.since)) {
            if let Some(mine) = one.mine.as_ref().filter(|_| tries.is_unsure) {
                writer.give_back(&one, mine.id);
            }
            Wait::Begin(one).refuse(JournalError::Unavailable);
        }
    }

    /// What cannot be written is not written.
    fn give_up(&self, batch: Batch, writer: &Writer) {
        batch::settle(&batch.notes, &writer.holds);
        self.inbox.are_durable(batch.notes.len());
        for taking in batch.takings {
            writer.let_go(&taking, batch.is_unsure);
            Wait::TakeIn(taking).refuse(JournalError::Unavailable);
        }
        for one in batch.beginnings {
            if let Some(mine) = one.mine.as_ref().filter(|_| batch.is_unsure) {
                writer.give_back(&one, mine.id);
            }
            Wait::Begin(one).refuse(JournalError::Unavailable);
        }
    }

    fn answer(&self, batch: Batch, done: Done, writer: &Writer, tries: &Tries) {
        batch::settle(&batch.notes, &writer.holds);
        // What was written by a try of which nobody knew is led on by somebody else in the meantime, or by itself.
        if !tries.is_unsure {
            done.lost.iter().for_each(|entry| writer.lost(*entry));
        }
        for (one, begun) in batch.beginnings.into_iter().zip(done.begun) {
            writer.has_begun(*one, begun);
        }
        let mut again = Vec::new();
        for (taking, came) in batch.takings.into_iter().zip(done.came) {
            again.extend(writer.has_come(taking, came));
        }
        again.into_iter().rev().for_each(|taking| self.inbox.wait_first(Wait::TakeIn(taking)));
        // Last, since whoever flushes finds everything done.
        self.inbox.are_durable(batch.notes.len());
    }
}

impl Writer {
    /// Somebody else leads an entry on.
    pub(super) fn lost(&self, entry: EntryId) {
        self.meters.lease_lost();
        tracing::warn!(entry = entry.0, "another replica has this entry; what was found here does not lead it on");
    }

    fn has_begun(&self, one: super::op::Beginning, begun: Begun) {
        let op = one.mine.as_ref().map(|mine| mine.id);
        if begun == Begun::Lost {
            self.lost(one.sending.entry);
            // The turn may have been taken all the same.
            if let Some(op) = op {
                self.give_back(&one, op);
            }
        }
        let attempt = match &begun {
            Begun::Number(number) => batch::remember(&one, *number, &self.attempts),
            _ => None,
        };
        if one.reply.send(Ok(begun)).is_err()
            && let Some(began) = attempt.and_then(|attempt| self.attempts.end(&attempt)).filter(|began| began.alone)
        {
            self.note(Note::Abandon, one.bucket, Some(began));
        }
    }

    /// Gives the turn back that an operation may have taken.
    fn give_back(&self, one: &super::op::Beginning, op: i64) {
        if one.sending.alone {
            self.note(Note::Abandon, one.bucket, Some(super::begin::known(one, op)));
        }
    }

    /// Tells whoever waits what came of it; gives back what is to be looked for once more.
    fn has_come(&self, mut taking: Box<Taking>, came: Came) -> Option<Box<Taking>> {
        match came {
            Came::Taken(taken) => {
                if !taken.fresh {
                    self.let_go(&taking, false);
                } else if taking.is_spent {
                    self.budget.is_written(taking.bytes());
                }
                let (entry, fresh) = (taken.entry, taken.fresh);
                if taking.reply.send(Ok(*taken)).is_err() && fresh {
                    self.note(Note::Release(entry), Bucket::of_entry(entry), None);
                }
                None
            }
            Came::Short => {
                self.let_go(&taking, false);
                taking.mine = None;
                self.crowd.join(taking);
                None
            }
            Came::Closed => {
                taking.stage = Stage::Replace;
                Some(taking)
            }
            Came::Neither => Some(taking),
        }
    }

    /// A callback is not taken in; or nobody knows whether it was.
    fn let_go(&self, taking: &Taking, is_unsure: bool) {
        if taking.is_spent {
            self.budget.give_back(taking.bytes());
        }
        let Some(entry) = taking.entry() else { return };
        if is_unsure {
            self.note(Note::Release(entry), Bucket::of_entry(entry), None);
        } else {
            self.holds.forget(entry);
        }
    }
}

/// One that waits, with a number made for it, and its entry held; `None` if it was refused since this process is not among the
/// living.
fn numbered(mut wait: Wait, writer: &Writer) -> Option<Wait> {
    if wait.mine().is_some() {
        return Some(wait);
    }
    let Some(by) = writer.incarnation.current() else {
        wait.refuse(JournalError::Unavailable);
        return None;
    };
    let id = writer.numbers.next(writer.incarnation.now(), wait.bucket(), by.slot);
    if let Wait::TakeIn(_) = &wait {
        writer.holds.take(EntryId(id), by.id);
    }
    *wait.mine() = Some(Mine { id, by });
    Some(wait)
}

async fn attempt(batch: &Batch, writer: &Writer, connection: &mut Option<Connection>) -> Result<Done, Error> {
    let connected = match connection.take().filter(|connection| !connection.is_closed()) {
        Some(connected) => connected,
        // Whatever is in the way of a connection, it says nothing of what is to be written.
        None => writer.database.connect().await.map_err(|error| {
            tracing::debug!(%error, "the journal's database cannot be reached");
            Error::Away
        })?,
    };
    let connected = connection.insert(connected);
    let began = Instant::now();
    let done = batch.write(connected, &writer.incarnation, &writer.replica()).await;
    writer.meters.round_trip(batch.what(), began.elapsed(), batch.len());
    done
}

fn patience(writer: &Writer) -> Duration {
    writer.database.settings.timeout * PATIENCE
}

/// The first try again is at once; the pauses of several processes differ.
fn pause(failed: u32) -> Duration {
    let Some(doublings) = failed.checked_sub(2) else { return Duration::ZERO };
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE);
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}
