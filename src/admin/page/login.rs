//! The page where the token is entered. Looking at it is all that happens here; `admin/login.rs` does the rest.

use super::flash::Notice;
use super::shell::Shell;
use super::{Html, render};
use askama::Template;
use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;

#[derive(Debug, Template)]
#[template(path = "login.html")]
struct Login {
    shell: Shell,
    notice: Option<Notice>,
    next: String,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    next: String,
    error: String,
}

/// Shows it.
pub(super) async fn show(uri: Uri, headers: HeaderMap, Query(asked): Query<Asked>) -> Html {
    let shell = Shell::new("", &uri, &headers, None);
    let words = shell.words;
    let text = match asked.error.as_str() {
        "" => None,
        "wrong-token" => Some(words.wrong_token),
        _ => Some(words.too_many_tries),
    };
    let notice = text.map(|text| Notice { good: false, text: text.to_owned() });
    render(Login { shell: shell.titled(words.log_in), notice, next: asked.next })
}
