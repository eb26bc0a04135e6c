//! The one assembly: builds everything from a checked config, runs it until told to stop, and puts another in its
//! place.

mod services;

mod listeners;

mod listening;

mod reload;

mod files;

mod handoff;

mod housekeeping;

mod sharing;

mod systemd;

pub use handoff::{FailedHandoff, HandoffOutcome, PendingHandoff};
use reload::Asked;
pub use reload::{ReloadError, Reloads};
pub use services::Services;
pub(crate) use services::recall;
use services::recall_at_last;

use crate::config::{Config, Journal};
use crate::domain::clock;
use crate::domain::config_status::{self, ConfigStatus, Refused};
use crate::gate::current::Current;
use crate::journal::{self, Myself, OpenError, Settings, Shared};
use crate::observe::logging::{Log, LogFormat};
use crate::observe::metrics::{Counts, Metrics};
use crate::observe::traces;
use crate::observe::traces::Traces;
use crate::process::handoff::{Handoff, HandoffListener, Predecessor, Request};
use crate::process::shutdown::{Drained, Shutdown};
use crate::process::sockets::Sockets;
use crate::provider::{Fingerprint, wechat};
use crate::reconcile::pending_orders::Known;
use crate::server::tls::TlsError;
use listeners::{Listeners, Seen};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The gate, bound and ready.
#[derive(Debug)]
pub struct App {
    services: Services,
    current: Arc<Current>,
    listeners: Listeners,
    config_status: watch::Sender<ConfigStatus>,
    fixed: Fixed,
    grace: Duration,
    /// The process that this one takes over from, until that one is told that callbacks are accepted here.
    before: Option<Predecessor>,
    successors: HandoffListener,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether everything under way had finished.
    pub drained: Drained,
    /// The handoff to a successor, if one takes over.
    pub handoff: Option<PendingHandoff>,
    /// What spans are still to be sent, for at most [`TRACES_SENT`]: only the process's end waits for a collector.
    pub traces: Traces,
}

/// What a running process cannot change.
#[derive(Debug, PartialEq, Eq)]
struct Fixed {
    journal: Option<Journal>,
    format: Option<LogFormat>,
}

/// What runs beside the listeners, for one configuration.
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
    /// Taking over would lead the journal to where the gate that runs cannot follow.
    #[error(
        "this version keeps the journal in a newer layout than the gate that runs, which could not go on if this one failed: \
         stop the gate that runs, back the journal up ({}), and start this one", .0
    )]
    OtherLayout(Settings),
    /// The socket.
    #[error("cannot listen on {0}: is another program, or a second gate, using the port?")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The supervisor's socket cannot be moved by the gate.
    #[error(
        "cannot move to {0}: the socket was passed by the supervisor, which says where it is: change ListenStream= of the socket unit, and restart both"
    )]
    Given(SocketAddr),
    /// The gate that runs does not leave.
    #[error("the gate that runs does not leave, and goes on")]
    NoHandoff(#[source] std::io::Error),
}

/// How long the end waits for the collector of traces.
pub const TRACES_SENT: Duration = Duration::from_secs(3);

/// How long the end waits for the journal to be written out.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// How long answers end their connections before no connection is accepted any more: so that who keeps one does not
/// send on it while it is closed.
const WINDING_DOWN: Duration = Duration::from_millis(500);

