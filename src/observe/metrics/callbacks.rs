//! How many callbacks went which way.
//!
//! A callback is counted twice: when it is received, and when it has ended. Everything that is shown of those that have
//! ended comes from one reading of the same numbers, and those received are read after them; so at any moment they add
//! up: received = in flight + forwarded + refused + retrying + parked + absorbed.

use super::Histogram;
use super::labels::{OutcomeLabel, VerdictLabels, WayLabels};
use super::outcome::Outcome;
use super::totals::{Latencies, Totals, VERDICTS};
use crate::domain::order::ChannelId;
use crate::domain::quick_map::QuickMap;
use crate::domain::reason::{Reason, Verdict};
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const OUTCOMES: usize = Outcome::ALL.len();
const REASONS: usize = Reason::ALL.len();

/// All callbacks of this process.
#[derive(Debug)]
pub struct Callbacks {
    received: AtomicU64,
    whole: Histogram,
    tallies: Mutex<BTreeMap<Place, Arc<Tally>>>,
    /// Those whose verdicts are shown before there are any.
    channels: Mutex<BTreeSet<ChannelId>>,
}

/// A route and a channel, as far as they were found.
type Place = (Option<Arc<str>>, Option<ChannelId>);

/// The callbacks of one place: by reason, and then by verdict and outcome.
#[derive(Debug)]
struct Tally([OnceLock<Box<Ways>>; REASONS]);

type Ways = [[AtomicU64; OUTCOMES]; VERDICTS];

/// One way, and how many callbacks went it.
struct Way<'p> {
    place: &'p Place,
    reason: Reason,
    verdict: Option<Verdict>,
    outcome: Outcome,
    callbacks: u64,
}

/// Where the callbacks of one configuration are counted: found by its routes and channels without a lock.
#[derive(Debug)]
pub struct Counts {
    callbacks: Arc<Callbacks>,
    routes: QuickMap<Arc<str>, OnChannels>,
    no_route: OnChannels,
}

#[derive(Debug)]
struct OnChannels {
    route: Option<Arc<str>>,
    known: QuickMap<ChannelId, OnceLock<Arc<Tally>>>,
    no_channel: OnceLock<Arc<Tally>>,
}

/// A callback that was received and has not ended. One that is dropped has ended by a fault.
#[derive(Debug)]
pub struct UnderWay<'c>(Option<&'c Counts>);

impl Callbacks {
    pub(super) fn new(whole: Histogram) -> Self {
        Self { received: AtomicU64::new(0), whole, tallies: Mutex::default(), channels: Mutex::default() }
    }

    fn tally(&self, place: Place) -> Arc<Tally> {
        let mut tallies = self.tallies.lock();
        Arc::clone(tallies.entry(place).or_insert_with(|| Arc::new(Tally(std::array::from_fn(|_| OnceLock::new())))))
    }

    fn tallies(&self) -> Vec<(Place, Arc<Tally>)> {
        let tallies = self.tallies.lock();
        tallies.iter().map(|(place, tally)| (place.clone(), Arc::clone(tally))).collect()
    }

    /// All that ended so far.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { latencies: Latencies::of(&self.whole), ..Totals::default() };
        for (place, tally) in self.tallies() {
            tally.each(&place, |way| totals.add(way.outcome, way.verdict, way.callbacks));
        }
        totals
    }
}

impl Tally {
    fn add(&self, reason: Reason, verdict: Option<Verdict>, outcome: Outcome) {
        let ways = self.0.get(reason as usize).map(|ways| ways.get_or_init(Box::default));
        let verdict = verdict.map_or(VERDICTS - 1, |verdict| verdict as usize);
        let way = ways.and_then(|ways| ways.get(verdict)).and_then(|ways| ways.get(outcome as usize));
        if let Some(way) = way {
            // Whoever sees this one also sees that it was received.
            way.fetch_add(1, Ordering::Release);
        }
    }

    fn each<'p>(&self, place: &'p Place, mut see: impl FnMut(Way<'p>)) {
        let verdicts = || Verdict::ALL.into_iter().map(Some).chain([None]);
        for (reason, ways) in Reason::ALL.iter().zip(&self.0).filter_map(|(reason, ways)| Some((reason, ways.get()?))) {
            for (verdict, ways) in verdicts().zip(ways.iter()) {
                for (outcome, way) in Outcome::ALL.into_iter().zip(ways) {
                    let callbacks = way.load(Ordering::Acquire);
                    if callbacks > 0 {
                        see(Way { place, reason: *reason, verdict, outcome, callbacks });
                    }
                }
            }
        }
    }
}

