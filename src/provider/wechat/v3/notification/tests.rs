//! Notifications that Python's `cryptography` signed and sealed: `tests/fixtures/wechatpay-v3/notifications/make.py`
//! says what each is.

use super::*;
use crate::domain::order::{AppId, MerchantId};
use crate::domain::secret::Secret;
use crate::provider::wechat::v3::{ApiV3Key, PlatformCertificate, PlatformCertificates};
use crate::provider::wechat::{Api, ApiKey, v2};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::LazyLock;

static FIXTURES: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../../tests/fixtures/wechatpay-v3/notifications/cases.json");
    serde_json::from_str(text).unwrap()
});

fn public_key(name: &str) -> PublicKey {
    PublicKey::from_der(&BASE64_STANDARD.decode(FIXTURES[name].as_str().unwrap()).unwrap()).unwrap()
}

fn api_v3_keys() -> Vec<ApiV3Key> {
    let keys = FIXTURES["api_v3_keys"].as_array().unwrap();
    keys.iter().map(|key| ApiV3Key::parse(Secret::new(key.as_str().unwrap().to_owned())).unwrap()).collect()
}

fn at() -> Timestamp {
    Timestamp::from_second(FIXTURES["at"].as_i64().unwrap()).unwrap()
}

fn v3_keys() -> Keys {
    let certificate = PlatformCertificate {
        serial: Serial::of_certificate(FIXTURES["serial"].as_str().unwrap()).unwrap(),
        key: public_key("certificate_key"),
        not_before: at(),
        not_after: at(),
    };
    let id = Serial::of_public_key(FIXTURES["public_key_id"].as_str().unwrap()).unwrap();
    Keys {
        signer: None,
        api_v3: api_v3_keys(),
        public_key: Some((id, public_key("public_key"))),
        platform: PlatformCertificates::Files(vec![certificate]),
    }
}

fn account(named: &str) -> Credentials {
    let keys = match named {
        "no-api-v3-key" => Keys { api_v3: Vec::new(), ..v3_keys() },
        "no-verifying-key" => Keys { public_key: None, platform: PlatformCertificates::None, ..v3_keys() },
        _ => v3_keys(),
    };
    let v2 = || {
        let key = ApiKey::parse(Secret::new("a".repeat(32))).unwrap();
        v2::Keys { signing: key, also_verify: Vec::new(), sign_type: Default::default() }
    };
    let is_partner = named.starts_with("partner");
    Credentials {
        api: if named == "v2" { Api::V2(v2()) } else { Api::V3(keys) },
        also: None,
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        other_appids: vec![AppId::parse("wx7788aa99bb001122").unwrap()],
        mch_id: MerchantId::parse("1900009191").unwrap(),
        sub_mch_id: is_partner.then(|| MerchantId::parse("1900009200").unwrap()),
        sub_appid: (named == "partner-app").then(|| AppId::parse("wx0000000000000001").unwrap()),
    }
}

