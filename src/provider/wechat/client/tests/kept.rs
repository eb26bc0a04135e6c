//! Connections that are kept between queries, and a query on one that has ended.

use super::v3::signed_and_kept;
use super::*;
use crate::provider::wechat::v3;

/// An answer once there were so many queries, after which the connection is good until the next query comes.
fn once(queries: usize) -> Act {
    let Act::Say(body) = paid() else { unreachable!() };
    Act::WriteOnce(queries, response("200 OK", &body))
}

async fn ask_for(client: &WeChatPay, account: &Credentials) -> Result<Asked, QueryError> {
    let ask = AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap());
    client.order_query(account, &ask, Instant::now() + LONG).await
}

#[tokio::test]
async fn one_connection_carries_one_query_after_the_other() {
    let host = StandIn::start(&[paid()]).await;
    let client = client(&[&host]);
    for _ in 0..3 {
        assert_eq!(ask(&client).await.unwrap().attempts, 1);
    }
    assert_eq!((host.queries().len(), host.seen.lock().connections), (3, 1));
}

/// Threat F-02.
#[tokio::test]
async fn kept_connections_that_end_upon_a_query_cost_no_answer() {
    for (account, answer) in [(account(), once(2)), (v3::tests::account(), signed_and_kept(2))] {
        let host = StandIn::start(&[answer]).await;
        let client = client(&[&host]);
        let both = tokio::join!(ask_for(&client, &account), ask_for(&client, &account));
        assert!(both.0.is_ok() && both.1.is_ok());
        assert_eq!(host.seen.lock().connections, 2, "both are kept");
        let asked = ask_for(&client, &account).await.unwrap();
        assert_eq!((asked.attempts, host.queries().len(), host.seen.lock().connections), (2, 4, 3));
    }
}

#[tokio::test]
async fn a_kept_connection_that_ends_says_nothing_of_the_host_and_moves_no_query_to_another() {
    let (host, other) = (StandIn::start(&[once(0)]).await, StandIn::start(&[paid()]).await);
    let client = client(&[&host, &other]);
    for _ in 0..45 {
        assert_eq!(&*ask(&client).await.unwrap().host, host.origin());
    }
    assert!(other.queries().is_empty());
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}

#[tokio::test]
async fn a_failure_behind_a_connection_that_had_ended_is_asked_about_again() {
    // The second query comes on the kept connection, and the third, on a fresh one, fails.
    let host = StandIn::start(&[once(1), Act::Close, Act::Write(response("502 Bad Gateway", "")), paid()]).await;
    let client = client(&[&host]);
    assert_eq!(ask(&client).await.unwrap().attempts, 1);
    assert_eq!(ask(&client).await.unwrap().attempts, 3);
}

#[tokio::test]
async fn a_query_on_a_fresh_connection_counts_against_the_budget_too() {
    let (host, began) = (StandIn::start(&[once(0)]).await, Instant::now());
    let client = WeChatPay::new(&Settings { queries_per_second: 1, ..settings(&[&host]) }).unwrap();
    for _ in 0..4 {
        let _ = ask(&client).await;
    }
    // Twice the rate at once, and the rate for every second that has passed.
    assert!(host.queries().len() as u64 <= 2 + began.elapsed().as_secs());
}

#[tokio::test]
async fn a_query_that_is_let_go_of_takes_its_connection_along() {
    let host = StandIn::start(&[paid(), Act::Wait, paid()]).await;
    let client = client(&[&host]);
    assert!(ask(&client).await.is_ok());
    let has_come = async {
        while host.queries().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        asked = ask(&client) => panic!("{asked:?}"),
        () = has_come => {}
    }
    assert_eq!(ask(&client).await.unwrap().attempts, 1);
    assert_eq!(host.seen.lock().connections, 2);
}
