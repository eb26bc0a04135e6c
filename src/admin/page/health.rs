//! How everything is that the gate depends on, for the overview.

use super::shell::Shell;
use super::show;
use super::words::fill;
use super::words::reasons::explain;
use crate::admin::{BudgetLeft, Overview};
use crate::gate::Gate;
use crate::journal::pending_orders::SourceHealth;
use crate::journal::{Figures, Replica};
use crate::provider::HostState;
use crate::upstream::health::UpstreamHealth;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Something the gate depends on.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) lines: Vec<Line>,
}

/// How a part of it is.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) mark: &'static str,
    pub(super) tone: &'static str,
    pub(super) text: String,
    pub(super) state: String,
}

impl Line {
    pub(super) fn good(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "✓", tone: "good", text: text.into(), state: state.into() }
    }

    pub(super) fn bad(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "✕", tone: "bad", text: text.into(), state: state.into() }
    }

    pub(super) fn plain(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "·", tone: "quiet", text: text.into(), state: state.into() }
    }
}

/// All of it.
pub(super) fn facts(whole: &Overview, gate: &Gate, shell: &Shell) -> Vec<Fact> {
    let words = shell.words;
    let mut facts = vec![
        Fact { name: words.wechat_hosts, lines: hosts(whole, shell) },
        Fact { name: words.upstreams, lines: upstreams(whole, shell) },
        Fact { name: words.budget, lines: budgets(whole, shell) },
        Fact { name: words.cache, lines: vec![cache(whole, gate, shell)] },
        Fact { name: words.configuration, lines: vec![configuration(whole, shell)] },
        Fact { name: words.journal, lines: vec![journal(whole, shell)] },
    ];
    let replicas = replicas(whole, shell);
    if !replicas.is_empty() {
        facts.push(Fact { name: words.replicas, lines: replicas });
    }
    if let Some(figures) = &whole.figures {
        facts.push(Fact { name: words.last_sweeps, lines: sweeps(figures, shell) });
        let sources = sources(figures, gate, shell);
        if !sources.is_empty() {
            facts.push(Fact { name: words.pending_sources, lines: sources });
        }
    }
    facts
}

fn hosts(whole: &Overview, shell: &Shell) -> Vec<Line> {
    let words = shell.words;
    let line = |(host, state): &(Arc<str>, HostState)| match state {
        HostState::Closed => Line::good(&**host, words.host_closed),
        HostState::Open => Line::bad(&**host, words.host_open),
    };
    whole.hosts.iter().map(line).collect()
}

/// Whether they take what they are sent, and how many orders wait for each.
fn upstreams(whole: &Overview, shell: &Shell) -> Vec<Line> {
    let words = shell.words;
    let line = |(health, waiting): &(UpstreamHealth, Option<u64>)| {
        let name = health.upstream.to_string();
        let waits = waiting.filter(|waiting| *waiting > 0).map(|waiting| fill(words.waits, &[&shell.orders(waiting)]));
        if let Some(since) = health.failing_since {
            return Line::bad(name, failing(health, since, waits, shell));
        }
        match (health.reason.filter(|_| health.failures > 0), waits) {
            (Some(reason), waits) => Line::bad(name, listed(explain(reason, shell.language).short, waits, shell)),
            (None, None) if health.answered_at.is_none() => Line::plain(name, words.upstream_idle),
            (None, None) => Line::good(name, words.nothing_waits),
            (None, Some(waits)) => Line::bad(name, waits),
        }
    };
    whole.upstreams.iter().map(line).collect()
}

/// Since when it takes nothing, why, when is tried again, and what waits.
fn failing(health: &UpstreamHealth, since: Timestamp, waits: Option<String>, shell: &Shell) -> String {
    let words = shell.words;
    let why = health.failure.map(|failure| match failure.status {
        Some(status) => fill(words.answered_with, &[&status.as_u16()]),
        None => explain(failure.reason, shell.language).short.to_owned(),
    });
    let left = health.next_probe_at.map(|at| Duration::try_from(at.duration_since(shell.now)).unwrap_or_default());
    let probe = left.map(|left| fill(words.next_probe, &[&show::span(left, shell.language)]));
    let parts = [why, probe, waits].into_iter().flatten();
    parts.fold(fill(words.upstream_failing, &[&shell.away(since)]), |told, part| listed(&told, Some(part), shell))
}

fn listed(told: &str, more: Option<String>, shell: &Shell) -> String {
    more.map_or_else(|| told.to_owned(), |more| fill(shell.words.and_also, &[&told, &more]))
}

