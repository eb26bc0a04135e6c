//! Keys to try a configuration out with, before anybody has put the merchant's own in their places.

use super::write::{CERTIFICATE, PRIVATE_KEY, PUBLIC_KEY};
use crate::config::Environment;
use crate::domain::clock;
use crate::provider::wechat::v3::{PrivateKey, Serial, issue};
use std::cell::OnceCell;
use std::env::VarError;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

/// An environment in which every key is there that `init` writes a reference to. Keys of API v3 are made when they are
/// asked for, which takes a moment.
#[derive(Debug, Default)]
pub(super) struct AnyKey {
    of_v3: OnceCell<Option<Files>>,
}

/// A merchant's files, and WeChat Pay's public key.
#[derive(Debug)]
struct Files {
    private_key: String,
    certificate: String,
    public_key: String,
}

/// A serial number; any will do.
const SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";

/// For so long the certificate is valid: longer than the configuration warns of.
const VALID_FOR: Duration = Duration::from_secs(365 * 24 * 3600);

impl Files {
    fn make() -> Option<Self> {
        let (own, wechats) = (PrivateKey::generate().ok()?, PrivateKey::generate().ok()?);
        let (serial, now) = (Serial::of_certificate(SERIAL).ok()?, clock::now());
        Some(Self {
            private_key: issue::private_key(&own).ok()?,
            certificate: issue::self_signed(&own, &serial, "init", now, now.checked_add(VALID_FOR).ok()?).ok()?,
            public_key: issue::public_key(&wechats.public().ok()?).ok()?,
        })
    }
}

impl Environment for AnyKey {
    fn variable(&self, _: &str) -> Result<String, VarError> {
        Ok(uuid::Uuid::now_v7().simple().to_string())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let files = self.of_v3.get_or_init(Files::make).as_ref();
        let files = files.ok_or_else(|| io::Error::from(ErrorKind::Other))?;
        match path.file_name().and_then(|name| name.to_str()) {
            Some(PRIVATE_KEY) => Ok(files.private_key.clone()),
            Some(CERTIFICATE) => Ok(files.certificate.clone()),
            Some(PUBLIC_KEY) => Ok(files.public_key.clone()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn readable(&self, _: &Path) -> io::Result<()> {
        Err(ErrorKind::NotFound.into())
    }
}
