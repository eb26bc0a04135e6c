//! The one assembly: builds everything from a checked config, runs it until told to stop, and puts another in its place.

mod works;

mod listening;

mod reload;

mod watch;

mod succession;

pub use reload::{ReloadError, Reloads};
pub use succession::{Succeeded, Succession};
pub use works::Works;
pub(crate) use works::recall;

use crate::config::{Config, Journal, LogFormat, TlsFiles};
use crate::gate::Counts;
use crate::gate::current::Current;
use crate::generation::{Generation, Refused};
use crate::journal::sqlite::{OpenError, Sqlite};
use crate::pending::Known;
use crate::server::tls::{Tls, TlsError};
use crate::shutdown::{Drained, Shutdown};
use crate::sockets::{Purpose, Sockets};
use crate::take_over::{HandOver, Leaving, Predecessor, Wish};
use crate::telemetry::Log;
use crate::{clock, supervisor, wechat};
use listening::{Listening, Terms};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch as told;
use tokio::task::JoinHandle;

/// The gate, bound and ready.
#[derive(Debug)]
pub struct App {
    works: Works,
    current: Arc<Current>,
    callbacks: Listening<Current>,
    generation: told::Sender<Generation>,
    fixed: Fixed,
    grace: Duration,
    /// Whose place this one takes, until that has heard so.
    before: Option<Predecessor>,
    hand_over: HandOver,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether everything under way had finished.
    pub drained: Drained,
    /// Who goes on, if somebody does.
    pub succession: Option<Succession>,
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
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The socket.
    #[error("cannot listen on {0}: is another program, or a second gate, using the port?")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The gate that runs does not leave.
    #[error("the gate that runs does not leave, and goes on")]
    NoSuccession(#[source] std::io::Error),
}

/// How long the end waits for the journal to be written out.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// How long answers end their connections before nobody is let in any more: so that who keeps one does not send on it while
/// it is closed.
const WINDING_DOWN: Duration = Duration::from_millis(500);

impl App {
    /// Builds every part, with those of the `given` sockets that are for it. If there is a gate `before`, it is let go once
    /// nothing but its journal is missing. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built or the address cannot be bound.
    pub async fn build(
        config: Config,
        mut given: Sockets,
        mut before: Option<Predecessor>,
    ) -> Result<Self, BuildError> {
        let (addr, terms) = (config.listen, terms(&config)?);
        let (fixed, grace) = (Fixed::of(&config), config.shutdown_grace);
        given.add(before.as_mut().map(|before| std::mem::take(&mut before.sockets)).unwrap_or_default());
        given.assign(addr, None);
        let listener = listening::socket(addr, Purpose::Callbacks, &mut given)?;
        given.close_the_rest();
        let (journal, before) = match &config.journal {
            Some(file) => succession::open(file, before).await.map(|(journal, before)| (Some(journal), before))?,
            None => (None, None),
        };
        let works = Works::with(config, journal)?;
        let current = Arc::new(Current::new(Arc::clone(&works.gate)));
        let callbacks = Listening::at(listener, addr, terms, Arc::clone(&current));
        let generation = told::Sender::new(Generation::first());
        let hand_over = hand_over(fixed.journal.as_ref(), grace);
        Ok(Self { works, current, callbacks, generation, fixed, grace, before, hand_over })
    }

