//! A listener that is served: its terms and its address may change while connections go on.

use super::BuildError;
use crate::process::handoff::SharedSocket;
use crate::process::shutdown::Shutdown;
use crate::process::sockets::{Purpose, Taken};
use crate::server::tls::Tls;
use crate::server::{self, Handler, Limits, Listener};
use jiff::Timestamp;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::TcpListener;

/// How connections are served.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
}

impl Terms {
    /// Until when the certificate is valid, if there is one.
    pub(super) fn not_after(&self) -> Option<Timestamp> {
        self.tls.as_ref().and_then(Tls::not_after)
    }
}

/// A listener, and the task that accepts its connections.
#[derive(Debug)]
pub(super) struct Listening<H> {
    /// As it was configured: a port 0 is still 0.
    addr: SocketAddr,
    listener: Listener,
    /// Whether the supervisor opened the socket, and holds it too.
    is_given: bool,
    terms: Terms,
    handler: Arc<H>,
    /// Begins when open connections are to end; there once the listener was opened.
    connections: Option<Shutdown>,
    /// Ends accepting, and nothing else.
    accepting: Option<Shutdown>,
}

/// Where a listener will be.
#[derive(Debug)]
pub(super) enum Moved {
    /// It stays where it is.
    Stays,
    /// It is bound already.
    To(TcpListener),
}

impl<H: Handler> Listening<H> {
    /// A listener at this socket, which is the one for `addr`.
    pub(super) fn at(socket: Taken<TcpListener>, addr: SocketAddr, terms: Terms, handler: Arc<H>) -> Self {
        let (listener, is_given) = (Listener::new(socket.listener), socket.is_supervisors);
        Self { addr, listener, is_given, terms, handler, connections: None, accepting: None }
    }

    /// This listener, where silent connections give way when there is no permit for another.
    pub(super) fn where_the_silent_give_way(self) -> Self {
        Self { listener: self.listener.where_the_silent_give_way(), ..self }
    }

    /// Its socket, for another process.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub(super) fn lend(&self, purpose: Purpose) -> io::Result<SharedSocket> {
        let socket = self.listener.socket().as_fd().try_clone_to_owned()?;
        Ok(SharedSocket { purpose, configured: self.addr, socket })
    }

    /// Whether any connection is open.
    pub(super) fn has_open_connections(&self) -> bool {
        self.listener.open_connections() > 0
    }

    /// Where it is, as a URL with the real port.
    pub(super) fn url(&self) -> io::Result<String> {
        let scheme = if self.terms.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.socket().local_addr()?))
    }

    /// Until when its certificate is valid, if it has one.
    pub(super) fn certificate_until(&self) -> Option<Timestamp> {
        self.terms.not_after()
    }

    /// Begins to accept connections.
    pub(super) fn open(&mut self, shutdown: &Shutdown) {
        let connections = self.connections.get_or_insert_with(|| shutdown.child()).clone();
        let accepting = connections.child();
        let Terms { tls, limits } = self.terms.clone();
        let (listener, handler) = (self.listener.clone(), Arc::clone(&self.handler));
        tokio::spawn(server::accept(listener, tls, limits, handler, accepting.clone(), connections));
        self.accepting = Some(accepting);
    }

    /// Gets ready to move to `addr`. Nothing is given up for it.
    ///
    /// # Errors
    /// If it cannot be bound, or the socket is the supervisor's.
    pub(super) fn prepare(&self, addr: SocketAddr) -> Result<Moved, BuildError> {
        if addr == self.addr {
            return Ok(Moved::Stays);
        }
        if self.is_given {
            return Err(BuildError::Given(addr));
        }
        match server::bind(addr) {
            // As 127.0.0.1:8080 is in the way of 0.0.0.0:8080.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && addr.port() == self.addr.port() => {
                server::bind_beside(addr, self.listener.socket())
            }
            bound => bound,
        }
        .map(Moved::To)
        .map_err(|error| BuildError::Bind(addr, error))
    }

    /// Accepts connections from now on under other terms, and elsewhere if the listener moves. Open connections go on.
    pub(super) fn go_on(&mut self, addr: SocketAddr, moved: Moved, terms: Terms, shutdown: &Shutdown) {
        let before = self.accepting.take();
        if let Moved::To(socket) = moved {
            let moved = self.listener.moved_to(socket);
            std::mem::replace(&mut self.listener, moved).shut();
        }
        (self.addr, self.terms) = (addr, terms);
        self.open(shutdown);
        if let Some(before) = before {
            before.begin();
        }
    }

    /// Accepts no more connections; open ones go on until the whole server's end.
    pub(super) fn close(self) {
        if let Some(accepting) = self.accepting {
            accepting.begin();
        }
    }

    /// Accepts no more connections, and ends open ones with the next answer.
    pub(super) fn clear(self) {
        if let Some(connections) = self.connections {
            connections.begin();
        }
    }
}
