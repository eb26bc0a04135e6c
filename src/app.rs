//! The one assembly: builds everything from a checked config, and runs it until told to stop.

use crate::config::Config;
use crate::follow_up::{FollowUp, Lanes};
use crate::gate::Gate;
use crate::gate::channel::Channels;
use crate::gate::confirm::{Confirm, Life};
use crate::gate::expected::Expected;
use crate::gate::forward::Forward;
use crate::gate::record::{First, Records};
use crate::gate::route::Routes;
use crate::gate::sender::Senders;
use crate::gate::stamp::Stamp;
use crate::housekeeping::Housekeeping;
use crate::journal::Journal;
use crate::journal::sqlite::{OpenError, Sqlite};
use crate::metrics::{Counts, Metrics};
use crate::pending::{Known, PendingOrders};
use crate::server::{self, tls::Tls};
use crate::shutdown::{Drained, Shutdown};
use crate::sweep::Sweeper;
use crate::wechat::{self, WeChatPay};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The gate and what works beside it, not listening to anybody.
#[derive(Debug)]
pub struct Works {
    /// The way of a callback.
    pub gate: Arc<Gate>,
    /// What goes on after the reply, if there is a journal.
    pub follow_up: Option<Arc<FollowUp>>,
    /// What looks for paid orders in the bill, if there is a journal.
    pub sweeper: Option<Arc<Sweeper>>,
    /// What reads pending orders, if there is a journal.
    pub pending: Option<Arc<PendingOrders>>,
    /// What is done from time to time.
    pub housekeeping: Housekeeping,
}

/// The gate, bound and ready.
#[derive(Debug)]
pub struct App {
    works: Works,
    listener: TcpListener,
    tls: Option<Tls>,
    limits: server::Limits,
    grace: Duration,
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
    Tls(#[from] server::tls::TlsError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The socket.
    #[error("cannot listen on {0}: is another program, or a second gate, using the port?")]
    Bind(SocketAddr, #[source] std::io::Error),
}

/// How long the end waits for the journal to be written out.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// Days for which WeChat Pay has bills: three months.
const BILLS_ARE_KEPT: u16 = 90;

/// Configurations are counted from here; a reload will count on.
const FIRST_GENERATION: u32 = 1;

impl App {
    /// Builds every part and binds the socket. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built or the address cannot be bound.
    pub fn build(config: Config, metrics: Arc<Metrics>) -> Result<Self, BuildError> {
        let tls = config.tls.as_ref().map(|files| Tls::load(&files.cert, &files.key)).transpose()?;
        metrics.certificate("callbacks", tls.as_ref().and_then(Tls::not_after));
        let limits = config.limits.server;
        let grace = config.shutdown_grace;
        let addr = config.listen;
        let works = Works::build(config, metrics)?;
        let listener = server::bind(addr).map_err(|error| BuildError::Bind(addr, error))?;
        Ok(Self { works, listener, tls, limits, grace })
    }

    /// Where callbacks arrive, as a URL with the real port.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn url(&self) -> std::io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until `signal` comes, then drains: no new connections, requests and follow-ups under way finish, at most
    /// `shutdown_grace` and no longer than until `signal` comes again.
    pub async fn run(self, mut signal: impl AsyncFnMut()) -> Drained {
        let shutdown = Shutdown::new();
        let Works { gate, follow_up, sweeper, pending, housekeeping } = self.works;
        // Before the first callback, which is held against it.
        let recalled = recall(pending.as_deref()).await;
        if let Some(journal) = &housekeeping.journal
            && let Ok(minutes) = journal.minutes().await
        {
            gate.metrics.remember(minutes);
        }
        let minutes = housekeeping.journal.clone();
        let serving = server::run(self.listener, self.tls, self.limits, Arc::clone(&gate), shutdown.clone());
        let serving = tokio::spawn(serving);
        let keeping_house = tokio::spawn(housekeeping.run());
        if let Some(follow_up) = follow_up {
            shutdown.spawn(follow_up.run(shutdown.clone()));
        }
        if let Some(sweeper) = sweeper {
            shutdown.spawn(sweeper.run(shutdown.clone()));
        }
        if let Some(pending) = pending {
            shutdown.spawn(pending.run(recalled, shutdown.clone()));
        }
        signal().await;
        tracing::info!(grace_s = self.grace.as_secs(), "stopping: requests under way finish");
        let drained = shutdown.drain(self.grace, signal()).await;
        keeping_house.abort();
        serving.abort();
        gate.records.level();
        if let (Some(minute), Some(journal)) = (gate.metrics.end_minute(true), minutes) {
            let _ = tokio::time::timeout(WRITTEN_OUT, journal.keep_minute(minute)).await;
        }
        if tokio::time::timeout(WRITTEN_OUT, gate.records.written()).await.is_err() {
            tracing::warn!(
                "the journal was not written out in time; what it lacks is found out again at the next start"
            );
        }
        say_counts(&gate.counts);
        drained
    }
}

impl Works {
    /// Builds every part, and opens the journal for this process alone. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built.
    pub fn build(mut config: Config, metrics: Arc<Metrics>) -> Result<Self, BuildError> {
        let journal = match &config.journal {
            Some(file) => {
                let opened = Sqlite::open_measured(&file.path, file.unconfirmed, metrics.journal.clone())?;
                Some(Arc::new(opened) as Arc<dyn Journal>)
            }
            None => None,
        };
        let keep = config.journal.as_ref().map_or(Duration::MAX, |journal| journal.keep);
        let (follow_up, queries) = (config.follow_up.clone(), config.wechat.queries_per_second);
        let upstreams: Vec<_> = config.channels.iter().map(|channel| channel.upstream.clone()).collect();
        let wechat = Arc::new(WeChatPay::new(&config.wechat)?.measured(metrics.queries.clone()));
        config.channels.iter().for_each(|channel| metrics.queries.merchant(channel.account.mch_id));
        let (sweeps, sources) = (config.sweeps.clone(), std::mem::take(&mut config.pending_orders));
        let reach = u16::try_from(keep.as_secs() / (24 * 3600)).unwrap_or(u16::MAX).min(BILLS_ARE_KEPT);
        let gate = Arc::new(gate(config, Arc::clone(&wechat), journal.clone(), metrics)?);
        let housekeeping = Housekeeping { gate: Arc::clone(&gate), journal: journal.clone(), keep };
        let sweeper = journal
            .clone()
            .map(|journal| Arc::new(Sweeper { gate: Arc::clone(&gate), journal, wechat, plans: sweeps, reach }));
        let pending =
            journal.clone().map(|journal| Arc::new(PendingOrders { gate: Arc::clone(&gate), journal, sources }));
        let follow_up = journal.map(|journal| {
            let lanes = Lanes::new(upstreams, follow_up.concurrency, queries);
            Arc::new(FollowUp {
                gate: Arc::clone(&gate),
                journal,
                ask_again: follow_up.ask_again,
                redeliver: follow_up.redeliver,
                concurrency: follow_up.concurrency,
                lanes,
            })
        });
        Ok(Self { gate, follow_up, sweeper, pending, housekeeping })
    }
}

/// What sources of pending orders said before this process began: known before anything is delivered.
pub(crate) async fn recall(pending: Option<&PendingOrders>) -> HashMap<String, Known> {
    let Some(pending) = pending else { return HashMap::default() };
    pending.recall().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what sources of pending orders said before is not known");
        HashMap::default()
    })
}