    /// Builds every part that needs neither socket nor journal, and looks at the journal beside the gate that has it: what
    /// could go wrong is to go wrong while that one still runs.
    ///
    /// # Errors
    /// If a part cannot be built.
    pub fn try_out(config: Config) -> Result<(), BuildError> {
        terms(&config)?;
        if let Some(file) = &config.journal {
            match Sqlite::beside(&file.path) {
                // It will be made, or led to the present layout.
                Ok(_) | Err(OpenError::Absent(_) | OpenError::Older { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Works::with(config, None).map(drop)
    }

    /// Where callbacks arrive, as a URL with the real port.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn url(&self) -> std::io::Result<String> {
        self.callbacks.url()
    }

    /// Serves until `signal` comes or another gate takes over, under the configuration that `reloads` brought last; then
    /// drains: no new connections, requests and follow-ups under way finish, at most `shutdown_grace` and no longer than
    /// until `signal` comes again.
    pub async fn run(mut self, mut signal: impl AsyncFnMut(), mut reloads: Reloads, log: &Log) -> Ended {
        let shutdown = Shutdown::new();
        // Before the first callback, which is held against it.
        let recalled = recall(self.works.pending.as_deref()).await;
        let mut working = self.works.begin(&shutdown, Some(recalled));
        self.callbacks.open(&shutdown);
        let watchdog = self.tell_that_it_is_open();
        let leaving = loop {
            tokio::select! {
                biased;
                () = signal() => break None,
                () = reloads.next() => self.reload(&mut reloads, &mut working, &shutdown, log).await,
                wish = self.hand_over.next() => match wish {
                    // Who asked may be gone.
                    Wish::Sockets(reply) => drop(reply.send(self.callbacks.lend(Purpose::Callbacks).map(|lent| vec![lent]))),
                    Wish::Leave(leaving) => break Some(leaving),
                },
            }
        };
        let drained = self.drain(&shutdown, &mut signal, leaving.as_ref()).await;
        working.housekeeping.abort();
        // What it holds of the journal goes with it; that it was aborted is known.
        let _ = working.housekeeping.await;
        self.callbacks.close();
        let records = &self.works.gate.records;
        records.level();
        if tokio::time::timeout(WRITTEN_OUT, records.written()).await.is_err() {
            tracing::warn!(
                "the journal was not written out in time; what it lacks is found out again at the next start"
            );
        }
        say_counts(&self.works.gate.counts);
        if let Some(watchdog) = watchdog {
            watchdog.abort();
            let _ = watchdog.await;
        }
        let succession = leaving.map(|leaving| {
            let journal = self.works.housekeeping.journal.as_ref().map(Arc::downgrade);
            let sockets = self.callbacks.lend(Purpose::Callbacks).into_iter().collect();
            Succession { leaving, journal, sockets }
        });
        Ended { drained, succession }
    }

    /// Tells whoever waits for it that callbacks are accepted, and the supervisor from time to time that this process lives.
    fn tell_that_it_is_open(&mut self) -> Option<JoinHandle<()>> {
        let before = self.before.take();
        let watchdog = supervisor::watchdog(before.is_some());
        match before {
            Some(before) => {
                supervisor::ready_instead(&self.status());
                tracing::info!(before = before.process, "took over");
                before.accepting();
            }
            None => supervisor::ready(&self.status()),
        }
        watchdog.map(|every| tokio::spawn(supervisor::keep_alive(every, self.works.housekeeping.journal.clone())))
    }

    async fn drain(&self, shutdown: &Shutdown, signal: &mut impl AsyncFnMut(), leaving: Option<&Leaving>) -> Drained {
        match leaving {
            Some(leaving) => tracing::info!(successor = leaving.successor, "leaving: another gate takes over"),
            None => supervisor::stopping(),
        }
        let mut hurried = false;
        if self.callbacks.is_anybody_inside() {
            shutdown.wind_down();
            hurried = tokio::time::timeout(WINDING_DOWN, signal()).await.is_ok();
        }
        tracing::info!(grace_s = self.grace.as_secs(), "stopping: requests under way finish");
        let force = async {
            if !hurried {
                signal().await;
            }
        };
        shutdown.drain(self.grace, force).await
    }

    /// One line about it.
    fn status(&self) -> String {
        let generation = self.generation.borrow();
        let refused = if generation.refused.is_some() { "; the latest was refused" } else { "" };
        format!("callbacks at {}, configuration {}{refused}", self.url().unwrap_or_default(), generation.number)
    }

    async fn reload(&mut self, reloads: &mut Reloads, working: &mut Working, shutdown: &Shutdown, log: &Log) {
        supervisor::reloading();
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
        supervisor::ready(&self.status());
    }

    /// Everything that can fail comes first; from the swap on there is no way back, and none is needed.
    async fn replace(
        &mut self,
        reloads: &mut Reloads,
        working: &mut Working,
        shutdown: &Shutdown,
        log: &Log,
    ) -> Result<(), ReloadError> {
        let config = reloads.read(&self.fixed).await?;
        let (addr, terms, grace) = (config.listen, terms(&config)?, config.shutdown_grace);
        let (level, fixed) = (config.log.level.clone(), Fixed::of(&config));
        let moved = self.callbacks.prepare(addr)?;
        let works = self.works.succeed(config, self.generation.borrow().number + 1)?;
        self.callbacks.go_on(addr, moved, terms, shutdown).await?;
        self.current.replace(Arc::clone(&works.gate));
        (self.works, self.fixed, self.grace) = (works, fixed, grace);
        working.end();
        *working = self.works.begin(shutdown, None);
        log.set_level(&level);
        tracing::info!(url = self.url().unwrap_or_default(), "callbacks arrive");
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
}

impl Working {
    /// Ends it; what is under way is finished by itself.
    fn end(&self) {
        self.shutdown.begin();
        self.housekeeping.abort();
    }
}

fn terms(config: &Config) -> Result<Terms, BuildError> {
    let load = |files: &TlsFiles| Tls::load(&files.cert, &files.key);
    Ok(Terms { tls: config.tls.as_ref().map(load).transpose()?, limits: config.limits.server })
}

/// Where another gate asks for this one's place. Without it the next one starts when this one has ended.
fn hand_over(journal: Option<&Journal>, grace: Duration) -> HandOver {
    let Some(journal) = journal else { return HandOver::none() };
    HandOver::listen(&journal.path, grace).unwrap_or_else(|error| {
        tracing::warn!(%error, journal = %journal.path.display(), "no other gate can take over (run --take-over)");
        HandOver::none()
    })
}

fn say_counts(counts: &Counts) {
    for (reason, callbacks) in counts.iter() {
        tracing::info!(reason = reason.code(), callbacks, "callbacks by reason since the start");
    }
}
