//! Listening sockets that this process did not open: from systemd (`LISTEN_FDS`), or from the gate it takes over from.
//! Connections wait in them while one process ends and another begins, so that none is refused.

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The names of the given sockets, `FileDescriptorName=` of a socket unit, separated by colons.
const NAMES: &str = "LISTEN_FDNAMES";

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Callbacks, at `listen`.
    Callbacks,
    /// Dashboard, API and monitoring, at `admin.listen`.
    Admin,
}

/// A socket and what is known of it.
#[derive(Debug)]
pub struct Given {
    /// Listens already.
    pub listener: TcpListener,
    /// If it was said.
    pub purpose: Option<Purpose>,
    /// What the gate that opened it was told to listen at; `None` if it is from systemd, whose word stands above the
    /// configuration's.
    pub configured: Option<SocketAddr>,
}

/// A given socket that is used.
#[derive(Debug)]
pub struct Taken<L> {
    /// Listens already, non-blocking.
    pub listener: L,
    /// Whether the supervisor holds it too, and says where it is.
    pub is_supervisors: bool,
}

/// Sockets that were given and are not used yet.
#[derive(Debug, Default)]
pub struct Sockets(Vec<Given>);

/// Why a given socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// It is of another kind.
    #[error(
        "descriptor {number} of LISTEN_FDS is no listening TCP socket: ListenStream= of the socket unit must be an \
         address and a port, or a port"
    )]
    Unusable {
        /// Counted from 0.
        number: usize,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Purpose {
    /// As in `FileDescriptorName=` and between two gates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Callbacks => "callbacks",
            Self::Admin => "admin",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Callbacks, Self::Admin].into_iter().find(|purpose| purpose.name() == name)
    }
}

impl Sockets {
    /// Takes those that a supervisor passes by `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`. It removes variables from
    /// the environment, so call it before there are threads.
    ///
    /// # Errors
    /// If one of them is no listening TCP socket.
    pub fn from_environment() -> Result<Self, SocketError> {
        let mut passed = ListenFd::from_env();
        let names = std::env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':');
        let mut given = Vec::with_capacity(passed.len());
        for number in 0..passed.len() {
            let purpose = names.next().and_then(Purpose::named);
            let taken = passed.take_tcp_listener(number).and_then(|listener| listener.map(listening).transpose());
            match taken {
                Ok(Some(listener)) => given.push(Given { listener, purpose, configured: None }),
                Ok(None) => {}
                Err(source) => return Err(SocketError::Unusable { number, source }),
            }
        }
        Ok(Self(given))
    }

    /// Adds others, to be taken after those that are there.
    pub fn add(&mut self, others: Vec<Given>) {
        self.0.extend(others);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says what each without a name is for: what listens at the admin address is the admin's, and of the rest the one at
    /// `callbacks`, or else the first, is for callbacks.
    pub fn assign(&mut self, callbacks: SocketAddr, admin: Option<SocketAddr>) {
        if let Some(admin) = admin {
            self.name(Purpose::Admin, |addr, _| is_at(addr, admin));
        }
        self.name(Purpose::Callbacks, |addr, _| is_at(addr, callbacks));
        self.name(Purpose::Callbacks, |_, _| true);
    }

    /// The socket for `purpose`, non-blocking, where the configuration says `listen`. One from systemd is used wherever it
    /// listens. One from another gate is used only if that was told the same: otherwise it is time to move.
    pub fn take(&mut self, purpose: Purpose, listen: SocketAddr) -> Option<Taken<TcpListener>> {
        let is_it = |given: &Given| {
            given.purpose == Some(purpose) && given.configured.is_none_or(|configured| configured == listen)
        };
        let Given { listener, configured, .. } = self.0.remove(self.0.iter().position(is_it)?);
        let addr = listener.local_addr().ok()?;
        if let Err(error) = listener.set_nonblocking(true) {
            tracing::warn!(purpose = purpose.name(), %addr, %error, "the socket that was passed cannot be used");
            return None;
        }
        if configured.is_none() && !is_at(addr, listen) {
            tracing::warn!(
                purpose = purpose.name(),
                %addr,
                %listen,
                "the socket that was passed listens elsewhere than the configuration says; it is used"
            );
        }
        Some(Taken { listener, is_supervisors: configured.is_none() })
    }

    /// Says which are not used, and closes them.
    pub fn close_the_rest(self) {
        for Given { listener, purpose, .. } in self.0 {
            let purpose = purpose.map_or("none", Purpose::name);
            let addr = listener.local_addr().map_or_else(|_| "?".to_owned(), |addr| addr.to_string());
            tracing::warn!(purpose, addr, "a socket that was passed is not used; it is closed");
        }
    }

    fn name(&mut self, purpose: Purpose, fits: impl Fn(SocketAddr, &Given) -> bool) {
        if self.0.iter().any(|given| given.purpose == Some(purpose)) {
            return;
        }
        let fits = |given: &&mut Given| {
            given.purpose.is_none() && given.listener.local_addr().is_ok_and(|addr| fits(addr, given))
        };
        if let Some(given) = self.0.iter_mut().find(fits) {
            given.purpose = Some(purpose);
        }
    }
}

