//! The one assembly: builds everything from a checked config, runs it until told to stop, and puts another in its place.

mod works;

mod doors;

mod listening;

mod reload;

mod files;

pub use reload::{ReloadError, Reloads};
pub use works::Works;
pub(crate) use works::recall;

use crate::config::{Config, Journal, LogFormat};
use crate::gate::current::Current;
use crate::generation::{Generation, Refused};
use crate::journal::sqlite::OpenError;
use crate::metrics::{Counts, Metrics};
use crate::pending::Known;
use crate::server::tls::TlsError;
use crate::shutdown::{Drained, Shutdown};
use crate::telemetry::Log;
use crate::{clock, traces, wechat};
use doors::{Doors, Seen};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The gate, bound and ready.
#[derive(Debug)]
pub struct App {
    works: Works,
    current: Arc<Current>,
    doors: Doors,
    generation: watch::Sender<Generation>,
    fixed: Fixed,
    grace: Duration,
}

/// What a running process cannot change.
#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    journal: Option<Journal>,
    format: Option<LogFormat>,
}

/// What works beside the doors, for one configuration.
struct Working {
    shutdown: Shutdown,
    housekeeping: JoinHandle<()>,
}

/// Why the gate cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The client for WeChat Pay.
    #[error("cannot ask WeChat Pay")]
    WeChat(#[from] wechat::BuildError),
    /// The client for an https upstream.
    #[error("no certificate authorities to know an https upstream by: install ca-certificates, or set SSL_CERT_FILE")]
    UpstreamTls(#[source] rustls::Error),
    /// Certificate or key of `tls`.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client for the collector of traces.
    #[error("cannot send traces")]
    Traces(#[from] traces::BuildError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The socket.
    #[error("cannot listen on {0}: is another program, or a second gate, using the port?")]
    Bind(SocketAddr, #[source] std::io::Error),
}

/// How long the end waits for the collector of traces.
const TRACES_SENT: Duration = Duration::from_secs(3);

/// How long the end waits for the journal to be written out.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

impl App {
    /// Builds every part and binds the socket. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built or the address cannot be bound.
    pub fn build(mut config: Config, metrics: Arc<Metrics>) -> Result<Self, BuildError> {
        let plan = doors::Plan::of(&mut config)?;
        let (fixed, grace) = (Fixed::of(&config), config.shutdown_grace);
        let works = Works::build(config, Arc::clone(&metrics))?;
        let current = Arc::new(Current::new(Arc::clone(&works.gate)));
        let generation = watch::Sender::new(Generation::first());
        let (gate, journal) = (Arc::clone(&current), works.housekeeping.journal.clone());
        let doors = Doors::bind(plan, Seen { gate, journal, generation: generation.subscribe(), metrics })?;
        Ok(Self { works, current, doors, generation, fixed, grace })
    }

    /// Where callbacks arrive, as a URL with the real port.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn url(&self) -> std::io::Result<String> {
        self.doors.url()
    }

    /// Where the admin listener is, if there is one.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn admin_url(&self) -> std::io::Result<Option<String>> {
        self.doors.admin_url()
    }

    /// Serves until `signal` comes, under the configuration that `reloads` brought last; then drains: no new connections,
    /// requests and follow-ups under way finish, at most `shutdown_grace` and no longer than until `signal` comes again.
    pub async fn run(mut self, mut signal: impl AsyncFnMut(), mut reloads: Reloads, log: &Log) -> Drained {
        let shutdown = Shutdown::new();
        // Before the first callback, which is held against it.
        let recalled = recall(self.works.pending.as_deref()).await;
        self.works.recall_minutes().await;
        let mut working = self.works.begin(&shutdown, Some(recalled));
        self.doors.open(&shutdown);
        loop {
            tokio::select! {
                biased;
                () = signal() => break,
                () = reloads.next() => self.reload(&mut reloads, &mut working, &shutdown, log).await,
            }
        }
        tracing::info!(grace_s = self.grace.as_secs(), "stopping: requests under way finish");
        self.doors.close();
        let drained = shutdown.drain(self.grace, signal()).await;
        working.housekeeping.abort();
        let records = &self.works.gate.records;
        records.level();
        self.works.keep_last_minute();
        if tokio::time::timeout(WRITTEN_OUT, records.written()).await.is_err() {
            tracing::warn!(
                "the journal was not written out in time; what it lacks is found out again at the next start"
            );
        }
        self.works.gate.traces.end(TRACES_SENT).await;
        say_counts(&self.works.gate.counts);
        drained
    }

    async fn reload(&mut self, reloads: &mut Reloads, working: &mut Working, shutdown: &Shutdown, log: &Log) {
        let outcome = self.replace(reloads, working, shutdown, log).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "the configuration was not reloaded; the one before stays in force");
        }
        self.generation.send_modify(|generation| match outcome {
            Ok(()) => *generation = Generation { number: generation.number + 1, since: clock::now(), refused: None },
            Err(error) => generation.refused = Some(Refused { at: clock::now(), problem: error.to_string() }),
        });
        let number = self.generation.borrow().number;
        tracing::info!(generation = number, "configuration in force");
    }

    /// Everything that can fail comes first; from the swap on there is no way back, and none is needed.
    async fn replace(
        &mut self,
        reloads: &mut Reloads,
        working: &mut Working,
        shutdown: &Shutdown,
        log: &Log,
    ) -> Result<(), ReloadError> {
        let mut config = reloads.read(&self.fixed).await?;
        let (plan, grace) = (doors::Plan::of(&mut config)?, config.shutdown_grace);
        let (level, fixed) = (config.log.level.clone(), Fixed::of(&config));
        let works = self.works.succeed(config, self.generation.borrow().number + 1)?;
        self.doors.go_on(plan, shutdown).await?;
        self.current.replace(Arc::clone(&works.gate));
        let before = self.works.gate.traces.clone();
        if before.settings() != works.gate.traces.settings() {
            // Waiting for the collector is nobody's on the way.
            tokio::spawn(async move { before.end(TRACES_SENT).await });
        }
        (self.works, self.fixed, self.grace) = (works, fixed, grace);
        working.end();
        *working = self.works.begin(shutdown, None);
        log.set_level(&level);
        let admin = self.admin_url().ok().flatten();
        tracing::info!(callbacks = self.url().unwrap_or_default(), admin, "listening");
        Ok(())
    }
}

