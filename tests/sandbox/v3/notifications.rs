//! Notifications (`docs/reference/wechatpay-v3.md` section 6).

use super::asking::{Account, Counter, is_signed, now};
use crate::harness::*;
use crate::wechatpay_v3::{open, verify};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tollgate::sandbox::{Announcement, Notification, Progress, RETRY_SCHEDULE};

/// Answers with a status each, and the last one ever after.
#[derive(Clone)]
struct Receiver {
    script: Arc<Vec<(u16, &'static str)>>,
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Receiver {
    async fn start(script: &[(u16, &'static str)]) -> (Self, String) {
        let receiver = Self { script: Arc::new(script.to_vec()), got: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let router = Router::new().route("/notify", post(Self::answer)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, url)
    }

    async fn answer(State(receiver): State<Self>, headers: HeaderMap, body: Bytes) -> (StatusCode, &'static str) {
        let mut got = receiver.got.lock().unwrap();
        let (status, text) = receiver.script[got.len().min(receiver.script.len() - 1)];
        got.push((headers, body));
        (StatusCode::from_u16(status).unwrap(), text)
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().iter().cloned().map(Got).collect()
    }
}

struct Got((HeaderMap, Bytes));

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.0.get(name).map(|value| value.to_str().unwrap())
    }

    fn is_signed_for(&self, account: &Account) -> bool {
        is_signed(account, |name| self.header(name), &self.0.1)
    }

    fn document(&self) -> Value {
        serde_json::from_slice(&self.0.1).unwrap()
    }

    /// What is sealed in it, if it opens.
    fn opened(&self, account: &Account) -> Option<Value> {
        let document = self.document();
        let text = |name: &str| document["resource"][name].as_str().unwrap();
        let opened = open(text("ciphertext"), text("nonce"), text("associated_data"), account.text("api_v3_key"))?;
        Some(serde_json::from_slice(&opened).unwrap())
    }
}

/// What is announced, with more said.
fn announcement(url: &str, more: Value) -> Announcement {
    let mut said = json!({ "out_trade_no": "A1", "notify_url": url, "format": "v3", "retry": false });
    said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(said).unwrap()
}

async fn ended(counter: &Counter, id: u64) -> Notification {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let notification = counter.world.sandbox.notification(id).unwrap();
        if notification.progress != Progress::Sending {
            return notification;
        }
        assert!(Instant::now() < until, "still sending: {notification:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn notified(counter: &Counter, url: &str, more: Value) -> Notification {
    ended(counter, counter.world.sandbox.notify(announcement(url, more)).unwrap()).await
}

#[tokio::test]
async fn a_payment_is_signed_and_sealed() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (receiver, url) = Receiver::start(&[(204, "")]).await;
    let sent = notified(&counter, &url, json!({})).await;
    assert_eq!(sent.progress, Progress::Acknowledged);
    let got = &receiver.got()[0];
    assert!(got.is_signed_for(&counter.merchant));
    assert_eq!(got.header("Content-Type"), Some("application/json"));
    assert_eq!(got.header("Wechatpay-Serial"), Some(counter.merchant.text("public_key_id")));
    assert_eq!(sent.attempts[0].serial.as_deref(), got.header("Wechatpay-Serial"));
    let document = got.document();
    for (name, value) in
        [("event_type", "TRANSACTION.SUCCESS"), ("resource_type", "encrypt-resource"), ("summary", "支付成功")]
    {
        assert_eq!(document[name], value, "{document}");
    }
    assert_eq!(document["resource"]["original_type"], "transaction");
    assert_eq!(document["id"].as_str().unwrap().len(), 36);
    assert_eq!(got.opened(&counter.merchant).unwrap(), counter.order("A1").await.json());
}

#[tokio::test]
async fn the_status_alone_decides_and_each_delivery_is_signed_anew() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let fail = r#"{"code":"FAIL","message":"no"}"#;
    let (receiver, url) = Receiver::start(&[(500, ""), (302, ""), (201, fail), (200, fail)]).await;
    let sent = notified(&counter, &url, json!({ "retry": true })).await;
    assert_eq!(sent.progress, Progress::Acknowledged);
    let got = receiver.got();
    assert_eq!(got.len(), 4);
    let nonces: std::collections::BTreeSet<_> = got.iter().map(|got| got.header("Wechatpay-Nonce").unwrap()).collect();
    assert_eq!(nonces.len(), 4);
    assert!(got.iter().all(|got| got.is_signed_for(&counter.merchant)));
    assert!(got.iter().all(|other| other.0.1 == got[0].0.1), "what is sealed stays");
    let (receiver, url) = Receiver::start(&[(500, "")]).await;
    let sent = notified(&counter, &url, json!({ "retry": true })).await;
    assert_eq!((sent.progress, receiver.got().len()), (Progress::GivenUp, RETRY_SCHEDULE.len() + 1));
}

#[tokio::test]
async fn refunds_are_told_under_their_event() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, "")]).await;
    for (said, event, status, refund) in [
        (json!({ "event_type": "REFUND.SUCCESS" }), "REFUND.SUCCESS", "SUCCESS", 100),
        (json!({ "event_type": "REFUND.CLOSED", "refund": 40 }), "REFUND.CLOSED", "CLOSED", 40),
        (json!({ "event_type": "REFUND.ABNORMAL" }), "REFUND.ABNORMAL", "ABNORMAL", 100),
        (json!({ "refund": 7 }), "REFUND.SUCCESS", "SUCCESS", 7),
    ] {
        notified(&counter, &url, said).await;
        let got = receiver.got().pop().unwrap();
        assert!(got.is_signed_for(&counter.merchant));
        assert_eq!(got.document()["event_type"], event);
        let told = got.opened(&counter.merchant).unwrap();
        assert_eq!((&told["refund_status"], &told["amount"]["refund"]), (&json!(status), &json!(refund)));
        assert_eq!((&told["amount"]["total"], &told["mchid"]), (&json!(100), &json!(MCH_ID)));
        assert_eq!(told["transaction_id"], counter.order("A1").await.json()["transaction_id"]);
    }
}

