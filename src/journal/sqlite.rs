//! The journal in one file of this machine: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes and commits in batches, so that many callbacks share one fsync; reads have connections of their
//! own on tokio's blocking threads. While a process has the file, an exclusive lock beside it keeps another gate away;
//! the commands and the `sqlite3` tool read all the same.

mod schema;

mod lock;

mod leases;

mod held;

mod mailbox;

mod begun;

mod inbox;

mod batch;

mod op;

mod perform;

mod columns;

mod content;

mod remove;

mod budget;

mod room;

mod events;

mod refused;

mod price;

mod at_once;

mod write;

mod forget;

mod writer;

mod due;

mod read;

mod readers;

mod rank;

mod sweeps;

mod pending_orders;

mod queue;

mod owners;

mod minutes;

mod times;

mod upkeep;

mod kinds;

mod figures;

mod view;

mod archive;

mod audit;

mod act;

mod recovery;

mod redeliver;

mod renew;

mod check;

mod copy;

mod sound;

pub(super) use check::check;
pub(super) use copy::read as read_for_copy;
pub(super) use times::made_at;

use super::{BoxFuture, JournalError, OpenError, Room};
use crate::domain::clock;
use crate::observe::metrics::JournalMeters;
use batch::Batch;
use leases::Leases;
use lock::Lock;
use mailbox::{Emptier, Mailbox};
use op::{Op, Stamped, Write};
use parking_lot::{Mutex, RwLock};
use readers::Readers;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tokio::sync::oneshot;
use writer::Writer;

/// Pages that a connection keeps in memory, in KiB; negative, which tells SQLite so.
const CACHE_KIB: i32 = -8192;

/// How long the end waits for the writer.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// How long a write waits for another process that writes, such as `tollgate redeliver`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file, opened.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    mailbox: Arc<Mailbox>,
    /// Says when the writer has ended.
    end: Mutex<Receiver<()>>,
    waiting: Arc<AtomicUsize>,
    leases: Arc<Leases>,
    readers: Arc<Readers>,
    healthy: Arc<AtomicBool>,
    /// Held while the clock is set, so that no reader sees times of one clock at a time of the other.
    setting: Arc<RwLock<()>>,
    /// Counts the queries for due entries.
    turn: AtomicUsize,
    _lock: Option<Lock>,
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl OpenError {
    /// This error with the file's name, where SQLite says that it is no database at all, or damaged.
    fn of_a_file(self, path: &Path) -> Self {
        let Self::Store(source) = &self else { return self };
        let Some(error) = source.downcast_ref::<rusqlite::Error>() else { return self };
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return Self::Foreign(path.to_owned());
        }
        match sound::of_the_file(error) {
            Some(what) => Self::Damaged { path: path.to_owned(), what },
            None => self,
        }
    }
}

/// Finds out what is wrong with a file.
type Damage = fn(&mut Connection) -> rusqlite::Result<Option<String>>;

impl Sqlite {
    /// Opens the file for the gate: makes it if there is none, leads an older one here, and keeps other gates away.
    /// `room` is the budget for what was never confirmed; what is written is counted in `meters`.
    ///
    /// # Errors
    /// If it is in use, not ours, newer, damaged or not to be had.
    pub(super) fn open(path: &Path, room: Room, meters: JournalMeters) -> Result<Self, OpenError> {
        Self::locked(path, room, meters, (Lock::take(path)?, sound::damage))
    }

    /// Opens the file for the gate as [`open`](Self::open) does, but waits until the gate that has the file gives it
    /// back, however long that takes. Blocks.
    ///
    /// # Errors
    /// If it is not ours, newer, damaged or not to be had.
    pub(super) fn open_when_free(path: &Path, room: Room, meters: JournalMeters) -> Result<Self, OpenError> {
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
    pub(super) fn beside(path: &Path) -> Result<Self, OpenError> {
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
    pub(super) fn is_in_use(path: &Path) -> bool {
        Lock::is_taken(path)
    }

    fn start(
        path: &Path,
        connection: Connection,
        room: Room,
        lock: Option<Lock>,
        meters: JournalMeters,
    ) -> rusqlite::Result<Self> {
        let mailbox = Arc::default();
        let emptier = Emptier::of(&mailbox);
        let leases = Arc::new(Leases::default());
        let waiting = Arc::new(AtomicUsize::new(0));
        let healthy = Arc::new(AtomicBool::new(true));
        let owner = lock.is_some();
        let (setting, health) = (Arc::default(), (Arc::clone(&healthy), meters));
        let shared = (Arc::clone(&leases), Arc::clone(&setting));
        let writer = Writer::new(path, connection, owner, room, shared, health)?;
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            writer.run(&emptier);
            // The receiver may be gone.
            let _ = ended.send(());
        });
        let readers = Arc::new(Readers::new(path));
        let turn = AtomicUsize::new(0);
        let end = Mutex::new(end);
        Ok(Self { path: path.to_owned(), mailbox, end, waiting, leases, readers, healthy, setting, turn, _lock: lock })
    }

    fn send(&self, op: Op, at: i64) {
        self.mailbox.leave(Stamped { op, at });
    }

    fn ask<T: Send + 'static>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Op,
    ) -> BoxFuture<'_, T> {
        let (reply, answer) = oneshot::channel();
        self.send(op(reply), clock::now().as_millisecond());
        Box::pin(async move { answer.await.unwrap_or(Err(JournalError::Unavailable)) })
    }

    /// Writes something in one transaction with whatever else is written at the moment, and gives back its number. It
    /// may be done again before it is durable.
    fn write(&self, write: impl Fn(&Batch<'_>, i64) -> rusqlite::Result<i64> + Send + 'static) -> BoxFuture<'_, i64> {
        self.ask(|reply| Op::Write { write: Write(Box::new(write)), reply })
    }

    fn write_only(
        &self,
        write: impl Fn(&Batch<'_>, i64) -> rusqlite::Result<()> + Send + 'static,
    ) -> BoxFuture<'_, ()> {
        let written = self.write(move |batch, at| write(batch, at).map(|()| 0));
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
        self.mailbox.close();
        let end = self.end.get_mut();
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
        // A file of another program is left as it is.
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

/// Why the file could not be made there. It is not touched itself: a gate may have it.
pub(super) fn unwritable(journal: &Path) -> Option<String> {
    let folder = journal.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".tollgate-check-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    let removed = made.and_then(|_| std::fs::remove_file(&probe));
    removed.err().map(|error| format!("no file can be made in {} ({})", folder.display(), error.kind()))
}

/// Makes the file if there is none. One that is there is not even opened: closing a second handle would drop SQLite's
/// locks on it, and a process that opens it then takes it for abandoned and removes its log.
fn make(path: &Path) -> Result<(), OpenError> {
    // SQLite gives its other files the mode of this one: callbacks hold personal data.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            Err(OpenError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
