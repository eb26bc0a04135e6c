//! `resign` and `upstream_window`: what becomes of notifications whose signature ages.

use super::channels::{ReadChannel, resign_key};
use super::read::{Map, Section, Value};
use crate::gate::route::Route;
use crate::provider::Resign;
use crate::provider::wechat::v3::serial::PUBLIC_KEY_ID;
use crate::provider::wechat::v3::{Keys, PlatformCertificates, Resigner, Serial};
use std::sync::Arc;
use std::time::Duration;

pub(super) static RESIGN: Section = Section { name: "routes[].resign", keys: &["private_key", "serial"] };

/// How old a signature may be that the SDKs take that look at its time.
const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How notifications of a route are sent again.
#[derive(Debug, Default)]
pub(super) struct Again {
    pub(super) resign: Option<Arc<dyn Resign>>,
    pub(super) upstream_window: Option<Duration>,
}

/// Reads both keys of a route; `ages` if it takes notifications whose signature does.
pub(super) fn again(map: &Map<'_>, ages: bool) -> Again {
    let resign = map.optional("resign", resign);
    let upstream_window = map.or("upstream_window", Some(WINDOW), window);
    let (signed, windowed) = (map.get("resign"), map.get("upstream_window"));
    if !ages {
        for value in signed.iter().chain(&windowed) {
            let remedy = "remove it, or write preset: wechat or wechat-v3: no other callback's signature ages";
            value.problem("stands on a route that takes no notifications of API v3", remedy);
        }
        return Again::default();
    }
    if let (Some(_), Some(value)) = (signed, windowed) {
        value
            .warn("is not used: with resign the gate signs a notification afresh each time that it is sent; remove it");
    }
    Again { resign, upstream_window }
}

fn window(value: &Value<'_>) -> Option<Option<Duration>> {
    if value.written() == Some("none") { Some(None) } else { value.duration().map(Some) }
}

fn resign(value: &Value<'_>) -> Option<Arc<dyn Resign>> {
    let map = value.map(&RESIGN)?;
    let key =
        map.required("private_key", "private_key: ${file:resign_key.pem}, which tollgate resign-key makes", resign_key);
    let serial = map.required("serial", "serial: the one that tollgate resign-key prints", serial);
    Some(Arc::new(Resigner { serial: serial?, key: key? }))
}

fn serial(value: &Value<'_>) -> Option<Serial> {
    let remedy = "copy the one that tollgate resign-key printed: PUB_KEY_ID_ and digits, or the certificate's 40 hexadecimal digits";
    value.parse(
        |text| {
            if text.starts_with(PUBLIC_KEY_ID) { Serial::of_public_key(text) } else { Serial::of_certificate(text) }
        },
        remedy,
    )
}

/// Says where the gate would sign with an account's key, or under a name of WeChat Pay's.
pub(super) fn check(file: &Map<'_>, routes: &[Route], channels: &[ReadChannel]) {
    let items = file.get("routes").map(|routes| routes.peek_items()).unwrap_or_default();
    for route in routes {
        let named = |item: &&Value<'_>| item.peek("name").and_then(|name| name.written()) == Some(&*route.name);
        let Some((resign, at)) = route.resign.as_ref().zip(items.iter().find(named).and_then(|at| at.peek("resign")))
        else {
            continue;
        };
        for read in channels {
            let Some(keys) = read.account.credentials.v3() else { continue };
            report_shared(&at, &**resign, keys, read);
        }
    }
}

fn report_shared(at: &Value<'_>, resign: &dyn Resign, keys: &Keys, read: &ReadChannel) {
    const OWN: &str = "give the gate one of its own: tollgate resign-key makes it";
    let channel = read.channel.id;
    let is_merchants = keys.signer.as_ref().is_some_and(|signer| signer.key.modulus() == resign.public_key());
    if let (true, Some(at)) = (is_merchants, at.peek("private_key")) {
        at.problem(format!("is the merchant's own key, of channel {channel}"), OWN);
    }
    let files = match &keys.platform {
        PlatformCertificates::Files(files) => files.as_slice(),
        PlatformCertificates::Auto | PlatformCertificates::None => &[],
    };
    let theirs = keys.public_key.iter().map(|(serial, key)| (serial, key));
    for (serial, key) in theirs.chain(files.iter().map(|file| (&file.serial, &file.key))) {
        if let (true, Some(at)) = (key.der() == resign.public_key(), at.peek("private_key")) {
            at.problem(format!("is of the key that channel {channel} has as WeChat Pay's"), OWN);
        }
        if let (true, Some(at)) = (serial.as_str() == resign.serial(), at.peek("serial")) {
            at.problem(format!("is WeChat Pay's, by channel {channel}"), OWN);
        }
    }
}
