use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Longer than any test takes that does not wait for it.
const LONG: Duration = Duration::from_secs(60);

const LARGEST: usize = 16;

const ANY: Bound = |_| Some(LARGEST);

async fn connected() -> (Connection, DuplexStream) {
    let (near, far) = duplex(4096);
    (Connection::open(Box::new(near), Instant::now() + LONG).await.unwrap(), far)
}

async fn ask(connection: &mut Connection, bound: Bound) -> Result<Answer, ExchangeError> {
    let request = Request::get("/").header("host", "far").body(Full::default()).unwrap();
    connection.exchange(request, bound, Instant::now() + LONG).await
}

/// Takes a request and answers it with these bytes.
async fn answer(far: &mut DuplexStream, bytes: &[u8]) {
    assert!(far.read(&mut [0; 1024]).await.unwrap() > 0);
    far.write_all(bytes).await.unwrap();
}

#[tokio::test]
async fn an_end_before_the_first_byte_of_an_answer_is_told_apart_from_a_later_one() {
    for bytes in [&b""[..], b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nno"] {
        let (mut connection, mut far) = connected().await;
        let ends = async move { answer(&mut far, bytes).await };
        let (asked, ()) = tokio::join!(ask(&mut connection, ANY), ends);
        match asked {
            Err(ExchangeError::Unanswered(_)) => assert!(bytes.is_empty()),
            Err(ExchangeError::Failed(Failure::Broken(_))) => assert!(!bytes.is_empty()),
            other => panic!("{other:?}"),
        }
        assert!(!connection.is_reusable());
    }
}

#[tokio::test]
async fn what_was_closed_before_gives_the_request_back() {
    let (mut connection, far) = connected().await;
    drop(far);
    assert!(matches!(ask(&mut connection, ANY).await, Err(ExchangeError::Unsent(_))));
}

#[tokio::test]
async fn an_answer_that_announces_too_much_is_not_waited_for() {
    let (mut connection, mut far) = connected().await;
    let announces = answer(&mut far, b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n");
    let (asked, ()) = tokio::join!(ask(&mut connection, ANY), announces);
    assert!(matches!(asked, Err(ExchangeError::Failed(Failure::TooLarge))), "{asked:?}");
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_not_waited_for() {
    let (mut connection, mut far) = connected().await;
    let begins = answer(&mut far, b"HTTP/1.1 502 Bad\r\ncontent-length: 17\r\n\r\n");
    let (asked, ()) = tokio::join!(ask(&mut connection, |_| None), begins);
    assert_eq!(asked.unwrap().status, StatusCode::BAD_GATEWAY);
    assert!(!connection.is_reusable(), "the body is still to come");
}

#[tokio::test]
async fn an_answer_that_is_read_whole_leaves_the_connection_good() {
    let (mut connection, mut far) = connected().await;
    for _ in 0..2 {
        let answers = answer(&mut far, b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes");
        let (asked, ()) = tokio::join!(ask(&mut connection, ANY), answers);
        assert_eq!(asked.unwrap().body, "yes");
        assert!(connection.is_reusable());
    }
}
