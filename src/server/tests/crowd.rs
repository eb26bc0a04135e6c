//! Too much of anything (threats ).

use super::*;

#[tokio::test]
async fn a_body_beyond_the_limit_gets_413_and_reads_it() {
    let fixture = Fixture::start(Limits { body: 1000, ..WIDE }).await;
    assert!(
        fixture.answers_to(&[post("/pay", &"x".repeat(1000)), last("/pay")].concat()).await.starts_with("HTTP/1.1 200")
    );
    // The whole of it is sent before the answer is read, as plain clients do.
    for size in [1001, 20_000, 20_000_000] {
        let text = fixture.answers_to(&[post("/pay", &"x".repeat(size)), get("/marker")].concat()).await;
        assert!(text.starts_with("HTTP/1.1 413") && count_answers(&text) == 1, "{size}: {text}");
        let chunk = format!("{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
        let chunked = format!("POST /pay HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        let text = fixture.answers_to(chunked.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 413") && count_answers(&text) == 1, "{size} chunked: {text}");
    }
    assert!(fixture.seen().iter().skip(2).all(|line| line == "POST /pay body-too-large"), "{:?}", fixture.seen());
}

#[tokio::test]
async fn heads_beyond_the_limits_get_431_and_414() {
    let fixture = Fixture::start(Limits { head: 2000, headers: 10, ..WIDE }).await;
    for size in [2000, 500_000] {
        let head = format!("GET /pay HTTP/1.1\r\nHost: shop\r\nX: {}\r\n\r\n", "x".repeat(size));
        assert!(fixture.answers_to(head.as_bytes()).await.starts_with("HTTP/1.1 431"), "{size}");
    }
    let many = format!("GET /pay HTTP/1.1\r\nHost: shop\r\n{}\r\n", "X: y\r\n".repeat(10));
    assert!(fixture.answers_to(many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    for size in [1000, 500_000] {
        let text = fixture.answers_to(&get(&format!("/pay?{}", "x".repeat(size)))).await;
        assert!(text.starts_with("HTTP/1.1 414"), "{size}: {text}");
    }
    let seen = fixture.seen();
    assert_eq!(
        seen[..4],
        ["GET /pay head-too-large", "GET /pay head-too-large", "GET /pay head-too-large", "GET /pay target-too-long"]
    );
}

#[tokio::test]
async fn more_fields_than_hyper_takes_by_default_are_fine_if_the_limit_says_so() {
    let fixture = Fixture::start(Limits { headers: 300, ..WIDE }).await;
    let many = format!("GET /pay HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{}\r\n", "X: y\r\n".repeat(298));
    assert!(fixture.answers_to(many.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn r04_connections_beyond_the_cap_get_503_until_there_is_room() {
    let fixture = Fixture::start(Limits { connections: 2, ..WIDE }).await;
    let mut inside = [fixture.connect().await, fixture.connect().await];
    for client in &mut inside {
        client.send(&get("/pay")).await;
        client.answer().await;
    }
    let text = fixture.answers_to(&get("/marker")).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after: "), "{text}");
    assert_eq!(fixture.seen().len(), 2);
    drop(inside);
    let text = async {
        loop {
            let text = fixture.answers_to(&last("/pay")).await;
            if !text.starts_with("HTTP/1.1 503") {
                break text;
            }
        }
    };
    assert!(tokio::time::timeout(LONG, text).await.unwrap().starts_with("HTTP/1.1 200"));
}

/// The server, where the silent give way.
async fn giving_way(limits: Limits) -> Fixture {
    let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (addr, handler, shutdown) = (socket.local_addr().unwrap(), Arc::new(Recorder::default()), Shutdown::new());
    let listener = Listener::new(socket).where_the_silent_give_way();
    shutdown.spawn(accept(listener, None, limits, Arc::clone(&handler), shutdown.child(), shutdown.clone()));
    Fixture { addr, handler, shutdown }
}

#[tokio::test]
async fn whoever_is_silent_gives_way_to_the_next_and_whoever_is_served_does_not() {
    let fixture = giving_way(Limits { connections: 5, ..WIDE }).await;
    let mut served = fixture.connect().await;
    served.send(&get("/wait")).await;
    fixture.wait_for("a request under way", |fixture| fixture.seen().len() == 1).await;
    let silent = fixture.connect().await;
    let mut half_a_head = fixture.connect().await;
    half_a_head.send(b"GET /pay HTTP/1.1\r\nHost: ").await;
    let mut half_a_body = fixture.connect().await;
    half_a_body.send(b"POST /pay HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nabc").await;
    let mut idle = fixture.connect().await;
    idle.send(&get("/pay")).await;
    idle.answer().await;
    for number in 0..20 {
        let answers = fixture.answers_to(&last(&format!("/{number}"))).await;
        assert!(answers.starts_with("HTTP/1.1 200"), "{number}: {answers}");
        let mut next_silent = fixture.connect().await;
        next_silent.send(b"G").await;
        drop(tokio::spawn(next_silent.rest_or_broken()));
    }
    for gone in [silent, half_a_head, half_a_body, idle] {
        gone.rest_or_broken().await;
    }
    fixture.handler.go_on.notify_one();
    assert_eq!(served.answer().await.1, b"GET /wait ");
    assert!(!fixture.seen().iter().any(|line| line.starts_with("POST")), "half a body reaches nobody");
}

#[tokio::test]
async fn many_connections_take_turns() {
    let fixture = Fixture::start(WIDE).await;
    let mut clients = Vec::new();
    for _ in 0..400 {
        clients.push(fixture.connect().await);
    }
    for round in 0..2 {
        for (id, client) in clients.iter_mut().enumerate() {
            client.send(&post("/pay", &format!("{round} {id}"))).await;
        }
        for (id, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.answer().await.1, format!("POST /pay {round} {id}").as_bytes());
        }
    }
}
