//! Asking others over HTTP: a client that goes where it is told to and nowhere else.

use crate::domain::clock;
use reqwest::header::HeaderValue;
use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Our name.
pub const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));

/// The beginnings of a client. If it is to be `encrypted` it believes the system's certificate authorities.
///
/// # Errors
/// If those cannot be read.
pub fn client(encrypted: bool) -> Result<ClientBuilder, rustls::Error> {
    Ok(client_by(tls(encrypted)?))
}

/// How others are spoken with over TLS. If that is to be `encrypted` at all, the system's certificate authorities are
/// believed; otherwise none are.
///
/// # Errors
/// If those cannot be read.
pub fn tls(encrypted: bool) -> Result<ClientConfig, rustls::Error> {
    let tls = ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), Arc::new(GatesTime))
        .with_safe_default_protocol_versions()?;
    // Reading the system's certificate authorities takes longer than all the rest of a start.
    Ok(if encrypted {
        tls.with_platform_verifier()?.with_no_client_auth()
    } else {
        tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    })
}

/// The beginnings of a client with such TLS: no redirects, no proxies from the environment, no retries of its own, and
/// our name (threats V-11, V-12).
pub fn client_by(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .retry(retry::never())
        .referer(false)
        .user_agent(USER_AGENT)
}

/// The time by which certificates are looked at: the gate's, which a clock that is wrong for a moment does not move.
#[derive(Debug)]
pub struct GatesTime;

impl TimeProvider for GatesTime {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::try_from(clock::now().as_duration()).ok()?;
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// Only the innermost cause: the outer ones name the URL, which may have a key in its query.
#[must_use]
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
