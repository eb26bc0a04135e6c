//! `/metrics`, for Prometheus: what is counted, and what is read off the gate and the journal at that moment.
//! `docs/metrics.md` has every name.

use super::Admin;
use super::problem::Problem;
use crate::domain::clock;
use crate::domain::config_status::ConfigStatus;
use crate::domain::reason::Reason;
use crate::gate::Gate;
use crate::journal::{Census, Figures, Membership, State as EntryState};
use crate::observe::metrics::{Format, Gauges, JournalMeters};
use crate::provider::{HostState, KeyOf, Provider};
use crate::upstream::health::UpstreamHealth;
use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    match admin.scrape(format).await {
        Some(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        None => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written").into_response(),
    }
}

impl Admin {
    /// What Prometheus gets. `None` only by a fault.
    async fn scrape(&self, format: Format) -> Option<String> {
        let figures = self.figures().await;
        let (gate, config_status) = (self.gate.gate(), self.config_status());
        let has_journal = self.archive.is_some();
        let gates = self.shared.as_ref().map(|shared| (shared.membership(), shared.census()));
        // The system is asked about this process, which is no matter for those who carry callbacks.
        let writing = tokio::task::spawn_blocking(move || {
            let mut now = Gauges::default();
            configuration(&mut now, &config_status);
            let help = "By how much the system's clock is away from the gate's time, while it is not believed";
            now.gauge("tollgate_clock_away_seconds", help, clock::away().map_or(0.0, |by| by.as_secs_f64()));
            wechat(&mut now, &gate);
            upstreams(&mut now, &gate);
            if let Some((membership, census)) = &gates {
                replicas(&mut now, membership, census);
            }
            if has_journal {
                journal(&mut now, &gate.metrics.journal);
            }
            if let Some((figures, age)) = figures {
                tell(&mut now, &figures, age, &gate);
            }
            gate.metrics.expose(format, now).ok()
        });
        writing.await.ok().flatten()
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

fn configuration(now: &mut Gauges, config_status: &ConfigStatus) {
    let number = f64::from(config_status.number);
    now.gauge("tollgate_config_generation", "Configurations that were in force, with this one", number);
    let help = "Whether the latest attempt to replace the configuration succeeded";
    let refused = config_status.refused.is_some();
    now.gauge("tollgate_config_last_reload_successful", help, if refused { 0.0 } else { 1.0 });
    let help = "Since when the configuration is in force";
    now.gauge("tollgate_config_last_reload_timestamp_seconds", help, seconds(config_status.since));
}

fn wechat(now: &mut Gauges, gate: &Gate) {
    let help = "Findings about orders that are remembered";
    now.gauge("tollgate_cache_entries", help, gate.confirm.remembered() as f64);
    let open = |state| if state == HostState::Open { 1.0 } else { 0.0 };
    let hosts = gate
        .channels
        .providers()
        .flat_map(Provider::hosts)
        .map(|(host, state)| ([("host", host.to_string())], open(state)));
    let help = "Whether a host of WeChat Pay was out of reach so often that it is asked last";
    now.by_label("tollgate_wechat_breaker_open", help, hosts);
    let help = "When a merchant's own certificate ends, and the last of WeChat Pay's for it";
    let ends = certificates(gate).into_iter();
    let ends =
        ends.map(|((merchant, of), at)| ([("merchant", merchant), ("use", of.as_str().to_owned())], seconds(at)));
    now.by_label("tollgate_wechat_certificate_expiry_timestamp_seconds", help, ends);
    let help = "Order queries a second that each merchant may send";
    let budget = gate.channels.providers().map(Provider::queries_per_second).max();
    now.gauge("tollgate_query_budget_per_second", help, f64::from(budget.unwrap_or_default()));
}

/// When what a merchant's channels go by ends, of each kind: the first channel's that ends, and in a channel the last
/// certificate's.
fn certificates(gate: &Gate) -> BTreeMap<(String, KeyOf), Timestamp> {
    let mut first = BTreeMap::new();
    for channel in gate.channels.iter() {
        let mut last: BTreeMap<KeyOf, Timestamp> = BTreeMap::new();
        for (of, at) in channel.account.keys().into_iter().filter_map(|key| Some((key.of, key.ends_at?))) {
            let known = last.entry(of).or_insert(at);
            *known = at.max(*known);
        }
        let merchant = channel.account.payee().merchant.to_string();
        for (of, at) in last {
            let known = first.entry((merchant.clone(), of)).or_insert(at);
            *known = at.min(*known);
        }
    }
    first
}

/// How the order systems are.
fn upstreams(now: &mut Gauges, gate: &Gate) {
    let failing = |health: UpstreamHealth| {
        ([("upstream", health.upstream.to_string())], if health.failing_since.is_some() { 1.0 } else { 0.0 })
    };
    let help = "Whether an upstream accepts nothing, so that held orders wait but for a probe";
    now.by_label("tollgate_upstream_failing", help, gate.forward.health().into_iter().map(failing));
}

/// The gates that share the journal, as this one knows them.
fn replicas(now: &mut Gauges, membership: &Membership, census: &Census) {
    now.gauge(
        "tollgate_replicas",
        "Gates that live and share the journal, this one among them",
        membership.live as f64,
    );
    let help = "Whether another gate of this journal goes by another configuration";
    now.gauge("tollgate_replicas_config_differs", help, if census.config_differs { 1.0 } else { 0.0 });
    let help = "This machine's clock less the database's";
    now.gauge("tollgate_clock_skew_seconds", help, membership.clock_skew_ms as f64 / 1000.0);
    let help = "Whether this gate is the one that does what one alone does";
    let duties = census.duties.iter().map(|(duty, mine)| ([("duty", duty.clone())], if *mine { 1.0 } else { 0.0 }));
    now.by_label("tollgate_duty", help, duties);
    let help = "Which part of a merchant's rate of order queries is this gate's";
    let shares = census.shares.iter().map(|(merchant, share)| ([("merchant", merchant.to_string())], *share));
    now.by_label("tollgate_query_share", help, shares);
}

fn journal(now: &mut Gauges, meters: &JournalMeters) {
    let help = "Whether the journal can be written: its disk neither fails nor hangs";
    now.gauge("tollgate_journal_writable", help, if meters.is_writable() { 1.0 } else { 0.0 });
    let help = "For how long the transaction is being written that is under way";
    now.gauge("tollgate_journal_commit_under_way_seconds", help, meters.under_way().as_secs_f64());
}

/// What the journal says of itself.
fn tell(now: &mut Gauges, figures: &Figures, age: Duration, gate: &Gate) {
    let help = "How old the figures are that are read from the journal";
    now.gauge("tollgate_journal_figures_age_seconds", help, age.as_secs_f64());
    let help = "Entries that were ever created in the file";
    now.counter("tollgate_journal_entries_created", help, figures.taken_in);
    let help = "Entries that were removed";
    now.counter("tollgate_journal_forgotten", help, figures.forgotten);
    let entries = EntryState::ALL.map(|state| ([("state", state.as_str())], figures.in_state(state) as f64));
    now.by_label("tollgate_journal_entries", "Entries that are there", entries);
    let help = "Entries whose order was never confirmed as paid";
    now.gauge("tollgate_journal_unconfirmed_entries", help, figures.unconfirmed as f64);
    let help = "Bytes of their requests, head and body, as they stand in the file";
    now.gauge("tollgate_journal_unconfirmed_bytes", help, figures.unconfirmed_bytes as f64);
    now.gauge("tollgate_journal_size_bytes", "The file and its log", figures.bytes as f64);
    now.gauge("tollgate_journal_free_bytes", "What is free in the file", figures.free_bytes as f64);
    let help = "How long ago the oldest entry was taken in that the follow-up goes on with";
    let oldest = figures.oldest_unfinished.unwrap_or_default();
    now.gauge("tollgate_oldest_unfinished_seconds", help, oldest.as_secs_f64());

    let waiting = |health: UpstreamHealth| {
        let waiting = super::overview::waiting(figures, gate, &health.upstream);
        ([("upstream", health.upstream.to_string())], waiting as f64)
    };
    let help = "Orders that wait for an upstream";
    now.by_label("tollgate_upstream_waiting", help, gate.forward.health().into_iter().map(waiting));
    let help = "Orders that are paid and that the upstream has not accepted";
    now.gauge("tollgate_paid_not_accepted", help, figures.paid_not_accepted as f64);
    let waits = figures.held.iter().filter(|group| group.reason == Some(Reason::WindowOver));
    let waits: u64 = waits.filter(|group| group.state == EntryState::Delivering).map(|group| group.count).sum();
    let help = "Those of them that wait for WeChat Pay to send their notification again";
    now.gauge("tollgate_waiting_for_resend", help, waits as f64);
    let help = "How long ago the oldest of them was paid";
    let oldest = figures.oldest_not_accepted.unwrap_or_default();
    now.gauge("tollgate_oldest_not_accepted_seconds", help, oldest.as_secs_f64());
    let found = [("sweep", figures.found_by_sweep), ("pending", figures.found_by_pending)];
    let found = found.map(|(origin, orders)| ([("origin", origin)], orders as f64));
    now.by_label("tollgate_orders_found", "Paid orders that never called back, of those that are kept", found);
    let help = "Second payments of an order, of those that are kept";
    now.gauge("tollgate_second_payments", help, figures.second_payments as f64);
    let help = "Payments of orders that their source had stopped listing, of those that are kept";
    now.gauge("tollgate_paid_after_close", help, figures.paid_after_close as f64);

    let help = "Bills that a schedule wanted and that could not be compared so far";
    now.gauge("tollgate_sweeps_missing", help, figures.sweeps_missing as f64);
    let left = [("malformed", figures.rows_malformed), ("unknown-order", figures.rows_unknown)];
    let left = left.map(|(what, rows)| ([("what", what)], rows as f64));
    let help = "Rows of the bills compared in the last 24 hours that somebody has to look at";
    now.by_label("tollgate_sweep_rows_left", help, left);
    let swept = figures.last_sweeps.iter().map(|(mch_id, at)| ([("mch_id", mch_id.to_string())], seconds(*at)));
    let help = "When a merchant's bill was compared the last time";
    now.by_label("tollgate_sweep_last_success_timestamp_seconds", help, swept);
    sources(now, figures, gate);
}

/// How the sources of pending orders are that are configured.
fn sources(now: &mut Gauges, figures: &Figures, gate: &Gate) {
    let sources: Vec<_> =
        figures.sources.iter().filter(|source| gate.expected.has_source(&source.name)).cloned().collect();
    let mut each = |name, help, value: fn(&crate::journal::pending_orders::SourceHealth) -> Option<f64>| {
        let values = sources.iter().filter_map(|source| Some(([("source", source.name.clone())], value(source)?)));
        now.by_label(name, help, values);
    };
    let help = "When a source of pending orders could be read the last time";
    each("tollgate_source_last_read_timestamp_seconds", help, |source| source.read_at.map(seconds));
    let help = "How often a source could not be read since then";
    each("tollgate_source_failures", help, |source| Some(source.failures as f64));
    each("tollgate_source_orders", "Orders that it listed then", |source| Some(source.orders as f64));
    each("tollgate_source_malformed", "Rows that made no sense then", |source| Some(source.malformed as f64));
}
