//! The overview: what is held and what to do about it, today's numbers, and how everything is that the gate depends on.

use super::chart::{Chart, Span, Stretch};
use super::health::{self, Fact};
use super::href::{encoded, order_href};
use super::notice;
use super::shell::{Chip, Shell};
use super::signing::{self, Keys};
use super::words::fill;
use super::words::reasons::explain;
use super::{Html, render, show};
use crate::admin::{self, Admin, Held, Unread};
use crate::domain::order::ChannelId;
use crate::domain::reason::{Reason, Verdict};
use crate::gate::Gate;
use crate::gate::policy::Mode;
use crate::journal::history::HeldGroup;
use crate::journal::view::{Tally, Today};
use crate::journal::{Figures, Record, State};
use askama::Template;
use axum::extract::{Query, State as Shared};
use serde::Deserialize;
use std::sync::Arc;

/// Orders that are shown of each group.
const SHOWN: usize = 5;

#[derive(Debug, Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    said: String,
    reload_refused: Option<ReloadRefused>,
    trouble: Option<String>,
    observes: bool,
    /// Whether there is a journal.
    keeps: bool,
    alarm: Option<Alarm>,
    figures: Vec<Figure>,
    held: Vec<Group>,
    chart: Option<Chart>,
    health: Vec<Fact>,
    keys: Vec<Keys>,
    channels: Vec<ChannelLine>,
    refused: Vec<RefusedLine>,
}

#[derive(Debug)]
struct ReloadRefused {
    text: String,
    problem: String,
}

/// That paid orders are not delivered.
#[derive(Debug)]
struct Alarm {
    text: String,
    /// What was paid for them, in each currency.
    sum: Option<String>,
    oldest: Option<String>,
    /// Why most of them are not, and how many that is.
    cause: Option<String>,
}

/// One of today's numbers.
#[derive(Debug)]
struct Figure {
    id: &'static str,
    name: &'static str,
    value: String,
    tone: &'static str,
    href: Option<String>,
}

/// Orders that are held for the same reason.
#[derive(Debug)]
struct Group {
    id: String,
    short: &'static str,
    chip: Chip,
    count: String,
    meaning: &'static str,
    to_do: &'static str,
    orders: Vec<HeldOrder>,
    href: String,
    all: Option<String>,
}

#[derive(Debug)]
struct HeldOrder {
    entry: i64,
    order: String,
    href: String,
    amount: Option<show::Amount>,
    age: String,
    /// Where to send it again at once, if that is what helps.
    redeliver: Option<String>,
    redeliver_label: String,
}

#[derive(Debug)]
struct ChannelLine {
    name: String,
    href: String,
    received: String,
    delivered: String,
    held: String,
    parked: String,
}

/// Callbacks that were refused for the same reason.
#[derive(Debug)]
struct RefusedLine {
    short: &'static str,
    code: &'static str,
    count: String,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    span: String,
}

/// Shows it.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell, Query(asked): Query<Asked>) -> Html {
    let shell = shell.titled_by(|words| words.overview);
    let (whole, gate) = (admin.overview().await, admin.gate.gate());
    let (held, trouble) = admin.held().await;
    render(Overview::of(&whole, &gate, held.as_deref(), trouble.as_ref(), Span::named(&asked.span), shell))
}

