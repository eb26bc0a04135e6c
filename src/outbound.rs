//! Asking others over HTTP: a client that goes where it is told to and nowhere else.

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use std::error::Error;
use std::sync::Arc;

/// The beginnings of a client: no redirects, no proxies from the environment, no retries of its own, and our name (threats
/// V-11, V-12). If it is to be `encrypted` it believes the system's certificate authorities.
///
/// # Errors
/// If those cannot be read.
pub fn client(encrypted: bool) -> Result<ClientBuilder, rustls::Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    // Reading the system's certificate authorities takes longer than all the rest of a start.
    let tls = if encrypted {
        tls.with_platform_verifier()?.with_no_client_auth()
    } else {
        tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .retry(retry::never())
        .referer(false)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))))
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
