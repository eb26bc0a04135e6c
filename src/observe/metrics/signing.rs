//! Who signed what WeChat Pay sends: which kind of key, how far its clock is away, and what was only a probe.

use super::labels::{DownloadLabel, OnLabel, SignatureLabels};
use super::words::{Download, On};
use crate::domain::order::ChannelId;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// The kinds of keys, as the provider calls them.
const PUBLIC_KEY: &str = "public-key";
const CERTIFICATE: &str = "certificate";

/// Every verified signature of this process. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct SigningMeters {
    probes: Family<OnLabel, Counter>,
    signatures: Family<SignatureLabels, Counter>,
    clock_offset: Gauge<f64, AtomicU64>,
    downloads: Family<DownloadLabel, Counter>,
    latest: Arc<Mutex<BTreeMap<(ChannelId, On), Latest>>>,
}

/// The latest verified signature of a channel on messages of one sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The key that made it, as `Wechatpay-Serial` names it.
    pub serial: Box<str>,
    /// Its kind: `public-key` or `certificate`.
    pub kind: &'static str,
    /// When it was verified.
    pub at: Timestamp,
}

/// What was verified for a channel in this process, on messages of one sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// On which.
    pub on: On,
    /// How many the public key has signed.
    pub by_public_key: u64,
    /// How many platform certificates have signed.
    pub by_certificate: u64,
    /// The latest of them.
    pub latest: Option<Latest>,
}

impl SigningMeters {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let meters = Self {
            probes: Family::default(),
            signatures: Family::default(),
            clock_offset: Gauge::default(),
            downloads: Family::default(),
            latest: Arc::default(),
        };
        // There from the start, so that the first one is seen as a rise.
        for on in On::ALL {
            drop(meters.probes.get_or_create(&OnLabel { on }));
        }
        for outcome in Download::ALL {
            drop(meters.downloads.get_or_create(&DownloadLabel { outcome }));
        }
        let help = "Wrong signatures that WeChat Pay sent on purpose, to see whether they are refused";
        registry.register("tollgate_wechat_probes", help, Family::clone(&meters.probes));
        let help = "Verified signatures of API v3, by the kind of key that made them";
        registry.register("tollgate_wechat_signatures", help, Family::clone(&meters.signatures));
        let help = "How far WeChat Pay's clock is ahead of this machine's, by the latest answer that told its time";
        let gauge = meters.clock_offset.clone();
        registry.register_with_unit("tollgate_wechat_clock_offset", help, Unit::Seconds, gauge);
        let help = "Downloads of platform certificates, by what they came to";
        registry.register("tollgate_wechat_certificate_downloads", help, Family::clone(&meters.downloads));
        meters
    }

    /// Shows that nothing was verified for a channel so far.
    pub fn channel(&self, channel: ChannelId) {
        for on in On::ALL {
            for kind in [PUBLIC_KEY, CERTIFICATE] {
                drop(self.signatures.get_or_create(&SignatureLabels { channel, on, kind }));
            }
        }
    }

    /// A signature of the key with this serial was verified; `kind` is `public-key` or `certificate`.
    pub fn signed(&self, channel: ChannelId, on: On, kind: &'static str, serial: &str, at: Timestamp) {
        self.signatures.get_or_create(&SignatureLabels { channel, on, kind }).inc();
        let mut latest = self.latest.lock();
        let known = latest.entry((channel, on)).or_insert_with(|| Latest { serial: serial.into(), kind, at });
        known.at = at;
        if *known.serial != *serial {
            (known.serial, known.kind) = (serial.into(), kind);
        }
    }

    /// A signature was one of WeChat Pay's probes.
    pub fn probe(&self, on: On) {
        self.probes.get_or_create(&OnLabel { on }).inc();
    }

    /// WeChat Pay's clock is ahead of this machine's by so many seconds; behind it, where they are negative.
    pub fn clock_offset(&self, seconds: f64) {
        self.clock_offset.set(seconds);
    }

    /// Platform certificates were asked for, and this came of it.
    pub fn downloaded(&self, outcome: Download) {
        self.downloads.get_or_create(&DownloadLabel { outcome }).inc();
    }

    /// By how many seconds WeChat Pay's clock is ahead, by the latest answer that told its time; 0 before there is one.
    #[must_use]
    pub fn clock_is_ahead(&self) -> f64 {
        self.clock_offset.get()
    }

    /// What was verified for a channel in this process.
    #[must_use]
    pub fn so_far(&self, channel: ChannelId) -> [Signed; 2] {
        let count =
            |on, kind| self.signatures.get(&SignatureLabels { channel, on, kind }).map_or(0, |counter| counter.get());
        let latest = self.latest.lock();
        On::ALL.map(|on| Signed {
            on,
            by_public_key: count(on, PUBLIC_KEY),
            by_certificate: count(on, CERTIFICATE),
            latest: latest.get(&(channel, on)).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Gauges, Metrics};
    use super::*;

    #[test]
    fn signatures_are_counted_by_kind_and_the_latest_is_remembered() {
        let metrics = Metrics::new();
        let meters = metrics.queries.signing();
        let channel = ChannelId::parse("mini").unwrap();
        meters.channel(channel);
        let at = |second| Timestamp::from_second(second).unwrap();
        meters.signed(channel, On::Notification, "certificate", "5157F09E", at(1));
        meters.signed(channel, On::Notification, "public-key", "PUB_KEY_ID_1", at(2));
        meters.signed(channel, On::Notification, "public-key", "PUB_KEY_ID_1", at(3));
        meters.probe(On::Answer);
        meters.clock_offset(-2.5);
        let [answers, notifications] = meters.so_far(channel);
        assert_eq!((answers.by_public_key, answers.by_certificate, answers.latest), (0, 0, None));
        assert_eq!((notifications.by_public_key, notifications.by_certificate), (2, 1));
        let latest = Latest { serial: "PUB_KEY_ID_1".into(), kind: "public-key", at: at(3) };
        assert_eq!(notifications.latest, Some(latest));

        let shown = metrics.expose(Format::OpenMetrics, Gauges::default()).unwrap();
        for line in [
            r#"tollgate_wechat_signatures_total{channel="mini",on="notification",kind="public-key"} 2"#,
            r#"tollgate_wechat_signatures_total{channel="mini",on="answer",kind="certificate"} 0"#,
            r#"tollgate_wechat_probes_total{on="answer"} 1"#,
            r#"tollgate_wechat_probes_total{on="notification"} 0"#,
            r#"tollgate_wechat_certificate_downloads_total{outcome="failed"} 0"#,
            "tollgate_wechat_clock_offset_seconds -2.5",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
        }
    }
}
