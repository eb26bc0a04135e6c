use super::*;
use crate::net::xml::Fields;
use crate::provider::wechat::client::tests::{Act, KEY, StandIn, account, client, nobody, response};
use crate::provider::wechat::sign::{self, SignType};
use crate::provider::wechat::{Api, v2};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const HEADER: &str = "微信订单号,商户订单号,交易状态,订单金额";
const SUMMARY: &str = "总交易单数,订单总金额";

/// A bill of so many payments of 1 yuan.
pub(super) fn bill(payments: usize) -> String {
    let rows: String = (0..payments).map(|number| format!("`42{number},`ORDER{number},`SUCCESS,`1.00\r\n")).collect();
    format!("\u{feff}{HEADER}\r\n{rows}{SUMMARY}\r\n`{payments},`{payments}.00\r\n")
}

pub(super) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn refusal(code: &str, text: &str) -> Act {
    Act::Say(format!(
        "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[{text}]]></return_msg>\n\
         <error_code><![CDATA[{code}]]></error_code>\n</xml>"
    ))
}

/// An answer whose length is announced.
fn sized(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// An answer in chunks, without the one that ends it.
fn chunked(body: &[u8], chunk: usize) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(chunk) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer
}

/// An answer that ends with its connection.
fn unsized_answer(body: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body].concat()
}

pub(super) fn day() -> Date {
    jiff::civil::date(2024, 1, 1)
}

async fn start(hosts: &[&StandIn]) -> Result<BillStream, BillError> {
    client(hosts).download_bill(&account(), day(), BillType::All).await
}

/// How many payments there were, the most in a batch, and how it ended.
async fn take(mut stream: BillStream) -> (usize, usize, Result<Summary, BillError>) {
    let (mut payments, mut most) = (0, 0);
    loop {
        match stream.next().await {
            Ok(Some(rows)) => {
                most = most.max(rows.len());
                payments += rows.iter().filter(|row| matches!(row, Row::Payment(_))).count();
            }
            Ok(None) => return (payments, most, Ok(*stream.summary().unwrap())),
            Err(error) => {
                assert_eq!(stream.next().await, Err(error.clone()), "a failed bill has no end");
                assert_eq!(stream.summary(), None);
                return (payments, most, Err(error));
            }
        }
    }
}

async fn download(hosts: &[&StandIn]) -> Result<usize, BillError> {
    let (payments, _, end) = take(start(hosts).await?).await;
    end.map(|_| payments)
}

#[tokio::test]
async fn it_is_asked_for_compressed_by_a_signed_post() {
    let host = StandIn::start(&[Act::Write(sized(&gzip(&bill(3))))]).await;
    assert_eq!(download(&[&host]).await, Ok(3));
    let head = host.seen.lock().heads[0].to_ascii_lowercase();
    assert!(head.starts_with("post /pay/downloadbill http/1.1\r\n") && !head.contains("accept-encoding"), "{head}");
    let query = host.queries().remove(0);
    let query = Fields::read(query.as_bytes()).unwrap();
    let names: Vec<_> = query.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["appid", "mch_id", "nonce_str", "bill_date", "bill_type", "tar_type", "sign"]);
    assert_eq!((query.get("bill_date"), query.get("bill_type")), (Some("20240101"), Some("ALL")));
    assert_eq!(query.get("tar_type"), Some("GZIP"));
    assert_eq!(sign::sign(query.iter(), KEY.as_bytes(), SignType::Md5), query.get("sign").unwrap());
}

