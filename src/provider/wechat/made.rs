//! Notifications that are made in WeChat Pay's stead, of the answer that proves the payment. The answer may be in the
//! other language than the notification.

use super::translate;
use super::v2;
use super::v3::aead::NONCE_BYTES;
use super::v3::{self, json};
use super::{Api, Credentials};
use crate::domain::clock;
use crate::net::xml::Fields;
use crate::provider::{CannotNotify, Evidence, Notification, Payment, ToNotify};
use aws_lc_rs::rand;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The notification that WeChat Pay would have sent. One of API v3 is sealed, and not signed yet.
///
/// # Errors
/// If the account lacks the key, or the evidence is no answer.
pub(super) fn notify(account: &Credentials, wanted: &ToNotify<'_>) -> Result<Notification, CannotNotify> {
    let (content_type, body) = if *wanted.preset == v3::preset::PRESET {
        ("application/json", in_v3(account, wanted)?)
    } else {
        ("text/xml", in_v2(account, &wanted.evidence.0)?.into())
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Ok(Notification { headers, body })
}

/// Made-up evidence, as an account would get it that is asked in its own language.
pub(super) fn sample_evidence(account: &Credentials, payment: &Payment) -> Evidence {
    Evidence(match account.api {
        Api::V2(_) => v2::write_answer(account, payment).into(),
        Api::V3(_) => sample_transaction(account, payment).to_string().into(),
    })
}

fn in_v2(account: &Credentials, evidence: &[u8]) -> Result<String, CannotNotify> {
    let mut nonce = Uuid::encode_buffer();
    let nonce = Uuid::now_v7().simple().encode_lower(&mut nonce);
    let keys = account.v2().ok_or(CannotNotify::NoKey("key"))?;
    if !is_json(evidence) {
        return v2::write_notification(keys, evidence, nonce).map_err(no_answer);
    }
    let transaction = json::object(evidence).map_err(no_answer)?;
    let fields = translate::to_v2(&transaction).map_err(no_answer)?;
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    Ok(v2::sign_notification(keys, &fields, nonce))
}

/// An envelope (`docs/reference/wechatpay-v3.md` section 6.2).
fn in_v3(account: &Credentials, wanted: &ToNotify<'_>) -> Result<Bytes, CannotNotify> {
    let keys = account.v3().ok_or(CannotNotify::NoKey("api_v3_key"))?;
    let key = keys.api_v3.first().ok_or(CannotNotify::NoKey("api_v3_key"))?;
    let transaction = transaction(wanted)?;
    let nonce = nonce()?;
    let ciphertext = key.seal(&nonce, ASSOCIATED_DATA.as_bytes(), &transaction).ok_or(CannotNotify::Sign)?;
    let envelope = json!({
        "id": wanted.id.hyphenated().to_string(),
        "create_time": clock::rfc3339_beijing(wanted.at.round(jiff::Unit::Second).unwrap_or(wanted.at)),
        "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS",
        "summary": "支付成功",
        "resource": {
            "original_type": ASSOCIATED_DATA,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": ciphertext,
            "associated_data": ASSOCIATED_DATA,
            "nonce": String::from_utf8_lossy(&nonce),
        },
    });
    Ok(envelope.to_string().into())
}

const ASSOCIATED_DATA: &str = "transaction";

/// What is sealed: WeChat Pay's answer as it is, but that a notification says that the order was paid, also where money
/// went back since.
fn transaction(wanted: &ToNotify<'_>) -> Result<Bytes, CannotNotify> {
    let evidence = &wanted.evidence.0;
    if !is_json(evidence) {
        let answer = Fields::read(evidence).map_err(no_answer)?;
        return Ok(Value::Object(translate::to_v3(&answer)).to_string().into());
    }
    json::object(evidence).map_err(no_answer)?;
    if !wanted.payment.refunded {
        return Ok(evidence.clone());
    }
    let mut transaction: Map<String, Value> = serde_json::from_slice(evidence).map_err(no_answer)?;
    translate::mark_as_paid(&mut transaction);
    Ok(Value::Object(transaction).to_string().into())
}

fn is_json(evidence: &[u8]) -> bool {
    evidence.trim_ascii_start().first() == Some(&b'{')
}

/// Twelve letters and digits, for they are written as they are.
fn nonce() -> Result<[u8; NONCE_BYTES], CannotNotify> {
    const LETTERS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    let mut nonce = [0; NONCE_BYTES];
    rand::fill(&mut nonce).map_err(|_| CannotNotify::Sign)?;
    Ok(nonce.map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()).copied().unwrap_or(b'0')))
}

