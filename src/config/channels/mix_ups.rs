//! Keys that were taken for one another, within a channel and among all of them.

use super::keys::{Platform, V3};
use super::material::Found;
use crate::config::read::{Map, Value};
use crate::provider::wechat::v3::{PublicKey, Serial};
use std::collections::{HashMap, HashSet};

/// The keys of all channels.
#[derive(Default)]
pub(super) struct MixUps<'v> {
    /// The merchants' own, by the serial numbers of their certificates.
    own: Vec<Key<'v>>,
    /// What stands as a merchant's certificate, and is not that of its private key.
    certificates: Vec<Key<'v>>,
    /// What stands as the serial number of a merchant's certificate.
    serials: Vec<(Value<'v>, Serial)>,
    /// WeChat Pay's, by id or serial number.
    of_wechat: Vec<Key<'v>>,
}

/// A key where it stands in the file.
struct Key<'v> {
    at: Value<'v>,
    serial: Option<Serial>,
    key: PublicKey,
}

impl<'v> MixUps<'v> {
    /// Takes in the keys of a channel, and reports what is mixed up in it.
    pub(super) fn take(&mut self, map: &Map<'v>, v3: Option<V3<'v>>) {
        let Some(v3) = v3 else { return };
        let fits = report_certificate(&v3);
        warn_of_the_other_key(map, &v3);
        let V3 { private_key, certificate, serial, public_key_id, public_key, platform, .. } = v3;
        let (serial_at, written) = serial.map(|found| (found.at, found.it)).unzip();
        let written = written.flatten();
        let own_serial = written.or_else(|| certificate.as_ref()?.it.as_ref().map(|it| it.serial));
        self.serials.extend(serial_at.zip(written));
        let own_key = private_key.and_then(|Found { at, it }| Some((at, it?.public().ok()?)));
        if let Some((at, key)) = own_key.clone() {
            self.own.push(Key { at, serial: own_serial, key });
        }
        if let Some(Found { at, it: Some(certificate) }) = certificate {
            let found = Key { at, serial: None, key: certificate.key };
            // One that fits is known by the private key.
            match (own_key, fits) {
                (None, _) => self.own.push(found),
                (Some(_), false) => self.certificates.push(found),
                (Some(_), true) => {}
            }
        }
        if let Some(Found { at, it: Some(key) }) = public_key {
            self.of_wechat.push(Key { at, serial: public_key_id.and_then(|id| id.it), key });
        }
        if let Platform::Files(files) = platform {
            for Found { at, it } in files {
                self.of_wechat.extend(it.map(|it| Key { at, serial: Some(it.serial), key: it.key }));
            }
        }
    }

    /// Reports what is mixed up among the channels.
    pub(super) fn report(&self) {
        let own: HashSet<_> = self.own.iter().map(|own| own.key.der()).collect();
        for theirs in self.of_wechat.iter().filter(|theirs| own.contains(theirs.key.der())) {
            theirs.at.problem(
                "is the merchant's own, not WeChat Pay's",
                "use the WeChat Pay public key, pub_key.pem, or a platform certificate, from the merchant platform",
            );
        }
        let theirs: HashSet<_> = self.of_wechat.iter().map(|theirs| theirs.key.der()).collect();
        for own in self.certificates.iter().filter(|own| theirs.contains(own.key.der())) {
            own.at.problem(
                "is WeChat Pay's, not the merchant's",
                "use apiclient_cert.pem from the folder of private_key",
            );
        }
        let theirs: HashSet<_> = self.of_wechat.iter().filter_map(|theirs| theirs.serial).collect();
        for (at, _) in self.serials.iter().filter(|(_, serial)| theirs.contains(serial)) {
            at.problem(
                "is the serial number of one of WeChat Pay's certificates",
                "copy the serial number of the merchant's own certificate, apiclient_cert.pem",
            );
        }
        report_two_keys(&self.of_wechat);
        report_two_keys(&self.own);
    }
}

/// A serial or id selects one key, wherever it stands.
fn report_two_keys(keys: &[Key<'_>]) {
    let mut first = HashMap::new();
    for key in keys {
        let Some(serial) = key.serial else { continue };
        let other: &Key<'_> = first.entry(serial).or_insert(key);
        if other.key != key.key {
            let what =
                format!("has the serial number or id of another key, {} ({})", other.at.path(), other.at.place());
            key.at.problem(what, "copy serial number or id and key from the same place");
        }
    }
}

/// The certificate is that of the private key, and has the serial number that is written beside it. Whether it is, as far
/// as both were read.
fn report_certificate(v3: &V3<'_>) -> bool {
    let Some(Found { at, it: Some(certificate) }) = &v3.certificate else { return true };
    let own = v3.private_key.as_ref().and_then(|found| found.it.as_ref());
    let fits = own.is_none_or(|own| own.modulus() == certificate.key.der());
    if !fits {
        at.problem(
            "is the certificate of another private key",
            "use apiclient_cert.pem and apiclient_key.pem from the same folder",
        );
    }
    if let Some(Found { at, it: Some(serial) }) = &v3.serial
        && *serial != certificate.serial
    {
        at.problem("is not the serial number of certificate", "remove serial, or use the certificate that has it");
    }
    fits
}

/// The APIv2 key and the APIv3 key are set on their own, and one is easily copied for the other.
fn warn_of_the_other_key(map: &Map<'_>, v3: &V3<'_>) {
    let v2 = map.get("key").map(|key| if key.is_list() { key.peek_items() } else { vec![key] }).unwrap_or_default();
    let v2: Vec<_> = v2.iter().filter_map(Value::peek_text).collect();
    for Found { at, it } in &v3.api_v3 {
        let Some(it) = it else { continue };
        if v2.iter().any(|key| key.expose().as_bytes() == it.expose()) {
            at.warn(
                "is the same as key, the APIv2 key; the two are set on their own on the merchant platform, and if this is \
                 not the APIv3 key no notification of API v3 can be read",
            );
        }
    }
}
