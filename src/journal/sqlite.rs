//! The journal in one file of this machine: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes and commits in batches, so that many callbacks share one fsync; reads have connections of their own
//! on tokio's blocking threads. While a process has the file, an exclusive lock beside it keeps another gate away;
//! the commands and the `sqlite3` tool read all the same.

mod schema;

mod lock;

mod leases;

mod held;

mod inbox;

mod op;

mod columns;

mod content;

mod budget;

mod write;

mod writer;

mod due;

mod read;

mod readers;

mod rank;

mod sweeps;

mod pending_orders;

mod owners;

mod minutes;

mod times;

mod kinds;

mod figures;

mod view;

mod audit;

mod recovery;

mod redeliver;

mod check;

mod sound;

pub use check::{Health, check};
pub use times::made_at;

use super::{
    Acceptance, BoxFuture, Callback, DeliveryId, EntryId, Figures, Forgotten, Job, Journal, JournalError, JournalEvent,
    Keep, Looks, Record, Refused, Room, Search, Shut, Taken, Trust,
};
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::observe::metrics::JournalMeters;
use leases::{Lease, Leases};
use lock::Lock;
use op::{Op, Stamped, Write};
use readers::Readers;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;
use writer::Writer;

/// Callbacks that may wait for the writer; more are turned away.
const MOST_WAITING: usize = 8192;

/// Pages that a connection keeps in memory, in KiB; negative, which tells SQLite so.
const CACHE_KIB: i32 = -8192;

/// How long the end waits for the writer.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// How long a write waits for another process that writes, such as `tollgate redeliver`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file, opened.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    /// There until this is dropped.
    ops: Option<Sender<Stamped>>,
    /// Says when the writer has ended.
    end: Mutex<Receiver<()>>,
    waiting: Arc<AtomicUsize>,
    leases: Arc<Leases>,
    readers: Arc<Readers>,
    healthy: Arc<AtomicBool>,
    /// Held while the clock is set, so that nobody sees times of one clock at a time of the other.
    setting: Arc<RwLock<()>>,
    /// Counts the looks at what is due.
    turn: AtomicUsize,
    _lock: Option<Lock>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by {}: stop that gate first, or give this one a journal.path of its own", path.display(), by(*process))]
    InUse {
        /// The file.
        path: PathBuf,
        /// Whose, if it said so.
        process: Option<u32>,
    },
    /// From a newer program.
    #[error(
        "{} has layout version {version}, and this program knows {known}: run the newer tollgate that wrote it, or name \
         another file in journal.path", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
        /// The latest that this program knows.
        known: usize,
    },
    /// Its layout has to be led here first, which only the gate does.
    #[error(
        "{} has the older layout version {version}; start the gate once, which leads it to version {known}", path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: usize,
        /// The one that is needed.
        known: usize,
    },
    /// Something else than a journal.
    #[error(
        "{} is no journal of tollgate, or its first page is damaged: name another file in journal.path, or restore this one \
         from a backup", .0.display()
    )]
    Foreign(PathBuf),
    /// It was one, and is not whole any more.
    #[error(
        "{} is damaged: {what}. Nothing was changed in it. Keep a copy of it and of its -wal; then restore a backup, or save \
         what can be read with `sqlite3 {} .recover` (docs/operating.md, \"A damaged journal\"); `tollgate journal check` says \
         all that is wrong", path.display(), path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is none yet.
    #[error("there is no journal at {}: it is made when the gate runs with this configuration", .0.display())]
    Absent(PathBuf),
    /// The system says no.
    #[error("cannot open {}: its directory must be there, and writable for this user", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("the journal cannot be opened; `tollgate journal check` says more")]
    Sqlite(#[from] rusqlite::Error),
}

impl OpenError {
    /// The same, and the file's name where SQLite says that it is no database at all.
    fn of_a_file(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                Self::Foreign(path.to_owned())
            }
            Self::Sqlite(error) => match sound::of_the_file(&error) {
                Some(what) => Self::Damaged { path: path.to_owned(), what },
                None => Self::Sqlite(error),
            },
            other => other,
        }
    }
}

/// What is wrong with a file, as somebody sees it who looks for it.
type Damage = fn(&mut Connection) -> rusqlite::Result<Option<String>>;

fn by(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}

impl Sqlite {
    /// Opens the file for the gate: makes it if there is none, leads an older one here, and keeps other gates away.
    /// `room` is the budget for what was never confirmed.
    ///
    /// # Errors
    /// If it is in use, not ours, newer, damaged or not to be had.
    pub fn open(path: &Path, room: impl Into<Room>) -> Result<Self, OpenError> {
        Self::open_measured(path, room, JournalMeters::default())
    }

