//! What one configuration builds: the gate and what runs beside it. What must outlive a configuration is handed on from
//! the services before.

use super::BuildError;
use crate::app::housekeeping::Housekeeping;
use crate::app::sharing::Sharing;
use crate::config::{Config, Forwarding};
use crate::domain::config_status;
use crate::follow_up::{FollowUp, RetryBudgets};
use crate::gate::Gate;
use crate::gate::channel::{Channel, Channels};
use crate::gate::confirm::{Confirm, Ttl};
use crate::gate::expected::Expected;
use crate::gate::records::{First, Records};
use crate::gate::route::Routes;
use crate::gate::sender::Senders;
use crate::gate::stamp::Stamp;
use crate::journal::{self, Journal};
use crate::observe::metrics::Metrics;
use crate::observe::traces::Traces;
use crate::provider::wechat::Service;
use crate::reconcile::bill::Sweeper;
use crate::reconcile::pending_orders::{Known, PendingOrders};
use crate::upstream::Forward;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The gate and the services beside it, not listening to anybody.
#[derive(Debug)]
pub struct Services {
    /// The request flow.
    pub gate: Arc<Gate>,
    /// What goes on after the reply, if there is a journal.
    pub follow_up: Option<Arc<FollowUp>>,
    /// What looks for paid orders in the bill, if there is a journal.
    pub sweeper: Option<Arc<Sweeper>>,
    /// What reads pending orders, if there is a journal.
    pub pending: Option<Arc<PendingOrders>>,
    /// What is done from time to time.
    pub housekeeping: Arc<Housekeeping>,
    /// Who is asked.
    pub wechat: Arc<Service>,
}

/// Days for which WeChat Pay has bills: three months.
const BILLS_ARE_KEPT: u16 = 90;

impl Services {
    /// Builds every part, and opens the journal for this process alone. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If a part cannot be built.
    pub async fn build(config: Config, metrics: Arc<Metrics>) -> Result<Self, BuildError> {
        let journal = match &config.journal {
            Some(file) => Some(journal::open(&file.settings, metrics.journal.clone()).await?),
            None => None,
        };
        Self::with(config, journal, metrics)
    }

    /// Builds every part, with a journal that was opened before.
    ///
    /// # Errors
    /// If a part cannot be built.
    pub(super) fn with(config: Config, journal: Option<Journal>, metrics: Arc<Metrics>) -> Result<Self, BuildError> {
        Self::of(config, journal, None, config_status::FIRST, metrics)
    }

    /// Builds what follows these services under another configuration, the one of this number. They have the same
    /// journal, and what was found out and is still true is known to them.
    ///
    /// # Errors
    /// If a part cannot be built. These services are as they were then.
    pub fn succeed(&self, config: Config, number: u32) -> Result<Self, BuildError> {
        let (journal, metrics) = (self.housekeeping.journal.clone(), Arc::clone(&self.gate.metrics));
        Self::of(config, journal, Some(self), number, metrics)
    }

    fn of(
        mut config: Config,
        journal: Option<Journal>,
        before: Option<&Self>,
        number: u32,
        metrics: Arc<Metrics>,
    ) -> Result<Self, BuildError> {
        let wechat = Arc::clone(&config.wechat);
        wechat.connect(before.map(|before| &*before.wechat), &metrics.queries)?;
        for channel in &mut config.channels {
            channel.generation = before.and_then(|before| asked_so_since(&before.gate, channel)).unwrap_or(number);
        }
        let keep = config.journal.as_ref().map_or(Duration::MAX.into(), |journal| journal.keep);
        let reach = u16::try_from(keep.entries.as_secs() / (24 * 3600)).unwrap_or(u16::MAX).min(BILLS_ARE_KEPT);
        let (follow_up, queries) = (config.follow_up.clone(), wechat.settings().queries_per_second);
        let upstreams: Vec<_> = config.channels.iter().map(|channel| channel.upstream.clone()).collect();
        let (plans, sources) = (std::mem::take(&mut config.sweeps), std::mem::take(&mut config.pending_orders));
        let budgets_before = before.and_then(|before| Some(&before.follow_up.as_ref()?.budgets));
        let (goes_on, before) = (before.is_some(), before.map(|before| &*before.gate));
        let gate = Arc::new(gate(config, journal.clone(), before, metrics)?);
        let with_journal = || journal.clone().map(|journal| (Arc::clone(&gate), journal));
        let sweeper = with_journal().map(|(gate, journal)| Arc::new(Sweeper { gate, journal, plans, reach }));
        let pending = with_journal().map(|(gate, journal)| Arc::new(PendingOrders { gate, journal, sources }));
        let follow_up = with_journal().map(|(gate, journal)| {
            let budgets = RetryBudgets::new(upstreams, follow_up.concurrency, follow_up.pace, queries, budgets_before);
            Arc::new(FollowUp {
                gate,
                queue: journal.queue,
                ask_again: follow_up.ask_again,
                redeliver: follow_up.redeliver,
                concurrency: follow_up.concurrency,
                upstream_timeout: follow_up.upstream_timeout,
                probe: follow_up.probe,
                budgets,
            })
        });
        let shared = journal.as_ref().and_then(|journal| journal.shared.clone());
        let sharing = shared.zip(follow_up.clone()).map(|(shared, follow_up)| {
            let sharing = Sharing { shared, wechat: Arc::clone(&wechat), follow_up };
            sharing.begin();
            sharing
        });
        let housekeeping = Arc::new(Housekeeping {
            gate: Arc::clone(&gate),
            journal,
            keep,
            goes_on,
            is_recalled: AtomicBool::new(goes_on),
            sharing,
        });
        Ok(Self { gate, follow_up, sweeper, pending, housekeeping, wechat })
    }
}

