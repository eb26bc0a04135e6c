//! What request bodies take, over all connections that came in by one listener: counted as they come in, since what a
//! sender announces costs nothing, and until whoever works on them lets go of them.
//!
//! When it is used up, what has been coming for longest gives way: an honest body is there within moments, and one that
//! is held back on purpose is the oldest soon. Small bodies need none of it, so that callbacks come through meanwhile.

use super::LOG_EVERY;
use crate::domain::reason::Reason;
use crate::observe::log_throttle::LogThrottle;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// A body up to this size is not counted: `limits.connections` bounds how many there are.
pub(super) const SMALL: usize = 4 * 1024;

/// What is held beside a body that is counted: hyper's buffers for reading and for writing.
const BESIDE: usize = 16 * 1024;

/// A body that came within this time is not slow, and does not give way.
const FRESH: Duration = Duration::from_millis(250);

/// What there is to share. Clones are one and the same.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Mutex<Shares>>);

#[derive(Debug)]
struct Shares {
    /// Bytes of all bodies, whether they are whole or not.
    used: usize,
    /// Those that are coming, the oldest first. There are as many as connections at most.
    coming: BTreeMap<u64, Coming>,
    next: u64,
    throttle: LogThrottle,
}

#[derive(Debug)]
struct Coming {
    bytes: usize,
    since: Instant,
    cut: Arc<Notify>,
}

/// What one body has of it; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    memory: Memory,
    /// In `coming`, until it gave way.
    key: u64,
    /// Told when it gives way.
    cut: Arc<Notify>,
    /// Its bytes, once the body is whole.
    whole: Option<usize>,
}

impl Default for Memory {
    fn default() -> Self {
        let throttle = LogThrottle::new(LOG_EVERY);
        Self(Arc::new(Mutex::new(Shares { used: 0, coming: BTreeMap::new(), next: 0, throttle })))
    }
}

impl Memory {
    /// A share for a body that begins to come, without any bytes yet.
    pub(super) fn share(&self) -> Share {
        let cut = Arc::new(Notify::new());
        let coming = Coming { bytes: 0, since: Instant::now(), cut: Arc::clone(&cut) };
        let key = self.with(|shares| {
            let key = shares.next;
            shares.next += 1;
            shares.coming.insert(key, coming);
            key
        });
        Share { memory: self.clone(), key, cut, whole: None }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shares) -> T) -> T {
        act(&mut self.0.lock())
    }
}

impl Share {
    /// Takes a buffer of so many bytes into account, in place of the one before. There may be `most` of all.
    ///
    /// # Errors
    /// [`Reason::RequestTimeout`] if this one gave way, [`Reason::Overloaded`] if none does.
    pub(super) fn grow(&mut self, buffer: usize, most: usize) -> Result<(), Reason> {
        self.memory.with(|shares| {
            let bytes = buffer.saturating_add(BESIDE);
            let before = shares.coming.get(&self.key).ok_or(Reason::RequestTimeout)?.bytes;
            let more = bytes.saturating_sub(before);
            while shares.used.saturating_add(more) > most {
                shares.complain();
                if !shares.cut_the_oldest() {
                    return Err(Reason::Overloaded);
                }
            }
            let coming = shares.coming.get_mut(&self.key).ok_or(Reason::RequestTimeout)?;
            coming.bytes += more;
            shares.used += more;
            Ok(())
        })
    }

    /// Waits until it gives way.
    pub(super) async fn is_cut(&self) {
        self.cut.notified().await;
    }

    /// The body that has come whole; it is counted until the last of its clones is dropped.
    ///
    /// # Errors
    /// [`Reason::RequestTimeout`] if it gave way.
    pub(super) fn hold(mut self, body: Vec<u8>) -> Result<Bytes, Reason> {
        let coming = self.memory.with(|shares| shares.coming.remove(&self.key));
        self.whole = Some(coming.ok_or(Reason::RequestTimeout)?.bytes);
        Ok(Bytes::from_owner(Held { body, _share: self }))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.with(|shares| {
            let coming = shares.coming.remove(&self.key).map(|coming| coming.bytes);
            shares.used = shares.used.saturating_sub(coming.or(self.whole).unwrap_or(0));
        });
    }
}

impl Shares {
    /// Takes back what the one has that has been coming for longest. `false` if none is slow.
    fn cut_the_oldest(&mut self) -> bool {
        let Some(oldest) = self.coming.first_entry().filter(|oldest| oldest.get().since.elapsed() >= FRESH) else {
            return false;
        };
        let Coming { bytes, cut, .. } = oldest.remove();
        self.used = self.used.saturating_sub(bytes);
        cut.notify_one();
        true
    }

    fn complain(&mut self) {
        let bodies = self.coming.len();
        if self.throttle.admits() {
            tracing::warn!(reason = %Reason::Overloaded, bodies, "limits.memory is reached: the slowest bodies give way");
        }
    }
}

/// A body and its share.
struct Held {
    body: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 100 * 1024;

    fn used(memory: &Memory) -> usize {
        memory.with(|shares| shares.used)
    }

    fn slow(memory: &Memory) {
        memory.with(|shares| shares.coming.values_mut().for_each(|coming| coming.since -= FRESH));
    }

    #[tokio::test]
    async fn what_has_been_coming_for_longest_gives_way() {
        let memory = Memory::default();
        let [mut first, mut second, mut third] = [(); 3].map(|()| memory.share());
        first.grow(30_000, MOST).unwrap();
        second.grow(30_000, MOST).unwrap();
        assert_eq!(third.grow(30_000, MOST), Err(Reason::Overloaded), "none of them is slow");
        slow(&memory);
        third.grow(30_000, MOST).unwrap();
        first.is_cut().await;
        assert_eq!(used(&memory), 2 * (30_000 + BESIDE));
        assert_eq!(first.grow(40_000, MOST), Err(Reason::RequestTimeout));
        assert_eq!(first.hold(Vec::new()), Err(Reason::RequestTimeout));
        // Whoever is the oldest and wants more gives way as well.
        slow(&memory);
        assert_eq!(second.grow(90_000, MOST), Err(Reason::RequestTimeout));
        drop((second, third));
        assert_eq!(used(&memory), 0);
    }

    #[test]
    fn a_whole_body_is_counted_until_nobody_has_it() {
        let memory = Memory::default();
        let mut share = memory.share();
        share.grow(50_000, MOST).unwrap();
        let body = share.hold(vec![b'x'; 50_000]).unwrap();
        let clone = body.slice(10..20);
        drop(body);
        assert_eq!(used(&memory), 50_000 + BESIDE);
        slow(&memory);
        assert_eq!(memory.share().grow(50_000, MOST), Err(Reason::Overloaded), "what is whole is worked on");
        drop(clone);
        assert_eq!(used(&memory), 0);
    }
}
