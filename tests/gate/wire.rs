//! HTTP/1.1 byte for byte, for the fakes and the sender: read and written by hand, so that no library tidies up what a
//! scenario wants to see or to send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a scenario waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The start of a form callback's head, for scenarios that write the rest themselves.
pub const FORM: &str = "POST /pay/success HTTP/1.1\r\nHost: s\r\nContent-Type: application/x-www-form-urlencoded\r\n";

/// A connection, with or without TLS.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// One request or answer, as its bytes were.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Up to and with the empty line.
    pub head: Vec<u8>,
    /// De-chunked if it was chunked.
    pub body: Vec<u8>,
}

/// One end of a connection.
pub struct Wire(BufReader<Box<dyn Stream>>);

/// A request to send; `bytes` of anything else can be sent as well.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    /// The request or status line.
    pub fn line(&self) -> String {
        self.head_text().lines().next().unwrap_or_default().to_owned()
    }

    /// The status, of an answer.
    pub fn status(&self) -> u16 {
        self.line().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The target, of a request.
    pub fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// Every header in order, its value trimmed.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = self.head_text();
        let pairs = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers().into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every value of a header under any spelling that some backend folds to it: case, `_`, `.`, and any other symbol.
    pub fn folded(&self, name: &str) -> Vec<String> {
        let same = |found: &str| fold(found) == fold(name);
        self.headers().into_iter().filter(|(found, _)| same(found)).map(|(_, value)| value).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    fn head_text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }
}

fn fold(name: &str) -> String {
    name.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

impl Wire {
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self(BufReader::new(Box::new(stream)))
    }

    /// Connects, for a scenario that writes and reads at its own pace.
    pub fn to(addr: SocketAddr) -> Self {
        Self::over(connect(addr))
    }

    /// Sends bytes; a peer that has hung up already is no error, its answer may still be there to be read.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        let stream = self.0.get_mut();
        stream.write_all(bytes).and_then(|()| stream.flush()).is_ok()
    }

    /// The next request; `None` when the peer is gone.
    pub fn request(&mut self) -> Option<Message> {
        let head = self.head()?;
        let message = Message { head, body: Vec::new() };
        let body = self.framed_body(&message)?.unwrap_or_default();
        Some(Message { body, ..message })
    }

    /// The next final answer; `None` when the connection ends, breaks or stays silent.
    pub fn answer(&mut self) -> Option<Message> {
        loop {
            let head = self.head()?;
            let message = Message { head, body: Vec::new() };
            match message.status() {
                101 | 204 | 304 => return Some(message),
                100..=199 => {}
                _ => {
                    let body = match self.framed_body(&message)? {
                        Some(body) => body,
                        None => self.rest(),
                    };
                    return Some(Message { body, ..message });
                }
            }
        }
    }

    /// Everything until the other side closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        rest
    }

    /// Whether the other side closes, without another byte, before the patience is over.
    pub fn closes(&mut self) -> bool {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    fn head(&mut self) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if self.0.read_until(b'\n', &mut head).ok()? == 0 {
                return None;
            }
        }
        Some(head)
    }

    /// `Some(None)` when the head announces no length.
    fn framed_body(&mut self, message: &Message) -> Option<Option<Vec<u8>>> {
        if message.header("Transfer-Encoding").is_some() {
            return Some(Some(self.chunks()?));
        }
        let Some(length) = message.header("Content-Length") else { return Some(None) };
        let mut body = vec![0; length.parse().ok()?];
        self.0.read_exact(&mut body).ok()?;
        Some(Some(body))
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            self.0.read_exact(&mut chunk).ok()?;
            if size == 0 {
                return Some(body);
            }
            chunk.truncate(size);
            body.extend(chunk);
        }
    }
}

/// A connection whose reads give up when the patience is over.
pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap_or_else(|error| panic!("{addr}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

impl Request {
    pub fn get(target: &str) -> Self {
        Self::of("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::of("POST", target)
    }

    pub fn of(method: &str, target: &str) -> Self {
        let host = ("Host".to_owned(), "shop.example".to_owned());
        Self { line: format!("{method} {target} HTTP/1.1"), headers: vec![host], body: Vec::new() }
    }

    /// The same request to a host of another name.
    pub fn at(mut self, host: impl ToString) -> Self {
        self.headers[0].1 = host.to_string();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn form(self, body: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    pub fn xml(self, body: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", "text/xml").body(body)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// The request for a connection that stays open.
    pub fn kept_alive(&self) -> Vec<u8> {
        self.written("")
    }

    /// The request for a connection of its own.
    pub fn bytes(&self) -> Vec<u8> {
        let named = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Connection"));
        self.written(if named { "" } else { "Connection: close\r\n" })
    }

    fn written(&self, more: &str) -> Vec<u8> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = match (self.body.len(), self.line.starts_with("POST")) {
            (0, false) => String::new(),
            (length, _) => format!("Content-Length: {length}\r\n"),
        };
        let mut bytes = format!("{}\r\n{headers}{length}{more}\r\n", self.line).into_bytes();
        bytes.extend(&self.body);
        bytes
    }
}
