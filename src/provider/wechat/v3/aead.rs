//! What is sealed with the APIv3 key: AES-256-GCM, whose tag stands behind the ciphertext
//! (`docs/reference/wechatpay-v3.md` sections 6.2 to 6.4, and 7).

use crate::domain::secret::Secret;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// An APIv3 key: 32 bytes of ASCII, used as they are. Not the APIv2 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiV3Key(Secret);

/// Why a text is no APIv3 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadApiV3Key {
    /// It has so many characters.
    #[error("is not 32 ASCII characters (it has {0})")]
    Length(usize),
    /// It has others than ASCII.
    #[error("is not 32 ASCII characters (it has others than ASCII)")]
    Ascii,
}

/// Bytes of the key.
const KEY_BYTES: usize = 32;

impl ApiV3Key {
    /// Checks the length and takes the key into custody.
    ///
    /// # Errors
    /// If it is not 32 bytes of ASCII.
    pub fn parse(key: Secret) -> Result<Self, BadApiV3Key> {
        let text = key.expose();
        if !text.is_ascii() {
            return Err(BadApiV3Key::Ascii);
        }
        if text.len() != KEY_BYTES {
            return Err(BadApiV3Key::Length(text.len()));
        }
        Ok(Self(key))
    }

    /// The key's bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }

    /// Opens `ciphertext`, which is base64 of the sealed text and its tag. `None` if it is none, or was not sealed with
    /// this key, nonce and associated data.
    #[must_use]
    pub fn open(&self, nonce: &[u8], associated_data: &[u8], ciphertext: &str) -> Option<Vec<u8>> {
        let mut sealed = BASE64_STANDARD.decode(ciphertext).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.key()?.open_in_place(nonce, Aad::from(associated_data), &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }

    /// Seals `text`, and gives it in base64, its tag behind it. The nonce must never be used twice with one key.
    /// `None` if the library fails.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], associated_data: &[u8], text: &[u8]) -> Option<String> {
        let (nonce, mut sealed) = (Nonce::assume_unique_for_key(*nonce), text.to_vec());
        self.key()?.seal_in_place_append_tag(nonce, Aad::from(associated_data), &mut sealed).ok()?;
        Some(BASE64_STANDARD.encode(sealed))
    }

    fn key(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.expose()).ok().map(LessSafeKey::new)
    }
}

/// Bytes of a nonce, which are written as they are.
pub const NONCE_BYTES: usize = NONCE_LEN;

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 6.4.
    #[test]
    fn the_fact_sheets_vectors_open() {
        let key = ApiV3Key::parse(Secret::new("0123456789abcdef0123456789ABCDEF".to_owned())).unwrap();
        let (nonce, text) = (b"fdasflkja484", b"{\"trade_state\":\"SUCCESS\"}".as_slice());
        for (associated_data, sealed) in [
            ("transaction", "bz19R35VkVws1vTTuERUqn8nHNqMpgpBX0zUxLfNWCvQOMNlRsCaakA="),
            ("", "bz19R35VkVws1vTTuERUqn8nHNqMpgpBX70wWWB2bziilc5W/dlEdPo="),
        ] {
            assert_eq!(key.open(nonce, associated_data.as_bytes(), sealed).as_deref(), Some(text));
            assert_eq!(key.seal(nonce, associated_data.as_bytes(), text).as_deref(), Some(sealed));
            assert_eq!(key.open(nonce, b"other", sealed), None);
            assert_eq!(key.open(b"fdasflkja485", associated_data.as_bytes(), sealed), None);
        }
        assert_eq!(key.open(b"short", b"", "bz19"), None);
    }

    #[test]
    fn a_key_of_another_length_is_none() {
        for (text, bad) in [
            ("short", BadApiV3Key::Length(5)),
            ("0123456789abcdef0123456789ABC中", BadApiV3Key::Ascii),
            (&*"a".repeat(40), BadApiV3Key::Length(40)),
        ] {
            assert_eq!(ApiV3Key::parse(Secret::new(text.to_owned())).unwrap_err(), bad);
        }
    }
}
