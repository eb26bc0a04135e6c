//! The whole at a glance.

use super::config::Config;
use super::params::{Asked, Nothing};
use super::signing::ChannelKeys;
use crate::admin::records::{Entries, Figures, words};
use crate::admin::{self, Admin};
use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::journal::view::{Tally, Today};
use crate::provider::HostState;
use crate::upstream::health::UpstreamHealth;
use crate::upstream::standing::Failure;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// The whole at a glance, as of a moment ago.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    /// When it was looked at.
    #[schema(value_type = words::Time)]
    pub(super) at: String,
    /// Whether callbacks can be taken in.
    pub(super) ready: bool,
    /// Why not.
    pub(super) not_ready: Option<String>,
    /// What came today; null if it cannot be read.
    pub(super) today: Option<Day>,
    /// What the journal has; null if it cannot be read.
    pub(super) figures: Option<Figures>,
    /// WeChat Pay's hosts, in the order they are asked.
    pub(super) wechat_hosts: Vec<Host>,
    /// What each merchant may still ask.
    pub(super) query_budgets: Vec<Budget>,
    /// Findings that are remembered.
    pub(super) cache_entries: u64,
    /// The order systems.
    pub(super) upstreams: Vec<Upstream>,
    /// Which keys sign what WeChat Pay sends, of each channel with keys of API v3.
    pub(super) signing: Vec<ChannelKeys>,
    /// By how many seconds WeChat Pay's clock is ahead of this machine's, by the latest answer; null before there is one.
    pub(super) wechat_clock_ahead_s: Option<f64>,
    /// Which configuration is in force.
    pub(super) config: Config,
}

/// What came since midnight in Beijing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Day {
    /// When it began.
    #[schema(value_type = words::Time)]
    pub(super) since: String,
    /// Entries that were taken in, by how they stand now.
    pub(super) entries: Entries,
    /// Those of them whose payment was confirmed.
    pub(super) confirmed: u64,
    /// The same by channel.
    pub(super) by_channel: BTreeMap<String, Entries>,
    /// Why those stand as they do that are not accepted.
    pub(super) by_reason: Vec<ReasonCount>,
    /// Callbacks that were refused before they were taken in, as far as they are kept.
    pub(super) refused: Vec<ReasonCount>,
}

/// How many there are for a reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonCount {
    /// The reason.
    #[schema(value_type = words::Reason)]
    pub(super) reason: &'static str,
    /// How many.
    pub(super) count: u64,
}

/// A host of WeChat Pay.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Host {
    /// Its origin.
    pub(super) host: String,
    /// Whether it was out of reach so often that it is asked last.
    pub(super) open: bool,
}

/// What a merchant may still ask.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Budget {
    /// The merchant.
    pub(super) mch_id: String,
    /// Queries that can be sent at once now.
    pub(super) left: u32,
    /// How many can be when none was for a while.
    pub(super) at_once: u32,
    /// How many are added in a second.
    pub(super) per_second: u32,
}

/// An order system, as far as what was sent to it has shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Upstream {
    /// Its origin.
    pub(super) upstream: String,
    /// When it answered the last time, whatever it said.
    #[schema(value_type = Option<words::Time>)]
    pub(super) answered_at: Option<String>,
    /// When it did not, the last time.
    #[schema(value_type = Option<words::Time>)]
    pub(super) failed_at: Option<String>,
    /// Why.
    #[schema(value_type = Option<words::Reason>)]
    pub(super) reason: Option<&'static str>,
    /// How often it did not since it answered.
    pub(super) failures: u64,
    /// Whether it takes what it is sent.
    pub(super) state: Standing,
    /// Since when it takes nothing, if it does not.
    #[schema(value_type = Option<words::Time>)]
    pub(super) failing_since: Option<String>,
    /// When it accepted a delivery the last time, as far as this process knows.
    #[schema(value_type = Option<words::Time>)]
    pub(super) last_accepted_at: Option<String>,
    /// The latest delivery that it did not accept, as far as this process knows.
    pub(super) last_failure: Option<LastFailure>,
    /// Orders that wait for it; null if that cannot be read.
    pub(super) waiting: Option<u64>,
    /// When is tried whether it is well again, while it is failing.
    #[schema(value_type = Option<words::Time>)]
    pub(super) next_probe_at: Option<String>,
}

/// Whether an order system takes what it is sent.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Standing {
    /// As far as is known it does.
    Well,
    /// Five deliveries in a row, of three orders at least, were not accepted, and none since.
    Failing,
}

