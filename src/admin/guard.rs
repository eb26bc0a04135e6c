//! What every request has to bring, in one place, and what every answer carries.
//!
//! Whoever asks must reach us under a name of ours (DNS rebinding), say who they are, and change something only from a
//! page of ours (CSRF): by the token in a header, which no page of another site can send, or by a request that the
//! browser says is our own page's. Nothing is shared with other origins (no CORS).

use super::accept::wants_page;
use super::access::{Brought, Who};
use super::attempts::Penance;
use super::problem::{Problem, spelled_out};
use super::{Admin, login};
use crate::server::Peer;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every answer carries, unless it says otherwise itself. The referrer is kept within: without any, browsers would
/// not say where our own forms come from.
const SECURITY: [(HeaderName, HeaderValue); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin")),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// What a path asks of whoever wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing: whoever looks after the process.
    Nothing,
    /// A name of ours.
    OurName,
    /// That, and a token or a session.
    Somebody,
}

fn needs(path: &str) -> Needs {
    match path {
        "/healthz" | "/readyz" => Needs::Nothing,
        "/login" | "/language" | "/favicon.ico" => Needs::OurName,
        _ if path.starts_with("/assets/") => Needs::OurName,
        _ => Needs::Somebody,
    }
}

/// Lets through to `routes` what may pass.
pub(super) fn around(routes: Router<Arc<Admin>>, admin: Arc<Admin>) -> Router {
    routes.layer(from_fn_with_state(Arc::clone(&admin), guard)).with_state(admin)
}

async fn guard(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response {
    if needs(request.uri().path()) == Needs::Somebody && admin.access.load().brings_session(request.headers()) {
        admin.hear_of_logouts().await;
    }
    let answer = match admit(&admin, &request) {
        Ok(who) => {
            if let Some(who) = who {
                request.extensions_mut().insert(who);
            }
            spelled_out(next.run(request).await).await
        }
        Err(refusal) => {
            let (answer, penance) = *refusal;
            if let Some(penance) = penance {
                penance.done().await;
            }
            answer
        }
    };
    secured(answer)
}

/// The answer to a request that may not pass, and what it waits for.
type Refusal = Box<(Response, Option<Box<Penance>>)>;

/// Who it is, if that was asked.
fn admit(admin: &Admin, request: &Request) -> Result<Option<Who>, Refusal> {
    let needs = needs(request.uri().path());
    if needs == Needs::Nothing {
        return Ok(None);
    }
    let headers = request.headers();
    let refuse = |problem: Problem| Err(Box::new((problem.into_response(), None)));
    if !admin.access.load().is_ours(request.uri(), headers) {
        let detail = "the admin listener is not reached under this name: use its address, or add it to admin.hosts";
        return refuse(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let origin = origin(headers);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && origin == Origin::Foreign {
        return refuse(foreign());
    }
    if needs == Needs::OurName {
        return Ok(None);
    }
    let who = match who(admin, headers, address(request)) {
        Ok(who) => who,
        Err((problem, penance)) if problem.status() == StatusCode::UNAUTHORIZED && wants_page(request) => {
            return Err(Box::new((login::go_there(request.uri()), penance)));
        }
        Err((problem, penance)) => return Err(Box::new((problem.into_response(), penance))),
    };
    if changes && origin == Origin::Unsaid && matches!(who, Who::Session(_)) {
        return refuse(foreign());
    }
    Ok(Some(who))
}

fn foreign() -> Problem {
    let detail = "this changes something and does not come from a page of this listener";
    Problem::new(StatusCode::FORBIDDEN, detail)
}

/// Who asks.
fn who(admin: &Admin, headers: &HeaderMap, address: IpAddr) -> Result<Who, (Problem, Option<Box<Penance>>)> {
    let brought = match admin.access.load().known(headers) {
        Ok(who) => return Ok(who),
        Err(brought) => brought,
    };
    match brought {
        Brought::Token(token) => admin.check_token(token, address).map(|()| Who::Token),
        Brought::Nothing => Err((Problem::unauthorized("bring the token: Authorization: Bearer TOKEN"), None)),
    }
}

/// Where a request comes from, as far as a browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A page of ours.
    Ours,
    /// Anywhere else.
    Foreign,
    /// No browser would leave it unsaid where something is changed.
    Unsaid,
}

fn origin(headers: &HeaderMap) -> Origin {
    let host = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_ours = |origin: &HeaderValue| {
        let authority =
            ["http://", "https://"].iter().find_map(|scheme| origin.as_bytes().strip_prefix(scheme.as_bytes()));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let origins = headers.get_all(ORIGIN).iter().map(is_ours);
    let sites = headers.get_all(SEC_FETCH_SITE).iter().map(|site| site == "same-origin");
    origins.chain(sites).fold(Origin::Unsaid, |so_far, ours| match so_far {
        Origin::Foreign => Origin::Foreign,
        _ if ours => Origin::Ours,
        _ => Origin::Foreign,
    })
}

/// Who is at the other end of the connection.
pub(super) fn address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.addr.ip())
}

fn secured(mut answer: Response) -> Response {
    for (name, value) in SECURITY {
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_what_says_it_is_ours_is_ours() {
        let host = (HOST, "127.0.0.1:8081");
        for (said, origin) in [
            (&[host.clone()][..], Origin::Unsaid),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:8081")], Origin::Ours),
            (&[host.clone(), (ORIGIN, "https://127.0.0.1:8081")], Origin::Ours),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:8082")], Origin::Foreign),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1")], Origin::Foreign),
            (&[host.clone(), (ORIGIN, "http://127.0.0.1:8081.evil.example")], Origin::Foreign),
            (&[host.clone(), (ORIGIN, "null")], Origin::Foreign),
            (&[host.clone(), (ORIGIN, "")], Origin::Foreign),
            (&[host.clone(), (SEC_FETCH_SITE, "same-origin")], Origin::Ours),
            (&[host.clone(), (SEC_FETCH_SITE, "same-site")], Origin::Foreign),
            (&[host.clone(), (SEC_FETCH_SITE, "cross-site")], Origin::Foreign),
            (&[host.clone(), (SEC_FETCH_SITE, "none")], Origin::Foreign),
            (&[host, (ORIGIN, "http://127.0.0.1:8081"), (SEC_FETCH_SITE, "cross-site")], Origin::Foreign),
        ] {
            assert_eq!(super::origin(&headers(said)), origin, "{said:?}");
        }
    }

    #[test]
    fn whatever_is_not_named_needs_somebody() {
        for path in
            ["/", "/metrics", "/api/orders", "/logout", "/assets", "/login/", "/healthz/", "//healthz", "/x/../login"]
        {
            assert_eq!(needs(path), Needs::Somebody, "{path}");
        }
    }
}
