//! One key, certificate or serial as it stands in the file, and what a person most likely took for another.

use crate::config::read::{Material as Written, Value};
use crate::domain::clock;
use crate::domain::secret::Secret;
use crate::provider::wechat::v3::aead::BadApiV3Key;
use crate::provider::wechat::v3::pem::{self, BadMaterial, Kind, Material};
use crate::provider::wechat::v3::serial::{CERTIFICATE_DIGITS, PUBLIC_KEY_ID};
use crate::provider::wechat::v3::{ApiV3Key, PlatformCertificate, PrivateKey, PublicKey, Serial};
use jiff::SignedDuration;

/// What was read, and where it stands. `it` is `None` if it was left unread.
#[derive(Clone)]
pub(super) struct Found<'v, T> {
    pub(super) at: Value<'v>,
    pub(super) it: Option<T>,
}

/// The merchant's private key.
pub(super) fn private_key<'v>(value: &Value<'v>) -> Option<Found<'v, PrivateKey>> {
    private_key_or(value, "use apiclient_key.pem from the same folder")
}

/// A private key; `remedy` says where to get one.
pub(super) fn private_key_or<'v>(value: &Value<'v>, remedy: &str) -> Option<Found<'v, PrivateKey>> {
    found(value, Kind::Private, remedy, |material| match material {
        Material::Private(key) => Some(key),
        Material::Public(_) | Material::Certificate(_) => None,
    })
}

/// The merchant's certificate, which is wanted for its serial number only.
pub(super) fn certificate<'v>(value: &Value<'v>) -> Option<Found<'v, PlatformCertificate>> {
    let found = found(value, Kind::Certificate, "use apiclient_cert.pem from the same folder", into_certificate)?;
    report_age(&found, "make a new one on the merchant platform, and replace private_key and certificate");
    Some(found)
}

/// One of WeChat Pay's certificates.
pub(super) fn platform_certificate<'v>(value: &Value<'v>) -> Option<Found<'v, PlatformCertificate>> {
    let remedy =
        "use a platform certificate of WeChat Pay, such as wechatpay_5157F09E.pem; a public key goes to public_key";
    let found = found(value, Kind::Certificate, remedy, into_certificate)?;
    report_age(&found, "remove it, and use the one that follows, or platform_certificates: auto");
    Some(found)
}

/// WeChat Pay's public key of the merchant.
pub(super) fn public_key<'v>(value: &Value<'v>) -> Option<Found<'v, PublicKey>> {
    let remedy = "use pub_key.pem, the WeChat Pay public key from the merchant platform; a platform certificate goes to \
                  platform_certificates";
    found(value, Kind::Public, remedy, |material| match material {
        Material::Public(key) => Some(key),
        Material::Private(_) | Material::Certificate(_) => None,
    })
}

/// The serial number of the merchant's certificate.
pub(super) fn serial<'v>(value: &Value<'v>) -> Option<Found<'v, Serial>> {
    named(value, Serial::of_certificate, |text| {
        if text.starts_with(PUBLIC_KEY_ID) {
            "that is the id of WeChat Pay's public key: it goes to public_key_id"
        } else {
            "copy the API certificate's serial number from the merchant platform, or write certificate instead"
        }
    })
}

/// The id of WeChat Pay's public key.
pub(super) fn public_key_id<'v>(value: &Value<'v>) -> Option<Found<'v, Serial>> {
    named(value, Serial::of_public_key, |text| {
        if is_serial(text) {
            "that is the serial number of a certificate: copy the id that stands beside the public key on the merchant platform"
        } else {
            "copy the whole id that stands beside the public key on the merchant platform, PUB_KEY_ID_ included"
        }
    })
}

/// One APIv3 key.
pub(super) fn api_v3_key<'v>(value: &Value<'v>) -> Option<Found<'v, ApiV3Key>> {
    const COPY: &str = "copy the APIv3 key that was set on the merchant platform";
    let Some(text) = text(value, "write the key itself")? else { return Some(unread(value)) };
    let looks_like_a_serial = is_serial(text.expose());
    match ApiV3Key::parse(text) {
        Ok(key) => Some(Found { at: value.clone(), it: Some(key) }),
        Err(bad) => {
            let remedy = match bad {
                BadApiV3Key::Length(_) if looks_like_a_serial => {
                    "it looks like a certificate's serial number, which goes to serial: set an APIv3 key on the merchant platform"
                }
                BadApiV3Key::Length(_) | BadApiV3Key::Ascii => COPY,
            };
            value.problem(bad.to_string(), remedy);
            None
        }
    }
}

