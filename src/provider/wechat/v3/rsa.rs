//! RSA keys: RSASSA-PKCS1-v1_5 with SHA-256 (`docs/reference/wechatpay-v3.md` sections 3.1 and 4).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKey as RsaPublicKey};
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;
use std::sync::Arc;

/// A private key. It is never shown.
#[derive(Clone)]
pub struct PrivateKey(Arc<KeyPair>);

/// A public key, parsed once.
#[derive(Clone)]
pub struct PublicKey(Arc<Parsed>);

struct Parsed {
    key: ParsedPublicKey,
    /// RFC 8017's `RSAPublicKey`.
    der: Box<[u8]>,
}

/// Why bytes are no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an RSA key of 2048 to 8192 bits")]
pub struct BadKey;

impl PrivateKey {
    /// Reads DER, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// If it is neither, or shorter than 2048 bits.
    pub fn from_der(der: &[u8]) -> Result<Self, BadKey> {
        let pair = KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der));
        pair.map(|pair| Self(Arc::new(pair))).map_err(|_| BadKey)
    }

    /// A new key of 2048 bits, by the system's random numbers. Takes a part of a second.
    ///
    /// # Errors
    /// If none can be made.
    pub fn generate() -> Result<Self, BadKey> {
        KeyPair::generate(KeySize::Rsa2048).map(|pair| Self(Arc::new(pair))).map_err(|_| BadKey)
    }

    /// The signature over `message`, in base64 without line ends. Takes about a millisecond of one core.
    ///
    /// # Errors
    /// If the library fails, which a key that was read does not.
    pub fn sign(&self, message: &[u8]) -> Result<String, BadKey> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| BadKey)?;
        Ok(BASE64_STANDARD.encode(signature))
    }

    /// The public half.
    ///
    /// # Errors
    /// If the library fails.
    pub fn public(&self) -> Result<PublicKey, BadKey> {
        PublicKey::from_der(self.0.public_key().as_ref())
    }

    /// The public half as RFC 8017's `RSAPublicKey`: two keys with the same are the same.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The pair, for those who write it to a file.
    #[must_use]
    pub fn expose(&self) -> &KeyPair {
        &self.0
    }
}

impl PublicKey {
    /// Reads DER: RFC 8017's `RSAPublicKey`, or X.509's `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// If it is neither, or not of 2048 to 8192 bits.
    pub fn from_der(der: &[u8]) -> Result<Self, BadKey> {
        let der: Box<[u8]> = RsaPublicKey::from_der(der).map_err(|_| BadKey)?.as_ref().into();
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map_err(|_| BadKey)?;
        // The library looks at the size only when it verifies.
        if der.len() < SHORTEST {
            return Err(BadKey);
        }
        Ok(Self(Arc::new(Parsed { key, der })))
    }

    /// Whether `signature`, in base64, is that of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
        self.0.key.verify_sig(message, &signature).is_ok()
    }

    /// RFC 8017's `RSAPublicKey`.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }
}

/// Bytes of the `RSAPublicKey` of 2048 bits, at least: the modulus alone has 256.
const SHORTEST: usize = 256;

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

impl PartialEq for PrivateKey {
    /// The same public half is the same key.
    fn eq(&self, other: &Self) -> bool {
        self.modulus() == other.modulus()
    }
}

impl Eq for PrivateKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(..)")
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for PublicKey {}
