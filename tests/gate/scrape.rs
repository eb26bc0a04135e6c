//! What Prometheus reads, read strictly: OpenMetrics 1.0 as its specification has it, as far as the gate uses it.

use crate::harness::World;
use std::collections::{BTreeMap, BTreeSet};

/// One scrape.
pub struct Scrape {
    types: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

type Labels = BTreeMap<String, String>;

impl World {
    /// Scrapes the gate once.
    pub fn scrape(&self) -> Scrape {
        let answer = self.admin_get("/metrics");
        assert_eq!(answer.status(), 200, "{}", answer.text());
        Scrape::read(&answer.text())
    }
}

impl Scrape {
    /// Reads a text; what is no OpenMetrics is a panic that says why.
    pub fn read(text: &str) -> Self {
        let lines = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("does not end with # EOF: {text}"));
        let mut scrape = Self { types: BTreeMap::new(), samples: BTreeMap::new() };
        let mut family = None;
        for line in lines.split_terminator('\n') {
            if let Some(described) = line.strip_prefix("# ") {
                let words: Vec<_> = described.splitn(3, ' ').collect();
                match words[..] {
                    ["TYPE", name, kind] => {
                        assert!(["counter", "gauge", "histogram", "info"].contains(&kind), "{line}");
                        assert!(scrape.types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
                        family = Some((name.to_owned(), kind.to_owned()));
                    }
                    ["HELP", _, help] => assert!(help.ends_with('.'), "{line}"),
                    ["UNIT", name, unit] => assert!(name.ends_with(&format!("_{unit}")), "{line}"),
                    _ => panic!("neither TYPE, HELP nor UNIT: {line}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
            let (family, kind) = family.as_ref().unwrap_or_else(|| panic!("before any TYPE: {line}"));
            let suffix = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("not of {family}: {line}"));
            let fits = match kind.as_str() {
                "counter" => suffix == "_total",
                "info" => suffix == "_info",
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                _ => suffix.is_empty(),
            };
            assert!(fits, "no sample of a {kind}: {line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(kind == "gauge" || value >= 0.0, "below nothing: {line}");
            let key = (name.to_owned(), labels.map(pairs).unwrap_or_default());
            assert!(scrape.samples.insert(key, value).is_none(), "twice: {line}");
        }
        scrape.buckets_add_up();
        scrape
    }

    fn buckets_add_up(&self) {
        let mut last: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            let Some(family) = name.strip_suffix("_bucket").filter(|family| self.types.contains_key(*family)) else {
                continue;
            };
            let mut labels = labels.clone();
            let bound = labels.remove("le").unwrap();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
            last.entry((family.to_owned(), labels)).or_default().push((bound, *value));
        }
        for ((family, labels), mut buckets) in last {
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|bucket| bucket.1), "{family}: not cumulative");
            let (bound, all) = buckets[buckets.len() - 1];
            assert!(bound.is_infinite(), "{family}: no +Inf");
            assert_eq!(self.samples.get(&(format!("{family}_count"), labels)), Some(&all), "{family}");
        }
    }

    /// The sum of what has this name and these labels, whatever others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).map(|(_, value)| value).sum()
    }

    /// The one sample that has this name and these labels.
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<_> = self.series(name, labels).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].1
    }

    /// What has this name and these labels.
    pub fn series<'s>(&'s self, name: &'s str, labels: &'s [(&str, &str)]) -> impl Iterator<Item = (&'s Labels, f64)> {
        let fits = move |found: &Labels| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|found| found == value))
        };
        let named = self.samples.iter().filter(move |((found, labels), _)| found == name && fits(labels));
        named.map(|((_, labels), value)| (labels, *value))
    }

    /// Every name of a family, by which a query can ask.
    pub fn families(&self) -> impl Iterator<Item = (&str, &str)> {
        self.types.iter().map(|(name, kind)| (name.as_str(), kind.as_str()))
    }

    /// Every value of a label, with the label.
    pub fn label_values(&self) -> BTreeSet<(String, String)> {
        self.samples.keys().flat_map(|(_, labels)| labels.clone()).collect()
    }

    /// The law of the callbacks: whatever was received is in flight, or has ended one way. Holds of any scrape.
    pub fn adds_up(&self) {
        let received = self.one("tollgate_callbacks_received_total", &[]);
        let ended = self.sum("tollgate_callback_outcomes_total", &[]);
        let in_flight = self.one("tollgate_callbacks_in_flight", &[]);
        assert_eq!(received, in_flight + ended, "received, and in flight or ended");
        assert_eq!(self.sum("tollgate_callbacks_total", &[]), ended, "by reason, and by outcome");
        let taken_in = self.sum("tollgate_journal_entries_created_total", &[]);
        let there = self.sum("tollgate_journal_entries", &[]);
        assert_eq!(taken_in, there + self.sum("tollgate_journal_forgotten_total", &[]), "the journal's entries");
    }

    /// How many callbacks ended so.
    pub fn outcome(&self, outcome: &str) -> f64 {
        self.one("tollgate_callback_outcomes_total", &[("outcome", outcome)])
    }
}

fn pairs(text: &str) -> Labels {
    let mut labels = Labels::new();
    let mut rest = text.strip_suffix('}').unwrap_or_else(|| panic!("no end of labels: {text}"));
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {rest}"));
        let mut text = String::new();
        let mut chars = value.char_indices();
        let end = loop {
            match chars.next().unwrap_or_else(|| panic!("no end of a label: {rest}")) {
                (at, '"') => break at,
                (_, '\\') => text.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, escaped @ ('"' | '\\'))) => escaped,
                    other => panic!("no escape: {other:?}"),
                }),
                (_, other) => text.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), text).is_none(), "a label twice: {rest}");
        rest = value[end + 1..].trim_start_matches(',');
    }
    labels
}