#[test]
fn the_question_is_signed_as_the_account_signs() {
    let mut keys = account().v2().unwrap().clone();
    keys.sign_type = SignType::HmacSha256;
    let account = Credentials { api: Api::V2(keys), sub_mch_id: Some("1900000109".parse().unwrap()), ..account() };
    let query = v2::write_bill_query(&account, account.v2().unwrap(), day(), BillType::Success, false, "nonce");
    let query = Fields::read(query.as_bytes()).unwrap();
    assert_eq!((query.get("sign_type"), query.get("bill_type")), (Some("HMAC-SHA256"), Some("SUCCESS")));
    assert_eq!((query.get("tar_type"), query.get("sub_mch_id")), (None, None));
    assert_eq!(sign::sign(query.iter(), KEY.as_bytes(), SignType::HmacSha256), query.get("sign").unwrap());
}

#[tokio::test]
async fn it_comes_compressed_or_not_in_any_framing_a_thousand_rows_at_a_time() {
    let (text, packed) = (bill(5000).into_bytes(), gzip(&bill(5000)));
    let end = b"0\r\n\r\n".to_vec();
    for answer in [
        sized(&text),
        sized(&packed),
        [chunked(&text, 7000), end.clone()].concat(),
        [chunked(&packed, 1), end].concat(),
        unsized_answer(&text),
        unsized_answer(&packed),
    ] {
        let host = StandIn::start(&[Act::Write(answer)]).await;
        let stream = start(&[&host]).await.unwrap();
        assert_eq!((stream.host(), stream.summary()), (host.origin().as_str(), None));
        let (payments, most, end) = take(stream).await;
        let summary = end.unwrap();
        assert_eq!((payments, summary.rows, summary.contradictions().count()), (5000, 5000, 0));
        assert!(most < 2 * BATCH, "{most}");
        assert_eq!(host.queries().len(), 1);
    }
}

#[tokio::test]
async fn a_day_without_trades_is_a_bill_too() {
    for text in [bill(0), format!("{HEADER}\r\n")] {
        let host = StandIn::start(&[Act::Write(sized(text.as_bytes()))]).await;
        assert_eq!(download(&[&host]).await, Ok(0));
    }
    let ambiguous = StandIn::start(&[Act::Write(unsized_answer(format!("{HEADER}\r\n").as_bytes()))]).await;
    assert_eq!(download(&[&ambiguous]).await, Err(BillError::CutOff));
}

