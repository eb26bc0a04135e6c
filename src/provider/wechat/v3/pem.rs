//! Keys and certificates in the shapes in which people have them: PEM with any line ends, literal `\n` of environment
//! variables among them, and base64 without the armour. What a block holds is told by its content, never by its label
//! (`docs/reference/wechatpay-v3.md` section 2).

use super::certificate::{BadCertificate, PlatformCertificate};
use super::rsa::{PrivateKey, PublicKey};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, SliceReader, Tag, Tagged};

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A private key.
    Private(PrivateKey),
    /// A public key.
    Public(PublicKey),
    /// A certificate.
    Certificate(PlatformCertificate),
}

/// The kinds of [`Material`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A private key.
    Private,
    /// A public key.
    Public,
    /// A certificate.
    Certificate,
}

/// Why a text holds nothing usable. None of these repeats any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMaterial {
    /// Neither PEM nor base64 of a key or certificate.
    #[error("is no key or certificate in PEM")]
    Shape,
    /// An armour whose end is missing or whose base64 does not decode.
    #[error("is cut short or damaged")]
    Damaged,
    /// A private key under a password.
    #[error("is encrypted with a password")]
    Encrypted,
    /// PKCS#12.
    #[error("is a .p12 file")]
    Pkcs12,
    /// A request for a certificate, which is sent to whoever signs it.
    #[error("is a request for a certificate, not a certificate")]
    Request,
    /// A key of another kind, such as EC or SM2.
    #[error("is not an RSA key")]
    NotRsa,
    /// An RSA key of so many bits.
    #[error("is an RSA key of {0} bits, which must be 2048 to 8192")]
    Bits(usize),
    /// A certificate that is not usable.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
}

impl Material {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Private(_) => Kind::Private,
            Self::Public(_) => Kind::Public,
            Self::Certificate(_) => Kind::Certificate,
        }
    }
}

/// Reads `text`; of several blocks the first of the `wanted` kind, and otherwise the first.
///
/// # Errors
/// If there is nothing usable in it.
pub fn read(text: &str, wanted: Kind) -> Result<Material, BadMaterial> {
    let text = with_line_ends(text);
    let mut read: Vec<_> = blocks(&text)?.iter().map(block_material).collect();
    let is_wanted = |one: &Result<Material, _>| one.as_ref().is_ok_and(|material| material.kind() == wanted);
    let says_something = |one: &Result<Material, _>| *one != Err(BadMaterial::Shape);
    let at = read.iter().position(is_wanted).or_else(|| read.iter().position(says_something));
    if read.is_empty() { Err(BadMaterial::Shape) } else { read.swap_remove(at.unwrap_or_default()) }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Paddings are left out by some, and none of them carries anything.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The text with line ends for literal `\n` and `\r`, and without the quotes and the mark around it.
fn with_line_ends(text: &str) -> String {
    let text = text.trim_start_matches('\u{FEFF}').trim().trim_matches(['"', '\'']);
    let mut pieces = text.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push('\n');
        // An escaped backslash leaves an empty piece.
        plain.push_str(piece.strip_prefix(['n', 'r']).unwrap_or(piece));
    }
    plain
}

/// A block of base64, or what is wrong with it.
type Block = Result<Vec<u8>, BadMaterial>;

/// The blocks of PEM, or all of it as base64 without the armour.
fn blocks(text: &str) -> Result<Vec<Block>, BadMaterial> {
    if text.contains(BEGIN) {
        return Ok(text.split(BEGIN).skip(1).map(armoured).collect());
    }
    let bytes = base64(text).ok_or(BadMaterial::Shape)?;
    // Some keep the whole file in base64, armour and all.
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains(BEGIN) => Ok(text.split(BEGIN).skip(1).map(armoured).collect()),
        _ => Ok(vec![Ok(bytes)]),
    }
}

/// The bytes of a block, of which `rest` is what stands behind `-----BEGIN `.
fn armoured(rest: &str) -> Block {
    let (label, rest) = rest.split_once(DASHES).ok_or(BadMaterial::Damaged)?;
    let (body, _) = rest.split_once(END).ok_or(BadMaterial::Damaged)?;
    if label.contains("ENCRYPTED") || body.contains("ENCRYPTED") {
        return Err(BadMaterial::Encrypted);
    }
    base64(body).ok_or(BadMaterial::Damaged)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let solid: String = text.split_whitespace().collect();
    LENIENT.decode(solid).ok()
}

