//! What is sent to the legacy systems, and what comes of it.

use super::Histogram;
use super::labels::{ChannelLabel, UpstreamRequestLabels};
use crate::domain::order::ChannelId;
use crate::domain::quick_map::QuickMap;
use crate::domain::reason::Reason;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};
use std::sync::OnceLock;
use std::time::Duration;

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The upstream took it.
    Accepted,
    /// It answered, and not as the route's `accepted` wants it.
    NotAccepted,
    /// It did not answer, for this reason.
    Failed(Reason),
}

impl Sent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotAccepted => Reason::NotAccepted.code(),
            Self::Failed(reason) => reason.code(),
        }
    }
}

/// Everything sent in this process.
#[derive(Debug)]
pub(super) struct Upstreams {
    requests: Family<UpstreamRequestLabels, Counter>,
    resent: Family<ChannelLabel, Counter>,
    durations: Family<ChannelLabel, Histogram>,
}

/// What of it is counted for the channels of one configuration.
#[derive(Debug)]
pub struct UpstreamMeters {
    requests: Family<UpstreamRequestLabels, Counter>,
    durations: Family<ChannelLabel, Histogram>,
    known: QuickMap<ChannelId, Channel>,
    no_channel: Channel,
}

#[derive(Debug)]
struct Channel {
    /// From its first callback on: a scrape with those of thousands of silent channels would be of megabytes.
    duration: OnceLock<Histogram>,
    /// Almost everything.
    accepted: Counter,
    resent: Counter,
}

/// What the almost everything is sent for.
const CALLBACK: &str = "callback";

impl Upstreams {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let durations = Family::new_with_constructor(Histogram::coarse as fn() -> Histogram);
        let help = "Callbacks sent to the upstream, by what they were sent for and what came of it";
        registry.register("tollgate_upstream_requests", help, Family::clone(&requests));
        let resent = Family::default();
        let help = "Callbacks sent once more since the upstream closed a kept connection under them";
        registry.register("tollgate_upstream_resent", help, Family::clone(&resent));
        let help = "From sending a callback to the end of the upstream's answer";
        registry.register_with_unit("tollgate_upstream_duration", help, Unit::Seconds, Family::clone(&durations));
        Self { requests, resent, durations }
    }
}

impl UpstreamMeters {
    pub(super) fn new(all: &Upstreams, channels: impl IntoIterator<Item = ChannelId>) -> Self {
        let of = |channel| {
            let labels = UpstreamRequestLabels { channel, origin: CALLBACK, result: Sent::Accepted.as_str() };
            Channel {
                duration: OnceLock::new(),
                accepted: all.requests.get_or_create_owned(&labels),
                resent: all.resent.get_or_create_owned(&ChannelLabel { channel }),
            }
        };
        let known = channels.into_iter().map(|channel| (channel, of(Some(channel)))).collect();
        Self { requests: all.requests.clone(), durations: all.durations.clone(), known, no_channel: of(None) }
    }

    /// A callback was sent, for `origin`, and this came of it.
    pub fn sent(&self, channel: Option<ChannelId>, origin: &'static str, sent: Sent, took: Duration) {
        let (channel, meters) = self.of(channel);
        let duration = || self.durations.get_or_create_owned(&ChannelLabel { channel });
        meters.duration.get_or_init(duration).observe(took);
        if origin == CALLBACK && sent == Sent::Accepted {
            meters.accepted.inc();
        } else {
            self.requests.get_or_create(&UpstreamRequestLabels { channel, origin, result: sent.as_str() }).inc();
        }
    }

    /// A callback is sent once more, as another attempt: the kept connection that it was sent on ended unanswered.
    pub fn resent(&self, channel: Option<ChannelId>) {
        self.of(channel).1.resent.inc();
    }

    /// What of it is counted for a channel, and the channel if it is configured.
    fn of(&self, channel: Option<ChannelId>) -> (Option<ChannelId>, &Channel) {
        let known = channel.and_then(|channel| Some((channel, self.known.get(&channel)?)));
        known.map_or((None, &self.no_channel), |(channel, meters)| (Some(channel), meters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::{Format, Gauges, Metrics};

    #[test]
    fn a_channel_has_its_durations_shown_from_its_first_callback_on() {
        let metrics = Metrics::new();
        let shop = ChannelId::parse("shop").unwrap();
        let meters = metrics.upstreams([shop, ChannelId::parse("other").unwrap()]);
        meters.sent(Some(shop), CALLBACK, Sent::Accepted, Duration::from_millis(3));
        let text = metrics.expose(Format::OpenMetrics, Gauges::default()).unwrap();
        let shows = |line: &str| text.lines().any(|shown| shown == line);
        assert!(shows(r#"tollgate_upstream_duration_seconds_count{channel="shop"} 1"#));
        assert!(shows(r#"tollgate_upstream_resent_total{channel="other"} 0"#));
        assert!(!text.contains(r#"_duration_seconds_count{channel="other"}"#));
    }
}
