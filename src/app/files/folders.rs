//! What the system tells of the folders in which files are watched.

use super::way::Spot;
use parking_lot::Mutex;
use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::coop::consume_budget;

/// What can put another content behind a name: it is put there or taken away, it may be read now, or whoever wrote into
/// it is done. Not the writing itself: a journal in the same folder is written all the time, and each write would wake
/// the gate.
const HEARD: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Bytes that are read at once of what is told: a dozen of the longest names.
const TOLD: usize = 4096;

/// The names that are listened for, by the system's number of their folder.
type Names = HashMap<i32, BTreeSet<OsString>>;

/// Folders that the system tells of.
#[derive(Debug)]
pub(super) struct Folders {
    told: AsyncFd<OwnedFd>,
    names: Mutex<Names>,
}

impl Folders {
    /// None yet. Must be made inside a tokio runtime.
    ///
    /// # Errors
    /// If this user may have no more of them.
    pub(super) fn new() -> io::Result<Self> {
        let told = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(deprecated, reason = "what replaces it is unsafe; an `OwnedFd` stays open as long as it is owned")]
        let told = AsyncFd::with_interest(told, Interest::READABLE)?;
        Ok(Self { told, names: Mutex::default() })
    }

    /// Listens for these from now on, and for nothing else any more. What cannot be listened for is left out.
    pub(super) fn listen_for(&self, spots: BTreeSet<Spot>) {
        let mut folders = BTreeMap::<_, BTreeSet<_>>::new();
        for Spot { folder, name } in spots {
            folders.entry(folder).or_default().insert(name);
        }
        let mut names = self.names.lock();
        let mut now = Names::new();
        for (folder, wanted) in folders {
            match add_watch(&self.told, &folder, HEARD) {
                // Two paths may lead to one folder.
                Ok(number) => now.entry(number).or_default().extend(wanted),
                Err(error) => tracing::debug!(%error, folder = %folder.display(), "not watched"),
            }
        }
        for gone in names.keys().filter(|number| !now.contains_key(number)) {
            // It fails for a folder that was removed, which the system has let go of already.
            let _ = remove_watch(&self.told, *gone);
        }
        *names = now;
    }

    /// Waits until there may be something else behind a name that is listened for.
    pub(super) async fn heard(&self) {
        loop {
            let Ok(mut ready) = self.told.readable().await else { return std::future::pending().await };
            match self.read() {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => ready.clear_ready(),
            }
            consume_budget().await;
        }
    }

    /// Whether something of what was told matters, of up to [`TOLD`] bytes.
    ///
    /// # Errors
    /// If nothing was told.
    pub(super) fn read(&self) -> Result<bool, Errno> {
        let mut buffer = [MaybeUninit::uninit(); TOLD];
        let mut reader = Reader::new(&self.told, &mut buffer);
        let names = self.names.lock();
        let mut matters = false;
        loop {
            let event = reader.next()?;
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            matters |= match (names.get(&event.wd()), name) {
                (Some(wanted), Some(name)) => wanted.contains(name),
                // The folder itself was moved or removed.
                (Some(_), None) => true,
                // A folder that is not watched any more, or more happened than the system remembers.
                (None, _) => event.events().contains(ReadFlags::QUEUE_OVERFLOW),
            };
            if reader.is_buffer_empty() {
                return Ok(matters);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::way::spots;
    use super::*;
    use rusqlite::Connection;
    use std::fs;
    use std::path::Path;

    /// Folders in which `config.yaml` is listened for.
    fn listening(folder: &Path) -> Folders {
        let folders = Folders::new().unwrap();
        folders.listen_for(spots(&[folder.join("config.yaml")]));
        folders
    }

    #[tokio::test]
    async fn a_journal_that_writes_beside_the_file_is_not_heard() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Connection::open(folder.path().join("tollgate.db")).unwrap();
        journal.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE entry (id INTEGER PRIMARY KEY, body)").unwrap();
        let folders = listening(folder.path());
        for _ in 0..100 {
            journal.execute("INSERT INTO entry (body) VALUES (randomblob(5000))", []).unwrap();
        }
        journal.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
        journal.execute("DELETE FROM entry", []).unwrap();
        assert_eq!(folders.read(), Err(Errno::AGAIN));
    }

    #[tokio::test]
    async fn only_what_happens_to_the_file_itself_matters() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let folders = listening(folder.path());
        fs::write(at("gate.log"), "line").unwrap();
        fs::rename(at("gate.log"), at("gate.log.1")).unwrap();
        fs::remove_file(at("gate.log.1")).unwrap();
        assert_eq!(folders.read(), Ok(false));
        fs::write(at("config.yaml"), "one").unwrap();
        assert_eq!(folders.read(), Ok(true));
        fs::write(at("new"), "two").unwrap();
        fs::rename(at("new"), at("config.yaml")).unwrap();
        assert_eq!(folders.read(), Ok(true));
        fs::remove_file(at("config.yaml")).unwrap();
        assert_eq!(folders.read(), Ok(true));
        assert_eq!(folders.read(), Err(Errno::AGAIN));
    }

    #[tokio::test]
    async fn a_folder_that_takes_the_place_of_another_is_watched_anew() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("etc")).unwrap();
        let folders = listening(&at("etc"));
        fs::rename(at("etc"), at("old")).unwrap();
        assert_eq!(folders.read(), Ok(true));
        folders.listen_for(spots(&[at("etc/config.yaml")]));
        fs::create_dir(at("etc")).unwrap();
        assert_eq!(folders.read(), Ok(true), "the folder was missing");
        folders.listen_for(spots(&[at("etc/config.yaml")]));
        fs::write(at("old/config.yaml"), "old").unwrap();
        assert_ne!(folders.read(), Ok(true), "the old folder is none any more");
        fs::write(at("etc/config.yaml"), "new").unwrap();
        assert_eq!(folders.read(), Ok(true));
    }
}