    /// The same, counting what is written in `meters`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_measured(path: &Path, room: impl Into<Room>, meters: JournalMeters) -> Result<Self, OpenError> {
        Self::locked(path, room.into(), meters, (Lock::take(path)?, sound::damage))
    }

    /// The same, but waits until the gate that has the file gives it back, however long that takes. Blocks.
    ///
    /// # Errors
    /// If it is not ours, newer, damaged or not to be had.
    pub fn open_when_free(path: &Path, room: Room, meters: JournalMeters) -> Result<Self, OpenError> {
        // Connections wait, and another gate has just worked with the file.
        Self::locked(path, room, meters, (Lock::take_when_free(path)?, |_| Ok(None)))
    }

    fn locked(
        path: &Path,
        room: Room,
        meters: JournalMeters,
        (lock, damage): (Lock, Damage),
    ) -> Result<Self, OpenError> {
        sound::before_opening(path)?;
        make(path)?;
        let connection = Self::prepared(path, damage).map_err(|error| error.of_a_file(path))?;
        Ok(Self::start(path, connection, room, Some(lock), meters)?)
    }

    /// A connection to a file that is whole and of this version, as far as can be told in a moment.
    fn prepared(path: &Path, damage: Damage) -> Result<Connection, OpenError> {
        let mut connection = connect(path, true)?;
        schema::migrate(&mut connection, path)?;
        if let Some(what) = damage(&mut connection)? {
            return Err(OpenError::Damaged { path: path.to_owned(), what });
        }
        times::begin(&mut connection)?;
        Ok(connection)
    }

    /// Opens the file beside a gate that may be running: to read, and to ask for redelivery.
    ///
    /// # Errors
    /// If there is none, or it has not this program's layout.
    pub fn beside(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Absent(path.to_owned()));
        }
        let is_in_use = Self::is_in_use(path);
        if !is_in_use {
            sound::before_opening(path)?;
        }
        let connection = connect(path, false)?;
        match schema::version(&connection, path)? {
            None => return Err(OpenError::Absent(path.to_owned())),
            Some(schema::VERSION) => {}
            Some(version) => return Err(OpenError::Older { path: path.to_owned(), version, known: schema::VERSION }),
        }
        if is_in_use {
            times::join(&connection)?;
        }
        Ok(Self::start(path, connection, u64::MAX.into(), None, JournalMeters::default())?)
    }

    /// Whether a gate has the file at `path`.
    #[must_use]
    pub fn is_in_use(path: &Path) -> bool {
        Lock::is_taken(path)
    }

    fn start(
        path: &Path,
        connection: Connection,
        room: Room,
        lock: Option<Lock>,
        meters: JournalMeters,
    ) -> rusqlite::Result<Self> {
        let (ops, queue) = std::sync::mpsc::channel();
        let leases = Arc::new(Leases::default());
        let waiting = Arc::new(AtomicUsize::new(0));
        let healthy = Arc::new(AtomicBool::new(true));
        let owner = lock.is_some();
        let (setting, health) = (Arc::default(), (Arc::clone(&healthy), meters));
        let shared = (Arc::clone(&leases), Arc::clone(&setting));
        let writer = Writer::new(path, connection, owner, room, shared, health)?;
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            writer.run(&queue);
            // Nobody may wait for it.
            let _ = ended.send(());
        });
        let readers = Arc::new(Readers::new(path));
        let ops = Some(ops);
        let turn = AtomicUsize::new(0);
        let end = Mutex::new(end);
        Ok(Self { path: path.to_owned(), ops, end, waiting, leases, readers, healthy, setting, turn, _lock: lock })
    }

    fn send(&self, op: Op, at: i64) {
        if let Some(ops) = &self.ops {
            // The writer ends only when this is dropped.
            let _ = ops.send(Stamped { op, at });
        }
    }

    fn ask<T: Send + 'static>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Op,
    ) -> BoxFuture<'_, T> {
        let (reply, answer) = oneshot::channel();
        self.send(op(reply), clock::now().as_millisecond());
        Box::pin(async move { answer.await.unwrap_or(Err(JournalError::Unavailable)) })
    }

    /// Writes something in one transaction with whatever else is written at the moment, and gives back its number. It may
    /// be done again before it is durable.
    fn write(&self, write: impl Fn(&Connection, i64) -> rusqlite::Result<i64> + Send + 'static) -> BoxFuture<'_, i64> {
        self.ask(|reply| Op::Write { write: Write(Box::new(write)), reply })
    }

    fn write_only(
        &self,
        write: impl Fn(&Connection, i64) -> rusqlite::Result<()> + Send + 'static,
    ) -> BoxFuture<'_, ()> {
        let written = self.write(move |connection, at| write(connection, at).map(|()| 0));
        Box::pin(async move { written.await.map(drop) })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, T> {
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || readers.with(read));
        Box::pin(async move {
            let read = reading.await.map_err(|_| JournalError::Unreadable("the reader ended".to_owned()))?;
            read.map_err(|error| JournalError::Unreadable(error.to_string()))
        })
    }
}

