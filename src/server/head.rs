//! Reads the framing of a request's head before hyper does, because hyper takes heads that two programs may read
//! differently (threats P-01 to P-07) and hides afterwards that it did. The grammar is RFC 9112's without its
//! leniencies.

use crate::domain::reason::Reason;
use crate::net::byte_set::ByteSet;
use hyper::{Method, Uri};
use memchr::memchr;

/// A request target is refused beyond this, whatever `limits.head` allows.
const LONGEST_TARGET: usize = 8 * 1024;
/// No method that is registered comes near it.
const LONGEST_METHOD: usize = 32;
/// `Content-Length` in more digits is nonsense, and would not fit.
const MOST_DIGITS: usize = 18;

/// How much of a head is taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of the head, its last line end included.
    pub(super) head: usize,
    /// Header fields.
    pub(super) fields: usize,
}

impl Bounds {
    fn target(self) -> usize {
        LONGEST_TARGET.min(self.head / 2)
    }
}

/// What is known of a head after some of its bytes.
#[derive(Debug)]
pub(super) enum Progress {
    /// So far it is clean, and it goes on.
    Partial,
    /// It is whole and clean.
    Whole(Head),
    /// It must not be used.
    Unusable(Refusal),
}

/// A clean head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its length in bytes.
    pub(super) len: usize,
    /// Where the message ends.
    pub(super) framing: Framing,
    /// Whether the sender wants nothing after this request, or nothing after it can be told apart with certainty.
    pub(super) last: bool,
}

/// How the end of a message is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked.
    Chunked,
}

/// Why a head is not used, and what of it could be read safely.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    /// Of a clean request line; `GET` otherwise.
    pub(super) method: Method,
    /// Of a clean request line; `/` otherwise.
    pub(super) uri: Uri,
}

impl Refusal {
    /// A refusal of which nothing but the reason is known.
    pub(super) fn new(reason: Reason) -> Self {
        Self { reason, method: Method::GET, uri: Uri::default() }
    }
}

/// The state of one head's reading. It may be given the head in pieces, and looks at each byte once.
#[derive(Debug, Default)]
pub(super) struct Inspector {
    line_start: usize,
    scanned: usize,
    request_line: Option<RequestLine>,
    fields: usize,
    host: bool,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

#[derive(Debug, Clone, Copy)]
struct RequestLine {
    start: usize,
    method_end: usize,
    target_end: usize,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl Inspector {
    /// Goes on with a head of which `bytes` are all that arrived so far, from its first byte on.
    pub(super) fn inspect(&mut self, bytes: &[u8], bounds: Bounds) -> Progress {
        match self.advance(bytes, bounds) {
            Ok(None) => Progress::Partial,
            Ok(Some(head)) => Progress::Whole(head),
            Err(reason) => Progress::Unusable(self.refuse(reason, bytes)),
        }
    }

    /// Gives up on a head that did not become whole.
    pub(super) fn refuse(&self, reason: Reason, bytes: &[u8]) -> Refusal {
        let mut refusal = Refusal::new(reason);
        if let Some(line) = self.request_line {
            if let Some(Ok(method)) = bytes.get(line.start..line.method_end).map(Method::from_bytes) {
                refusal.method = method;
            }
            if let Some(Ok(uri)) = bytes.get(line.method_end + 1..line.target_end).map(Uri::try_from) {
                refusal.uri = uri;
            }
        }
        refusal
    }

    fn advance(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Option<Head>, Reason> {
        while let Some(found) = bytes.get(self.scanned..).and_then(|rest| memchr(b'\n', rest)) {
            let end = self.scanned + found;
            let line = bytes.get(self.line_start..end).unwrap_or_default();
            if end >= bounds.head {
                return Err(self.too_large(line, bounds));
            }
            let line = line.strip_suffix(b"\r").ok_or(Reason::RequestMalformed)?;
            let start = std::mem::replace(&mut self.line_start, end + 1);
            self.scanned = end + 1;
            match self.request_line {
                // One empty line before a request is an old client's habit (RFC 9112 section 2.2).
                None if start == 0 && line.is_empty() => {}
                None => self.request_line(line, start, bounds)?,
                Some(request_line) if line.is_empty() => return self.finish(request_line).map(Some),
                Some(request_line) => self.field(line, request_line.version, bounds)?,
            }
        }
        self.scanned = bytes.len();
        self.unfinished(bytes.get(self.line_start..).unwrap_or_default(), bounds).map(|()| None)
    }

    /// Whether a line that has not ended yet is hopeless already, so that nobody has to wait for the rest.
    fn unfinished(&self, line: &[u8], bounds: Bounds) -> Result<(), Reason> {
        if self.scanned > bounds.head || self.request_line.is_none() && line.len() > bounds.target() + LONGEST_METHOD {
            return Err(self.too_large(line, bounds));
        }
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let clean = if self.request_line.is_none() {
            text.iter().all(|byte| (b' '..=b'~').contains(byte))
        } else {
            memchr(b'\r', text).is_none()
        };
        clean.then_some(()).ok_or(Reason::RequestMalformed)
    }

    fn too_large(&self, line: &[u8], bounds: Bounds) -> Reason {
        if self.request_line.is_none() && line.len() > bounds.target() {
            Reason::TargetTooLong
        } else {
            Reason::HeadTooLarge
        }
    }

    fn request_line(&mut self, line: &[u8], start: usize, bounds: Bounds) -> Result<(), Reason> {
        let (method, rest) = split_at_byte(line, b' ').ok_or(Reason::RequestMalformed)?;
        let (target, version) = split_at_byte(rest, b' ').ok_or(Reason::RequestMalformed)?;
        let version = match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            _ => return Err(Reason::RequestMalformed),
        };
        if !is_token(method) || method.len() > LONGEST_METHOD || !target.iter().all(u8::is_ascii_graphic) {
            return Err(Reason::RequestMalformed);
        }
        let method_end = start + method.len();
        let request_line = RequestLine { start, method_end, target_end: method_end + 1 + target.len(), version };
        if target.len() > bounds.target() {
            let path = memchr(b'?', target).unwrap_or(target.len()).min(bounds.target());
            self.request_line = Some(RequestLine { target_end: method_end + 1 + path, ..request_line });
            return Err(Reason::TargetTooLong);
        }
        if !is_uri(target) {
            return Err(Reason::RequestMalformed);
        }
        self.request_line = Some(request_line);
        // Hyper would make a tunnel of it if it were ever answered with 2xx (P-12).
        if method == b"CONNECT" { Err(Reason::MethodNotAllowed) } else { Ok(()) }
    }

    fn field(&mut self, line: &[u8], version: Version, bounds: Bounds) -> Result<(), Reason> {
        let (name, value) = split_at_byte(line, b':').ok_or(Reason::RequestMalformed)?;
        if !is_token(name) || !is_field_value(value) {
            return Err(Reason::RequestMalformed);
        }
        self.fields += 1;
        if self.fields > bounds.fields {
            return Err(Reason::HeadTooLarge);
        }
        let usable = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                !std::mem::replace(&mut self.host, true) && is_host(trim_ows(value))
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection(value);
                true
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = content_length(trim_ows(value));
                !self.chunked && length.is_some() && std::mem::replace(&mut self.length, length).is_none()
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                version == Version::Http11
                    && self.length.is_none()
                    && !std::mem::replace(&mut self.chunked, true)
                    && trim_ows(value).eq_ignore_ascii_case(b"chunked")
            }
            _ => true,
        };
        usable.then_some(()).ok_or(Reason::RequestMalformed)
    }

