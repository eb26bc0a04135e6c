//! One gate for one journal: two that follow up the same orders would send everything twice.

use super::OpenError;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

/// The lock; it is given back when this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the journal at `path`: a file beside it, since closing a second handle of the journal's own
    /// file would drop SQLite's locks on it.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process has it.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let (mut file, beside) = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self::taken(file, &beside, path)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // It says who holds the lock, if anything.
                let _ = file.read_to_string(&mut holder);
                Err(OpenError::InUse { path: path.to_owned(), process: holder.trim().parse().ok() })
            }
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path: beside, source }),
        }
    }

    /// Takes the lock as [`take`](Self::take) does, but waits for it, however long another process has it.
    pub(super) fn take_when_free(path: &Path) -> Result<Self, OpenError> {
        let (file, beside) = open(path)?;
        match file.lock() {
            Ok(()) => Ok(Self::taken(file, &beside, path)),
            Err(source) => Err(OpenError::Io { path: beside, source }),
        }
    }

    fn taken(mut file: File, beside: &Path, path: &Path) -> Self {
        if let Ok(journal) = path.metadata() {
            // Where root looks after the file, the gate's user must still be able to take the lock.
            let _ = chown(beside, Some(journal.uid()), Some(journal.gid()));
        }
        // Whoever finds the lock taken wants to know by whom; the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Self { _file: file }
    }

    /// Whether some process has the lock of the journal at `path`. It is not taken for that.
    pub(super) fn is_taken(path: &Path) -> bool {
        File::open(beside(path)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn open(path: &Path) -> Result<(File, PathBuf), OpenError> {
    let beside = beside(path);
    let mut options = OpenOptions::new();
    match options.read(true).write(true).create(true).truncate(false).open(&beside) {
        Ok(file) => Ok((file, beside)),
        Err(source) => Err(OpenError::Io { path: beside, source }),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.db");
        let first = Lock::take(&path).unwrap();
        assert!(Lock::is_taken(&path));
        match Lock::take(&path) {
            Err(OpenError::InUse { process, .. }) => assert_eq!(process, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(first);
        assert!(!Lock::is_taken(&path));
        Lock::take(&path).unwrap();
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("j.db");
        let first = Lock::take(&path).unwrap();
        let waits = std::thread::spawn({
            let path = path.clone();
            move || Lock::take_when_free(&path).unwrap()
        });
        drop(first);
        let second = waits.join().unwrap();
        assert!(Lock::is_taken(&path));
        drop(second);
    }
}