impl Counts {
    pub(super) fn new<'n>(
        callbacks: &Arc<Callbacks>,
        routes: impl IntoIterator<Item = &'n str>,
        channels: impl IntoIterator<Item = ChannelId>,
    ) -> Self {
        let channels: Vec<ChannelId> = channels.into_iter().collect();
        let on = |route| OnChannels {
            route,
            known: channels.iter().map(|channel| (*channel, OnceLock::new())).collect(),
            no_channel: OnceLock::new(),
        };
        let routes = routes.into_iter().map(Arc::from).map(|route: Arc<str>| (Arc::clone(&route), on(Some(route))));
        let (routes, no_route) = (routes.collect(), on(None));
        callbacks.channels.lock().extend(channels);
        Self { callbacks: Arc::clone(callbacks), routes, no_route }
    }

    /// One more callback was received.
    #[must_use]
    pub fn receive(&self) -> UnderWay<'_> {
        self.callbacks.received.fetch_add(1, Ordering::Relaxed);
        UnderWay(Some(self))
    }

    /// Every reason that occurred in this process, and how often.
    #[must_use]
    pub fn by_reason(&self) -> Vec<(Reason, u64)> {
        let mut reasons = [0; REASONS];
        for (place, tally) in self.callbacks.tallies() {
            tally.each(&place, |way| {
                if let Some(count) = reasons.get_mut(way.reason as usize) {
                    *count += way.callbacks;
                }
            });
        }
        Reason::ALL.iter().copied().zip(reasons).filter(|(_, count)| *count > 0).collect()
    }

    fn tally(&self, route: Option<&str>, channel: Option<ChannelId>) -> &Tally {
        let on = route.and_then(|route| self.routes.get(route)).unwrap_or(&self.no_route);
        let known = channel.and_then(|channel| Some((channel, on.known.get(&channel)?)));
        let (channel, tally) = known.map_or((None, &on.no_channel), |(channel, tally)| (Some(channel), tally));
        tally.get_or_init(|| self.callbacks.tally((on.route.clone(), channel)))
    }
}

impl UnderWay<'_> {
    /// It has ended: on this route and channel, as far as they were found, for this reason, and took so long.
    pub fn end(
        &mut self,
        route: Option<&str>,
        channel: Option<ChannelId>,
        (reason, verdict): (Reason, Option<Verdict>),
        outcome: Outcome,
        took: Duration,
    ) {
        if let Some(counts) = self.0.take() {
            counts.callbacks.whole.observe(took);
            counts.tally(route, channel).add(reason, verdict, outcome);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(counts) = self.0.take() {
            counts.tally(None, None).add(Reason::InternalError, None, Outcome::Refused);
        }
    }
}

impl Collector for Callbacks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut ways: BTreeMap<(Place, usize, Option<usize>), (WayLabels, u64)> = BTreeMap::new();
        let mut outcomes = Outcome::ALL.map(|outcome| (OutcomeLabel { outcome }, 0));
        let mut verdicts = self.verdicts();
        for (place, tally) in self.tallies() {
            tally.each(&place, |Way { place: (route, channel), reason, verdict, outcome, callbacks }| {
                let labels = || (WayLabels { route: route.clone(), channel: *channel, verdict, reason }, 0);
                let key = ((route.clone(), *channel), reason as usize, verdict.map(|verdict| verdict as usize));
                ways.entry(key).or_insert_with(labels).1 += callbacks;
                if let Some((_, count)) = outcomes.get_mut(outcome as usize) {
                    *count += callbacks;
                }
                // A probe is WeChat Pay's own, and no alert is to rise by it.
                if let Some(verdict) = verdict.filter(|_| reason != Reason::NotificationProbe) {
                    let labels = || (VerdictLabels { channel: *channel, verdict }, 0);
                    verdicts.entry((*channel, verdict as usize)).or_insert_with(labels).1 += callbacks;
                }
            });
        }
        let ended: u64 = outcomes.iter().map(|(_, count)| count).sum();
        let received = self.received.load(Ordering::Relaxed);
        let counter = MetricType::Counter;
        encoder
            .encode_descriptor("tollgate_callbacks_received", "Callbacks whose head was read.", None, counter)?
            .encode_counter::<NoLabelSet, _, u64>(&received, None)?;
        encoder
            .encode_descriptor("tollgate_callbacks_in_flight", "Those that have not ended.", None, MetricType::Gauge)?
            .encode_gauge(&received.saturating_sub(ended))?;
        let help = "Callbacks that have ended, by what had become of them then.";
        each(&mut encoder, "tollgate_callback_outcomes", help, &outcomes)?;
        let help = "The same, by where they came in, what WeChat Pay said, and why they went as they did.";
        each(&mut encoder, "tollgate_callbacks", help, ways.values())?;
        let help = "Callbacks that came to a verdict, but for probes.";
        each(&mut encoder, "tollgate_verdicts", help, verdicts.values())
    }
}

