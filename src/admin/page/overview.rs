//! The overview: what is held and what to do about it, today's numbers, and how everything is that the gate depends on.

use super::chart::{Chart, Span};
use super::shell::{Chip, Shell, encoded, order_href};
use super::words::reasons::explain;
use super::words::{Words, fill};
use super::{Html, render, show};
use crate::admin::{Admin, Who};
use crate::journal::{Record, Search, State};
use crate::reason::{Reason, Verdict};
use askama::Template;
use axum::Extension;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;
use std::sync::Arc;

/// Held orders of each state that are looked at.
const LOOKED_AT: usize = 200;

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
    held_first: Option<String>,
    chart: Option<Chart>,
    health: Vec<Fact>,
    channels: Vec<ChannelLine>,
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
    oldest: Option<String>,
}

/// One of today's numbers.
#[derive(Debug)]
struct Figure {
    id: &'static str,
    name: &'static str,
    value: String,
    note: String,
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
}

/// Something the gate depends on.
#[derive(Debug)]
struct Fact {
    name: &'static str,
    lines: Vec<FactLine>,
}

#[derive(Debug)]
struct FactLine {
    mark: &'static str,
    tone: &'static str,
    text: String,
    state: String,
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

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    span: String,
}

/// Shows it.
pub(super) async fn show(
    Shared(admin): Shared<Arc<Admin>>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
    uri: Uri,
    headers: HeaderMap,
) -> Html {
    let shell = Shell::new("", &uri, &headers, Some(&who));
    let title = shell.words.overview;
    let shell = shell.titled(title);
    let span = Span::named(&asked.span);
    let mut page = Overview::empty(&admin, shell, span);
    let Some(journal) = &admin.journal else {
        page.trouble = Some(page.shell.words.no_journal.to_owned());
        return render(page);
    };
    page.keeps = true;
    let figures = match journal.figures().await {
        Ok(figures) => figures,
        Err(error) => {
            page.keeps = false;
            page.trouble = Some(fill(page.shell.words.unreadable, &[&error]));
            return render(page);
        }
    };
    let _ = figures;
    render(page)
}

impl Overview {
    fn empty(admin: &Admin, shell: Shell, span: Span) -> Self {
        let words = shell.words;
        let generation = admin.generation();
        let reload_refused = generation.refused.as_ref().map(|refused| ReloadRefused {
            text: fill(words.reload_refused, &[&shell.away(refused.at)]),
            problem: refused.problem.clone(),
        });
        let _ = span;
        Self {
            said: String::new(),
            reload_refused,
            trouble: None,
            observes: false,
            keeps: false,
            alarm: None,
            figures: Vec::new(),
            held: Vec::new(),
            held_first: None,
            chart: None,
            health: Vec::new(),
            channels: Vec::new(),
            shell,
        }
    }
}