/// The configuration since which a channel's account is asked as it is now, if it was before.
fn asked_so_since(before: &Gate, channel: &Channel) -> Option<u32> {
    let fingerprint = channel.account.fingerprint();
    let before = before.channels.get(&channel.id).filter(|before| before.account.fingerprint() == fingerprint)?;
    Some(before.generation)
}

fn gate(
    config: Config,
    journal: Option<Journal>,
    before: Option<&Gate>,
    metrics: Arc<Metrics>,
) -> Result<Gate, BuildError> {
    let channels = || config.channels.iter().map(|channel| channel.id);
    let counts = metrics.counts(config.routes.iter().map(|route| route.name.as_str()), channels());
    let sent = metrics.upstreams(channels());
    config.channels.iter().for_each(|channel| metrics.queries.merchant(channel.account.payee().merchant));
    let signed = config.channels.iter().filter(|channel| !channel.account.keys().is_empty());
    signed.for_each(|channel| metrics.queries.signing().channel(channel.id));
    let upstreams: Vec<_> = config.channels.iter().map(|channel| channel.upstream.clone()).collect();
    let upstreams = upstreams.into_iter().chain([config.upstream.clone()]);
    let Forwarding { connect, keep_alive, host, trusted_proxies: proxies } = config.forwarding;
    let forward = Forward::new(upstreams, connect, keep_alive, before.map(|before| &before.forward))
        .map_err(BuildError::UpstreamTls)?;
    let rate = config.limits.rate_per_address;
    let senders = match before.filter(|before| before.senders.is_for(&proxies, rate)) {
        Some(before) => Arc::clone(&before.senders),
        None => Arc::new(Senders::new(proxies, rate)),
    };
    let ttl = Ttl { paid: config.cache.paid, pending: config.cache.pending };
    let confirm_before = before.map(|before| &before.confirm);
    let confirm = Confirm::new(config.cache.capacity, ttl, config.confirm_deadline, confirm_before, &metrics);
    let first = First { ask: config.follow_up.ask_again.first(), deliver: config.follow_up.redeliver.first() };
    let capacity = usize::try_from(config.cache.capacity).unwrap_or(usize::MAX);
    let is_shared = journal.as_ref().is_some_and(|journal| journal.shared.is_some());
    let expected = if is_shared { Expected::of_several(capacity) } else { Expected::default() };
    let records = match before {
        Some(before) => before.records.under(capacity, first, &config.channels),
        None => Records::new(journal, capacity, first, &config.channels),
    };
    let traces = match before.filter(|before| before.traces.settings() == config.traces.as_ref()) {
        Some(before) => before.traces.clone(),
        None => Traces::begin(config.traces.as_ref())?,
    };
    Ok(Gate {
        routes: Routes::new(config.routes),
        senders,
        familiar: before.map_or_else(Arc::default, |before| Arc::clone(&before.familiar)),
        confirm,
        stamp: Stamp::new(config.headers, host),
        expected: before.map_or_else(|| Arc::new(expected), |before| Arc::clone(&before.expected)),
        records,
        forward,
        channels: Channels::new(config.channels),
        upstream: config.upstream,
        mode: config.mode,
        deadline: config.deadline,
        metrics,
        counts,
        sent,
        traces,
    })
}

/// How soon it is tried again to know what sources of pending orders said before.
const RECALL_AGAIN: Duration = Duration::from_secs(1);

/// As [`recall`], but where several gates write that down it is tried until it is known.
pub(super) async fn recall_at_last(pending: &PendingOrders) -> HashMap<String, Known> {
    if pending.journal.shared.is_none() {
        return recall(Some(pending)).await;
    }
    loop {
        if let Ok(known) = pending.recall().await {
            return known;
        }
        tokio::time::sleep(RECALL_AGAIN).await;
    }
}

/// What sources of pending orders said before: known before anything is delivered.
pub(crate) async fn recall(pending: Option<&PendingOrders>) -> HashMap<String, Known> {
    let Some(pending) = pending else { return HashMap::default() };
    pending.recall().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what sources of pending orders said before is not known");
        HashMap::default()
    })
}
