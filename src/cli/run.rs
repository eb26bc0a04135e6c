//! `tollgate run`: the gate, until a signal.

use super::ConfigFile;
use crate::app::{App, BuildError, Ended, HandoffOutcome, Reloads, TRACES_SENT};
use crate::config::Config;
use crate::journal::OpenError;
use crate::observe::logging;
use crate::observe::metrics::Metrics;
use crate::process::handoff::{self, Predecessor};
use crate::process::limits;
use crate::process::shutdown::{Drained, Signals};
use crate::process::sockets::Sockets;
use anyhow::{Context, bail};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Arguments of `tollgate run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,

    /// Take over from the gate that runs with the same journal: its sockets and then its place, without refusing a
    /// connection. Without such a gate it simply starts.
    #[arg(long)]
    take_over: bool,
}

/// What stands below its help.
pub(super) const HELP: &str = "\
SIGTERM and SIGINT stop it once what is under way has finished, and at once when they come a second time. SIGHUP reloads
the configuration.

Sockets that systemd passes (LISTEN_FDS) are used: the one named callbacks, or at the address of `listen`, or the first.

Exit codes: 0 stopped, or taken over from, and everything under way had finished; 1 it cannot start, or it ended with work
left, which the next start goes on with; 2 wrong usage.";

/// A write went beyond RLIMIT_FSIZE.
const SIGXFSZ: i32 = 25;

pub(super) async fn run(args: &Args, sockets: Sockets) -> anyhow::Result<ExitCode> {
    let (config, files) = Config::load_noting_files(&args.file.config);
    let config = match config {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, false),
    };
    let log = logging::start(config.log.format, &config.log.level)
        .map_err(|error| anyhow::anyhow!("log.level is no filter: {error}"))?;
    let metrics = Arc::new(Metrics::new());
    metrics.watch_log(log.dropped());
    config.log_warnings();
    if config.journal.is_none() {
        tracing::warn!(
            "journal: none: a callback that is not delivered at once is lost if its sender does not come again"
        );
    }
    limits::raise_file_limit();
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let reloads = Reloads::listen(&args.file.config, &files).context("cannot listen for SIGHUP")?;
    // A file that may not grow any more is the journal's to deal with, like a full disk; the default is to die.
    let _file_size = signal(SignalKind::from_raw(SIGXFSZ)).context("cannot listen for SIGXFSZ")?;
    let before = if args.take_over { predecessor(args, &config).await? } else { None };
    let is_alone = before.is_none();
    let app = tokio::select! {
        app = App::build(config, metrics, sockets, before) => app,
        () = signals.next() => bail!("stopped before it had started"),
    };
    let app = match app {
        Err(BuildError::Journal(error @ OpenError::InUse { .. })) if args.take_over && is_alone => {
            return Err(anyhow::Error::from(error).context(
                "no gate can be asked to leave, and yet the journal is in use: it leaves already, or its log says why it \
                 cannot hand over",
            ));
        }
        app => app?,
    };
    // Scripts and tests wait for this line and read the real port from it.
    // That it cannot be printed does not keep a gate from its work.
    let _ = writeln!(std::io::stdout(), "callbacks: listening on {}", app.url()?);
    if let Some(url) = app.admin_url()? {
        let _ = writeln!(std::io::stdout(), "admin: listening on {url}");
    }

    let Ended { drained, handoff, traces } = app.run(async || signals.next().await, reloads, &log).await;
    let sending = tokio::spawn(async move { traces.end(TRACES_SENT).await });
    let is_whole = drained == Drained::Whole;
    if !is_whole {
        tracing::warn!("stopped before every request had finished");
    }
    if let Some(handoff) = handoff.filter(|_| is_whole)
        && let HandoffOutcome::Failed(failed) = handoff.outcome().await
    {
        // It is written out when it is dropped.
        drop(log);
        return Err(anyhow::Error::from(failed.start_again()).context("cannot start again"));
    }
    // Its own deadline ends it.
    let _ = sending.await;
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The gate to take over from, asked only once it is known that this one can run; `None` if there is none.
async fn predecessor(args: &Args, config: &Config) -> anyhow::Result<Option<Predecessor>> {
    let Some(journal) = &config.journal else {
        bail!("--take-over needs a journal: with journal: none nothing says which gate's place it is");
    };
    let Some(path) = journal.settings.meeting_place().map(Path::to_owned) else {
        bail!(
            "--take-over is for a journal in a file (journal.path), which one gate has at a time; gates on one database \
             (journal.url) run side by side: start this one, and stop the other"
        );
    };
    let file = args.file.config.clone();
    let read = tokio::task::spawn_blocking(move || Config::load(&file)).await;
    let Ok(config) = read.context("reading the configuration")? else {
        bail!("the configuration changed while it was read; try again")
    };
    App::try_out(config).await?;
    let asked = tokio::task::spawn_blocking(move || handoff::find(&path));
    Ok(asked.await.context("looking for the gate that runs")??)
}
