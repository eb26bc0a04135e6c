//! Where connections come in: a socket, a count of those who are inside, and what their bodies take. Whoever serves them may change while the door
//! stays open.

use super::memory::Memory;
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
}

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Door {
    /// The door at this socket. Nobody is inside.
    #[must_use]
    pub fn new(listener: TcpListener) -> Self {
        Self { listener: Arc::new(listener), inside: Arc::default(), memory: Memory::default() }
    }

    /// The same place inside, by another socket.
    #[must_use]
    pub fn moved_to(&self, listener: TcpListener) -> Self {
        Self { listener: Arc::new(listener), inside: Arc::clone(&self.inside), memory: self.memory.clone() }
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

    /// A place, unless there are `most` already.
    pub(super) fn place(&self, most: usize) -> Option<Place> {
        // One accept loop ends before the next begins, but both may be here for a moment.
        let taken = self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |inside| {
            (inside < most).then_some(inside.saturating_add(1))
        });
        taken.is_ok().then(|| Place(Arc::clone(&self.inside)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
}
