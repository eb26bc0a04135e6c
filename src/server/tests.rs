//! The server as its peers see it: raw bytes over real sockets, and a handler that writes down what reaches it.

mod framing;

mod messages;

mod deadlines;

mod crowd;

mod encrypted;

mod drain;

use super::*;
use crate::process::shutdown::Drained;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// Limits that no test meets by accident.
const WIDE: Limits = Limits {
    body: 64 * 1024,
    memory: 16 << 20,
    head: 16 * 1024,
    headers: 64,
    connections: 1000,
    head_timeout: LONG,
    body_timeout: LONG,
    answer_timeout: LONG,
    idle_timeout: LONG,
};

/// A limit that a test means to meet.
const SHORT: Duration = Duration::from_millis(100);

/// What `/large` answers; more than the buffers of a loopback connection take.
const LARGE: usize = 16 << 20;

/// Writes down each arrival as `METHOD target body` or `METHOD target reason`, and answers with the same.
///
/// `/panic`, `/wait` (for `go_on`), `/large` and `/switch` (a 101) do what they say.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<String>>,
    waiting: AtomicUsize,
    go_on: Notify,
}

impl Handler for Recorder {
    async fn handle(self: Arc<Self>, arrival: Arrival) -> Response<Full<Bytes>> {
        let what = match &arrival.body {
            Ok(body) => String::from_utf8_lossy(body).into_owned(),
            Err(reason) => reason.to_string(),
        };
        let line = format!("{} {} {what}", arrival.head.method, arrival.head.uri);
        self.seen.lock().push(line.clone());
        let mut response = Response::new(Full::from(line));
        if let Err(reason) = arrival.body {
            *response.status_mut() = status(reason);
        }
        match arrival.head.uri.path() {
            "/panic" => panic!("asked for"),
            "/large" => *response.body_mut() = Full::from(vec![b'x'; LARGE]),
            "/switch" => *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS,
            "/wait" => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                self.go_on.notified().await;
                self.waiting.fetch_sub(1, Ordering::SeqCst);
            }
            _ => {}
        }
        response
    }
}

fn status(reason: Reason) -> hyper::StatusCode {
    hyper::StatusCode::from_u16(match reason {
        Reason::MethodNotAllowed => 405,
        Reason::RequestTimeout => 408,
        Reason::BodyTooLarge => 413,
        Reason::TargetTooLong => 414,
        Reason::HeadTooLarge => 431,
        _ => 400,
    })
    .unwrap()
}

/// A running server.
struct Fixture {
    addr: SocketAddr,
    handler: Arc<Recorder>,
    shutdown: Shutdown,
}

impl Fixture {
    async fn start(limits: Limits) -> Self {
        Self::start_with(limits, None).await
    }

    async fn start_with(limits: Limits, tls: Option<Tls>) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (addr, handler, shutdown) =
            (listener.local_addr().unwrap(), Arc::new(Recorder::default()), Shutdown::new());
        shutdown.spawn(run(listener, tls, limits, Arc::clone(&handler), shutdown.clone()));
        Self { addr, handler, shutdown }
    }

    fn seen(&self) -> Vec<String> {
        self.handler.seen.lock().clone()
    }

    async fn connect(&self) -> Client<TcpStream> {
        Client { stream: TcpStream::connect(self.addr).await.unwrap(), unread: Vec::new() }
    }

    /// Everything that comes back until the server closes the connection.
    async fn answers_to(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    /// Waits until the server has read what was sent so far: one thread serves all connections, and answers a request
    /// that is sent now only after that.
    async fn reads_what_was_sent(&self) {
        let mut client = self.connect().await;
        client.send(&get("/pay")).await;
        client.answer().await;
    }

    /// Waits until the head's deadline of a connection that begins now has passed, `times` times one after another.
    async fn lets_heads_time_out(&self, times: usize) {
        for _ in 0..times {
            assert_eq!(self.answers_to(b"").await, "");
        }
    }

    async fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let polling = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, polling).await.unwrap_or_else(|_| panic!("never came true: {what}"));
    }
}

/// The other end of a connection.
struct Client<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// All bytes until the other side closes; it must not break the connection.
    async fn rest(mut self) -> String {
        let read = tokio::time::timeout(LONG, self.stream.read_to_end(&mut self.unread)).await.expect("never closed");
        read.unwrap();
        String::from_utf8_lossy(&self.unread).into_owned()
    }

    /// Waits until the other side closes or breaks the connection.
    async fn rest_or_broken(mut self) {
        let read = tokio::time::timeout(LONG, self.stream.read_to_end(&mut self.unread)).await.expect("never closed");
        // Either will do.
        drop(read);
    }

    /// One answer with a `Content-Length`: its status line and its body.
    async fn answer(&mut self) -> (String, Vec<u8>) {
        tokio::time::timeout(LONG, async {
            let head_end = loop {
                if let Some(at) = memchr::memmem::find(&self.unread, b"\r\n\r\n") {
                    break at + 4;
                }
                self.more().await;
            };
            let head = String::from_utf8(self.unread[..head_end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let end = head_end + length.parse::<usize>().unwrap();
            while self.unread.len() < end {
                self.more().await;
            }
            let rest = self.unread.split_off(end);
            let body = std::mem::replace(&mut self.unread, rest).split_off(head_end);
            (head.lines().next().unwrap().to_owned(), body)
        })
        .await
        .expect("never answered")
    }

    async fn more(&mut self) {
        assert_ne!(self.stream.read_buf(&mut self.unread).await.unwrap(), 0, "closed before the answer was whole");
    }
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n").into_bytes()
}

fn post(target: &str, body: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: shop\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn last(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").into_bytes()
}

/// How many answers a connection brought.
fn count_answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}
