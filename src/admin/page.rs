//! The dashboard: pages for whoever wants to know what became of orders, and what to do about them.
//!
//! A page is made here, whole, from a template (`page/templates`) and the words of its language (`page/words.rs`). It
//! needs no script: links and forms do everything. `assets/page.js` and htmx add that it updates itself, asks in a
//! dialog, and copies.

mod act;

mod assets;

mod audit;

mod chart;

mod decision;

mod flash;

mod health;

mod href;

mod language;

mod ledger;

mod login;

mod notice;

mod orders;

mod overview;

mod refused;

mod shell;

mod show;

mod signing;

mod sources;

mod story;

mod sweeps;

mod switch;

mod words;

pub(crate) use words::reasons::reason_in_chinese;

use super::Admin;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;

/// The pages' paths.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/", get(overview::show))
        .route("/orders", get(orders::show))
        .route("/orders/{channel}/{order}", get(story::show))
        .route("/orders/{channel}/{order}/{action}", get(act::ask).post(act::act))
        .route("/ledger", get(ledger::show))
        .route("/sweeps", get(sweeps::list))
        .route("/sweeps/{id}", get(sweeps::report))
        .route("/sources", get(sources::show))
        .route("/refused", get(refused::show))
        .route("/audit", get(audit::show))
        .route("/login", get(login::show))
        .route("/language", post(switch::switch))
        .route("/assets/{name}", get(asset))
}

/// A page.
#[derive(Debug)]
struct Html {
    status: StatusCode,
    text: String,
    cookie: Option<String>,
}

/// Another page, to be gone to.
#[derive(Debug)]
struct See {
    place: String,
    cookie: Option<String>,
}

/// Writes a page.
fn render(page: impl Template) -> Html {
    match page.render() {
        Ok(text) => Html { status: StatusCode::OK, text, cookie: None },
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            Html { status: StatusCode::INTERNAL_SERVER_ERROR, text: String::new(), cookie: None }
        }
    }
}

impl Html {
    fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn with_cookie(self, cookie: String) -> Self {
        Self { cookie: Some(cookie), ..self }
    }
}

impl See {
    fn other(place: String) -> Self {
        Self { place, cookie: None }
    }

    fn with_cookie(self, cookie: String) -> Self {
        Self { cookie: Some(cookie), ..self }
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
        set(headers, self.cookie);
        response
    }
}

impl IntoResponse for See {
    fn into_response(self) -> Response {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let place = HeaderValue::from_str(&self.place).unwrap_or(HeaderValue::from_static("/"));
        response.headers_mut().insert(LOCATION, place);
        set(response.headers_mut(), self.cookie);
        response
    }
}

fn set(headers: &mut HeaderMap, cookie: Option<String>) {
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.append(SET_COOKIE, cookie);
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    v: Option<String>,
}

async fn asset(Path(name): Path<String>, Query(version): Query<Version>, headers: HeaderMap) -> Response {
    assets::serve(&name, version.v.as_deref(), &headers)
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}
