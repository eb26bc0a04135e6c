//! Whom an encrypted connection to a database ends at: checked as `provider/wechat/client.rs` checks it, or by authorities of
//! its own, or not checked where its URL does not ask for it.

use super::http_client::GatesTime;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{error, io};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// The system has none.
    #[error("no certificate authorities: install ca-certificates, or name a file in SSL_CERT_FILE")]
    NoAuthorities,
    /// The library says no.
    #[error("TLS cannot be set up")]
    NotSetUp,
    /// A file is not to be had, or has not what it should.
    #[error("{}: {what}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// A certificate and its key, by which a server knows this client.
pub type ClientPair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Believes these certificate authorities, or the system's.
///
/// # Errors
/// If there are none, or the client's certificate and key are no pair.
pub fn checked(
    authorities: Option<Vec<CertificateDer<'static>>>,
    client: Option<ClientPair>,
) -> Result<ClientConfig, NoTls> {
    let verified = match authorities {
        None => builder()?.with_platform_verifier().map_err(|_| NoTls::NoAuthorities)?,
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(authorities);
            builder()?.with_root_certificates(roots)
        }
    };
    with_client(verified, client)
}

/// Believes any server that answers. It keeps eavesdroppers out, and no impostor.
///
/// # Errors
/// If the client's certificate and key are no pair.
pub fn unchecked(client: Option<ClientPair>) -> Result<ClientConfig, NoTls> {
    let whoever = Arc::new(Whoever(aws_lc_rs::default_provider()));
    with_client(builder()?.dangerous().with_custom_certificate_verifier(whoever), client)
}

fn with_client(
    verified: ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    client: Option<ClientPair>,
) -> Result<ClientConfig, NoTls> {
    match client {
        None => Ok(verified.with_no_client_auth()),
        Some((chain, key)) => verified.with_client_auth_cert(chain, key).map_err(|_| NoTls::NotSetUp),
    }
}

/// The certificates in a file.
///
/// # Errors
/// If it cannot be read, or has none.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let bytes = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(NoTls::File { file: file.to_owned(), what: "has no certificate in PEM".to_owned() }),
    }
}

/// The private key in a file.
///
/// # Errors
/// If it cannot be read, or has none.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, NoTls> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|_| NoTls::File {
        file: file.to_owned(),
        what: "has no private key in PEM that is not encrypted".to_owned(),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, NoTls> {
    std::fs::read(file)
        .map_err(|error| NoTls::File { file: file.to_owned(), what: format!("cannot be read ({})", error.kind()) })
}

/// Believes no server, for those that want a configuration and encrypt nothing.
///
/// # Errors
/// If the library says no.
pub fn unused() -> Result<ClientConfig, NoTls> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The system's certificate authorities, for those that check by themselves.
///
/// # Errors
/// If there are none.
pub fn authorities() -> Result<Vec<CertificateDer<'static>>, NoTls> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() { Err(NoTls::NoAuthorities) } else { Ok(found) }
}

/// Whether it is for TLS that there is no connection.
#[must_use]
pub fn has_failed(error: &(dyn error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An I/O error does not count what it wraps among its sources.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<Error>() || wrapped.is_some_and(|wrapped| wrapped.is::<Error>()) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn builder() -> Result<ConfigBuilder<ClientConfig, rustls::WantsVerifier>, NoTls> {
    ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), Arc::new(GatesTime))
        .with_safe_default_protocol_versions()
        .map_err(|_| NoTls::NotSetUp)
}

/// A verifier that takes every certificate, and sees that its owner is the one who speaks.
#[derive(Debug)]
struct Whoever(CryptoProvider);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
