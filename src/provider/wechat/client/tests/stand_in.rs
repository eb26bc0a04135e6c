//! A stand-in for a host of WeChat Pay.

use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the stand-in for a host of WeChat Pay does with a query.
#[derive(Debug, Clone)]
pub(in crate::provider::wechat::client) enum Act {
    /// Answers 200 with this body.
    Say(String),
    /// Writes these bytes and closes.
    Write(Vec<u8>),
    /// Once there were so many queries, writes these bytes; closes without an answer when the next one comes.
    WriteOnce(usize, Vec<u8>),
    /// Writes these bytes and waits until the other side gives up.
    WriteAndWait(Vec<u8>),
    /// Goes on writing an answer that never ends.
    WriteForever,
    /// Closes.
    Close,
    /// Waits until the other side gives up.
    Wait,
}

/// The host, and what it has seen.
pub(in crate::provider::wechat::client) struct StandIn {
    address: SocketAddr,
    pub(in crate::provider::wechat::client) seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
pub(in crate::provider::wechat::client) struct Seen {
    pub(in crate::provider::wechat::client) heads: Vec<String>,
    queries: Vec<String>,
    pub(super) connections: usize,
    pub(super) written: usize,
}

impl StandIn {
    /// Does the acts one after the other, the last one for ever.
    pub(in crate::provider::wechat::client) async fn start(acts: &[Act]) -> Self {
        Self::start_at(|_| acts.to_vec()).await
    }

    /// As [`start`](Self::start), for acts that name the host's own origin.
    pub(in crate::provider::wechat::client) async fn start_at(acts: impl FnOnce(&str) -> Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Seen>>::default());
        let (acts, shared) = (acts(&format!("http://{address}")), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acts, seen) = (acts.clone(), Arc::clone(&shared));
                tokio::spawn(async move { serve(stream, &acts, &seen).await });
            }
        });
        Self { address, seen }
    }

    pub(in crate::provider::wechat::client) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(in crate::provider::wechat::client) fn queries(&self) -> Vec<String> {
        self.seen.lock().queries.clone()
    }
}

pub(in crate::provider::wechat::client) async fn nobody() -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    StandIn { address: listener.local_addr().unwrap(), seen: Arc::default() }
}

async fn serve(mut stream: TcpStream, acts: &[Act], seen: &Mutex<Seen>) -> Option<()> {
    seen.lock().connections += 1;
    let mut closes = false;
    loop {
        let (head, query) = read_request(&mut stream).await?;
        let number = {
            let mut seen = seen.lock();
            seen.heads.push(head);
            seen.queries.push(query);
            seen.queries.len() - 1
        };
        if closes {
            return None;
        }
        match acts.get(number).or(acts.last())? {
            Act::Say(body) => stream.write_all(&response("200 OK", body)).await.ok()?,
            Act::Write(bytes) => return stream.write_all(bytes).await.ok(),
            Act::WriteOnce(queries, bytes) => {
                while seen.lock().queries.len() < *queries {
                    tokio::task::yield_now().await;
                }
                stream.write_all(bytes).await.ok()?;
                closes = true;
            }
            Act::WriteAndWait(bytes) => {
                stream.write_all(bytes).await.ok()?;
                stream.read(&mut [0]).await.map(|_| ()).ok()?;
            }
            Act::WriteForever => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.ok()?;
                loop {
                    stream.write_all(&[b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat()).await.ok()?;
                    seen.lock().written += 1024;
                }
            }
            Act::Close => return None,
            Act::Wait => stream.read(&mut [0]).await.map(|_| ()).ok()?,
        }
    }
}

pub(super) async fn read_request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))
            && body.len() == length.unwrap_or("0").parse::<usize>().unwrap()
        {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

pub(in crate::provider::wechat::client) fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