fn budgets(whole: &Overview, shell: &Shell) -> Vec<Line> {
    let line = |budget: &BudgetLeft| {
        let left = fill(shell.words.budget_left, &[&budget.left, &budget.at_once]);
        let merchant = budget.mch_id.to_string();
        if budget.left == 0 { Line::bad(merchant, left) } else { Line::good(merchant, left) }
    };
    whole.budgets.iter().map(line).collect()
}

fn cache(whole: &Overview, gate: &Gate, shell: &Shell) -> Line {
    let words = shell.words;
    let meters = &gate.metrics.confirm;
    let (known, asked) = (meters.hit.so_far() + meters.coalesced.so_far(), meters.miss.so_far());
    let share = (known * 100).checked_div(known + asked).map(|share| fill(words.cache_hits, &[&format!("{share} %")]));
    let entries = fill(words.cache_entries, &[&show::count(whole.cache_entries)]);
    Line::plain(share.unwrap_or_default(), entries)
}

fn configuration(whole: &Overview, shell: &Shell) -> Line {
    let config_status = &whole.config_status;
    let number = fill(shell.words.generation, &[&config_status.number, &shell.away(config_status.since)]);
    match &config_status.refused {
        None => Line::good(number, ""),
        Some(_) => Line::bad(number, shell.words.newer_refused),
    }
}

/// Who lives and what each alone does; who is gone, and since when.
fn replicas(whole: &Overview, shell: &Shell) -> Vec<Line> {
    let words = shell.words;
    let list = &whole.replicas.list;
    let own = list.iter().find(|replica| replica.this).or_else(|| list.iter().find(|replica| replica.live));
    let own = own.map_or("", |replica| replica.config.as_str());
    let line = |replica: &Replica| {
        let Replica { host, process, version, config, generation, .. } = replica;
        let name = if replica.this { fill(words.replica_this, &[&replica.replica]) } else { replica.replica.clone() };
        if !replica.live {
            return Line::plain(name, fill(words.replica_gone, &[&shell.away(replica.seen_at)]));
        }
        let duties = (!replica.duties.is_empty()).then(|| replica.duties.join(" "));
        let differs = !own.is_empty() && !config.is_empty() && config != own;
        let config = differs.then(|| fill(words.replica_config, &[config, generation]));
        let told = fill(words.replica_at, &[host, process, version, &shell.away(replica.since)]);
        let told = listed(&listed(&told, duties, shell), config, shell);
        if differs { Line::bad(name, told) } else { Line::good(name, told) }
    };
    list.iter().map(line).collect()
}

fn journal(whole: &Overview, shell: &Shell) -> Line {
    let words = shell.words;
    let size = whole
        .figures
        .as_ref()
        .map(|figures| fill(words.journal_size, &[&show::bytes(figures.bytes), &show::bytes(figures.free_bytes)]));
    match (size, &whole.ready) {
        (Some(size), Ok(())) => Line::good(size, ""),
        (size, Err(_)) => Line::bad(size.unwrap_or_default(), words.journal_fails),
        (None, Ok(())) => Line::plain("", words.nothing_kept),
    }
}

fn sweeps(figures: &Figures, shell: &Shell) -> Vec<Line> {
    let words = shell.words;
    let swept = figures.last_sweeps.iter();
    let mut lines: Vec<_> = swept.map(|(merchant, at)| Line::good(merchant.to_string(), shell.away(*at))).collect();
    if figures.sweeps_missing > 0 {
        lines.push(Line::bad(fill(words.sweeps_missing, &[&figures.sweeps_missing]), ""));
    }
    if figures.rows_malformed > 0 {
        lines.push(Line::bad(fill(words.sweep_rows_malformed, &[&figures.rows_malformed]), ""));
    }
    if lines.is_empty() {
        lines.push(Line::plain("", words.swept_never));
    }
    lines
}

fn sources(figures: &Figures, gate: &Gate, shell: &Shell) -> Vec<Line> {
    let configured = figures.sources.iter().filter(|source| gate.expected.has_source(&source.name));
    let line = |source: &SourceHealth| match source.failures {
        0 => Line::good(source.name.clone(), source.read_at.map_or_else(String::new, |at| shell.away(at))),
        failures => Line::bad(source.name.clone(), fill("{}: {}", &[&shell.words.failures, &failures])),
    };
    configured.map(line).collect()
}
