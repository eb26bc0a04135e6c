mod stand_in;

use super::*;
use crate::domain::order::{AppId, MerchantId, OutTradeNo};
use crate::domain::secret::Secret;
use crate::net::xml::{self, Fields};
use crate::provider::wechat::sign::{SignType, sign};
use crate::provider::wechat::v2::Keys;
use crate::provider::wechat::{Api, ApiKey};
use parking_lot::Mutex;
use stand_in::read_request;
pub(super) use stand_in::{Act, StandIn, nobody, response};
use tokio::net::TcpListener;

pub(super) const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
const ORDER: &str = "ORDER20240101000001";

/// Longer than any test takes that does not wait for it.
pub(super) const LONG: Duration = Duration::from_secs(30);

pub(super) fn account() -> Credentials {
    let key = ApiKey::parse(Secret::new(KEY.to_owned())).unwrap();
    Credentials {
        api: Api::V2(Keys::from_list([key], SignType::Md5).unwrap()),
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
    assert_eq!((asked.answer.signature, asked.attempts), (Signature::Valid, 1));
    assert_eq!(asked.answer.out_trade_no.as_deref(), Some(ORDER));
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

/// Threat V-04.
#[tokio::test]
async fn transient_answers_are_asked_about_once_more_with_a_fresh_nonce() {
    let system_error = include_str!("../../../../tests/fixtures/wechat/system-error.xml");
    let no_sign = "<xml><return_code>SUCCESS</return_code><trade_state>SUCCESS</trade_state></xml>";
    for act in
        [badly_signed(), unsigned(no_sign), unsigned(system_error), error("SYSTEMERROR"), error("BIZERR_NEED_RETRY")]
    {
        let host = StandIn::start(&[act.clone(), paid()]).await;
        let asked = ask(&client(&[&host])).await.unwrap();
        assert_eq!((asked.answer.signature, asked.attempts), (Signature::Valid, 2));
        let queries = host.queries();
        let nonces =
            queries.iter().map(|text| Fields::read(text.as_bytes()).unwrap().get("nonce_str").unwrap().to_owned());
        let nonces: Vec<_> = nonces.collect();
        assert_ne!(nonces[0], nonces[1]);

        let (host, other) = (StandIn::start(std::slice::from_ref(&act)).await, StandIn::start(&[paid()]).await);
        let asked = ask(&client(&[&host, &other])).await.unwrap();
        assert_eq!((&*asked.host, asked.attempts), (other.origin().as_str(), 2));

        let always = StandIn::start(std::slice::from_ref(&act)).await;
        let asked = ask(&client(&[&always])).await.unwrap();
        assert_eq!((asked.attempts, always.queries().len()), (2, 2));
    }
}

#[tokio::test]
async fn a_transient_answer_is_better_than_none() {
    let host = StandIn::start(&[error("SYSTEMERROR"), Act::Close]).await;
    assert_eq!(ask(&client(&[&host])).await.unwrap().answer.err_code.as_deref(), Some("SYSTEMERROR"));
    let host = StandIn::start(&[badly_signed(), Act::Wait]).await;
    let asked = ask_within(&client(&[&host]), Duration::from_millis(500)).await.unwrap();
    assert_eq!(asked.answer.signature, Signature::Wrong);
}

#[tokio::test]
async fn answers_that_will_not_change_are_not_asked_about_again() {
    let refused = include_str!("../../../../tests/fixtures/wechat/sign-error.xml");
    let limited = "<xml><return_code>SUCCESS</return_code><err_code>FREQUENCY_LIMITED</err_code></xml>";
    for act in [
        error("FREQUENCY_LIMITED"),
        error("FREQUENCY_LIMIT"),
        error("INVALID_REQ_TOO_MUCH"),
        error("ORDERNOTEXIST"),
        signed(&[("result_code", "SUCCESS"), ("trade_state", "NOTPAY")]),
        unsigned(refused),
        unsigned(limited),
    ] {
        let (host, other) = (StandIn::start(&[act]).await, StandIn::start(&[paid()]).await);
        assert_eq!(ask(&client(&[&host, &other])).await.unwrap().attempts, 1);
        assert_eq!((host.queries().len(), other.queries().len()), (1, 0));
    }
}

/// The acceptance kit sends 50 MB.
#[tokio::test]
async fn an_endless_answer_is_given_up_early() {
    let host = StandIn::start(&[Act::WriteForever]).await;
    assert_eq!(ask(&client(&[&host])).await, Err(QueryError::TooLarge));
    let written = host.seen.lock().written;
    assert!(written < 50_000_000, "{written} bytes were taken in");
    let announced = Act::Write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n<xml><pad>".to_vec());
    assert_eq!(ask(&client(&[&StandIn::start(&[announced]).await])).await, Err(QueryError::TooLarge));
}

/// Threat V-11.
#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = StandIn::start(&[paid()]).await;
    for status in [301, 302, 307, 308] {
        let location = format!(
            "HTTP/1.1 {status} Go\r\nLocation: {}/pay/orderquery\r\nContent-Length: 0\r\n\r\n",
            elsewhere.origin()
        );
        let host = StandIn::start(&[Act::Write(location.into_bytes())]).await;
        assert_eq!(ask(&client(&[&host])).await, Err(QueryError::HttpStatus(status)));
    }
    assert!(elsewhere.queries().is_empty());
}

/// Threat V-11. The environment belongs to the whole process, so the test runs itself once more in one of its own.
#[tokio::test]
async fn proxies_in_the_environment_are_ignored() {
    const NAME: &str = "provider::wechat::client::tests::proxies_in_the_environment_are_ignored";
    let host = StandIn::start(&[paid()]).await;
    if std::env::var_os("HTTP_PROXY").is_some_and(|proxy| proxy == "http://127.0.0.1:9") {
        assert!(ask(&client(&[&host])).await.is_ok());
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args([NAME, "--exact"]).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:9");
    }
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Threat V-11.
#[tokio::test]
async fn a_host_whose_certificate_nobody_vouches_for_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await
                && let Some((_, query)) = read_request(&mut stream).await
            {
                shared.lock().push(query);
            }
        }
    });
    let settings = Settings { hosts: vec![format!("https://{address}")], hedge_after: LONG, queries_per_second: 1000 };
    assert_eq!(ask(&WeChatPay::new(&settings).unwrap()).await, Err(QueryError::Transport));
    assert!(seen.lock().is_empty());
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
async fn a_host_out_of_reach_is_left_alone_and_the_other_goes_on() {
    let (gone, good) = (nobody().await, StandIn::start(&[paid()]).await);
    let both = client(&[&gone, &good]);
    for _ in 0..20 {
        assert_eq!(ask(&both).await.unwrap().attempts, 2);
    }
    assert_eq!(both.hosts().map(|(_, state)| state).collect::<Vec<_>>(), [HostState::Open, HostState::Closed]);
    assert_eq!(ask(&both).await.unwrap().attempts, 1);

    let alone = client(&[&gone]);
    for _ in 0..10 {
        assert_eq!(ask(&alone).await, Err(QueryError::Transport), "tried twice");
    }
    assert_eq!(alone.hosts().next().unwrap().1, HostState::Open);
}