    fn connection(&mut self, value: &[u8]) {
        for token in value.split(|&byte| byte == b',').map(trim_ows) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn finish(&self, request_line: RequestLine) -> Result<Head, Reason> {
        let http11 = request_line.version == Version::Http11;
        if http11 && !self.host {
            return Err(Reason::RequestMalformed);
        }
        let framing = if self.chunked { Framing::Chunked } else { Framing::Length(self.length.unwrap_or(0)) };
        let last = self.close || self.chunked || !(http11 || self.keep_alive);
        Ok(Head { len: self.line_start, framing, last })
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(memchr(byte, bytes)?)?;
    Some((before, after.get(1..)?))
}

fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN.has(*byte))
}

/// Which bytes may stand in a token.
static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// RFC 9110 section 5.5. Written without an early exit so that it runs many bytes at a time.
fn is_field_value(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |bad, &byte| bad | (byte < b' ' && byte != b'\t') | (byte == 0x7f))
}

/// RFC 9112 section 6.2, in the one spelling everybody reads alike.
fn content_length(digits: &[u8]) -> Option<u64> {
    match digits {
        b"0" => Some(0),
        [b'1'..=b'9', ..] if digits.len() <= MOST_DIGITS => digits
            .iter()
            .try_fold(0, |length: u64, digit| digit.is_ascii_digit().then(|| length * 10 + u64::from(digit - b'0'))),
        _ => None,
    }
}

/// A host and perhaps a port (RFC 9112 section 3.2), without what the grammar allows and no name has.
fn is_host(value: &[u8]) -> bool {
    let (host_is_good, port) = if let Some(rest) = value.strip_prefix(b"[") {
        let Some((address, port)) = split_at_byte(rest, b']') else { return false };
        let address = std::str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
        (address, port)
    } else {
        let (name, port) = value.split_at(memchr(b':', value).unwrap_or(value.len()));
        let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        (!name.is_empty() && name.iter().all(in_name), port)
    };
    host_is_good && is_port(port)
}

fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => {
            digits.iter().all(u8::is_ascii_digit)
                && std::str::from_utf8(digits).is_ok_and(|text| text.parse::<u16>().is_ok())
        }
        _ => false,
    }
}

/// Whether hyper will take it. A `#` it takes too, and then drops what follows: what was checked would not be what is
/// forwarded (P-06).
fn is_uri(target: &[u8]) -> bool {
    let usual = |byte: &u8| matches!(byte, b'a'..=b'z' | b'?'..=b'Z' | b'$'..=b';' | b'=' | b'_' | b'~' | b'!');
    match target {
        [b'/', rest @ ..] if rest.iter().all(usual) => true,
        _ => memchr(b'#', target).is_none() && Uri::try_from(target).is_ok(),
    }
}

#[cfg(test)]
#[path = "tests/head.rs"]
mod tests;
