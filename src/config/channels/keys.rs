//! What an account signs, verifies and opens with in API v3.

use super::material::{self, Found};
use crate::config::read::{Map, Value};
use crate::domain::secret::Secret;
use crate::provider::wechat::v3::{
    ApiV3Key, Keys, PlatformCertificate, PlatformCertificates, PrivateKey, PublicKey, Serial, Signer,
};
use jiff::Timestamp;
use std::sync::OnceLock;

/// The keys of a channel that are about API v3.
pub(super) const KEYS: &[&str] =
    &["private_key", "certificate", "serial", "api_v3_key", "public_key_id", "public_key", "platform_certificates"];

/// What the file says of them. What could not be read was reported, and is not here.
pub(super) struct V3<'v> {
    pub(super) private_key: Option<Found<'v, PrivateKey>>,
    pub(super) certificate: Option<Found<'v, PlatformCertificate>>,
    pub(super) serial: Option<Found<'v, Serial>>,
    pub(super) api_v3: Vec<Found<'v, ApiV3Key>>,
    pub(super) public_key_id: Option<Found<'v, Serial>>,
    pub(super) public_key: Option<Found<'v, PublicKey>>,
    pub(super) platform: Platform<'v>,
}

/// `platform_certificates`.
pub(super) enum Platform<'v> {
    Auto,
    None,
    Files(Vec<Found<'v, PlatformCertificate>>),
}

pub(super) fn read<'v>(map: &Map<'v>) -> V3<'v> {
    V3 {
        private_key: map.optional("private_key", material::private_key),
        certificate: map.optional("certificate", material::certificate),
        serial: map.optional("serial", material::serial),
        api_v3: map
            .or("api_v3_key", Vec::new(), |v| Some(v.one_or_list()?.iter().filter_map(material::api_v3_key).collect())),
        public_key_id: map.optional("public_key_id", material::public_key_id),
        public_key: map.optional("public_key", material::public_key),
        platform: map.or("platform_certificates", Platform::Auto, platform),
    }
}

fn platform<'v>(value: &Value<'v>) -> Option<Platform<'v>> {
    match value.written() {
        Some("auto") => Some(Platform::Auto),
        Some("none") => Some(Platform::None),
        _ => {
            let files = value.one_or_list()?;
            Some(Platform::Files(files.iter().filter_map(material::platform_certificate).collect()))
        }
    }
}

