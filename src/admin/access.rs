//! Who may use the admin listener: whoever has the token, or a session that was begun with it; on loopback without a
//! token, everybody.

use super::session::Sessions;
use crate::domain::secret::Secret;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Uri};
use std::fmt;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Whom the admin listener lets in, and under which names it is reached.
#[derive(Debug)]
pub struct Access {
    kept: Option<Kept>,
    hosts: Vec<String>,
}

/// What keeps others out.
#[derive(Debug)]
struct Kept {
    token: Secret,
    sessions: Sessions,
}

/// The person or program that was let in, as the audit trail names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Brought the token.
    Token,
    /// Logged in with it; the session's name.
    Session(String),
    /// A person or program on this machine, where no token is configured.
    Local,
}

/// What stands before a session's name in the audit trail.
const SESSION: &str = "session:";

impl Who {
    /// The session's name, if the audit trail names one.
    pub(super) fn session_in(who: &str) -> Option<&str> {
        who.strip_prefix(SESSION)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token => f.write_str("token"),
            Self::Session(name) => write!(f, "{SESSION}{name}"),
            Self::Local => f.write_str("local"),
        }
    }
}

/// What a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought<'r> {
    /// `Authorization: Bearer`.
    Token(&'r [u8]),
    /// Neither that nor a session that holds.
    Nothing,
}

impl Access {
    /// Lets in who has `token`, or everybody if there is none; reached under `hosts`, besides addresses and localhost.
    #[must_use]
    pub fn new(token: Option<Secret>, hosts: Vec<String>) -> Self {
        let kept = token.map(|token| Kept { sessions: Sessions::of(&token), token });
        Self { kept, hosts }
    }

    /// This access, with the sessions of the access `before` if both have one token: sessions that were ended stay so.
    pub(super) fn after(mut self, before: &Self) -> Self {
        if let (Some(kept), Some(before)) = (&mut self.kept, &before.kept) {
            let is_same: bool = kept.token.expose().as_bytes().ct_eq(before.token.expose().as_bytes()).into();
            if is_same {
                kept.sessions = before.sessions.clone();
            }
        }
        self
    }

    /// Whether a token is needed.
    #[must_use]
    pub fn needs_token(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether `token` is the one. Takes as long for a wrong one of the same length.
    pub(super) fn is_token(&self, token: &[u8]) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.token.expose().as_bytes().ct_eq(token).into())
    }

    /// The sessions, if there is a token.
    pub(super) fn sessions(&self) -> Option<&Sessions> {
        self.kept.as_ref().map(|kept| &kept.sessions)
    }

    /// Whether a request names a session that holds, as far as is known.
    pub(super) fn brings_session(&self, headers: &HeaderMap) -> bool {
        self.sessions().is_some_and(|sessions| sessions.find(headers).is_some())
    }

    /// Who is let in without having to bring a token, or what they brought.
    ///
    /// # Errors
    /// With what has to be the token.
    pub(super) fn known<'r>(&self, headers: &'r HeaderMap) -> Result<Who, Brought<'r>> {
        let Some(kept) = &self.kept else { return Ok(Who::Local) };
        // Another scheme is for a proxy in front of the gate, which passes it on.
        let token = headers.get_all(AUTHORIZATION).iter().find_map(|authorization| bearer(authorization.as_bytes()));
        if let Some(token) = token {
            return Err(Brought::Token(token));
        }
        kept.sessions.find(headers).map(|session| Who::Session(session.name().to_owned())).ok_or(Brought::Nothing)
    }

    /// Whether the name under which a browser reached us is one of ours: another that leads here is somebody's who
    /// wants to read our answers in a page of their own (DNS rebinding). A target that names one itself (`GET
    /// http://...`) names ours too.
    pub(super) fn is_ours(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(HOST).iter();
        let (Some(host), None) = (all.next(), all.next()) else { return false };
        let Some(name) = host.to_str().ok().and_then(name_of) else { return false };
        self.is_our_name(name) && target.authority().is_none_or(|authority| self.is_our_name(authority.host()))
    }

    fn is_our_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || bare.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }
}

/// The name in a Host header, without the port.
fn name_of(host: &str) -> Option<&str> {
    if host.starts_with('[') {
        return host.split_inclusive(']').next();
    }
    host.split(':').next().filter(|name| !name.is_empty())
}

/// What stands behind `Bearer`.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const TOKEN: &str = "a-token-of-a-test-0123";

    fn access(token: Option<&str>) -> Access {
        Access::new(token.map(|token| Secret::new(token.to_owned())), vec!["gate.example.com".to_owned()])
    }

    fn headers(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        for (host, ours) in [
            ("127.0.0.1:8081", true),
            ("10.1.2.3", true),
            ("[::1]:8081", true),
            ("[::1]", true),
            ("localhost:8081", true),
            ("LOCALHOST", true),
            ("Gate.Example.com:443", true),
            ("gate.example.com.", true),
            ("evil.example", false),
            ("gate.example.com.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("", false),
            (":8081", false),
        ] {
            assert_eq!(access(None).is_ours(&Uri::from_static("/"), &headers(HOST, host)), ours, "{host}");
        }
        assert!(!access(None).is_ours(&Uri::from_static("/"), &HeaderMap::new()));
    }

    #[test]
    fn a_target_that_names_a_host_names_ours() {
        let host = headers(HOST, "127.0.0.1:8081");
        for (target, ours) in [
            ("http://127.0.0.1:8081/", true),
            ("http://localhost/api", true),
            ("https://Gate.Example.com./", true),
            ("http://[::1]:8081/", true),
            ("http://evil.example/", false),
            ("http://127.0.0.1@evil.example/", false),
            ("http://127.0.0.1.evil.example/", false),
        ] {
            assert_eq!(access(None).is_ours(&Uri::from_static(target), &host), ours, "{target}");
        }
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let access = access(Some(TOKEN));
        for (sent, right) in [
            (format!("Bearer {TOKEN}"), true),
            (format!("bearer {TOKEN}"), true),
            (format!("Bearer {TOKEN}x"), false),
            ("Bearer ".to_owned(), false),
        ] {
            let headers = headers(AUTHORIZATION, &sent);
            let Err(Brought::Token(token)) = access.known(&headers) else { panic!("{sent}") };
            assert_eq!(access.is_token(token), right, "{sent}");
        }
        for sent in [format!("Basic {TOKEN}"), TOKEN.to_owned(), "Bearer".to_owned(), String::new()] {
            assert_eq!(access.known(&headers(AUTHORIZATION, &sent)), Err(Brought::Nothing), "{sent}");
        }
        assert_eq!(access.known(&HeaderMap::new()), Err(Brought::Nothing));
    }

    #[test]
    fn without_a_token_everybody_is_let_in_and_nothing_is_a_token() {
        assert_eq!(access(None).known(&HeaderMap::new()), Ok(Who::Local));
        assert!(!access(None).is_token(b""));
    }
}
