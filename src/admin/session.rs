//! Sessions of browsers: a cookie that says when it ends and which session it is, under a code that only this token's
//! owner can make. Nothing of it has to be kept, so that a restart ends no session; only those that were ended early are
//! remembered, and read from the audit trail after a restart. Where there is no journal, or it cannot be read then, one that
//! was ended early holds again until its time is over.

use crate::domain::clock;
use crate::domain::secret::Secret;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a session lasts.
pub(super) const LASTS: Duration = Duration::from_secs(12 * 3600);

/// How much later than that one may end, in seconds: the clock is corrected a little at any time.
const SLACK_S: i64 = 300;

/// The cookie's name, over TLS and else. The first is one that browsers take from this very host alone, and over TLS only.
const NAMES: [&str; 2] = ["__Host-tollgate_session", "tollgate_session"];

/// Sessions ended early that are remembered; only who has a session can end one.
const MOST_ENDED: usize = 10_000;

/// What the key is derived for.
const PURPOSE: &[u8] = b"tollgate admin session 1";

/// The sessions of one token. A clone has the same.
#[derive(Clone)]
pub(super) struct Sessions {
    key: Hmac<Sha256>,
    /// Those that were ended early by their names, and until when they would hold.
    ended: Arc<Mutex<HashMap<String, i64>>>,
}

/// A session that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// When it ends, in seconds since 1970.
    ends: i64,
    /// Which it is.
    nonce: String,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Session {
    /// What it is called where it is shown; too little to be used.
    pub(super) fn name(&self) -> &str {
        self.nonce.get(self.nonce.len().saturating_sub(8)..).unwrap_or_default()
    }
}

impl Sessions {
    /// Those that are begun with this token; another token ends them.
    pub(super) fn of(token: &Secret) -> Self {
        let mut key = mac(token.expose().as_bytes());
        key.update(PURPOSE);
        Self { key: mac(&key.finalize().into_bytes()), ended: Arc::default() }
    }

    /// Begins one.
    pub(super) fn begin(&self) -> Session {
        Session { ends: latest_end(clock::now()), nonce: Uuid::now_v7().simple().to_string() }
    }

    /// Ends one before its time.
    pub(super) fn end(&self, session: &Session) {
        self.remember(session.name(), session.ends);
    }

    /// One of this name was ended at that time.
    pub(super) fn was_ended(&self, name: &str, at: Timestamp) {
        self.remember(name, latest_end(at));
    }

    fn remember(&self, name: &str, ends: i64) {
        let now = clock::now().as_second();
        let mut ended = self.ended.lock();
        ended.retain(|_, ends| *ends > now);
        if ended.len() < MOST_ENDED {
            ended.insert(name.to_owned(), ends);
        }
    }

    /// The cookie that says which session a browser has.
    pub(super) fn cookie(&self, session: &Session, tls: bool) -> String {
        let said = format!("{}.{}", session.ends, session.nonce);
        let code = hex::encode(self.code(&said).finalize().into_bytes());
        let lasts = i64::try_from(LASTS.as_secs()).unwrap_or(0);
        built(tls, format!("{said}.{code}"), lasts)
    }

    /// The session that a request names, if it holds.
    pub(super) fn find(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let named = cookies.flat_map(Cookie::split_parse).flatten().filter(|cookie| NAMES.contains(&cookie.name()));
        named.into_iter().find_map(|cookie| self.read(cookie.value()))
    }

    fn read(&self, value: &str) -> Option<Session> {
        let (said, code) = value.rsplit_once('.')?;
        self.code(said).verify_slice(&hex::decode(code).ok()?).ok()?;
        let (ends, nonce) = said.split_once('.')?;
        let session = Session { ends: ends.parse().ok()?, nonce: nonce.to_owned() };
        let ended = self.ended.lock().contains_key(session.name());
        // One that ends later was begun by a clock that was wrong.
        let now = clock::now();
        let holds = session.ends > now.as_second() && session.ends <= latest_end(now).saturating_add(SLACK_S);
        (holds && !ended).then_some(session)
    }

