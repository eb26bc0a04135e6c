//! What requests say in their path and query, and what of it is refused.

use crate::admin::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::str::FromStr;
use utoipa::IntoParams;

/// The largest page.
const MOST: usize = 200;

/// A page that does not say how large it is.
const PAGE: usize = 50;

/// The query, and nothing else in it.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = |rejection: QueryRejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text());
        Query::<T>::from_request_parts(parts, state).await.map(|Query(asked)| Self(asked)).map_err(refused)
    }
}

/// No query at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// The body as JSON, or nothing.
pub(super) struct Said<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Said<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind =
            request.headers().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default().to_ascii_lowercase());
        let refused = |rejection: BytesRejection| Problem::new(rejection.status(), rejection.body_text());
        let body = Bytes::from_request(request, state).await.map_err(refused)?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        if kind.as_deref().and_then(|kind| kind.split(';').next()).map(str::trim) != Some("application/json") {
            let detail = "the body is JSON: Content-Type: application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let wrong = |error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not what is wanted: {error}"));
        // An object or null; what is derived would take a list of its values too.
        let Some(said) = serde_json::from_slice::<Option<Map<String, Value>>>(&body).map_err(wrong)? else {
            return Ok(Self(T::default()));
        };
        serde_json::from_value(Value::Object(said)).map(Self).map_err(wrong)
    }
}

/// The path.
pub(super) struct Place<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Place<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let refused = |rejection: PathRejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text());
        Path::<T>::from_request_parts(parts, state).await.map(|Path(place)| Self(place)).map_err(refused)
    }
}

/// What a parameter says.
///
/// # Errors
/// 400 if it makes no sense.
pub(super) fn read<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| wrong(name, &format!("{error}")))
}

/// What a parameter says, if it is there.
///
/// # Errors
/// 400 if it makes no sense.
pub(super) fn optional<T: FromStr<Err: Display>>(name: &str, text: Option<&String>) -> Result<Option<T>, Problem> {
    text.map(|text| read(name, text)).transpose()
}

/// One of the words that `named` knows.
///
/// # Errors
/// 400 if it is none of them.
pub(super) fn one_of<T>(
    name: &str,
    text: Option<&String>,
    named: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let known = |text: &String| named(text).ok_or_else(|| wrong(name, "is none of the words that it may be"));
    text.map(known).transpose()
}

/// A time.
///
/// # Errors
/// 400 if it is none.
pub(super) fn time(name: &str, text: Option<&String>) -> Result<Option<Timestamp>, Problem> {
    let wrong = |_| wrong(name, "is not a time like 2026-11-24T02:00:00Z (a + in an offset is written %2B)");
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

/// How large a page is.
///
/// # Errors
/// 400 if that is too much or nothing.
pub(super) fn limit(limit: Option<u64>) -> Result<usize, Problem> {
    match limit.map(usize::try_from) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(_) => Err(wrong("limit", &format!("is not a number from 1 to {MOST}"))),
    }
}

/// A number that rows are counted by.
///
/// # Errors
/// 400 if none has it.
pub(super) fn positive(name: &str, number: Option<i64>) -> Result<Option<i64>, Problem> {
    match number {
        Some(number) if number < 1 => Err(wrong(name, "is not a number from 1 on")),
        number => Ok(number),
    }
}

/// Leaves `limit` rows of a page that was read with one more; the place of the last of them if there are more.
pub(super) fn cut<T, P>(page: &mut Vec<T>, limit: usize, place: impl Fn(&T) -> P) -> Option<P> {
    let more = page.len() > limit;
    page.truncate(limit);
    page.last().filter(|_| more).map(place)
}

fn wrong(name: &str, what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("{name} {what}"))
}

/// The order that a path names.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrderPlace {
    /// The channel's name; a slash in it is written %2F.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_./-]+$", example = "app")]
    pub(super) channel: String,
    /// The exact order id of the legacy system.
    #[param(min_length = 1, max_length = 64, pattern = "^[0-9A-Za-z_|*@-]+$", example = "A1001")]
    pub(super) order: String,
}
