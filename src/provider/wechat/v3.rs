//! WeChat Pay API v3: JSON, RSA signatures, and what is sealed by AES-256-GCM
//! (`docs/reference/wechatpay-v3.md`).

pub mod serial;

pub mod rsa;

pub mod aead;

pub mod certificate;

pub mod pem;

pub mod issue;

pub mod signer;

pub mod headers;

pub mod json;

pub mod request;

pub mod answer;

pub mod bill;

pub mod order_state;

pub mod notification;

pub mod platform;

pub mod preset;

pub mod resign;

pub use aead::ApiV3Key;
pub use answer::Answer;
pub use certificate::PlatformCertificate;
pub use resign::Resigner;
pub use rsa::{PrivateKey, PublicKey};
pub use serial::{KeyKind, Serial};
pub use signer::Signer;

/// What an API v3 account signs, verifies and opens with (section 2). Which of these there are, the configuration sees
/// to: whoever lacks one is told by a reason, never by a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The merchant's own key, which signs what is asked; absent where the account is asked by API v2 only.
    pub signer: Option<Signer>,
    /// The APIv3 keys: the first seals, any of them opens. Empty where no notifications are read.
    pub api_v3: Vec<ApiV3Key>,
    /// WeChat Pay's public key of this merchant, by its id (`PUB_KEY_ID_...`).
    pub public_key: Option<(Serial, PublicKey)>,
    /// WeChat Pay's platform certificates.
    pub platform: PlatformCertificates,
}

/// Where the platform certificates of an account come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PlatformCertificates {
    /// They are downloaded, at the start where there is no public key, and when one is needed that is not known.
    #[default]
    Auto,
    /// Nothing is downloaded, and none is known.
    None,
    /// These, and nothing is downloaded.
    Files(Vec<PlatformCertificate>),
}

impl Keys {
    /// Whether anything can verify what WeChat Pay signs: a public key, a file, or a download.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.public_key.is_some()
            || match &self.platform {
                PlatformCertificates::Auto => self.downloads(),
                PlatformCertificates::None => false,
                PlatformCertificates::Files(files) => !files.is_empty(),
            }
    }

    /// Whether notifications can be verified and opened.
    #[must_use]
    pub fn reads_notifications(&self) -> bool {
        !self.api_v3.is_empty() && self.verifies()
    }

    /// Whether platform certificates can be downloaded: that takes a signature and the APIv3 key.
    #[must_use]
    pub fn downloads(&self) -> bool {
        self.platform == PlatformCertificates::Auto && self.signer.is_some() && !self.api_v3.is_empty()
    }

    /// The configured key of this serial; what was downloaded is not among them.
    #[must_use]
    pub fn configured(&self, serial: &str) -> Option<&PublicKey> {
        if let Some((_, key)) = self.public_key.as_ref().filter(|(id, _)| id.as_str() == serial) {
            return Some(key);
        }
        let PlatformCertificates::Files(files) = &self.platform else { return None };
        files.iter().find(|file| file.serial.as_str() == serial).map(|file| &file.key)
    }

    /// All that an answer depends on.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let signer = self.signer.iter().flat_map(|signer| [signer.serial.as_str().as_bytes(), signer.key.modulus()]);
        let public = self.public_key.iter().flat_map(|(id, key)| [id.as_str().as_bytes(), key.der()]);
        let files = match &self.platform {
            PlatformCertificates::Files(files) => files.as_slice(),
            PlatformCertificates::Auto | PlatformCertificates::None => &[],
        };
        let files = files.iter().flat_map(|file| [file.serial.as_str().as_bytes(), file.key.der()]);
        let platform: &[u8] = if self.platform == PlatformCertificates::Auto { b"auto" } else { b"" };
        std::iter::once(platform)
            .chain(self.api_v3.iter().map(ApiV3Key::expose))
            .chain(signer)
            .chain(public)
            .chain(files)
    }
}

#[cfg(test)]
pub(super) mod tests;
