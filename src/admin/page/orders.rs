//! The list of orders, with search and filters that stand in the address.

use super::href::{encoded, order_href};
use super::notice;
use super::shell::{Chip, Shell, state_name};
use super::words::fill;
use super::words::reasons::explain;
use super::{Html, render, show};
use crate::admin::Admin;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::{Reason, Stage};
use crate::journal::view::{Cursor, Filter, Page};
use crate::journal::{Origin, Record, State};
use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Orders on a page.
const ROWS: usize = 50;

const HOUR: u64 = 3600;

/// The times that can be chosen: their names in addresses, and how far they reach back.
const TIMES: [(&str, u64); 4] = [("1h", HOUR), ("24h", 24 * HOUR), ("7d", 7 * 24 * HOUR), ("30d", 30 * 24 * HOUR)];

#[derive(Debug, Template)]
#[template(path = "orders.html")]
struct List {
    shell: Shell,
    filter: Form,
    problem: Option<String>,
    live: bool,
    said: String,
    orders: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
    /// Whether there may be more behind what was looked through.
    looked_further: bool,
}

/// The form of filters, as it was sent.
#[derive(Debug)]
struct Form {
    text: String,
    choices: Vec<Choice>,
    is_set: bool,
}

/// One of its lists.
#[derive(Debug)]
struct Choice {
    name: &'static str,
    label: &'static str,
    options: Vec<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    value: String,
    text: String,
    chosen: bool,
}

/// An order in the list.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) entry: i64,
    pub(super) href: String,
    pub(super) order: String,
    pub(super) channel: String,
    pub(super) origin: &'static str,
    pub(super) chip: Chip,
    pub(super) short: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) amount: Option<show::Amount>,
    pub(super) received_at: show::Moment,
    pub(super) age: String,
    pub(super) next: String,
    pub(super) attempts: String,
}

/// What the address says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    text: String,
    state: String,
    channel: String,
    reason: String,
    time: String,
    origin: String,
    cursor: String,
}

/// Shows those that match.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell, Query(asked): Query<Asked>) -> Html {
    let shell = shell.titled_by(|words| words.orders);
    let channels: Vec<String> = admin.gate.gate().channels.iter().map(|channel| channel.id.to_string()).collect();
    let form = Form::of(&asked, channels, &shell);
    let (page, problem) = match asked.filter(shell.now) {
        Ok((filter, after)) => match admin.orders(&filter, after, ROWS).await {
            Ok(page) => (page, None),
            Err(error) => return notice::unread(shell, &error),
        },
        Err(what) => (Page::default(), Some(fill(shell.words.bad_filter, &[&what]))),
    };
    let orders: Vec<_> = page.records.iter().map(|record| Line::of(record, &shell)).collect();
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    render(List {
        filter: form,
        problem,
        live: asked.cursor.is_empty(),
        said: shell.orders(orders.len() as u64),
        orders,
        newest: (!asked.cursor.is_empty()).then(|| asked.address(None)),
        older: page.next.map(|next| asked.address(Some(next))),
        looked_further: page.next.is_some(),
        shell,
    })
    .with_status(status)
}

impl Line {
    pub(super) fn of(record: &Record, shell: &Shell) -> Self {
        let amount = record.verified.as_ref().map(|verified| verified.amount).or(record.claimed.amount);
        let due = record.due_at.filter(|_| matches!(record.state, State::Asking | State::Delivering));
        let attempts = record.attempts;
        Self {
            entry: record.entry.0,
            href: order_href(record.claimed.channel.as_str(), record.claimed.order.as_str()),
            order: record.claimed.order.to_string(),
            channel: record.claimed.channel.to_string(),
            origin: shell.origin(record.origin),
            chip: shell.chip(record.state),
            // Delivered is what its state says; why it could be is that it is paid.
            short: match (record.state, record.reason) {
                (State::Accepted, Some(reason)) => explain(reason, shell.language).short,
                _ => shell.explain(record.state, record.why()).short,
            },
            code: record.why().map(Reason::code),
            amount: amount.map(|amount| show::amount(amount, shell.language)),
            received_at: shell.moment(record.received_at),
            age: shell.away(record.received_at),
            next: due.map_or_else(String::new, |at| {
                if at <= shell.now { shell.words.now_due.to_owned() } else { shell.away(at) }
            }),
            attempts: if attempts == 0 { String::new() } else { fill(shell.words.attempts_times, &[&attempts]) },
        }
    }
}

