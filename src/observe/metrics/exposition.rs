//! The texts that Prometheus reads, and what is read off things just for one of them.

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus's own older one.
    Text,
}

impl Format {
    /// The better of those that an Accept field takes; OpenMetrics where there is none.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("text/plain") && !accept.contains("application/openmetrics-text") => {
                Self::Text
            }
            _ => Self::OpenMetrics,
        }
    }

    /// Its Content-Type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What is read off things at the moment of a scrape.
#[derive(Debug, Default)]
pub struct Gauges(Registry);

impl Gauges {
    /// A number.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    /// Numbers of a kind, told apart by labels.
    pub fn by_label<L>(&mut self, name: &'static str, help: &'static str, values: impl IntoIterator<Item = (L, f64)>)
    where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
    {
        let family = Family::<L, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    /// A number that only grows; its name ends in `_total` in the text.
    pub fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.0.register(name, help, ConstCounter::new(value));
    }

    /// Seconds and parts of them, which only grow; the name ends in `_total` in the text.
    pub fn seconds(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.0.register(name, help, ConstCounter::new(value));
    }
}

pub(super) fn write(format: Format, counted: &Registry, now: &Gauges) -> Result<String, fmt::Error> {
    let mut text = String::with_capacity(64 * 1024);
    match format {
        Format::OpenMetrics => {
            encode_registry(&mut text, counted)?;
            encode_registry(&mut text, &now.0)?;
            encode_eof(&mut text)?;
        }
        Format::Text => {
            prometheus_text::encode(&mut text, counted)?;
            prometheus_text::encode(&mut text, &now.0)?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_only_the_older_text_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (None, Format::OpenMetrics),
            (Some("*/*"), Format::OpenMetrics),
            (Some(prometheus), Format::OpenMetrics),
            (Some("text/plain;version=0.0.4"), Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
