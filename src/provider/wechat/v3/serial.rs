//! What names a key that signs.

use arrayvec::ArrayString;
use std::fmt;

/// The name of a key, as `Wechatpay-Serial` and `serial_no` say it: a certificate's serial number, 40 upper-case
/// hexadecimal digits, or the id of a public key, `PUB_KEY_ID_` and digits
/// (`docs/reference/wechatpay-v3.md` section 2). A key is selected by an exact match.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(ArrayString<64>);

/// How the id of a public key begins.
pub const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_";

/// Digits of a certificate's serial number.
pub const CERTIFICATE_DIGITS: usize = 40;

/// Why a text names no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSerial {
    /// It is no 40 hexadecimal digits; it has so many characters.
    #[error("is not 40 hexadecimal digits (it has {0} characters)")]
    Certificate(usize),
    /// It does not begin with [`PUBLIC_KEY_ID`], or what follows is not digits.
    #[error("is not PUB_KEY_ID_ and digits")]
    PublicKey,
}

/// Which kind of key a serial names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// WeChat Pay's public key of one merchant.
    PublicKey,
    /// A platform certificate.
    Certificate,
}

impl KeyKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::PublicKey, Self::Certificate];

    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublicKey => "public-key",
            Self::Certificate => "certificate",
        }
    }

    /// Which kind of key a serial names.
    #[must_use]
    pub fn of(serial: &str) -> Self {
        if serial.starts_with(PUBLIC_KEY_ID) { Self::PublicKey } else { Self::Certificate }
    }
}

impl Serial {
    /// A certificate's serial number, in either case.
    ///
    /// # Errors
    /// If it is not 40 hexadecimal digits.
    pub fn of_certificate(text: &str) -> Result<Self, BadSerial> {
        let is_serial = text.len() == CERTIFICATE_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bad = BadSerial::Certificate(text.chars().count());
        let serial = text.to_ascii_uppercase();
        ArrayString::from(&serial).ok().filter(|_| is_serial).map(Self).ok_or(bad)
    }

    /// The id of a public key.
    ///
    /// # Errors
    /// If it is not [`PUBLIC_KEY_ID`] and digits.
    pub fn of_public_key(text: &str) -> Result<Self, BadSerial> {
        let digits = text.strip_prefix(PUBLIC_KEY_ID).ok_or(BadSerial::PublicKey)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadSerial::PublicKey);
        }
        ArrayString::from(text).map(Self).map_err(|_| BadSerial::PublicKey)
    }

    /// A serial that a key was found by.
    #[must_use]
    pub fn known(text: &str) -> Option<Self> {
        ArrayString::from(text).ok().map(Self)
    }

    /// As the headers have it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Which kind of key it names.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        KeyKind::of(self.as_str())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}