impl Overview {
    fn of(
        whole: &admin::Overview,
        gate: &Gate,
        held: Option<&Held>,
        trouble: Option<&Unread>,
        span: Span,
        shell: Shell,
    ) -> Self {
        let words = shell.words;
        let keeps = trouble.is_none();
        let trouble = trouble.map(|error| notice::why(error, &shell));
        let looked_at = held.map_or(&[][..], |held| &held.records);
        let held = whole.figures.as_ref().map_or(&[][..], |figures| &figures.held);
        let reload_refused = whole.config_status.refused.as_ref().map(|refused| ReloadRefused {
            text: fill(words.reload_refused, &[&shell.away(refused.at)]),
            problem: refused.problem.clone(),
        });
        let alarm = whole.figures.as_ref().and_then(|figures| alarm(figures, &shell));
        let said = match &alarm {
            Some(alarm) => alarm.text.clone(),
            None if keeps => words.all_well.to_owned(),
            None => String::new(),
        };
        let refused = whole.today.iter().flat_map(|today| &today.refused).map(|(reason, count)| RefusedLine {
            short: explain(*reason, shell.language).short,
            code: reason.code(),
            count: show::count(*count),
        });
        Self {
            said,
            reload_refused,
            trouble,
            observes: gate.mode == Mode::Observe || gate.channels.iter().any(|channel| channel.mode == Mode::Observe),
            keeps,
            alarm,
            figures: whole.today.as_ref().map_or_else(Vec::new, |today| numbers(today, &shell)),
            held: groups(held, looked_at, &shell),
            chart: Some(chart(gate, span, &shell)),
            health: health::facts(whole, gate, &shell),
            keys: signing::keys(whole, &shell),
            channels: whole.today.as_ref().map_or_else(Vec::new, |today| by_channel(today)),
            refused: refused.collect(),
            shell,
        }
    }
}

fn chart(gate: &Gate, span: Span, shell: &Shell) -> Chart {
    let moments = gate.metrics.timeline(span.minutes());
    let first = moments.len().saturating_sub(span.bars());
    let kinds = || Verdict::ALL.into_iter().map(Some).chain([None]);
    let stretches: Vec<_> = moments
        .iter()
        .skip(first)
        .map(|moment| Stretch {
            at: moment.at,
            counts: kinds().map(|kind| (kind, moment.verdict(kind))).collect(),
            p50: moment.quantile(0.5),
            p95: moment.quantile(0.95),
        })
        .collect();
    Chart::draw(&stretches, span, shell.language, shell.now)
}

fn alarm(figures: &Figures, shell: &Shell) -> Option<Alarm> {
    let words = shell.words;
    let text = match figures.paid_not_accepted {
        0 => return None,
        1 => words.not_accepted_one.to_owned(),
        count => fill(words.not_accepted, &[&show::count(count)]),
    };
    let oldest = figures.oldest_not_accepted.map(|oldest| fill(words.oldest, &[&show::span(oldest, shell.language)]));
    let sums: Vec<String> = figures.paid_not_accepted_sums.iter().map(|sum| show::plain_amount(*sum)).collect();
    let sum = (!sums.is_empty()).then(|| fill(words.alarm_sum, &[&sums.join(" + ")]));
    let paid = figures.held.iter().filter(|group| !group.sums.is_empty());
    let cause = paid.max_by_key(|group| group.count).map(|group| {
        let why = shell.explain(group.state, group.reason).short;
        fill(words.alarm_cause, &[&why, &shell.orders(group.count)])
    });
    Some(Alarm { text, sum, oldest, cause })
}

fn numbers(today: &Today, shell: &Shell) -> Vec<Figure> {
    let words = shell.words;
    let sum = |counts: &dyn Fn(&Tally) -> bool| {
        today.tallies.iter().filter(|tally| counts(tally)).map(|tally| tally.entries).sum::<u64>()
    };
    let figure = |id, name, count: u64, tone, href: Option<&str>| Figure {
        id,
        name,
        value: show::count(count),
        tone: if count == 0 { "is-zero" } else { tone },
        href: href.map(|href| format!("/orders?{href}&time=24h")),
    };
    let state = |state: State| sum(&|tally| tally.state == state);
    let refused: u64 = today.refused.iter().map(|(_, count)| count).sum();
    let mut refused = figure("refused", words.refused, refused, "", None);
    refused.href = Some("/refused".to_owned());
    vec![
        figure("received", words.received, sum(&|_| true), "", Some("")),
        figure("delivered", words.delivered, state(State::Accepted), "", Some("state=accepted")),
        figure("undelivered", words.delivering, state(State::Delivering), "is-bad", Some("state=delivering")),
        figure("asking", words.asking, state(State::Asking), "", Some("state=asking")),
        figure("parked", words.parked, state(State::Parked), "is-warn", Some("state=parked")),
        figure("closed", words.closed, state(State::Closed), "", Some("state=closed")),
        refused,
    ]
}