impl Drop for Sqlite {
    /// Waits until everything that was asked for is written; not for a disk that hangs.
    fn drop(&mut self) {
        self.ops = None;
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It has nothing to give back, and its panic was logged.
        let _ = end.recv_timeout(WRITTEN_OUT);
    }
}

/// A connection with everything set as the journal needs it, to a file that is there; the `gate`'s own also sets the
/// file's mode of journaling.
fn connect(path: &Path, gate: bool) -> Result<Connection, OpenError> {
    let cannot = |source| OpenError::Io { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| cannot(std::io::Error::other(error)))?;
    if connection.is_readonly("main")? {
        return Err(cannot(ErrorKind::PermissionDenied.into()));
    }
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if gate {
        // Somebody else's file is left as it is.
        schema::version(&connection, path)?;
        // Before the file has a journal mode, which writes its first page.
        let empty: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if empty == 0 {
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is removed is overwritten: it may be personal data.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the file if there is none. One that is there is not even opened: closing a second handle would drop SQLite's
/// locks on it, and whoever looks into it then takes it for abandoned and removes its log.
fn make(path: &Path) -> Result<(), OpenError> {
    // SQLite gives its other files the mode of this one: callbacks hold personal data.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(OpenError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// A place among the callbacks that wait for the writer. One that nobody waits for any longer keeps it, as it does its
/// memory.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(waiting));
        (waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Journal for Sqlite {
    fn take_in(&self, callback: Box<Callback>, worth: Trust, due_in: Duration) -> BoxFuture<'_, Taken> {
        let Some(place) = Place::take(&self.waiting) else { return Box::pin(async { Err(JournalError::Busy) }) };
        let taking = self.ask(|reply| Op::TakeIn { callback, worth, due_in, place, reply });
        Box::pin(async move {
            let (taken, lease) = taking.await?;
            lease.into_iter().for_each(Lease::keep);
            Ok(taken)
        })
    }

    fn append(&self, event: JournalEvent) {
        let at = clock::now().as_millisecond();
        let seq = self.leases.appended(&event, at);
        self.send(Op::Append { event, seq }, at);
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        self.ask(Op::Flush)
    }

    fn probe(&self) -> BoxFuture<'_, ()> {
        self.write_only(write::probe)
    }

    fn release(&self, entry: EntryId) {
        self.leases.release(entry);
    }

    fn postpone(&self, entry: EntryId, again_in: Duration) {
        self.leases.rest(entry, clock::now().as_millisecond().saturating_add(leases::millis(again_in)));
    }

    fn lease_due(&self, limit: usize, shut: Shut) -> BoxFuture<'_, Vec<Job>> {
        let look = due::Look {
            leases: Arc::clone(&self.leases),
            healthy: self.healthy.load(Ordering::Relaxed),
            turn: self.turn.fetch_add(1, Ordering::Relaxed),
            limit,
            shut,
        };
        let setting = Arc::clone(&self.setting);
        self.read(move |connection| {
            let _not_now = setting.read().unwrap_or_else(PoisonError::into_inner);
            due::lease_due(connection, &look)
        })
    }

    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, _| rank::lift(connection, &channel, &looks))
    }

    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>> {
        self.read(move |connection| read::confirmed(connection, limit))
    }

    fn acceptance(&self, delivery: DeliveryId) -> BoxFuture<'_, Option<Acceptance>> {
        self.read(move |connection| read::delivered(connection, &delivery.to_string()).map(|(_, accepted)| accepted))
    }

    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>> {
        self.read(move |connection| read::find(connection, &search, limit))
    }

    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>> {
        self.read(move |connection| read::refused(connection, &search, limit))
    }

    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten> {
        self.ask(|reply| Op::Forget { keep, limit, reply })
    }

    fn figures(&self) -> BoxFuture<'_, Figures> {
        let path = self.path.clone();
        self.read(move |connection| figures::figures(connection, &path))
    }
}

#[cfg(test)]
mod tests;
