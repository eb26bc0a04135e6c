//! A request that was saved to a file: what editors make of it is undone, and what is no request is called by its name.

use super::words::{Words, fill};
use crate::process::shutdown::Shutdown;
use crate::server::{self, Arrival, Handler, Limits};
use anyhow::bail;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use memchr::memmem;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The server's own deadlines end the wait before.
const TIMEOUT: Duration = Duration::from_secs(60);

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Sends the saved bytes to the real server, on a socket of this process, so that what it refuses is refused here too.
pub(super) async fn arrive(saved: &[u8], limits: Limits, words: &Words) -> anyhow::Result<Arrival> {
    let (handler, mut arrivals) = mpsc::channel(1);
    let listener = server::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let addr = listener.local_addr()?;
    let shutdown = Shutdown::new();
    let serving = server::run(listener, None, limits, Arc::new(Taker(handler)), shutdown.clone());
    let serving = tokio::spawn(serving);
    let mut sender = TcpStream::connect(addr).await?;
    sender.write_all(&as_sent(saved)).await?;
    sender.shutdown().await?;
    let arrival = timeout(TIMEOUT, arrivals.recv()).await.ok().flatten();
    shutdown.begin();
    serving.abort();
    match arrival {
        Some(arrival) => Ok(arrival),
        None => bail!(fault(saved, words).unwrap_or_else(|| words.saved_is_none.to_owned())),
    }
}

/// Hands the first request over and answers nothing of interest.
struct Taker(mpsc::Sender<Arrival>);

impl Handler for Taker {
    async fn handle(self: Arc<Self>, arrival: Arrival) -> Response<Full<Bytes>> {
        // A second request in the file is not looked at.
        let _ = self.0.try_send(arrival);
        Response::default()
    }
}

/// What kept a saved request from being one, if that is a thing that people do.
pub(super) fn fault(saved: &[u8], words: &Words) -> Option<String> {
    if saved.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    if matches!(saved, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return Some(words.saved_utf16.to_owned());
    }
    let request = as_sent(saved);
    let head_end = memmem::find(&request, b"\r\n\r\n").unwrap_or(request.len());
    let (head, body) = request.split_at_checked(head_end)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    if let Some(what) = wrong_line(first, words) {
        return Some(what.to_owned());
    }
    let fields: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let named = |wanted: &str| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if first.ends_with("HTTP/1.1") && named("host").is_none() {
        return Some(words.saved_no_host.to_owned());
    }
    let said: usize = named("content-length")?.1.trim().parse().ok()?;
    let has = body.len().saturating_sub(4);
    (has < said).then(|| fill(words.saved_short, &[&said, &has]))
}

/// What a first line is, if it is no request line.
fn wrong_line(line: &str, words: &Words) -> Option<&'static str> {
    let mut parts = line.split(' ');
    let is_method = |method: &str| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(method), Some(_), None, _) if is_method(method) => Some(words.saved_no_version),
        (Some(method), Some(_), Some("HTTP/1.1" | "HTTP/1.0"), None) if is_method(method) => None,
        (Some(method), Some(_), Some(version), None) if is_method(method) && version.starts_with("HTTP/") => {
            Some(words.saved_version)
        }
        (Some("curl"), Some(_), ..) => Some(words.saved_curl),
        (Some("*" | ">"), Some(_), ..) => Some(words.saved_curl_v),
        _ if line.starts_with("HTTP/") => Some(words.saved_answer),
        _ if line.starts_with([' ', '\t']) => Some(words.saved_indented),
        _ => Some(words.saved_no_line),
    }
}

/// The request as it goes over the wire. Editors save LF, a mark in front and a line end behind; of what a length is said
/// for, every byte stays.
fn as_sent(saved: &[u8]) -> Vec<u8> {
    let saved = saved.strip_prefix(BYTE_ORDER_MARK).unwrap_or(saved);
    let blank = saved.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let request = with_crlf(saved.get(blank..).unwrap_or_default());
    let Some(head_end) = memmem::find(&request, b"\r\n\r\n") else { return request };
    let (head, body) = request.split_at(head_end + 2);
    let body = body.strip_prefix(b"\r\n").unwrap_or(body);
    let lower = head.to_ascii_lowercase();
    let named = |name: &str| memmem::find(&lower, name.as_bytes()).is_some();
    if named("\ncontent-length:") || named("\ntransfer-encoding:") {
        return request;
    }
    let line_ends = body.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let body = body.get(..body.len() - line_ends).unwrap_or_default();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    [head, length.as_bytes(), b"\r\n", body].concat()
}

