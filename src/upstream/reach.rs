//! Whether an upstream is there: a connection that is opened and closed, without a request.

use super::Upstream;
use crate::net::connector::tls_connector;
use crate::net::http_client::innermost;
use hyper::http::uri::Scheme;
use rustls_pki_types::ServerName;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Connects to an upstream, with TLS where it is https.
///
/// # Errors
/// Why that is not possible within `limit` for each of both, in a few words.
pub async fn reach(upstream: &Upstream, limit: Duration) -> Result<(), String> {
    let too_long = |what: &str| format!("{what} within {} s", limit.as_secs());
    let is_tls = upstream.scheme == Scheme::HTTPS;
    let host = upstream.authority.host().trim_matches(['[', ']']);
    let port = upstream.authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = timeout(limit, TcpStream::connect((host, port))).await.map_err(|_| too_long("no connection"))?;
    let tcp = tcp.map_err(|error| innermost(&error))?;
    if is_tls {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| innermost(&error))?;
        let tls = tls_connector().map_err(|error| innermost(&error))?;
        let shaken = timeout(limit, tls.connect(name, tcp)).await.map_err(|_| too_long("TLS: no answer"))?;
        shaken.map_err(|error| format!("TLS: {}", innermost(&error)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_is_there_and_is_sent_nothing() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = |scheme| Upstream::parse(&format!("{scheme}://{}", listener.local_addr().unwrap())).unwrap();
        reach(&upstream("http"), Duration::from_secs(10)).await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut seen).await.unwrap();
        assert_eq!(seen, b"");
        let nobody = upstream("http");
        drop(listener);
        assert!(reach(&nobody, Duration::from_secs(10)).await.is_err());
    }
}
