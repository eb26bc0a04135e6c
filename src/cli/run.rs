//! `tollgate run`: the gate, until a signal.

use super::ConfigFile;
use crate::app::{App, Reloads};
use crate::config::Config;
use crate::shutdown::{Drained, Signals};
use crate::telemetry;
use anyhow::Context;
use std::io::Write;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// A write went beyond RLIMIT_FSIZE.
const SIGXFSZ: i32 = 25;

pub(super) async fn run(args: &ConfigFile) -> anyhow::Result<ExitCode> {
    let (config, files) = Config::load_noting_files(&args.config);
    let config = match config {
        Ok(config) => config,
        Err(problems) => return super::check::show(&problems, false),
    };
    let log = telemetry::start(config.log.format, &config.log.level)
        .map_err(|error| anyhow::anyhow!("log.level is no filter: {error}"))?;
    warn_of_what_is_not_built(&config.not_built_yet);
    if config.journal.is_none() {
        tracing::warn!(
            "journal: none: a callback that is not delivered at once is lost if its sender does not come again"
        );
    }
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let reloads = Reloads::listen(&args.config, &files).context("cannot listen for SIGHUP")?;
    // A file that may not grow any more is the journal's to deal with, like a full disk; the default is to die.
    let _file_size = signal(SignalKind::from_raw(SIGXFSZ)).context("cannot listen for SIGXFSZ")?;
    let app = App::build(config)?;
    // Scripts and tests wait for this line and read the real port from it.
    writeln!(std::io::stdout(), "callbacks: listening on {}", app.url()?)?;

    Ok(match app.run(async || signals.next().await, reloads, &log).await {
        Drained::Whole => ExitCode::SUCCESS,
        Drained::OutOfTime | Drained::Forced => {
            tracing::warn!("stopped before every request had finished");
            ExitCode::FAILURE
        }
    })
}

fn warn_of_what_is_not_built(keys: &[String]) {
    if !keys.is_empty() {
        let keys = keys.join(", ");
        tracing::warn!(%keys, "the configuration names features that this version does not have; they do nothing");
    }
}