/// That a delivery was not accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastFailure {
    /// When that was known.
    #[schema(value_type = words::Time)]
    pub(super) at: String,
    /// What the order system answered, if it did.
    pub(super) status: Option<u16>,
    /// Why it does not count as taken.
    #[schema(value_type = words::Reason)]
    pub(super) reason: &'static str,
    /// What it said; null, since that is not kept.
    pub(super) text: Option<String>,
}

impl From<admin::Overview> for Overview {
    fn from(overview: admin::Overview) -> Self {
        let since = clock::rfc3339(overview.since);
        Self {
            at: clock::rfc3339(overview.at),
            ready: overview.ready.is_ok(),
            not_ready: overview.ready.err().map(|why| why.to_string()),
            today: overview.today.map(|today| Day::new(since, &today)),
            figures: overview.figures.map(|figures| (&*figures).into()),
            wechat_hosts: overview
                .hosts
                .into_iter()
                .map(|(host, state)| Host { host: host.to_string(), open: state == HostState::Open })
                .collect(),
            query_budgets: overview
                .budgets
                .into_iter()
                .map(|admin::BudgetLeft { mch_id, left, at_once, per_second }| Budget {
                    mch_id: mch_id.to_string(),
                    left,
                    at_once,
                    per_second,
                })
                .collect(),
            cache_entries: overview.cache_entries,
            upstreams: overview.upstreams.into_iter().map(Upstream::from).collect(),
            signing: overview.signing.into_iter().map(ChannelKeys::from).collect(),
            wechat_clock_ahead_s: overview.clock_is_ahead,
            config: Config::new(overview.config_status, overview.gate_since),
        }
    }
}

impl Day {
    fn new(since: String, today: &Today) -> Self {
        let sum = |of: &dyn Fn(&Tally) -> bool| -> u64 {
            today.tallies.iter().filter(|tally| of(tally)).map(|tally| tally.entries).sum()
        };
        let entries = Entries::counted(|state| sum(&|tally| tally.state == state));
        let channels = today.tallies.iter().map(|tally| tally.channel);
        let by_channel = channels.map(|channel| {
            let entries = Entries::counted(|state| sum(&|tally| tally.state == state && tally.channel == channel));
            (channel.to_string(), entries)
        });
        let mut by_reason: BTreeMap<&'static str, u64> = BTreeMap::new();
        for tally in today.tallies.iter().filter(|tally| tally.state != crate::journal::State::Accepted) {
            if let Some(reason) = tally.reason {
                *by_reason.entry(reason.code()).or_default() += tally.entries;
            }
        }
        Self {
            since,
            entries,
            confirmed: sum(&|tally| tally.confirmed),
            by_channel: by_channel.collect(),
            by_reason: by_reason.into_iter().map(|(reason, count)| ReasonCount { reason, count }).collect(),
            refused: today
                .refused
                .iter()
                .map(|(reason, count)| ReasonCount { reason: reason.code(), count: *count })
                .collect(),
        }
    }
}

impl From<Failure> for LastFailure {
    fn from(failure: Failure) -> Self {
        Self {
            at: clock::rfc3339(failure.at),
            status: failure.status.map(|status| status.as_u16()),
            reason: failure.reason.code(),
            text: None,
        }
    }
}

impl From<(UpstreamHealth, Option<u64>)> for Upstream {
    fn from((health, waiting): (UpstreamHealth, Option<u64>)) -> Self {
        Self {
            state: if health.failing_since.is_some() { Standing::Failing } else { Standing::Well },
            failing_since: health.failing_since.map(clock::rfc3339),
            last_accepted_at: health.accepted_at.map(clock::rfc3339),
            last_failure: health.failure.map(LastFailure::from),
            waiting,
            next_probe_at: health.next_probe_at.map(clock::rfc3339),
            upstream: health.upstream.to_string(),
            answered_at: health.answered_at.map(clock::rfc3339),
            failed_at: health.failed_at.map(clock::rfc3339),
            reason: health.reason.map(Reason::code),
            failures: health.failures,
        }
    }
}

/// The whole at a glance.
///
/// What came today, what the journal has, and how WeChat Pay and the order systems are; as of a second or so ago.
#[utoipa::path(get, path = "/api/overview", tag = "gate", responses(
    (status = 200, description = "All of it; what cannot be read is null.", body = Overview)
))]
pub(super) async fn overview(State(admin): State<Arc<Admin>>, Asked(Nothing {}): Asked<Nothing>) -> Json<Overview> {
    Json(admin.overview().await.into())
}
