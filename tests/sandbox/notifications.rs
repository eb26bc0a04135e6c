//! Notifications against `docs/reference/wechatpay-v2.md` section 7.

use crate::harness::*;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tollgate::sandbox::{
    Announcement, Api, ControlError, Forgery, Judgement, Notification, OrderFields, Progress, RETRY_SCHEDULE, Seed,
};

use tollgate::provider::wechat::v2::refund::{Unopened, open};

const ACK: &str = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";
const FAIL: &str = "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[no]]></return_msg></xml>";

/// Answers from a script, and with its last line ever after.
#[derive(Clone, Default)]
struct Receiver {
    script: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(script: &[(u16, &'static str)]) -> (Self, String) {
        let receiver = Self { script: Arc::new(Mutex::new(script.iter().copied().collect())), ..Self::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/notify", listener.local_addr().unwrap());
        let router = Router::new().route("/notify", post(Self::answer)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, url)
    }

    async fn answer(State(receiver): State<Self>, body: String) -> (axum::http::StatusCode, &'static str) {
        receiver.bodies.lock().unwrap().push(body);
        let mut script = receiver.script.lock().unwrap();
        let (status, text) = if script.len() > 1 { script.pop_front().unwrap() } else { script[0] };
        (axum::http::StatusCode::from_u16(status).unwrap(), text)
    }

    fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

fn announcement(order: &str, notify_url: &str) -> Announcement {
    Announcement {
        mch_id: Some(MCH_ID.to_owned()),
        sub_mch_id: None,
        out_trade_no: order.to_owned(),
        refund: None,
        notify_url: notify_url.to_owned(),
        format: Api::V2,
        event_type: None,
        copies: 1,
        forge: Forgery::None,
        sign_type: "MD5".to_owned(),
        retry: true,
    }
}

async fn ended(world: &World, id: u64) -> Notification {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let notification = world.sandbox.notification(id).unwrap();
        if notification.progress != Progress::Sending {
            return notification;
        }
        assert!(Instant::now() < until, "still sending: {notification:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn judgements(notification: &Notification) -> Vec<Judgement> {
    notification.attempts.iter().map(|attempt| attempt.judgement).collect()
}

/// Example D, but for ids, nonce and signature.
#[tokio::test]
async fn a_notification_has_the_shape_of_real_ones() {
    let world = World::new().await;
    let (receiver, url) = Receiver::start(&[(200, ACK)]).await;
    let said = OrderFields {
        coupon_fee: Some(10),
        attach: Some("channel=7&shop=<A>".to_owned()),
        transaction_id: Some("4200000000202401010000000001".to_owned()),
        openid: Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".to_owned()),
        trade_type: Some("JSAPI".to_owned()),
        ..said(100)
    };
    world.sandbox.pay(world.key("ORDER20240101000001"), said).unwrap();
    ended(&world, world.sandbox.notify(announcement("ORDER20240101000001", &url)).unwrap()).await;
    let body = receiver.bodies().remove(0);
    let sent = fields(&body);
    assert!(is_signed(&sent));
    assert!(
        sent["nonce_str"].len() == 32
            && sent["nonce_str"].bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    );
    let expected = "<xml><appid><![CDATA[wxd930ea5d5a258f4f]]></appid>
<attach><![CDATA[channel=7&shop=<A>]]></attach>
<bank_type><![CDATA[OTHERS]]></bank_type>
<cash_fee><![CDATA[90]]></cash_fee>
<coupon_count><![CDATA[1]]></coupon_count>
<coupon_fee><![CDATA[10]]></coupon_fee>
<coupon_fee_0><![CDATA[10]]></coupon_fee_0>
<coupon_id_0><![CDATA[10000]]></coupon_id_0>
<coupon_type_0><![CDATA[CASH]]></coupon_type_0>
<fee_type><![CDATA[CNY]]></fee_type>
<is_subscribe><![CDATA[N]]></is_subscribe>
<mch_id><![CDATA[10000100]]></mch_id>
<nonce_str><![CDATA[NONCE]]></nonce_str>
<openid><![CDATA[oUpF8uMuAJO_M2pxb1Q9zNjWeS6o]]></openid>
<out_trade_no><![CDATA[ORDER20240101000001]]></out_trade_no>
<result_code><![CDATA[SUCCESS]]></result_code>
<return_code><![CDATA[SUCCESS]]></return_code>
<sign><![CDATA[SIGN]]></sign>
<time_end><![CDATA[20240101123456]]></time_end>
<total_fee>100</total_fee>
<trade_type><![CDATA[JSAPI]]></trade_type>
<transaction_id><![CDATA[4200000000202401010000000001]]></transaction_id>
</xml>";
    assert_eq!(body.replace(&sent["nonce_str"], "NONCE").replace(&sent["sign"], "SIGN"), expected);
}

/// Section 7.4.
#[tokio::test]
async fn a_notification_is_repeated_until_it_is_acknowledged() {
    let world = World::new().await;
    world.pay("A1");
    let script = [(500, ACK), (200, "success"), (200, ""), (200, FAIL), (200, ACK)];
    let (receiver, url) = Receiver::start(&script).await;
    let notification = ended(&world, world.sandbox.notify(announcement("A1", &url)).unwrap()).await;
    use Judgement::*;
    assert_eq!(
        judgements(&notification),
        [HttpStatus, NotAnAcknowledgement, NotAnAcknowledgement, Failed, Acknowledged]
    );
    assert_eq!(notification.progress, Progress::Acknowledged);
    let bodies = receiver.bodies();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "a retry has the same content");
}

/// Section 7.1.
#[tokio::test]
async fn after_fifteen_retries_nothing_more_is_sent() {
    assert_eq!(RETRY_SCHEDULE.iter().sum::<Duration>(), Duration::from_secs((24 * 60 + 4) * 60));
    let world = World::new().await;
    world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, FAIL)]).await;
    let notification = ended(&world, world.sandbox.notify(announcement("A1", &url)).unwrap()).await;
    assert_eq!((notification.progress, notification.attempts.len()), (Progress::GivenUp, 16));
    assert_eq!(receiver.bodies().len(), 16);
}

#[tokio::test]
async fn the_time_scale_divides_the_waits() {
    let world = World::with(Seed(1), 60).await;
    world.pay("A1");
    let (_, url) = Receiver::start(&[(200, FAIL), (200, ACK)]).await;
    let started = Instant::now();
    ended(&world, world.sandbox.notify(announcement("A1", &url)).unwrap()).await;
    assert!(started.elapsed() >= Duration::from_millis(250), "15 s are a quarter of a second");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_receiver_that_is_away_or_slow_has_not_acknowledged() {
    let world = World::new().await;
    world.pay("A1");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/", nobody.local_addr().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    drop(nobody);
    let once = |url: &str| Announcement { retry: false, ..announcement("A1", url) };
    let away = ended(&world, world.sandbox.notify(once(&gone)).unwrap()).await;
    assert_eq!(judgements(&away), [Judgement::Connection]);
    let slow = ended(&world, world.sandbox.notify(once(&url)).unwrap()).await;
    assert_eq!(judgements(&slow), [Judgement::Timeout]);
    assert!(slow.attempts[0].elapsed_ms >= 5000);
}

#[tokio::test]
async fn copies_are_sent_at_once_and_one_acknowledgement_is_enough() {
    let world = World::new().await;
    world.pay("A1");
    let mut script = vec![(200, FAIL); 19];
    script.push((200, ACK));
    let (receiver, url) = Receiver::start(&script).await;
    let copies = Announcement { copies: 20, ..announcement("A1", &url) };
    let notification = ended(&world, world.sandbox.notify(copies).unwrap()).await;
    assert_eq!((notification.progress, receiver.bodies().len()), (Progress::Acknowledged, 20));
    assert!(notification.attempts.iter().all(|attempt| attempt.round == 1));
}

#[tokio::test]
async fn forgeries_are_what_they_say() {
    let world = World::new().await;
    world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, FAIL)]).await;
    let mut sent = Vec::new();
    for forge in [Forgery::Unsigned, Forgery::WrongKey, Forgery::Amount, Forgery::Doctype, Forgery::LeakedKey] {
        let forged = Announcement { forge, retry: false, ..announcement("A1", &url) };
        ended(&world, world.sandbox.notify(forged).unwrap()).await;
        sent.push(receiver.bodies().pop().unwrap());
    }
    let [unsigned, wrong_key, amount, doctype, leaked_key] = sent.try_into().unwrap();
    assert!(!fields(&unsigned).contains_key("sign"));
    assert!(fields(&wrong_key)["sign"].len() == 32 && !is_signed(&fields(&wrong_key)));
    assert!(fields(&amount)["total_fee"] == "1" && !is_signed(&fields(&amount)));
    assert!(doctype.starts_with("<!DOCTYPE") && is_signed(&fields(&doctype)));
    assert!(is_signed(&fields(&leaked_key)));
}