/// A notification as it arrives.
#[derive(Clone)]
struct Message {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Message {
    fn of(case: &Value) -> Self {
        let pairs = case["headers"].as_object().unwrap().iter().map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.as_str().unwrap()).unwrap())
        });
        Self { headers: pairs.collect(), body: case["body"].as_str().unwrap().into() }
    }

    fn named(name: &str) -> Self {
        Self::of(FIXTURES["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap())
    }

    fn open(&self, account: &Credentials) -> Result<Opened, Unopened> {
        let key = |serial: &str| account.v3().and_then(|keys| keys.configured(serial)).cloned();
        open(account, key, &self.headers, &self.body, at())
    }
}

#[test]
fn each_notification_opens_or_is_refused_for_its_reason() {
    let cases = FIXTURES["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let name = &case["name"];
        let opened = Message::of(case).open(&account(case["account"].as_str().unwrap()));
        match (&case["outcome"], opened) {
            (Value::String(reason), Err(unopened)) => {
                assert_eq!(unopened.reason.code(), reason, "{name}: {unopened:?}")
            }
            (Value::Object(opens), Ok(Opened { event, claim: Told::Sealed(claim) })) => {
                let total = opens["total"].as_u64().unwrap();
                let currency = opens["currency"].as_str().map(|currency| Currency::parse(currency).unwrap());
                assert_eq!((claim.amount, claim.currency), (Fen(total), currency), "{name}");
                assert_eq!(claim.out_trade_no.as_str(), "ORDER20240101000001", "{name}");
                assert_eq!(claim.transaction_id.as_str(), "4200000000202401010000000001", "{name}");
                assert_eq!(matches!(event, Event::Refund(_)), opens["opens"] == "refund", "{name}");
            }
            (wanted, got) => panic!("{name}: {got:?} instead of {wanted}"),
        }
    }
}

#[test]
fn a_refund_is_told_from_others_by_its_numbers_and_state() {
    let Opened { event: Event::Refund(refund), .. } =
        Message::named("a refund, ABNORMAL").open(&account("direct")).unwrap()
    else {
        panic!()
    };
    let Refund { id, merchant_number, status } = refund;
    assert_eq!((&*id, &*merchant_number, &*status), ("50000000382019052709732678859", "BACK-1", "ABNORMAL"));
}

#[test]
fn no_key_is_looked_for_before_the_headers_hold_and_only_the_one_that_is_named() {
    let account = account("direct");
    let right = Message::named("a payment");
    let mut asked = Vec::new();
    let key = |serial: &str| {
        asked.push(serial.to_owned());
        None
    };
    let unopened = open(&account, key, &right.headers, &right.body, at()).unwrap_err();
    assert_eq!(unopened.reason, Reason::NotificationSerialUnknown);
    assert_eq!(asked, [FIXTURES["public_key_id"].as_str().unwrap()]);
    for case in ["a probe", "300 seconds old", "without Serial", "SM2"] {
        let message = Message::named(case);
        let never = |_: &str| panic!("{case}");
        assert!(open(&account, never, &message.headers, &message.body, at()).is_err());
    }
}

/// Threat: whoever is between WeChat Pay and the gate, or has seen a notification, changes a part of it.
#[test]
fn any_change_of_one_byte_in_a_header_or_the_body_is_refused() {
    let account = account("direct");
    let right = Message::named("a payment");
    assert!(right.open(&account).is_ok());
    let refused = |message: &Message, what: &str| assert!(message.open(&account).is_err(), "{what}");
    for (name, value) in &right.headers {
        for (index, byte) in value.as_bytes().iter().enumerate() {
            for other in [byte ^ 0x01, byte ^ 0x02, byte ^ 0x20, b'A', b'a', b'0', b'=', b' ', b'/', 0xe4] {
                let mut bytes = value.as_bytes().to_vec();
                bytes[index] = other;
                let Ok(changed) = HeaderValue::from_bytes(&bytes) else { continue };
                if changed == value {
                    continue;
                }
                let mut message = right.clone();
                message.headers.insert(name.clone(), changed);
                refused(&message, &format!("{name} at {index}: {other}"));
            }
        }
        let lengths =
            [&value.as_bytes()[1..], &value.as_bytes()[..value.len() - 1], &[value.as_bytes(), b"0"].concat()];
        for bytes in lengths {
            let mut message = right.clone();
            message.headers.insert(name.clone(), HeaderValue::from_bytes(bytes).unwrap());
            refused(&message, &format!("{name} of another length"));
        }
        let mut twice = right.clone();
        twice.headers.append(name.clone(), value.clone());
        refused(&twice, &format!("{name} twice"));
    }
    for index in 0..right.body.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut message = right.clone();
            message.body[index] ^= flip;
            refused(&message, &format!("the body at {index}"));
        }
        let mut shorter = right.clone();
        shorter.body.remove(index);
        refused(&shorter, &format!("the body without {index}"));
        let mut longer = right.clone();
        longer.body.insert(index, b' ');
        refused(&longer, &format!("a blank in the body at {index}"));
    }
    let mut ended = right.clone();
    ended.body.push(b'\n');
    refused(&ended, "a line end behind the body");
}

/// The seal by itself holds too: somebody whose key signs cannot change what the account's key sealed.
#[test]
fn any_change_of_what_is_sealed_is_refused_whoever_signed_it() {
    let account = account("direct");
    let body = Message::named("a payment").body;
    assert!(unseal(&account, &body).is_ok());
    let right: Value = serde_json::from_slice(&body).unwrap();
    for field in ["ciphertext", "nonce", "associated_data", "algorithm"] {
        let text = right["resource"][field].as_str().unwrap();
        for index in 0..text.len() {
            for flip in [0x01, 0x02, 0x20] {
                let mut bytes = text.as_bytes().to_vec();
                bytes[index] ^= flip;
                let mut changed = right.clone();
                changed["resource"][field] = String::from_utf8(bytes).unwrap().into();
                let unopened = unseal(&account, changed.to_string().as_bytes()).unwrap_err();
                assert_eq!(unopened.reason, Reason::NotificationUndecipherable, "{field} at {index}");
            }
        }
    }
}

#[test]
fn no_reason_repeats_what_the_sender_wrote() {
    for case in FIXTURES["cases"].as_array().unwrap() {
        let Err(unopened) = Message::of(case).open(&account(case["account"].as_str().unwrap())) else { continue };
        let detail = unopened.detail.unwrap_or_default();
        for secret in ["ORDER", "19000", "wx", "4200", "PUB_KEY_ID_", "c2ln", "COUPON"] {
            assert!(!detail.contains(secret), "{detail}");
        }
    }
}
