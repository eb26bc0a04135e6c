//! Asking by API v3. What these answers are signed with is not what is tested here: see `v3::answer`.

use super::*;
use crate::domain::clock;
use crate::observe::metrics::{Format, Gauges, Metrics};
use crate::provider::wechat::v3::headers::message;
use crate::provider::wechat::v3::signer::signed_text;
use crate::provider::wechat::v3::tests::{MESSAGES, account_with, keys, platform_key, wechat_key};
use crate::provider::wechat::v3::{self, PlatformCertificates, PrivateKey, answer::Fault};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

pub(in crate::provider::wechat::client) const PLATFORM: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";
const STRANGERS: &str = "7000000000000000000000000000000000000000";

fn key_id() -> &'static str {
    MESSAGES["public_key_id"].as_str().unwrap()
}

/// The paid order of the fixtures.
fn order() -> String {
    let body = BASE64_STANDARD.decode(MESSAGES["answers"][0]["body"].as_str().unwrap()).unwrap();
    String::from_utf8(body).unwrap()
}

/// A list of platform certificates.
pub(in crate::provider::wechat::client) fn list(name: &str) -> String {
    let lists = MESSAGES["lists"].as_array().unwrap();
    lists.iter().find(|list| list["name"] == name).unwrap()["body"].as_str().unwrap().to_owned()
}

/// An answer that ends its connection, signed now.
pub(in crate::provider::wechat::client) fn signed_by(key: &PrivateKey, serial: &str, status: &str, body: &str) -> Act {
    let timestamp = clock::now().as_second();
    let signature = key.sign(&message(timestamp, "c5ac7061fccab6bf", body.as_bytes())).unwrap();
    said(
        status,
        body,
        &[
            ("Wechatpay-Timestamp", &timestamp.to_string()),
            ("Wechatpay-Nonce", "c5ac7061fccab6bf"),
            ("Wechatpay-Signature", &signature),
            ("Wechatpay-Serial", serial),
        ],
    )
}