impl Asked {
    /// What is looked for, and behind which place; or what of it cannot be read.
    fn filter(&self, now: Timestamp) -> Result<(Filter, Option<Cursor>), &str> {
        fn given(text: &str) -> Option<&str> {
            Some(text.trim()).filter(|text| !text.is_empty())
        }
        let state = given(&self.state).map(|state| State::from_name(state).ok_or(state)).transpose()?;
        let channel = given(&self.channel).map(|channel| ChannelId::parse(channel).map_err(|_| channel)).transpose()?;
        let reason = given(&self.reason).map(|code| Reason::from_code(code).ok_or(code)).transpose()?;
        let origin = given(&self.origin).map(|origin| Origin::from_name(origin).ok_or(origin)).transpose()?;
        let text = given(&self.text).map(|text| OrderId::parse(text).map_err(|_| text)).transpose()?;
        let cursor = given(&self.cursor).map(|cursor| cursor.parse().map_err(|_| cursor)).transpose()?;
        let time = given(&self.time);
        let within = time.map(|time| TIMES.iter().find(|(name, _)| *name == time).ok_or(time)).transpose()?;
        let since = within.and_then(|(_, seconds)| now.checked_sub(Duration::from_secs(*seconds)).ok());
        Ok((Filter { state, channel, reason, origin, since, text, ..Filter::default() }, cursor))
    }

    /// The address of this list, or of its page from behind `cursor`.
    fn address(&self, cursor: Option<Cursor>) -> String {
        let cursor = cursor.map_or_else(String::new, |cursor| cursor.to_string());
        let given = [
            ("text", self.text.as_str()),
            ("state", &self.state),
            ("channel", &self.channel),
            ("reason", &self.reason),
            ("time", &self.time),
            ("origin", &self.origin),
            ("cursor", &cursor),
        ];
        let given = given.into_iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<_> = given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if query.is_empty() { "/orders".to_owned() } else { format!("/orders?{}", query.join("&")) }
    }
}

impl Form {
    fn of(asked: &Asked, channels: Vec<String>, shell: &Shell) -> Self {
        let words = shell.words;
        let choice = |name, label, chosen: &str, any: &str, options: Vec<(String, String)>| {
            let all = std::iter::once((String::new(), any.to_owned())).chain(options);
            let options = all.map(|(value, text)| Chosen { chosen: value == chosen, value, text });
            Choice { name, label, options: options.collect() }
        };
        let named = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let states = State::ALL.into_iter().map(|state| named(state.as_str(), state_name(state, words))).collect();
        let reasons = Reason::ALL.iter().filter(|reason| !matches!(reason.stage(), Stage::Request | Stage::Claim));
        let reasons = reasons.map(|reason| named(reason.code(), explain(*reason, shell.language).short)).collect();
        let times = [words.last_hour, words.last_day, words.last_week, words.last_month];
        let origins = Origin::ALL.into_iter().filter(|origin| *origin != Origin::FollowUp);
        let origins = origins.map(|origin| named(origin.as_str(), shell.origin(origin))).collect();
        let times = TIMES.iter().zip(times).map(|((name, _), text)| named(name, text)).collect();
        let channels = channels.into_iter().map(|channel| (channel.clone(), channel)).collect();
        Self {
            text: asked.text.clone(),
            choices: vec![
                choice("state", words.state, &asked.state, words.any_state, states),
                choice("channel", words.channel, &asked.channel, words.any_channel, channels),
                choice("reason", words.why, &asked.reason, words.any_reason, reasons),
                choice("time", words.received_at, &asked.time, words.any_time, times),
                choice("origin", words.origin, &asked.origin, words.by_anything, origins),
            ],
            is_set: asked.address(None) != "/orders",
        }
    }
}