impl App {
    /// Builds every part, with those of the `given` sockets that are for it. If there is a gate `before`, it is let go
    /// once nothing but its journal is missing. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built or an address cannot be bound.
    pub async fn build(
        mut config: Config,
        metrics: Arc<Metrics>,
        mut given: Sockets,
        mut before: Option<Predecessor>,
    ) -> Result<Self, BuildError> {
        let fingerprint = config.fingerprint();
        let plan = listeners::Plan::of(&mut config)?;
        let (fixed, grace) = (Fixed::of(&config), config.shutdown_grace);
        given.add(before.as_mut().map(|before| std::mem::take(&mut before.sockets)).unwrap_or_default());
        // Whoever finds the port open finds the journal too. Only where another gate has it, the sockets come first.
        let bound_before = before.is_some().then(|| plan.bind(std::mem::take(&mut given))).transpose()?;
        let (journal, before) = match &config.journal {
            Some(file) => handoff::open(file, metrics.journal.clone(), before)
                .await
                .map(|(journal, before)| (Some(journal), before))?,
            None => (None, None),
        };
        let bound = bound_before.map_or_else(|| plan.bind(given), Ok)?;
        let archive = journal.as_ref().map(|journal| Arc::clone(&journal.archive));
        let shared = journal.as_ref().and_then(|journal| journal.shared.clone());
        let services = Services::with(config, journal, Arc::clone(&metrics))?;
        services.introduce(config_status::FIRST, fingerprint);
        let current = Arc::new(Current::new(Arc::clone(&services.gate)));
        let config_status = watch::Sender::new(ConfigStatus::first());
        let seen =
            Seen { gate: Arc::clone(&current), archive, shared, config_status: config_status.subscribe(), metrics };
        let listeners = Listeners::at(bound, plan, seen);
        let successors = listen_for_successors(fixed.journal.as_ref(), grace);
        Ok(Self { services, current, listeners, config_status, fixed, grace, before, successors })
    }

