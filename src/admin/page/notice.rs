//! A page that says in a sentence why there is no other.

use super::shell::{Notice, Shell};
use super::words::fill;
use super::{Html, render};
use crate::journal::JournalError;
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

/// Nothing is kept here.
pub(super) fn no_journal(shell: Shell) -> Html {
    let (title, text) = (shell.words.journal, shell.words.no_journal.to_owned());
    say(shell.titled(title), StatusCode::OK, Notice { good: true, text }, "/")
}

/// The journal does not answer.
pub(super) fn unreadable(shell: Shell, error: &JournalError) -> Html {
    let (title, text) = (shell.words.trouble, fill(shell.words.unreadable, &[error]));
    say(shell.titled(title), StatusCode::SERVICE_UNAVAILABLE, Notice { good: false, text }, "/")
}
