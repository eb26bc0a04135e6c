//! The two steps of a bill (`docs/reference/wechatpay-v3.md` section 8).

use super::asking::{Counter, nonce, now};
use crate::harness::*;
use crate::wechatpay_v3::sha1;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BILL: &str = "/v3/bill/tradebill?bill_date=2024-01-01";

/// What stands in the place of the bill, whatever it is. HTTP/1.0, so that it comes without chunks.
async fn download(counter: &Counter, link: &Value) -> Vec<u8> {
    let target = link["download_url"].as_str().unwrap();
    let target = target.strip_prefix(&format!("http://{}", counter.world.api)).unwrap();
    let authorization = counter.merchant.authorization("GET", target, now(), &nonce());
    let head =
        format!("GET {target} HTTP/1.0\r\nAuthorization: {authorization}\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n");
    let mut stream = TcpStream::connect(counter.world.api).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(!String::from_utf8_lossy(&answer[..head]).contains("wechatpay-"), "the file is not signed");
    answer.split_off(head + 4)
}

async fn link(counter: &Counter, target: &str) -> Value {
    let answer = counter.get(target).await;
    assert!(answer.0.status == 200 && answer.is_signed_for(&counter.merchant), "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn the_bill_is_the_same_as_that_of_v2_and_has_its_hash() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let plain = link(&counter, BILL).await;
    let text = download(&counter, &plain).await;
    assert_eq!((&plain["hash_type"], &plain["hash_value"]), (&"SHA1".into(), &sha1(&text).into()));
    let question = question(&[("bill_date", "20240101"), ("bill_type", "ALL")]);
    let v2 = http(counter.world.api, "POST", "/pay/downloadbill", &["Connection: close"], &question).await.unwrap();
    let unchunked = String::from_utf8(text.clone()).unwrap();
    assert!(v2.body.contains(unchunked.trim_end()), "{} {unchunked}", v2.body);

    let zipped = link(&counter, &format!("{BILL}&tar_type=GZIP&bill_type=ALL")).await;
    assert!(zipped["download_url"].as_str().unwrap().ends_with("&tartype=gzip"));
    let mut unpacked = Vec::new();
    GzDecoder::new(download(&counter, &zipped).await.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);
    assert_eq!(zipped["hash_value"], plain["hash_value"], "of what is not compressed");
    let (_, asked) = counter.world.control("GET", "/sandbox/bills", "").await;
    let said: Vec<_> =
        asked.as_array().unwrap().iter().map(|asked| format!("{} {}", asked["api"], asked["answer"])).collect();
    assert_eq!(said, [r#""v3" "bill""#, r#""v3" "file""#, r#""v2" "bill""#, r#""v3" "bill""#, r#""v3" "file""#]);
}

#[tokio::test]
async fn a_link_is_for_its_merchant_and_for_a_while() {
    let counter = Counter::open().await;
    counter.world.pay("A1");
    let made = link(&counter, BILL).await;
    let target = made["download_url"].as_str().unwrap().to_owned();
    let target = target.strip_prefix(&format!("http://{}", counter.world.api)).unwrap();
    let others = counter.ask(&counter.provider, target, None).await;
    assert_eq!(others.code(), (400, "INVALID_REQUEST".to_owned()));
    counter.world.control("PUT", "/sandbox/bills/settings", r#"{"link_seconds":0}"#).await;
    let late = counter.get(target).await;
    assert_eq!(late.code(), (400, "INVALID_REQUEST".to_owned()));
    assert!(late.0.body.contains("下载链接过期"));
}

#[tokio::test]
async fn a_day_without_trades_and_a_bill_in_the_making_are_refused() {
    let counter = Counter::open().await;
    assert_eq!(counter.get(BILL).await.code(), (400, "NO_STATEMENT_EXIST".to_owned()));
    counter.world.pay("A1");
    counter.world.control("PUT", "/sandbox/bills/settings", r#"{"creating":1}"#).await;
    assert_eq!(counter.get(BILL).await.code(), (400, "STATEMENT_CREATING".to_owned()));
    link(&counter, BILL).await;
    let refunds = counter.get(&format!("{BILL}&bill_type=REFUND")).await;
    assert_eq!(refunds.code(), (400, "NO_STATEMENT_EXIST".to_owned()));
}

#[tokio::test]
async fn a_hash_can_be_wrong_and_a_large_bill_is_hashed_too() {
    let counter = Counter::open().await;
    let generated = r#"{"generated_rows":20000,"generated_day":"20240101"}"#;
    counter.world.control("PUT", "/sandbox/bills/settings", generated).await;
    let made = link(&counter, BILL).await;
    let text = download(&counter, &made).await;
    assert!(text.len() > 1_000_000 && made["hash_value"] == sha1(&text).as_str());
    counter.world.control("PUT", "/sandbox/bills/settings", &generated.replace('}', r#","wrong_hash":true}"#)).await;
    let made = link(&counter, BILL).await;
    assert_ne!(made["hash_value"], sha1(&download(&counter, &made).await).as_str());
}
