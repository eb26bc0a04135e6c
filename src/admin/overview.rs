//! The whole at a glance, as of a moment ago: what came today, how the others are, and what is left.

use super::Admin;
use super::health::NotReady;
use super::replicas::Replicas;
use super::signing::{self, ChannelKeys};
use crate::domain::clock;
use crate::domain::config_status::ConfigStatus;
use crate::domain::order::MerchantId;
use crate::gate::Gate;
use crate::gate::channel::Channel;
use crate::journal::Figures;
use crate::journal::view::Today;
use crate::provider::{HostState, Provider};
use crate::upstream::Upstream;
use crate::upstream::health::UpstreamHealth;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The day's numbers.
#[derive(Debug)]
pub(super) struct Day {
    since: Timestamp,
    today: Arc<Today>,
}

/// The whole.
#[derive(Debug, Clone)]
pub struct Overview {
    /// When it was looked at.
    pub at: Timestamp,
    /// Midnight in Beijing, when today began.
    pub since: Timestamp,
    /// What came today; `None` if it cannot be read.
    pub today: Option<Arc<Today>>,
    /// What the journal has; `None` if it cannot be read, or there is none.
    pub figures: Option<Arc<Figures>>,
    /// Whether callbacks can be taken in.
    pub ready: Result<(), NotReady>,
    /// WeChat Pay's hosts, and whether each is asked in its turn.
    pub hosts: Vec<(Arc<str>, HostState)>,
    /// What each merchant may still ask.
    pub budgets: Vec<BudgetLeft>,
    /// Findings that are remembered.
    pub cache_entries: u64,
    /// The legacy systems, each with how many orders wait for it, if that can be read.
    pub upstreams: Vec<(UpstreamHealth, Option<u64>)>,
    /// Which keys sign, of each channel that has any.
    pub signing: Vec<ChannelKeys>,
    /// By how many seconds WeChat Pay's clock is ahead of this machine's; `None` before an answer has told.
    pub clock_is_ahead: Option<f64>,
    /// The gates that share the journal; none where it has one, or while they cannot be read.
    pub replicas: Replicas,
    /// Which configuration is in force.
    pub config_status: ConfigStatus,
    /// The gate's first whole day, in Beijing; `None` if it cannot be read, or there is no journal.
    pub gate_since: Option<Date>,
}

/// What a merchant may still ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLeft {
    /// The merchant.
    pub mch_id: MerchantId,
    /// Queries that can be sent at once now.
    pub left: u32,
    /// How many can be when none was for a while.
    pub at_once: u32,
    /// How many are added in a second.
    pub per_second: u32,
}

impl Admin {
    /// The whole at a glance. What cannot be read is left out.
    pub async fn overview(&self) -> Overview {
        let at = clock::now();
        let since = midnight(at);
        let figures = self.figures().await.map(|(figures, _)| figures);
        let gate = self.gate.gate();
        let budget = |channel: &Channel| {
            let (mch_id, provider) = (channel.account.payee().merchant, channel.account.provider());
            let (left, at_once) = provider.queries_left(&mch_id);
            (mch_id, BudgetLeft { mch_id, left, at_once, per_second: provider.queries_per_second() })
        };
        let budgets: BTreeMap<MerchantId, BudgetLeft> = gate.channels.iter().map(|channel| budget(channel)).collect();
        let waiting = |health: UpstreamHealth| {
            let waiting = figures.as_ref().map(|figures| waiting(figures, &gate, &health.upstream));
            (health, waiting)
        };
        let signing = signing::by_channel(&gate);
        let upstreams = gate.forward.health().into_iter().map(waiting).collect();
        Overview {
            at,
            since,
            today: self.today(since).await,
            figures,
            ready: self.ready().await,
            hosts: gate.channels.providers().flat_map(Provider::hosts).collect(),
            budgets: budgets.into_values().collect(),
            cache_entries: gate.confirm.remembered(),
            upstreams,
            clock_is_ahead: signing::clock_is_ahead(&gate, &signing),
            signing,
            replicas: self.replicas().await.unwrap_or_default(),
            config_status: self.config_status(),
            gate_since: self.gate_since().await,
        }
    }

    /// What came since midnight, as of a moment ago.
    async fn today(&self, since: Timestamp) -> Option<Arc<Today>> {
        let archive = self.archive.clone()?;
        let counting = async move { Ok(Day { since, today: Arc::new(archive.today(since).await?) }) };
        let (day, _) = self.day.get(|day| day.since == since, counting).await.read?;
        Some(Arc::clone(&day.today))
    }
}

/// How many orders wait for an upstream.
pub(super) fn waiting(figures: &Figures, gate: &Gate, upstream: &Upstream) -> u64 {
    let its =
        |(channel, _): &&(_, u64)| gate.channels.get(channel).is_some_and(|channel| channel.upstream == *upstream);
    figures.waiting.iter().filter(its).map(|(_, orders)| orders).sum()
}

/// When the day began in Beijing.
fn midnight(at: Timestamp) -> Timestamp {
    clock::from_beijing(clock::beijing(at).date().at(0, 0, 0, 0)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_midnight_in_beijing() {
        for (at, began) in
            [("2026-11-24T15:59:59.999Z", "2026-11-23T16:00:00Z"), ("2026-11-24T16:00:00Z", "2026-11-24T16:00:00Z")]
        {
            assert_eq!(midnight(at.parse().unwrap()), began.parse().unwrap(), "{at}");
        }
    }
}
