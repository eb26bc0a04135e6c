//! The hot restart (`run --take-over`): one process after another, without a moment in which connections are refused.
//! The gate that runs listens on a unix socket beside its journal; a new one with the same journal asks there for the
//! listening sockets.
//!
//! ```text
//! new: checks its configuration, builds what it can, connects     old: accepts callbacks as ever
//! new: tollgate take-over 1                             ------>
//!                         <------  sockets PID GRACE callbacks=ADDR admin=ADDR   (and the sockets, by SCM_RIGHTS)
//! new: go                                               ------>
//!                         <------  leaving                        old: ends kept connections, stops accepting,
//! finishes what new: waits for the journal's lock, opens the journal                 is under way, writes the journal
//! out, gives it back new: accepts new: accepting                                        ------>   old: ends
//! ```
//!
//! Before `go` the old one has changed nothing: whatever happens to the new one, it goes on. After it, if the new one
//! is gone before it accepts, the old one starts itself again with the sockets ([`again`]). If the old one is gone, its
//! lock is free and the new one goes on. What connects meanwhile waits in the sockets.

mod line;

mod new;

mod old;

pub mod again;

pub use new::{Predecessor, TakeOverError, find};
pub use old::{Handoff, HandoffListener, Request, SharedSocket};

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a new gate says first. Another version of this conversation has another number.
const GREETING: &str = "tollgate take-over 1";
/// What an old one answers, if it does: its process and its grace in milliseconds, and the sockets' names and
/// addresses.
const SOCKETS: &str = "sockets";
/// It hands over to another already, with that one's process.
const BUSY: &str = "busy";
/// It takes no word from this user.
const REFUSED: &str = "refused";
/// The new one is ready and waits.
const GO: &str = "go";
/// The old one has heard that, and leaves.
const LEAVING: &str = "leaving";
/// The new one accepts.
const ACCEPTING: &str = "accepting";

/// How long one side waits for the other's next word, where that has nothing to do first.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The socket of the gate whose journal is at `journal`.
fn beside(journal: &Path) -> PathBuf {
    let mut name = OsString::from(journal);
    name.push("-handover");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
