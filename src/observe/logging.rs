//! The log: text for people on a terminal, one JSON object a line for programs.
//!
//! Lines are written by a thread of their own. If standard error takes none, they are dropped rather than holding up
//! callbacks (threat R-06).

use std::fmt;
use std::io::IsTerminal;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines that may wait for the writing thread.
const WAITING_LINES: usize = 16 * 1024;

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// The log while it runs. It ends, written out, when this is dropped.
pub struct Log {
    _written_out: WorkerGuard,
    dropped: ErrorCounter,
    set_level: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// Counts the lines that standard error did not take.
    #[must_use]
    pub fn dropped(&self) -> ErrorCounter {
        self.dropped.clone()
    }

    /// Tells more, or less, from now on. What is no filter changes nothing.
    pub fn set_level(&self, level: &str) {
        if let Ok(filter) = EnvFilter::try_new(level) {
            (self.set_level)(filter);
        }
    }
}

/// Starts the log on standard error, as the program's only subscriber; `level` is a tracing filter such as `info` or
/// `tollgate=debug`.
///
/// # Errors
/// If `level` is no filter, or another subscriber was set before.
pub fn start(format: Option<LogFormat>, level: &str) -> Result<Log, Box<dyn std::error::Error + Send + Sync>> {
    let on_terminal = std::io::stderr().is_terminal();
    let (writer, guard) =
        NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).lossy(true).finish(std::io::stderr());
    let dropped = writer.error_counter();
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(level)?).with_writer(writer);
    let text = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json }) == LogFormat::Text;
    // A filter that cannot be replaced any more belongs to a log that has ended.
    let set_level: Box<dyn Fn(EnvFilter) + Send + Sync> = if text {
        let colours = on_terminal && std::env::var_os("NO_COLOR").is_none();
        let subscriber = subscriber.with_ansi(colours).with_target(false).with_filter_reloading();
        let filter = subscriber.reload_handle();
        subscriber.try_init()?;
        Box::new(move |level| drop(filter.reload(level)))
    } else {
        let subscriber = subscriber.json().flatten_event(true).with_current_span(false).with_span_list(false);
        let subscriber = subscriber.with_filter_reloading();
        let filter = subscriber.reload_handle();
        subscriber.try_init()?;
        Box::new(move |level| drop(filter.reload(level)))
    };
    Ok(Log { _written_out: guard, dropped, set_level })
}
