//! What is counted, for Prometheus and for the dashboard: how many callbacks went which way, and how long that took.
//!
//! Counting costs a callback a few additions: what it counts in is looked up by names that the configuration has, never
//! by anything a sender chose. What can be read off something at the moment it is asked for, such as the size of the
//! journal, is not kept here: whoever answers a scrape adds it as [`Gauges`]. `docs/metrics.md` lists every name.

mod callbacks;

mod exposition;

mod histogram;

mod journal;

mod labels;

mod outcome;

mod process;

mod signing;

mod timeline;

mod totals;

mod upstream;

mod wechat;

mod words;

pub use callbacks::{Callbacks, Counts, UnderWay};
pub use exposition::{Format, Gauges};
pub use histogram::Histogram;
pub use journal::JournalMeters;
pub use outcome::Outcome;
pub use signing::{Latest, Signed, SigningMeters};
pub use timeline::Moment;
pub use totals::{Latencies, Totals};
pub use upstream::{Sent, UpstreamMeters};
pub use wechat::{Queried, QueryMeters};
pub use words::{Download, On};

use crate::domain::clock;
use histogram::{COARSE, LATENCY};
use jiff::Timestamp;
use labels::{SourceLabel, StepLabel, WhatLabel};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use timeline::Timeline;
use tracing_appender::non_blocking::ErrorCounter;
use upstream::Upstreams;

/// Everything that is counted in this process. Reloading changes nothing of it.
pub struct Metrics {
    registry: Registry,
    callbacks: Arc<Callbacks>,
    /// What WeChat Pay is asked.
    pub queries: QueryMeters,
    /// Where findings came from.
    pub confirm: ConfirmMeters,
    /// What the journal's writer does.
    pub journal: JournalMeters,
    upstreams: Upstreams,
    follow_up_steps: Family<StepLabel, Counter>,
    follow_up_duration: Histogram,
    overrides: Family<WhatLabel, Counter>,
    timeline: Timeline,
    certificates: Mutex<BTreeMap<&'static str, Timestamp>>,
    log: OnceLock<ErrorCounter>,
    started: Timestamp,
}

/// Where what is known of an order came from, and how long that took.
#[derive(Debug, Clone)]
pub struct ConfirmMeters {
    /// The cache had it.
    pub hit: Finding,
    /// WeChat Pay was asked.
    pub miss: Finding,
    /// Another callback was asking at the same time, and both got its answer.
    pub coalesced: Finding,
}

/// Findings that came the same way.
#[derive(Debug, Clone)]
pub struct Finding {
    requests: Counter,
    duration: Histogram,
}

impl Finding {
    /// One more.
    pub fn count(&self) {
        self.requests.inc();
    }

    /// How many there were so far.
    #[must_use]
    pub fn so_far(&self) -> u64 {
        self.requests.get()
    }

    /// A callback had it after `took`.
    pub fn took(&self, took: Duration) {
        self.duration.observe(took);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted so far.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("tollgate_build", "The program", build);

        let whole = Histogram::seconds(LATENCY);
        let callbacks = Arc::new(Callbacks::new(whole.clone()));
        registry.register_collector(Box::new(Arc::clone(&callbacks)));
        let help = "From a callback's head to its answer";
        registry.register_with_unit("tollgate_callback_duration", help, Unit::Seconds, whole);

        let confirm = ConfirmMeters::new(&mut registry);
        let (follow_up_steps, follow_up_duration) = (Family::default(), Histogram::seconds(COARSE));
        let help = "Steps of the follow-up, by what they came to";
        registry.register("tollgate_follow_up_steps", help, Family::clone(&follow_up_steps));
        let help = "One step of the follow-up";
        registry.register_with_unit("tollgate_follow_up_duration", help, Unit::Seconds, follow_up_duration.clone());
        let overrides: Family<WhatLabel, Counter> = Family::default();
        // There from the start, so that the first one is seen as a rise.
        for what in ["amount", "accepted", "second-payment"] {
            drop(overrides.get_or_create(&WhatLabel { what }));
        }
        let help = "Orders that were sent because a person decided so, by what was decided";
        registry.register("tollgate_overrides", help, Family::clone(&overrides));
        Self {
            callbacks,
            queries: QueryMeters::new(&mut registry),
            confirm,
            journal: JournalMeters::new(&mut registry),
            upstreams: Upstreams::new(&mut registry),
            follow_up_steps,
            follow_up_duration,
            overrides,
            timeline: Timeline::default(),
            certificates: Mutex::default(),
            log: OnceLock::new(),
            started: clock::now(),
            registry,
        }
    }

