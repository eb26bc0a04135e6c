use super::*;
use crate::provider::wechat::client::tests::v3::{PLATFORM, downloads, list, said, signed_by};
use crate::provider::wechat::client::tests::{Act, LONG, StandIn, client, nobody};
use crate::provider::wechat::v3::tests::{account, keys, platform_key, wechat_key};
use futures_util::future::join_all;

fn listed(name: &str) -> Act {
    signed_by(&platform_key(), PLATFORM, "200 OK", &list(name))
}

/// The downloads of a client of these hosts, at another pace.
fn certificates(hosts: &[&StandIn], pace: Duration) -> Arc<Certificates> {
    let client = client(hosts);
    let new = Certificates::new(client.http.clone(), client.hosts.clone(), QueryMeters::default());
    Arc::new(Certificates { pace, grace: Duration::ZERO, ..new })
}

async fn fetch(certificates: &Arc<Certificates>, within: Duration) -> Outcome {
    let now = Instant::now();
    certificates.fetch(&downloads(), now, now + within).await
}

fn knows(certificates: &Certificates) -> bool {
    certificates.known.find(&downloads().mch_id, PLATFORM, clock::now()).is_some()
}

#[tokio::test]
async fn all_who_need_certificates_at_the_same_time_wait_for_one_download() {
    let host = StandIn::start(&[listed("two")]).await;
    let certificates = certificates(&[&host], PACE);
    let fetched = join_all((0..20).map(|_| fetch(&certificates, LONG))).await;
    assert!(fetched.iter().all(Result::is_ok) && knows(&certificates));
    assert_eq!(host.queries().len(), 1);
    let head = host.seen.lock().heads[0].clone();
    assert!(head.starts_with("GET /v3/certificates HTTP/1.1\r\n") && head.contains("authorization: WECHATPAY2-SHA256"));
}

#[tokio::test]
async fn the_next_download_waits_for_its_turn_or_is_not_waited_for() {
    let host = StandIn::start(&[listed("two")]).await;
    let certificates = certificates(&[&host], Duration::from_millis(300));
    let began = Instant::now();
    assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    assert_eq!(fetch(&certificates, Duration::from_millis(10)).await, Ok(()), "what the last one said");
    assert_eq!(host.queries().len(), 1);
    assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    assert!(began.elapsed() >= Duration::from_millis(300) && host.queries().len() == 2);
    // One that began since the question was asked tells already.
    assert_eq!(certificates.fetch(&downloads(), began, Instant::now() + LONG).await, Ok(()));
    assert_eq!(host.queries().len(), 2);
}

/// Who looked for a key just before a download ended, and needs it just after.
#[tokio::test]
async fn a_download_that_has_just_ended_tells_too() {
    let host = StandIn::start(&[listed("two")]).await;
    let client = client(&[&host]);
    let new = Certificates::new(client.http.clone(), client.hosts.clone(), QueryMeters::default());
    let certificates = Arc::new(Certificates { grace: LONG, ..new });
    assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    assert_eq!(host.queries().len(), 1);
}

#[tokio::test]
async fn a_failure_is_told_at_once_until_the_next_turn() {
    let failing = StandIn::start(&[said("500 Oops", "", &[]), listed("one")]).await;
    let certificates = certificates(&[&failing], Duration::from_millis(300));
    assert_eq!(fetch(&certificates, LONG).await, Err(Unavailable));
    assert_eq!(fetch(&certificates, Duration::from_millis(10)).await, Err(Unavailable));
    assert_eq!(failing.queries().len(), 1);
    assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    assert!(knows(&certificates));
}

#[tokio::test]
async fn a_merchant_without_certificates_is_no_failure() {
    let not_there = r#"{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书"}"#;
    for act in
        [said("404 Not Found", not_there, &[]), said("403 Forbidden", r#"{"code":"NO_AUTH"}"#, &[]), listed("none")]
    {
        let host = StandIn::start(&[act]).await;
        let certificates = certificates(&[&host], PACE);
        assert_eq!(fetch(&certificates, LONG).await, Ok(()));
        assert!(!knows(&certificates));
    }
}

#[tokio::test]
async fn a_list_is_believed_only_if_its_answer_is_signed_by_one_in_it_or_by_a_known_key() {
    let believed = listed("one");
    let by_public_key =
        signed_by(&wechat_key(), "PUB_KEY_ID_0114000000000000000000000000000000", "200 OK", &list("one"));
    let with_both = account();
    let with_both = Credentials {
        api: crate::provider::wechat::Api::V3(Keys {
            platform: crate::provider::wechat::v3::PlatformCertificates::Auto,
            ..keys()
        }),
        ..with_both
    };
    for (account, act, expected) in [
        (downloads(), believed, Ok(())),
        (with_both, by_public_key.clone(), Ok(())),
        (downloads(), by_public_key, Err(Unavailable)),
        (downloads(), said("200 OK", &list("one"), &[]), Err(Unavailable)),
        (downloads(), signed_by(&wechat_key(), PLATFORM, "200 OK", &list("one")), Err(Unavailable)),
        (downloads(), listed("with another key"), Err(Unavailable)),
        (downloads(), listed("under another serial"), Err(Unavailable)),
        (downloads(), signed_by(&platform_key(), PLATFORM, "200 OK", "[]"), Err(Unavailable)),
    ] {
        let host = StandIn::start(&[act]).await;
        let certificates = certificates(&[&host], PACE);
        let now = Instant::now();
        assert_eq!(certificates.fetch(&account, now, now + LONG).await, expected);
        assert_eq!(knows(&certificates), expected.is_ok());
    }
}

#[tokio::test]
async fn the_other_host_is_asked_when_one_fails_and_a_probe_is_asked_about_again() {
    let good = StandIn::start(&[listed("one")]).await;
    for bad in [nobody().await, StandIn::start(&[said("502 Oops", "<html>", &[])]).await] {
        let certificates = certificates(&[&bad, &good], PACE);
        assert_eq!(fetch(&certificates, LONG).await, Ok(()));
    }
    let headers = [
        ("Wechatpay-Timestamp", "1"),
        ("Wechatpay-Nonce", "n"),
        ("Wechatpay-Signature", "WECHATPAY/SIGNTEST/x"),
        ("Wechatpay-Serial", PLATFORM),
    ];
    let probing = StandIn::start(&[said("200 OK", &list("one"), &headers), listed("one")]).await;
    assert_eq!(fetch(&certificates(&[&probing], PACE), LONG).await, Ok(()));
    assert_eq!(probing.queries().len(), 2);
}

#[tokio::test]
async fn what_is_tended_is_downloaded_once_and_only_where_nothing_else_verifies() {
    let host = StandIn::start(&[listed("one")]).await;
    let downloaded = certificates(&[&host], Duration::ZERO);
    for _ in 0..3 {
        downloaded.tend(&downloads(), downloads().v3().unwrap()).await;
    }
    assert!(knows(&downloaded));
    assert_eq!(host.queries().len(), 1);
    downloaded.tend(&account(), account().v3().unwrap()).await;
    assert_eq!(host.queries().len(), 1);

    let failing = StandIn::start(&[said("500 Oops", "", &[]), listed("one")]).await;
    let tried = certificates(&[&failing], Duration::ZERO);
    for _ in 0..3 {
        tried.tend(&downloads(), downloads().v3().unwrap()).await;
    }
    assert_eq!(failing.queries().len(), 2, "a failure is tried again, a success is not");
}
