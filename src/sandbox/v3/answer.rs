//! An answer on its way out: its JSON, what signs it, and what is wrong with it on purpose
//! (`docs/reference/wechatpay-v3.md` section 4).

use super::refusal::Refusal;
use super::signed::{Signed, Spoilt};
use crate::provider::wechat::v3::rsa::PrivateKey;
use crate::sandbox::fault::FaultKind;
use crate::sandbox::keys::SigningKey;
use crate::sandbox::seed::Seed;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What the answer says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null is no body.
    pub(super) body: Value,
    /// Behind the hyphen of `Request-ID`.
    pub(super) number: u32,
    /// Nothing for those who did not say rightly who they are.
    pub(super) signed_with: Option<SigningKey>,
}

/// What goes over the wire.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

/// With every answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

impl From<&Refusal> for Answer {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body(), number: refusal.number, signed_with: None }
    }
}

impl Answer {
    /// Signs and writes it, as the answer of this number; `stranger` is nobody's key.
    pub(super) fn written(
        self,
        fault: Option<FaultKind>,
        stranger: &PrivateKey,
        (seed, number): (Seed, u64),
        now: Timestamp,
    ) -> Written {
        let mut body = self.body;
        if let (Some(FaultKind::ExtraField), Some(fields)) = (fault, body.as_object_mut()) {
            fields.insert("future_field".to_owned(), "x".into());
        }
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let text = match fault {
            Some(FaultKind::HalfXml) => text.chars().take(text.chars().count() / 2).collect(),
            _ => text,
        };
        let mut headers = HeaderMap::new();
        let id = format!("{}-{}", seed.request_id(number), self.number);
        headers.extend(HeaderValue::try_from(id).ok().map(|id| (REQUEST_ID, id)));
        if !text.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        }
        if let Some(key) = self.signed_with {
            let nonce = seed.signature_nonce(&["answer", &number.to_string()]);
            let signed = Signed { key, nonce, at: now.as_second() };
            headers.extend(signed.headers(text.as_bytes(), spoilt(fault), stranger));
        }
        let body = match fault {
            Some(FaultKind::Tampered) => tampered(body).to_string(),
            Some(FaultKind::Reserialised) => serde_json::to_string_pretty(&body).unwrap_or_default(),
            _ => text,
        };
        Written { status: StatusCode::from_u16(self.status).unwrap_or_default(), headers, body }
    }
}

const fn spoilt(fault: Option<FaultKind>) -> Spoilt {
    match fault {
        Some(FaultKind::Unsigned) => Spoilt::Unsigned,
        Some(FaultKind::NoHeaders | FaultKind::SystemErrorUnsigned) => Spoilt::NoHeaders,
        Some(FaultKind::BadlySigned) => Spoilt::Stranger,
        Some(FaultKind::UnknownSerial) => Spoilt::UnknownSerial,
        Some(FaultKind::Probe) => Spoilt::Probe,
        Some(FaultKind::Skewed) => Spoilt::Old,
        _ => Spoilt::Not,
    }
}

/// What a forger would make of it: an unpaid order becomes paid, a paid one costs a fen more.
fn tampered(mut body: Value) -> Value {
    let Some(fields) = body.as_object_mut() else { return body };
    if fields.get("trade_state").is_some_and(|state| state == "SUCCESS") {
        let amount = fields.get_mut("amount").and_then(Value::as_object_mut);
        if let Some(total) = amount.and_then(|amount| amount.get_mut("total")) {
            *total = total.as_u64().unwrap_or_default().saturating_add(1).into();
        }
    } else {
        other(fields);
    }
    body
}

fn other(fields: &mut Map<String, Value>) {
    let (name, value) = match fields.contains_key("hash_value") {
        true => ("hash_value", "0000000000000000000000000000000000000000"),
        false => ("trade_state", "SUCCESS"),
    };
    fields.insert(name.to_owned(), value.into());
}
