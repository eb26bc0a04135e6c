//! How the sources of pending orders are.

use super::notice;
use super::shell::Shell;
use super::{Html, render, show};
use crate::admin::Admin;
use crate::journal::pending_orders::SourceHealth;
use askama::Template;
use axum::extract::State as Shared;
use std::sync::Arc;

#[derive(Debug, Template)]
#[template(path = "sources.html")]
struct Sources {
    shell: Shell,
    sources: Vec<Source>,
}

/// A source.
#[derive(Debug)]
struct Source {
    name: String,
    tone: &'static str,
    mark: &'static str,
    state: &'static str,
    problem: Option<String>,
    orders: String,
    malformed: String,
    read_at: Option<show::Moment>,
    read_ago: String,
    failed_at: Option<show::Moment>,
    failures: String,
}

/// Shows them.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell) -> Html {
    let shell = shell.titled_by(|words| words.sources);
    match admin.sources().await {
        Ok(sources) => {
            render(Sources { sources: sources.into_iter().map(|source| Source::of(source, &shell)).collect(), shell })
        }
        Err(error) => notice::unread(shell, &error),
    }
}

impl Source {
    fn of(health: SourceHealth, shell: &Shell) -> Self {
        let words = shell.words;
        let (tone, mark, state) = match (health.failures, health.malformed) {
            (0, 0) => ("good", "✓", words.fine),
            (0, _) => ("warn", "!", words.malformed_rows),
            _ => ("bad", "✕", words.trouble),
        };
        Self {
            tone,
            mark,
            state,
            problem: health.problem.filter(|_| health.failures > 0),
            orders: show::count(health.orders),
            malformed: show::count(health.malformed),
            read_ago: health.read_at.map_or_else(String::new, |at| shell.away(at)),
            read_at: health.read_at.map(|at| shell.moment(at)),
            failed_at: health.failed_at.map(|at| shell.moment(at)),
            failures: super::words::fill("{}: {}", &[&words.failures, &health.failures]),
            name: health.name,
        }
    }
}