impl V3<'_> {
    /// The keys as an account has them; `None` if a half of one is missing, which was reported. What is unread is
    /// replaced by something that fits nothing.
    pub(super) fn keys(&self) -> Option<Keys> {
        let signer = match &self.private_key {
            Some(key) => Some(Signer {
                serial: self.merchant_serial()?,
                key: key.it.clone().or_else(placeholder)?,
                ends_at: self.certificate.as_ref().and_then(|found| Some(found.it.as_ref()?.not_after)),
            }),
            None => None,
        };
        let public_key = match (&self.public_key_id, &self.public_key) {
            (Some(id), Some(key)) => {
                let key = key.it.clone().or_else(|| placeholder()?.public().ok());
                Some((id.it.or_else(unread_id)?, key?))
            }
            _ => None,
        };
        let api_v3: Option<Vec<_>> = self.api_v3.iter().map(|key| key.it.clone().or_else(unread_api_v3)).collect();
        let platform = match &self.platform {
            Platform::Auto => PlatformCertificates::Auto,
            Platform::None => PlatformCertificates::None,
            Platform::Files(files) => {
                let read: Option<_> = files.iter().map(|file| file.it.clone().or_else(unread_certificate)).collect();
                PlatformCertificates::Files(read?)
            }
        };
        Some(Keys { signer, api_v3: api_v3?, public_key, platform })
    }

    /// The serial number of the merchant's certificate, by itself or in the certificate.
    fn merchant_serial(&self) -> Option<Serial> {
        let of_certificate = self.certificate.as_ref().map(|found| found.it.as_ref().map(|it| it.serial));
        let written = self.serial.as_ref().map(|found| found.it);
        written.flatten().or(of_certificate.flatten()).or_else(|| {
            let is_unread = written.or(of_certificate).is_some();
            is_unread.then(unread_serial).flatten()
        })
    }

    /// Reports what this account lacks for what it is to do.
    pub(super) fn report_what_is_missing(&self, map: &Map<'_>, is_asked_by_v3: bool) {
        let has = |key| map.get(key).is_some();
        let has_serial = has("certificate") || has("serial");
        if is_asked_by_v3 {
            map.required("private_key", "private_key: ${file:apiclient_key.pem}, which signs what is asked", |_| {
                Some(())
            });
        }
        if !has_serial && (is_asked_by_v3 || has("private_key")) {
            map.required("certificate", "certificate: ${file:apiclient_cert.pem}, or serial: its 40 digits", |_| {
                Some(())
            });
        }
        if let (Some(key), false) = (map.get("public_key"), has("public_key_id")) {
            key.problem(
                "stands without public_key_id",
                "add public_key_id: PUB_KEY_ID_ and digits, which stand beside the key on the merchant platform",
            );
        }
        if let (Some(id), false) = (map.get("public_key_id"), has("public_key")) {
            id.problem("stands without public_key", "add public_key: ${file:pub_key.pem}, from the merchant platform");
        }
        self.report_nothing_to_verify_with(map, has_serial);
        if !is_asked_by_v3 && !has("api_v3_key") {
            let at = KEYS.iter().find_map(|key| map.get(key)).unwrap_or_else(|| map.value().clone());
            at.warn("is not used: without api_v3_key no notification of API v3 can be read; add it, or remove this");
        }
    }

    fn report_nothing_to_verify_with(&self, map: &Map<'_>, has_serial: bool) {
        let has = |key| map.get(key).is_some();
        let has_public_key = has("public_key") || has("public_key_id");
        let lacks: Vec<&str> =
            [("private_key", has("private_key")), ("certificate", has_serial), ("api_v3_key", has("api_v3_key"))]
                .into_iter()
                .filter_map(|(key, is_there)| (!is_there).then_some(key))
                .collect();
        let written = map.get("platform_certificates");
        match (&self.platform, written) {
            (Platform::Auto, Some(at)) if !lacks.is_empty() => {
                let needs = "auto needs private_key, certificate or serial, and api_v3_key";
                at.problem(needs, format!("add {}, or write none", lacks.join(", ")));
            }
            (Platform::None, Some(at)) if !has_public_key => {
                at.problem(NOTHING, "add public_key and public_key_id, or write auto");
            }
            // What is missing of it was reported where the account is asked by v3; a file was read or reported.
            (Platform::Auto, None) if !has_public_key && !lacks.is_empty() => {
                map.value().problem(
                    NOTHING,
                    format!(
                        "add public_key and public_key_id, or what downloading certificates needs: {}",
                        lacks.join(", ")
                    ),
                );
            }
            _ => {}
        }
    }
}

const NOTHING: &str = "has nothing to verify with what WeChat Pay signs in API v3";

/// The key that a route signs with; one that was left unread is replaced by another one than an account's.
pub(in crate::config) fn resign_key(value: &Value<'_>) -> Option<PrivateKey> {
    let found = material::private_key_or(value, "use resign_key.pem, which tollgate resign-key makes")?;
    // Another than the accounts', which it must be none of.
    static MADE: OnceLock<Option<PrivateKey>> = OnceLock::new();
    found.it.or_else(|| MADE.get_or_init(|| PrivateKey::generate().ok()).clone())
}

/// A key that fits nothing, for one that was left unread. Made once, because that takes a moment.
fn placeholder() -> Option<PrivateKey> {
    static MADE: OnceLock<Option<PrivateKey>> = OnceLock::new();
    MADE.get_or_init(|| PrivateKey::generate().ok()).clone()
}

/// Serials that name nothing, for those that were left unread.
const UNREAD: [&str; 2] = ["0000000000000000000000000000000000000000", "PUB_KEY_ID_0"];

fn unread_serial() -> Option<Serial> {
    Serial::of_certificate(UNREAD[0]).ok()
}

fn unread_id() -> Option<Serial> {
    Serial::of_public_key(UNREAD[1]).ok()
}

fn unread_certificate() -> Option<PlatformCertificate> {
    let (serial, key) = (unread_serial()?, placeholder()?.public().ok()?);
    Some(PlatformCertificate { serial, key, not_before: Timestamp::MIN, not_after: Timestamp::MAX })
}

/// Whether a serial stands for one that was left unread.
pub(in crate::config) fn is_unread(serial: &str) -> bool {
    UNREAD.contains(&serial)
}

fn unread_api_v3() -> Option<ApiV3Key> {
    ApiV3Key::parse(Secret::new(uuid::Uuid::now_v7().simple().to_string())).ok()
}
