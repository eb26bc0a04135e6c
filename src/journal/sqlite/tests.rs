use super::*;
use crate::domain::reason::Reason;
use crate::journal::suite::{self, Store};
use crate::journal::{Journal, JournalEvent, Transition, Trust};
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

mod steps;

mod tallies;

struct File(TempDir);

/// Opens the file at `path` for this process, as a gate does.
pub(super) fn open(path: &Path, room: impl Into<Room>) -> Result<Journal, OpenError> {
    Sqlite::open(path, room.into(), JournalMeters::default()).map(Journal::of_one)
}

impl Store for File {
    fn open_for(&self, room: Room) -> Journal {
        open(&self.0.path().join("j.db"), room).unwrap()
    }
}

#[tokio::test]
async fn it_does_what_every_journal_must() {
    suite::all(&|| Box::new(File(tempfile::tempdir().unwrap()))).await;
}

#[tokio::test]
async fn the_file_gets_smaller_again() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory.path().join("j.db"), u64::MAX).unwrap();
    let taking: Vec<_> = (0..3000)
        .map(|order| journal.queue.take_in(suite::callback(&format!("A{order}")), Trust::Unconfirmed, Duration::MAX))
        .collect();
    for taken in taking {
        let entry = taken.await.unwrap().entry;
        let next = Some(Transition::Close);
        journal.queue.append(JournalEvent::Decided { entry, reason: Reason::Closed, verified: None, next });
    }
    journal.queue.flush().await.unwrap();
    let full = journal.archive.figures().await.unwrap();
    suite::time_passes(Duration::from_millis(1)).await;
    while !journal.queue.forget(Duration::from_millis(1).into(), 500).await.unwrap().is_nothing() {}
    let empty = journal.archive.figures().await.unwrap();
    assert_eq!(empty.entries, [0; 5]);
    assert!(empty.free_bytes * 4 < full.bytes, "{full:?} {empty:?}");
}

#[test]
fn somebody_elses_file_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE customer (name TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(open(&path, 100), Err(OpenError::Foreign(_))));
    assert!(std::fs::read(&path).unwrap() == before);
}

/// Without them the `sqlite3` tool removes the log of a running gate when it leaves (SQLite before 3.51).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_locks_on_the_file_stay_while_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("j.db");
    let journal = open(&path, 100).unwrap();
    journal.archive.figures().await.unwrap();
    let (process, file) = (std::process::id().to_string(), format!(":{}", path.metadata().unwrap().ino()));
    let ours = |lock: &str| {
        let words: Vec<_> = lock.split_whitespace().collect();
        words[1] == "POSIX" && words[4] == process && words[5].ends_with(&file)
    };
    // The list is read in pieces while others lock and unlock, so one reading may miss a line.
    let is_there = || std::fs::read_to_string("/proc/locks").unwrap().lines().any(ours);
    assert!((0..100).any(|_| is_there()));
}
