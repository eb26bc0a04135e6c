//! Putting a changed configuration in force: all of it or nothing, and no connection notices.

use super::{BuildError, Fixed, files::Watch};
use crate::config::{Config, Problems};
use crate::journal::audit::Action;
use crate::journal::{Audit, By};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What asks for a reload: SIGHUP, and files that changed.
#[derive(Debug)]
pub struct Reloads {
    path: PathBuf,
    hangup: Signal,
    watch: Watch,
}

/// What asked for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGHUP.
    Hangup,
    /// A file that changed.
    File,
}

/// Why a configuration is not put in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// It is right, and cannot be built here.
    #[error("{}", whole(.0))]
    Build(#[from] BuildError),
    /// The program that reads it is at fault.
    #[error("reading it broke off, which is a fault of this program: the log has it; please report it")]
    Broken,
    /// It changes what a running process cannot.
    #[error("{0} cannot be changed while the gate runs: restart it (nothing of the file is in force)")]
    Fixed(&'static str),
}

/// An error with its causes.
fn whole(error: &BuildError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Reloads {
    /// Listens from now on. `files` are those that the configuration at `path` was read from.
    ///
    /// # Errors
    /// If the system does not let it take SIGHUP.
    pub fn listen(path: &Path, files: &[PathBuf]) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), hangup: signal(SignalKind::hangup())?, watch: Watch::on(files) })
    }

    /// Waits until a reload is asked for.
    pub(super) async fn next(&mut self) -> Asked {
        let (asked, by) = tokio::select! {
            _ = self.hangup.recv() => {
                // What is read now is no change afterwards.
                self.watch.look().await;
                (Asked::Hangup, "SIGHUP")
            }
            () = self.watch.changed() => (Asked::File, "a changed file"),
        };
        tracing::info!(by, file = %self.path.display(), "reloading the configuration");
        asked
    }

    /// The line of the audit trail for a reload, and what came of it: the number of the configuration that is in force
    /// now, or what was wrong.
    pub(super) fn line(&self, asked: Asked, outcome: Result<u32, String>) -> Audit {
        let who = match asked {
            Asked::Hangup => "sighup",
            Asked::File => "file",
        };
        let outcome = match outcome {
            Ok(number) => format!("in force: generation {number}"),
            Err(problem) => format!("refused: {}", problem.lines().next().unwrap_or_default()),
        };
        Audit {
            by: By { who: who.to_owned(), from: self.path.display().to_string() },
            action: Action::Reload,
            channel: None,
            order: None,
            entries: Vec::new(),
            outcome: Some(outcome),
            because: None,
        }
    }

    /// Reads the configuration as it is now, and checks that it can take the place of one with these `fixed` parts.
    ///
    /// # Errors
    /// If it is wrong, or cannot.
    pub(super) async fn read(&mut self, fixed: &Fixed) -> Result<Config, ReloadError> {
        let path = self.path.clone();
        // A panic in there was logged, and leaves the old configuration.
        let Ok((config, files)) = tokio::task::spawn_blocking(move || Config::load_noting_files(&path)).await else {
            return Err(ReloadError::Broken);
        };
        self.watch.also(&files);
        let config = config?;
        match fixed.difference(&Fixed::of(&config)) {
            Some(key) => Err(ReloadError::Fixed(key)),
            None => {
                config.log_warnings();
                Ok(config)
            }
        }
    }
}
