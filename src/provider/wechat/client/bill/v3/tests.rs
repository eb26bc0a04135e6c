use super::*;
use crate::provider::bill::{BillType, Row};
use crate::provider::wechat::client::bill::TIMEOUTS;
use crate::provider::wechat::client::bill::tests::{bill, day, gzip};
use crate::provider::wechat::client::tests::v3::{PLATFORM, said, signed_by};
use crate::provider::wechat::client::tests::{Act, StandIn, client};
use crate::provider::wechat::v3::tests::{account, platform_key, wechat_key};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const KEY_ID: &str = "PUB_KEY_ID_0114000000000000000000000000000000";

fn sha1(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes))
}

/// The signed answer that says where a bill is.
fn link(host: &str, sha1: &str) -> Act {
    let url = format!("{host}/v3/billdownload/file?token=6XIv_5Z-x&tartype=gzip");
    let body = format!(r#"{{"download_url":"{url}","hash_type":"SHA1","hash_value":"{sha1}"}}"#);
    signed_by(&wechat_key(), KEY_ID, "200 OK", &body)
}

fn file(bytes: &[u8]) -> Act {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
    Act::Write([head.as_bytes(), bytes].concat())
}

/// A host that answers with the link to a file of its own, and then these.
async fn with_link(sha1: &str, files: &[Act]) -> StandIn {
    // The link names the host, whose address is known when it listens.
    StandIn::start_at(|origin| [&[link(origin, sha1)], files].concat()).await
}

async fn download(host: &StandIn) -> Result<usize, BillError> {
    let client = client(&[host]);
    let query = Query { account: &account(), date: day(), bill_type: BillType::All, timeouts: TIMEOUTS };
    let mut stream = client.download(query).await?;
    let mut payments = 0;
    while let Some(rows) = stream.next().await? {
        payments += rows.iter().filter(|row| matches!(row, Row::Payment(_))).count();
    }
    assert!(stream.summary().is_some());
    Ok(payments)
}

#[tokio::test]
async fn it_is_asked_for_in_two_signed_steps() {
    let text = bill(3);
    let host = with_link(&sha1(text.as_bytes()), &[file(&gzip(&text))]).await;
    assert_eq!(download(&host).await, Ok(3));
    let heads = host.seen.lock().heads.clone();
    assert_eq!(heads.len(), 2);
    assert!(
        heads[0].starts_with("GET /v3/bill/tradebill?bill_date=2024-01-01&bill_type=ALL&tar_type=GZIP HTTP/1.1\r\n")
    );
    assert!(heads[1].starts_with("GET /v3/billdownload/file?token=6XIv_5Z-x&tartype=gzip HTTP/1.1\r\n"));
    for head in &heads {
        assert!(head.contains("authorization: WECHATPAY2-SHA256-RSA2048 mchid=\"1900009191\""), "{head}");
        assert!(head.contains(&format!("wechatpay-serial: {KEY_ID}")), "{head}");
    }
    assert!(heads[1].contains("accept: */*") && heads[0].contains("accept: application/json"));
}

#[tokio::test]
async fn the_hash_may_be_of_the_text_or_of_what_was_received() {
    let text = bill(3);
    let packed = gzip(&text);
    for (hash, bytes) in [
        (sha1(text.as_bytes()), &packed),
        (sha1(&packed), &packed),
        (sha1(text.as_bytes()), &text.clone().into_bytes()),
    ] {
        assert_eq!(download(&with_link(&hash, &[file(bytes)]).await).await, Ok(3));
    }
    let host = with_link(&sha1(b"another"), &[file(&packed)]).await;
    assert_eq!(download(&host).await, Err(BillError::OtherHash));
}

#[tokio::test]
async fn a_large_one_comes_twice_and_must_be_the_same() {
    // Not compressed, so that little is needed.
    let text = bill(120_000);
    assert!(text.len() > KEPT);
    let (hash, bytes) = (sha1(text.as_bytes()), text.into_bytes());
    let host = with_link(&hash, &[file(&bytes), file(&bytes)]).await;
    assert_eq!(download(&host).await, Ok(120_000));
    assert_eq!(host.queries().len(), 3);
    let mut changed = bytes.clone();
    let at = changed.len() - 100;
    changed[at] ^= 1;
    let host = with_link(&hash, &[file(&bytes), file(&changed)]).await;
    assert_eq!(download(&host).await, Err(BillError::OtherHash));
    let host = with_link(&hash, &[file(&bytes), file(&bytes[..at])]).await;
    assert_eq!(download(&host).await, Err(BillError::OtherHash));
}

#[tokio::test]
async fn no_row_is_used_of_a_bill_that_is_cut_off_or_has_another_hash() {
    let text = bill(3);
    let hash = sha1(text.as_bytes());
    let packed = gzip(&text);
    for bytes in [&packed[..packed.len() - 9], text.replace("SUCCESS", "REFUNDS").as_bytes()] {
        let host = with_link(&hash, &[file(bytes)]).await;
        let query = Query { account: &account(), date: day(), bill_type: BillType::All, timeouts: TIMEOUTS };
        assert!(client(&[&host]).download(query).await.is_err());
    }
}

#[tokio::test]
async fn only_hosts_of_wechat_pays_are_followed() {
    let elsewhere = StandIn::start(&[file(&gzip(&bill(3)))]).await;
    let hash = sha1(bill(3).as_bytes());
    let host = StandIn::start(&[link(&elsewhere.origin(), &hash)]).await;
    assert_eq!(download(&host).await, Err(BillError::Elsewhere));
    let to = format!("Location: {}/v3/billdownload/file", elsewhere.origin());
    let moved = Act::Write(format!("HTTP/1.1 302 Go\r\n{to}\r\nContent-Length: 0\r\n\r\n").into_bytes());
    assert_eq!(download(&with_link(&hash, &[moved]).await).await, Err(BillError::HttpStatus(302)));
    assert!(elsewhere.queries().is_empty());
}

#[tokio::test]
async fn what_says_where_it_is_must_be_signed() {
    let hash = sha1(bill(3).as_bytes());
    let body = format!(r#"{{"download_url":"http://127.0.0.1/","hash_type":"SHA1","hash_value":"{hash}"}}"#);
    for (act, word) in [
        (said("200 OK", &body, &[]), "unsigned"),
        (signed_by(&platform_key(), KEY_ID, "200 OK", &body), "badly-signed"),
        (signed_by(&platform_key(), PLATFORM, "200 OK", &body), "serial-unknown"),
    ] {
        let host = StandIn::start(&[act]).await;
        assert_eq!(download(&host).await, Err(BillError::NotBelieved(word)));
        assert_eq!(host.queries().len(), 2, "asked once more");
    }
    let no_link = signed_by(&wechat_key(), KEY_ID, "200 OK", r#"{"download_url":"http://127.0.0.1/"}"#);
    assert_eq!(download(&StandIn::start(&[no_link]).await).await, Err(BillError::Unreadable));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    use crate::provider::bill;
    let refused = |status: &str, code: &str| said(status, &format!(r#"{{"code":"{code}","message":"说明"}}"#), &[]);
    for (act, expected) in [
        (refused("400 Bad", "NO_STATEMENT_EXIST"), "none"),
        (refused("400 Bad", "STATEMENT_CREATING"), "later"),
        (refused("400 Bad", "PARAM_ERROR"), "never"),
        (refused("401 No", "SIGN_ERROR"), "never"),
        (refused("403 No", "NO_AUTH"), "never"),
        (refused("429 Slow", "FREQUENCY_LIMITED"), "later"),
        (refused("500 Oops", "SYSTEM_ERROR"), "later"),
        (refused("500 Oops", "SOMETHING_NEW"), "later"),
        (said("502 Oops", "<html>", &[]), "later"),
        (Act::Close, "later"),
    ] {
        let host = StandIn::start(std::slice::from_ref(&act)).await;
        let seen = match download(&host).await.unwrap_err().into() {
            bill::BillError::NoBill(_) => "none",
            bill::BillError::TryAgain(_) => "later",
            bill::BillError::Permanent(_) => "never",
        };
        assert_eq!(seen, expected, "{act:?}");
    }
}
