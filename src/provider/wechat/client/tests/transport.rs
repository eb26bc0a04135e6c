//! Which hosts are trusted, and which way a query takes to them.

use super::stand_in::read_request;
use super::*;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// Threat V-11.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = StandIn::start(&[paid()]).await;
    for status in [301, 302, 307, 308] {
        let location = format!(
            "HTTP/1.1 {status} Go\r\nLocation: {}/pay/orderquery\r\nContent-Length: 0\r\n\r\n",
            elsewhere.origin()
        );
        let host = StandIn::start(&[Act::Write(location.into_bytes())]).await;
        assert_eq!(ask(&client(&[&host])).await, Err(QueryError::HttpStatus(status)));
    }
    assert!(elsewhere.queries().is_empty());
}

/// Threat V-11. The environment belongs to the whole process, so the test runs itself once more in one of its own.
#[tokio::test]
async fn proxies_in_the_environment_are_ignored() {
    const NAME: &str = "provider::wechat::client::tests::transport::proxies_in_the_environment_are_ignored";
    let host = StandIn::start(&[paid()]).await;
    if std::env::var_os("HTTP_PROXY").is_some_and(|proxy| proxy == "http://127.0.0.1:9") {
        assert!(ask(&client(&[&host])).await.is_ok());
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([NAME, "--exact"]).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:9");
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Threat V-11.
#[tokio::test]
async fn a_host_whose_certificate_nobody_vouches_for_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await
                && let Some((_, query)) = read_request(&mut stream).await
            {
                shared.lock().push(query);
            }
        }
    });
    let settings = Settings { hosts: vec![format!("https://{address}")], hedge_after: LONG, queries_per_second: 1000 };
    assert_eq!(ask(&WeChatPay::new(&settings).unwrap()).await, Err(QueryError::Transport));
    assert!(seen.lock().is_empty());
}

#[test]
fn a_client_needs_hosts_with_usable_origins() {
    let build = |hosts: &[&str]| {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        WeChatPay::new(&Settings { hosts, hedge_after: LONG, queries_per_second: 20 })
    };
    assert!(build(&["https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com/"]).is_ok());
    assert!(matches!(build(&[]), Err(BuildError::NoHost)));
    for origin in [
        "",
        "api.mch.weixin.qq.com",
        "ftp://api.mch.weixin.qq.com",
        "https://",
        "https://user@example.com",
        "https://example.com/?a=b",
    ] {
        assert!(matches!(build(&[origin]), Err(BuildError::Host(0))), "{origin}");
    }
}