fn listening(listener: TcpListener) -> io::Result<TcpListener> {
    if socket_acceptconn(&listener)? { Ok(listener) } else { Err(io::Error::other("it does not listen")) }
}

/// Whether a socket at `addr` is what `listen` asks for. Port 0 is any; a socket unit with a port alone listens at `[::]`.
fn is_at(addr: SocketAddr, listen: SocketAddr) -> bool {
    let all = addr.ip().is_unspecified() && listen.ip().is_unspecified();
    (addr.ip() == listen.ip() || all) && (addr.port() == listen.port() || listen.port() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(purpose: Option<Purpose>) -> (Given, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        (Given { listener, purpose, configured: None }, addr)
    }

    fn at(sockets: &mut Sockets, purpose: Purpose, listen: SocketAddr) -> Option<SocketAddr> {
        sockets.take(purpose, listen).map(|taken| taken.listener.local_addr().unwrap())
    }

    const ELSEWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    #[test]
    fn a_name_says_more_than_an_address() {
        let ((first, first_addr), (second, second_addr)) = (given(Some(Purpose::Admin)), given(None));
        let mut sockets = Sockets(vec![first, second]);
        sockets.assign(first_addr, Some(second_addr));
        assert_eq!(at(&mut sockets, Purpose::Admin, second_addr), Some(first_addr));
        assert_eq!(at(&mut sockets, Purpose::Callbacks, first_addr), Some(second_addr));
        assert!(sockets.is_empty());
    }

    #[test]
    fn an_address_says_more_than_the_order() {
        let ((first, first_addr), (second, second_addr)) = (given(None), given(None));
        let mut sockets = Sockets(vec![first, second]);
        sockets.assign(second_addr, Some(first_addr));
        assert_eq!(at(&mut sockets, Purpose::Callbacks, second_addr), Some(second_addr));
        assert_eq!(at(&mut sockets, Purpose::Admin, first_addr), Some(first_addr));
    }

    #[test]
    fn without_name_and_address_the_first_is_for_callbacks_and_none_for_the_admin() {
        let ((first, first_addr), (second, _)) = (given(None), given(None));
        let mut sockets = Sockets(vec![first, second]);
        sockets.assign(ELSEWHERE, Some(ELSEWHERE));
        assert_eq!(at(&mut sockets, Purpose::Callbacks, ELSEWHERE), Some(first_addr));
        assert_eq!(at(&mut sockets, Purpose::Admin, ELSEWHERE), None);
        assert!(!sockets.is_empty());
    }

    #[test]
    fn a_gate_that_is_told_another_address_does_not_take_the_old_one() {
        let (mut first, addr) = given(Some(Purpose::Callbacks));
        first.configured = Some(SocketAddr::new(addr.ip(), 0));
        let mut sockets = Sockets(vec![first]);
        assert_eq!(at(&mut sockets, Purpose::Callbacks, ELSEWHERE), None);
        assert_eq!(at(&mut sockets, Purpose::Callbacks, SocketAddr::new(addr.ip(), 0)), Some(addr));
    }

    #[test]
    fn any_address_is_any_address() {
        let all: SocketAddr = "[::]:8080".parse().unwrap();
        assert!(is_at(all, "0.0.0.0:8080".parse().unwrap()));
        assert!(!is_at(all, "0.0.0.0:8081".parse().unwrap()));
        assert!(!is_at(all, "127.0.0.1:8080".parse().unwrap()));
    }
}
