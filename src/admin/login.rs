//! A session for a browser: begun with the token once, ended by whoever has it.

use super::accept::accepts_html;
use super::attempts::{Penance, Wrong};
use super::problem::Problem;
use super::{Admin, Who, session};
use crate::journal::audit::Action;
use crate::server::Peer;
use axum::extract::{Extension, Form, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::post};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::Arc;

/// Where a browser that has no session is led.
const PAGE: &str = "/login";

/// What may stand in a query as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The form.
#[derive(Deserialize)]
struct Login {
    /// The token.
    token: String,
    /// Where to go then: a path of ours.
    next: Option<String>,
}

/// Logging in and out.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new().route(PAGE, post(log_in)).route("/logout", post(log_out))
}

/// Leads a browser to the page where it can log in, and then back.
pub(super) fn go_there(from: &Uri) -> Response {
    let from = from.path_and_query().map_or("/", |from| from.as_str());
    see(&format!("{PAGE}?next={}", utf8_percent_encode(from, KEPT)))
}

impl Admin {
    /// Whether `token` is the one. It is, however many wrong ones came from the same address before: a guess does
    /// not hit one of that length, and the guesses of others must not keep out who has it.
    ///
    /// # Errors
    /// 401 if it is wrong, 429 if too many were; and what that answer waits for.
    pub(super) fn check_token(&self, token: &[u8], address: IpAddr) -> Result<(), (Problem, Option<Box<Penance>>)> {
        if self.access.load().is_token(token) {
            return Ok(());
        }
        let Wrong { is_told, late } = self.attempts.was_wrong(address);
        if is_told {
            tracing::warn!(%address, "a wrong token for the admin listener");
            // No request waits for it.
            drop(self.note_access(Action::LoginRefused, "nobody", address));
        }
        Err(match late {
            None => (Problem::unauthorized("this is not the token"), None),
            Some((left, penance)) => (Problem::wait(left), penance),
        })
    }
}

async fn log_in(
    State(admin): State<Arc<Admin>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(login): Form<Login>,
) -> Response {
    let next = login.next.filter(|next| is_ours(next)).unwrap_or_else(|| "/".to_owned());
    // Nothing is to be known where everybody is let in.
    if admin.access.load().needs_token()
        && let Err((problem, penance)) = admin.check_token(login.token.as_bytes(), peer.addr.ip())
    {
        if let Some(penance) = penance {
            penance.done().await;
        }
        if !accepts_html(&headers) {
            return problem.into_response();
        }
        let error = if problem.status() == StatusCode::UNAUTHORIZED { "wrong-token" } else { "too-many-attempts" };
        return see(&format!("{PAGE}?error={error}&next={}", utf8_percent_encode(&next, KEPT)));
    }
    let mut answer = see(&next);
    let access = admin.access.load_full();
    if let Some(sessions) = access.sessions() {
        let session = sessions.begin();
        let who = Who::Session(session.name().to_owned()).to_string();
        admin.note_access(Action::Login, &who, peer.addr.ip()).await;
        set_cookie(&mut answer, &sessions.cookie(&session, peer.tls));
    }
    answer
}

async fn log_out(State(admin): State<Arc<Admin>>, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let access = admin.access.load_full();
    if let Some(sessions) = access.sessions()
        && let Some(session) = sessions.find(&headers)
    {
        sessions.end(&session);
        let who = Who::Session(session.name().to_owned()).to_string();
        // Who comes after this process knows it from there.
        admin.note_access(Action::Logout, &who, peer.addr.ip()).await;
    }
    let mut answer = see(PAGE);
    set_cookie(&mut answer, &session::forgotten(peer.tls));
    answer
}

/// Whether a path leads to us and nowhere else.
pub(super) fn is_ours(next: &str) -> bool {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && next.starts_with('/') && !next.starts_with("//")
}

fn see(place: &str) -> Response {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    answer.headers_mut().insert(LOCATION, place);
    answer
}

fn set_cookie(answer: &mut Response, cookie: &str) {
    if let Ok(mut cookie) = HeaderValue::from_str(cookie) {
        cookie.set_sensitive(true);
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for (next, ours) in [
            ("/", true),
            ("/orders?state=parked&text=A%2F1", true),
            ("//evil.example/", false),
            ("/\\evil.example", false),
            ("https://evil.example/", false),
            ("orders", false),
            ("", false),
            ("/a b", false),
            ("/\r\nSet-Cookie: a=b", false),
        ] {
            assert_eq!(is_ours(next), ours, "{next:?}");
        }
    }
}