fn gate(
    config: Config,
    wechat: Arc<WeChatPay>,
    journal: Option<Arc<dyn Journal>>,
    metrics: Arc<Metrics>,
) -> Result<Gate, BuildError> {
    let channels = || config.channels.iter().map(|channel| channel.id);
    let counts = metrics.counts(config.routes.iter().map(|route| route.name.as_str()), channels());
    let sent = metrics.upstreams(channels());
    let upstreams: Vec<_> = config.channels.iter().map(|channel| channel.upstream.clone()).collect();
    let upstreams = upstreams.into_iter().chain([config.upstream.clone()]);
    let life = Life { paid: config.cache.paid, pending: config.cache.pending };
    let first = First { ask: config.follow_up.ask_again.first(), deliver: config.follow_up.redeliver.first() };
    let capacity = usize::try_from(config.cache.capacity).unwrap_or(usize::MAX);
    Ok(Gate {
        routes: Routes::new(config.routes),
        senders: Senders::new(config.forwarding.trusted_proxies, config.limits.rate_per_address),
        confirm: Confirm::new(wechat, FIRST_GENERATION, config.cache.capacity, life, config.confirm_deadline, &metrics),
        stamp: Stamp::new(config.headers, config.forwarding.host),
        expected: Expected::default(),
        records: Records::new(journal, capacity, first, &config.channels),
        forward: Forward::new(upstreams, config.forwarding.connect).map_err(BuildError::UpstreamTls)?,
        channels: Channels::new(config.channels),
        upstream: config.upstream,
        mode: config.mode,
        deadline: config.deadline,
        metrics,
        counts,
        sent,
    })
}

fn say_counts(counts: &Counts) {
    for (reason, callbacks) in counts.by_reason() {
        tracing::info!(reason = reason.code(), callbacks, "callbacks by reason since the start");
    }
}