impl Callbacks {
    /// Every verdict of every configured channel, none so far: what begins at 1 is no increase to Prometheus.
    fn verdicts(&self) -> BTreeMap<(Option<ChannelId>, usize), (VerdictLabels, u64)> {
        let channels = self.channels.lock().clone();
        let all = channels.into_iter().flat_map(|channel| Verdict::ALL.map(|verdict| (Some(channel), verdict)));
        all.map(|(channel, verdict)| ((channel, verdict as usize), (VerdictLabels { channel, verdict }, 0))).collect()
    }
}

fn each<'c, L: EncodeLabelSet + 'c>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &'static str,
    counts: impl IntoIterator<Item = &'c (L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, count) in counts {
        family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::{Format, Gauges, Metrics};

    fn channel() -> ChannelId {
        ChannelId::parse("app").unwrap()
    }

    fn end(counts: &Counts, channel: Option<ChannelId>, outcome: Outcome) {
        let way = (Reason::Paid, Some(Verdict::Paid));
        counts.receive().end(Some("shop"), channel, way, outcome, Duration::from_millis(3));
    }

    fn shows(metrics: &Metrics, line: &str) -> bool {
        let text = metrics.expose(Format::OpenMetrics, Gauges::default()).unwrap();
        text.lines().any(|shown| shown == line)
    }

    #[test]
    fn what_one_configuration_counts_goes_on_under_the_next() {
        let metrics = Metrics::new();
        for routes in [&["shop"][..], &["shop", "other"]] {
            let counts = metrics.counts(routes.iter().copied(), [channel()]);
            end(&counts, Some(channel()), Outcome::Forwarded);
            end(&counts, None, Outcome::Refused);
            assert_eq!(counts.by_reason().len(), 1);
        }
        let paid = r#"tollgate_callbacks_total{route="shop",channel="app",verdict="paid",reason="paid"} 2"#;
        assert!(shows(&metrics, paid));
        assert!(shows(&metrics, r#"tollgate_callback_outcomes_total{outcome="forwarded"} 2"#));
        assert!(shows(&metrics, r#"tollgate_verdicts_total{channel="app",verdict="unknown"} 0"#));
        assert_eq!(metrics.timeline(10).last().unwrap().outcome(Outcome::Refused), 2);
    }

    #[test]
    fn names_that_are_not_configured_are_counted_as_none() {
        let metrics = Metrics::new();
        let counts = metrics.counts(["shop"], [channel()]);
        let (evil, way) = (ChannelId::parse("evil").ok(), (Reason::Paid, None));
        counts.receive().end(Some("evil"), evil, way, Outcome::Refused, Duration::ZERO);
        let counted = r#"tollgate_callbacks_total{route="",channel="",verdict="",reason="paid"} 1"#;
        assert!(shows(&metrics, counted));
    }

    #[test]
    fn a_callback_is_in_flight_until_it_ends_and_one_that_broke_off_is_a_fault() {
        let metrics = Metrics::new();
        let counts = metrics.counts(["shop"], [channel()]);
        let under_way = counts.receive();
        assert!(shows(&metrics, "tollgate_callbacks_in_flight 1"));
        drop(under_way);
        assert!(shows(&metrics, "tollgate_callbacks_in_flight 0"));
        assert_eq!(counts.by_reason(), [(Reason::InternalError, 1)]);
    }
}
