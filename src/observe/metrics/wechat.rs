//! What WeChat Pay is asked, and how it answers.

use super::Histogram;
use super::SigningMeters;
use super::labels::{HostLabel, MerchantLabel, QueryLabels};
use crate::domain::order::MerchantId;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Duration;

/// Every query of this process. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct QueryMeters {
    queries: Family<QueryLabels, Counter>,
    durations: Family<HostLabel, Histogram>,
    over_budget: Family<MerchantLabel, Counter>,
    signing: SigningMeters,
}

impl Default for QueryMeters {
    /// Meters that no scrape reads.
    fn default() -> Self {
        Self::new(&mut Registry::default())
    }
}

/// One query under way. One that is dropped was not needed any more.
#[derive(Debug)]
pub struct Queried<'m> {
    meters: &'m QueryMeters,
    host: Arc<str>,
    outcome: &'static str,
}

impl QueryMeters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (queries, over_budget) = (Family::default(), Family::default());
        let durations = Family::new_with_constructor(Histogram::coarse as fn() -> Histogram);
        let help = "Order queries sent to a host of WeChat Pay, by what came of them";
        registry.register("tollgate_queries", help, Family::clone(&queries));
        let help = "From sending an order query to the end of the answer, or to the failure";
        registry.register_with_unit("tollgate_query_duration", help, Unit::Seconds, Family::clone(&durations));
        let help = "Order queries that were not sent, since the merchant's budget was used up";
        registry.register("tollgate_queries_over_budget", help, Family::clone(&over_budget));
        Self { queries, durations, over_budget, signing: SigningMeters::new(registry) }
    }

    /// Who signed what came of them, and the notifications.
    #[must_use]
    pub const fn signing(&self) -> &SigningMeters {
        &self.signing
    }

    /// A query is sent to this host.
    #[must_use]
    pub fn begin(&self, host: &Arc<str>) -> Queried<'_> {
        Queried { meters: self, host: Arc::clone(host), outcome: "abandoned" }
    }

    /// A query was not sent.
    pub fn over_budget(&self, mch_id: MerchantId) {
        self.over_budget.get_or_create(&MerchantLabel { mch_id }).inc();
    }

    /// Shows that none of a merchant's queries was held back so far.
    pub fn merchant(&self, mch_id: MerchantId) {
        drop(self.over_budget.get_or_create(&MerchantLabel { mch_id }));
    }
}

impl Queried<'_> {
    /// This came of it, after so long.
    pub fn end(mut self, outcome: &'static str, took: Duration) {
        self.outcome = outcome;
        self.meters.durations.get_or_create(&HostLabel { host: Arc::clone(&self.host) }).observe(took);
    }
}

impl Drop for Queried<'_> {
    fn drop(&mut self) {
        let labels = QueryLabels { host: Arc::clone(&self.host), outcome: self.outcome };
        self.meters.queries.get_or_create(&labels).inc();
    }
}
