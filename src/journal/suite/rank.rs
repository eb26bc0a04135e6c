//! What may be made up does not hold up what is likely.

use super::*;

/// Every test of this part.
pub(super) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    a_backlog_of_what_wechat_pay_does_not_know_does_not_hold_up_what_it_was_not_asked_about(&*stores()).await;
    what_looks_likely_after_all_is_lifted_unless_it_is_too_much(&*stores()).await;
    confirmed_callbacks_are_remembered_the_latest_first(&*stores()).await;
    the_last_part_of_the_budget_is_for_likely_ones(&*stores()).await;
}

async fn a_backlog_of_what_wechat_pay_does_not_know_does_not_hold_up_what_it_was_not_asked_about(store: &dyn Store) {
    let journal = store.open(1000);
    let asked_again = Some(Transition::Ask { again_in: Duration::ZERO, retries: 1 });
    let found = |entry, reason| JournalEvent::Decided { entry, reason, verified: None, next: asked_again };
    for index in 0..40 {
        let taken = take_in(&journal, &format!("MADE-UP{index}"), Duration::ZERO).await;
        journal.queue.append(found(taken.entry, Reason::OrderNotFound));
        let taken = take_in(&journal, &format!("STRANGE{index}"), Duration::ZERO).await;
        journal.queue.append(found(taken.entry, Reason::RateLimited));
    }
    let likely = journal.queue.take_in(callback("LIKELY"), Trust::Likely, Duration::ZERO).await.unwrap();
    journal.queue.append(found(likely.entry, Reason::RateLimited));
    let early = journal.queue.take_in(callback("EARLY"), Trust::Likely, Duration::ZERO).await.unwrap();
    journal.queue.append(found(early.entry, Reason::OrderNotFound));
    let real = take_in(&journal, "REAL", Duration::ZERO).await;
    journal.queue.append(found(real.entry, Reason::OrderNotFound));
    journal.queue.append(found(real.entry, Reason::QueryFailed));
    journal.queue.flush().await.unwrap();
    let [work] = &*journal
        .queue
        .lease_due(8, Throttled::default())
        .await
        .unwrap()
        .into_iter()
        .filter(|work| work.rank == Rank::LikelyAbsent)
        .collect::<Vec<_>>()
    else {
        panic!()
    };
    assert_eq!(work.entry, early.entry);
    journal.queue.append(found(real.entry, Reason::NotPaidYet));
    journal.queue.flush().await.unwrap();
    let channel = ChannelId::parse("app").unwrap();
    let throttled = |rank| DueGroup { channel, state: State::Asking, origin: Origin::Callback, rank };
    let work =
        journal.queue.lease_due(8, Vec::from([Rank::Strange, Rank::Absent].map(throttled)).into()).await.unwrap();
    assert!(work.iter().all(|work| [likely.entry, real.entry].contains(&work.entry)), "{work:?}");
}

async fn what_looks_likely_after_all_is_lifted_unless_it_is_too_much(store: &dyn Store) {
    let journal = store.open(1000);
    let next = Some(Transition::Ask { again_in: Duration::ZERO, retries: 1 });
    for (order, reason) in [("A1", Reason::RateLimited), ("A2", Reason::OrderNotFound), ("B1", Reason::RateLimited)] {
        let entry = take_in(&journal, order, Duration::ZERO).await.entry;
        journal.queue.append(JournalEvent::Decided { entry, reason, verified: None, next });
    }
    let channel = ChannelId::parse("app").unwrap();
    let ranks = async |journal: &Journal| {
        journal.queue.flush().await.unwrap();
        let mut work = journal.queue.lease_due(1000, Throttled::default()).await.unwrap();
        work.sort_by_key(|work| work.entry);
        work.iter().for_each(|work| journal.queue.release(work.entry));
        work.iter().map(|work| work.rank).collect::<Vec<_>>()
    };
    assert_eq!(ranks(&journal).await, [Rank::Strange, Rank::Absent, Rank::Strange]);
    journal.queue.lift(channel, Box::new(|number| number.as_str().starts_with("NA"))).await.unwrap();
    let lifted = [Rank::Likely, Rank::LikelyAbsent, Rank::Strange];
    assert_eq!(ranks(&journal).await, lifted);
    for index in 0..MOST_LIFTED {
        let entry = take_in(&journal, &format!("C{index}"), Duration::ZERO).await.entry;
        journal.queue.append(JournalEvent::Decided { entry, reason: Reason::RateLimited, verified: None, next });
    }
    journal.queue.lift(channel, Box::new(|_| true)).await.unwrap();
    assert_eq!(ranks(&journal).await[..3], lifted, "what fits so many says nothing");
}

async fn confirmed_callbacks_are_remembered_the_latest_first(store: &dyn Store) {
    let journal = store.open(100);
    for (order, next) in [("OLD", Transition::Accepted), ("NEW", Transition::Accepted), ("UNPAID", Transition::Close)] {
        let taken = take_in(&journal, order, LATE).await;
        if next == Transition::Accepted {
            journal.queue.append(JournalEvent::AttemptStarted {
                attempt: attempt_of(&taken, order, 1),
                verified: Some(verified()),
                next: None,
            });
            let outcome = Outcome::Accepted(accepted());
            journal.queue.append(JournalEvent::AttemptEnded {
                attempt: attempt_of(&taken, order, 1),
                outcome,
                next: Some(next),
            });
        }
        journal.queue.flush().await.unwrap();
        time_passes(Duration::ZERO).await;
    }
    let seen = |callbacks: Vec<Callback>| -> Vec<_> {
        callbacks.iter().map(|callback| (callback.claimed.order.to_string(), callback.request.is_some())).collect()
    };
    let confirmed = seen(journal.archive.confirmed(10).await.unwrap());
    assert_eq!(confirmed, [("NEW".to_owned(), true), ("OLD".to_owned(), true)]);
    assert_eq!(journal.archive.confirmed(1).await.unwrap().len(), 1);
}

async fn the_last_part_of_the_budget_is_for_likely_ones(store: &dyn Store) {
    let journal = store.open(8);
    let take_in = |order: usize, trust| journal.queue.take_in(callback(&format!("A{order}")), trust, LATE);
    for order in 0..7 {
        assert!(take_in(order, Trust::Unconfirmed).await.is_ok());
    }
    assert_eq!(take_in(7, Trust::Unconfirmed).await.unwrap_err(), JournalError::Full);
    assert!(take_in(7, Trust::Likely).await.is_ok());
    assert_eq!(take_in(8, Trust::Likely).await.unwrap_err(), JournalError::Full);
    assert!(take_in(8, Trust::Confirmed).await.is_ok());
}
