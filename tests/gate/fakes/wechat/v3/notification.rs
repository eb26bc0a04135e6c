//! Notifications of API v3 in the making (`docs/reference/wechatpay-v3.md` section 6).

use super::super::{OPENID, transaction_id};
use super::account::Account;
use super::stamp::{Headers, Stamp};
use crate::wechatpay_v3::seal;
use crate::wire::Request;
use serde_json::{Value, json};

/// A notification, as WeChat Pay would send it but for what a scenario changes.
#[derive(Debug, Clone)]
pub struct Notice {
    account: Account,
    /// What is sealed.
    pub plain: Value,
    /// Instead of it, text as it stands.
    text: Option<String>,
    /// Without `resource.ciphertext`.
    pub envelope: Value,
    api_v3_key: String,
}

impl Notice {
    /// The order was paid.
    pub fn paid(account: &Account, out_trade_no: &str, total: u64) -> Self {
        Self::of(account, "TRANSACTION.SUCCESS", "transaction", paid(account, out_trade_no, total))
    }

    /// So much of it was given back; `event` is the end of the event's name.
    pub fn refund(account: &Account, out_trade_no: &str, total: u64, refund: u64, event: &str) -> Self {
        let mut plain = account.names();
        if let Some(plain) = plain.as_object_mut() {
            plain.retain(|name, _| name.ends_with("mchid"));
        }
        merge(
            &mut plain,
            json!({
                "out_trade_no": out_trade_no, "transaction_id": transaction_id(&account.merchant, out_trade_no),
                "out_refund_no": format!("R-{out_trade_no}"), "refund_id": "50300000382019052709732678859",
                "refund_status": event, "success_time": "2026-11-23T10:11:12+08:00",
                "user_received_account": "支付用户零钱",
                "amount": { "total": total, "refund": refund, "payer_total": total, "payer_refund": refund },
            }),
        );
        Self::of(account, &format!("REFUND.{event}"), "refund", plain)
    }

    fn of(account: &Account, event: &str, original_type: &str, plain: Value) -> Self {
        let envelope = json!({
            "id": format!("2f5c1a0e-7f5b-5d0c-9b1e-{:012x}", fastrand::u64(..1 << 48)),
            "create_time": "2026-11-22T10:11:13+08:00", "resource_type": "encrypt-resource",
            "event_type": event, "summary": "支付成功",
            "resource": {
                "original_type": original_type, "algorithm": "AEAD_AES_256_GCM", "associated_data": original_type,
                "nonce": (0..12).map(|_| fastrand::alphanumeric()).collect::<String>(),
            },
        });
        Self { account: *account, plain, text: None, envelope, api_v3_key: account.api_v3_key.to_owned() }
    }

    /// Another value in what is sealed, by JSON pointer; null removes it.
    pub fn saying(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        put(&mut self.plain, pointer, value.into());
        self
    }

    /// This text is sealed instead.
    pub fn sealing(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Another value in the envelope, by JSON pointer; null removes it.
    pub fn enveloped(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        put(&mut self.envelope, pointer, value.into());
        self
    }

    /// Sealed with another key.
    pub fn sealed_with(mut self, api_v3_key: &str) -> Self {
        api_v3_key.clone_into(&mut self.api_v3_key);
        self
    }

    /// Sealed as the envelope says: an `associated_data` that is absent or no text is empty.
    pub fn body(&self) -> Vec<u8> {
        let mut envelope = self.envelope.clone();
        let text = self.text.clone().unwrap_or_else(|| self.plain.to_string());
        let named = |name: &str| envelope["resource"][name].as_str().unwrap_or_default().to_owned();
        // What no AES-GCM takes is sealed with another nonce: the refusal comes before.
        let nonce = Some(named("nonce")).filter(|nonce| nonce.len() == 12).unwrap_or_else(|| "fdasflkja484".to_owned());
        let sealed = seal(text.as_bytes(), &nonce, &named("associated_data"), &self.api_v3_key);
        let resource = envelope.get_mut("resource").and_then(Value::as_object_mut);
        if let Some(resource) = resource {
            resource.entry("ciphertext").or_insert(json!(sealed));
        }
        envelope.to_string().into_bytes()
    }

    /// What signs it by right.
    pub fn stamp(&self) -> Stamp {
        Stamp::by(self.account.signed_by())
    }

    /// The request, signed now.
    pub fn to(&self, path: &str) -> Request {
        self.stamped(path, &self.stamp())
    }

    /// The request, signed so.
    pub fn stamped(&self, path: &str, stamp: &Stamp) -> Request {
        let body = self.body();
        with_headers(path, &body, &stamp.headers(&body))
    }
}

/// A request with these bytes and these headers.
pub fn with_headers(path: &str, body: &[u8], headers: &Headers) -> Request {
    let request = Request::post(path).json(body).header("User-Agent", "Mozilla/4.0").header("Accept", "*/*");
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// What a query answers, and a notification seals, of a paid order.
pub(super) fn paid(account: &Account, out_trade_no: &str, total: u64) -> Value {
    let mut plain = account.names();
    let payer = match account.sub {
        None => json!({ "openid": OPENID }),
        Some(_) => json!({ "sp_openid": OPENID, "sub_openid": "oSub6o" }),
    };
    merge(
        &mut plain,
        json!({
            "out_trade_no": out_trade_no, "transaction_id": transaction_id(&account.merchant, out_trade_no),
            "trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
            "attach": "a=1&b=<2>", "success_time": "2026-11-22T10:11:12+08:00", "payer": payer,
            "amount": { "total": total, "payer_total": total, "currency": "CNY", "payer_currency": "CNY" },
            "promotion_detail": [], "zzz_new_field": { "x": [1, "值"] },
        }),
    );
    plain
}

/// Adds the members of one object to another.
pub(super) fn merge(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

/// Puts a value where a JSON pointer says; null removes what is there.
pub(super) fn put(object: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_else(|| panic!("no JSON pointer: {pointer}"));
    let parent = object.pointer_mut(parent).and_then(Value::as_object_mut);
    let parent = parent.unwrap_or_else(|| panic!("nothing at {pointer}"));
    if value.is_null() {
        parent.remove(name);
    } else {
        parent.insert(name.to_owned(), value);
    }
}
