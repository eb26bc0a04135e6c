//! WeChat Pay's platform certificates, which all merchants share.

use super::SigningKey;
use super::pair;
use crate::domain::clock;
use crate::provider::wechat::v3::issue::{self, CannotIssue};
use crate::provider::wechat::v3::serial::Serial;
use crate::sandbox::seed::Seed;
use jiff::{SignedDuration, Timestamp};

/// A platform certificate and its key.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct PlatformKey {
    pub(in crate::sandbox) signing: SigningKey,
    /// PEM.
    pub(in crate::sandbox) certificate: String,
    pub(in crate::sandbox) effective: Timestamp,
    pub(in crate::sandbox) expires: Timestamp,
}

/// The certificates.
#[derive(Debug)]
pub(super) struct Platform {
    first: PlatformKey,
    /// Those that can be downloaded, the newest last.
    listed: Vec<PlatformKey>,
    issued: usize,
}

/// How many are listed at once.
const MOST_LISTED: usize = 2;

/// How long a certificate is valid (`docs/reference/wechatpay-v3.md` section 2).
const VALID: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);

/// A clock that is a little behind should find it valid too.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

impl Platform {
    pub(super) fn new() -> Result<Self, CannotIssue> {
        let first = PlatformKey::issue(0)?;
        Ok(Self { listed: vec![first.clone()], first, issued: 1 })
    }

    pub(super) fn reset(&mut self) {
        self.listed = vec![self.first.clone()];
        self.issued = 1;
    }

    pub(super) fn rotate(&mut self) -> Result<(), CannotIssue> {
        let next = PlatformKey::issue(self.issued)?;
        self.issued += 1;
        if self.listed.len() == MOST_LISTED {
            self.listed.remove(0);
        }
        self.listed.push(next);
        Ok(())
    }

    pub(super) fn listed(&self) -> &[PlatformKey] {
        &self.listed
    }

    pub(super) fn newest(&self) -> &PlatformKey {
        self.listed.last().unwrap_or(&self.first)
    }

    /// The certificate of this serial number; otherwise those that are listed take turns.
    pub(super) fn select(&self, serial: Option<&str>, number: u64) -> SigningKey {
        let named = self.listed.iter().find(|listed| serial == Some(listed.signing.serial.as_str()));
        let turn = usize::try_from(number).unwrap_or_default() % self.listed.len().max(1);
        named.or_else(|| self.listed.get(turn)).unwrap_or(&self.first).signing.clone()
    }
}

impl PlatformKey {
    /// The certificate of this number, from 0. Its serial number is always the same.
    fn issue(number: usize) -> Result<Self, CannotIssue> {
        let key = pair::platform(number)?;
        let serial = serial(&["platform", &number.to_string()])?;
        let now = clock::now();
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let (effective, expires) = (now - BEFORE, now + VALID);
        let certificate = issue::self_signed(&key, &serial, "Tenpay.com Root CA of a sandbox", effective, expires)?;
        Ok(Self { signing: SigningKey { serial, key }, certificate, effective, expires })
    }
}

/// The serial number of the certificate of this, which is always the same.
pub(super) fn serial(of: &[&str]) -> Result<Serial, CannotIssue> {
    // A number that begins with a high digit would be negative in DER, and one with a zero shorter.
    Ok(Serial::of_certificate(&format!("5{}", Seed(0).serial_digits(of)))?)
}
