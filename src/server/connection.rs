//! One connection from accept to close: waits for a head, lets hyper carry that one message, and waits again, each with
//! its own deadline (threats ).

use super::head::{Bounds, Framing};
use super::listener::Permit;
use super::request::Exchange;
use super::stream::Stream;
use super::wire::{Next, Wire};
use super::{Handler, Peer, Server};
use crate::domain::reason::Reason;
use crate::net::lazy_deadline::LazyDeadline;
use hyper::service::service_fn;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep, timeout_at};

/// How long a peer may go on sending after its last answer, so that it gets to read it.
const LINGER: Duration = Duration::from_secs(2);

/// How old a connection is at least that a drain closes without having heard a word: who has just connected is about to
/// say something.
const FIRST_WORD: Duration = Duration::from_millis(250);

/// What a connection beyond the cap is told.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves what arrives on a connection until it is over, and then gives its permit back.
pub(super) async fn serve<H: Handler>(server: Arc<Server<H>>, stream: TcpStream, addr: SocketAddr, permit: Permit) {
    let first_head = Instant::now() + server.limits.head_timeout;
    let Peer { addr, .. } = Peer::new(addr, false);
    // It only makes answers slower when it fails.
    let _ = stream.set_nodelay(true);
    bound_reading(&stream, server.limits.answer_timeout);
    let (stream, tls) = match &server.tls {
        None => (Stream::Plain(stream), false),
        Some(tls) => {
            let handshake = tokio::select! {
                biased;
                handshake = timeout_at(first_head, tls.accept(stream)) => handshake,
                () = permit.is_revoked() => return,
            };
            match handshake {
                Ok(Ok(stream)) => (Stream::Tls(Box::new(stream)), true),
                Ok(Err(error)) => return tracing::debug!(%addr, %error, "TLS handshake failed"),
                Err(_) => return tracing::debug!(%addr, "TLS handshake took longer than limits.head_timeout"),
            }
        }
    };
    let bounds = Bounds { head: server.limits.head, fields: server.limits.headers };
    // Boxed, since each message takes it to hyper and back.
    let wire = Box::new(Wire::new(stream, bounds, server.limits.answer_timeout));
    let wire = tokio::select! {
        biased;
        wire = converse(server, wire, Peer { addr, tls }, first_head, &permit) => wire,
        () = permit.is_revoked() => return tracing::debug!(%addr, "gave way to another connection"),
    };
    if let Some(wire) = wire {
        permit.waits();
        tokio::select! {
            biased;
            () = wire.close(LINGER) => {}
            () = permit.is_revoked() => {}
        }
    }
}

/// Lets the system give up on a peer that takes nothing of what it was handed for so long: a short answer is the
/// system's to send, and nobody here waits for it.
fn bound_reading(stream: &TcpStream, timeout: Duration) {
    // Without it a peer that reads nothing costs what the system holds for it, until the connection is idle for too
    // long.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(timeout));
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, timeout);
}

/// Tells a peer that there is no room for it.
pub(super) async fn turn_away(stream: TcpStream, _permit: OwnedSemaphorePermit) {
    // It is full either way, whether the peer hears it or not.
    let _ = stream.try_write(OVERLOADED);
    Stream::Plain(stream).close(true, LINGER).await;
}

/// Carries messages until one of both sides wants no more. Gives the connection back unless it is broken.
async fn converse<H: Handler>(
    server: Arc<Server<H>>,
    mut wire: Box<Wire>,
    peer: Peer,
    first_head: Instant,
    permit: &Permit,
) -> Option<Box<Wire>> {
    let mut deadline = LazyDeadline::new(first_head);
    let mut draining = pin!(server.shutdown.begun());
    let mut young = pin!(sleep(FIRST_WORD));
    let closing = Arc::new(AtomicBool::new(false));
    let mut later_head = None;
    loop {
        permit.waits();
        let seat = permit.seat().cloned();
        let (draining, young) = (draining.as_mut(), young.as_mut());
        let wait = HeadWait { wire: &mut wire, deadline: &mut deadline, draining, young, later_head };
        let exchange = match wait.await? {
            Next::Closed => return Some(wire),
            Next::Head(head) => {
                wire.admit(head);
                let closing = Arc::clone(&closing);
                Exchange { peer, framing: head.framing, last: head.last, refusal: None, closing, seat }
            }
            Next::Refused(refusal) => {
                wire.stand_in(&refusal);
                let (refusal, closing) = (Some(Box::new(refusal)), Arc::clone(&closing));
                Exchange { peer, framing: Framing::Length(0), last: true, refusal, closing, seat }
            }
        };
        wire = carry(&server, wire, exchange).await?;
        if closing.load(Ordering::Relaxed) {
            return Some(wire);
        }
        deadline.set(Instant::now() + server.limits.idle_timeout);
        later_head = Some(server.limits.head_timeout);
    }
}

/// Lets hyper carry one message. It keeps nothing of the connection: the wire ends after the message.
async fn carry<H: Handler>(server: &Arc<Server<H>>, wire: Box<Wire>, exchange: Exchange) -> Option<Box<Wire>> {
    let service = service_fn(move |request| exchange.clone().answer(Arc::clone(server), request));
    match server.http.serve_connection(wire, service).without_shutdown().await {
        Ok(parts) => Some(parts.io),
        Err(error) => {
            tracing::debug!(%error, "connection broke");
            None
        }
    }
}

/// The wait for a head. It ends with `None` if there is nobody to answer any more.
struct HeadWait<'a, D> {
    wire: &'a mut Wire,
    deadline: &'a mut LazyDeadline,
    draining: Pin<&'a mut D>,
    young: Pin<&'a mut Sleep>,
    /// What a head may take from its first byte on, until it has begun. The first head's time began with accept.
    later_head: Option<Duration>,
}

impl<D: Future<Output = ()>> Future for HeadWait<'_, D> {
    type Output = Option<Next>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(next) = this.wire.poll_head(cx) {
            return Poll::Ready(next.ok());
        }
        let begun = this.wire.head_begun();
        let is_over = !begun && this.draining.as_mut().poll(cx).is_ready() && this.young.as_mut().poll(cx).is_ready();
        // What has arrived was sent by somebody who could not know of the end.
        if is_over && !this.wire.has_unread() {
            return Poll::Ready(Some(Next::Closed));
        }
        if begun && let Some(head_timeout) = this.later_head.take() {
            this.deadline.set(Instant::now() + head_timeout);
        }
        ready!(this.deadline.poll(cx));
        let late = if begun { Next::Refused(this.wire.refuse(Reason::RequestTimeout)) } else { Next::Closed };
        Poll::Ready(Some(late))
    }
}
