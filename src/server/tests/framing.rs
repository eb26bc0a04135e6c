//! Messages that two programs may read differently: one refusal, one request handled, and nothing behind it read.

use super::*;

/// What an attacker hides behind a message.
const MARKER: &str = "POST /marker HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n";

async fn assert_refused(fixture: &Fixture, bytes: &[u8], status: &str) {
    let before = fixture.seen().len();
    let text = fixture.answers_to(&[bytes, MARKER.as_bytes(), MARKER.as_bytes()].concat()).await;
    let shown = bytes.escape_ascii();
    assert!(text.starts_with(status), "{shown} got {text}");
    assert_eq!(count_answers(&text), 1, "{shown} got {text}");
    assert!(text.contains("connection: close\r\n"), "{shown} got {text}");
    let seen = fixture.seen();
    assert_eq!(seen.len(), before + 1, "{shown} was seen as {:?}", &seen[before..]);
    assert!(!seen[before].contains("marker"), "{shown}");
}

#[tokio::test]
async fn p01_length_and_chunked_together_are_refused_in_either_order() {
    let fixture = Fixture::start(WIDE).await;
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nX: y\r\nTransfer-Encoding: chunked",
    ] {
        let head = format!("POST /pay HTTP/1.1\r\nHost: shop\r\n{fields}\r\n\r\n0\r\n\r\n");
        assert_refused(&fixture, head.as_bytes(), "HTTP/1.1 400").await;
        assert_eq!(fixture.seen().last().unwrap(), "POST /pay request-malformed");
    }
}

#[tokio::test]
async fn p02_odd_lengths_are_refused() {
    let fixture = Fixture::start(WIDE).await;
    for value in [
        "",
        "+3",
        "-3",
        "0x3",
        "003",
        "3,3",
        "3, 3",
        "3 3",
        "3;",
        "3.0",
        "\"3\"",
        "3\r\nContent-Length: 3",
        "99999999999999999999",
    ] {
        let message = format!("POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: {value}\r\n\r\nabc");
        assert_refused(&fixture, message.as_bytes(), "HTTP/1.1 400").await;
    }
}

#[tokio::test]
async fn p03_transfer_codings_other_than_chunked_are_refused() {
    let fixture = Fixture::start(WIDE).await;
    for value in [
        "gzip, chunked",
        ",chunked",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked, gzip",
        "identity",
        "xchunked",
        "chunked;q=1",
        "\x0bchunked",
        "\r\n chunked",
    ] {
        let message =
            format!("POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: {value}\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        assert_refused(&fixture, message.as_bytes(), "HTTP/1.1 400").await;
    }
    let space = b"POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n";
    assert_refused(&fixture, space, "HTTP/1.1 400").await;
    let old = b"POST /pay HTTP/1.0\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_refused(&fixture, old, "HTTP/1.1 400").await;
}

#[tokio::test]
async fn p04_broken_chunks_are_refused() {
    let fixture = Fixture::start(WIDE).await;
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3;\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "g\r\n",
    ] {
        let message = format!("POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_refused(&fixture, message.as_bytes(), "HTTP/1.1 400").await;
        assert_eq!(fixture.seen().last().unwrap(), "POST /pay request-malformed", "{body:?}");
    }
}

#[tokio::test]
async fn p04_nothing_behind_a_chunked_message_is_read() {
    let fixture = Fixture::start(WIDE).await;
    let message = "POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\
                   X-Verified-Transaction-Id: 1\r\n\r\n";
    assert_refused(&fixture, message.as_bytes(), "HTTP/1.1 200").await;
    assert_eq!(fixture.seen(), ["POST /pay abcde"]);
    let extra = format!("{}x", message);
    assert_refused(&fixture, extra.as_bytes(), "HTTP/1.1 200").await;
}

#[tokio::test]
async fn p05_and_p07_heads_that_are_not_clean_are_refused() {
    let fixture = Fixture::start(WIDE).await;
    let heads: [&[u8]; 12] = [
        b"GET /pay HTTP/1.1\nHost: shop\n\n",
        b"GET /pay HTTP/1.1\r\nHost: shop\r\nX: a\rb\r\n\r\n",
        b"GET /pay HTTP/1.1\r\nHost: shop\r\nX: a\0b\r\n\r\n",
        b"GET /pay HTTP/1.1\r\nHost: shop\r\nX: a\r\n b\r\n\r\n",
        b"GET /pay HTTP/1.1\r\nHost: shop\r\n: b\r\n\r\n",
        b"GET /pay HTTP/1.1\r\n\r\n",
        b"GET /pay HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n",
        b"GET /pay HTTP/1.1\r\nHost: a/b\r\n\r\n",
        b"GET /\xe4\xbd\xa0 HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"GET /pay#x HTTP/1.1\r\nHost: shop\r\n\r\n",
        b"GET /pay HTTP/1.9\r\nHost: shop\r\n\r\n",
        b"GET /pay\r\n\r\n",
    ];
    for head in heads {
        assert_refused(&fixture, head, "HTTP/1.1 400").await;
    }
}

#[tokio::test]
async fn p12_nothing_becomes_a_tunnel() {
    let fixture = Fixture::start(WIDE).await;
    assert_refused(&fixture, b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n", "HTTP/1.1 405").await;
    let switch = b"GET /switch HTTP/1.1\r\nHost: shop\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n";
    assert_refused(&fixture, switch, "HTTP/1.1 500").await;
    let h2c = b"GET /pay HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
                HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    assert_refused(&fixture, h2c, "HTTP/1.1 200").await;
    assert_refused(&fixture, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400").await;
}

#[tokio::test]
async fn a_refused_head_request_is_answered_without_a_body() {
    let fixture = Fixture::start(WIDE).await;
    let text = fixture.answers_to(b"HEAD /pay HTTP/1.1\r\nHost: a b\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 400") && text.ends_with("\r\n\r\n"), "{text}");
    assert_eq!(fixture.seen(), ["HEAD /pay request-malformed"]);
}

#[tokio::test]
async fn a_message_that_is_cut_off_is_refused() {
    let fixture = Fixture::start(WIDE).await;
    for cut in [
        "GET /pay HTTP/1.1\r\nHost: shop\r\n",
        "POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nabc",
        "POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let mut client = fixture.connect().await;
        client.send(cut.as_bytes()).await;
        client.stream.shutdown().await.unwrap();
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 400") && count_answers(&text) == 1, "{cut:?} got {text}");
    }
    assert!(fixture.seen().iter().all(|line| line.ends_with("/pay request-malformed")), "{:?}", fixture.seen());
}

#[tokio::test]
async fn every_answer_is_the_handlers_whatever_byte_stands_wherever() {
    let fixture = Fixture::start(WIDE).await;
    let clean = b"POST /pay?a=b HTTP/1.1\r\nHost: shop:80\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
    let mut expected = 0;
    for at in 0..clean.len() {
        for byte in *b"\0\t\n\r \"#%,/01:;<?\\x|\x7f\x80\xff" {
            let mut client = fixture.connect().await;
            client.send(&[&clean[..at], &[byte], &clean[at..]].concat()).await;
            client.stream.shutdown().await.unwrap();
            let text = client.rest().await;
            expected += 1;
            let shown = format!("{:?} at {at} got {text}", char::from(byte));
            assert_eq!(count_answers(&text), 1, "{shown}");
            assert_eq!(fixture.seen().len(), expected, "{shown}");
        }
    }
}
