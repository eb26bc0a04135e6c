use super::*;
use crate::provider::wechat::v3::platform;
use crate::provider::wechat::v3::tests::{MESSAGES, at, platform, public_key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

fn received(message: &Value) -> Received {
    let header = |pair: &Value| {
        let name = HeaderName::from_bytes(pair[0].as_str().unwrap().to_ascii_lowercase().as_bytes()).unwrap();
        (name, HeaderValue::from_str(pair[1].as_str().unwrap()).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in message["headers"].as_array().unwrap().iter().map(header) {
        headers.append(name, value);
    }
    let status = StatusCode::from_u16(message["status"].as_u64().unwrap().try_into().unwrap()).unwrap();
    Received {
        status,
        headers,
        body: BASE64_STANDARD.decode(message["body"].as_str().unwrap()).unwrap().into(),
        at: at(),
    }
}

/// As the client does, but for downloads.
fn read(received: Received) -> Result<Answer, Unusable> {
    let (id, key) = public_key();
    let known = |serial: &str| {
        if serial == id.as_str() { Some(key.clone()) } else { platform::find(&platform(), serial, at()) }
    };
    let signed = received.signature().and_then(|signature| {
        let Some(signature) = signature else { return Ok(None) };
        let key = known(signature.serial).ok_or(Fault::SerialUnknown)?;
        received.verify(&signature, &key).map(Some)
    });
    received.read(signed)
}

/// A word for what is read, as the fixtures have it.
fn word(read: &Result<Answer, Unusable>) -> &'static str {
    match read {
        Ok(Answer::Order { .. }) => "order",
        Ok(Answer::NotBelieved(fault)) => fault.as_str(),
        Ok(Answer::Refused(refusal)) => {
            let kinds = [refusal.is_about_rate(), refusal.is_not_found(), refusal.is_system_error()];
            match kinds {
                [true, false, false] => "rate",
                [false, true, false] => "not-found",
                [false, false, true] => "system",
                [false, false, false] => "refused",
                _ => "several at once",
            }
        }
        Err(Unusable::Status(_)) => "status",
        Err(Unusable::Unreadable) => "unreadable",
    }
}

#[test]
fn only_what_wechat_pay_signed_is_an_order_and_errors_are_told_apart() {
    let messages = MESSAGES["answers"].as_array().unwrap();
    assert!(messages.len() > 100);
    for message in messages {
        let read = read(received(message));
        assert_eq!(word(&read), message["reads"].as_str().unwrap(), "{}", message["name"]);
    }
}

#[test]
fn a_signed_answer_tells_by_which_key_and_keeps_its_document() {
    let messages = MESSAGES["answers"].as_array().unwrap();
    for (at, serial) in
        [(0, "PUB_KEY_ID_0114000000000000000000000000000000"), (1, "5157F09EFDC096DE15EBE81A47057A7232F1B8E1")]
    {
        let received = received(&messages[at]);
        let body = received.body.clone();
        let Ok(Answer::Order { order, document, by }) = read(received) else { panic!("no order") };
        assert_eq!((by.as_str(), document), (serial, body));
        assert_eq!(order.integer("amount.total"), Ok(Some(100)));
    }
}

/// Any change of one byte, in the body or in a header that is signed, is noticed.
#[test]
fn any_other_byte_is_no_order() {
    let message = &MESSAGES["answers"][0];
    let original = received(message);
    for at in 0..original.body.len() {
        let mut changed = original.clone();
        let mut body = changed.body.to_vec();
        body[at] ^= 1;
        changed.body = body.into();
        assert_eq!(word(&read(changed)), "badly-signed", "byte {at}");
    }
    for name in ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"] {
        let value = original.headers[name].as_bytes().to_vec();
        for at in 0..value.len() {
            let mut changed = original.clone();
            let mut value = value.clone();
            value[at] = if value[at] == b'A' { b'B' } else { b'A' };
            changed.headers.insert(name, HeaderValue::from_bytes(&value).unwrap());
            assert_ne!(word(&read(changed)), "order", "{name}, byte {at}");
        }
    }
}

#[test]
fn an_error_tells_the_clock_and_what_is_wrong_in_detail() {
    let body = r#"{"code":"SIGN_ERROR","message":"签名错误","detail":{"detail":{"issue":"sign not match"},"field":"signature"}}"#;
    let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static("Mon, 01 Jan 2024 05:05:01 GMT"))]);
    let answer = Received { status: StatusCode::UNAUTHORIZED, headers, body: body.into(), at: at() };
    let refusal = answer.refusal();
    assert_eq!((refusal.detail.as_deref(), refusal.clock_offset), (Some("sign not match"), Some(300)));
    assert_eq!(received(&MESSAGES["answers"][0]).clock_offset(), Some(0));
    assert_eq!(Received { headers: HeaderMap::new(), ..answer }.clock_offset(), None);
}

#[test]
fn what_may_be_answered_better_at_once_is_transient() {
    let transient = |answer: Answer| answer.is_transient();
    for fault in [Fault::Unsigned, Fault::BadlySigned, Fault::Probe, Fault::SerialUnknown] {
        assert!(transient(Answer::NotBelieved(fault)), "{fault:?}");
    }
    for fault in [Fault::OutsideWindow(301), Fault::CertificatesUnavailable] {
        assert!(!transient(Answer::NotBelieved(fault)), "{fault:?}");
    }
    let refused = |status, code: &str| {
        Answer::Refused(Refusal {
            status,
            code: Some(code.to_owned()),
            message: None,
            detail: None,
            clock_offset: None,
        })
    };
    assert!(transient(refused(500, "SYSTEM_ERROR")) && transient(refused(503, "SERVICE_UNAVAILABLE")));
    for (status, code) in
        [(404, "ORDER_NOT_EXIST"), (429, "FREQUENCY_LIMITED"), (500, "RATELIMIT_EXCEEDED"), (401, "SIGN_ERROR")]
    {
        assert!(!transient(refused(status, code)), "{status} {code}");
    }
}

#[test]
fn a_401_is_told_apart() {
    let refused = |status, message: &str, detail: &str, clock_offset| {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let code = text("SIGN_ERROR");
        Refusal { status, code, message: text(message), detail: text(detail), clock_offset }.refused_for()
    };
    for (message, detail, offset, expected) in [
        ("签名错误", "sign not match", Some(0), RefusedFor::Key),
        ("签名信息错误，验签失败", "", None, RefusedFor::Key),
        ("", "", Some(12), RefusedFor::Key),
        ("签名错误", "sign not match", Some(301), RefusedFor::Clock(Some(301))),
        ("签名错误", "sign not match", Some(-86_400), RefusedFor::Clock(Some(-86_400))),
        ("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟", "", None, RefusedFor::Clock(None)),
        ("商户证书序列号有误", "", Some(1), RefusedFor::Serial),
        ("签名错误", "serial_no not found", None, RefusedFor::Serial),
    ] {
        assert_eq!(refused(401, message, detail, offset), Some(expected), "{message} {detail}");
    }
    assert_eq!(refused(403, "无权限", "", Some(301)), None);
    assert_eq!(Answer::NotBelieved(Fault::OutsideWindow(-400)).refused_for(), Some(RefusedFor::Clock(Some(-400))));
}
