//! A page, fetched as `provider/wechat/client.rs` asks: no redirects, no proxies from the environment, nothing twice.

use super::LARGEST_TEXT;
use super::error::{SourceError, root_cause};
use crate::domain::secret::Secret;
use crate::net::http_client;
use crate::net::tls::{self, NoTls};
use hyper::http::uri::Uri;
use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode};
use std::time::Duration;

/// A page that lists orders.
#[derive(Debug, Clone)]
pub struct Page {
    /// http or https, without a user in it.
    pub url: Uri,
    /// What is sent as `Authorization: Bearer`, if something is.
    pub token: Option<Secret>,
}

/// Its text.
pub(super) async fn get(page: &Page, deadline: Duration) -> Result<Vec<u8>, SourceError> {
    let client = client(page.url.scheme_str() == Some("https"), deadline)?;
    let mut request = client.get(page.url.to_string()).header(ACCEPT, "application/json");
    if let Some(token) = &page.token {
        request = request.bearer_auth(token.expose());
    }
    let mut response = request.send().await.map_err(|error| explain(&error))?;
    if response.status() != StatusCode::OK {
        return Err(SourceError::Status(response.status().as_u16()));
    }
    let mut text = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if text.len() + chunk.len() > LARGEST_TEXT {
            return Err(SourceError::TooLarge);
        }
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

fn client(encrypted: bool, deadline: Duration) -> Result<Client, SourceError> {
    let client = http_client::client(encrypted).map_err(|_| NoTls::NoAuthorities)?;
    client.timeout(deadline).build().map_err(|_| SourceError::NotSetUp("the HTTP client".to_owned()))
}

/// Only the innermost cause: the outer ones name the URL, which may have a key in its query.
fn explain(error: &reqwest::Error) -> SourceError {
    let cause = root_cause(error);
    match error {
        _ if error.is_timeout() => SourceError::TimedOut,
        _ if tls::has_failed(error) => SourceError::Certificate(cause),
        _ if error.is_connect() => SourceError::Unreachable(cause),
        _ => SourceError::BrokeOff(cause),
    }
}