impl Fixed {
    fn of(config: &Config) -> Self {
        Self { journal: config.journal.clone(), format: config.log.format }
    }

    /// The key that the other one has otherwise.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let file = |fixed: &Self| fixed.journal.as_ref().map(|journal| (journal.path.clone(), journal.unconfirmed));
        if file(self) != file(other) {
            return Some("journal.path, journal.unconfirmed or journal: none");
        }
        (self.format != other.format).then_some("log.format")
    }
}

impl Works {
    /// Begins what works beside the doors, until `shutdown` or the end of the configuration. What sources of pending orders
    /// said before is read from the journal if it was not recalled.
    fn begin(&self, shutdown: &Shutdown, recalled: Option<HashMap<String, Known>>) -> Working {
        let shutdown = shutdown.child();
        let sources = self.pending.iter().flat_map(|pending| &pending.sources);
        self.gate.expected.keep_sources(&sources.map(|source| source.name.as_str()).collect::<Vec<_>>());
        let housekeeping = tokio::spawn(Arc::clone(&self.housekeeping).run());
        if let Some(follow_up) = &self.follow_up {
            shutdown.spawn(Arc::clone(follow_up).run(shutdown.clone()));
        }
        if let Some(sweeper) = &self.sweeper {
            shutdown.spawn(Arc::clone(sweeper).run(shutdown.clone()));
        }
        if let Some(pending) = self.pending.clone() {
            let until = shutdown.clone();
            shutdown.spawn(async move {
                let recalled = match recalled {
                    Some(recalled) => recalled,
                    None => recall(Some(&pending)).await,
                };
                pending.run(recalled, until).await;
            });
        }
        Working { shutdown, housekeeping }
    }

    /// What happened in each minute before this process began.
    async fn recall_minutes(&self) {
        if let Some(journal) = &self.housekeeping.journal
            && let Ok(minutes) = journal.minutes().await
        {
            self.gate.metrics.remember(minutes);
        }
    }

    /// What happened since the last whole minute is written before what is waited for at the end.
    fn keep_last_minute(&self) {
        if let (Some(minute), Some(journal)) = (self.gate.metrics.end_minute(true), &self.housekeeping.journal) {
            drop(journal.keep_minute(minute));
        }
    }
}

impl Working {
    /// Ends it; what is under way is finished by itself.
    fn end(&self) {
        self.shutdown.begin();
        self.housekeeping.abort();
    }
}

fn say_counts(counts: &Counts) {
    for (reason, callbacks) in counts.by_reason() {
        tracing::info!(reason = reason.code(), callbacks, "callbacks by reason since the start");
    }
}
