//! The page of one order: its whole story, and what can be done about it.

mod columns;

use super::act::{self, Ask, Standing};
use super::flash;
use super::href::{encoded, order_href};
use super::notice;
use super::shell::{Chip, Shell};
use super::words::fill;
use super::words::reasons::{Explained, explain};
use super::{Html, render, show};
use crate::admin::Admin;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::{Reason, Stage, Verdict};
use crate::journal::overrides::Needed;
use crate::journal::{AttemptRecord, Event, Record, State};
use askama::Template;
use axum::extract::{Path, State as Shared};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Template)]
#[template(path = "story.html")]
struct Story {
    shell: Shell,
    said: String,
    order: String,
    channel: String,
    channel_href: String,
    chip: Chip,
    lead: Lead,
    state_text: &'static str,
    since: String,
    next: Option<Next>,
    actions: Vec<Ask>,
    /// What the questions before actions are about.
    about: String,
    back: String,
    in_page: bool,
    flags: Vec<Explained>,
    columns: [columns::Column; 4],
    steps: Vec<Step>,
    others: Vec<Other>,
}

/// The claim that says how the order stands.
#[derive(Debug)]
struct Lead {
    route: String,
    origin: &'static str,
    request_id: String,
    short: &'static str,
    meaning: &'static str,
    to_do: &'static str,
    code: Option<&'static str>,
}

/// Something that happened.
#[derive(Debug)]
struct Step {
    when: Timestamp,
    at: show::Moment,
    mark: &'static str,
    tone: &'static str,
    what: String,
    under: Option<String>,
    outcome: String,
    code: Option<&'static str>,
    took: String,
}

/// Another claim for the same order.
#[derive(Debug)]
struct Other {
    received_at: show::Moment,
    origin: &'static str,
    route: String,
    chip: Chip,
    short: &'static str,
    amount: Option<show::Amount>,
    transaction_id: String,
}

/// Shows an order.
pub(super) async fn show(
    Shared(admin): Shared<Arc<Admin>>,
    shell: Shell,
    Path((channel, order)): Path<(String, String)>,
) -> Html {
    let shell = shell.titled(&order);
    let (Ok(channel), Ok(order)) = (ChannelId::parse(&channel), OrderId::parse(&order)) else {
        return notice::not_found(shell, "/orders");
    };
    let mut records = match admin.order(channel, order).await {
        Ok(records) => records,
        Err(error) => return notice::unread(shell, &error),
    };
    // The one that went furthest; of equals the latest, which stands first.
    let Some(place) =
        (0..records.len()).max_by_key(|place| records.get(*place).map(|record| (weight(record), usize::MAX - place)))
    else {
        return notice::not_found(shell, "/orders");
    };
    let lead = records.remove(place);
    let said_once = shell.says_something();
    let needed = admin.needed(channel, order).await;
    let page = render(Story::of(shell, (channel, order), &lead, &records, &needed));
    if said_once { page.with_cookie(flash::forget(channel, order)) } else { page }
}

fn weight(record: &Record) -> u8 {
    match record.state {
        State::Delivering => 4,
        State::Parked => 3,
        State::Accepted => 2,
        State::Asking => 1,
        State::Closed => 0,
    }
}

impl Story {
    fn of(
        shell: Shell,
        (channel, order): (ChannelId, OrderId),
        lead: &Record,
        others: &[Record],
        needed: &[Needed],
    ) -> Self {
        let words = shell.words;
        let why = lead.why();
        let explained = shell.explain(lead.state, why);
        let state_text = shell.state_text(lead.state);
        let chip = shell.chip(lead.state);
        let due = lead.due_at.filter(|_| matches!(lead.state, State::Asking | State::Delivering));
        let mut flags: Vec<Reason> = others.iter().chain([lead]).flat_map(Record::flags).collect();
        flags.sort_by_key(|reason| reason.code());
        flags.dedup();
        Self {
            said: fill("{}, {}", &[&super::shell::state_name(lead.state, words), &explained.short]),
            order: order.to_string(),
            channel: channel.to_string(),
            channel_href: format!("/orders?channel={}", encoded(channel.as_str())),
            chip,
            lead: Lead {
                route: lead.route.clone(),
                origin: shell.origin(lead.origin),
                request_id: lead.request_id.to_string(),
                short: explained.short,
                meaning: explained.meaning,
                to_do: explained.to_do,
                code: why.map(Reason::code),
            },
            state_text: if explained.meaning == state_text { "" } else { state_text },
            since: fill(
                words.so_since,
                &[&show::span(shell.now.duration_since(lead.since).unsigned_abs(), shell.language)],
            ),
            next: due.map(|at| Next {
                // What it waits for is told by the reason.
                what: if why == Some(Reason::WindowOver) { words.parked_if_none } else { words.next_try },
                when: if at <= shell.now { words.now_due.to_owned() } else { shell.away(at) },
            }),
            actions: act::possible(Standing { state: lead.state, reason: why, needed }, channel, order, words),
            about: fill(words.about_order, &[&order, &channel]),
            back: order_href(channel.as_str(), order.as_str()),
            in_page: false,
            flags: flags.into_iter().map(|reason| explain(reason, shell.language)).collect(),
            columns: columns::columns(lead, shell.words),
            steps: steps(lead, others, &shell),
            others: others.iter().map(|other| Other::of(other, &shell)).collect(),
            shell,
        }
    }
}

/// What comes next by itself.
#[derive(Debug)]
struct Next {
    what: &'static str,
    when: String,
}

