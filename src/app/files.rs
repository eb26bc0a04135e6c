//! Noticing that the configuration's files have changed: the file itself, and every file that it names.
//!
//! Editors and Kubernetes do not write into a file, they put another in its place, by renaming it or the link before it. So
//! the folders are watched, and what counts is whether the contents differ.

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long nothing more happens before the files are looked at: they may be half written.
const QUIET: Duration = Duration::from_millis(300);

/// Beyond this they are looked at although more is happening.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often they are looked at when nothing was noticed. Some file systems tell nobody.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is watched.
#[derive(Debug)]
pub(super) struct Watch {
    files: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    names: Names,
    /// `None` if the system cannot tell; the files are then only looked at now and then.
    watcher: Option<RecommendedWatcher>,
    noticed: mpsc::Receiver<()>,
    contents: Contents,
}

/// All contents in one number.
type Contents = [u8; 32];

/// What the files are called, on every link of the way to them: others in the same folders may be logs.
type Names = Arc<Mutex<BTreeSet<OsString>>>;

impl Watch {
    /// Watches these files, as they are now.
    pub(super) fn on(files: &[PathBuf]) -> Self {
        let (tell, noticed) = mpsc::channel(1);
        let names = Names::default();
        let ours = Arc::clone(&names);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event, &ours)) {
                // One word waiting is enough, however much has happened.
                let _ = tell.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "changed files are noticed only every {LOOK_EVERY:?}"))
            .ok();
        let (files_so_far, folders, contents_so_far) = (BTreeSet::new(), BTreeSet::new(), Contents::default());
        let mut watch = Self { files: files_so_far, folders, names, watcher, noticed, contents: contents_so_far };
        watch.also(files);
        watch.contents = contents(&watch.files);
        watch
    }

    /// Watches further files.
    pub(super) fn also(&mut self, files: &[PathBuf]) {
        self.files.extend(files.iter().cloned());
        // Where a file really is may change with each link that is swapped.
        let ways: Vec<_> = self.files.iter().flat_map(|file| way_to(file)).collect();
        let names = ways.iter().filter_map(|at| at.file_name()).map(OsStr::to_owned).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
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
            let _ = timeout(PATIENCE, self.quiet()).await;
            if self.look().await {
                return;
            }
        }
    }

    /// Looks at the files, and says whether their contents are others than the last time.
    pub(super) async fn look(&mut self) -> bool {
        let files = self.files.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || contents(&files)).await else { return false };
        let changed = now != std::mem::replace(&mut self.contents, now);
        self.also(&[]);
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
            let names = names.lock().unwrap_or_else(PoisonError::into_inner);
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

fn contents(files: &BTreeSet<PathBuf>) -> Contents {
    let mut all = Sha256::new();
    for file in files {
        let content = std::fs::read(file);
        let (there, content) = (content.is_ok(), content.unwrap_or_default());
        all.update([u8::from(there)]);
        all.update((content.len() as u64).to_be_bytes());
        all.update(&content);
    }
    all.finalize().into()
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

    #[test]
    fn a_log_beside_the_file_wakes_nobody() {
        let names = Names::default();
        names.lock().unwrap().insert("config.yaml".into());
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
