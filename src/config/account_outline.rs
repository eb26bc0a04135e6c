//! What an account is asked by, reads and verifies with, as a check tells it.

use super::channels::is_unread;
use crate::provider::Account as _;
use crate::provider::wechat::v3::PlatformCertificates;
use crate::provider::wechat::{Account, Api, v2, v3};

/// An account in outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOutline {
    /// The API that it is asked by, as `provider` has it.
    pub asked_by: &'static str,
    /// The presets whose notifications can be read.
    pub reads: Vec<&'static str>,
    /// What verifies the signatures of API v3; empty without keys of it.
    pub verifies_with: Vec<Verifier>,
}

/// What verifies a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifier {
    /// A key that this id or serial number names.
    Named(Box<str>),
    /// A key whose id was not read.
    Unread,
    /// Certificates that are downloaded.
    Downloaded,
}

impl AccountOutline {
    /// The outline of an account.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let credentials = &account.credentials;
        let asked_by = match credentials.api {
            Api::V2(_) => v2::preset::PRESET.name,
            Api::V3(_) => v3::preset::PRESET.name,
        };
        let presets = [&v3::preset::PRESET, &v2::preset::PRESET].into_iter();
        let reads = presets.filter(|preset| account.reads(preset)).map(|preset| preset.name).collect();
        Self { asked_by, reads, verifies_with: credentials.v3().map(verifiers).unwrap_or_default() }
    }
}

fn verifiers(keys: &v3::Keys) -> Vec<Verifier> {
    let named = |serial: &str| if is_unread(serial) { Verifier::Unread } else { Verifier::Named(serial.into()) };
    let public = keys.public_key.iter().map(|(id, _)| named(id.as_str()));
    let files = match &keys.platform {
        PlatformCertificates::Files(files) => files.as_slice(),
        PlatformCertificates::Auto | PlatformCertificates::None => &[],
    };
    let files = files.iter().map(|file| named(file.serial.as_str()));
    public.chain(files).chain(keys.downloads().then_some(Verifier::Downloaded)).collect()
}
