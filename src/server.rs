//! Accepting callbacks: listening, TLS, limits and deadlines. It knows nothing of payments.
//!
//! The way of a connection: [`run`] accepts it, `connection` waits for a head, `wire` and `head` make sure that there
//! is only one way to read it, hyper carries that one message, `request` reads the body and calls the [`Handler`].

mod connection;

mod listener;

mod memory;

mod seat;

mod wire;

mod stream;

mod spare;

mod head;

mod request;

pub mod tls;

use crate::domain::reason::Reason;
use crate::observe::log_throttle::LogThrottle;
use crate::process::shutdown::Shutdown;
use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::{Response, http::request::Parts};
use memory::Memory;
use rustix::net::sockopt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tls::Tls;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;

pub use listener::Listener;

/// Connections that the system completes before they are accepted.
const BACKLOG: u32 = 4096;
/// How long accepting rests when the system has no descriptors or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a trouble that repeats is logged.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How many peers beyond the cap are told so at one time; further ones find the connection closed.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// A request as it arrived: whole, or with the reason why it is not usable.
#[derive(Debug)]
pub struct Arrival {
    /// Its head. Of a request whose head was unusable, only what could be read safely: perhaps nothing but `GET /`.
    pub head: Parts,
    /// Its body, de-chunked; or why there is none: one of the `Stage::Request` reasons or `overloaded`.
    pub body: Result<Bytes, Reason>,
    /// Who sent it.
    pub peer: Peer,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
}

impl Peer {
    /// Who is at `addr`. An IPv4 peer of a socket that listens at `[::]` has an address like `::ffff:192.0.2.7`, which
    /// is 192.0.2.7 to everybody.
    #[must_use]
    pub fn new(addr: SocketAddr, tls: bool) -> Self {
        Self { addr: SocketAddr::new(addr.ip().to_canonical(), addr.port()), tls }
    }
}

/// What the server hands requests to.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Must not panic, and must keep to its own deadline.
    fn handle(self: Arc<Self>, arrival: Arrival) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Ceilings on what a peer can make the server hold or wait for (docs/config.md, `limits`).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of a head. A target may take half of it, and at most 8 KiB.
    pub head: usize,
    /// Bytes of all bodies that are larger than 4 KiB, and of the buffers beside them, while they come in and are
    /// worked on.
    pub memory: usize,
    /// Header fields.
    pub headers: usize,
    /// Open connections.
    pub connections: usize,
    /// From accept (or the first byte of a later request) to the end of the head, TLS handshake included.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// What a peer may take to read an answer.
    pub answer_timeout: Duration,
    /// Silence between two requests of a connection.
    pub idle_timeout: Duration,
}

/// What all connections share.
struct Server<H> {
    handler: Arc<H>,
    limits: Limits,
    tls: Option<Tls>,
    shutdown: Shutdown,
    memory: Memory,
    http: http1::Builder,
}

/// Opens the socket that callbacks arrive at. Port 0 lets the system choose one.
///
/// # Errors
///
/// What the system says: the address is in use, is not this machine's, or needs privileges.
pub fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// Opens a socket beside one that listens at the same port, at an address that has this one in it or is in this one.
/// From then on no other process can listen there, as before.
///
/// # Errors
///
/// As [`bind`]; the old socket is as it was then.
pub fn bind_beside(addr: SocketAddr, old: &TcpListener) -> io::Result<TcpListener> {
    sockopt::set_socket_reuseport(old, true)?;
    let bound = (|| {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(addr)?;
        let listener = socket.listen(BACKLOG)?;
        // A second gate must find the port taken.
        sockopt::set_socket_reuseport(&listener, false)?;
        Ok(listener)
    })();
    sockopt::set_socket_reuseport(old, false)?;
    bound
}

/// Accepts connections and serves them until `shutdown` begins. Connections are tasks of `shutdown`, whose drain waits
/// for them; start this as one too, so that none is accepted behind its back.
pub async fn run<H: Handler>(
    socket: TcpListener,
    tls: Option<Tls>,
    limits: Limits,
    handler: Arc<H>,
    shutdown: Shutdown,
) {
    let open = shutdown.child();
    accept(Listener::new(socket), tls, limits, handler, open, shutdown).await;
}

/// Accepts connections and serves them until `open` ends, which is a child of `shutdown`; the connections that were
/// accepted until then go on.
pub async fn accept<H: Handler>(
    listener: Listener,
    tls: Option<Tls>,
    limits: Limits,
    handler: Arc<H>,
    open: Shutdown,
    shutdown: Shutdown,
) {
    let http = http_builder(&limits);
    let server = Arc::new(Server { handler, limits, tls, shutdown, memory: listener.memory(), http });
    let courtesy = Arc::new(Semaphore::new(TURNED_AWAY_AT_ONCE));
    let mut throttle = LogThrottle::new(LOG_EVERY);
    let mut closed = pin!(open.begun());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closed => break,
            accepted = listener.socket().accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => take_in(&server, &listener, stream, addr, &courtesy, &mut throttle),
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if throttle.admits() {
                    tracing::error!(%error, "cannot accept connections; trying again");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Whoever connected before a listener closes has come in, unless all of the server stops.
    while !server.shutdown.has_begun()
        && let Some((stream, addr)) = already_there(&listener).await
    {
        take_in(&server, &listener, stream, addr, &courtesy, &mut throttle);
    }
}

/// A connection that need not be waited for.
async fn already_there(listener: &Listener) -> Option<(TcpStream, SocketAddr)> {
    let now = std::future::poll_fn(|cx| match listener.socket().poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
        Poll::Pending => Poll::Ready(None),
    });
    // That this task has done a lot would look like nobody being there.
    tokio::task::unconstrained(now).await
}

fn take_in<H: Handler>(
    server: &Arc<Server<H>>,
    listener: &Listener,
    stream: TcpStream,
    addr: SocketAddr,
    courtesy: &Arc<Semaphore>,
    throttle: &mut LogThrottle,
) {
    if let Some(permit) = listener.permit(server.limits.connections) {
        server.shutdown.spawn(connection::serve(Arc::clone(server), stream, addr, permit));
    } else {
        if throttle.admits() {
            tracing::warn!(reason = %Reason::Overloaded, "limits.connections is reached");
        }
        turn_away(server, courtesy, stream);
    }
}

fn http_builder(limits: &Limits) -> http1::Builder {
    /// Beyond it hyper wants to be told; up to it it needs no allocation.
    const FIELDS_BY_DEFAULT: usize = 100;
    let mut http = http1::Builder::new();
    // The wire ends after the message, and that must not look like a peer that hung up while its answer is made.
    http.half_close(true);
    // Answers are small: copying one behind its head costs less than the kernel's handling of two pieces.
    http.writev(false);
    // The wait for a head is over when hyper begins.
    http.header_read_timeout(None);
    if limits.headers > FIELDS_BY_DEFAULT {
        http.max_headers(limits.headers);
    }
    http
}

fn turn_away<H>(server: &Server<H>, courtesy: &Arc<Semaphore>, stream: TcpStream) {
    if server.tls.is_none()
        && let Ok(permit) = Arc::clone(courtesy).try_acquire_owned()
    {
        server.shutdown.spawn(connection::turn_away(stream, permit));
    }
}

/// Whether a failure to accept says something about one connection only.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests;
