//! A door that is served: it can be served otherwise, or moved, while connections go on.

use super::BuildError;
use crate::server::tls::Tls;
use crate::server::{self, Door, Handler, Limits};
use crate::shutdown::Shutdown;
use crate::sockets::Purpose;
use crate::take_over::Lent;
use jiff::Timestamp;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

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
    terms: Terms,
    handler: Arc<H>,
    serving: Option<Serving>,
}

#[derive(Debug)]
struct Serving {
    open: Shutdown,
    accepting: JoinHandle<()>,
}

/// A socket for a door that is to be moved.
pub(super) enum Moved {
    /// It stays where it is.
    Stays,
    /// It is bound already.
    To(TcpListener),
    /// The old socket is in the way, as 127.0.0.1:8080 is in that of 0.0.0.0:8080.
    InPlaceOfTheOld,
}

impl<H: Handler> Listening<H> {
    /// A door at this socket, which is the one for `addr`.
    pub(super) fn at(listener: TcpListener, addr: SocketAddr, terms: Terms, handler: Arc<H>) -> Self {
        Self { addr, door: Door::new(listener), terms, handler, serving: None }
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
        let open = shutdown.child();
        let Terms { tls, limits } = self.terms.clone();
        let (door, handler) = (self.door.clone(), Arc::clone(&self.handler));
        let accepting = tokio::spawn(server::accept(door, tls, limits, handler, open.clone(), shutdown.clone()));
        self.serving = Some(Serving { open, accepting });
    }

    /// Gets ready to move to `addr`, as far as that can be without giving anything up.
    ///
    /// # Errors
    /// [`BuildError::Bind`] if it cannot be bound.
    pub(super) fn prepare(&self, addr: SocketAddr) -> Result<Moved, BuildError> {
        if addr == self.addr {
            return Ok(Moved::Stays);
        }
        match server::bind(addr) {
            Ok(listener) => Ok(Moved::To(listener)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && addr.port() == self.addr.port() => {
                Ok(Moved::InPlaceOfTheOld)
            }
            Err(error) => Err(BuildError::Bind(addr, error)),
        }
    }

    /// Takes in those who come from now on under other terms, and elsewhere if it moves. Those who are inside stay.
    ///
    /// # Errors
    /// [`BuildError::Bind`] if the old socket had to go first, and the new one cannot be bound; the old one is back then.
    pub(super) async fn go_on(
        &mut self,
        addr: SocketAddr,
        moved: Moved,
        terms: Terms,
        shutdown: &Shutdown,
    ) -> Result<(), BuildError> {
        let before = self.serving.take();
        let outcome = match moved {
            Moved::Stays => Ok(()),
            Moved::To(listener) => {
                self.door = self.door.moved_to(listener);
                Ok(())
            }
            Moved::InPlaceOfTheOld => return self.replace_socket(addr, terms, before, shutdown).await,
        };
        (self.addr, self.terms) = (addr, terms);
        self.open(shutdown);
        if let Some(before) = before {
            before.open.begin();
        }
        outcome
    }

    async fn replace_socket(
        &mut self,
        addr: SocketAddr,
        terms: Terms,
        before: Option<Serving>,
        shutdown: &Shutdown,
    ) -> Result<(), BuildError> {
        let old = self.door.listener().local_addr().map_err(|error| BuildError::Bind(self.addr, error))?;
        if let Some(Serving { open, accepting }) = before {
            open.begin();
            // Its socket is closed with it.
            let _ = accepting.await;
        }
        let nowhere = || server::bind((std::net::Ipv4Addr::LOCALHOST, 0).into());
        let between = nowhere().map_err(|error| BuildError::Bind(addr, error))?;
        self.door = self.door.moved_to(between);
        let outcome = match server::bind(addr) {
            Ok(listener) => {
                self.door = self.door.moved_to(listener);
                (self.addr, self.terms) = (addr, terms);
                Ok(())
            }
            Err(error) => {
                let back = server::bind(old).map_err(|error| BuildError::Bind(old, error))?;
                self.door = self.door.moved_to(back);
                Err(BuildError::Bind(addr, error))
            }
        };
        self.open(shutdown);
        outcome
    }

    /// Takes in nobody any more; who is inside stays until the whole server's end.
    pub(super) fn close(self) {
        if let Some(Serving { open, .. }) = self.serving {
            open.begin();
        }
    }
}
