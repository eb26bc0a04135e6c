//! Callbacks that were refused before they were taken in.

use super::href::encoded;
use super::notice;
use super::shell::Shell;
use super::words::fill;
use super::words::reasons::explain;
use super::{Html, render, show};
use crate::admin::Admin;
use crate::domain::order::OrderId;
use crate::journal::Refused;
use crate::journal::view::RefusedFilter;
use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;

/// Callbacks on a page.
const ROWS: usize = 50;

#[derive(Debug, Template)]
#[template(path = "refused.html")]
struct List {
    shell: Shell,
    text: String,
    problem: Option<String>,
    refused: Vec<Line>,
    older: Option<String>,
}

/// A refused callback.
#[derive(Debug)]
struct Line {
    at: Option<show::Moment>,
    short: &'static str,
    code: &'static str,
    detail: Option<String>,
    to_do: &'static str,
    route: String,
    channel: String,
    order: String,
    request_id: String,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    text: String,
    before: Option<i64>,
}

/// Shows them.
pub(super) async fn show(Shared(admin): Shared<Arc<Admin>>, shell: Shell, Query(asked): Query<Asked>) -> Html {
    let shell = shell.titled_by(|words| words.refused);
    let given = asked.text.trim();
    let text = match OrderId::parse(given) {
        _ if given.is_empty() => None,
        Ok(text) => Some(text),
        Err(_) => {
            let problem = Some(fill(shell.words.bad_filter, &[&given]));
            let text = given.to_owned();
            return render(List { text, problem, refused: Vec::new(), older: None, shell })
                .with_status(StatusCode::BAD_REQUEST);
        }
    };
    let found = admin.refused(RefusedFilter { text, ..RefusedFilter::default() }, asked.before, ROWS).await;
    let found = match found {
        Ok(found) => found,
        Err(error) => return notice::unread(shell, &error),
    };
    let last = (found.len() == ROWS).then(|| found.last().map(|(id, _)| *id)).flatten();
    let address = |before| {
        if given.is_empty() {
            format!("/refused?before={before}")
        } else {
            format!("/refused?text={}&before={before}", encoded(given))
        }
    };
    render(List {
        text: given.to_owned(),
        problem: None,
        refused: found.into_iter().map(|(_, refused)| Line::of(refused, &shell)).collect(),
        older: last.map(address),
        shell,
    })
}

impl Line {
    fn of(refused: Refused, shell: &Shell) -> Self {
        let explained = explain(refused.reason, shell.language);
        Self {
            at: refused.at.map(|at| shell.moment(at)),
            short: explained.short,
            code: refused.reason.code(),
            detail: refused.detail,
            to_do: explained.to_do,
            route: refused.route.unwrap_or_default(),
            channel: refused.channel.map_or_else(String::new, |channel| channel.to_string()),
            order: refused.order.map_or_else(String::new, |order| order.to_string()),
            request_id: refused.request_id.to_string(),
        }
    }
}
