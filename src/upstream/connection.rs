//! One HTTP/1.1 connection to an upstream.
//!
//! The connection is driven by the callback that uses it, in the same task, rather than by a task of its own: a
//! callback then costs no switch between tasks. While it waits in the pool no task drives it; before it is used again
//! it is polled once, which finds out whether the upstream closed it meanwhile.

use super::{LARGEST_ANSWER, Upstream, UpstreamAnswer};
use crate::domain::reason::Reason;
use crate::net::http_client::GatesTime;
use crate::net::lazy_deadline::LazyDeadline;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::http::uri::{Scheme, Uri};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// The largest head of an answer.
const LARGEST_HEAD: usize = 64 * 1024;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
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
pub(super) struct Connection {
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

/// Why an exchange gave no answer.
pub(super) enum ConnectionError {
    /// Not a byte of it was written: here it is again.
    Unsent(Box<Request<Full<Bytes>>>),
    /// The connection ended before a byte of an answer came; the upstream may have seen the request.
    Unanswered,
    /// The upstream may have seen it.
    Failed(Reason),
}

impl Connection {
    /// Whether another request can be sent.
    pub(super) fn is_reusable(&self) -> bool {
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends one request and reads the whole answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<UpstreamAnswer, ConnectionError> {
        self.settle().await;
        if !self.is_reusable() {
            return Err(ConnectionError::Unsent(Box::new(request)));
        }
        self.deadline.set(deadline);
        self.heard.store(false, Ordering::Relaxed);
        let answer = match self.converse(request).await {
            Err(ConnectionError::Failed(Reason::UpstreamBroke)) if !self.heard.load(Ordering::Relaxed) => {
                Err(ConnectionError::Unanswered)
            }
            answer => answer,
        };
        self.settle().await;
        answer
    }

    async fn converse(&mut self, request: Request<Full<Bytes>>) -> Result<UpstreamAnswer, ConnectionError> {
        let Self { sender, driver, deadline, .. } = self;
        let mut answering = pin!(async {
            match sender.try_send_request(request).await {
                Ok(response) => whole(response).await.map_err(ConnectionError::Failed),
                Err(mut refused) => Err(match refused.take_message() {
                    Some(unsent) => ConnectionError::Unsent(Box::new(unsent)),
                    None => ConnectionError::Failed(Reason::UpstreamBroke),
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
            deadline.poll(cx).map(|()| Err(ConnectionError::Failed(Reason::UpstreamTimeout)))
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

async fn whole(response: Response<Incoming>) -> Result<UpstreamAnswer, Reason> {
    let (head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS || !is_framed_plainly(&head.headers) {
        return Err(Reason::UpstreamBroke);
    }
    match Limited::new(body, LARGEST_ANSWER).collect().await {
        Ok(body) => Ok(UpstreamAnswer { status: head.status, headers: head.headers, body: body.to_bytes() }),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Reason::UpstreamAnswerTooLarge),
        Err(_) => Err(Reason::UpstreamBroke),
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

/// Opens connections.
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(timeout: Duration, with_tls: bool) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.enforce_http(false);
        let tls = with_tls.then(tls_connector).transpose()?;
        Ok(Self { tcp, tls, timeout })
    }

    /// Whether one like this, with TLS if that is wanted, would be the same.
    pub(super) fn does(&self, timeout: Duration, with_tls: bool) -> bool {
        self.timeout == timeout && (self.tls.is_some() || !with_tls)
    }

    pub(super) async fn connect(&self, upstream: &Upstream, deadline: Instant) -> Result<Connection, Reason> {
        let deadline = deadline.min(Instant::now() + self.timeout);
        // Boxed, since a callback that finds a kept connection should not carry the room for all this.
        match timeout_at(deadline, Box::pin(self.open(upstream))).await {
            Ok(Some(connection)) => Ok(connection),
            Ok(None) | Err(_) => Err(Reason::UpstreamUnreachable),
        }
    }

    async fn open(&self, upstream: &Upstream) -> Option<Connection> {
        let uri = Uri::builder()
            .scheme(upstream.scheme.clone())
            .authority(upstream.authority.clone())
            .path_and_query("/")
            .build()
            .ok()?;
        let tcp = self.tcp.clone().call(uri).await.ok()?;
        let io: Box<dyn Io> = if upstream.scheme == Scheme::HTTPS {
            let host = upstream.authority.host().trim_matches(['[', ']']);
            let name = ServerName::try_from(host.to_owned()).ok()?;
            Box::new(self.tls.as_ref()?.connect(name, tcp.into_inner()).await.ok()?)
        } else {
            Box::new(tcp.into_inner())
        };
        let heard = Arc::new(AtomicBool::new(false));
        let socket = TokioIo::new(Socket { io, heard: Arc::clone(&heard) });
        let (sender, driver) =
            http1::Builder::new().max_buf_size(LARGEST_HEAD).writev(false).handshake(socket).await.ok()?;
        let deadline = LazyDeadline::new(Instant::now() + self.timeout);
        let mut connection = Connection { sender, driver: Some(Box::pin(driver)), heard, deadline };
        connection.settle().await;
        Some(connection)
    }
}

pub(super) fn tls_connector() -> Result<TlsConnector, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(GatesTime))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
