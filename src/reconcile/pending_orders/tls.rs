//! Whom an encrypted connection ends at: checked as `provider/wechat/client.rs` checks it, or not checked where a database's
//! URL does not ask for it.

use super::error::SourceError;
use crate::net::http_client::GatesTime;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use std::{error, io};

/// Believes the system's certificate authorities.
pub(super) fn checked() -> Result<ClientConfig, SourceError> {
    let verified = builder()?.with_platform_verifier().map_err(|_| NO_AUTHORITIES)?;
    Ok(verified.with_no_client_auth())
}

/// Believes any server that answers. It keeps eavesdroppers out, and no impostor.
pub(super) fn unchecked() -> Result<ClientConfig, SourceError> {
    let whoever = Arc::new(Whoever(aws_lc_rs::default_provider()));
    Ok(builder()?.dangerous().with_custom_certificate_verifier(whoever).with_no_client_auth())
}

/// Believes no server, for those that want a configuration and encrypt nothing.
pub(super) fn unused() -> Result<ClientConfig, SourceError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The system's certificate authorities, for those that check by themselves.
pub(super) fn authorities() -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() { Err(NO_AUTHORITIES) } else { Ok(found) }
}

/// Whether it is for TLS that there is no connection.
pub(super) fn has_failed(error: &(dyn error::Error + 'static)) -> bool {
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

pub(super) const NO_AUTHORITIES: SourceError =
    SourceError::NotSetUp("no certificate authorities: install ca-certificates, or name a file in SSL_CERT_FILE");

fn builder() -> Result<ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SourceError> {
    ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), Arc::new(GatesTime))
        .with_safe_default_protocol_versions()
        .map_err(|_| SourceError::NotSetUp("TLS"))
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