fn by_channel(today: &Today) -> Vec<ChannelLine> {
    let mut channels: Vec<_> = today.tallies.iter().map(|tally| tally.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    let line = |channel: ChannelId| {
        let sum = |state: Option<State>| {
            let its = today.tallies.iter().filter(|tally| tally.channel == channel);
            let its = its.filter(|tally| state.is_none_or(|state| tally.state == state));
            show::count(its.map(|tally| tally.entries).sum())
        };
        ChannelLine {
            name: channel.to_string(),
            href: format!("/orders?channel={}&time=24h", encoded(channel.as_str())),
            received: sum(None),
            delivered: sum(Some(State::Accepted)),
            held: sum(Some(State::Delivering)),
            parked: sum(Some(State::Parked)),
        }
    };
    channels.into_iter().map(line).collect()
}

/// Held orders by why they are: those with money first, with some of them that were looked at.
fn groups(held: &[HeldGroup], looked_at: &[Record], shell: &Shell) -> Vec<Group> {
    let mut groups: Vec<&HeldGroup> = held.iter().collect();
    groups.sort_by_key(|group| (urgency(group.state, group.reason), u64::MAX - group.count));
    groups.into_iter().map(|group| Group::of(group, looked_at, shell)).collect()
}

/// The lower, the more urgent for an operator.
fn urgency(state: State, reason: Option<Reason>) -> u8 {
    match (state, reason.and_then(Reason::verdict)) {
        (State::Delivering, _) => 0,
        (State::Parked, _) => 1,
        (_, Some(Verdict::Unknown)) => 2,
        _ => 3,
    }
}

impl Group {
    fn of(held: &HeldGroup, looked_at: &[Record], shell: &Shell) -> Self {
        let HeldGroup { state, reason, count, .. } = *held;
        let words = shell.words;
        let explained = shell.explain(state, reason);
        let code = reason.map_or("", Reason::code);
        // What is being delivered is kept under what WeChat Pay said, not under what came of its attempts.
        let is_kept = !code.is_empty() && state != State::Delivering;
        let reason_in_address = if is_kept { format!("&reason={code}") } else { String::new() };
        let mut longest: Vec<&Record> =
            looked_at.iter().filter(|record| record.state == state && record.why() == reason).collect();
        longest.sort_by_key(|record| record.received_at);
        let orders: Vec<_> = longest.iter().take(SHOWN).map(|record| HeldOrder::of(record, shell)).collect();
        Self {
            id: format!("{}-{code}", state.as_str()),
            short: explained.short,
            chip: shell.chip(state),
            count: shell.orders(count),
            meaning: explained.meaning,
            to_do: explained.to_do,
            href: format!("/orders?state={}{reason_in_address}", state.as_str()),
            all: (count > orders.len() as u64).then(|| fill(words.held_show, &[&show::count(count)])),
            orders,
        }
    }
}

impl HeldOrder {
    fn of(record: &Record, shell: &Shell) -> Self {
        let amount = record.verified.as_ref().map(|verified| verified.amount).or(record.claimed.amount);
        let href = order_href(record.claimed.channel.as_str(), record.claimed.order.as_str());
        Self {
            entry: record.entry.0,
            order: record.claimed.order.to_string(),
            amount: amount.map(|amount| show::amount(amount, shell.language)),
            age: shell.away(record.received_at),
            redeliver: matches!(record.state, State::Delivering | State::Parked).then(|| format!("{href}/redeliver")),
            redeliver_label: format!("{} {}", shell.words.redeliver, record.claimed.order),
            href,
        }
    }
}