    /// What callbacks on these routes and channels are counted in.
    #[must_use]
    pub fn counts<'n>(
        &self,
        routes: impl IntoIterator<Item = &'n str>,
        channels: impl IntoIterator<Item = crate::domain::order::ChannelId>,
    ) -> Counts {
        Counts::new(&self.callbacks, routes, channels)
    }

    /// What is sent to the upstreams of these channels is counted in.
    #[must_use]
    pub fn upstreams(&self, channels: impl IntoIterator<Item = crate::domain::order::ChannelId>) -> UpstreamMeters {
        UpstreamMeters::new(&self.upstreams, channels)
    }

    /// The follow-up has taken a step, which came to this, and took so long unless it was left to others.
    pub fn follow_up_step(&self, step: &'static str, took: Option<Duration>) {
        self.follow_up_steps.get_or_create(&StepLabel { step }).inc();
        if let Some(took) = took {
            self.follow_up_duration.observe(took);
        }
    }

    /// An order was sent because a person decided this.
    pub fn overridden(&self, what: &'static str) {
        self.overrides.get_or_create(&WhatLabel { what }).inc();
    }

    /// How long the certificate of a listener, `callbacks` or `admin`, is valid; `None` if it has none any more.
    pub fn certificate(&self, listener: &'static str, not_after: Option<Timestamp>) {
        let mut certificates = self.certificates.lock();
        match not_after {
            Some(not_after) => drop(certificates.insert(listener, not_after)),
            None => drop(certificates.remove(listener)),
        }
    }

    /// Where lines of the log are counted that were dropped since the reader was too slow. Said once, when the log
    /// begins.
    pub fn watch_log(&self, dropped: ErrorCounter) {
        let _ = self.log.set(dropped);
    }

    /// The last 24 hours, the oldest first, in stretches of so many minutes; the last one is under way.
    #[must_use]
    pub fn timeline(&self, every_minutes: u32) -> Vec<Moment> {
        self.timeline.moments(clock::now(), every_minutes, &self.callbacks.totals())
    }

    /// Ends the minute that is under way if it is over, or at once if `now` it must be; gives it back if something
    /// happened in it.
    #[must_use]
    pub fn end_minute(&self, now: bool) -> Option<Moment> {
        self.timeline.end_minute(clock::now(), now, || self.callbacks.totals())
    }

    /// What was kept of minutes before this process began.
    pub fn remember(&self, minutes: Vec<Moment>) {
        self.timeline.remember(clock::now(), minutes);
    }

    /// Everything, as Prometheus reads it, with what is read off `now`.
    ///
    /// # Errors
    /// None but a name that the format does not have, which is a fault.
    pub fn expose(&self, format: Format, mut now: Gauges) -> Result<String, fmt::Error> {
        if let Some(log) = self.log.get() {
            let help = "Lines of the log that nobody took in time";
            now.counter("tollgate_log_lines_dropped", help, log.dropped_lines() as u64);
        }
        self.expose_certificates(&mut now);
        process::expose(&mut now, self.started);
        exposition::write(format, &self.registry, &now)
    }

    fn expose_certificates(&self, now: &mut Gauges) {
        let certificates = self.certificates.lock().clone();
        let seconds = |at: &Timestamp| at.as_second() as f64;
        let today = seconds(&clock::now());
        let expiry = certificates.iter().map(|(listener, at)| ([("listener", *listener)], seconds(at)));
        let help = "When a listener's certificate expires";
        now.by_label("tollgate_tls_certificate_expiry_timestamp_seconds", help, expiry);
        let days = |at| (seconds(at) - today) / 86_400.0;
        let left = certificates.iter().map(|(listener, at)| ([("listener", *listener)], days(at)));
        now.by_label("tollgate_tls_certificate_days_left", "Days until then", left);
    }
}

impl ConfirmMeters {
    fn new(registry: &mut Registry) -> Self {
        let requests: Family<SourceLabel, Counter> = Family::default();
        let duration = Family::new_with_constructor(Histogram::coarse as fn() -> Histogram);
        let of = |source| {
            let label = SourceLabel { source };
            Finding { requests: requests.get_or_create_owned(&label), duration: duration.get_or_create_owned(&label) }
        };
        let meters = Self { hit: of("hit"), miss: of("miss"), coalesced: of("coalesced") };
        let help = "Findings about orders, by where they came from";
        registry.register("tollgate_cache_requests", help, requests);
        let help = "Until a callback's order was confirmed or not";
        registry.register_with_unit("tollgate_confirm_duration", help, Unit::Seconds, duration);
        meters
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("callbacks", &self.callbacks).finish_non_exhaustive()
    }
}
