use super::exchange::LARGEST_ANSWER;
use super::*;
use crate::domain::order::{AppId, MerchantId, OutTradeNo};
use crate::domain::secret::Secret;
use crate::net::xml::{self, Fields};
use crate::provider::wechat::sign::{SignType, sign};
use crate::provider::wechat::v2::Keys;
use crate::provider::wechat::{Api, ApiKey};
pub(super) use stand_in::{Act, StandIn, nobody, response};

mod answer;
mod breaker;
mod kept;
mod stand_in;
mod transport;
pub(super) mod v3;

pub(super) const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
const ORDER: &str = "ORDER20240101000001";

/// Longer than any test takes that does not wait for it.
pub(super) const LONG: Duration = Duration::from_secs(30);

pub(super) fn account() -> Credentials {
    let key = ApiKey::parse(Secret::new(KEY.to_owned())).unwrap();
    Credentials {
        api: Api::V2(Keys::from_list([key], SignType::Md5).unwrap()),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        mch_id: MerchantId::parse("10000100").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

/// A signed answer with these fields beside return_code SUCCESS.
fn signed(fields: &[(&str, &str)]) -> Act {
    let fields: Vec<_> = [("return_code", "SUCCESS")].into_iter().chain(fields.iter().copied()).collect();
    let sign = sign(fields.iter().copied(), KEY.as_bytes(), SignType::Md5);
    Act::Say(xml::write(fields.into_iter().chain([("sign", sign.as_str())])))
}

fn paid() -> Act {
    signed(&[("result_code", "SUCCESS"), ("out_trade_no", ORDER), ("trade_state", "SUCCESS")])
}

fn badly_signed() -> Act {
    let Act::Say(body) = paid() else { unreachable!() };
    Act::Say(body.replace(ORDER, "SOMEBODY-ELSES"))
}

fn error(code: &str) -> Act {
    signed(&[("result_code", "FAIL"), ("err_code", code)])
}

fn unsigned(body: &str) -> Act {
    Act::Say(body.to_owned())
}

fn settings(hosts: &[&StandIn]) -> Settings {
    Settings { hosts: hosts.iter().map(|host| host.origin()).collect(), hedge_after: LONG, queries_per_second: 1000 }
}

pub(super) fn client(hosts: &[&StandIn]) -> WeChatPay {
    WeChatPay::new(&settings(hosts)).unwrap()
}

fn v2(asked: &Asked) -> &v2::Answer {
    match &asked.answer {
        Answer::V2(answer) => answer,
        Answer::V3(answer) => panic!("{answer:?}"),
    }
}

async fn ask(client: &WeChatPay) -> Result<Asked, QueryError> {
    ask_within(client, LONG).await
}

async fn ask_within(client: &WeChatPay, time: Duration) -> Result<Asked, QueryError> {
    let ask = AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap());
    client.order_query(&account(), &ask, Instant::now() + time).await
}

#[tokio::test]
async fn one_host_is_asked_once_by_a_signed_post() {
    let (host, other) = (StandIn::start(&[paid()]).await, StandIn::start(&[paid()]).await);
    let asked = ask(&client(&[&host, &other])).await.unwrap();
    assert_eq!((v2(&asked).signature, asked.attempts), (Signature::Valid, 1));
    assert_eq!(v2(&asked).out_trade_no.as_deref(), Some(ORDER));
    assert_eq!(*asked.host, *host.origin());
    assert!(other.queries().is_empty());
    let head = host.seen.lock().heads[0].to_ascii_lowercase();
    assert!(head.starts_with("post /pay/orderquery http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: text/xml") && !head.contains("referer") && !head.contains("accept-encoding"));
    let query = host.queries().remove(0);
    let query = Fields::read(query.as_bytes()).unwrap();
    assert_eq!((query.get("out_trade_no"), query.get("nonce_str").unwrap().len()), (Some(ORDER), 32));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_asked_from_any_task() {
    let host = StandIn::start(&[paid()]).await;
    let client = Arc::new(client(&[&host]));
    let tasks: Vec<_> =
        (0..8).map(|_| Arc::clone(&client)).map(|client| tokio::spawn(async move { ask(&client).await })).collect();
    for task in tasks {
        assert!(task.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn the_next_host_is_asked_when_one_fails_in_any_way() {
    let failures = [
        (Act::Close, QueryError::Transport),
        (Act::Write(b"no HTTP at all\r\n\r\n".to_vec()), QueryError::Transport),
        (Act::Write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<xml>".to_vec()), QueryError::Transport),
        (Act::Write(response("502 Bad Gateway", "<html></html>")), QueryError::HttpStatus(502)),
        (Act::Write(response("201 Created", "<xml></xml>")), QueryError::HttpStatus(201)),
        (unsigned("<html><h1>sorry</h1></html>"), QueryError::Unreadable),
        (unsigned("<xml><return_code>SUCCESS"), QueryError::Unreadable),
        (unsigned("<!DOCTYPE xml><xml></xml>"), QueryError::Unreadable),
        (unsigned(""), QueryError::Unreadable),
        (Act::Say("x".repeat(LARGEST_ANSWER + 1)), QueryError::TooLarge),
        (Act::WriteForever, QueryError::TooLarge),
    ];
    let good = StandIn::start(&[paid()]).await;
    for (act, expected) in failures {
        let bad = StandIn::start(std::slice::from_ref(&act)).await;
        let asked = ask(&client(&[&bad, &good])).await.unwrap();
        assert_eq!((&*asked.host, asked.attempts), (good.origin().as_str(), 2), "{expected:?}");
        assert_eq!(ask(&client(&[&bad])).await, Err(expected));
        assert_eq!(ask(&client(&[&bad, &bad])).await, Err(expected));
    }
    let asked = ask(&client(&[&nobody().await, &good])).await.unwrap();
    assert_eq!((&*asked.host, asked.attempts), (good.origin().as_str(), 2));
    assert_eq!(ask(&client(&[&nobody().await])).await, Err(QueryError::Transport));
}

#[tokio::test]
async fn the_only_host_is_asked_again_when_it_broke_off() {
    let host = StandIn::start(&[Act::Close, paid()]).await;
    assert_eq!(ask(&client(&[&host])).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn a_silent_host_is_not_waited_for() {
    let (silent, good) = (StandIn::start(&[Act::Wait]).await, StandIn::start(&[paid()]).await);
    let hedging = Settings { hedge_after: Duration::from_millis(20), ..settings(&[&silent, &good]) };
    let asked = ask(&WeChatPay::new(&hedging).unwrap()).await.unwrap();
    assert_eq!((&*asked.host, asked.attempts), (good.origin().as_str(), 2));
    assert_eq!(silent.queries().len(), 1);
}

#[tokio::test]
async fn a_hedge_that_fails_does_not_end_the_wait_for_the_first() {
    let (slow, bad) = (StandIn::start(&[Act::Wait]).await, StandIn::start(&[Act::Close]).await);
    let hedging = Settings { hedge_after: Duration::from_millis(20), ..settings(&[&slow, &bad]) };
    let client = WeChatPay::new(&hedging).unwrap();
    assert_eq!(ask_within(&client, Duration::from_millis(500)).await, Err(QueryError::Timeout));
    assert_eq!((slow.queries().len(), bad.queries().len()), (1, 1));
}

#[tokio::test]
async fn the_deadline_holds_whatever_the_hosts_do() {
    let (silent, other) = (StandIn::start(&[Act::Wait]).await, StandIn::start(&[Act::Wait]).await);
    let hedging = Settings { hedge_after: Duration::from_millis(10), ..settings(&[&silent, &other]) };
    let client = WeChatPay::new(&hedging).unwrap();
    let started = Instant::now();
    assert_eq!(ask_within(&client, Duration::from_millis(500)).await, Err(QueryError::Timeout));
    assert!((Duration::from_millis(500)..LONG).contains(&started.elapsed()));
    assert_eq!((silent.queries().len(), other.queries().len()), (1, 1));
}

#[tokio::test]
async fn a_query_weighs_little_until_it_is_sent() {
    let client = client(&[&nobody().await]);
    let (account, ask) = (account(), AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap()));
    let size = size_of_val(&client.order_query(&account, &ask, Instant::now()));
    assert!(size < 1024, "{size} bytes are moved with every query");
}

#[tokio::test]
async fn every_query_sent_counts_against_the_budget() {
    let host = StandIn::start(&[badly_signed(), paid()]).await;
    let client = WeChatPay::new(&Settings { queries_per_second: 1, ..settings(&[&host]) }).unwrap();
    assert_eq!(ask(&client).await.unwrap().attempts, 2);
    assert_eq!(ask(&client).await, Err(QueryError::RateLimited));
    assert_eq!(host.queries().len(), 2);
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}