/// HTTP wants CRLF in the head, and in the lines around the parts of multipart; another body stays as it is.
fn with_crlf(saved: &[u8]) -> Vec<u8> {
    let first_line_end = saved.iter().position(|byte| *byte == b'\n');
    let is_crlf =
        first_line_end.is_none_or(|end| end.checked_sub(1).and_then(|before| saved.get(before)) == Some(&b'\r'));
    if is_crlf {
        return saved.to_vec();
    }
    let head_end = memmem::find(saved, b"\n\n").map(|end| end + 2);
    let (head, body) = saved.split_at(head_end.unwrap_or(saved.len()));
    let mut request = Vec::with_capacity(saved.len() + 64);
    let crlf = |lines: &[u8], request: &mut Vec<u8>| {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            request.extend_from_slice(bare.strip_suffix(b"\r").unwrap_or(bare));
            request.extend_from_slice(b"\r\n");
        }
    };
    crlf(head, &mut request);
    if head_end.is_none() {
        // An editor took the empty line away.
        request.extend_from_slice(b"\r\n");
    }
    if memmem::find(&head.to_ascii_lowercase(), b"\ncontent-type: multipart/").is_some() {
        crlf(body, &mut request);
    } else {
        request.extend_from_slice(body);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::super::words::english;
    use super::*;
    use proptest::prelude::*;

    fn sent(saved: &str) -> String {
        String::from_utf8(as_sent(saved.as_bytes())).unwrap()
    }

    #[test]
    fn what_editors_do_is_undone() {
        let plain = "POST /pay HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\r\na=b1";
        for saved in [
            "POST /pay HTTP/1.1\nHost: s\n\na=b1",
            "POST /pay HTTP/1.1\nHost: s\n\na=b1\n",
            "POST /pay HTTP/1.1\r\nHost: s\r\n\r\na=b1\r\n",
            "POST /pay HTTP/1.1\nHost: s\n\na=b1\n\n\n",
            "\u{FEFF}POST /pay HTTP/1.1\r\nHost: s\r\n\r\na=b1",
            "\n\nPOST /pay HTTP/1.1\nHost: s\n\na=b1\n",
            "POST /pay HTTP/1.1\nHost: s\r\n\na=b1",
        ] {
            assert_eq!(sent(saved), plain, "{saved:?}");
        }
        for saved in
            ["GET /pay?a=b HTTP/1.1\nHost: s\n", "GET /pay?a=b HTTP/1.1\nHost: s", "GET /pay?a=b HTTP/1.1\nHost: s\n\n"]
        {
            assert_eq!(sent(saved), "GET /pay?a=b HTTP/1.1\r\nHost: s\r\n\r\n", "{saved:?}");
        }
    }

    #[test]
    fn what_a_length_is_said_for_stays() {
        let saved = "POST /pay HTTP/1.1\nHost: s\nContent-Length: 5\n\na=b1\n";
        assert_eq!(sent(saved), "POST /pay HTTP/1.1\r\nHost: s\r\nContent-Length: 5\r\n\r\na=b1\n");
        let chunked = "POST /pay HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(sent(chunked), chunked);
    }

    #[test]
    fn parts_of_multipart_end_as_they_are_sent() {
        let saved = "POST /pay HTTP/1.1\nContent-Type: multipart/form-data; boundary=x\n\n--x\nContent-Disposition: \
                     form-data; name=\"a\"\n\n1\n--x--\n";
        assert!(
            sent(saved).ends_with("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--"),
            "{saved}"
        );
    }

    #[test]
    fn what_is_no_request_is_called_by_its_name() {
        for (saved, word) in [
            ("HTTP/1.1 200 OK\n\nsuccess", "answer"),
            ("curl 'https://s/pay' --data-raw 'a=1'\n", "command"),
            ("*   Trying 127.0.0.1:80...\n> POST /pay HTTP/1.1\n> Host: s\n>\n", "curl -v"),
            ("> POST /pay HTTP/1.1\n> Host: s\n>\n", "curl -v"),
            ("  POST /pay HTTP/1.1\n  Host: s\n\n  a=1", "blanks"),
            ("POST /pay\nHost: s\n\na=1", "HTTP/1.1"),
            ("POST /pay HTTP/2\nHost: s\n\na=1", "HTTP/2"),
            (":method: POST\n:path: /pay\n\na=1", "request line"),
            ("{\"log\":{}}\n", "request line"),
            ("a=1&b=2\n", "request line"),
            ("a=1&b=2", "request line"),
            ("POST /pay HTTP/1.1\n\na=1", "Host"),
            ("POST /pay HTTP/1.1\nHost: s\nContent-Length: 30\n\na=1", "30"),
        ] {
            let told = fault(saved.as_bytes(), english());
            assert!(told.as_ref().is_some_and(|told| told.contains(word)), "{saved}: {told:?}");
        }
        assert!(fault(b"\xFF\xFEP\0", english()).is_some());
        assert_eq!(fault(b"POST /pay HTTP/1.1\nHost: s\n\na=1", english()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(saved in "([ -~]|\r|\n|\u{FEFF}){0,80}") {
            let _ = fault(saved.as_bytes(), english());
        }
    }
}