fn open(host: &Host) {
    (0..20).for_each(|_| host.breaker.failed(Instant::now()));
    assert_eq!(host.breaker.host_state(), HostState::Open);
}

#[tokio::test]
async fn a_host_that_is_back_is_asked_although_its_breaker_is_open() {
    for count in 1..=3 {
        let good = StandIn::start(&[paid()]).await;
        let client = Arc::new(client(&vec![&good; count]));
        client.hosts.iter().for_each(|host| open(host));
        let tasks: Vec<_> = (0..30)
            .map(|_| Arc::clone(&client))
            .map(|client| tokio::spawn(async move { ask(&client).await }))
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().attempts, 1);
        }
        assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
    }
}

#[tokio::test]
async fn a_host_that_was_out_of_reach_is_asked_when_the_other_fails_or_is_silent() {
    let good = StandIn::start(&[paid()]).await;
    for act in [Act::Close, Act::Wait] {
        let other = StandIn::start(&[act]).await;
        let hedging = Settings { hedge_after: Duration::from_millis(20), ..settings(&[&good, &other]) };
        let client = WeChatPay::new(&hedging).unwrap();
        open(&client.hosts[0]);
        assert_eq!((ask(&client).await.unwrap().attempts, other.queries().len()), (2, 1));
    }
}

