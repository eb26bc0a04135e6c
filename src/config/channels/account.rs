//! The account of a channel: who is paid, and in which languages WeChat Pay is asked and read.

use super::keys::{self, KEYS, V3};
use crate::config::read::{Map, Value};
use crate::domain::order::{AppId, MerchantId};
use crate::provider::wechat::sign::SignType;
use crate::provider::wechat::v2::Keys;
use crate::provider::wechat::{Api, ApiKey, BadApiKey, Credentials};

/// The API that an account is asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AskedBy {
    V2,
    V3,
}

const PROVIDERS: &[(&str, AskedBy)] = &[("wechat-v2", AskedBy::V2), ("wechat-v3", AskedBy::V3)];

/// Whom a channel's payments go to.
struct Ids {
    appid: AppId,
    other_appids: Vec<AppId>,
    mch_id: MerchantId,
    sub_mch_id: Option<MerchantId>,
    sub_appid: Option<AppId>,
}

/// The account, and the keys of API v3 as they stand in the file, if there are any.
pub(super) fn credentials<'v>(map: &Map<'v>) -> (Option<Credentials>, Option<V3<'v>>) {
    let asked_by = map.required("provider", "provider: wechat-v3, or wechat-v2", |v| v.choice(PROVIDERS));
    let ids = ids(map, asked_by);
    let v2 = v2_keys(map, asked_by);
    let asked_by_v3 = asked_by == Some(AskedBy::V3);
    let is_written = asked_by_v3 || KEYS.iter().any(|key| map.get(key).is_some());
    let v3 = is_written.then(|| keys::read(map));
    if let Some(v3) = &v3 {
        v3.report_what_is_missing(map, asked_by_v3);
    }
    let credentials = || {
        let ids = ids?;
        let v2 = v2.map(Api::V2);
        let v3 = v3.as_ref().and_then(V3::keys).map(Api::V3);
        let (api, also) = match asked_by? {
            AskedBy::V2 => (v2?, v3),
            AskedBy::V3 => (v3?, v2),
        };
        let Ids { appid, other_appids, mch_id, sub_mch_id, sub_appid } = ids;
        Some(Credentials { api, also, appid, other_appids, mch_id, sub_mch_id, sub_appid })
    };
    (credentials(), v3)
}

fn ids(map: &Map<'_>, asked_by: Option<AskedBy>) -> Option<Ids> {
    let appids = map
        .required("appid", "appid: wx and 16 hexadecimal digits, from the merchant platform", |v| appids(v, asked_by));
    let mch_id = map.required("mch_id", "mch_id: the merchant's number", merchant);
    let sub_mch_id = map.optional("sub_mch_id", |v| if v.is_empty_text() { None } else { merchant(v) });
    let sub_appid = map.optional("sub_appid", |v| {
        if v.is_empty_text() { None } else { v.parse(AppId::parse, "copy it from the merchant platform, or remove it") }
    });
    if let (Some(value), Some(_), None) = (map.get("sub_appid"), sub_appid, sub_mch_id) {
        value.problem("stands without a sub_mch_id", "add sub_mch_id, or remove sub_appid");
    }
    let (appid, other_appids) = appids?;
    Some(Ids { appid, other_appids, mch_id: mch_id?, sub_mch_id, sub_appid })
}

/// The application, and others of the same merchant.
fn appids(value: &Value<'_>, asked_by: Option<AskedBy>) -> Option<(AppId, Vec<AppId>)> {
    let items = value.one_or_list()?;
    if items.len() > 1 && asked_by == Some(AskedBy::V2) {
        value.problem(
            "has several appids, and API v2 asks by one",
            "write a channel for each of them, or provider: wechat-v3, which asks by mch_id alone",
        );
        return None;
    }
    let mut ids: Vec<AppId> = Vec::with_capacity(items.len());
    for item in &items {
        let id = item.parse(AppId::parse, "copy the appid from the merchant platform")?;
        if ids.contains(&id) {
            item.problem("names the same appid again", "remove it");
        }
        ids.push(id);
    }
    let mut ids = ids.into_iter();
    Some((ids.next()?, ids.collect()))
}

fn merchant(value: &Value<'_>) -> Option<MerchantId> {
    let id = value.parse(MerchantId::parse, "copy the number from the merchant platform")?;
    if id.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(id);
    }
    let remedy = if id.as_str().starts_with("wx") {
        "that is an appid: it goes to appid, and the merchant's number has digits only"
    } else {
        "copy the number from the merchant platform: it has digits only, as 1900000109"
    };
    value.problem("has letters", remedy);
    None
}

/// What an account does with API v2; of one that is asked by v3, if v2 notifications come for it.
fn v2_keys(map: &Map<'_>, asked_by: Option<AskedBy>) -> Option<Keys> {
    let keys = if asked_by == Some(AskedBy::V3) {
        map.optional("key", api_keys)
    } else {
        map.required("key", "key: ${NAME}, the 32 letters and digits of the APIv2 key", api_keys)
    };
    let sign_type = map.or("sign_type", SignType::default(), |v| {
        v.choice(&[("MD5", SignType::Md5), ("HMAC-SHA256", SignType::HmacSha256)])
    });
    if let (Some(value), None) = (map.get("sign_type"), map.get("key"))
        && asked_by == Some(AskedBy::V3)
    {
        value.problem("stands without key", "add key, the APIv2 key, or remove sign_type: API v3 has no such choice");
    }
    let (signing, also_verify) = keys?;
    Some(Keys { signing, also_verify, sign_type })
}

/// The key that signs, and those that still verify.
fn api_keys(value: &Value<'_>) -> Option<(ApiKey, Vec<ApiKey>)> {
    let mut keys = value.one_or_list()?.into_iter().map(|item| {
        let secret = item.secret()?;
        ApiKey::parse(secret).map_err(|error| item.problem(error.to_string(), key_remedy(error))).ok()
    });
    let signing = keys.next();
    let also_verify: Vec<_> = keys.collect();
    Some((signing??, also_verify.into_iter().flatten().collect()))
}

fn key_remedy(error: BadApiKey) -> &'static str {
    match error {
        BadApiKey::Shape => "copy the APIv2 key that was set on the merchant platform",
        BadApiKey::Sample => "everybody knows it: set a key of your own on the merchant platform",
    }
}
