//! Each merchant's files, as the merchant platform gives them out, and the list of them.

use super::{Keyring, MerchantKeys};
use crate::domain::clock;
use crate::provider::wechat::v3::issue::{self, CannotIssue};
use crate::sandbox::merchant::Merchant;
use jiff::SignedDuration;
use serde::Serialize;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the files are not written.
#[derive(Debug, thiserror::Error)]
pub enum CannotWrite {
    /// The file system refuses.
    #[error("cannot write {}", path.display())]
    File {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key or certificate cannot be made.
    #[error("cannot make a key or certificate")]
    Issue(#[from] CannotIssue),
    /// The list cannot be made.
    #[error("cannot write the list")]
    List(#[from] serde_json::Error),
}

/// What a merchant platform gives out for one merchant number, as text. The private key is one that everybody has.
#[derive(Debug, Clone)]
pub struct Papers {
    /// The APIv3 key.
    pub api_v3_key: String,
    /// Of the merchant's certificate.
    pub serial: String,
    /// The merchant's private key, PEM.
    pub private_key: String,
    /// The merchant's certificate, PEM.
    pub certificate: String,
    /// Of WeChat Pay's public key.
    pub public_key_id: String,
    /// WeChat Pay's public key, PEM.
    pub public_key: String,
}

impl Papers {
    /// Those of a merchant; `None` if its keys were brought along.
    pub(super) fn of(keys: &MerchantKeys) -> Result<Option<Self>, CannotIssue> {
        let (Some(own), Some(public_key)) = (&keys.own, &keys.public_key) else { return Ok(None) };
        let (begins, ends) = (clock::now() - BEFORE, clock::now() + VALID);
        Ok(Some(Self {
            api_v3_key: text(keys.api_v3_key.expose()),
            serial: keys.serial.to_string(),
            private_key: issue::private_key(own)?,
            certificate: issue::self_signed(own, &keys.serial, keys.mch_id.as_str(), begins, ends)?,
            public_key_id: public_key.serial.to_string(),
            public_key: issue::public_key(&public_key.key.public()?)?,
        }))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A merchant of the list: what is short, and the names of the files with the rest.
#[derive(Debug, Serialize)]
struct Listed {
    appid: String,
    mch_id: String,
    api_v3_key: String,
    /// The APIv2 key.
    key: Option<String>,
    serial: String,
    private_key: String,
    certificate: String,
    public_key_id: String,
    public_key: String,
    platform_certificate: String,
}

/// The list's name.
const LIST: &str = "merchants.json";

/// Only their owner reads private keys.
const PRIVATE: u32 = 0o600;

const PUBLIC: u32 = 0o644;

/// How long a merchant's certificate is valid.
const VALID: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);

const BEFORE: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn write(keyring: &Keyring, merchants: &[Merchant], directory: &Path) -> Result<(), CannotWrite> {
    let directory = Directory(directory);
    fs::create_dir_all(directory.0).map_err(|source| CannotWrite::File { path: directory.0.to_owned(), source })?;
    let newest = keyring.platform.newest();
    let platform_certificate = format!("wechatpay_{}.pem", newest.signing.serial);
    directory.write(&platform_certificate, PUBLIC, &newest.certificate)?;
    let mut list = Vec::new();
    for merchant in merchants {
        let Some(keys) = keyring.merchant(merchant.mch_id.as_str()) else { continue };
        list.extend(directory.write_merchant(merchant, keys, &platform_certificate)?);
    }
    directory.write(LIST, PRIVATE, &(serde_json::to_string_pretty(&list)? + "\n"))
}

struct Directory<'d>(&'d Path);

impl Directory<'_> {
    /// Writes a merchant's files; what stands in the list. Keys that were brought along stay where they are.
    fn write_merchant(
        &self,
        merchant: &Merchant,
        keys: &MerchantKeys,
        platform_certificate: &str,
    ) -> Result<Option<Listed>, CannotWrite> {
        let Some(papers) = Papers::of(keys)? else { return Ok(None) };
        let mch_id = keys.mch_id.as_str();
        let [private_key, certificate, public] =
            ["apiclient_key", "apiclient_cert", "pub_key"].map(|name| format!("{mch_id}_{name}.pem"));
        self.write(&private_key, PRIVATE, &papers.private_key)?;
        self.write(&certificate, PUBLIC, &papers.certificate)?;
        self.write(&public, PUBLIC, &papers.public_key)?;
        Ok(Some(Listed {
            appid: merchant.appid.to_string(),
            mch_id: mch_id.to_owned(),
            api_v3_key: papers.api_v3_key,
            key: merchant.key.as_ref().map(|key| text(key.expose())),
            serial: papers.serial,
            private_key,
            certificate,
            public_key_id: papers.public_key_id,
            public_key: public,
            platform_certificate: platform_certificate.to_owned(),
        }))
    }

    fn write(&self, name: &str, mode: u32, text: &str) -> Result<(), CannotWrite> {
        let path = self.0.join(name);
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&path)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())
        };
        written().map_err(|source| CannotWrite::File { path: path.clone(), source })
    }
}
