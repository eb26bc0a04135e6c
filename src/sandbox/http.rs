//! A client for loopback: plain HTTP, no proxies, no redirects, no retries. What TLS needs would keep the sandbox from
//! starting on a machine that has no certificates.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// Sends requests. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client(Pool<HttpConnector, Full<Bytes>>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Not an absolute `http://` URL, or a header that is none.
    #[error("not an absolute http:// URL")]
    Request(#[from] hyper::http::Error),
    /// No connection, or a broken one.
    #[error("no connection")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nothing in time.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
}

/// The largest answer that is read. Beyond it the connection counts as broken.
const MOST_BYTES: usize = 8 << 20;

impl Default for Client {
    fn default() -> Self {
        Self(Pool::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http())
    }
}

impl Client {
    /// Sends `body` as `content_type` and reads the whole answer, within `limit`.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        content_type: &'static str,
        body: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<Response<Bytes>, CallError> {
        let request = Request::builder().method(method).uri(url);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.send(request.body(body.into())?, limit).await
    }

    /// Sends a request and reads the whole answer, within `limit`.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn send(&self, request: Request<Bytes>, limit: Duration) -> Result<Response<Bytes>, CallError> {
        let answer = async {
            let request = request.map(Full::new);
            let response = self.0.request(request).await.map_err(|error| CallError::Connection(error.into()))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await.map_err(CallError::Connection)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(limit, answer).await.map_err(|_| CallError::Timeout(limit))?
    }
}