    /// Builds every part that needs neither socket nor journal, and looks at the journal beside the gate that has it:
    /// what could go wrong is to go wrong while that one still runs.
    ///
    /// # Errors
    /// If a part cannot be built.
    pub async fn try_out(mut config: Config) -> Result<(), BuildError> {
        listeners::Plan::of(&mut config)?;
        if let Some(file) = &config.journal {
            match journal::open_beside(&file.settings).await {
                // If this one died before it accepts, the gate that runs could not open the file again.
                Err(OpenError::Older { .. }) if journal::is_worked_on(&file.settings).await? => {
                    return Err(BuildError::OtherLayout(file.settings.clone()));
                }
                // It will be made, or led to the present layout.
                Ok(_) | Err(OpenError::Absent(_) | OpenError::Older { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Services::with(config, None, Arc::new(Metrics::new())).map(drop)
    }

    /// Where callbacks arrive, as a URL with the real port.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn url(&self) -> std::io::Result<String> {
        self.listeners.url()
    }

    /// Where the admin listener is, if there is one.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn admin_url(&self) -> std::io::Result<Option<String>> {
        self.listeners.admin_url()
    }

    /// Serves until `signal` comes or another gate takes over, under the configuration that `reloads` brought last;
    /// then drains: no new connections, requests and follow-ups under way finish, at most `shutdown_grace` and no
    /// longer than until `signal` comes again.
    pub async fn run(mut self, mut signal: impl AsyncFnMut(), mut reloads: Reloads, log: &Log) -> Ended {
        let shutdown = Shutdown::new();
        // Before the first callback, which is held against it.
        let recalled = self.recall().await;
        let mut working = self.services.begin(&shutdown, recalled);
        self.listeners.open(&shutdown);
        let watchdog = self.tell_that_it_is_open();
        let handoff = loop {
            tokio::select! {
                biased;
                () = signal() => break None,
                asked = reloads.next() => self.reload(asked, &mut reloads, &mut working, &shutdown, log).await,
                request = self.successors.next() => match request {
                    // Who asked may be gone.
                    Request::Sockets(reply) => drop(reply.send(self.listeners.lend())),
                    Request::Leave(handoff) => break Some(handoff),
                },
            }
        };
        let ended = self.end(handoff, &shutdown, working, signal).await;
        if let Some(watchdog) = watchdog {
            watchdog.abort();
            // What it holds of the journal goes with it; that it was aborted is known.
            let _ = watchdog.await;
        }
        ended
    }

    /// What is known from before. Where that is in a database that does not answer nobody waits for it, and `None` is given back:
    /// what a gate needs is read when it is to be had.
    async fn recall(&self) -> Option<HashMap<String, Known>> {
        let (pending, housekeeping) = (self.services.pending.as_deref(), &self.services.housekeeping);
        let Some(shared) = housekeeping.journal.as_ref().and_then(|journal| journal.shared.as_ref()) else {
            let recalled = recall(pending).await;
            housekeeping.recall().await;
            self.listeners.recall().await;
            return Some(recalled);
        };
        let recalling = async {
            let recalled = match pending {
                Some(pending) => pending.recall().await.ok()?,
                None => HashMap::default(),
            };
            housekeeping.recall().await;
            self.listeners.recall().await;
            Some(recalled)
        };
        tokio::time::timeout(shared.timeout(), recalling).await.ok().flatten()
    }

    /// Tells whoever waits for it that callbacks are accepted, and the supervisor from time to time that this process
    /// lives.
    fn tell_that_it_is_open(&mut self) -> Option<JoinHandle<()>> {
        let before = self.before.take();
        let watchdog = systemd::watchdog(before.is_some());
        match before {
            Some(before) => {
                systemd::ready_instead(&self.status());
                tracing::info!(before = before.process, "took over");
                before.accepting();
            }
            None => systemd::ready(&self.status()),
        }
        // A database that hangs is no reason to restart a gate, which may answer what it knows, or only observe.
        let own = self.services.housekeeping.journal.as_ref().filter(|journal| journal.shared.is_none());
        let queue = own.map(|journal| Arc::clone(&journal.queue));
        watchdog.map(|every| tokio::spawn(systemd::keep_alive(every, queue)))
    }

    async fn end(
        self,
        handoff: Option<Handoff>,
        shutdown: &Shutdown,
        working: Working,
        mut signal: impl AsyncFnMut(),
    ) -> Ended {
        match &handoff {
            Some(handoff) => tracing::info!(successor = handoff.successor, "leaving: another gate takes over"),
            None => systemd::stopping(),
        }
        let mut hurried = false;
        if self.listeners.has_open_connections() {
            shutdown.wind_down();
            hurried = tokio::time::timeout(WINDING_DOWN, signal()).await.is_ok();
        }
        tracing::info!(grace_s = self.grace.as_secs(), "stopping: requests under way finish");
        let handoff = handoff.map(|handoff| PendingHandoff {
            handoff,
            queue: self.services.housekeeping.journal.as_ref().map(|journal| Arc::downgrade(&journal.queue)),
            sockets: self.listeners.lend().unwrap_or_default(),
        });
        self.listeners.close();
        let force = async {
            if !hurried {
                signal().await;
            }
        };
        let drained = shutdown.drain(self.grace, force).await;
        working.housekeeping.abort();
        // As with the watchdog.
        let _ = working.housekeeping.await;
        // Before the journal is given back: the next gate's has the same name.
        drop(self.successors);
        let records = &self.services.gate.records;
        records.flush_attempt_counts();
        self.services.keep_last_minute();
        if tokio::time::timeout(WRITTEN_OUT, records.flush()).await.is_err() {
            tracing::warn!(
                "the journal was not written out in time; what it lacks is found out again at the next start"
            );
        }
        // Last: who works on it next has what was written before.
        if let Some(shared) = self.services.shared() {
            let _ = shared.leave().await;
        }
        say_counts(&self.services.gate.counts);
        Ended { drained, handoff, traces: self.services.gate.traces.clone() }
    }

    /// One line about it.
    fn status(&self) -> String {
        let config_status = self.config_status.borrow();
        let refused = if config_status.refused.is_some() { "; the latest was refused" } else { "" };
        format!("callbacks at {}, configuration {}{refused}", self.url().unwrap_or_default(), config_status.number)
    }

    async fn reload(
        &mut self,
        asked: Asked,
        reloads: &mut Reloads,
        working: &mut Working,
        shutdown: &Shutdown,
        log: &Log,
    ) {
        systemd::reloading();
        let outcome = self.replace(reloads, working, shutdown, log).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "the configuration was not reloaded; the one before stays in force");
        }
        self.config_status.send_modify(|config_status| match outcome {
            Ok(()) => {
                *config_status = ConfigStatus { number: config_status.number + 1, since: clock::now(), refused: None }
            }
            Err(error) => config_status.refused = Some(Refused { at: clock::now(), problem: error.to_string() }),
        });
        let ConfigStatus { number, refused, .. } = self.config_status.borrow().clone();
        if refused.is_none() {
            tracing::info!(generation = number, "configuration in force");
        }
        let line = reloads.line(asked, refused.map_or(Ok(number), |refused| Err(refused.problem)));
        if let Some(journal) = &self.services.housekeeping.journal {
            // No request waits for this line; while the disk fails the log has it.
            drop(journal.archive.audit(line));
        }
        systemd::ready(&self.status());
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
        let fingerprint = config.fingerprint();
        let (plan, grace) = (listeners::Plan::of(&mut config)?, config.shutdown_grace);
        let (level, fixed) = (config.log.level.clone(), Fixed::of(&config));
        let number = self.config_status.borrow().number + 1;
        let services = self.services.succeed(config, number)?;
        self.listeners.go_on(plan, shutdown)?;
        self.current.replace(Arc::clone(&services.gate));
        let before = self.services.gate.traces.clone();
        if before.settings() != services.gate.traces.settings() {
            // No callback waits for the collector.
            tokio::spawn(async move { before.end(TRACES_SENT).await });
        }
        (self.services, self.fixed, self.grace) = (services, fixed, grace);
        self.services.introduce(number, fingerprint);
        working.end();
        *working = self.services.begin(shutdown, None);
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
        let settings = |fixed: &Self| fixed.journal.as_ref().map(|journal| journal.settings.clone());
        if settings(self) != settings(other) {
            return Some("journal.path, journal.unconfirmed, journal.unconfirmed_bytes or journal: none");
        }
        (self.format != other.format).then_some("log.format")
    }
}

