//! Noticing that the configuration's files have changed: the file itself, and every file that it names.
//!
//! Editors and Kubernetes do not write into a file, they put another in its place, by renaming it or the link before it. So
//! the folders are watched, and what counts is whether the contents differ.

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long nothing more happens before the files are looked at: they may be half written.
const QUIET: Duration = Duration::from_millis(300);

/// Beyond this they are looked at although more is happening.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How often they are looked at when nothing was noticed. Some file systems report no change.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is watched.
#[derive(Debug)]
pub(super) struct Watch {
    folders: BTreeSet<PathBuf>,
    names: Names,
    /// `None` if the system cannot tell; the files are then only looked at now and then.
    watcher: Option<RecommendedWatcher>,
    noticed: mpsc::Receiver<()>,
    /// Never used, so that there is a sender also where the system cannot tell.
    _tell: mpsc::Sender<()>,
    contents: Contents,
}

/// What was in each file; `None` if there was none that can be read.
type Contents = BTreeMap<PathBuf, Option<[u8; 32]>>;

/// What the files are called, on every link of the way to them: others in the same folders may be logs.
type Names = Arc<Mutex<BTreeSet<OsString>>>;

impl Watch {
    /// Watches these files, as they are now.
    pub(super) fn on(files: &[PathBuf]) -> Self {
        let (tell, noticed) = mpsc::channel(1);
        let names = Names::default();
        let (ours, heard) = (Arc::clone(&names), tell.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event, &ours)) {
                // One word waiting is enough, however much has happened.
                let _ = heard.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "changed files are noticed only every {LOOK_EVERY:?}"))
            .ok();
        let (folders, contents) = (BTreeSet::new(), Contents::new());
        let mut watch = Self { folders, names, watcher, noticed, _tell: tell, contents };
        watch.also(files);
        watch
    }

    /// Watches further files, as they are now.
    pub(super) fn also(&mut self, files: &[PathBuf]) {
        for file in files {
            self.contents.entry(file.clone()).or_insert_with(|| content(file).ok().flatten());
        }
        self.find_folders();
    }

    fn find_folders(&mut self) {
        // Where a file really is may change with each link that is swapped.
        let ways: Vec<_> = self.contents.keys().flat_map(|file| way_to(file)).collect();
        let names = ways.iter().filter_map(|at| at.file_name()).map(OsStr::to_owned).collect();
        *self.names.lock() = names;
        let folders: BTreeSet<_> = ways.iter().map(|at| folder_of(at)).collect();
        for folder in folders.difference(&self.folders) {
            if let Some(watcher) = &mut self.watcher
                && let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
            {
                tracing::debug!(%error, folder = %folder.display(), "not watched");
            }
        }
        self.folders = folders;
    }

    /// Waits until the contents are others than the last time.
    pub(super) async fn changed(&mut self) {
        loop {
            let _ = timeout(LOOK_EVERY, self.noticed.recv()).await;
            let _ = timeout(TIMEOUT, self.quiet()).await;
            if self.look().await {
                return;
            }
        }
    }

    /// Reads the files, and says whether their contents are others than the last time.
    pub(super) async fn look(&mut self) -> bool {
        let before = self.contents.clone();
        let looked = tokio::task::spawn_blocking(move || contents(before)).await;
        let Ok(now) = looked else { return false };
        let changed = now != std::mem::replace(&mut self.contents, now.clone());
        self.find_folders();
        changed
    }

    async fn quiet(&mut self) {
        while timeout(QUIET, self.noticed.recv()).await.is_ok_and(|noticed| noticed.is_some()) {}
    }
}

/// Whether a file may have another content now: it was put in place, or whoever wrote into it is done. A journal in the same
/// folder is written all the time and never closed.
fn matters(event: &Event, names: &Names) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
            let names = names.lock();
            event.paths.iter().filter_map(|path| path.file_name()).any(|name| names.contains(name))
        }
        EventKind::Access(_) => false,
        EventKind::Modify(modified) => !matches!(modified, ModifyKind::Data(_)),
        EventKind::Any | EventKind::Create(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

/// A file, every link on the way to it, and where it really is.
fn way_to(file: &Path) -> Vec<PathBuf> {
    let mut way = vec![file.to_owned()];
    let mut at = file.to_owned();
    // As many links as the system follows.
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&at) else { break };
        at = folder_of(&at).join(target);
        way.push(at.clone());
    }
    way.extend(file.canonicalize());
    way
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What is in the files now.
fn contents(mut contents: Contents) -> Contents {
    for (file, known) in &mut contents {
        // What cannot be known at the moment is as it was.
        if let Ok(now) = content(file) {
            *known = now;
        }
    }
    contents
}

/// What is in a file; `None` if it is not there, or not for this process.
///
/// # Errors
/// If this process, or the system, has no descriptor left, which says nothing about the file.
fn content(file: &Path) -> Result<Option<[u8; 32]>, Errno> {
    match std::fs::read(file) {
        Ok(content) => Ok(Some(Sha256::digest(content).into())),
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(short @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(short),
            _ => Ok(None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const LONG: Duration = Duration::from_secs(30);

    /// As Kubernetes mounts a ConfigMap: the file is a link through a link, and the second is swapped.
    #[tokio::test]
    async fn a_swapped_link_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("1", "one"), ("2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("config.yaml"), text).unwrap();
        }
        symlink("1", at("..data")).unwrap();
        symlink("..data/config.yaml", at("config.yaml")).unwrap();
        let mut watch = Watch::on(&[at("config.yaml")]);
        symlink("2", at("..new")).unwrap();
        fs::rename(at("..new"), at("..data")).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_comes_late_and_one_that_is_renamed_over_another_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, new) = (folder.path().join("key"), folder.path().join("new"));
        let mut watch = Watch::on(std::slice::from_ref(&file));
        fs::write(&file, "one").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        fs::write(&new, "two").unwrap();
        fs::rename(&new, &file).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn without_the_systems_help_it_looks_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::on(std::slice::from_ref(&file));
        watch.watcher = None;
        assert!(timeout(QUIET, watch.noticed.recv()).await.is_err());
        fs::write(&file, "two").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_named_for_the_first_time_has_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, key) = (folder.path().join("config.yaml"), folder.path().join("key"));
        fs::write(&file, "one").unwrap();
        fs::write(&key, "one").unwrap();
        let mut watch = Watch::on(std::slice::from_ref(&file));
        watch.also(&[file, key.clone()]);
        assert!(!watch.look().await);
        fs::write(&key, "two").unwrap();
        assert!(watch.look().await);
    }

    #[test]
    fn a_log_beside_the_file_wakes_nobody() {
        let names = Names::default();
        names.lock().insert("config.yaml".into());
        let written = |path: &str| {
            Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write))).add_path(Path::new("/etc").join(path))
        };
        assert!(matters(&written("config.yaml"), &names) && !matters(&written("gate.log"), &names));
    }

    #[tokio::test]
    async fn the_same_content_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::on(std::slice::from_ref(&file));
        fs::write(&file, "one").unwrap();
        assert!(timeout(QUIET * 4, watch.changed()).await.is_err());
    }
}
