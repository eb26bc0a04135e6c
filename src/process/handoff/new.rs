//! The side of the gate that begins.

use super::{ACCEPTING, BUSY, GO, GREETING, LEAVING, REFUSED, SOCKETS, TIMEOUT, beside, line};
use crate::process::sockets::{Given, Purpose};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The gate that runs, which has lent its sockets and goes on until it is told [`go`](Self::go).
#[derive(Debug)]
pub struct Predecessor {
    /// Its process.
    pub process: u32,
    /// How long its end may take.
    pub grace: Duration,
    /// What it listens at.
    pub sockets: Vec<Given>,
    stream: UnixStream,
}

/// Why nothing is taken over. The gate that runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// Another process was first.
    #[error("process {process} is taking over already: let it, or stop it and try again")]
    Busy {
        /// That one.
        process: u32,
    },
    /// The gate that runs belongs to another user.
    #[error("the gate that runs belongs to another user: take over as that user, or as root")]
    Refused,
    /// It cannot be spoken to.
    #[error("cannot speak with the gate that runs, at {}; it goes on", path.display())]
    Unreachable {
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It said something else.
    #[error("what answers at {} is no gate that this version can take over from: stop it, and start this one", .0.display())]
    Foreign(PathBuf),
}

/// Asks the gate that has the journal at `journal` for its sockets; `None` if no gate listens there. Blocks for at most
/// some ten seconds.
///
/// # Errors
/// If it does not give them.
pub fn find(journal: &Path) -> Result<Option<Predecessor>, TakeOverError> {
    let path = beside(journal);
    let unreachable = |source| TakeOverError::Unreachable { path: path.clone(), source };
    let stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        // A socket without a listener was left by a gate that was killed, and none is where its path is too long.
        Err(error) if is_absence(error.kind()) => return Ok(None),
        Err(error) => return Err(unreachable(error)),
    };
    let ask = || {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Who is busy answers before it has listened.
        let sent = line::send(&stream, GREETING, &[]);
        let received = line::receive(&stream);
        if received.is_err() { sent.and(received) } else { received }
    };
    let (answer, descriptors) = ask().map_err(unreachable)?;
    let mut words = answer.split(' ');
    match words.next() {
        Some(BUSY) => {
            let process = words.next().and_then(|process| process.parse().ok()).unwrap_or_default();
            Err(TakeOverError::Busy { process })
        }
        Some(REFUSED) => Err(TakeOverError::Refused),
        Some(SOCKETS) => {
            let read = read(words, descriptors);
            let (process, grace, sockets) = read.ok_or_else(|| TakeOverError::Foreign(path.clone()))?;
            Ok(Some(Predecessor { process, grace, sockets, stream }))
        }
        _ => Err(TakeOverError::Foreign(path.clone())),
    }
}

fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::InvalidInput)
}

/// Process, grace, and each socket that came along.
fn read<'a>(
    mut words: impl Iterator<Item = &'a str>,
    descriptors: Vec<OwnedFd>,
) -> Option<(u32, Duration, Vec<Given>)> {
    let process = words.next()?.parse().ok()?;
    let grace = Duration::from_millis(words.next()?.parse().ok()?);
    let mut given = Vec::with_capacity(descriptors.len());
    let mut descriptors = descriptors.into_iter();
    for word in words {
        let (name, configured) = word.split_once('=')?;
        let configured: SocketAddr = configured.parse().ok()?;
        let listener = TcpListener::from(descriptors.next()?);
        // A purpose of a later version is none of this one.
        let Some(purpose) = Purpose::named(name) else { continue };
        given.push(Given { listener, purpose: Some(purpose), configured: Some(configured) });
    }
    Some((process, grace, given))
}

impl Predecessor {
    /// Lets it leave. From here on this process must take the journal as soon as it is free, and accept.
    ///
    /// # Errors
    /// If it is gone, or has waited too long and goes on.
    pub fn go(&self) -> io::Result<()> {
        line::send(&self.stream, GO, &[])?;
        match line::receive(&self.stream)?.0.as_str() {
            LEAVING => Ok(()),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// Tells it that callbacks are accepted. That it is gone already is as good.
    pub fn accepting(self) {
        let _ = line::send(&self.stream, ACCEPTING, &[]);
    }
}