/// A warning comes so long before a certificate ends.
const WARNED_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

fn report_age(found: &Found<'_, PlatformCertificate>, remedy: &str) {
    let Some(certificate) = &found.it else { return };
    let (now, end) = (clock::now(), certificate.not_after);
    if certificate.has_expired(now) {
        found.at.outdated("is a certificate that has expired", remedy);
    } else if end.duration_since(now) < WARNED_BEFORE {
        found.at.warn(format!("is a certificate that ends on {}; {remedy}", end.strftime("%Y-%m-%d")));
    }
}

/// The text of a value; `Some(None)` if it is left unread, `None` if it was reported.
fn text(value: &Value<'_>, remedy: &str) -> Option<Option<Secret>> {
    match value.material()? {
        Written::Text(text) => Some(Some(text)),
        Written::Unread => Some(None),
        Written::Binary => {
            value.problem("is a file that is not text, such as a .p12", remedy);
            None
        }
    }
}

fn unread<'v, T>(value: &Value<'v>) -> Found<'v, T> {
    Found { at: value.clone(), it: None }
}

/// What `take` makes of the material in a value; `remedy` is for all that is of another kind.
fn found<'v, T>(
    value: &Value<'v>,
    wanted: Kind,
    remedy: &str,
    take: impl FnOnce(Material) -> Option<T>,
) -> Option<Found<'v, T>> {
    let Some(text) = text(value, remedy)? else { return Some(unread(value)) };
    let text = text.expose();
    let material = pem::read(text, wanted).map_err(|bad| report(value, bad, text, remedy)).ok()?;
    let kind = material.kind();
    let it = take(material);
    if it.is_none() {
        value.problem(what_it_is(kind), remedy);
    }
    Some(Found { at: value.clone(), it: Some(it?) })
}

fn report(value: &Value<'_>, bad: BadMaterial, text: &str, remedy: &str) {
    let remedy = match bad {
        BadMaterial::Shape if is_serial(text) => "that is a serial number: it goes to serial",
        BadMaterial::Shape if is_file_name(text) => "write ${file:PATH} around the file's name",
        BadMaterial::Shape | BadMaterial::Pkcs12 | BadMaterial::Request | BadMaterial::Certificate(_) => remedy,
        BadMaterial::Damaged => "copy the whole file, from -----BEGIN to the end of -----END",
        BadMaterial::Encrypted => "decrypt it: openssl pkey -in encrypted.pem -out decrypted.pem",
        BadMaterial::NotRsa => "WeChat Pay uses RSA keys of 2048 bits, and SM2 keys are not supported",
        BadMaterial::Bits(_) => "WeChat Pay uses RSA keys of 2048 bits",
    };
    value.problem(bad.to_string(), remedy);
}

const fn what_it_is(kind: Kind) -> &'static str {
    match kind {
        Kind::Private => "is a private key",
        Kind::Public => "is a public key",
        Kind::Certificate => "is a certificate",
    }
}

fn into_certificate(material: Material) -> Option<PlatformCertificate> {
    match material {
        Material::Certificate(certificate) => Some(certificate),
        Material::Private(_) | Material::Public(_) => None,
    }
}

/// A serial or id by `parse`; `remedy` says what to do about a text that is none.
fn named<'v, E: std::fmt::Display>(
    value: &Value<'v>,
    parse: impl FnOnce(&str) -> Result<Serial, E>,
    remedy: impl FnOnce(&str) -> &'static str,
) -> Option<Found<'v, Serial>> {
    let Some(text) = text(value, "write the serial number or id itself")? else { return Some(unread(value)) };
    let text = text.expose().trim();
    let parsed = parse(text).map_err(|bad| value.problem(bad.to_string(), remedy(text)));
    parsed.ok().map(|serial| Found { at: value.clone(), it: Some(serial) })
}

fn is_serial(text: &str) -> bool {
    let text = text.trim();
    text.len() == CERTIFICATE_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a text is the name of a key's file.
fn is_file_name(text: &str) -> bool {
    const ENDS: [&str; 7] = [".pem", ".p12", ".pfx", ".key", ".crt", ".cer", ".txt"];
    let text = text.trim().to_ascii_lowercase();
    !text.contains('\n') && ENDS.iter().any(|end| text.ends_with(end))
}