#[tokio::test]
async fn it_is_asked_for_plain_if_it_cannot_be_compressed() {
    for text in ["CompressGZip Error", "UnCompressGZip Error"] {
        let host = StandIn::start(&[refusal("20004", text), Act::Say(bill(2))]).await;
        let other = StandIn::start(&[Act::Say(bill(9))]).await;
        assert_eq!(download(&[&host, &other]).await, Ok(2));
        let queries = host.queries();
        assert_eq!(queries.iter().map(|query| query.contains("GZIP")).collect::<Vec<_>>(), [true, false]);
    }
    let never = StandIn::start(&[refusal("20004", "CompressGZip Error")]).await;
    let refused = download(&[&never]).await.unwrap_err();
    assert_eq!((super::refused(&refused), never.queries().len()), (Some(RefusalKind::CompressFailed), 2));
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_no_other_host_is_asked() {
    for (code, text, kind) in [
        ("20002", "No Bill Exist", RefusalKind::NoBill),
        ("20001", "sign error", RefusalKind::Configuration),
        ("", "Bill Creating", RefusalKind::Creating),
        ("", "SYSTEMERROR", RefusalKind::Busy),
    ] {
        let (host, other) = (StandIn::start(&[refusal(code, text)]).await, StandIn::start(&[Act::Say(bill(1))]).await);
        let error = start(&[&host, &other]).await.unwrap_err();
        assert_eq!((super::refused(&error), other.queries().len()), (Some(kind), 0));
    }
}

#[tokio::test]
async fn the_next_host_is_asked_when_one_fails_before_the_first_row() {
    let packed = gzip(&bill(5000));
    let good = StandIn::start(&[Act::Say(bill(1))]).await;
    for (act, expected) in [
        (Act::Close, BillError::Transport),
        (Act::Write(b"no HTTP at all\r\n\r\n".to_vec()), BillError::Transport),
        (Act::Write(response("502 Bad Gateway", "<html></html>")), BillError::HttpStatus(502)),
        (Act::Write(response("302 Found", "")), BillError::HttpStatus(302)),
        (Act::Say("<html><h1>sorry</h1></html>".to_owned()), BillError::Unreadable),
        (Act::Say(String::new()), BillError::CutOff),
        (Act::Write(chunked(HEADER.as_bytes(), 100)), BillError::CutOff),
        (Act::Write(sized(&packed[..100])), BillError::CutOff),
        (Act::Write(sized(b"\x1f\x8bnothing of the kind")), BillError::Damaged),
    ] {
        let bad = StandIn::start(std::slice::from_ref(&act)).await;
        assert_eq!(download(&[&bad]).await, Err(expected.clone()), "{act:?}");
        assert_eq!(download(&[&bad, &good]).await, Ok(1), "{act:?}");
    }
    assert_eq!(download(&[&nobody().await, &good]).await, Ok(1));
    assert_eq!(download(&[&nobody().await]).await, Err(BillError::Transport));
}

#[tokio::test]
async fn a_bill_that_breaks_off_gives_its_rows_and_is_never_whole() {
    let other = StandIn::start(&[Act::Say(bill(1))]).await;
    let text = bill(5000);
    let without_end = &text.as_bytes()[..text.len() - SUMMARY.len() - 20];
    let packed = gzip(&text);
    let most = &packed[..packed.len() - 4];
    for answer in [
        chunked(without_end, 1000),
        [chunked(without_end, 1000), b"0\r\n\r\n".to_vec()].concat(),
        sized(without_end),
        unsized_answer(without_end),
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", without_end].concat(),
        sized(most),
        chunked(most, 1000),
    ] {
        let host = StandIn::start(&[Act::Write(answer)]).await;
        let (payments, _, end) = take(start(&[&host, &other]).await.unwrap()).await;
        assert!(payments > 4900 && end == Err(BillError::CutOff), "{payments} {end:?}");
    }
    assert!(other.queries().is_empty());
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let timeouts = Timeouts { answer: Duration::from_millis(200), silence: Duration::from_millis(200) };
    let account = account();
    let query = Query { account: &account, date: day(), bill_type: BillType::All, timeouts };
    let good = StandIn::start(&[Act::Say(bill(1))]).await;
    let silent = StandIn::start(&[Act::Wait]).await;
    assert_eq!(client(&[&silent]).download(query).await.unwrap_err(), BillError::Timeout);
    assert_eq!(take(client(&[&silent, &good]).download(query).await.unwrap()).await.0, 1);

    let half = chunked(bill(5000).get(..100_000).unwrap().as_bytes(), 1000);
    let stalls = StandIn::start(&[Act::WriteAndWait(half)]).await;
    let (payments, _, end) = take(client(&[&stalls]).download(query).await.unwrap()).await;
    assert!(payments > 2000 && end == Err(BillError::Timeout), "{payments} {end:?}");
}

#[tokio::test]
async fn who_stops_waiting_loses_no_row() {
    let text = bill(5000);
    let (start, rest) = text.split_at(100_000);
    let host = StandIn::start(&[Act::WriteAndWait(chunked(start.as_bytes(), 1000))]).await;
    let account = account();
    let timeouts = Timeouts { answer: Duration::from_secs(30), silence: Duration::from_secs(30) };
    let query = Query { account: &account, date: day(), bill_type: BillType::All, timeouts };
    let mut stream = client(&[&host]).download(query).await.unwrap();
    let mut rows = 0;
    while let Ok(batch) = timeout(Duration::from_millis(200), stream.next()).await {
        rows += batch.unwrap().unwrap().len();
    }
    let State::Reading(reading) = &stream.state else { panic!("it waits for the rest of {} bytes", rest.len()) };
    assert_eq!(rows + reading.rows.len(), start.matches("1.00\r\n").count());
}
