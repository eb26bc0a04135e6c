//! Noticing that the configuration's files have changed: the file itself, and every file that it names.
//!
//! Editors and Kubernetes do not write into a file, they put another in its place, by renaming it or the link before
//! it. So the folders are watched, and what counts is whether the contents differ.

mod way;

#[cfg(target_os = "linux")]
mod folders;

#[cfg(not(target_os = "linux"))]
mod no_folders;

#[cfg(target_os = "linux")]
use folders::Folders;
#[cfg(not(target_os = "linux"))]
use no_folders::Folders;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
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
    /// `None` if the system cannot tell; the files are then only looked at now and then.
    folders: Option<Arc<Folders>>,
    contents: Contents,
}

/// What was in each file; `None` if there was none that can be read.
type Contents = BTreeMap<PathBuf, Option<[u8; 32]>>;

impl Watch {
    /// Watches these files, as they are now. Must be called inside a tokio runtime.
    pub(super) fn on(files: &[PathBuf]) -> Self {
        let folders = Folders::new()
            .inspect_err(|error| tracing::warn!(%error, "changed files are noticed only every {LOOK_EVERY:?}"));
        let mut watch = Self { folders: folders.ok().map(Arc::new), contents: Contents::new() };
        watch.also(files);
        watch
    }

    /// Watches further files, as they are now.
    pub(super) fn also(&mut self, files: &[PathBuf]) {
        let is_new = |file: &&PathBuf| !self.contents.contains_key(*file);
        let new: Vec<_> = files.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return;
        }
        self.contents.extend(new.into_iter().map(|file| (file, None)));
        listen_for(self.folders.as_deref(), &self.contents);
        for file in files {
            if let Some(none @ None) = self.contents.get_mut(file) {
                *none = content(file).ok().flatten();
            }
        }
    }

    /// Waits until the contents are others than the last time.
    pub(super) async fn changed(&mut self) {
        loop {
            let _ = timeout(LOOK_EVERY, self.heard()).await;
            let _ = timeout(TIMEOUT, self.quiet()).await;
            if self.look().await {
                return;
            }
        }
    }

    /// Reads the files, and says whether their contents are others than the last time.
    pub(super) async fn look(&mut self) -> bool {
        let (folders, before) = (self.folders.clone(), self.contents.clone());
        let looked = tokio::task::spawn_blocking(move || {
            // In this order: what happens after a file was read is heard.
            listen_for(folders.as_deref(), &before);
            contents(before)
        });
        let Ok(now) = looked.await else { return false };
        now != std::mem::replace(&mut self.contents, now.clone())
    }

    async fn heard(&self) {
        match &self.folders {
            Some(folders) => folders.heard().await,
            None => std::future::pending().await,
        }
    }

    async fn quiet(&self) {
        while timeout(QUIET, self.heard()).await.is_ok() {}
    }
}

/// Where a file really is may change with each link that is swapped.
fn listen_for(folders: Option<&Folders>, files: &Contents) {
    if let Some(folders) = folders {
        folders.listen_for(way::spots(files.keys()));
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
        watch.folders = None;
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
