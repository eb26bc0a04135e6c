//! The one thread that writes. It commits what has come meanwhile in one transaction, so that callbacks that come at
//! the same time share an fsync. Whoever waits for a transaction waits for the one under way and its own
//! ([`LONGEST`]); an event alone waits a moment for company ([`inbox`](super::inbox)).
//!
//! A failed fsync says nothing about what is on disk, and a second one on the same pages would lie (threat D-03). So
//! after any failure the connection is given up. Nothing is taken in until a new one has moved everything to the
//! main file, which writes those pages anew, and has committed a probe. Events wait in memory for that.

use super::batch::Batch;
use super::budget::Budget;
use super::forget::give_back;
use super::inbox::Inbox;
use super::leases::Leases;
use super::mailbox::Emptier;
use super::op::{Done, Op, Stamped, refuse};
use super::perform::perform;
use super::{BUSY_TIMEOUT, connect, write};
use crate::domain::clock;
use crate::journal::{Forgotten, JournalEvent, Room};
use crate::observe::metrics::JournalMeters;
use jiff::SignedDuration;
use parking_lot::RwLock;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode, Row, TransactionBehavior};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// Most operations in one transaction.
const BATCH: usize = 256;

/// How long a transaction is added to: what is not an event and comes later waits for the next one, before which the
/// events that were appended meanwhile are written.
const LONGEST: Duration = Duration::from_millis(10);

/// How often a failed disk is tried.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// Events of single attempts that are held while the disk fails; where an entry goes on is held in any case.
const BACKLOG: usize = 10_000;

/// Between two attempts to write while another process has the file to itself.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The log is moved into the main file when so many pages of 4 KiB were added to it: some 250 callbacks. Everybody
/// waits meanwhile, so more of them at once would make events late: 4000 pages took 160 to 750 ms on a busy disk, 1000
/// took 80.
const CHECKPOINT_PAGES: i32 = 1000;

/// How long those who wait for an answer are held up by a process that reads the log, when it is to be cut.
const CUT_TIMEOUT: Duration = Duration::from_millis(200);

/// The writing end of the file.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    /// `None` while the disk fails.
    connection: Option<Connection>,
    /// Whether the file is this process's. Beside another it leaves the log alone.
    owner: bool,
    leases: Arc<Leases>,
    setting: Arc<RwLock<()>>,
    /// When the clock was set the last time, until when it was read before, and by how much it was set.
    was_set: Option<(Instant, i64, i64)>,
    healthy: Arc<AtomicBool>,
    meters: JournalMeters,
    budget: Budget,
    /// What is to be done.
    inbox: Inbox,
    /// Events to be written when the disk works again.
    backlog: VecDeque<Stamped>,
    last_probe: Instant,
    /// Pages in the log.
    pages: Arc<AtomicI32>,
    /// At how many it is moved.
    checkpoint_at: i32,
    /// Whether the log may still have what was removed.
    uncut: bool,
}

