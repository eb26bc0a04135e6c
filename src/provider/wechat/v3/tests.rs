//! What the tests of API v3 share: an account, and messages of a fixed time that Python's `cryptography` signed and
//! sealed (`tests/fixtures/wechatpay-v3/fixed/make.py`).

use super::{ApiV3Key, Keys, PlatformCertificate, PlatformCertificates, PrivateKey, PublicKey, Serial, Signer};
use crate::domain::order::{AppId, MerchantId};
use crate::domain::secret::Secret;
use crate::provider::wechat::{Api, Credentials};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::LazyLock;

pub(crate) static MESSAGES: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../tests/fixtures/wechatpay-v3/fixed/messages.json")).unwrap()
});

pub(crate) fn at() -> Timestamp {
    Timestamp::from_second(MESSAGES["at"].as_i64().unwrap()).unwrap()
}

/// What is in an armour.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    BASE64_STANDARD.decode(lines.collect::<String>()).unwrap()
}

pub(crate) fn private(pem: &str) -> PrivateKey {
    PrivateKey::from_der(&der(pem)).unwrap()
}

/// WeChat Pay's, to sign in its place where it does not matter who does.
pub(crate) fn wechat_key() -> PrivateKey {
    private(include_str!("../../../../tests/fixtures/wechatpay-v3/fixed/wechat.pem"))
}

pub(crate) fn platform_key() -> PrivateKey {
    private(include_str!("../../../../tests/fixtures/wechatpay-v3/fixed/platform.pem"))
}

pub(crate) fn api_v3_keys() -> Vec<ApiV3Key> {
    let keys = MESSAGES["api_v3_key"].as_array().unwrap().iter();
    keys.map(|key| ApiV3Key::parse(Secret::new(key.as_str().unwrap().to_owned())).unwrap()).collect()
}

pub(crate) fn platform() -> Vec<PlatformCertificate> {
    let certificates = MESSAGES["platform"].as_array().unwrap().iter();
    certificates.map(|pem| PlatformCertificate::from_der(&der(pem.as_str().unwrap())).unwrap()).collect()
}

pub(crate) fn public_key() -> (Serial, PublicKey) {
    let id = Serial::of_public_key(MESSAGES["public_key_id"].as_str().unwrap()).unwrap();
    (id, PublicKey::from_der(&der(MESSAGES["public_key"].as_str().unwrap())).unwrap())
}

pub(crate) fn keys() -> Keys {
    let key = private(include_str!("../../../../tests/fixtures/wechatpay-v3/fixed/merchant.pem"));
    let serial = Serial::of_certificate("1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C").unwrap();
    Keys {
        signer: Some(Signer { serial, key, ends_at: None }),
        api_v3: api_v3_keys(),
        public_key: Some(public_key()),
        platform: PlatformCertificates::None,
    }
}

pub(crate) fn account_with(keys: Keys) -> Credentials {
    Credentials {
        api: Api::V3(keys),
        also: None,
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        other_appids: vec![AppId::parse("wx1111111111111111").unwrap()],
        mch_id: MerchantId::parse("1900009191").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

pub(crate) fn account() -> Credentials {
    account_with(keys())
}
