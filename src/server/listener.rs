//! Where connections come in: a socket, a count of those who are inside, and what their bodies take. Whoever serves them may change while the door
//! stays open.

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

/// A socket that listens, and how many connections that came in by it, or by one before it, are open. Clones are one and the
/// same door.
#[derive(Debug, Clone)]
pub struct Door {
    listener: Arc<TcpListener>,
    inside: Arc<AtomicUsize>,
    memory: Memory,
    /// Where whoever is waited for gives way, who that is.
    waited_for: Option<Arc<WaitedFor>>,
}

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    inside: Arc<AtomicUsize>,
    seat: Option<Arc<Seat>>,
}

impl Door {
    /// The door at this socket. Nobody is inside.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener: Arc::new(listener), inside: Arc::default(), waited_for: None, memory: Memory::default() }
    }

    /// The same door, where the connection that has been waited for longest is closed when there is no place for another:
    /// one that is silent, idle, or slow to send a request or to take an answer. Whoever waits for an answer stays.
    #[must_use]
    pub fn where_the_silent_give_way(self) -> Self {
        Self { waited_for: Some(Arc::default()), ..self }
    }

    /// The same place inside, by another socket.
    #[must_use]
    pub fn moved_to(&self, listener: TcpListener) -> Self {
        Self { listener: Arc::new(listener), ..self.clone() }
    }

    /// The socket.
    #[must_use]
    pub fn listener(&self) -> &TcpListener {
        &self.listener
    }

    /// Lets nobody begin to connect at this socket any more; those who have can be taken in still. Who tries is not refused:
    /// his system tries again after a second, and finds whoever listens there then.
    pub fn shut(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = SockRef::from(self.listener()).attach_filter(&[SockFilter::new(DROP, 0, 0, 0)]) {
            tracing::debug!(%error, "who connects while the listener moves may be reset");
        }
    }

    /// How many connections are open.
    #[must_use]
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// What the bodies of those who are inside share.
    pub(super) fn memory(&self) -> Memory {
        self.memory.clone()
    }

    /// A place, unless there are `most` already and nobody gives way.
    pub(super) fn place(&self, most: usize) -> Option<Place> {
        // One accept loop ends before the next begins, but both may be here for a moment.
        let taken = self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |inside| {
            (inside < most).then_some(inside.saturating_add(1))
        });
        let all = self.waited_for.as_ref();
        if taken.is_err() && !all.is_some_and(|all| all.one_gives_way()) {
            return None;
        }
        let seat = all.map(|all| Arc::new(Seat::among(all)));
        seat.iter().for_each(Seat::waits);
        Some(Place { inside: Arc::clone(&self.inside), seat })
    }
}

impl Place {
    /// What may have to be given away, if anything may.
    pub(super) fn seat(&self) -> Option<&Arc<Seat>> {
        self.seat.as_ref()
    }

    /// From now on the peer is waited for.
    pub(super) fn waits(&self) {
        if let Some(seat) = &self.seat {
            seat.waits();
        }
    }

    /// Ready when the place is somebody else's.
    pub(super) async fn is_given_away(&self) {
        match &self.seat {
            Some(seat) => seat.gave_way().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever has the place now gives it back.
        if self.seat.as_ref().is_none_or(|seat| seat.is_served()) {
            self.inside.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_came_in_before_a_move_is_counted_after_it() {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let door = Door::new(bind().await.unwrap());
        let first = door.place(2).unwrap();
        let moved = door.moved_to(bind().await.unwrap());
        let second = moved.place(2).unwrap();
        assert!(door.place(2).is_none() && moved.place(2).is_none());
        drop((first, second));
        assert_eq!((door.inside(), moved.inside()), (0, 0));
    }

    #[tokio::test]
    async fn whoever_is_waited_for_longest_gives_way_and_nobody_else() {
        let door = Door::new(TcpListener::bind("127.0.0.1:0").await.unwrap()).where_the_silent_give_way();
        let (served, first, second) = (door.place(3).unwrap(), door.place(3).unwrap(), door.place(3).unwrap());
        for place in [&served, &first, &second] {
            assert!(place.seat().unwrap().is_served());
        }
        assert!(door.place(3).is_none(), "nobody is waited for");
        for place in [&first, &second] {
            place.waits();
        }
        let third = door.place(3).unwrap();
        first.is_given_away().await;
        assert!(!first.seat().unwrap().is_served() && second.seat().unwrap().is_served());
        first.waits();
        assert!(third.seat().unwrap().is_served());
        assert!(door.place(3).is_none(), "a place is given away once");
        drop(first);
        assert_eq!(door.inside(), 3);
        drop((served, second, third));
        assert_eq!(door.inside(), 0);
    }
}
