//! One request over HTTP, and its answer.

use super::BuildError;
use super::host::Host;
use crate::net::connection::{self, Answer, Bound, Connection, ExchangeError};
use crate::net::connector::{Connector, Unreachable};
use crate::net::http_client;
use crate::net::pool;
use crate::provider::wechat::QueryError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use reqwest::{Client, Response};
use rustls::ClientConfig;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
    /// A kept connection ended before a byte of an answer came. Most likely the host had closed it before, which says
    /// nothing of the host.
    pub(super) on_kept: bool,
}

impl Failure {
    pub(super) fn new(error: QueryError, cause: impl Into<String>) -> Self {
        Self { error, cause: Some(cause.into()), on_kept: false }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self { error, cause: None, on_kept: false }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::new(QueryError::Transport, http_client::innermost(&error))
    }
}

impl From<Unreachable> for Failure {
    fn from(Unreachable(cause): Unreachable) -> Self {
        Self::new(QueryError::Transport, cause)
    }
}

impl From<connection::Failure> for Failure {
    fn from(failure: connection::Failure) -> Self {
        match failure {
            connection::Failure::Timeout => QueryError::Timeout.into(),
            connection::Failure::TooLarge => QueryError::TooLarge.into(),
            connection::Failure::Broken(cause) => Self::new(QueryError::Transport, cause),
        }
    }
}

/// What is not asked often: bills, and platform certificates.
pub(super) fn http_client(tls: ClientConfig) -> Result<Client, BuildError> {
    let client = http_client::client_by(tls).connect_timeout(CONNECT_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(client.build()?)
}

/// Which connection a query takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// One that was kept, if there is one.
    Kept,
    /// One that had no query before.
    Fresh,
}

/// How order queries get to their hosts: over connections that are kept with each, and that whoever asks drives.
#[derive(Debug)]
pub(super) struct Lines(Connector);

impl Lines {
    pub(super) fn new(tls: ClientConfig) -> Self {
        Self(Connector::by(CONNECT_TIMEOUT, Some(Arc::new(tls).into())))
    }

    /// Sends one query and takes the answer, as far as the `bound` wants it.
    pub(super) async fn exchange(
        &self,
        host: &Host,
        mut query: Request<Full<Bytes>>,
        bound: Bound,
        (line, deadline): (Line, Instant),
    ) -> Result<Answer, Failure> {
        if line == Line::Kept {
            // One that the host was seen to have closed gives the query back unsent.
            while let Some(mut kept) = host.kept.take(Some(IDLE_TIMEOUT)) {
                match kept.exchange(query, bound, deadline).await {
                    Ok(answer) => return Ok(keep(host, kept, answer)),
                    Err(ExchangeError::Unsent(unsent)) => query = *unsent,
                    Err(ExchangeError::Unanswered(cause)) => {
                        return Err(Failure { on_kept: true, ..Failure::new(QueryError::Transport, cause) });
                    }
                    Err(ExchangeError::Failed(failure)) => return Err(failure.into()),
                }
            }
        }
        let mut fresh = match self.0.connect(&host.scheme, &host.authority, deadline).await {
            Ok(fresh) => fresh,
            Err(_) if Instant::now() >= deadline => return Err(QueryError::Timeout.into()),
            Err(unreachable) => return Err(unreachable.into()),
        };
        match fresh.exchange(query, bound, deadline).await {
            Ok(answer) => Ok(keep(host, fresh, answer)),
            Err(ExchangeError::Unsent(_)) => Err(Failure::new(QueryError::Transport, "closed as soon as it was open")),
            Err(ExchangeError::Unanswered(cause)) => Err(Failure::new(QueryError::Transport, cause)),
            Err(ExchangeError::Failed(failure)) => Err(failure.into()),
        }
    }
}

fn keep(host: &Host, connection: Connection, answer: Answer) -> Answer {
    host.kept.keep(connection, pool::limit(Some(IDLE_TIMEOUT), &answer.headers));
    answer
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