    fn code(&self, said: &str) -> Hmac<Sha256> {
        let mut code = self.key.clone();
        code.update(said.as_bytes());
        code
    }
}

/// When one that was begun then, or before, ends at the latest.
fn latest_end(begun: Timestamp) -> i64 {
    begun.as_second().saturating_add(i64::try_from(LASTS.as_secs()).unwrap_or(0))
}

/// The cookie that makes a browser forget its session.
pub(super) fn forgotten(tls: bool) -> String {
    built(tls, String::new(), 0)
}

fn built(tls: bool, value: String, seconds: i64) -> String {
    let name = if tls { NAMES[0] } else { NAMES[1] };
    let mut built = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Strict);
    if tls {
        built = built.secure(true);
    }
    format!("{}; Max-Age={seconds}", built.build())
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn sessions(token: &str) -> Sessions {
        Sessions::of(&Secret::new(token.to_owned()))
    }

    fn brought(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&format!("a=b; {pair}")).unwrap())])
    }

    #[test]
    fn a_session_holds_until_it_is_ended_and_under_its_own_token_only() {
        let (ours, theirs) = (sessions("0123456789abcdef"), sessions("0123456789abcdeg"));
        let session = ours.begin();
        let cookie = ours.cookie(&session, false);
        assert_eq!(ours.find(&brought(&cookie)), Some(session.clone()));
        assert_eq!(theirs.find(&brought(&cookie)), None);
        ours.end(&session);
        assert_eq!(ours.find(&brought(&cookie)), None);
    }

    #[test]
    fn one_that_was_ended_before_a_restart_is_known_by_its_name_as_long_as_it_could_hold() {
        let (before, after) = (sessions("0123456789abcdef"), sessions("0123456789abcdef"));
        let session = before.begin();
        let cookie = before.cookie(&session, false);
        after.was_ended(session.name(), clock::now() - LASTS);
        after.was_ended("another", clock::now());
        assert_eq!(after.find(&brought(&cookie)), Some(session.clone()));
        after.was_ended(session.name(), clock::now());
        assert_eq!(after.find(&brought(&cookie)), None);
    }

    #[test]
    fn no_part_of_a_cookie_can_be_changed() {
        let sessions = sessions("0123456789abcdef");
        let session = sessions.begin();
        let later = Session { ends: session.ends + 1, ..session.clone() };
        let (cookie, of_later) = (sessions.cookie(&session, true), sessions.cookie(&later, true));
        let [_, code] = cookie.split(';').next().unwrap().rsplitn(2, '.').collect::<Vec<_>>()[..] else { panic!() };
        let forged = of_later.replace(of_later.split(';').next().unwrap().rsplit('.').next().unwrap(), code);
        assert_eq!(sessions.find(&brought(&forged)), None);
        assert_eq!(sessions.find(&brought("tollgate_session=1.2.3")), None);
        assert_eq!(sessions.find(&brought("tollgate_session=")), None);
    }

    #[test]
    fn one_that_is_over_does_not_hold() {
        let sessions = sessions("0123456789abcdef");
        let over = Session { ends: clock::now().as_second() - 1, nonce: "0".to_owned() };
        assert_eq!(sessions.find(&brought(&sessions.cookie(&over, false))), None);
    }

    #[test]
    fn a_cookie_says_all_that_keeps_it_from_others() {
        let sessions = sessions("0123456789abcdef");
        let plain = sessions.cookie(&sessions.begin(), false);
        for part in ["tollgate_session=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
            assert!(plain.contains(part), "{plain}");
        }
        assert!(!plain.contains("Secure"), "{plain}");
        let encrypted = sessions.cookie(&sessions.begin(), true);
        assert!(encrypted.starts_with("__Host-tollgate_session=") && encrypted.contains("Secure"), "{encrypted}");
    }
}
