//! What is done with what a host answers.

use super::*;

/// Threat V-04.
#[tokio::test]
async fn transient_answers_are_asked_about_once_more_with_a_fresh_nonce() {
    let system_error = include_str!("../../../../../tests/fixtures/wechat/system-error.xml");
    let no_sign = "<xml><return_code>SUCCESS</return_code><trade_state>SUCCESS</trade_state></xml>";
    for act in
        [badly_signed(), unsigned(no_sign), unsigned(system_error), error("SYSTEMERROR"), error("BIZERR_NEED_RETRY")]
    {
        let host = StandIn::start(&[act.clone(), paid()]).await;
        let asked = ask(&client(&[&host])).await.unwrap();
        assert_eq!((v2(&asked).signature, asked.attempts), (Signature::Valid, 2));
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
    let asked = ask(&client(&[&host])).await.unwrap();
    assert_eq!(v2(&asked).err_code.as_deref(), Some("SYSTEMERROR"));
    let host = StandIn::start(&[badly_signed(), Act::Wait]).await;
    let asked = ask_within(&client(&[&host]), Duration::from_millis(500)).await.unwrap();
    assert_eq!(v2(&asked).signature, Signature::Wrong);
}

#[tokio::test]
async fn answers_that_will_not_change_are_not_asked_about_again() {
    let refused = include_str!("../../../../../tests/fixtures/wechat/sign-error.xml");
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

#[test]
fn what_an_answer_says_is_logged_short_and_without_control_characters() {
    assert_eq!(Logged(Some("签名错误\r\n\u{1b}[31m")).to_string(), "签名错误\\r\\n\\u{1b}[31m");
    assert_eq!(Logged(Some(&"x".repeat(1000))).to_string(), "x".repeat(64));
    assert_eq!(Logged(None).to_string(), "-");
}