impl Other {
    fn of(record: &Record, shell: &Shell) -> Self {
        Self {
            received_at: shell.moment(record.received_at),
            origin: shell.origin(record.origin),
            route: record.route.clone(),
            chip: shell.chip(record.state),
            short: shell.explain(record.state, record.reason).short,
            amount: record.claimed.amount.map(|amount| show::amount(amount, shell.language)),
            transaction_id: record.claimed.transaction_id.as_ref().map_or_else(String::new, ToString::to_string),
        }
    }
}

/// Everything that happened, the oldest first.
fn steps(lead: &Record, others: &[Record], shell: &Shell) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut deliveries = Vec::new();
    for record in others.iter().rev().chain([lead]) {
        steps.push(came(record, shell));
        steps.extend(confirmed(record, shell));
        steps.extend(record.events.iter().map(|event| happened(event, shell)));
        // Several claims can share a delivery, whose attempts each of them has.
        if !deliveries.contains(&record.delivery) {
            deliveries.push(record.delivery);
            let last = record.attempt_log.len().saturating_sub(1);
            let attempt_log = record.attempt_log.iter().enumerate();
            steps.extend(attempt_log.map(|(place, sending)| sent(sending, place == last, shell)));
        }
    }
    steps.sort_by_key(|step| step.when);
    steps
}

impl Step {
    fn new(when: Timestamp, shell: &Shell, mark: &'static str, tone: &'static str, what: impl Into<String>) -> Self {
        let at = show::precise(when, shell.now);
        Self {
            when,
            at,
            mark,
            tone,
            what: what.into(),
            under: None,
            outcome: String::new(),
            code: None,
            took: String::new(),
        }
    }
}

fn came(record: &Record, shell: &Shell) -> Step {
    let words = shell.words;
    let what = if record.origin.is_found() { words.came_found } else { words.came_callback };
    let under = match (record.origin.is_found(), record.claimed.amount) {
        (true, _) => Some(shell.origin(record.origin).to_owned()),
        (false, amount) => {
            let amount = amount.map_or_else(String::new, |amount| format!(" · {}", show::plain_amount(amount)));
            Some(format!("{}{amount}", record.route))
        }
    };
    Step { under, ..Step::new(record.received_at, shell, "→", "", what) }
}

fn confirmed(record: &Record, shell: &Shell) -> Option<Step> {
    let (verified, at) = (record.verified.as_ref()?, record.verified_at?);
    let under = Some(verified.transaction_id.to_string());
    let outcome = show::plain_amount(verified.amount);
    Some(Step { under, outcome, ..Step::new(at, shell, "✓", "good", shell.words.event_confirmed) })
}

fn happened(event: &Event, shell: &Shell) -> Step {
    let words = shell.words;
    let reason = event.reason;
    let asked = reason.is_some_and(|reason| matches!(reason.stage(), Stage::Verdict(_)));
    let (mark, tone, what) = match event.what.as_str() {
        "found" if asked => ("?", verdict_tone(reason), words.event_found.to_owned()),
        "found" => ("·", "", words.event_decided.to_owned()),
        "again" if reason == Some(Reason::RefundConfirmed) => ("→", "", words.event_refund.to_owned()),
        "again" => ("→", "", words.event_again.to_owned()),
        "asked-for" => ("✎", "", words.event_asked_for.to_owned()),
        "flagged" => ("!", "warn", words.event_flagged.to_owned()),
        "parked" => ("‖", "warn", words.event_parked.to_owned()),
        "unparked" => ("✎", "", words.event_unparked.to_owned()),
        other => ("·", "", fill(words.event_other, &[&other])),
    };
    let outcome = reason.map_or_else(String::new, |reason| explain(reason, shell.language).short.to_owned());
    let under = event.request_id.map(|id| id.to_string());
    Step { under, outcome, code: reason.map(Reason::code), ..Step::new(event.at, shell, mark, tone, what) }
}

fn verdict_tone(reason: Option<Reason>) -> &'static str {
    match reason.and_then(Reason::verdict) {
        Some(Verdict::Paid) => "good",
        Some(Verdict::Contradicted | Verdict::Unknown) => "bad",
        Some(Verdict::Refunded) => "warn",
        Some(Verdict::Pending | Verdict::Unpaid) | None => "",
    }
}

fn sent(sending: &AttemptRecord, is_last: bool, shell: &Shell) -> Step {
    let words = shell.words;
    let what = fill(words.sending, &[&sending.attempt]);
    let status = sending.status.map(|status| fill(words.status, &[&status]));
    let came_to = match (sending.accepted, sending.ended_at, sending.reason) {
        (true, ..) => words.sending_accepted,
        (false, None, _) if is_last => words.sending_open,
        // Whoever sent it ended before it could write what came of it.
        (false, None, _) => words.sending_lost,
        (false, Some(_), Some(reason)) => explain(reason, shell.language).short,
        (false, Some(_), None) => words.sending_refused,
    };
    let (mark, tone) = match (sending.accepted, sending.ended_at) {
        (true, _) => ("✓", "good"),
        (false, Some(_)) => ("✕", "bad"),
        (false, None) => ("…", ""),
    };
    let took = sending.ended_at.map(|end| end.duration_since(sending.began_at).unsigned_abs());
    let joined = if words.code == "en" { ", " } else { "，" };
    Step {
        under: Some(shell.origin(sending.origin).to_owned()),
        outcome: status.map_or_else(|| came_to.to_owned(), |status| format!("{status}{joined}{came_to}")),
        code: sending.reason.map(Reason::code),
        took: took.map_or_else(String::new, |took: Duration| show::took(took, shell.language)),
        ..Step::new(sending.began_at, shell, mark, tone, what)
    }
}
