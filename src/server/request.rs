//! One request: reads its body whole, hands it to the handler, and outlives whatever the handler does.

use super::head::{Framing, Refusal};
use super::memory::{self, Memory, Share};
use super::seat::Seat;
use super::{Arrival, Handler, Limits, Peer, Server};
use crate::domain::reason::Reason;
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use tokio::time::timeout;

/// What the connection knows of a request beside what hyper says.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) peer: Peer,
    pub(super) framing: Framing,
    /// Whether the connection ends with its answer.
    pub(super) last: bool,
    /// Set if what hyper says is a stand-in.
    pub(super) refusal: Option<Box<Refusal>>,
    /// Set by the answer that ends the connection.
    pub(super) closing: Arc<AtomicBool>,
    /// Its connection's seat, if the permit may be revoked while the body is waited for.
    pub(super) seat: Option<Arc<Seat>>,
}

impl Exchange {
    /// The answer, with `Connection: close` if it is the last one.
    pub(super) async fn answer<H: Handler>(
        self,
        server: Arc<Server<H>>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (mut head, body) = request.into_parts();
        // Hyper's offer to upgrade stands there (P-12).
        head.extensions.clear();
        let body = match self.refusal {
            None => read(body, self.framing, &server.limits, &server.memory).await,
            Some(refusal) => {
                head.method = refusal.method;
                head.uri = refusal.uri;
                head.headers.clear();
                Err(refusal.reason)
            }
        };
        if self.seat.as_ref().is_some_and(|seat| !seat.is_served()) {
            // The connection is about to be closed, so no peer is asked for a body any more.
            return std::future::pending().await;
        }
        let last = self.last || body.is_err();
        let arrival = Arrival { head, body, peer: self.peer };
        let mut response = match catch_panic(async { Arc::clone(&server.handler).handle(arrival).await }).await {
            Some(response) if !response.status().is_informational() => response,
            _ => internal_error(),
        };
        if last || server.shutdown.is_near() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            self.closing.store(true, Ordering::Relaxed);
        } else {
            response.headers_mut().remove(CONNECTION);
        }
        // From here on the peer has to take it.
        self.seat.iter().for_each(Seat::waits);
        Ok(response)
    }
}

async fn read(body: Incoming, framing: Framing, limits: &Limits, memory: &Memory) -> Result<Bytes, Reason> {
    match framing {
        Framing::Length(0) => Ok(Bytes::new()),
        Framing::Length(length) if length > limits.body as u64 => Err(Reason::BodyTooLarge),
        Framing::Length(_) | Framing::Chunked => {
            let collected = collect(body, Whole { bytes: Vec::new(), limits, memory, share: None });
            timeout(limits.body_timeout, collected).await.unwrap_or(Err(Reason::RequestTimeout))
        }
    }
}

async fn collect(mut body: Incoming, mut whole: Whole<'_>) -> Result<Bytes, Reason> {
    let first = next_data(&mut body).await?.unwrap_or_default();
    if body.is_end_stream() {
        // Most bodies come in one piece, which stays where hyper has read it.
        return if first.len() > whole.limits.body { Err(Reason::BodyTooLarge) } else { Ok(first) };
    }
    let mut next = Some(first);
    while let Some(data) = next.take() {
        whole.push(&data, body.size_hint().lower())?;
        // Hyper reads into the same buffer again if no piece of it is held.
        drop(data);
        next = match &whole.share {
            None => next_data(&mut body).await?,
            Some(share) => tokio::select! {
                biased;
                data = next_data(&mut body) => data?,
                () = share.is_cut() => return Err(Reason::RequestTimeout),
            },
        };
    }
    whole.finish()
}

/// A body that comes in several pieces. Its buffer grows with what has come, not with what is announced.
struct Whole<'a> {
    bytes: Vec<u8>,
    limits: &'a Limits,
    memory: &'a Memory,
    /// There once it is not small any more.
    share: Option<Share>,
}

impl Whole<'_> {
    fn push(&mut self, data: &[u8], announced: u64) -> Result<(), Reason> {
        let length = self.bytes.len() + data.len();
        if length > self.limits.body {
            return Err(Reason::BodyTooLarge);
        }
        if length > self.bytes.capacity() {
            let rest = usize::try_from(announced).unwrap_or(usize::MAX);
            let most = if rest > 0 { length.saturating_add(rest).min(self.limits.body) } else { self.limits.body };
            let buffer = (self.bytes.capacity() * 2).max(memory::SMALL).min(most).max(length);
            if buffer > memory::SMALL {
                let share = self.share.get_or_insert_with(|| self.memory.share());
                share.grow(buffer, self.limits.memory)?;
            }
            self.bytes.reserve_exact(buffer - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn finish(self) -> Result<Bytes, Reason> {
        match self.share {
            None => Ok(self.bytes.into()),
            Some(share) => share.hold(self.bytes),
        }
    }
}

/// The next piece of the body; trailers are dropped (P-10).
async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, Reason> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Reason::RequestMalformed)?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Runs a future to its end, or to its panic: `None`. A panic must not take the other requests' connections along
///
async fn catch_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => {
            tracing::error!(reason = %Reason::InternalError, "a request's handler panicked");
            Poll::Ready(None)
        }
    })
    .await
}

fn internal_error() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("internal error\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
