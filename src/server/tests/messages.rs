//! Clean messages in every packaging, one after another on the same connection.

use super::*;

#[tokio::test]
async fn p14_fifty_pipelined_requests_are_answered_in_order() {
    let fixture = Fixture::start(WIDE).await;
    let mut bytes = Vec::new();
    for id in 0..50 {
        bytes.extend(if id % 2 == 0 {
            post("/pay", &format!("OrderID={id}"))
        } else {
            get(&format!("/pay?OrderID={id}"))
        });
    }
    let mut client = fixture.connect().await;
    client.send(&bytes).await;
    for id in 0..50 {
        let (status, body) = client.answer().await;
        let expected = if id % 2 == 0 { format!("POST /pay OrderID={id}") } else { format!("GET /pay?OrderID={id} ") };
        assert_eq!((status.as_str(), String::from_utf8(body).unwrap()), ("HTTP/1.1 200 OK", expected));
    }
    assert_eq!(fixture.seen().len(), 50);
}

#[tokio::test]
async fn pipelined_requests_before_a_bad_one_are_answered_first() {
    let fixture = Fixture::start(WIDE).await;
    let bytes =
        [post("/pay", "1"), get("/pay?2"), b"GET /pay HTTP/1.1\nHost: shop\r\n\r\n".to_vec(), get("/marker")].concat();
    let text = fixture.answers_to(&bytes).await;
    assert_eq!(count_answers(&text), 3, "{text}");
    assert_eq!(fixture.seen(), ["POST /pay 1", "GET /pay?2 ", "GET / request-malformed"]);
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    client.stream.set_nodelay(true).unwrap();
    for round in 0..2 {
        for byte in post("/pay", &format!("OrderID={round}")) {
            client.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.answer().await.1, format!("POST /pay OrderID={round}").as_bytes());
    }
}

#[tokio::test]
async fn every_split_of_two_messages_reads_the_same() {
    let fixture = Fixture::start(WIDE).await;
    let bytes = [post("/pay", "first"), b"\r\n".to_vec(), post("/pay", "second")].concat();
    for at in 1..bytes.len() {
        let mut client = fixture.connect().await;
        client.stream.set_nodelay(true).unwrap();
        client.send(&bytes[..at]).await;
        fixture.reads_what_was_sent().await;
        client.send(&bytes[at..]).await;
        assert_eq!(client.answer().await.1, b"POST /pay first", "split at {at}");
        assert_eq!(client.answer().await.1, b"POST /pay second", "split at {at}");
    }
}

#[tokio::test]
async fn a_connection_serves_many_requests_with_pauses_of_any_length() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    for id in 0..300_u32 {
        client.send(&post("/pay", &id.to_string())).await;
        assert_eq!(client.answer().await.1, format!("POST /pay {id}").as_bytes());
        for _ in 0..id % 7 {
            tokio::task::yield_now().await;
        }
        if id % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(id) / 50)).await;
        }
    }
}

#[tokio::test]
async fn bodies_of_every_size_up_to_the_limit_arrive_whole() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    for size in [1, 100, 8191, 8192, 8193, 16_383, 16_384, 16_385, 30_000, WIDE.body] {
        let body: String = (0..size).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
        client.send(&post("/pay", &body)).await;
        assert_eq!(client.answer().await.1, format!("POST /pay {body}").as_bytes(), "{size} bytes");
        let chunks: String = body
            .as_bytes()
            .chunks(5000)
            .map(|c| format!("{:x}\r\n{}\r\n", c.len(), str::from_utf8(c).unwrap()))
            .collect();
        let chunked =
            format!("POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        assert!(fixture.answers_to(chunked.as_bytes()).await.ends_with(&body), "{size} bytes in chunks");
    }
}

#[tokio::test]
async fn a_large_answer_reaches_a_slow_reader_whole() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    for request in [get("/large"), get("/large"), last("/large")] {
        client.send(&request).await;
        // The answer has begun, and the system takes no more of it: it is longer than what both sides buffer.
        client.stream.readable().await.unwrap();
        fixture.reads_what_was_sent().await;
        assert_eq!(client.answer().await.1.len(), LARGE);
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn an_answer_reaches_a_peer_that_has_closed_its_half() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    client.send(&get("/wait")).await;
    client.stream.shutdown().await.unwrap();
    fixture.wait_for("handling", |fixture| fixture.handler.waiting.load(Ordering::SeqCst) == 1).await;
    fixture.handler.go_on.notify_one();
    assert!(client.rest().await.ends_with("GET /wait "));
}

#[tokio::test]
async fn a_peer_that_leaves_leaves_nothing_behind() {
    let fixture = Fixture::start(WIDE).await;
    for _ in 0..20 {
        let mut client = fixture.connect().await;
        client.send(&get("/wait")).await;
    }
    fixture.wait_for("handling", |fixture| fixture.handler.waiting.load(Ordering::SeqCst) == 20).await;
    fixture.handler.go_on.notify_waiters();
    assert_eq!(fixture.shutdown.drain(LONG, std::future::pending()).await, Drained::Whole);
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed_unless_it_asks_otherwise() {
    let fixture = Fixture::start(WIDE).await;
    let text = fixture.answers_to(b"GET /pay HTTP/1.0\r\n\r\nGET /marker HTTP/1.0\r\n\r\n").await;
    assert_eq!(count_answers(&text.replace("HTTP/1.0 ", "HTTP/1.1 ")), 1, "{text}");
    let kept = b"GET /pay HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /pay HTTP/1.0\r\n\r\n";
    let text = fixture.answers_to(kept).await;
    assert_eq!(count_answers(&text.replace("HTTP/1.0 ", "HTTP/1.1 ")), 2, "{text}");
}

#[tokio::test]
async fn p13_a_body_that_is_expected_is_asked_for_and_one_too_large_is_not() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    client.send(b"POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
    let mut asked = [0; 25];
    client.stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"abc").await;
    assert_eq!(client.answer().await.1, b"POST /pay abc");
    client.send(&post("/pay", "next")).await;
    assert_eq!(client.answer().await.1, b"POST /pay next");
    let large = b"POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n";
    let text = fixture.answers_to(large).await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("connection: close"), "{text}");
}

#[tokio::test]
async fn r08_a_panic_is_that_requests_own() {
    let fixture = Fixture::start(WIDE).await;
    let mut client = fixture.connect().await;
    client.send(&[get("/panic"), get("/pay")].concat()).await;
    assert_eq!(client.answer().await.0, "HTTP/1.1 500 Internal Server Error");
    assert_eq!(client.answer().await.0, "HTTP/1.1 200 OK");
}
