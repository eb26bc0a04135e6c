//! Attempts, and what came of them.

use super::*;

pub(super) async fn an_acceptance_is_kept_and_stays(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    let attempt = attempt_of(&taken, "A", 1);
    accept(&journal, attempt);
    // Somebody who was slower.
    journal.queue.append(JournalEvent::AttemptEnded {
        attempt,
        outcome: Outcome::Failed(Reason::UpstreamTimeout),
        next: Some(Transition::Deliver { again_in: Duration::ZERO, retries: 1 }),
    });
    journal.queue.flush().await.unwrap();
    drop(journal);
    let journal = store.open(100);
    assert!(journal.queue.lease_due(10, Throttled::default()).await.unwrap().is_empty());
    assert_eq!(
        journal.queue.acceptance(attempt.delivery, OrderId::parse("A").unwrap()).await.unwrap(),
        Some(accepted())
    );
    let again = take_in(&journal, "A", LATE).await;
    assert_eq!((again.fresh, again.state, again.accepted), (false, State::Accepted, Some(accepted())));
    for name in ["A", "NA", "4200000000000000000000000001"] {
        let [record] = &*journal.archive.find(of(name), 10).await.unwrap() else { panic!("{name}") };
        assert!(record.accepted_at.is_some() && record.verified == Some(verified()), "{name}");
        assert_eq!(record.attempt_log.len(), 1);
        assert!(record.attempt_log[0].accepted && record.attempt_log[0].status == Some(200));
    }
}

pub(super) async fn attempts_are_what_the_upstream_has_seen(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    for (attempt, reason) in
        [(1, Reason::UpstreamBroke), (2, Reason::UpstreamUnreachable), (2, Reason::UpstreamTimeout)]
    {
        let attempt = attempt_of(&taken, "A", attempt);
        journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
        let next = Some(Transition::Deliver { again_in: LATE, retries: 0 });
        journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome: Outcome::Failed(reason), next });
    }
    journal.queue.flush().await.unwrap();
    let again = take_in(&journal, "A", LATE).await;
    assert_eq!((again.attempts, again.state), (2, State::Delivering));
    let [record] = &*journal.archive.find(of("A"), 10).await.unwrap() else { panic!() };
    let attempts: Vec<_> = record.attempt_log.iter().map(|sent| (sent.attempt, sent.reason)).collect();
    let expected = [(1, Reason::UpstreamBroke), (2, Reason::UpstreamUnreachable), (2, Reason::UpstreamTimeout)];
    assert_eq!(attempts, expected.map(|(attempt, reason)| (attempt, Some(reason))));
    journal.queue.append(JournalEvent::Counted { entry: taken.entry, delivery: record.delivery, attempts: 17 });
    journal.queue.flush().await.unwrap();
    assert_eq!(take_in(&journal, "A", LATE).await.attempts, 17);
}

pub(super) async fn sendings_that_nobody_saw_do_not_grow_without_end(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    for _ in 0..300 {
        let attempt = attempt_of(&taken, "A", 1);
        journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
        let outcome = Outcome::Failed(Reason::UpstreamUnreachable);
        journal.queue.append(JournalEvent::AttemptEnded {
            attempt,
            outcome,
            next: Some(Transition::Deliver { again_in: LATE, retries: 0 }),
        });
    }
    journal.queue.flush().await.unwrap();
    let [record] = &*journal.archive.find(of("A"), 10).await.unwrap() else { panic!() };
    assert!((100..=200).contains(&record.attempt_log.len()), "{}", record.attempt_log.len());
}

pub(super) async fn what_is_being_delivered_is_not_closed_by_who_was_slower(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    let close = JournalEvent::Decided {
        entry: taken.entry,
        reason: Reason::NotPaidYet,
        verified: None,
        next: Some(Transition::Close),
    };
    let (attempt, deliver) = (attempt_of(&taken, "A", 1), Some(Transition::Deliver { again_in: SOON, retries: 0 }));
    let outcome = Outcome::Failed(Reason::UpstreamBroke);
    journal.queue.append(close.clone());
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: deliver });
    journal.queue.append(close);
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: deliver });
    assert_eq!(due(&journal).await[0].state, State::Delivering);
}