#[tokio::test]
async fn forgeries_are_wrong_each_in_its_way() {
    let counter = Counter::open().await;
    let (receiver, url) = Receiver::start(&[(401, "")]).await;
    for (forge, signed, opens) in [
        ("leaked-key", true, true),
        ("stranger", false, true),
        ("unknown-serial", false, true),
        ("unsigned", false, true),
        ("tampered", false, false),
        ("wrong-aad", true, false),
        ("wrong-key", true, false),
        ("old", false, true),
    ] {
        let sent = notified(&counter, &url, json!({ "forge": forge })).await;
        assert_eq!(sent.progress, Progress::GivenUp);
        let got = receiver.got().pop().unwrap();
        assert_eq!(got.is_signed_for(&counter.merchant), signed, "{forge}");
        assert_eq!(got.opened(&counter.merchant).is_some(), opens, "{forge}");
        let serial = got.header("Wechatpay-Serial");
        match forge {
            "unsigned" => assert!(serial.is_none()),
            "unknown-serial" => assert!(serial.is_some_and(|serial| serial.len() == 40)),
            _ => assert_eq!(serial, Some(counter.merchant.text("public_key_id")), "{forge}"),
        }
        if forge == "old" {
            let [at, nonce, signature] =
                ["Timestamp", "Nonce", "Signature"].map(|name| got.header(&format!("Wechatpay-{name}")).unwrap());
            assert!(now() - at.parse::<i64>().unwrap() > 300);
            let message = [format!("{at}\n{nonce}\n").as_bytes(), &got.0.1, b"\n"].concat();
            assert!(verify(&message, signature, counter.merchant.text("public_key")));
        }
    }
}

#[tokio::test]
async fn a_probe_is_followed_by_the_right_one() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (receiver, url) = Receiver::start(&[(401, ""), (200, "")]).await;
    let sent = notified(&counter, &url, json!({ "forge": "probe", "retry": true })).await;
    assert_eq!(sent.progress, Progress::Acknowledged);
    let got = receiver.got();
    assert!(got[0].header("Wechatpay-Signature").unwrap().starts_with("WECHATPAY/SIGNTEST/"));
    assert!(got[1].is_signed_for(&counter.merchant) && got.len() == 2);
    let unpaid = announcement(&url, json!({ "forge": "probe", "out_trade_no": "A2" }));
    assert!(counter.world.sandbox.notify(unpaid).is_err(), "WeChat Pay knows what is paid");
}

#[tokio::test]
async fn the_key_that_signs_can_be_chosen() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, "")]).await;
    let (status, with) = counter.world.control("GET", "/sandbox/signing", "").await;
    assert_eq!((status, with), (200, json!({ "with": "public-key" })));
    let mut kinds = Vec::new();
    for with in ["certificate", "mixed", "public-key"] {
        let (_, said) = counter.world.control("PUT", "/sandbox/signing", &json!({ "with": with }).to_string()).await;
        assert_eq!(said["with"], with);
        for _ in 0..2 {
            notified(&counter, &url, json!({})).await;
            let got = receiver.got().pop().unwrap();
            assert!(got.is_signed_for(&counter.merchant));
            kinds.push(got.header("Wechatpay-Serial") == Some(counter.merchant.text("public_key_id")));
        }
    }
    assert_eq!((&kinds[..2], &kinds[4..]), (&[false, false][..], &[true, true][..]));
    assert_ne!(kinds[2], kinds[3], "mixed is now this and now that");
    counter.world.control("POST", "/sandbox/reset", "").await;
    assert_eq!(counter.world.control("GET", "/sandbox/signing", "").await.1, json!({ "with": "public-key" }));
}

#[tokio::test]
async fn nonsense_is_refused() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    for (said, why) in [
        (json!({ "format": "v3", "forge": "amount" }), "forge"),
        (json!({ "format": "v3", "forge": "doctype" }), "forge"),
        (json!({ "format": "v2", "forge": "stranger" }), "forge"),
        (json!({ "format": "v2", "event_type": "REFUND.SUCCESS" }), "event_type"),
        (json!({ "format": "v3", "event_type": "refund" }), "event_type"),
        (json!({ "format": "v3", "out_trade_no": "A2" }), "no such order"),
        (json!({ "format": "v3", "refund": 101 }), "refund"),
        (json!({ "format": "v4" }), "unknown variant"),
    ] {
        let mut body = json!({ "out_trade_no": "A1", "notify_url": "http://127.0.0.1:1/", "retry": false });
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        let (status, answer) = counter.world.control("POST", "/sandbox/notifications", &body.to_string()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(status >= 400 && error.contains(why), "{said}: {status} {answer}");
    }
}
