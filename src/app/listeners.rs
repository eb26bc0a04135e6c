//! The two listeners: callbacks arrive at one, the dashboard, the API and monitoring at the other.

use super::BuildError;
use super::listening::{Listening, Moved, Terms};
use crate::admin::{self, Access, Admin};
use crate::config::{self, Config, TlsFiles};
use crate::domain::config_status::ConfigStatus;
use crate::domain::secret::Secret;
use crate::gate::current::Current;
use crate::journal::{Archive, Shared};
use crate::observe::metrics::Metrics;
use crate::process;
use crate::process::handoff::SharedSocket;
use crate::process::shutdown::Shutdown;
use crate::process::sockets::{Purpose, Sockets, Taken};
use crate::server::{self, tls::Tls};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

/// The listeners that there are.
#[derive(Debug)]
pub(super) struct Listeners {
    callbacks: Listening<Current>,
    admin: Option<AdminListener>,
    seen: Seen,
}

#[derive(Debug)]
struct AdminListener {
    listening: Listening<admin::Listener>,
    admin: Arc<Admin>,
}

/// What the dashboard, the API and monitoring read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) gate: Arc<Current>,
    pub(super) archive: Option<Arc<dyn Archive>>,
    pub(super) shared: Option<Arc<dyn Shared>>,
    pub(super) config_status: watch::Receiver<ConfigStatus>,
    pub(super) metrics: Arc<Metrics>,
}

/// Sockets of listeners that are not open yet.
pub(super) struct Bound {
    callbacks: Taken<TcpListener>,
    admin: Option<Taken<TcpListener>>,
}

/// Where listeners are to be, and how they are to be served.
#[derive(Debug)]
pub(super) struct Plan {
    callbacks: (SocketAddr, Terms),
    admin: Option<(SocketAddr, Terms, Access)>,
}

impl Plan {
    /// What a configuration wants; takes the admin listener out of it.
    ///
    /// # Errors
    /// [`BuildError::Tls`].
    pub(super) fn of(config: &mut Config) -> Result<Self, BuildError> {
        let tls = |files: Option<&TlsFiles>| files.map(|files| Tls::load(&files.cert, &files.key)).transpose();
        let mut limits = config.limits.server;
        limits.connections = process::limits::connections(limits.connections);
        let callbacks = Terms { tls: tls(config.tls.as_ref())?, limits };
        let admin = match config.admin.take() {
            Some(config::Admin { listen, token, hosts, tls: files }) => {
                let terms = Terms { tls: tls(files.as_ref())?, limits: admin::LIMITS };
                Some((listen, terms, Access::new(token, hosts)))
            }
            None => None,
        };
        Ok(Self { callbacks: (config.listen, callbacks), admin })
    }

    /// The sockets for it: those of the `given` ones that are for it, and new ones.
    ///
    /// # Errors
    /// [`BuildError::Bind`].
    pub(super) fn bind(&self, mut given: Sockets) -> Result<Bound, BuildError> {
        let (callbacks, admin) = (self.callbacks.0, self.admin.as_ref().map(|(addr, ..)| *addr));
        given.assign(callbacks, admin);
        let callbacks = socket(callbacks, Purpose::Callbacks, &mut given)?;
        let admin = admin.map(|addr| socket(addr, Purpose::Admin, &mut given)).transpose()?;
        given.close_the_rest();
        Ok(Bound { callbacks, admin })
    }
}

/// The socket for `addr`: one that was given, or a new one.
fn socket(addr: SocketAddr, purpose: Purpose, given: &mut Sockets) -> Result<Taken<TcpListener>, BuildError> {
    let (bound, is_supervisors) = match given.take(purpose, addr) {
        Some(Taken { listener, is_supervisors }) => (TcpListener::from_std(listener), is_supervisors),
        None => (server::bind(addr), false),
    };
    bound.map(|listener| Taken { listener, is_supervisors }).map_err(|error| BuildError::Bind(addr, error))
}

impl Listeners {
    /// What `plan` wants, at the sockets that it has bound.
    pub(super) fn at(bound: Bound, plan: Plan, seen: Seen) -> Self {
        let (addr, terms) = plan.callbacks;
        let callbacks = Listening::at(bound.callbacks, addr, terms, Arc::clone(&seen.gate));
        let admin = bound.admin.zip(plan.admin).map(|(socket, plan)| AdminListener::at(socket, plan, &seen));
        let listeners = Self { callbacks, admin, seen };
        listeners.tell_certificates();
        listeners
    }

