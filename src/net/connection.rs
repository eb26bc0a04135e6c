//! One HTTP/1.1 connection to another machine.
//!
//! The connection is driven by whoever uses it, in the same task, rather than by a task of its own: a request then costs
//! no switch between tasks. While it waits in the pool no task drives it; before it is used again it is polled once,
//! which finds out whether the other side closed it meanwhile. Whoever lets go of an exchange before its end closes it.

use super::http_client::innermost;
use super::lazy_deadline::LazyDeadline;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The largest head of an answer.
const LARGEST_HEAD: usize = 64 * 1024;

/// What a connection goes over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A socket that records whether the other side has said anything.
struct Socket {
    io: Box<dyn Io>,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

type Driver = http1::Connection<TokioIo<Socket>, Full<Bytes>>;

/// An open connection that waits in the pool or carries one exchange.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it is over. Dropping it gives back a request that it has not taken.
    driver: Option<Pin<Box<Driver>>>,
    /// Whether a byte came since the last request was begun.
    heard: Arc<AtomicBool>,
    deadline: LazyDeadline,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("closed", &self.driver.is_none()).finish_non_exhaustive()
    }
}

/// An answer, as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty where it was not wanted.
    pub body: Bytes,
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub enum ExchangeError {
    /// Not a byte of it was written: here it is again.
    Unsent(Box<Request<Full<Bytes>>>),
    /// The connection ended before a byte of an answer came; the other side may have seen the request. For the log, how.
    Unanswered(String),
    /// The other side may have seen it.
    Failed(Failure),
}

/// What became of a request that has no answer and may have been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The deadline came first.
    Timeout,
    /// The answer is larger than is wanted.
    TooLarge,
    /// The connection broke off, or what came is no answer; for the log, how.
    Broken(String),
}

/// How large a body may be that comes with a status; `None` if it is not wanted.
pub type Bound = fn(StatusCode) -> Option<usize>;

impl Connection {
    /// Begins HTTP on what was connected.
    pub(super) async fn open(io: Box<dyn Io>, deadline: Instant) -> hyper::Result<Self> {
        let heard = Arc::new(AtomicBool::new(false));
        let socket = TokioIo::new(Socket { io, heard: Arc::clone(&heard) });
        let (sender, driver) = http1::Builder::new().max_buf_size(LARGEST_HEAD).writev(false).handshake(socket).await?;
        let deadline = LazyDeadline::new(deadline);
        let mut connection = Self { sender, driver: Some(Box::pin(driver)), heard, deadline };
        connection.settle().await;
        Ok(connection)
    }

    /// Whether another request can be sent.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends one request and reads the whole answer, as far as its `bound` wants it.
    ///
    /// # Errors
    /// If there is none by the `deadline`.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        bound: Bound,
        deadline: Instant,
    ) -> Result<Answer, ExchangeError> {
        self.settle().await;
        if !self.is_reusable() {
            return Err(ExchangeError::Unsent(Box::new(request)));
        }
        self.deadline.set(deadline);
        self.heard.store(false, Ordering::Relaxed);
        let answer = match self.converse(request, bound).await {
            Err(ExchangeError::Failed(Failure::Broken(cause))) if !self.heard.load(Ordering::Relaxed) => {
                Err(ExchangeError::Unanswered(cause))
            }
            answer => answer,
        };
        self.settle().await;
        answer
    }

    async fn converse(&mut self, request: Request<Full<Bytes>>, bound: Bound) -> Result<Answer, ExchangeError> {
        let Self { sender, driver, deadline, .. } = self;
        let mut answering = pin!(async {
            match sender.try_send_request(request).await {
                Ok(response) => read(response, bound).await.map_err(ExchangeError::Failed),
                Err(mut refused) => Err(match refused.take_message() {
                    Some(unsent) => ExchangeError::Unsent(Box::new(unsent)),
                    None => ExchangeError::Failed(Failure::Broken(innermost(refused.error()))),
                }),
            }
        });
        poll_fn(|cx| {
            // First the request is put in, then the connection writes and reads, then the answer is taken out.
            if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
                *driver = None;
            }
            if let Poll::Ready(answer) = answering.as_mut().poll(cx) {
                return Poll::Ready(answer);
            }
            deadline.poll(cx).map(|()| Err(ExchangeError::Failed(Failure::Timeout)))
        })
        .await
    }

    /// Lets the connection notice what happened to it: the end of an answer, or a close.
    async fn settle(&mut self) {
        let Some(driver) = &mut self.driver else { return };
        if poll_fn(|cx| Poll::Ready(driver.as_mut().poll(cx).is_ready())).await {
            self.driver = None;
        }
    }
}

async fn read(response: Response<Incoming>, bound: Bound) -> Result<Answer, Failure> {
    let (head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS || !is_framed_plainly(&head.headers) {
        return Err(Failure::Broken("no plain answer of HTTP".to_owned()));
    }
    let body = match bound(head.status) {
        Some(largest) => read_body(body, largest).await?,
        None => Bytes::new(),
    };
    Ok(Answer { status: head.status, headers: head.headers, body })
}

async fn read_body(body: Incoming, largest: usize) -> Result<Bytes, Failure> {
    // What announces more is not waited for.
    if body.size_hint().lower() > largest as u64 {
        return Err(Failure::TooLarge);
    }
    match Limited::new(body, largest).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::TooLarge),
        Err(error) => Err(Failure::Broken(innermost(&*error))),
    }
}

/// Whether the body ends where every reader says: by a length, by chunks, or with the connection (threat P-15).
fn is_framed_plainly(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests;
