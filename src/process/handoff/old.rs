//! The side of the gate that runs.

use super::{ACCEPTING, BUSY, GO, GREETING, LEAVING, REFUSED, SOCKETS, TIMEOUT, beside, line};
use crate::process::sockets::Purpose;
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A listening socket that the successor may have too.
#[derive(Debug)]
pub struct SharedSocket {
    /// What it is for.
    pub purpose: Purpose,
    /// What the configuration says it listens at; its own address may be another.
    pub configured: SocketAddr,
    /// The socket.
    pub socket: OwnedFd,
}

/// Where a successor asks, at a unix socket beside the journal. The socket goes when this is dropped, which must be
/// before the journal is given back: the next gate has one of the same name.
#[derive(Debug)]
pub struct HandoffListener {
    listening: Option<Listening>,
    requests: mpsc::Receiver<Request>,
}

/// What a successor asks for, in this order.
#[derive(Debug)]
pub enum Request {
    /// The sockets that this process listens at, duplicated. It goes on.
    Sockets(oneshot::Sender<io::Result<Vec<SharedSocket>>>),
    /// That this process leaves.
    Leave(Handoff),
}

#[derive(Debug)]
struct Listening {
    path: PathBuf,
    accepting: JoinHandle<()>,
}

/// A gate that is ready to take over, and waits for this one to leave.
#[derive(Debug)]
pub struct Handoff {
    /// Its process.
    pub successor: u32,
    stream: UnixStream,
}

/// What all connections of successors share.
#[derive(Debug)]
struct Negotiation {
    grace: Duration,
    /// The process that is talked to; 0 is none.
    talking_to: AtomicU32,
    requests: mpsc::Sender<Request>,
}

impl HandoffListener {
    /// Listens beside the journal at `journal`, whose lock this process must have: a socket that lies there is a dead
    /// one's. `grace` is how long the end may take. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the system does not let it; the path of a unix socket, for one, must not be longer than about 100 bytes.
    pub fn listen(journal: &Path, grace: Duration) -> io::Result<Self> {
        let path = beside(journal);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let (sender, requests) = mpsc::channel(1);
        let negotiation = Arc::new(Negotiation { grace, talking_to: AtomicU32::new(0), requests: sender });
        let accepting = tokio::spawn(accept(listener, negotiation));
        Ok(Self { listening: Some(Listening { path, accepting }), requests })
    }

    /// A listener that no successor can reach.
    #[must_use]
    pub fn none() -> Self {
        let (_, requests) = mpsc::channel(1);
        Self { listening: None, requests }
    }

    /// Waits for what a successor asks, for ever if none comes.
    pub async fn next(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}

impl Drop for HandoffListener {
    fn drop(&mut self) {
        if let Some(Listening { path, accepting }) = self.listening.take() {
            accepting.abort();
            // Left behind, it would be removed by the next gate.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Handoff {
    /// Waits until the successor accepts callbacks, which it does once it has the journal; `false` if it is gone before
    /// that.
    pub async fn other_accepts(self) -> bool {
        let stream = self.stream;
        let heard = tokio::task::spawn_blocking(move || {
            stream.set_read_timeout(None)?;
            line::receive(&stream)
        });
        matches!(heard.await, Ok(Ok((word, _))) if word == ACCEPTING)
    }
}

async fn accept(listener: UnixListener, negotiation: Arc<Negotiation>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "another gate cannot take over at the moment");
                tokio::time::sleep(TIMEOUT).await;
                continue;
            }
        };
        let (process, may) = match stream.peer_cred() {
            Ok(peer) => (peer.pid().and_then(|pid| u32::try_from(pid).ok()), is_ours(peer.uid())),
            Err(_) => (None, false),
        };
        let Ok(stream) = stream.into_std() else { continue };
        let negotiation = Arc::clone(&negotiation);
        // It says what it has to say by itself.
        drop(tokio::task::spawn_blocking(move || talk(&negotiation, stream, process.unwrap_or(u32::MAX), may)));
    }
}

/// The same user may take over, and root, who may do anything.
fn is_ours(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

fn talk(negotiation: &Negotiation, stream: UnixStream, process: u32, may: bool) {
    if !may {
        tracing::warn!(process, "another user's process wants to take over; it may not");
        let _ = line::send(&stream, REFUSED, &[]);
        return;
    }
    if let Err(other) = negotiation.talking_to.compare_exchange(0, process, Ordering::AcqRel, Ordering::Acquire) {
        let _ = line::send(&stream, &format!("{BUSY} {other}"), &[]);
        return;
    }
    tracing::info!(process, "another gate wants to take over");
    match agree(negotiation, &stream) {
        // From here on no other process may ask.
        Ok(()) => drop(negotiation.requests.blocking_send(Request::Leave(Handoff { successor: process, stream }))),
        Err(error) => {
            tracing::warn!(process, %error, "the gate that wanted to take over broke off; this one goes on");
            negotiation.talking_to.store(0, Ordering::Release);
        }
    }
}

/// Gives the sockets to the other, and returns when it is ready.
fn agree(negotiation: &Negotiation, stream: &UnixStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let (greeting, _) = line::receive(stream)?;
    if greeting != GREETING {
        return Err(io::Error::other("it speaks another version's language"));
    }
    let (reply, shared) = oneshot::channel();
    let gone = |_| io::Error::other("this process is about to end");
    negotiation.requests.blocking_send(Request::Sockets(reply)).map_err(|_| gone(()))?;
    let shared = shared.blocking_recv().map_err(|_| gone(()))??;
    let mut answer = format!("{SOCKETS} {} {}", std::process::id(), negotiation.grace.as_millis());
    for SharedSocket { purpose, configured, .. } in &shared {
        // Writing to a string does not fail.
        let _ = write!(answer, " {}={configured}", purpose.name());
    }
    let sockets: Vec<OwnedFd> = shared.into_iter().map(|shared| shared.socket).collect();
    line::send(stream, &answer, &sockets)?;
    match line::receive(stream)?.0.as_str() {
        GO => line::send(stream, LEAVING, &[]),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}
