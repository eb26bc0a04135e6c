//! What kind of answer is wanted: a page for a person, or something for a program.

use axum::extract::Request;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, Method};

/// Whether a person reads the answer.
pub(super) fn wants_page(request: &Request) -> bool {
    let is_page = matches!(*request.method(), Method::GET | Method::HEAD) && !request.uri().path().starts_with("/api/");
    is_page && accepts_html(request.headers())
}

/// Whether the answer may be a page.
pub(super) fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split(',')).any(|kind| kind.trim().starts_with("text/html"))
}