pub(in crate::provider::wechat::client) fn said(status: &str, body: &str, headers: &[(&str, &str)]) -> Act {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    Act::Write(
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

fn paid() -> Act {
    signed_by(&wechat_key(), key_id(), "200 OK", &order())
}

/// The same once there were so many queries, after which the connection is good until the next query comes.
pub(super) fn signed_and_kept(queries: usize) -> Act {
    let Act::Write(bytes) = paid() else { unreachable!() };
    let text = String::from_utf8(bytes).unwrap();
    Act::WriteOnce(queries, text.replacen("Connection: close\r\n", "", 1).into_bytes())
}

fn by_certificate() -> Act {
    signed_by(&platform_key(), PLATFORM, "200 OK", &order())
}

fn certificates() -> Act {
    signed_by(&platform_key(), PLATFORM, "200 OK", &list("one"))
}

fn probe() -> Act {
    let Act::Write(bytes) = paid() else { unreachable!() };
    let text = String::from_utf8(bytes).unwrap();
    let (before, rest) = text.split_once("Wechatpay-Signature: ").unwrap();
    Act::Write(format!("{before}Wechatpay-Signature: WECHATPAY/SIGNTEST/{rest}").into_bytes())
}

fn refused(status: &str, code: &str) -> Act {
    said(status, &format!(r#"{{"code":"{code}","message":"说明"}}"#), &[])
}

/// One that has no public key, and downloads certificates.
pub(in crate::provider::wechat::client) fn downloads() -> Credentials {
    account_with(v3::Keys { public_key: None, platform: PlatformCertificates::Auto, ..keys() })
}

async fn ask_for(client: &WeChatPay, account: &Credentials) -> Result<Asked, QueryError> {
    let ask = AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap());
    client.order_query(account, &ask, Instant::now() + LONG).await
}

async fn ask(client: &WeChatPay) -> Result<Asked, QueryError> {
    ask_for(client, &v3::tests::account()).await
}

fn is_order(asked: &Asked) -> bool {
    asked.answer.signed_by().is_some()
}

fn fault(asked: &Asked) -> Fault {
    match asked.answer {
        Answer::V3(v3::Answer::NotBelieved(fault)) => fault,
        ref other => panic!("{other:?}"),
    }
}

/// The header fields of what a host was asked.
fn field(head: &str, name: &str) -> Option<String> {
    let mut values = head.lines().filter_map(|line| line.split_once(": ")).filter(|(field, _)| *field == name);
    let value = values.next().map(|(_, value)| value.to_owned());
    assert!(values.next().is_none(), "{name} stands twice");
    value
}

fn paths(host: &StandIn) -> Vec<String> {
    let heads = host.seen.lock().heads.clone();
    heads.iter().map(|head| head.split(' ').nth(1).unwrap().split('?').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_question_is_signed_exactly_as_it_is_sent() {
    let host = StandIn::start(&[paid()]).await;
    let number = OutTradeNo::parse("A|b*c@d_e-f").unwrap();
    let (client, account, ask) = (client(&[&host]), v3::tests::account(), AskBy::OutTradeNo(number));
    assert!(is_order(&client.order_query(&account, &ask, Instant::now() + LONG).await.unwrap()));
    let head = host.seen.lock().heads[0].clone();
    let target = "/v3/pay/transactions/out-trade-no/A%7Cb%2Ac%40d_e-f?mchid=1900009191";
    assert!(head.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{head}");
    assert_eq!(field(&head, "accept").as_deref(), Some("application/json"));
    assert_eq!(field(&head, "wechatpay-serial").as_deref(), Some(key_id()));
    assert_eq!(field(&head, "user-agent"), Some(format!("tollgate/{}", env!("CARGO_PKG_VERSION"))));
    assert_eq!((field(&head, "content-type"), field(&head, "content-length")), (None, None));
    let authorization = field(&head, "authorization").unwrap();
    let (scheme, items) = authorization.split_once(' ').unwrap();
    let items: Vec<_> = items.split(',').map(|item| item.trim_end_matches('"').split_once("=\"").unwrap()).collect();
    let names: Vec<_> = items.iter().map(|(name, _)| *name).collect();
    assert_eq!(scheme, "WECHATPAY2-SHA256-RSA2048");
    assert_eq!(names, ["mchid", "nonce_str", "timestamp", "serial_no", "signature"]);
    let text = signed_text(target, items[2].1.parse().unwrap(), items[1].1);
    assert!((clock::now().as_second() - items[2].1.parse::<i64>().unwrap()).abs() < 30);
    let public = keys().signer.unwrap().key.public().unwrap();
    assert!(public.verifies(text.as_bytes(), items[4].1.as_bytes()));
    assert!(items[1].1.len() <= 32 && items[1].1.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn transient_answers_are_asked_about_once_more_with_a_fresh_nonce() {
    let stranger = signed_by(&platform_key(), key_id(), "200 OK", &order());
    let unknown = signed_by(&platform_key(), STRANGERS, "200 OK", &order());
    let unsigned = said("200 OK", &order(), &[]);
    for act in
        [probe(), stranger, unknown, unsigned, refused("500 Oops", "SYSTEM_ERROR"), said("502 Oops", "<html>", &[])]
    {
        let host = StandIn::start(&[act.clone(), paid()]).await;
        let asked = ask(&client(&[&host])).await.unwrap();
        assert!(is_order(&asked) && asked.attempts == 2, "{act:?}");
        let heads = host.seen.lock().heads.clone();
        assert_ne!(field(&heads[0], "authorization"), field(&heads[1], "authorization"));

        let (host, other) = (StandIn::start(std::slice::from_ref(&act)).await, StandIn::start(&[paid()]).await);
        let asked = ask(&client(&[&host, &other])).await.unwrap();
        assert_eq!((&*asked.host, asked.attempts), (other.origin().as_str(), 2));

        let always = StandIn::start(std::slice::from_ref(&act)).await;
        let _ = ask(&client(&[&always])).await;
        assert_eq!(always.queries().len(), 2);
    }
}

#[tokio::test]
async fn answers_that_will_not_change_are_not_asked_about_again() {
    for act in [
        refused("404 Not Found", "ORDER_NOT_EXIST"),
        signed_by(&wechat_key(), key_id(), "404 Not Found", r#"{"code":"ORDER_NOT_EXIST"}"#),
        refused("401 Unauthorized", "SIGN_ERROR"),
        refused("429 Slow", "FREQUENCY_LIMITED"),
        refused("500 Slow", "RATELIMIT_EXCEEDED"),
        signed_by(
            &wechat_key(),
            key_id(),
            "200 OK",
            r#"{"out_trade_no":"ORDER20240101000001","trade_state":"NOTPAY"}"#,
        ),
    ] {
        let (host, other) = (StandIn::start(&[act]).await, StandIn::start(&[paid()]).await);
        assert_eq!(ask(&client(&[&host, &other])).await.unwrap().attempts, 1);
        assert_eq!((host.queries().len(), other.queries().len()), (1, 0));
    }
}

/// Threat V-11.
#[tokio::test]
async fn redirects_are_not_followed_however_they_are_signed() {
    let elsewhere = StandIn::start(&[paid()]).await;
    for status in [301, 302, 307, 308] {
        let Act::Write(bytes) = signed_by(&wechat_key(), key_id(), &format!("{status} Go"), &order()) else {
            unreachable!()
        };
        let location = format!("Location: {}/v3/pay/x\r\nContent-Length", elsewhere.origin());
        let text = String::from_utf8(bytes).unwrap().replacen("Content-Length", &location, 1);
        let host = StandIn::start(&[Act::Write(text.into_bytes())]).await;
        assert_eq!(ask(&client(&[&host])).await, Err(QueryError::HttpStatus(status)));
    }
    assert!(elsewhere.queries().is_empty());
}

/// Threat V-04.
#[tokio::test]
async fn probes_are_counted_apart_and_leave_the_breaker_closed() {
    let host = StandIn::start(&[probe()]).await;
    let metrics = Metrics::new();
    let client = client(&[&host]).measured(metrics.queries.clone());
    for _ in 0..25 {
        assert_eq!(fault(&ask(&client).await.unwrap()), Fault::Probe);
    }
    assert_eq!((client.hosts().next().unwrap().1, host.queries().len()), (HostState::Closed, 50));
    let shown = metrics.expose(Format::OpenMetrics, Gauges::default()).unwrap();
    assert!(shown.contains("tollgate_wechat_probes_total{on=\"answer\"} 50\n"), "{shown}");
}

#[tokio::test]
async fn a_certificate_that_is_not_known_is_downloaded_while_the_answer_waits() {
    let host = StandIn::start(&[by_certificate(), certificates(), by_certificate()]).await;
    let client = client(&[&host]);
    let asked = ask_for(&client, &downloads()).await.unwrap();
    assert_eq!((asked.answer.signed_by(), asked.attempts), (Some(PLATFORM), 1));
    assert!(is_order(&ask_for(&client, &downloads()).await.unwrap()));
    let order = format!("/v3/pay/transactions/out-trade-no/{ORDER}");
    assert_eq!(paths(&host), [&*order, "/v3/certificates", &*order]);
    assert_eq!(field(&host.seen.lock().heads[0], "wechatpay-serial"), None);
}

#[tokio::test]
async fn a_serial_that_is_not_listed_costs_one_download() {
    let unknown = || signed_by(&platform_key(), STRANGERS, "200 OK", &order());
    let host = StandIn::start(&[unknown(), certificates(), unknown()]).await;
    assert_eq!(fault(&ask_for(&client(&[&host]), &downloads()).await.unwrap()), Fault::SerialUnknown);
    assert_eq!(paths(&host).iter().filter(|path| *path == "/v3/certificates").count(), 1);
    assert_eq!(host.queries().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_a_certificates_serial_costs_no_download() {
    let lower = PLATFORM.to_lowercase();
    for serial in ["PUB_KEY_ID_0119000000000000000000000000000005", "5157F09E", "", &lower] {
        let host = StandIn::start(&[signed_by(&platform_key(), serial, "200 OK", &order())]).await;
        let asked = ask_for(&client(&[&host]), &downloads()).await.unwrap();
        assert!(!is_order(&asked) && !paths(&host).contains(&"/v3/certificates".to_owned()), "{serial}");
    }
    // Nor does any where none are to be downloaded.
    let host = StandIn::start(&[by_certificate()]).await;
    assert_eq!(fault(&ask(&client(&[&host])).await.unwrap()), Fault::SerialUnknown);
    assert_eq!(host.queries().len(), 2);
}

#[tokio::test]
async fn without_a_download_an_answer_is_not_believed() {
    for failing in [
        refused("500 Oops", "SYSTEM_ERROR"),
        refused("401 No", "SIGN_ERROR"),
        Act::Close,
        said("200 OK", &list("one"), &[]),
    ] {
        let host = StandIn::start(&[by_certificate(), failing]).await;
        let client = client(&[&host]);
        assert_eq!(fault(&ask_for(&client, &downloads()).await.unwrap()), Fault::CertificatesUnavailable);
    }
}