impl Writer {
    pub(super) fn new(
        path: &Path,
        mut connection: Connection,
        owner: bool,
        room: Room,
        (leases, setting): (Arc<Leases>, Arc<RwLock<()>>),
        (healthy, meters): (Arc<AtomicBool>, JournalMeters),
    ) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        count_pages(&mut connection, &pages)?;
        Ok(Self {
            path: path.to_owned(),
            owner,
            leases,
            setting,
            was_set: None,
            healthy,
            meters,
            budget: Budget::count(&connection, room)?,
            connection: Some(connection),
            inbox: Inbox::default(),
            backlog: VecDeque::new(),
            last_probe: Instant::now(),
            pages,
            checkpoint_at: CHECKPOINT_PAGES,
            // Another process may have been about to.
            uncut: true,
        })
    }

    /// Works until no caller is left that can ask; then everything is in the main file.
    pub(super) fn run(mut self, mailbox: &Emptier) {
        // A process that was killed may have written what it never synced, and this one takes it for known.
        if let Some(connection) = self.connection.as_ref().filter(|_| self.owner)
            && let Err(error) = checkpoint(connection, "PASSIVE")
        {
            self.give_up(&error);
        }
        while self.inbox.fill(mailbox, BATCH, PROBE_EVERY) {
            self.recover();
            let batch = self.inbox.batch(BATCH);
            if !batch.is_empty() {
                self.write(batch);
            }
        }
        self.recover();
        if let Some(connection) = self.connection.as_ref().filter(|_| self.owner) {
            // Where it does not succeed the next start does it.
            let _ = checkpoint(connection, "TRUNCATE");
        }
    }

    /// Commits a batch, or says that it cannot be.
    fn write(&mut self, mut batch: Vec<Stamped>) {
        if self.connection.is_none() {
            return self.fail(batch);
        }
        let sets_clock = batch.iter().any(|stamped| matches!(stamped.op, Op::SetClock { .. }));
        if sets_clock && batch.len() > 1 {
            // What comes after it is of the time after it.
            return batch.into_iter().for_each(|stamped| self.write(vec![stamped]));
        }
        let setting = Arc::clone(&self.setting);
        let _alone = sets_clock.then(|| setting.write());
        let mut outcome = self.commit(&batch);
        while let Err(error) = &outcome
            && is_busy(error)
        {
            tracing::warn!(%error, "another process has the journal to itself; waiting for it");
            std::thread::sleep(BUSY_PAUSE);
            outcome = self.commit(&batch);
        }
        match outcome {
            Ok(mut done) => {
                if done.pop_if(|last| matches!(last, Done::NotYet)).is_some() {
                    self.inbox.hold_nothing();
                }
                self.inbox.put_back(batch.drain(done.len().min(batch.len())..));
                for (stamped, done) in batch.into_iter().zip(done) {
                    self.tell(stamped.op, done);
                }
                self.checkpoint_if_large();
            }
            Err(error) if batch.len() > 1 && !is_of_the_disk(&error) => {
                // One of them is at fault, and must not take the others along.
                for stamped in batch {
                    self.write(vec![stamped]);
                }
            }
            Err(error) if is_of_the_disk(&error) => {
                self.give_up(&error);
                self.fail(batch);
            }
            Err(error) => {
                tracing::error!(%error, "a record could not be written; please report it");
                for stamped in batch {
                    if let Op::Append { event, seq, .. } = &stamped.op {
                        self.leases.written(event, *seq);
                    }
                    refuse(stamped.op);
                }
            }
        }
    }

    /// Commits a batch, or its beginning if all of it takes too long. What has come of each operation that was
    /// committed.
    fn commit(&mut self, batch: &[Stamped]) -> rusqlite::Result<Vec<Done>> {
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        let before = self.budget;
        let was_set = self.was_set;
        let (leases, budget, holds_any) = (&self.leases, &mut self.budget, self.inbox.holds_any());
        let mut write = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut done = Vec::with_capacity(batch.len());
            let changes = Batch::of(&transaction);
            let mut since = None;
            for stamped in batch {
                // Events are written whatever that takes, and one more at least, so that it goes on.
                let is_event = matches!(stamped.op, Op::Append { .. });
                if !is_event && since.get_or_insert_with(Instant::now).elapsed() >= LONGEST {
                    break;
                }
                done.push(perform(&changes, stamped, was_set, leases, budget, holds_any)?);
                if matches!(done.last(), Some(Done::NotYet)) {
                    break;
                }
            }
            changes.settle()?;
            transaction.commit()?;
            Ok(done)
        };
        let outcome = self.meters.commit(|| {
            let outcome = write();
            (outcome.as_ref().map_or(batch.len(), Vec::len), outcome)
        });
        if outcome.is_err() {
            self.budget = before;
        }
        outcome
    }

    /// Tells whoever waits what has come of an operation, now that it is durable.
    fn tell(&mut self, op: Op, done: Done) {
        match (op, done) {
            // Where the caller waits no longer, what was held is given back with the answer.
            (Op::TakeIn { reply, place, .. }, Done::Taken(taken)) => {
                drop(place);
                drop(reply.send(taken));
            }
            (Op::Append { event, seq, .. }, _) => self.leases.written(&event, seq),
            // For the rest it does not matter whether the caller still waits.
            (Op::Flush(reply), _) => drop(reply.send(Ok(()))),
            (Op::Act { reply, .. }, Done::Entries(entries)) => drop(reply.send(Ok(entries))),
            (Op::SetClock { by, reply }, Done::Number(old)) => {
                self.set_clock(old, by);
                drop(reply.send(Ok(())));
            }
            (Op::Redeliver { reply, .. }, Done::Redelivered(done)) => drop(reply.send(Ok(done))),
            (Op::Write { reply, .. }, Done::Number(number)) => drop(reply.send(Ok(number))),
            (Op::Forget { reply, .. }, Done::Forgotten(mut forgotten)) => {
                forgotten.pages = self.shrink(&forgotten);
                self.cut_the_log(&forgotten);
                drop(reply.send(Ok(forgotten)));
            }
            (op, _) => refuse(op),
        }
    }

    /// What is on disk is of the clock that was set; from now on, everything is.
    fn set_clock(&mut self, old: i64, by: SignedDuration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(0);
        clock::settle(by);
        self.leases.clock_was_set(millis);
        self.was_set = Some((Instant::now(), old, millis));
    }

    /// Gives some of what is free back to the file system, once there is nothing to remove. Returns how many pages.
    fn shrink(&self, forgotten: &Forgotten) -> usize {
        let Some(connection) = self.connection.as_ref().filter(|_| forgotten.is_nothing()) else { return 0 };
        give_back(connection).unwrap_or_else(|error| {
            tracing::debug!(%error, "the journal's file was not made smaller");
            0
        })
    }

    /// Ends the log after a cleaning, since what was removed stands in it until it is written over. Where another
    /// process reads it the next cleaning tries again.
    fn cut_the_log(&mut self, forgotten: &Forgotten) {
        if !forgotten.is_nothing() {
            self.uncut = true;
            return;
        }
        let Some(connection) = self.connection.as_ref().filter(|_| self.owner && self.uncut) else { return };
        let cut = connection
            .busy_timeout(CUT_TIMEOUT)
            .and_then(|()| checkpoint(connection, "TRUNCATE"))
            .and_then(|cut| connection.busy_timeout(BUSY_TIMEOUT).map(|()| cut));
        match cut {
            Ok(cut) => self.uncut = !cut,
            Err(error) if is_busy(&error) => {}
            Err(error) => self.give_up(&error),
        }
    }

    /// Keeps the events of a batch for later, and refuses the rest.
    fn fail(&mut self, batch: Vec<Stamped>) {
        for mut stamped in batch {
            if let Op::Append { began, .. } = &mut stamped.op
                && self.backlog.len() >= BACKLOG
            {
                *began = None;
            }
            match stamped.op {
                // A line for the record's sake is not worth memory that grows for as long as the disk fails.
                Op::Append { event: JournalEvent::Refused(_) | JournalEvent::Again { .. }, .. } => {}
                Op::Append {
                    event:
                        JournalEvent::AttemptStarted { .. }
                        | JournalEvent::AttemptEnded { next: None, .. }
                        | JournalEvent::Renewed { .. },
                    ..
                } if self.backlog.len() >= BACKLOG => {}
                Op::Append { .. } => self.backlog.push_back(stamped),
                op => refuse(op),
            }
        }
    }

    fn give_up(&mut self, error: &rusqlite::Error) {
        tracing::error!(
            %error,
            path = %self.path.display(),
            "the journal cannot be written: new callbacks are answered 503 until it can; what is known is still delivered"
        );
        self.healthy.store(false, Ordering::Relaxed);
        self.meters.set_writable(false);
        self.last_probe = Instant::now();
        self.connection = None;
    }

    /// Probes a failed disk again, if it is time.
    fn recover(&mut self) {
        if self.connection.is_some() || self.last_probe.elapsed() < PROBE_EVERY {
            return;
        }
        self.last_probe = Instant::now();
        match self.reopen() {
            Ok(connection) => {
                self.connection = Some(connection);
                self.healthy.store(true, Ordering::Relaxed);
                self.meters.set_writable(true);
                tracing::warn!(events = self.backlog.len(), "the journal can be written again");
                // If it fails again meanwhile, what is left joins the backlog anew, in the same order.
                let mut events = std::mem::take(&mut self.backlog).into_iter().peekable();
                while events.peek().is_some() {
                    let batch = events.by_ref().take(BATCH).collect();
                    self.write(batch);
                }
            }
            Err(error) => tracing::debug!(%error, "the journal still cannot be written"),
        }
    }

    /// A new connection, after everything in the log was written into the main file and a probe was committed.
    fn reopen(&mut self) -> anyhow::Result<Connection> {
        let mut connection = connect(&self.path, true)?;
        count_pages(&mut connection, &self.pages)?;
        // Those who wait for an answer are not kept waiting for a process that reads the log.
        connection.busy_timeout(CUT_TIMEOUT)?;
        anyhow::ensure!(checkpoint(&connection, "TRUNCATE")?, "somebody reads the log");
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write::probe(&transaction, clock::now().as_millisecond())?;
        transaction.commit()?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        self.budget.recount(&connection)?;
        Ok(connection)
    }

    fn checkpoint_if_large(&mut self) {
        let pages = self.pages.load(Ordering::Relaxed);
        let due = self.owner && pages >= self.checkpoint_at;
        let Some(connection) = self.connection.as_ref().filter(|_| due) else { return };
        match checkpoint(connection, "PASSIVE") {
            // The next commit begins the log anew.
            Ok(true) => self.checkpoint_at = CHECKPOINT_PAGES,
            // Another process reads what it holds.
            Ok(false) => self.checkpoint_at = pages.saturating_add(CHECKPOINT_PAGES),
            Err(error) if is_busy(&error) => self.checkpoint_at = pages.saturating_add(CHECKPOINT_PAGES),
            Err(error) => self.give_up(&error),
        }
    }
}

/// Counts the pages in the log after each commit, in place of SQLite's own checkpoint, whose failure would go
/// unnoticed.
fn count_pages(connection: &mut Connection, pages: &Arc<AtomicI32>) -> rusqlite::Result<()> {
    let pages = Arc::clone(pages);
    connection.wal_hook(Some(move |_: &mut Wal, count| {
        pages.store(count, Ordering::Relaxed);
        Ok(())
    }))
}

/// Moves the log into the main file; `PASSIVE` as far as readers let it. Returns whether all of it was moved.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    let moved = |row: &Row<'_>| Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?);
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], moved)
}

/// Whether another process is in the way, which says nothing about the disk.
fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a failure says something about the disk or the file, and not about what was to be written.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use ErrorCode as E;
    let of_the_disk = matches!(
        error.sqlite_error_code(),
        Some(E::SystemIoFailure | E::DiskFull | E::CannotOpen | E::ReadOnly | E::PermissionDenied)
    );
    let of_the_file =
        matches!(error.sqlite_error_code(), Some(E::DatabaseCorrupt | E::NotADatabase | E::FileLockingProtocolFailed));
    of_the_disk || of_the_file
}

#[cfg(test)]
mod tests;
