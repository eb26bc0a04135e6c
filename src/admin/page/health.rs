//! How everything is that the gate depends on, for the overview.

use super::shell::Shell;
use super::show;
use super::words::fill;
use crate::gate::Gate;
use crate::generation::Generation;
use crate::journal::{Figures, Record, State};
use crate::wechat::HostState;

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
    fn good(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "✓", tone: "good", text: text.into(), state: state.into() }
    }

    fn bad(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "✕", tone: "bad", text: text.into(), state: state.into() }
    }

    fn plain(text: impl Into<String>, state: impl Into<String>) -> Self {
        Self { mark: "·", tone: "quiet", text: text.into(), state: state.into() }
    }
}

/// What the gate knows without its journal.
pub(super) fn of_the_gate(gate: &Gate, generation: &Generation, shell: &Shell) -> Vec<Fact> {
    let words = shell.words;
    let hosts = gate.confirm.hosts().map(|(host, state)| match state {
        HostState::Closed => Line::good(host, words.host_closed),
        HostState::Open => Line::bad(host, words.host_open),
    });
    let meters = &gate.metrics.confirm;
    let (known, asked) = (meters.cached.so_far() + meters.joined.so_far(), meters.asked.so_far());
    let share = (known * 100).checked_div(known + asked).map(|share| fill(words.cache_hits, &[&format!("{share} %")]));
    let entries = fill(words.cache_entries, &[&show::count(gate.confirm.remembered())]);
    let number = fill(words.generation, &[&generation.number, &shell.away(generation.since)]);
    vec![
        Fact { name: words.wechat_hosts, lines: hosts.collect() },
        Fact {
            name: words.budget,
            lines: vec![Line::plain(fill(words.budget_each, &[&gate.confirm.queries_per_second()]), "")],
        },
        Fact { name: words.cache, lines: vec![Line::plain(share.unwrap_or_default(), entries)] },
        Fact {
            name: words.configuration,
            lines: vec![match &generation.refused {
                None => Line::good(number, ""),
                Some(_) => Line::bad(number, words.newer_refused),
            }],
        },
    ]
}

/// The order systems, as far as orders wait for them.
pub(super) fn of_upstreams(gate: &Gate, held: &[Record], shell: &Shell) -> Fact {
    let words = shell.words;
    let mut upstreams: Vec<(String, u64)> = Vec::new();
    for channel in gate.channels.iter() {
        let waits = |record: &&Record| record.state == State::Delivering && record.claimed.channel == channel.id;
        let waiting = held.iter().filter(waits).count() as u64;
        let name = channel.upstream.to_string();
        match upstreams.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += waiting,
            None => upstreams.push((name, waiting)),
        }
    }
    let lines = upstreams.into_iter().map(|(name, waiting)| match waiting {
        0 => Line::good(name, words.nothing_waits),
        waiting => Line::bad(name, fill(words.waits, &[&shell.orders(waiting)])),
    });
    Fact { name: words.upstreams, lines: lines.collect() }
}

/// What the journal knows.
pub(super) fn of_the_journal(gate: &Gate, figures: &Figures, shell: &Shell) -> Vec<Fact> {
    let words = shell.words;
    let size = fill(words.journal_size, &[&show::bytes(figures.bytes), &show::bytes(figures.free_bytes)]);
    let journal =
        if gate.metrics.journal.is_writable() { Line::good(size, "") } else { Line::bad(size, words.journal_fails) };
    let mut sweeps: Vec<_> =
        figures.last_sweeps.iter().map(|(merchant, at)| Line::good(merchant.to_string(), shell.away(*at))).collect();
    if figures.sweeps_missing > 0 {
        sweeps.push(Line::bad(fill(words.sweeps_missing, &[&figures.sweeps_missing]), ""));
    }
    if sweeps.is_empty() {
        sweeps.push(Line::plain("", words.swept_never));
    }
    let sources: Vec<_> = figures
        .sources
        .iter()
        .filter(|source| gate.expected.has_source(&source.name))
        .map(|source| match source.failures {
            0 => Line::good(source.name.clone(), source.read_at.map_or_else(String::new, |at| shell.away(at))),
            failures => Line::bad(source.name.clone(), fill("{}: {}", &[&words.failures, &failures])),
        })
        .collect();
    let mut facts =
        vec![Fact { name: words.journal, lines: vec![journal] }, Fact { name: words.last_sweeps, lines: sweeps }];
    if !sources.is_empty() {
        facts.push(Fact { name: words.pending_sources, lines: sources });
    }
    facts
}
