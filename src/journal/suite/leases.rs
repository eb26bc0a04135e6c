//! What is leased, and what is due.

use super::*;

pub(super) async fn what_is_in_hand_is_due_to_nobody(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", Duration::ZERO).await;
    assert!(
        journal.queue.lease_due(10, Throttled::default()).await.unwrap().is_empty(),
        "it is leased to the one who took it in"
    );
    journal.queue.release(taken.entry);
    assert_eq!(due(&journal).await.len(), 1);
    assert!(journal.queue.lease_due(10, Throttled::default()).await.unwrap().is_empty(), "it is leased to the first");
    journal.queue.postpone(taken.entry, SOON);
    assert_eq!(due(&journal).await.len(), 1);
    for order in ["B", "C", "D"] {
        let taken = take_in(&journal, order, Duration::ZERO).await;
        journal.queue.release(taken.entry);
    }
    let mut work = journal.queue.lease_due(2, Throttled::default()).await.unwrap();
    assert_eq!(work.len(), 2);
    work.extend(journal.queue.lease_due(10, Throttled::default()).await.unwrap());
    let mut orders: Vec<_> = work.iter().map(|work| work.callback.claimed.order.to_string()).collect();
    orders.sort();
    assert_eq!(orders, ["B", "C", "D"]);
}

pub(super) async fn a_backlog_in_one_state_does_not_hold_up_the_other(store: &dyn Store) {
    let journal = store.open(100);
    for index in 0..20 {
        let taken = take_in(&journal, &format!("ASKED{index}"), Duration::ZERO).await;
        journal.queue.release(taken.entry);
    }
    let paid = take_in(&journal, "PAID", Duration::ZERO).await;
    let next = Some(Transition::Deliver { again_in: Duration::ZERO, retries: 0 });
    journal.queue.append(JournalEvent::Decided {
        entry: paid.entry,
        reason: Reason::Paid,
        verified: Some(verified()),
        next,
    });
    journal.queue.flush().await.unwrap();
    let mut work = journal.queue.lease_due(1, Throttled::default()).await.unwrap();
    work.extend(journal.queue.lease_due(1, Throttled::default()).await.unwrap());
    assert!(work.iter().any(|work| work.entry == paid.entry), "{work:?}");
    assert!(work.iter().any(|work| work.state == State::Asking), "{work:?}");
    let channel = ChannelId::parse("app").unwrap();
    let throttled = vec![DueGroup { channel, state: State::Asking, origin: Origin::Callback, rank: Rank::Strange }];
    assert!(
        journal.queue.lease_due(10, throttled.into()).await.unwrap().is_empty(),
        "its channel gets no more at the moment"
    );
}

pub(super) async fn a_restart_makes_due_what_was_leased(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", SOON).await;
    journal.queue.append(JournalEvent::AttemptStarted {
        attempt: attempt_of(&taken, "A", 1),
        verified: Some(verified()),
        next: Some(Transition::Deliver { again_in: SOON, retries: 0 }),
    });
    journal.queue.flush().await.unwrap();
    drop(journal);
    let journal = store.open(100);
    let [work] = &*due(&journal).await else { panic!() };
    assert_eq!((work.entry, work.state, work.attempts), (taken.entry, State::Delivering, 1));
}
