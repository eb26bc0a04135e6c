//! One request over HTTP, and its answer.

use super::BuildError;
use crate::net::http_client;
use crate::provider::wechat::QueryError;
use reqwest::{Client, Response};
use std::fmt::{self, Write};
use std::time::Duration;

/// Time for connecting to a host, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections are dropped by us before the host drops them, which would look like a failure of the next query.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer. Real ones have about 1,500; the longest documented field has 8,192 characters.
pub(super) const LARGEST_ANSWER: usize = 64 * 1024;

/// Why a query brought no answer, and what the log gets to know beyond that.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: QueryError,
    pub(super) cause: Option<String>,
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self { error, cause: None }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self { error: QueryError::Transport, cause: Some(http_client::innermost(&error)) }
    }
}

pub(super) fn http_client(encrypted: bool) -> Result<Client, BuildError> {
    let client = http_client::client(encrypted)?.connect_timeout(CONNECT_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(client.build()?)
}

/// Reads an answer's body, which is judged by nothing but itself, and gives up as soon as it grows too large.
pub(super) async fn read_body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > LARGEST_ANSWER {
        return Err(QueryError::TooLarge.into());
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(QueryError::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A text of an answer as it may stand in the log: short, and without control characters.
pub(super) struct Logged<'a>(pub(super) Option<&'a str>);

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.unwrap_or("-");
        text.chars().take(64).flat_map(char::escape_debug).try_for_each(|character| f.write_char(character))
    }
}
