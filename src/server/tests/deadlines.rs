//! Peers that take their time (threats ).

use super::*;

const SLOW_HEAD: Limits = Limits { head_timeout: SHORT, ..WIDE };

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let fixture = Fixture::start(SLOW_HEAD).await;
    assert_eq!(fixture.answers_to(b"").await, "");
    assert_eq!(fixture.answers_to(b"\r\n").await, "");
    assert!(fixture.seen().is_empty());
}

#[tokio::test]
async fn a_head_that_does_not_end_gets_408() {
    let fixture = Fixture::start(SLOW_HEAD).await;
    for part in ["P", "POST /pay HTTP/1.1\r\nHost: shop\r\n"] {
        let text = fixture.answers_to(part.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 408") && text.contains("connection: close"), "{text}");
    }
    assert_eq!(fixture.seen(), ["GET / request-timeout", "POST /pay request-timeout"]);
}

#[tokio::test]
async fn a_trickle_does_not_move_the_heads_deadline() {
    let fixture = Fixture::start(SLOW_HEAD).await;
    let (mut read, mut write) = fixture.connect().await.stream.into_split();
    let trickle = tokio::spawn(async move {
        write.write_all(b"GET /pay HTTP/1.1\r\n").await.unwrap();
        while write.write_all(b"X: y\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut text = Vec::new();
    let _ = tokio::time::timeout(LONG, read.read_to_end(&mut text)).await.unwrap();
    assert!(text.starts_with(b"HTTP/1.1 408"));
    trickle.abort();
}

#[tokio::test]
async fn a_later_head_has_its_own_deadline() {
    let fixture = Fixture::start(SLOW_HEAD).await;
    let mut client = fixture.connect().await;
    client.send(&get("/pay")).await;
    client.answer().await;
    fixture.lets_heads_time_out(3).await;
    client.send(&get("/pay")).await;
    assert_eq!(client.answer().await.0, "HTTP/1.1 200 OK");
    client.send(b"GET /pay HTT").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_body_that_does_not_end_gets_408() {
    let fixture = Fixture::start(Limits { body_timeout: SHORT, ..WIDE }).await;
    for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let message = format!("POST /pay HTTP/1.1\r\nHost: shop\r\n{framing}");
        let text = fixture.answers_to(message.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 408") && text.contains("connection: close"), "{text}");
    }
    assert_eq!(fixture.seen(), ["POST /pay request-timeout"; 2]);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let fixture = Fixture::start(Limits { idle_timeout: SHORT, ..WIDE }).await;
    let mut client = fixture.connect().await;
    for _ in 0..3 {
        client.send(&get("/pay")).await;
        assert_eq!(client.answer().await.0, "HTTP/1.1 200 OK");
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn r02_a_peer_that_does_not_read_its_answer_is_dropped() {
    let fixture = Fixture::start(Limits { answer_timeout: SHORT, ..WIDE }).await;
    let mut client = fixture.connect().await;
    client.send(&get("/large")).await;
    fixture.wait_for("request", |fixture| fixture.seen().len() == 1).await;
    assert_eq!(fixture.shutdown.drain(LONG, std::future::pending()).await, Drained::Whole);
    // The system may have broken the connection by then.
    let _ = client.stream.read_to_end(&mut client.unread).await;
    assert!(client.unread.len() < LARGE);
}

#[tokio::test]
async fn r02_a_peer_that_reads_its_answer_in_drops_is_dropped_all_the_same() {
    let fixture = Fixture::start(Limits { answer_timeout: SHORT, ..WIDE }).await;
    let mut client = fixture.connect().await;
    client.send(&get("/large")).await;
    let mut read = 0;
    while let Ok(count @ 1..) = client.stream.read(&mut [0; 16 * 1024]).await {
        read += count;
        tokio::time::sleep(SHORT / 100).await;
    }
    assert!(read < LARGE, "{read}");
}

#[tokio::test]
async fn a_handler_is_not_hurried() {
    let hurried =
        Limits { head_timeout: SHORT, body_timeout: SHORT, answer_timeout: SHORT, idle_timeout: SHORT, ..WIDE };
    let fixture = Fixture::start(hurried).await;
    let mut client = fixture.connect().await;
    client.send(&get("/wait")).await;
    fixture.lets_heads_time_out(3).await;
    fixture.handler.go_on.notify_one();
    assert_eq!(client.answer().await.1, b"GET /wait ");
}
