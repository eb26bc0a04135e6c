//! The switch between languages.

use super::See;
use super::language::COOKIE_NAME;
use super::words::Language;
use crate::admin::login::is_ours;
use axum::extract::Form;
use serde::Deserialize;

/// How long the choice is remembered: a year.
const REMEMBERED: u32 = 365 * 24 * 3600;

/// The form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    lang: String,
    /// The page it was chosen on.
    back: String,
}

/// Remembers the choice, and leads back.
pub(super) async fn switch(Form(choice): Form<Choice>) -> See {
    let back = if is_ours(&choice.back) { choice.back } else { "/".to_owned() };
    match Language::from_code(&choice.lang) {
        Some(language) => {
            let code = language.words().code;
            See::other(back)
                .with_cookie(format!("{COOKIE_NAME}={code}; Path=/; Max-Age={REMEMBERED}; HttpOnly; SameSite=Strict"))
        }
        None => See::other(back),
    }
}