fn block_material(block: &Block) -> Result<Material, BadMaterial> {
    material(block.as_ref().map_err(|bad| *bad)?)
}

/// What DER holds, by the types of its outermost parts.
fn material(der: &[u8]) -> Result<Material, BadMaterial> {
    let parts = children(der).ok_or(BadMaterial::Shape)?;
    let tags: Vec<Tag> = parts.iter().map(Tagged::tag).collect();
    let part = |index: usize| parts.get(index).copied().ok_or(BadMaterial::Shape);
    match tags.as_slice() {
        [Tag::Integer, Tag::Sequence, Tag::OctetString, ..] => {
            is_rsa(part(1)?)?;
            let inner = children(part(2)?.value()).ok_or(BadMaterial::Damaged)?;
            private(der, inner.get(1).copied().ok_or(BadMaterial::Damaged)?)
        }
        [Tag::Integer, Tag::Sequence, ..] => Err(BadMaterial::Pkcs12),
        [Tag::Integer, rest @ ..] if rest.len() >= PARTS_OF_RSA && rest.iter().all(|tag| *tag == Tag::Integer) => {
            private(der, part(1)?)
        }
        [Tag::Integer, Tag::Integer] => public(der, part(0)?),
        [Tag::Integer, ..] => Err(BadMaterial::NotRsa),
        [Tag::Sequence, Tag::OctetString] => Err(BadMaterial::Encrypted),
        [Tag::Sequence, Tag::BitString] => {
            is_rsa(part(0)?)?;
            // The first byte says how many bits are unused, which are none.
            let inner = part(1)?.value().get(1..).and_then(children).ok_or(BadMaterial::Damaged)?;
            public(der, inner.first().copied().ok_or(BadMaterial::Damaged)?)
        }
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => certificate(der, part(0)?),
        _ => Err(BadMaterial::Shape),
    }
}

/// Numbers of RFC 8017's `RSAPrivateKey` behind the first one.
const PARTS_OF_RSA: usize = 8;

/// Parts of the body of a request for a certificate, at most; a certificate's has more.
const PARTS_OF_REQUEST: usize = 4;

/// `rsaEncryption`.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The parts of a SEQUENCE; `None` if it is none.
fn children(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let whole = AnyRef::from_der(der).ok().filter(|whole| whole.tag() == Tag::Sequence)?;
    parts_of(whole)
}

fn parts_of(whole: AnyRef<'_>) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(whole.value()).ok()?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(parts)
}

/// Whether an `AlgorithmIdentifier` names RSA.
fn is_rsa(algorithm: AnyRef<'_>) -> Result<(), BadMaterial> {
    let parts = parts_of(algorithm).ok_or(BadMaterial::Damaged)?;
    let oid = parts.first().and_then(|first| first.decode_as::<ObjectIdentifier>().ok());
    if oid == Some(RSA) { Ok(()) } else { Err(BadMaterial::NotRsa) }
}

fn private(der: &[u8], modulus: AnyRef<'_>) -> Result<Material, BadMaterial> {
    PrivateKey::from_der(der).map(Material::Private).map_err(|_| of_modulus(modulus))
}

fn public(der: &[u8], modulus: AnyRef<'_>) -> Result<Material, BadMaterial> {
    PublicKey::from_der(der).map(Material::Public).map_err(|_| of_modulus(modulus))
}

/// Why a key of this modulus is not taken.
fn of_modulus(modulus: AnyRef<'_>) -> BadMaterial {
    let bytes = modulus.value();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let first = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = (bytes.len() - zeros) * 8 - first;
    if USABLE_BITS.contains(&bits) { BadMaterial::Damaged } else { BadMaterial::Bits(bits) }
}

const USABLE_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

fn certificate(der: &[u8], body: AnyRef<'_>) -> Result<Material, BadMaterial> {
    match PlatformCertificate::from_der(der) {
        Ok(certificate) => Ok(Material::Certificate(certificate)),
        Err(BadCertificate::Shape) if parts_of(body).is_some_and(|parts| parts.len() <= PARTS_OF_REQUEST) => {
            Err(BadMaterial::Request)
        }
        Err(bad) => Err(bad.into()),
    }
}

#[cfg(test)]
mod tests;
