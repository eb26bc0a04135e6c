use super::*;
use crate::process::sockets::{Purpose, Sockets};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use tempfile::TempDir;
use tokio::task::{JoinHandle, spawn_blocking};

const GRACE: Duration = Duration::from_secs(7);

struct Running {
    _directory: TempDir,
    journal: PathBuf,
    addr: SocketAddr,
    handoff: JoinHandle<Handoff>,
}

/// A gate that lends its socket to whoever asks, until it is told to leave.
fn running() -> Running {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("j.db");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut requests = HandoffListener::listen(&journal, GRACE).unwrap();
    let handoff = tokio::spawn(async move {
        loop {
            match requests.next().await {
                Request::Sockets(reply) => {
                    let socket = listener.try_clone().unwrap().into();
                    let shared = SharedSocket { purpose: Purpose::Callbacks, configured: addr, socket };
                    reply.send(Ok(vec![shared])).unwrap();
                }
                Request::Leave(handoff) => break handoff,
            }
        }
    });
    Running { _directory: directory, journal, addr, handoff }
}

async fn find_beside(journal: &Path) -> Result<Option<Predecessor>, TakeOverError> {
    let journal = journal.to_owned();
    spawn_blocking(move || find(&journal)).await.unwrap()
}

async fn go(predecessor: Predecessor) -> Predecessor {
    spawn_blocking(move || {
        predecessor.go().unwrap();
        predecessor
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn connections_wait_in_the_socket_while_one_gate_follows_the_other() {
    let old = running();
    let mode = beside(&old.journal).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut predecessor = find_beside(&old.journal).await.unwrap().unwrap();
    assert_eq!((predecessor.process, predecessor.grace), (std::process::id(), GRACE));
    let mut sockets = Sockets::default();
    sockets.add(std::mem::take(&mut predecessor.sockets));
    let predecessor = go(predecessor).await;
    let handoff = old.handoff.await.unwrap();
    assert_eq!(handoff.successor, std::process::id());
    assert!(!beside(&old.journal).exists());
    let mut early = TcpStream::connect(old.addr).unwrap();
    early.write_all(b"early").unwrap();
    let listener = sockets.take(Purpose::Callbacks, old.addr).unwrap().listener;
    listener.set_nonblocking(false).unwrap();
    let mut said = [0; 5];
    listener.accept().unwrap().0.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"early");
    predecessor.accepting();
    assert!(handoff.other_accepts().await);
}

#[tokio::test]
async fn where_no_gate_runs_there_is_nothing_to_take_over() {
    let old = running();
    assert!(find_beside(&old.journal.with_extension("other")).await.unwrap().is_none());
    let path = beside(&old.journal);
    old.handoff.abort();
    let _ = old.handoff.await;
    // As a gate leaves it that is killed.
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    assert!(find_beside(&old.journal).await.unwrap().is_none());
}

#[tokio::test]
async fn one_that_breaks_off_leaves_the_other_as_it_was() {
    let old = running();
    let first = find_beside(&old.journal).await.unwrap().unwrap();
    match find_beside(&old.journal).await {
        Err(TakeOverError::Busy { process }) => assert_eq!(process, std::process::id()),
        other => panic!("{other:?}"),
    }
    drop(first);
    // Until the old one has heard of it.
    let second = loop {
        match find_beside(&old.journal).await {
            Err(TakeOverError::Busy { .. }) => tokio::task::yield_now().await,
            other => break other.unwrap().unwrap(),
        }
    };
    drop(go(second).await);
    let handoff = old.handoff.await.unwrap();
    assert!(!handoff.other_accepts().await);
}

#[tokio::test]
async fn another_language_is_not_answered() {
    let old = running();
    let mut stream = UnixStream::connect(beside(&old.journal)).unwrap();
    stream.write_all(b"tollgate take-over 2\n").unwrap();
    let heard = spawn_blocking(move || stream.read_to_end(&mut Vec::new()).unwrap()).await.unwrap();
    assert_eq!(heard, 0);
    // Stands where a gate's socket is, and is none.
    let path = old.journal.with_extension("other");
    let listener = std::os::unix::net::UnixListener::bind(beside(&path)).unwrap();
    let stranger = spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello\n").unwrap();
        stream
    });
    assert!(matches!(find_beside(&path).await, Err(TakeOverError::Foreign(_))));
    drop(stranger.await);
}

#[tokio::test]
async fn a_path_that_is_too_long_is_an_error_and_no_panic() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("j".repeat(120));
    HandoffListener::listen(&journal, GRACE).unwrap_err();
}
