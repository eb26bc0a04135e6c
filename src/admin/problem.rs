//! What went wrong, as a problem document (RFC 9457).

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The media type of problem documents.
pub(super) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The longest text of a library's own that is repeated.
const LONGEST_DETAIL: usize = 500;

/// Why a request was not done (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The reason code, where there is one (`docs/reasons.md`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
    /// With `override-needed`: what has to be decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false, required = false)]
    needs: Vec<&'static str>,
    /// What the answer says beside it.
    #[serde(skip)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// A problem of this status.
    #[must_use]
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let (kind, detail) = ("about:blank", detail.into());
        Self { kind, title, status: status.as_u16(), detail, reason: None, needs: Vec::new(), header: None }
    }

    /// With a reason code.
    #[must_use]
    pub(super) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Because these have to be decided first.
    #[must_use]
    pub(super) fn needing(self, needs: Vec<&'static str>) -> Self {
        Self { reason: Some("override-needed"), needs, ..self }
    }

    /// The client has to log in first.
    #[must_use]
    pub(super) fn unauthorized(detail: &str) -> Self {
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, detail);
        let challenge = HeaderValue::from_static("Bearer realm=\"tollgate\"");
        problem.header = Some(Box::new((WWW_AUTHENTICATE, challenge)));
        problem
    }

    /// Too many wrong tokens came from there.
    #[must_use]
    pub(super) fn wait(wait: Duration) -> Self {
        let detail = "too many wrong tokens came from this address";
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        problem.header = Some(Box::new((RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))));
        problem
    }

    /// What its status is.
    #[must_use]
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, header) = (self.status(), self.header.clone());
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some((name, value)) = header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Nothing is there.
pub(super) async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing of this name")
}

/// Makes a problem document of what a library refused in its own words, such as a method.
pub(super) async fn spelled_out(response: Response) -> Response {
    let status = response.status();
    let is_ours = |kind: &HeaderValue| *kind == PROBLEM_JSON || kind.as_bytes().starts_with(b"text/html");
    if !(status.is_client_error() || status.is_server_error())
        || response.headers().get(CONTENT_TYPE).is_some_and(is_ours)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let detail = text_of(body).await.unwrap_or_else(|| {
        let title = status.canonical_reason().unwrap_or("not done");
        title.to_ascii_lowercase()
    });
    let (problem, body) = Problem::new(status, detail).into_response().into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(problem.headers);
    Response::from_parts(parts, body)
}

async fn text_of(body: Body) -> Option<String> {
    if body.size_hint().exact().is_none_or(|length| length == 0 || length > LONGEST_DETAIL as u64) {
        return None;
    }
    let text = body.collect().await.ok()?.to_bytes();
    std::str::from_utf8(&text).ok().map(str::to_owned)
}
