//! A host that is out of reach, and when it is asked again.

use super::*;

#[tokio::test]
async fn a_host_out_of_reach_is_left_alone_and_the_other_goes_on() {
    let (gone, good) = (nobody().await, StandIn::start(&[paid()]).await);
    let both = client(&[&gone, &good]);
    for _ in 0..20 {
        assert_eq!(ask(&both).await.unwrap().attempts, 2);
    }
    assert_eq!(both.hosts().map(|(_, state)| state).collect::<Vec<_>>(), [HostState::Open, HostState::Closed]);
    assert_eq!(ask(&both).await.unwrap().attempts, 1);

    let alone = client(&[&gone]);
    for _ in 0..10 {
        assert_eq!(ask(&alone).await, Err(QueryError::Transport), "tried twice");
    }
    assert_eq!(alone.hosts().next().unwrap().1, HostState::Open);
}

fn open(host: &Host) {
    (0..20).for_each(|_| host.breaker.failed(Instant::now()));
    assert_eq!(host.breaker.host_state(), HostState::Open);
}

#[tokio::test]
async fn a_host_that_is_back_is_asked_although_its_breaker_is_open() {
    for count in 1..=3 {
        let good = StandIn::start(&[paid()]).await;
        let client = Arc::new(client(&vec![&good; count]));
        client.hosts.iter().for_each(|host| open(host));
        let tasks: Vec<_> = (0..30)
            .map(|_| Arc::clone(&client))
            .map(|client| tokio::spawn(async move { ask(&client).await }))
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap().attempts, 1);
        }
        assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
    }
}

#[tokio::test]
async fn a_host_that_was_out_of_reach_is_asked_when_the_other_fails_or_is_silent() {
    let good = StandIn::start(&[paid()]).await;
    for act in [Act::Close, Act::Wait] {
        let other = StandIn::start(&[act]).await;
        let hedging = Settings { hedge_after: Duration::from_millis(20), ..settings(&[&good, &other]) };
        let client = WeChatPay::new(&hedging).unwrap();
        open(&client.hosts[0]);
        assert_eq!((ask(&client).await.unwrap().attempts, other.queries().len()), (2, 1));
    }
}

#[tokio::test]
async fn out_of_reach_for_long_a_host_is_tried_once_by_each_query() {
    let client = client(&[&nobody().await]);
    open(&client.hosts[0]);
    let host = StandIn::start(&[Act::Close]).await;
    assert_eq!(ask(&client).await, Err(QueryError::Transport));
    let client = self::client(&[&host]);
    open(&client.hosts[0]);
    assert_eq!(ask(&client).await, Err(QueryError::Transport));
    assert_eq!(host.queries().len(), 1);
}

#[tokio::test]
async fn losing_to_a_hedge_is_no_failure() {
    let (slow, good) = (StandIn::start(&[Act::Wait]).await, StandIn::start(&[paid()]).await);
    let hedging = Settings { hedge_after: Duration::from_millis(1), ..settings(&[&slow, &good]) };
    let client = WeChatPay::new(&hedging).unwrap();
    for _ in 0..25 {
        assert_eq!(&*ask(&client).await.unwrap().host, good.origin());
    }
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}

#[tokio::test]
async fn queries_that_hang_say_nothing_of_a_host_that_has_answered_since() {
    let host = StandIn::start(&[vec![Act::Wait; 25], vec![paid()]].concat()).await;
    let impatient = Settings { hedge_after: Duration::from_millis(1), ..settings(&[&host]) };
    let client = Arc::new(WeChatPay::new(&impatient).unwrap());
    let hanging: Vec<_> = (0..25)
        .map(|_| Arc::clone(&client))
        .map(|client| tokio::spawn(async move { ask_within(&client, Duration::from_secs(1)).await }))
        .collect();
    while host.queries().len() < 25 {
        tokio::task::yield_now().await;
    }
    assert!(ask(&client).await.is_ok());
    for query in hanging {
        assert_eq!(query.await.unwrap(), Err(QueryError::Timeout));
    }
    assert_eq!(client.hosts().next().unwrap().1, HostState::Closed);
}
