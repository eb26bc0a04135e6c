//! Who asks, by the Authorization of the question (`docs/reference/wechatpay-v3.md` section 3.1). Each cause of a refusal
//! has its own message.

use super::refusal::Refusal;
use crate::provider::wechat::v3::headers::WINDOW_SECONDS;
use crate::provider::wechat::v3::signer::SCHEME;
use crate::sandbox::keys::{Keyring, MerchantKeys};
use hyper::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};

/// A question as it was sent.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) method: &'q Method,
    /// Path and query, byte for byte.
    pub(super) target: &'q str,
    pub(super) headers: &'q HeaderMap,
    pub(super) body: &'q [u8],
}

/// What was used to sign, so that nobody uses it again.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    known: HashSet<String>,
    by_time: VecDeque<(Timestamp, String)>,
}

/// How many are remembered. A signature is refused for its age long before so many came.
const MOST_NONCES: usize = 100_000;

/// What an Authorization says, each item once.
struct Items<'q> {
    mchid: &'q str,
    nonce_str: &'q str,
    timestamp: &'q str,
    serial_no: &'q str,
    signature: &'q str,
}

/// Why nobody is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Malformed,
    Clock,
    Serial,
    Signature,
    Nonce,
}

/// The merchant that asks.
pub(super) fn authorised<'k>(
    question: &Question<'_>,
    keys: &'k Keyring,
    nonces: &mut Nonces,
    now: Timestamp,
) -> Result<&'k MerchantKeys, Refusal> {
    let items = Items::read(question.headers).ok_or_else(|| Cause::Malformed.refusal(Value::Null))?;
    let offset = seconds(items.timestamp).map(|at| at.abs_diff(now.as_second()));
    if offset.is_none_or(|offset| offset > WINDOW_SECONDS.unsigned_abs()) {
        return Err(Cause::Clock.refusal(json!(items.timestamp)));
    }
    let merchant = keys.merchant(items.mchid).filter(|merchant| merchant.serial.as_str() == items.serial_no);
    let merchant = merchant.ok_or_else(|| Cause::Serial.refusal(json!(items.serial_no)))?;
    let message = items.message(question);
    if !merchant.key.verifies(&message, items.signature.as_bytes()) {
        return Err(signature_refused(question, &message));
    }
    if !nonces.take(format!("{}/{}", items.mchid, items.nonce_str), now) {
        return Err(Cause::Nonce.refusal(json!(items.nonce_str)));
    }
    let says = |name| question.headers.get(name).is_some_and(|value| !value.is_empty());
    if !says(ACCEPT) || !says(USER_AGENT) {
        return Err(Refusal::INCOMPLETE);
    }
    Ok(merchant)
}

impl<'q> Items<'q> {
    /// Reads them: the scheme, one blank, five items in any order, in quotes, with a comma and no blank between them.
    fn read(headers: &'q HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let list = value.strip_prefix(SCHEME)?.strip_prefix(' ')?;
        let items: Vec<(&str, &str)> = list
            .split(',')
            .map(|item| {
                let (name, value) = item.split_once("=\"")?;
                Some((name, value.strip_suffix('"').filter(|value| !value.is_empty() && !value.contains('"'))?))
            })
            .collect::<Option<_>>()?;
        let item = |name| items.iter().find(|item| item.0 == name).map(|item| item.1);
        let read = Self {
            mchid: item("mchid")?,
            nonce_str: item("nonce_str")?,
            timestamp: item("timestamp")?,
            serial_no: item("serial_no")?,
            signature: item("signature")?,
        };
        let is_nonce = read.nonce_str.len() <= MOST_CHARACTERS;
        (items.len() == ITEMS && is_nonce && seconds(read.timestamp).is_some()).then_some(read)
    }

    fn message(&self, question: &Question<'_>) -> Vec<u8> {
        let Question { method, target, body, .. } = question;
        let head = format!("{method}\n{target}\n{}\n{}\n", self.timestamp, self.nonce_str);
        [head.as_bytes(), body, b"\n"].concat()
    }
}

/// So many items has an Authorization.
const ITEMS: usize = 5;

/// Of a `nonce_str`.
const MOST_CHARACTERS: usize = 32;

fn seconds(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Nonces {
    /// Whether this one is new; it is not any more.
    fn take(&mut self, nonce: String, now: Timestamp) -> bool {
        let is_old = |(at, _): &(Timestamp, String)| now.as_second() - at.as_second() > 2 * WINDOW_SECONDS;
        while self.by_time.front().is_some_and(is_old) || self.by_time.len() >= MOST_NONCES {
            if let Some((_, old)) = self.by_time.pop_front() {
                self.known.remove(&old);
            }
        }
        let is_new = self.known.insert(nonce.clone());
        if is_new {
            self.by_time.push_back((now, nonce));
        }
        is_new
    }
}

impl Cause {
    /// The texts are WeChat Pay's as far as they are known (section 5); that of a nonce is made up.
    const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
            Self::Clock => "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟",
            Self::Serial => "商户证书序列号有误。请使用签名私钥匹配的证书序列号",
            Self::Signature => "签名错误",
            Self::Nonce => "Http头Authorization中的nonce_str已使用过",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Malformed => "Authorization",
            Self::Clock => "timestamp",
            Self::Serial => "serial_no",
            Self::Signature => "signature",
            Self::Nonce => "nonce_str",
        }
    }

    fn refusal(self, value: Value) -> Refusal {
        let mut detail = json!({ "field": self.field(), "location": "authorization", "issue": self.message() });
        if let (Some(detail), false) = (detail.as_object_mut(), value.is_null()) {
            detail.insert("value".to_owned(), value);
        }
        Refusal::unauthorised(self.message(), detail)
    }
}

/// With what the sandbox has signed for comparison, as section 5 shows it.
fn signature_refused(question: &Question<'_>, message: &[u8]) -> Refusal {
    let text = String::from_utf8_lossy(message);
    let shown: String = text.chars().take(TRUNCATED).collect();
    let detail = json!({
        "detail": { "issue": "sign not match" },
        "field": Cause::Signature.field(),
        "location": "authorization",
        "sign_information": {
            "method": question.method.as_str(),
            "sign_message_length": message.len(),
            "truncated_sign_message": shown,
            "url": question.target,
        },
    });
    Refusal::unauthorised(Cause::Signature.message(), detail)
}

/// Characters of what was signed that a refusal shows.
const TRUNCATED: usize = 100;