    /// The sockets, for another process.
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub(super) fn lend(&self) -> io::Result<Vec<SharedSocket>> {
        let callbacks = self.callbacks.lend(Purpose::Callbacks);
        let admin = self.admin.as_ref().map(|admin| admin.listening.lend(Purpose::Admin));
        std::iter::once(callbacks).chain(admin).collect()
    }

    /// Whether any connection for callbacks is open.
    pub(super) fn has_open_connections(&self) -> bool {
        self.callbacks.has_open_connections()
    }

    /// Where callbacks arrive, as a URL with the real port.
    pub(super) fn url(&self) -> std::io::Result<String> {
        self.callbacks.url()
    }

    /// Where the admin listener is, if there is one.
    pub(super) fn admin_url(&self) -> std::io::Result<Option<String>> {
        self.admin.as_ref().map(|admin| admin.listening.url()).transpose()
    }

    /// Learns from the journal what was said to a process before this one: which sessions were ended.
    pub(super) async fn recall(&self) {
        if let Some(admin) = &self.admin {
            admin.admin.recall_logouts().await;
        }
    }

    /// Begins to accept connections.
    pub(super) fn open(&mut self, shutdown: &Shutdown) {
        self.callbacks.open(shutdown);
        if let Some(admin) = &mut self.admin {
            admin.listening.open(shutdown);
        }
    }

    /// Accepts connections from now on as `plan` wants it. Open connections go on, but for those of an admin listener
    /// that is wanted no more.
    ///
    /// # Errors
    /// If a socket cannot be had. Everything is as it was then.
    pub(super) fn go_on(&mut self, plan: Plan, shutdown: &Shutdown) -> Result<(), BuildError> {
        let (addr, terms) = plan.callbacks;
        let moved = self.callbacks.prepare(addr)?;
        let admin_moved = match (&self.admin, &plan.admin) {
            (Some(admin), Some((addr, ..))) => admin.listening.prepare(*addr)?,
            (None, Some((addr, ..))) => Moved::To(server::bind(*addr).map_err(|error| BuildError::Bind(*addr, error))?),
            (_, None) => Moved::Stays,
        };
        // From here on nothing fails.
        self.callbacks.go_on(addr, moved, terms, shutdown);
        match (self.admin.take(), plan.admin, admin_moved) {
            (Some(mut admin), Some((addr, terms, access)), moved) => {
                admin.listening.go_on(addr, moved, terms, shutdown);
                admin.admin.let_in(access);
                self.admin = Some(admin);
            }
            (None, Some(plan), Moved::To(listener)) => {
                let mut admin = AdminListener::at(Taken { listener, is_supervisors: false }, plan, &self.seen);
                let recalling = Arc::clone(&admin.admin);
                // A moment in which a session that was ended holds is less than a reload that waits for the disk.
                tokio::spawn(async move { recalling.recall_logouts().await });
                admin.listening.open(shutdown);
                self.admin = Some(admin);
            }
            (admin, _, _) => admin.into_iter().for_each(AdminListener::clear),
        }
        self.tell_certificates();
        Ok(())
    }

    /// Accepts no more connections.
    pub(super) fn close(self) {
        self.callbacks.close();
        if let Some(admin) = self.admin {
            admin.listening.close();
        }
    }

    fn tell_certificates(&self) {
        let metrics = &self.seen.metrics;
        metrics.certificate("callbacks", self.callbacks.certificate_until());
        metrics.certificate("admin", self.admin.as_ref().and_then(|admin| admin.listening.certificate_until()));
    }
}

impl AdminListener {
    fn at(socket: Taken<TcpListener>, (addr, terms, access): (SocketAddr, Terms, Access), seen: &Seen) -> Self {
        let (gate, archive, shared) = (Arc::clone(&seen.gate), seen.archive.clone(), seen.shared.clone());
        let admin = Arc::new(Admin::new(gate, archive, shared, seen.config_status.clone(), access));
        let handler = Arc::new(admin::Listener::new(Arc::clone(&admin)));
        // Health checks come in here, and silent connections must not keep them out.
        Self { listening: Listening::at(socket, addr, terms, handler).where_the_silent_give_way(), admin }
    }

    /// Accepts no more connections, and lets those that are open do nothing: the token may be why the listener is not
    /// wanted.
    fn clear(self) {
        let nobodys = Secret::new(format!("{}{}", Uuid::now_v7(), Uuid::now_v7()));
        self.admin.let_in(Access::new(Some(nobodys), Vec::new()));
        self.listening.clear();
    }
}