#[tokio::test]
async fn out_of_reach_for_long_a_host_is_tried_once_by_each_query() {
    let client = client(&[&nobody().await]);
    open(&client.hosts[0]);
    let host = StandIn::start(&[Act::Close]).await;
    assert_eq!(ask(&client).await, Err(QueryError::Transport));
    let client = self::client(&[&host]);
    open(&client.hosts[0]);
    assert_eq!(ask(&client).await, Err(QueryError::Transport));
    assert_eq!(host.queries().len(), 1);
}

#[tokio::test]
async fn losing_to_a_hedge_is_no_failure() {
    let (slow, good) = (StandIn::start(&[Act::Wait]).await, StandIn::start(&[paid()]).await);
    let hedging = Settings { hedge_after: Duration::from_millis(1), ..settings(&[&slow, &good]) };
    let client = WeChatPay::new(&hedging).unwrap();
    for _ in 0..25 {
        assert_eq!(&*ask(&client).await.unwrap().host, good.origin());
    }
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}

#[tokio::test]
async fn queries_that_hang_say_nothing_of_a_host_that_has_answered_since() {
    let host = StandIn::start(&[vec![Act::Wait; 25], vec![paid()]].concat()).await;
    let impatient = Settings { hedge_after: Duration::from_millis(1), ..settings(&[&host]) };
    let client = Arc::new(WeChatPay::new(&impatient).unwrap());
    let hanging: Vec<_> = (0..25)
        .map(|_| Arc::clone(&client))
        .map(|client| tokio::spawn(async move { ask_within(&client, Duration::from_secs(1)).await }))
        .collect();
    while host.queries().len() < 25 {
        tokio::task::yield_now().await;
    }
    assert!(ask(&client).await.is_ok());
    for query in hanging {
        assert_eq!(query.await.unwrap(), Err(QueryError::Timeout));
    }
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}

#[tokio::test]
async fn a_query_weighs_little_until_it_is_sent() {
    let client = client(&[&nobody().await]);
    let (account, ask) = (account(), AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap()));
    let size = size_of_val(&client.order_query(&account, &ask, Instant::now()));
    assert!(size < 1024, "{size} bytes are moved with every query");
}

/// Threat V-04.
#[tokio::test]
async fn answers_of_any_kind_leave_the_breaker_closed() {
    for act in [badly_signed(), error("SYSTEMERROR"), Act::Write(response("500 Oops", "")), unsigned("<html>")] {
        let host = StandIn::start(&[act]).await;
        let client = client(&[&host]);
        for _ in 0..25 {
            let _ = ask(&client).await;
        }
        assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
        assert_eq!(host.queries().len(), 50);
    }
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

#[test]
fn a_client_needs_hosts_with_usable_origins() {
    let build = |hosts: &[&str]| {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        WeChatPay::new(&Settings { hosts, hedge_after: LONG, queries_per_second: 20 })
    };
    assert!(build(&["https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com/"]).is_ok());
    assert!(matches!(build(&[]), Err(BuildError::NoHost)));
    for origin in [
        "",
        "api.mch.weixin.qq.com",
        "ftp://api.mch.weixin.qq.com",
        "https://",
        "https://user@example.com",
        "https://example.com/?a=b",
    ] {
        assert!(matches!(build(&[origin]), Err(BuildError::Host(0))), "{origin}");
    }
}

#[test]
fn what_an_answer_says_is_logged_short_and_without_control_characters() {
    assert_eq!(Logged(Some("签名错误\r\n\u{1b}[31m")).to_string(), "签名错误\\r\\n\\u{1b}[31m");
    assert_eq!(Logged(Some(&"x".repeat(1000))).to_string(), "x".repeat(64));
    assert_eq!(Logged(None).to_string(), "-");
}
