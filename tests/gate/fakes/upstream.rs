//! A legacy order system that believes everything: it keeps the exact bytes of every request and answers as it is told.

use super::{reset, serve};
use crate::wire::{Message, Wire};
use std::collections::VecDeque;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

/// The header that marks an answer as the legacy system's own; its value is another for every request.
pub const MARK: &str = "X-Legacy";

/// A running legacy system. Clones are the same one.
#[derive(Clone)]
pub struct Upstream {
    pub addr: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    requests: Vec<Message>,
    /// Those that are open.
    connections: Vec<Weak<TcpStream>>,
    usual: Option<Reply>,
    script: VecDeque<Reply>,
    /// What it does with requests on a connection that had one before.
    when_reused: Option<Reply>,
    keeps: Keeps,
    /// What it says in `Keep-Alive`.
    keep_alive: Option<&'static str>,
    /// Connections that were opened so far.
    opened: usize,
    held: bool,
    down: bool,
    acted: Vec<Acted>,
}

/// What the legacy system did its work for: each one more for an order is a duplicate.
#[derive(Debug, Clone)]
pub struct Acted {
    pub request: Message,
    /// The value of [`MARK`], if the gate was told so, as far as this side knows.
    pub mark: Option<String>,
}

/// How long it keeps a connection open for the next request. It never announces the end.
#[derive(Debug, Clone, Copy, Default)]
pub enum Keeps {
    #[default]
    Open,
    /// Until nothing has come for so long.
    UntilIdle(Duration),
    /// For a while up to this, in which it reads nothing.
    Unread(Duration),
}

/// What the legacy system does with a request it has read.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers properly.
    Says { status: u16, content_type: &'static str, body: Vec<u8> },
    /// Writes these bytes, whatever they are, and closes.
    Writes(Vec<u8>),
    /// Resets the connection: it may have acted.
    Breaks,
    /// Acts, and closes without a word.
    ActsInSilence,
    /// Never answers.
    Hangs,
}

impl Upstream {
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Over TLS.
    pub fn start_with(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let shared = Arc::<(Mutex<State>, Condvar)>::default();
        let state = Arc::clone(&shared);
        let addr = serve(tls, move |wire, stream| connection(&state, wire, stream));
        Self { addr, shared }
    }

    /// What it answers from now on.
    pub fn answers(&self, reply: Reply) {
        self.shared.0.lock().unwrap().usual = Some(reply);
    }

    /// What it answers next, once.
    pub fn answers_once(&self, reply: Reply) {
        self.shared.0.lock().unwrap().script.push_back(reply);
    }

    /// What it does from now on with a request that is not the first on its connection.
    pub fn answers_reused(&self, reply: Reply) {
        self.shared.0.lock().unwrap().when_reused = Some(reply);
    }

    /// How it keeps connections from now on.
    pub fn keeps(&self, keeps: Keeps) {
        self.shared.0.lock().unwrap().keeps = keeps;
    }

    /// What its answers say in `Keep-Alive` from now on.
    pub fn says_keep_alive(&self, text: &'static str) {
        self.shared.0.lock().unwrap().keep_alive = Some(text);
    }

    /// How many connections it was opened.
    pub fn opened(&self) -> usize {
        self.shared.0.lock().unwrap().opened
    }

    /// Keeps every answer back until [`Self::release`].
    pub fn hold(&self) {
        self.shared.0.lock().unwrap().held = true;
    }

    pub fn release(&self) {
        self.shared.0.lock().unwrap().held = false;
        self.shared.1.notify_all();
    }

    /// Resets every connection from now on, unread.
    pub fn goes_down(&self) {
        self.shared.0.lock().unwrap().down = true;
        self.closes_its_connections();
    }

    pub fn comes_back(&self) {
        self.shared.0.lock().unwrap().down = false;
    }

    /// What it did its work for, without the first `known`.
    pub fn acted_after(&self, known: usize) -> Vec<Acted> {
        self.shared.0.lock().unwrap().acted.iter().skip(known).cloned().collect()
    }

    /// Closes every connection the gate keeps open to it.
    pub fn closes_its_connections(&self) {
        for stream in self.shared.0.lock().unwrap().connections.drain(..).filter_map(|stream| stream.upgrade()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn requests(&self) -> Vec<Message> {
        self.shared.0.lock().unwrap().requests.clone()
    }

    /// The requests that name an order anywhere.
    pub fn requests_for(&self, order: &str) -> Vec<Message> {
        let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(order);
        self.requests().into_iter().filter(|request| names(&request.head) || names(&request.body)).collect()
    }
}

fn connection(shared: &(Mutex<State>, Condvar), mut wire: Wire, stream: &TcpStream) {
    if shared.0.lock().unwrap().down {
        return reset(stream);
    }
    let Ok(handle) = stream.try_clone().map(Arc::new) else { return };
    let keeps = {
        let mut state = shared.0.lock().unwrap();
        state.connections.push(Arc::downgrade(&handle));
        state.opened += 1;
        state.keeps
    };
    let acted = |acted: Acted| shared.0.lock().unwrap().acted.push(acted);
    let mut reused = false;
    while let Some(request) = wire.request() {
        let mut state = shared.0.lock().unwrap();
        state.requests.push(request.clone());
        let port = stream.local_addr().map_or(0, |addr| addr.port());
        let serial = format!("{port}-{}", state.requests.len());
        let when_reused = state.when_reused.clone().filter(|_| reused);
        reused = true;
        let scripted = when_reused.or_else(|| state.script.pop_front());
        let keep_alive = state.keep_alive.map(|text| format!("Keep-Alive: {text}\r\n")).unwrap_or_default();
        let reply = scripted.or_else(|| state.usual.clone()).unwrap_or_else(|| Reply::ok(b"order-marked-paid"));
        drop(shared.1.wait_while(state, |state| state.held).unwrap());
        match reply {
            Reply::Says { status, content_type, body } => {
                let head = format!(
                    "HTTP/1.1 {status} Its Own Reason\r\nContent-Type: {content_type}\r\n\
                     {MARK}: {serial}\r\n{keep_alive}Content-Length: {}\r\n\r\n",
                    body.len()
                );
                let told = wire.send(&[head.into_bytes(), body].concat());
                if (200..300).contains(&status) {
                    acted(Acted { request, mark: told.then_some(serial) });
                }
                if let Keeps::Unread(most) = keeps {
                    std::thread::sleep(most.mul_f64(fastrand::f64()));
                    return;
                }
                if let Keeps::UntilIdle(patience) = keeps {
                    let _ = stream.set_read_timeout(Some(patience));
                }
                if !told {
                    return;
                }
            }
            Reply::ActsInSilence => return acted(Acted { request, mark: None }),
            Reply::Writes(bytes) => {
                wire.send(&bytes);
                return;
            }
            Reply::Breaks => return reset(stream),
            Reply::Hangs => {
                wire.rest();
                return;
            }
        }
    }
}

impl Reply {
    pub fn ok(body: &[u8]) -> Self {
        Self::Says { status: 200, content_type: "text/plain", body: body.to_vec() }
    }

    /// Begins to answer and breaks off, which nobody takes for a connection that was closed before.
    pub fn half() -> Self {
        Self::Writes(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())
    }

    pub fn xml(body: &str) -> Self {
        Self::Says { status: 200, content_type: "text/xml", body: body.as_bytes().to_vec() }
    }
}
