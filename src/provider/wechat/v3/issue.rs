//! Writing keys and certificates to files, as the merchant platform gives them out.

use super::rsa::{BadKey, PrivateKey, PublicKey};
use super::serial::{BadSerial, Serial};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use std::str::FromStr;
use std::time::Duration;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, ObjectIdentifier, UtcTime};
use x509_cert::der::{Decode, Encode};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotIssue {
    /// The cryptographic library failed.
    #[error("the key {0}")]
    Key(#[from] BadKey),
    /// A name, a time or a number that X.509 has no place for.
    #[error("X.509 has no place for it")]
    X509(#[from] x509_cert::der::Error),
    /// No serial number of a certificate.
    #[error("the serial number {0}")]
    Serial(#[from] BadSerial),
}

/// RFC 8017's `sha256WithRSAEncryption`.
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// A certificate of `key` signed with itself, in PEM. `name` is its common name, without commas. `serial` is that of a
/// certificate, which does not begin with a digit from 8 on.
///
/// # Errors
/// If the name, the serial number or the times cannot be written.
pub fn self_signed(
    key: &PrivateKey,
    serial: &Serial,
    name: &str,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<String, CannotIssue> {
    let algorithm = AlgorithmIdentifierOwned { oid: SHA256_WITH_RSA, parameters: Some(Any::null()) };
    let name = Name::from_str(&format!("CN={name}"))?;
    let number = hex::decode(serial.as_str()).unwrap_or_default();
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&number)?,
        signature: algorithm.clone(),
        issuer: name.clone(),
        validity: Validity { not_before: time(not_before)?, not_after: time(not_after)? },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&public_key_info(&key.public()?)?)?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    };
    let signature = BASE64_STANDARD.decode(key.sign(&tbs_certificate.to_der()?)?).map_err(|_| BadKey)?;
    let signature = BitString::from_bytes(&signature)?;
    let certificate = Certificate { tbs_certificate, signature_algorithm: algorithm, signature };
    Ok(pem("CERTIFICATE", &certificate.to_der()?))
}

/// The private key as PKCS#8, in PEM. Whoever has it can sign with it.
///
/// # Errors
/// If the library fails.
pub fn private_key(key: &PrivateKey) -> Result<String, CannotIssue> {
    let der: Pkcs8V1Der<'static> = key.expose().as_der().map_err(|_| BadKey)?;
    Ok(pem("PRIVATE KEY", der.as_ref()))
}

/// The public key as X.509's `SubjectPublicKeyInfo`, in PEM.
///
/// # Errors
/// If the library fails.
pub fn public_key(key: &PublicKey) -> Result<String, CannotIssue> {
    Ok(pem("PUBLIC KEY", &public_key_info(key)?))
}

fn public_key_info(key: &PublicKey) -> Result<Vec<u8>, BadKey> {
    let key = RsaPublicKey::from_der(key.der()).map_err(|_| BadKey)?;
    let der: PublicKeyX509Der<'static> = key.as_der().map_err(|_| BadKey)?;
    Ok(der.as_ref().to_vec())
}

/// X.509 writes two digits of the year until 2049, and four from then on.
fn time(at: Timestamp) -> Result<Time, x509_cert::der::Error> {
    let since_1970 = Duration::from_secs(at.as_second().unsigned_abs());
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(since_1970).map(Time::GeneralTime),
    }
}

/// Characters of a line.
const LINE: usize = 64;

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(LINE).map(String::from_utf8_lossy);
    let body: String = lines.flat_map(|line| [line, "\n".into()]).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::super::certificate::PlatformCertificate;
    use super::*;
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

    #[test]
    fn what_is_written_is_read_again() {
        let key = PrivateKey::generate().unwrap();
        let serial = Serial::of_certificate("5157F09EFDC096DE15EBE81A47057A7232F1B8E1").unwrap();
        let [begins, ends] = ["2024-01-01T00:00:00Z", "2061-01-01T00:00:00Z"].map(|time| time.parse().unwrap());
        let certificate = self_signed(&key, &serial, "1900000109", begins, ends).unwrap();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let certificate = PlatformCertificate::from_der(&certificate).unwrap();
        assert_eq!((certificate.serial, certificate.not_before, certificate.not_after), (serial, begins, ends));
        assert_eq!(certificate.key, key.public().unwrap());

        let private = private_key(&key).unwrap();
        let private = PrivatePkcs8KeyDer::from_pem_slice(private.as_bytes()).unwrap();
        assert_eq!(PrivateKey::from_der(private.secret_pkcs8_der()).unwrap(), key);
        let public = public_key(&key.public().unwrap()).unwrap();
        let public = SubjectPublicKeyInfoDer::from_pem_slice(public.as_bytes()).unwrap();
        assert_eq!(PublicKey::from_der(&public).unwrap(), key.public().unwrap());
    }
}
