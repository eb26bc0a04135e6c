//! How answers of API v3 go wrong.

use super::super::Fault;
use super::account::{Account, Key, STRANGER};
use super::notification::put;
use super::stamp::{Headers, PROBE, Stamp, now, set_header};
use serde_json::{Value, json};

/// What only API v3 has; other words of [`Fault`] mean in both languages what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// An error with this status and code.
    Coded(u16, &'static str),
    /// The same, signed.
    CodedAndSigned(u16, &'static str),
    /// The same with signature headers that do not fit.
    CodedAndBadlySigned(u16, &'static str),
    /// The right answer, signed, under another status.
    Status(u16),
    /// Signed, under another status, and without a body.
    EmptyWithStatus(u16),
    /// Without this header.
    Lacks(&'static str),
    /// This header has another value.
    Says(&'static str, &'static str),
    /// This header stands twice.
    Twice(&'static str),
    /// Signed by a key that nobody knows, under a serial that nobody knows.
    UnknownSerial,
    /// The right serial in small letters.
    LowerSerial,
    /// Signed with the merchant's own key, under its serial.
    MerchantKey,
    /// Signed so many seconds from now.
    Offset(i64),
    /// Another time stands in the header than was signed.
    OtherTime,
    /// WeChat Pay tests who verifies.
    Probe,
    /// Rightly signed text in which this was replaced by that.
    Text(&'static str, &'static str),
    /// What was signed, written otherwise.
    Reserialised,
    /// One more byte than was signed.
    Newline,
    /// Rightly signed: two answers in one.
    TwoDocuments,
    /// Rightly signed: in a list.
    Array,
    /// Rightly signed, and no UTF-8.
    NotUtf8,
}

/// An answer, before it goes on the wire.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// Ends in the middle of the body.
    pub cut: bool,
}

impl Answer {
    /// JSON, unsigned.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), ..Self::default() }
    }

    /// An error, unsigned.
    pub fn error(status: u16, code: &str) -> Self {
        Self::json(status, &json!({ "code": code, "message": "说明" }))
    }

    /// With the time of day, which WeChat Pay's servers say.
    pub fn dated(mut self) -> Self {
        let date = jiff::Timestamp::from_second(now()).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.headers.push(("Date".to_owned(), date));
        self
    }

    /// Signed by this key.
    pub fn signed(mut self, key: Key) -> Self {
        self.headers = Stamp::by(key).headers(&self.body);
        self
    }
}

/// What changes before anything is signed.
pub(super) fn change_object(object: &mut Value, fault: Fault) {
    let names = |partner: &'static str, direct: &'static str| {
        move |object: &Value| if object.get(partner).is_some() { partner } else { direct }
    };
    let mut set = |name: &dyn Fn(&Value) -> &'static str, value: &str| {
        let pointer = format!("/{}", name(object));
        put(object, &pointer, json!(value));
    };
    match fault {
        Fault::ForAnotherOrder => set(&|_| "out_trade_no", "SOMEBODY-ELSES"),
        Fault::ForAnotherMerchant => set(&names("sp_mchid", "mchid"), "1900000999"),
        Fault::ForAnotherApp => set(&names("sp_appid", "appid"), "wx0000000000000000"),
        Fault::ForAnotherSubMerchant => set(&|_| "sub_mchid", "1900000998"),
        Fault::Without(name) => put(object, &format!("/{name}"), Value::Null),
        _ => {}
    }
}

/// The answer, signed by `key` for `account` and made as wrong as the fault wants it.
pub(super) fn distorted(object: &Value, account: &Account, key: Key, fault: Fault) -> Answer {
    use Wrong as W;
    let text = object.to_string();
    let signed_text = match fault {
        Fault::V3(W::Text(from, to)) => {
            assert!(text.contains(from), "nothing to replace: {from} in {text}");
            text.replace(from, to)
        }
        Fault::FieldTwice => text.replace("\"trade_state\":", "\"trade_state\":\"NOTPAY\",\"trade_state\":"),
        Fault::V3(W::TwoDocuments) => text.repeat(2),
        Fault::V3(W::Array) => format!("[{text}]"),
        Fault::Huge => format!("{},\"pad\":\"{}\"}}", &text[..text.len() - 1], "x".repeat(2_000_000)),
        Fault::Empty | Fault::V3(W::EmptyWithStatus(_)) => String::new(),
        _ => text,
    };
    let mut body = signed_text.into_bytes();
    if fault == Fault::V3(W::NotUtf8) {
        let at = body.windows(6).position(|window| window == "说明".as_bytes()).unwrap_or_else(|| panic!("no text"));
        body[at] = 0xff;
    }
    let stamp = match fault {
        Fault::SignedWithAnotherKey => Stamp::by(key).but_by(STRANGER.name),
        Fault::V3(W::UnknownSerial) => Stamp::by(STRANGER),
        Fault::V3(W::LowerSerial) => Stamp::by(key).called(&key.serial.to_lowercase()),
        Fault::V3(W::MerchantKey) => Stamp::by(account.private_key),
        Fault::V3(W::Offset(seconds)) => Stamp::by(key).offset(seconds),
        _ => Stamp::by(key),
    };
    let mut headers = stamp.headers(&body);
    change_headers(&mut headers, fault);
    match fault {
        Fault::AmountTampered => {
            body = String::from_utf8_lossy(&body).replace("\"total\":", "\"total\":1").into_bytes();
        }
        // A space behind each colon: the same JSON.
        Fault::V3(W::Reserialised) => body = String::from_utf8_lossy(&body).replace("\":", "\": ").into_bytes(),
        Fault::V3(W::Newline) => body.push(b'\n'),
        _ => {}
    }
    let status = match fault {
        Fault::V3(W::Status(status) | W::EmptyWithStatus(status)) => status,
        _ => 200,
    };
    Answer { status, headers, body, cut: fault == Fault::Truncated }
}

fn change_headers(headers: &mut Headers, fault: Fault) {
    let zeros = "A".repeat(342) + "==";
    match fault {
        Fault::Unsigned => headers.clear(),
        Fault::BadSign => set_header(headers, "Wechatpay-Signature", &zeros),
        Fault::EmptySign => set_header(headers, "Wechatpay-Signature", ""),
        Fault::V3(Wrong::Probe) => set_header(headers, "Wechatpay-Signature", &format!("{PROBE}{}", &zeros[..56])),
        Fault::V3(Wrong::OtherTime) => set_header(headers, "Wechatpay-Timestamp", &(now() - 7).to_string()),
        Fault::V3(Wrong::Says(name, value)) => set_header(headers, name, value),
        Fault::V3(Wrong::Lacks(name)) => headers.retain(|(found, _)| found != name),
        Fault::V3(Wrong::Twice(name)) => {
            headers.extend(headers.iter().find(|(found, _)| found == name).cloned());
        }
        _ => {}
    }
}
