//! Where connections come in: a socket, the count of open connections, and the memory of their bodies. The task that
//! accepts may be replaced while the listener stays open.

use super::memory::Memory;
use super::seat::{Seat, WaitedFor};
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

/// `BPF_RET | BPF_K`: with 0, of every packet nothing is kept (Linux, `networking/filter`).
#[cfg(target_os = "linux")]
const DROP: u16 = 0x06;

/// A socket that listens, and how many connections are open that came in by this socket or by one that it replaced. All
/// clones share both.
#[derive(Debug, Clone)]
pub struct Listener {
    socket: Arc<TcpListener>,
    open_connections: Arc<AtomicUsize>,
    memory: Memory,
    /// Where whoever is waited for gives way, who that is.
    waited_for: Option<Arc<WaitedFor>>,
}

/// The permit of one connection to be open; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    open_connections: Arc<AtomicUsize>,
    seat: Option<Arc<Seat>>,
}

impl Listener {
    /// A listener at this socket, without connections.
    #[must_use]
    pub fn new(socket: TcpListener) -> Self {
        Self { socket: Arc::new(socket), open_connections: Arc::default(), waited_for: None, memory: Memory::default() }
    }

    /// This listener, where the connection that has been waited for longest is closed when there is no permit for
    /// another: one that is silent, idle, or slow to send a request or to take an answer. Whoever waits for an answer
    /// stays.
    #[must_use]
    pub fn where_the_silent_give_way(self) -> Self {
        Self { waited_for: Some(Arc::default()), ..self }
    }

    /// This listener at another socket: the open connections go on to count.
    #[must_use]
    pub fn moved_to(&self, socket: TcpListener) -> Self {
        Self { socket: Arc::new(socket), ..self.clone() }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &TcpListener {
        &self.socket
    }

    /// Ends connecting at this socket; connections that are complete already can be accepted still. A peer that tries
    /// is not refused: its system tries again after a second, and finds the process that listens there then.
    pub fn shut(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = SockRef::from(self.socket()).attach_filter(&[SockFilter::new(DROP, 0, 0, 0)]) {
            tracing::debug!(%error, "who connects while the listener moves may be reset");
        }
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open_connections.load(Ordering::Relaxed)
    }

    /// The memory that the bodies of all open connections share.
    pub(super) fn memory(&self) -> Memory {
        self.memory.clone()
    }

    /// A permit, unless `most` connections are open already and none of them gives way.
    pub(super) fn permit(&self, most: usize) -> Option<Permit> {
        // One accept loop ends before the next begins, but both may be here for a moment.
        let taken = self
            .open_connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < most).then_some(open.saturating_add(1)));
        let all = self.waited_for.as_ref();
        if taken.is_err() && !all.is_some_and(|all| all.one_gives_way()) {
            return None;
        }
        let seat = all.map(|all| Arc::new(Seat::among(all)));
        seat.iter().for_each(Seat::waits);
        Some(Permit { open_connections: Arc::clone(&self.open_connections), seat })
    }
}

impl Permit {
    /// The seat of a connection that may have to give way, if connections of this listener may.
    pub(super) fn seat(&self) -> Option<&Arc<Seat>> {
        self.seat.as_ref()
    }

    /// From now on the peer is waited for.
    pub(super) fn waits(&self) {
        if let Some(seat) = &self.seat {
            seat.waits();
        }
    }

    /// Ready when the permit was given to another connection.
    pub(super) async fn is_revoked(&self) {
        match &self.seat {
            Some(seat) => seat.gave_way().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // A permit that was revoked is given back by the connection that has it now.
        if self.seat.as_ref().is_none_or(|seat| seat.is_served()) {
            self.open_connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_came_in_before_a_move_is_counted_after_it() {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listener = Listener::new(bind().await.unwrap());
        let first = listener.permit(2).unwrap();
        let moved = listener.moved_to(bind().await.unwrap());
        let second = moved.permit(2).unwrap();
        assert!(listener.permit(2).is_none() && moved.permit(2).is_none());
        drop((first, second));
        assert_eq!((listener.open_connections(), moved.open_connections()), (0, 0));
    }

    #[tokio::test]
    async fn whoever_is_waited_for_longest_gives_way_and_nobody_else() {
        let listener = Listener::new(TcpListener::bind("127.0.0.1:0").await.unwrap()).where_the_silent_give_way();
        let (served, first, second) =
            (listener.permit(3).unwrap(), listener.permit(3).unwrap(), listener.permit(3).unwrap());
        for permit in [&served, &first, &second] {
            assert!(permit.seat().unwrap().is_served());
        }
        assert!(listener.permit(3).is_none(), "nobody is waited for");
        for permit in [&first, &second] {
            permit.waits();
        }
        let third = listener.permit(3).unwrap();
        first.is_revoked().await;
        assert!(!first.seat().unwrap().is_served() && second.seat().unwrap().is_served());
        first.waits();
        assert!(third.seat().unwrap().is_served());
        assert!(listener.permit(3).is_none(), "a permit is revoked once");
        drop(first);
        assert_eq!(listener.open_connections(), 3);
        drop((served, second, third));
        assert_eq!(listener.open_connections(), 0);
    }
}
