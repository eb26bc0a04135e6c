//! The one assembly: builds everything from a checked config, and runs it until told to stop.

use crate::config::Config;
use crate::gate::channel::Channels;
use crate::gate::confirm::{Confirm, Life};
use crate::gate::delivery::Deliveries;
use crate::gate::forward::Forward;
use crate::gate::route::Routes;
use crate::gate::sender::Senders;
use crate::gate::stamp::Stamp;
use crate::gate::{Counts, Gate};
use crate::server::{self, tls::Tls};
use crate::shutdown::{Drained, Shutdown};
use crate::wechat::{self, WeChatPay};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The gate, bound and ready.
#[derive(Debug)]
pub struct App {
    gate: Arc<Gate>,
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
    /// The socket.
    #[error("cannot listen on {0}: is another program, or a second gate, using the port?")]
    Bind(SocketAddr, #[source] std::io::Error),
}

/// How often addresses that have been quiet are forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Configurations are counted from here; a reload will count on.
const FIRST_GENERATION: u32 = 1;

impl App {
    /// Builds every part and binds the socket.
    ///
    /// # Errors
    /// If a part cannot be built or the address cannot be bound.
    pub fn build(config: Config) -> Result<Self, BuildError> {
        let tls = config.tls.as_ref().map(|files| Tls::load(&files.cert, &files.key)).transpose()?;
        let limits = config.limits.server;
        let grace = config.shutdown_grace;
        let addr = config.listen;
        let gate = Arc::new(gate(config)?);
        let listener = server::bind(addr).map_err(|error| BuildError::Bind(addr, error))?;
        Ok(Self { gate, listener, tls, limits, grace })
    }

    /// Where callbacks arrive, as a URL with the real port.
    ///
    /// # Errors
    /// If the system does not know its own socket.
    pub fn url(&self) -> std::io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until `signal` comes, then drains: no new connections, requests under way finish, at most
    /// `shutdown_grace` and no longer than until `signal` comes again.
    pub async fn run(self, mut signal: impl AsyncFnMut()) -> Drained {
        let shutdown = Shutdown::new();
        let serving = server::run(self.listener, self.tls, self.limits, Arc::clone(&self.gate), shutdown.clone());
        let serving = tokio::spawn(serving);
        let keeping_house = tokio::spawn(keep_house(Arc::clone(&self.gate)));
        signal().await;
        tracing::info!(grace_s = self.grace.as_secs(), "stopping: requests under way finish");
        let drained = shutdown.drain(self.grace, signal()).await;
        keeping_house.abort();
        serving.abort();
        say_counts(&self.gate.counts);
        drained
    }
}

fn gate(config: Config) -> Result<Gate, BuildError> {
    let upstreams: Vec<_> = config.channels.iter().map(|channel| channel.upstream.clone()).collect();
    let upstreams = upstreams.into_iter().chain([config.upstream.clone()]);
    let life = Life { paid: config.cache.paid, pending: config.cache.pending };
    let wechat = Arc::new(WeChatPay::new(&config.wechat)?);
    Ok(Gate {
        routes: Routes::new(config.routes),
        senders: Senders::new(config.forwarding.trusted_proxies, config.limits.rate_per_address),
        confirm: Confirm::new(wechat, FIRST_GENERATION, config.cache.capacity, life, config.confirm_deadline),
        stamp: Stamp::new(config.headers, config.forwarding.host),
        deliveries: Deliveries::new(usize::try_from(config.cache.capacity).unwrap_or(usize::MAX)),
        forward: Forward::new(upstreams, config.forwarding.connect).map_err(BuildError::UpstreamTls)?,
        channels: Channels::new(config.channels),
        upstream: config.upstream,
        mode: config.mode,
        deadline: config.deadline,
        counts: Counts::default(),
    })
}

async fn keep_house(gate: Arc<Gate>) {
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        gate.senders.forget_quiet();
    }
}

fn say_counts(counts: &Counts) {
    for (reason, callbacks) in counts.iter() {
        tracing::info!(reason = reason.code(), callbacks, "callbacks by reason since the start");
    }
}