fn no_answer(error: impl std::fmt::Display) -> CannotNotify {
    CannotNotify::Evidence(format!("WeChat Pay's answer {error}").into())
}

/// What an order query of this payment would answer.
fn sample_transaction(account: &Credentials, payment: &Payment) -> Value {
    let (state, words) = if payment.refunded { ("REFUND", "转入退款") } else { ("SUCCESS", "支付成功") };
    let (fen, currency) = (payment.amount.fen.0, payment.amount.currency.as_str());
    let mut sample = json!({
        "amount": {"currency": currency, "payer_currency": currency, "payer_total": fen, "total": fen},
        "attach": "channel=7&shop=<A>",
        "bank_type": "OTHERS",
        "out_trade_no": payment.out_trade_no.as_str(),
        "promotion_detail": [],
        "trade_state": state,
        "trade_state_desc": words,
        "trade_type": "APP",
        "transaction_id": payment.transaction_id.as_str(),
    });
    let mut say =
        |key: &str, value: Value| drop(sample.as_object_mut().map(|sample| sample.insert(key.to_owned(), value)));
    if let Some(at) = payment.paid_at {
        say("success_time", clock::rfc3339_beijing(at).into());
    }
    let openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
    match account.sub_mch_id {
        None => {
            say("appid", account.appid.as_str().into());
            say("mchid", account.mch_id.as_str().into());
            say("payer", json!({ "openid": openid }));
        }
        Some(sub_mch_id) => {
            say("sp_appid", account.appid.as_str().into());
            say("sp_mchid", account.mch_id.as_str().into());
            say("sub_mchid", sub_mch_id.as_str().into());
            say("payer", json!({ "sp_openid": openid }));
            if let Some(sub_appid) = account.sub_appid {
                say("sub_appid", sub_appid.as_str().into());
            }
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::{Currency, Fen, Money};
    use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
    use crate::domain::secret::Secret;
    use crate::provider::payment::Written;
    use crate::provider::wechat::ApiKey;
    use crate::provider::wechat::sign::SignType;
    use crate::provider::{Event, Opened, Preset, Told};

    fn keys_of_v2() -> Api {
        let key = ApiKey::parse(Secret::new("0123456789abcdefghijklmnopqrstuv".to_owned())).unwrap();
        Api::V2(v2::Keys::from_list([key], SignType::Md5).unwrap())
    }

    fn keys_of_v3() -> Api {
        let key = v3::ApiV3Key::parse(Secret::new("0123456789abcdef0123456789ABCDEF".to_owned())).unwrap();
        let platform = v3::PlatformCertificates::None;
        Api::V3(v3::Keys { signer: None, api_v3: vec![key], public_key: None, platform })
    }

    fn account(api: Api, also: Option<Api>, sub_mch_id: Option<&str>) -> Credentials {
        Credentials {
            api,
            also,
            other_appids: Vec::new(),
            appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
            mch_id: MerchantId::parse("1900009191").unwrap(),
            sub_mch_id: sub_mch_id.map(|id| MerchantId::parse(id).unwrap()),
            sub_appid: None,
        }
    }

    fn payment(refunded: bool) -> Payment {
        Payment {
            transaction_id: TransactionId::parse("4200000000202401010000000001").unwrap(),
            out_trade_no: OutTradeNo::parse("ORDER20240101000001").unwrap(),
            amount: Money { fen: Fen(100), currency: Currency::default() },
            paid_at: clock::from_time_end("20240101123456"),
            refunded,
            attach: None,
            written: Written::default(),
        }
    }

    fn made(account: &Credentials, preset: &'static Preset, payment: &Payment) -> Result<Bytes, CannotNotify> {
        let evidence = sample_evidence(account, payment);
        let at = "2024-01-01T04:34:57.9Z".parse().unwrap();
        let wanted = ToNotify { preset, payment, evidence: &evidence, id: Uuid::nil(), at };
        notify(account, &wanted).map(|notification| notification.body)
    }

    fn opened(account: &Credentials, preset: &'static Preset, body: &[u8]) -> Opened {
        if *preset == v3::preset::PRESET {
            return v3::notification::unseal(account, body).unwrap();
        }
        let fields = Fields::read(body).unwrap();
        v2::notification::open_payment(account, Some(&fields)).unwrap()
    }

    const BOTH: [&Preset; 2] = [&v2::preset::PRESET, &v3::preset::PRESET];

    #[test]
    fn whichever_api_is_asked_a_notification_of_either_can_be_made_and_opens() {
        for (api, also) in [(keys_of_v2(), keys_of_v3()), (keys_of_v3(), keys_of_v2())] {
            for (sub_mch_id, refunded) in [(None, false), (None, true), (Some("1900000109"), false)] {
                let account = account(api.clone(), Some(also.clone()), sub_mch_id);
                for preset in BOTH {
                    let body = made(&account, preset, &payment(refunded)).unwrap();
                    let Opened { event, claim } = opened(&account, preset, &body);
                    assert_eq!(event, Event::Payment);
                    match claim {
                        Told::Sealed(claim) => {
                            assert_eq!(claim.out_trade_no, payment(false).out_trade_no);
                            assert_eq!(claim.transaction_id, payment(false).transaction_id);
                            assert_eq!((claim.amount, claim.currency), (Fen(100), Some(Currency::default())));
                        }
                        Told::InTheClear { .. } => {
                            let fields = Fields::read(&body).unwrap();
                            assert_eq!(fields.get("out_trade_no"), Some("ORDER20240101000001"));
                            assert_eq!(fields.get("total_fee"), Some("100"));
                            assert_eq!(fields.get("time_end"), Some("20240101123456"));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_envelope_is_what_wechat_pay_sends_and_seals_its_answer_as_it_is() {
        let account = account(keys_of_v3(), None, None);
        let body = made(&account, &v3::preset::PRESET, &payment(false)).unwrap();
        let envelope: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(envelope["id"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(envelope["create_time"], "2024-01-01T12:34:58+08:00");
        assert_eq!(envelope["event_type"], "TRANSACTION.SUCCESS");
        let text = |key: &str| envelope["resource"][key].as_str().unwrap().to_owned();
        assert_eq!(text("nonce").len(), NONCE_BYTES);
        let key = &account.v3().unwrap().api_v3[0];
        let sealed = key.open(text("nonce").as_bytes(), b"transaction", &text("ciphertext")).unwrap();
        assert_eq!(sealed, sample_evidence(&account, &payment(false)).0);
        let other = made(&account, &v3::preset::PRESET, &payment(false)).unwrap();
        let other: Value = serde_json::from_slice(&other).unwrap();
        assert_ne!(other["resource"]["nonce"], envelope["resource"]["nonce"]);
    }

    #[test]
    fn without_its_key_no_notification_is_made() {
        let cannot = |api, preset| made(&account(api, None, None), preset, &payment(false)).unwrap_err();
        assert_eq!(cannot(keys_of_v2(), &v3::preset::PRESET), CannotNotify::NoKey("api_v3_key"));
        assert_eq!(cannot(keys_of_v3(), &v2::preset::PRESET), CannotNotify::NoKey("key"));
    }
}
