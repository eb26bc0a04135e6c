//! Signatures of API v2 (`docs/reference/wechatpay-v2.md` section 2): every field that was received takes part, also
//! the ones that are not documented yet.

use arrayvec::ArrayVec;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The algorithm of an account's signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignType {
    /// The default; 32 hexadecimal digits.
    #[default]
    Md5,
    /// 64 hexadecimal digits.
    HmacSha256,
}

impl SignType {
    /// The algorithm of this name, which is `MD5` or `HMAC-SHA256` and nothing else.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "MD5" => Some(Self::Md5),
            "HMAC-SHA256" => Some(Self::HmacSha256),
            _ => None,
        }
    }

    /// What `sign_type` says.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::HmacSha256 => "HMAC-SHA256",
        }
    }

    /// The algorithm that makes signatures as long as this one: a notification of an order placed with HMAC-SHA256 may
    /// come without `sign_type`. Leaving the choice to the sender gives nothing away, both algorithms need the key.
    #[must_use]
    pub const fn by_length(sign: &str) -> Option<Self> {
        match sign.len() {
            32 => Some(Self::Md5),
            64 => Some(Self::HmacSha256),
            _ => None,
        }
    }
}

/// The signature of `fields` in upper-case hexadecimal. `sign` itself and empty values stay out, the order does not
/// matter. Names must be unique.
pub fn sign<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>, key: &[u8], by: SignType) -> String {
    upper_hex(&digest(&signed(fields), key, by))
}

/// Whether `given` (hexadecimal, either case) is the signature of `fields` by any of the `keys`.
pub fn verify<'a, 'k>(
    fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    given: &str,
    keys: impl IntoIterator<Item = &'k [u8]>,
    by: SignType,
) -> bool {
    if SignType::by_length(given) != Some(by) {
        return false;
    }
    let mut room = [0; LONGEST];
    let Some(given_digest) = room.get_mut(..given.len() / 2) else { return false };
    if hex::decode_to_slice(given, given_digest).is_err() {
        return false;
    }
    let fields = signed(fields);
    keys.into_iter().any(|key| digest(&fields, key, by).ct_eq(given_digest).into())
}

/// Bytes of the longest digest.
const LONGEST: usize = 32;

/// As `hex::encode_upper`, which puts a text together digit by digit.
fn upper_hex(digest: &ArrayVec<u8, LONGEST>) -> String {
    let mut room = [0; 2 * LONGEST];
    let digits = room.get_mut(..2 * digest.len()).unwrap_or_default();
    // It fails where the lengths do not agree, and never writes anything but ASCII.
    let _ = hex::encode_to_slice(digest, digits);
    digits.make_ascii_uppercase();
    String::from_utf8_lossy(digits).into_owned()
}

/// The fields that are signed, in the order they are signed in.
fn signed<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let fields = fields.into_iter();
    let mut signed = Vec::with_capacity(fields.size_hint().0);
    signed.extend(fields.filter(|&(name, value)| name != "sign" && !value.is_empty()));
    signed.sort_unstable();
    signed
}

fn digest(signed: &[(&str, &str)], key: &[u8], by: SignType) -> ArrayVec<u8, LONGEST> {
    match by {
        SignType::Md5 => {
            let mut hash = Md5::new();
            feed(signed, key, |piece| hash.update(piece));
            hash.finalize().into_iter().collect()
        }
        SignType::HmacSha256 => {
            // It takes keys of any length and never fails; if it did, nothing would verify.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return ArrayVec::new() };
            feed(signed, key, |piece| mac.update(piece));
            mac.finalize().into_bytes().into_iter().collect()
        }
    }
}

/// `a=1&b=2&key=KEY`, piece by piece.
fn feed(signed: &[(&str, &str)], key: &[u8], mut update: impl FnMut(&[u8])) {
    for (name, value) in signed {
        update(name.as_bytes());
        update(b"=");
        update(value.as_bytes());
        update(b"&");
    }
    update(b"key=");
    update(key);
}

#[cfg(test)]
mod tests;
