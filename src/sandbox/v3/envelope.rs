//! A notification of API v3: an envelope with something sealed in it, signed anew for each delivery
//! (`docs/reference/wechatpay-v3.md` section 6), or forged.

use super::signed::{Signed, Spoilt};
use super::transaction;
use crate::domain::clock;
use crate::domain::order::AppId;
use crate::domain::secret::Secret;
use crate::provider::wechat::v3::aead::ApiV3Key;
use crate::provider::wechat::v3::rsa::PrivateKey;
use crate::sandbox::keys::{MerchantKeys, SigningKey};
use crate::sandbox::notification::Forgery;
use crate::sandbox::order::Order;
use crate::sandbox::seed::Seed;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) struct Event<'e> {
    /// `event_type`.
    pub(in crate::sandbox) name: &'e str,
    /// How much a refund is, in fen.
    pub(in crate::sandbox) refund: Option<u64>,
}

/// The document, and what is wrong with its signatures.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Envelope {
    body: String,
    /// Whose keys sign it.
    pub(in crate::sandbox) merchant: MerchantKeys,
    pub(in crate::sandbox) id: u64,
    forge: Forgery,
    seed: Seed,
}

/// A delivery of it: headers and body.
#[derive(Debug)]
pub(in crate::sandbox) struct Delivered {
    pub(in crate::sandbox) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::sandbox) body: String,
}

/// The document as it is written (section 6.2).
#[derive(Serialize)]
struct Document<'d> {
    id: String,
    create_time: String,
    resource_type: &'d str,
    event_type: &'d str,
    summary: &'d str,
    resource: Resource<'d>,
}

#[derive(Serialize)]
struct Resource<'d> {
    original_type: &'d str,
    algorithm: &'d str,
    ciphertext: String,
    associated_data: &'d str,
    nonce: String,
}

/// How a refund's `event_type` begins.
const REFUND: &str = "REFUND.";

/// What a forger seals beside, who does not know better.
const WRONG_ASSOCIATED_DATA: &str = "nothing";

/// What would be delivered about an order, as the notification of this number; `None` only by a fault of the cipher.
/// `appid` is the merchant's.
pub(in crate::sandbox) fn compose(
    (order, appid): (&Order, AppId),
    merchant: &MerchantKeys,
    event: Event<'_>,
    id: u64,
    forge: Forgery,
    seed: Seed,
) -> Option<Envelope> {
    let (original_type, summary, told) = match event.name.strip_prefix(REFUND) {
        Some(status) => {
            let fields = transaction::refund(order, status, event.refund.unwrap_or(order.total_fee));
            let summary = match status {
                "ABNORMAL" => "退款异常",
                "CLOSED" => "退款关闭",
                _ => "退款成功",
            };
            ("refund", summary, fields)
        }
        None => ("transaction", "支付成功", transaction::fields(order, appid)),
    };
    let nonce = seed.sealing_nonce(&["notification", &id.to_string()]);
    let wrong_key = ApiV3Key::parse(Secret::new(seed.wrong_key())).ok()?;
    let key = if forge == Forgery::WrongKey { &wrong_key } else { &merchant.api_v3_key };
    let beside = if forge == Forgery::WrongAad { WRONG_ASSOCIATED_DATA } else { original_type };
    let text = Value::Object(told).to_string();
    let document = Document {
        id: seed.notification_id(id),
        create_time: clock::rfc3339_beijing(Timestamp::from_second(clock::now().as_second()).ok()?),
        resource_type: "encrypt-resource",
        event_type: event.name,
        summary,
        resource: Resource {
            original_type,
            algorithm: "AEAD_AES_256_GCM",
            ciphertext: key.seal(&nonce, beside.as_bytes(), text.as_bytes())?,
            associated_data: original_type,
            nonce: String::from_utf8_lossy(&nonce).into_owned(),
        },
    };
    Some(Envelope { body: serde_json::to_string(&document).ok()?, merchant: merchant.clone(), id, forge, seed })
}

impl Envelope {
    /// The delivery of this round and copy, signed now. A probe is followed by the right one.
    pub(in crate::sandbox) fn delivered(
        &self,
        key: SigningKey,
        stranger: &PrivateKey,
        (round, copy): (usize, u32),
    ) -> Delivered {
        let spoilt = match self.forge {
            Forgery::Stranger => Spoilt::Stranger,
            Forgery::UnknownSerial => Spoilt::UnknownSerial,
            Forgery::Old => Spoilt::Old,
            Forgery::Unsigned => Spoilt::NoHeaders,
            Forgery::Probe if round == 1 => Spoilt::Probe,
            _ => Spoilt::Not,
        };
        let which = format!("{} {round} {copy}", self.id);
        let nonce = self.seed.signature_nonce(&["notification", &which]);
        let signed = Signed { key, nonce, at: clock::now().as_second() };
        let mut headers = signed.headers(self.body.as_bytes(), spoilt, stranger);
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        let request = HeaderValue::try_from(format!("{}-0", self.seed.request_id(self.id))).ok();
        headers.extend(request.map(|id| (HeaderName::from_static("request-id"), id)));
        let body = if self.forge == Forgery::Tampered { tampered(&self.body) } else { self.body.clone() };
        Delivered { headers, body }
    }
}

/// The document with another first character of what is sealed in it.
fn tampered(body: &str) -> String {
    const SEALED: &str = "\"ciphertext\":\"";
    let Some((head, sealed)) = body.split_once(SEALED) else { return body.to_owned() };
    let first = if sealed.starts_with('A') { 'B' } else { 'A' };
    format!("{head}{SEALED}{first}{}", sealed.get(1..).unwrap_or_default())
}
