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
        let (Some(own), Some(public_key)) = (&keys.own, &keys.public_key) else { return Ok(None) };
        let mch_id = keys.mch_id.as_str();
        let [private_key, certificate, public] =
            ["apiclient_key", "apiclient_cert", "pub_key"].map(|name| format!("{mch_id}_{name}.pem"));
        let (begins, ends) = (clock::now() - BEFORE, clock::now() + VALID);
        self.write(&private_key, PRIVATE, &issue::private_key(own)?)?;
        self.write(&certificate, PUBLIC, &issue::self_signed(own, &keys.serial, mch_id, begins, ends)?)?;
        self.write(&public, PUBLIC, &issue::public_key(&public_key.key.public().map_err(CannotIssue::from)?)?)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Some(Listed {
            appid: merchant.appid.to_string(),
            mch_id: mch_id.to_owned(),
            api_v3_key: text(keys.api_v3_key.expose()),
            key: merchant.key.as_ref().map(|key| text(key.expose())),
            serial: keys.serial.to_string(),
            private_key,
            certificate,
            public_key_id: public_key.serial.to_string(),
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
