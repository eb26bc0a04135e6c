//! A door that is served: it can be served otherwise, or moved, while connections go on.

use super::BuildError;
use crate::process::handoff::Lent;
use crate::process::shutdown::Shutdown;
use crate::process::sockets::{Purpose, Taken};
use crate::server::tls::Tls;
use crate::server::{self, Door, Handler, Limits};
use jiff::Timestamp;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::TcpListener;

/// How those who come in are served.
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

/// A door, and who takes in those who come.
#[derive(Debug)]
pub(super) struct Listening<H> {
    /// As it was configured: a port 0 is still 0.
    addr: SocketAddr,
    door: Door,
    /// Whether the supervisor opened the socket, and holds it too.
    is_given: bool,
    terms: Terms,
    handler: Arc<H>,
    /// Begun when whoever came in is to leave; there once the door was opened.
    inside: Option<Shutdown>,
    /// Ends taking in, and nothing else.
    open: Option<Shutdown>,
}

/// Where a door will be.
#[derive(Debug)]
pub(super) enum Moved {
    /// It stays where it is.
    Stays,
    /// It is bound already.
    To(TcpListener),
}

impl<H: Handler> Listening<H> {
    /// A door at this socket, which is the one for `addr`.
    pub(super) fn at(socket: Taken<TcpListener>, addr: SocketAddr, terms: Terms, handler: Arc<H>) -> Self {
        let (door, is_given) = (Door::new(socket.listener), socket.is_supervisors);
        Self { addr, door, is_given, terms, handler, inside: None, open: None }
    }

    /// The same, where silent connections give way when there is no place for another.
    pub(super) fn where_the_silent_give_way(self) -> Self {
        Self { door: self.door.where_the_silent_give_way(), ..self }
    }

    /// Its socket, for another process.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub(super) fn lend(&self, purpose: Purpose) -> io::Result<Lent> {
        let socket = self.door.listener().as_fd().try_clone_to_owned()?;
        Ok(Lent { purpose, configured: self.addr, socket })
    }

    /// Whether any connection is open.
    pub(super) fn is_anybody_inside(&self) -> bool {
        self.door.inside() > 0
    }

    /// Where it is, as a URL with the real port.
    pub(super) fn url(&self) -> io::Result<String> {
        let scheme = if self.terms.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.door.listener().local_addr()?))
    }

    /// Until when its certificate is valid, if it has one.
    pub(super) fn certificate_until(&self) -> Option<Timestamp> {
        self.terms.not_after()
    }

    /// Begins to take in those who come.
    pub(super) fn open(&mut self, shutdown: &Shutdown) {
        let inside = self.inside.get_or_insert_with(|| shutdown.child()).clone();
        let open = inside.child();
        let Terms { tls, limits } = self.terms.clone();
        let (door, handler) = (self.door.clone(), Arc::clone(&self.handler));
        tokio::spawn(server::accept(door, tls, limits, handler, open.clone(), inside));
        self.open = Some(open);
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
                server::bind_beside(addr, self.door.listener())
            }
            bound => bound,
        }
        .map(Moved::To)
        .map_err(|error| BuildError::Bind(addr, error))
    }

    /// Takes in those who come from now on under other terms, and elsewhere if it moves. Those who are inside stay.
    pub(super) fn go_on(&mut self, addr: SocketAddr, moved: Moved, terms: Terms, shutdown: &Shutdown) {
        let before = self.open.take();
        if let Moved::To(listener) = moved {
            let moved = self.door.moved_to(listener);
            std::mem::replace(&mut self.door, moved).shut();
        }
        (self.addr, self.terms) = (addr, terms);
        self.open(shutdown);
        if let Some(before) = before {
            before.begin();
        }
    }

    /// Takes in nobody any more; who is inside stays until the whole server's end.
    pub(super) fn close(self) {
        if let Some(open) = self.open {
            open.begin();
        }
    }

    /// The same, and whoever is inside leaves with the next answer.
    pub(super) fn clear(self) {
        if let Some(inside) = self.inside {
            inside.begin();
        }
    }
}
