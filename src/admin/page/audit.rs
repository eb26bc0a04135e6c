//! Who changed what.

use super::href::order_href;
use super::notice;
use super::shell::Shell;
use super::words::Words;
use super::{Html, render, show};
use crate::admin::Admin;
use crate::journal::Act;
use crate::journal::audit::{Action, AuditRecord};
use askama::Template;
use axum::extract::{Query, State as Shared};
use serde::Deserialize;
use std::sync::Arc;

/// Lines on a page.
const ROWS: usize = 50;

#[derive(Debug, Template)]
#[template(path = "audit.html")]
struct List {
    shell: Shell,
    audits: Vec<Line>,
    older: Option<String>,
}

/// A line of the audit trail.
#[derive(Debug)]
struct Line {
    at: show::Moment,
    action: &'static str,
    href: Option<String>,
    order: String,
    channel: String,
    who: String,
    from: String,
    outcome: String,
    because: String,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    before: Option<i64>,
}

/// Shows it.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell, Query(asked): Query<Asked>) -> Html {
    let shell = shell.titled_by(|words| words.audit);
    let found = match admin.audits(asked.before, ROWS).await {
        Ok(found) => found,
        Err(error) => return notice::unread(shell, &error),
    };
    let last = (found.len() == ROWS).then(|| found.last().map(|line| line.id)).flatten();
    render(List {
        audits: found.into_iter().map(|line| Line::of(line, &shell)).collect(),
        older: last.map(|before| format!("/audit?before={before}")),
        shell,
    })
}

impl Line {
    fn of(AuditRecord { at, audit, .. }: AuditRecord, shell: &Shell) -> Self {
        let named = audit.channel.zip(audit.order);
        Self {
            at: shell.moment(at),
            action: name(audit.action, shell.words),
            href: named.map(|(channel, order)| order_href(channel.as_str(), order.as_str())),
            order: audit.order.map_or_else(String::new, |order| order.to_string()),
            channel: audit.channel.map_or_else(String::new, |channel| channel.to_string()),
            who: audit.by.who,
            from: audit.by.from,
            outcome: audit.outcome.unwrap_or_default(),
            because: audit.because.unwrap_or_default(),
        }
    }
}

const fn name(action: Action, words: &Words) -> &'static str {
    match action {
        Action::Act(Act::Redeliver) => words.act_redeliver,
        Action::Act(Act::Park) => words.act_park,
        Action::Act(Act::Unpark) => words.act_unpark,
        Action::Query => words.act_query,
        Action::Login => words.act_login,
        Action::LoginRefused => words.act_login_failed,
        Action::Logout => words.act_logout,
        Action::Reload => words.act_reload,
        Action::Sweep => words.act_sweep,
    }
}
