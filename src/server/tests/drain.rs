//! Stopping: nobody new, nobody idle, and nobody broken off.

use super::*;

#[tokio::test]
async fn a_drain_finishes_what_is_in_progress_and_closes_the_rest_at_once() {
    let fixture = Fixture::start(WIDE).await;
    let mut idle = fixture.connect().await;
    idle.send(&get("/pay")).await;
    idle.answer().await;
    let silent = fixture.connect().await;
    let mut busy = fixture.connect().await;
    busy.send(&[get("/wait"), get("/marker")].concat()).await;
    fixture.wait_for("handling", |fixture| fixture.handler.waiting.load(Ordering::SeqCst) == 1).await;

    fixture.shutdown.begin();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    fixture.wait_for("refusal", |fixture| std::net::TcpStream::connect(fixture.addr).is_err()).await;

    fixture.handler.go_on.notify_one();
    let text = busy.rest().await;
    assert!(text.contains("connection: close\r\n") && text.ends_with("GET /wait "), "{text}");
    assert_eq!(fixture.shutdown.drain(LONG, std::future::pending()).await, Drained::Whole);
    assert_eq!(fixture.handler.seen.lock().len(), 2);
}

#[tokio::test]
async fn a_drain_lets_a_head_that_has_begun_end() {
    let fixture = Fixture::start(WIDE).await;
    let mut begun = fixture.connect().await;
    begun.send(&get("/pay")).await;
    begun.answer().await;
    begun.send(b"GET /pay HTTP/1.1\r\n").await;
    let idle = fixture.connect().await;
    // Both bytes and word may be on their way at the same time; only a head that has arrived is safe.
    fixture.reads_what_was_sent().await;
    fixture.shutdown.begin();
    assert_eq!(idle.rest().await, "");
    begun.send(b"Host: shop\r\n\r\n").await;
    let text = begun.rest().await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
}

#[tokio::test]
async fn a_drain_waits_no_longer_than_its_grace() {
    let fixture = Fixture::start(WIDE).await;
    let mut busy = fixture.connect().await;
    busy.send(&get("/wait")).await;
    fixture.wait_for("handling", |fixture| fixture.handler.waiting.load(Ordering::SeqCst) == 1).await;
    assert_eq!(fixture.shutdown.drain(SHORT, std::future::pending()).await, Drained::OutOfTime);
    assert_eq!(fixture.shutdown.drain(LONG, std::future::ready(())).await, Drained::Forced);
}
