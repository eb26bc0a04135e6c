//! Opens connections to other machines, with TLS where it is wanted.

use super::connection::{Connection, Io};
use super::http_client::{self, innermost};
use hyper::http::uri::{Authority, Scheme, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls_pki_types::ServerName;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// Opens connections: straight to where it is told to, by no proxy (threat V-11).
pub struct Connector {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
    timeout: Duration,
}

/// Why there is no connection, for the log. The other machine saw no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Connector {
    /// `timeout` is the time for connecting, TLS included.
    ///
    /// # Errors
    /// If it is to connect `with_tls` and this machine's trusted certificates cannot be read.
    pub fn new(timeout: Duration, with_tls: bool) -> Result<Self, rustls::Error> {
        Ok(Self::by(timeout, with_tls.then(tls_connector).transpose()?))
    }

    /// As [`new`](Self::new), with TLS that was set up before, if it is wanted.
    #[must_use]
    pub fn by(timeout: Duration, tls: Option<TlsConnector>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeout));
        tcp.enforce_http(false);
        Self { tcp, tls, timeout }
    }

    /// Whether one like this, with TLS if that is wanted, would be the same.
    #[must_use]
    pub fn does(&self, timeout: Duration, with_tls: bool) -> bool {
        self.timeout == timeout && (self.tls.is_some() || !with_tls)
    }

    /// Connects, by the `deadline` and within the time for connecting.
    ///
    /// # Errors
    /// If there is no connection by then.
    pub async fn connect(
        &self,
        scheme: &Scheme,
        authority: &Authority,
        deadline: Instant,
    ) -> Result<Connection, Unreachable> {
        let deadline = deadline.min(Instant::now() + self.timeout);
        // Boxed, since whoever finds a kept connection should not carry the room for all this.
        match timeout_at(deadline, Box::pin(self.open(scheme, authority))).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(Unreachable(innermost(&*error))),
            Err(_) => Err(Unreachable("no connection in time".to_owned())),
        }
    }

    async fn open(&self, scheme: &Scheme, authority: &Authority) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        let uri = Uri::builder().scheme(scheme.clone()).authority(authority.clone()).path_and_query("/").build()?;
        let tcp = self.tcp.clone().call(uri).await?;
        let io: Box<dyn Io> = if *scheme == Scheme::HTTPS {
            let name = ServerName::try_from(authority.host().trim_matches(['[', ']']).to_owned())?;
            let tls = self.tls.as_ref().ok_or("no certificate authorities were read")?;
            Box::new(tls.connect(name, tcp.into_inner()).await?)
        } else {
            Box::new(tcp.into_inner())
        };
        Ok(Connection::open(io, Instant::now() + self.timeout).await?)
    }
}

/// Connects with TLS, believing the system's certificate authorities.
///
/// # Errors
/// If those cannot be read.
pub fn tls_connector() -> Result<TlsConnector, rustls::Error> {
    Ok(TlsConnector::from(Arc::new(http_client::tls(true)?)))
}
