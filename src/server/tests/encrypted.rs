//! The same over TLS (threat O-03).

use super::*;
use crate::server::tls::TlsError;
use rcgen::{CertifiedKey, KeyPair};
use std::path::PathBuf;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version};

struct Pki {
    dir: TempDir,
    pair: CertifiedKey<KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let pki = Self {
            dir: tempfile::tempdir().unwrap(),
            pair: rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap(),
        };
        std::fs::write(pki.path("cert.pem"), pki.pair.cert.pem()).unwrap();
        std::fs::write(pki.path("key.pem"), pki.pair.signing_key.serialize_pem()).unwrap();
        pki
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self, cert: &str, key: &str) -> Result<Tls, TlsError> {
        Tls::load(&self.path(cert), &self.path(key))
    }

    async fn start(&self, limits: Limits) -> Fixture {
        Fixture::start_with(limits, Some(self.load("cert.pem", "key.pem").unwrap())).await
    }

    async fn connect(&self, fixture: &Fixture, alpn: &[u8]) -> io::Result<Client<TlsStream<TcpStream>>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair.cert.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(fixture.addr).await?;
        let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await?;
        Ok(Client { stream, unread: Vec::new() })
    }
}

#[tokio::test]
async fn requests_over_tls_are_served_and_the_connection_kept() {
    let pki = Pki::new();
    let fixture = pki.start(WIDE).await;
    let mut client = pki.connect(&fixture, b"http/1.1").await.unwrap();
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    for body in ["first", "second", &"x".repeat(40_000)] {
        client.send(&post("/pay", body)).await;
        assert_eq!(client.answer().await.1, format!("POST /pay {body}").as_bytes());
    }
    client.send(&get("/large")).await;
    assert_eq!(client.answer().await.1.len(), LARGE);
    client.send(b"GET /pay HTTP/1.1\nHost: shop\n\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_peer_that_wants_http_2_only_is_refused_in_the_handshake() {
    let pki = Pki::new();
    let fixture = pki.start(WIDE).await;
    assert!(pki.connect(&fixture, b"h2").await.is_err());
}

#[tokio::test]
async fn plain_bytes_on_a_tls_port_are_not_served() {
    let pki = Pki::new();
    let fixture = pki.start(WIDE).await;
    let text = fixture.answers_to(&get("/pay")).await;
    assert!(!text.contains("HTTP/"), "{text}");
    assert!(fixture.seen().is_empty());
}

#[tokio::test]
async fn r01_a_handshake_that_stalls_is_closed_and_holds_nobody_up() {
    let pki = Pki::new();
    let fixture = pki.start(Limits { head_timeout: Duration::from_secs(1), ..WIDE }).await;
    let mut stalled = fixture.connect().await;
    stalled.send(b"\x16\x03\x01\x02\x00\x01\x00").await;
    let mut client = pki.connect(&fixture, b"http/1.1").await.unwrap();
    client.send(&get("/pay")).await;
    assert_eq!(client.answer().await.0, "HTTP/1.1 200 OK");
    assert_eq!(stalled.rest().await, "");
}

#[tokio::test]
async fn a_connection_beyond_the_cap_is_closed() {
    let pki = Pki::new();
    let fixture = pki.start(Limits { connections: 1, ..WIDE }).await;
    let _inside = pki.connect(&fixture, b"http/1.1").await.unwrap();
    assert!(pki.connect(&fixture, b"http/1.1").await.is_err());
}

#[test]
fn unusable_files_are_named_with_a_remedy() {
    let pki = Pki::new();
    std::fs::write(pki.path("empty.pem"), "").unwrap();
    std::fs::write(pki.path("broken.pem"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(pki.path("other.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    for (cert, key, named, remedy) in [
        ("absent.pem", "key.pem", "absent.pem", "check the path"),
        ("empty.pem", "key.pem", "empty.pem", "BEGIN CERTIFICATE"),
        ("key.pem", "key.pem", "key.pem", "BEGIN CERTIFICATE"),
        ("broken.pem", "key.pem", "broken.pem", "openssl"),
        ("cert.pem", "empty.pem", "empty.pem", "BEGIN PRIVATE KEY"),
        ("cert.pem", "cert.pem", "cert.pem", "BEGIN PRIVATE KEY"),
        ("cert.pem", "other.pem", "other.pem", "must be a pair"),
    ] {
        let text = pki.load(cert, key).unwrap_err().to_string();
        assert!(text.contains(named) && text.contains(remedy), "{cert} {key}: {text}");
    }
}

#[test]
fn the_certificate_says_until_when_it_is_valid() {
    let pki = Pki::new();
    let key = KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2031, 2, 3);
    std::fs::write(pki.path("dated.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(pki.path("dated.key"), key.serialize_pem()).unwrap();
    let until = pki.load("dated.pem", "dated.key").unwrap().not_after().unwrap();
    assert_eq!(until.to_string(), "2031-02-03T00:00:00Z");
}