impl Services {
    /// Tells other gates of this journal which configuration is in force here.
    fn introduce(&self, generation: u32, fingerprint: Fingerprint) {
        if let Some(shared) = self.shared() {
            shared.introduce(Myself { generation, config: fingerprint.as_bytes().to_vec() });
        }
    }

    /// What gates of this journal share, if there can be several.
    fn shared(&self) -> Option<&Arc<dyn Shared>> {
        self.housekeeping.journal.as_ref()?.shared.as_ref()
    }

    /// Begins what runs beside the listeners, until `shutdown` or the end of the configuration. What sources of pending
    /// orders said before is read from the journal if it was not recalled.
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
                    None => tokio::select! {
                        biased;
                        () = until.begun() => return,
                        recalled = recall_at_last(&pending) => recalled,
                    },
                };
                pending.run(recalled, until).await;
            });
        }
        Working { shutdown, housekeeping }
    }

    /// What happened since the last whole minute is written before what is waited for at the end.
    fn keep_last_minute(&self) {
        if let (Some(minute), Some(journal)) = (self.gate.metrics.end_minute(true), &self.housekeeping.journal) {
            drop(journal.queue.keep_minute(minute));
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

/// Where a successor asks for this process's sockets. Without it a successor starts when this process has ended.
fn listen_for_successors(journal: Option<&Journal>, grace: Duration) -> HandoffListener {
    let Some(journal) = journal else { return HandoffListener::none() };
    let Some(place) = journal.settings.meeting_place() else { return HandoffListener::none() };
    HandoffListener::listen(place, grace).unwrap_or_else(|error| {
        tracing::warn!(%error, journal = %journal.settings, "no other gate can take over (run --take-over)");
        HandoffListener::none()
    })
}

fn say_counts(counts: &Counts) {
    for (reason, callbacks) in counts.by_reason() {
        tracing::info!(reason = reason.code(), callbacks, "callbacks by reason since the start");
    }
}
