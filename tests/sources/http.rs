//! A page, from servers that answer as real ones do and as broken ones do.

use crate::{PATIENCE, lines, read};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tollgate::domain::money::AmountUnit;
use tollgate::domain::secret::Secret;
use tollgate::reconcile::pending_orders::error::SourceError;
use tollgate::reconcile::pending_orders::http::Page;
use tollgate::reconcile::pending_orders::listing::Listing;
use tollgate::reconcile::pending_orders::source::Place;

/// A server that reads one head after the other, and answers each with the same bytes, `times` over.
struct Server {
    addr: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answers(answer: impl Into<Vec<u8>>, times: usize) -> Self {
        let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
        let (addr, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                    head.push(byte[0]);
                }
                kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
                for _ in 0..times {
                    if stream.write_all(&answer).is_err() {
                        break;
                    }
                }
            }
        });
        Self { addr, heads }
    }

    fn read(&self, token: Option<&str>, deadline: Duration) -> Result<Listing, SourceError> {
        let url = format!("http://{}/unpaid.json?key=hunter2", self.addr).parse().unwrap();
        let token = token.map(|token| Secret::new(token.to_owned()));
        let read = read(Place::Http(Page { url, token }), AmountUnit::Fen, 100, deadline);
        if let Err(error) = &read {
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        read
    }
}

fn page(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

#[test]
fn a_page_is_fetched_with_its_token() {
    let server =
        Server::answers(page("200 OK", r#"[{"order": 10000000000000000001, "channel": "app", "amount": 6600}]"#), 1);
    assert_eq!(lines(&server.read(Some("t0ken"), PATIENCE).unwrap()), ["10000000000000000001 app - 6600 -"]);
    assert!(server.read(None, PATIENCE).is_ok());
    let heads = server.heads.lock().unwrap();
    assert!(heads[0].starts_with("GET /unpaid.json?key=hunter2 HTTP/1.1\r\n"), "{heads:?}");
    assert!(heads[0].to_ascii_lowercase().contains("\r\nauthorization: bearer t0ken\r\n"), "{heads:?}");
    assert!(!heads[1].to_ascii_lowercase().contains("authorization"), "{heads:?}");
}

#[test]
fn another_status_is_no_list_and_redirects_are_not_followed() {
    for status in ["401 Unauthorized", "500 Oops", "204 No Content", "302 Found\r\nLocation: /elsewhere"] {
        let server = Server::answers(page(status, ""), 1);
        let wanted = status[..3].parse().unwrap();
        assert_eq!(server.read(Some("t"), PATIENCE), Err(SourceError::Status(wanted)));
        assert_eq!(server.heads.lock().unwrap().len(), 1, "{status}");
    }
}

#[test]
fn a_page_that_is_broken_slow_or_endless_is_said_by_its_kind() {
    let html = Server::answers(page("200 OK", "<html>"), 1).read(None, PATIENCE);
    assert_eq!(html, Err(SourceError::NotJson { line: 1, column: 1 }));
    let short = Server::answers("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", 1).read(None, PATIENCE);
    assert!(matches!(short, Err(SourceError::BrokeOff(_))), "{short:?}");
    let nothing = Server::answers("", 1).read(None, PATIENCE);
    assert!(matches!(nothing, Err(SourceError::BrokeOff(_))), "{nothing:?}");
    let endless = Server::answers(format!("HTTP/1.1 200 OK\r\n\r\n{}", " ".repeat(1 << 20)), 64).read(None, PATIENCE);
    assert_eq!(endless, Err(SourceError::TooLarge));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = Server { addr: gone, heads: Arc::default() }.read(None, PATIENCE);
    assert!(matches!(refused, Err(SourceError::Unreachable(_))), "{refused:?}");
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = Server { addr: listening.local_addr().unwrap(), heads: Arc::default() };
    assert_eq!(slow.read(None, Duration::from_millis(300)), Err(SourceError::TimedOut));
}
