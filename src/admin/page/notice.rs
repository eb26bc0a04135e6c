//! A page that says in a sentence why there is no other.

use super::flash::Notice;
use super::shell::Shell;
use super::words::fill;
use super::{Html, render};
use crate::admin::Unread;
use askama::Template;
use axum::http::StatusCode;

#[derive(Debug, Template)]
#[template(path = "notice.html")]
struct Page {
    shell: Shell,
    text: String,
    back: &'static str,
}

/// Says this, with a way back.
pub(super) fn say(shell: Shell, status: StatusCode, notice: Notice, back: &'static str) -> Html {
    render(Page { shell, text: notice.text, back }).with_status(status)
}

/// There is nothing under this address.
pub(super) fn not_found(shell: Shell, back: &'static str) -> Html {
    let (title, text) = (shell.words.not_found, shell.words.not_found_text.to_owned());
    say(shell.titled(title), StatusCode::NOT_FOUND, Notice { good: false, text }, back)
}

/// The journal does not answer, or there is none.
pub(super) fn unread(shell: Shell, error: &Unread) -> Html {
    let words = shell.words;
    let (status, title) = match error {
        Unread::NoJournal => (StatusCode::OK, words.journal),
        Unread::Slow | Unread::Journal(_) => (StatusCode::SERVICE_UNAVAILABLE, words.trouble),
    };
    let text = why(error, &shell);
    say(shell.titled(title), status, Notice { good: false, text }, "/")
}

/// Why nothing is shown of the journal.
pub(super) fn why(error: &Unread, shell: &Shell) -> String {
    match error {
        Unread::NoJournal => shell.words.no_journal.to_owned(),
        Unread::Slow | Unread::Journal(_) => fill(shell.words.unreadable, &[error]),
    }
}
