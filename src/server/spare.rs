//! One read buffer a thread, lent to whichever connection has something to read.

use std::cell::Cell;

/// What one read takes from the socket at most.
pub(super) const READ: usize = 16 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pub(super) fn take() -> Vec<u8> {
    let buffer = BUFFER.take();
    if buffer.capacity() == 0 { Vec::with_capacity(READ) } else { buffer }
}

pub(super) fn put(mut buffer: Vec<u8>) {
    if buffer.capacity() == READ {
        buffer.clear();
        BUFFER.set(buffer);
    }
}