#[tokio::test]
async fn wechat_pay_notifies_of_payments_only_and_forgers_of_anything() {
    let world = World::new().await;
    let (receiver, url) = Receiver::start(&[(200, ACK)]).await;
    let notify = |forge| world.sandbox.notify(Announcement { forge, ..announcement("A1", &url) });
    assert_eq!(notify(Forgery::None).unwrap_err(), ControlError::NoSuchOrder);
    world.sandbox.put(world.key("A1"), Default::default(), said(100)).unwrap();
    assert_eq!(notify(Forgery::None).unwrap_err(), ControlError::NotPaid);
    ended(&world, notify(Forgery::LeakedKey).unwrap()).await;
    let sent = fields(&receiver.bodies()[0]);
    assert!(is_signed(&sent) && sent.contains_key("transaction_id"));
    assert_eq!(world.ask("A1").await.unwrap().fields()["trade_state"], "NOTPAY", "the forger paid nothing");
}

#[tokio::test]
async fn a_refund_is_told_under_seal_and_without_a_signature() {
    let world = World::new().await;
    world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, ACK)]).await;
    let refund = |fen, forge| Announcement { refund: Some(fen), forge, retry: false, ..announcement("A1", &url) };
    for fen in [0, 1_000_000_000] {
        assert_eq!(world.sandbox.notify(refund(fen, Forgery::None)).unwrap_err(), ControlError::Refund);
    }
    ended(&world, world.sandbox.notify(refund(1, Forgery::None)).unwrap()).await;
    ended(&world, world.sandbox.notify(refund(1, Forgery::WrongKey)).unwrap()).await;
    let sent: Vec<_> = receiver.bodies().iter().map(|body| fields(body)).collect();
    assert!(sent.iter().all(|sent| !sent.contains_key("sign") && !sent.contains_key("out_trade_no")));
    let account = crate::bills::account(MCH_ID, APPID);
    let opened = open(account.v2().unwrap(), &sent[0]["req_info"]).unwrap();
    assert_eq!((opened.out_trade_no.as_str(), opened.refund_status.as_str()), ("A1", "SUCCESS"));
    assert_eq!(open(account.v2().unwrap(), &sent[1]["req_info"]), Err(Unopened::Sealed));
}

#[tokio::test]
async fn hmac_is_used_when_asked_for() {
    let world = World::new().await;
    world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, ACK)]).await;
    let hmac = Announcement { sign_type: "HMAC-SHA256".to_owned(), ..announcement("A1", &url) };
    ended(&world, world.sandbox.notify(hmac).unwrap()).await;
    let sent = fields(&receiver.bodies()[0]);
    assert_eq!(sent["sign"], hmac_sign(borrowed(&sent)));
}

#[tokio::test]
async fn a_reset_stops_the_sending() {
    let world = World::with(Seed(1), 60).await;
    world.pay("A1");
    let (receiver, url) = Receiver::start(&[(200, FAIL)]).await;
    let id = world.sandbox.notify(announcement("A1", &url)).unwrap();
    while world.sandbox.notification(id).unwrap().attempts.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.sandbox.reset();
    let sent = receiver.bodies().len();

    // Its retry was due before the retry of another one that is sent only now.
    world.pay("A2");
    let later = world.sandbox.notify(announcement("A2", &url)).unwrap();
    while world.sandbox.notification(later).unwrap().attempts.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(receiver.bodies().split_off(sent).iter().all(|body| fields(body)["out_trade_no"] == "A2"));
}
