//! How much is kept, and how long.

use super::*;

/// A callback with a body of so many bytes that nobody can make smaller.
fn large(order: &str, bytes: usize) -> Box<Callback> {
    let mut callback = callback(order);
    callback.request.as_mut().unwrap().body = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
    callback
}

pub(super) async fn the_bytes_of_what_is_unconfirmed_have_a_budget(store: &dyn Store) {
    let room = Room { records: 100, bytes: 25_000 };
    let journal = store.open_for(room);
    let bytes = async |journal: &Journal| journal.archive.figures().await.unwrap().unconfirmed_bytes;
    let take_in = async |journal: &Journal, order: &str| {
        journal.queue.take_in(large(order, 10_000), Trust::Unconfirmed, LATE).await
    };
    let first = take_in(&journal, "A").await.unwrap();
    let second = take_in(&journal, "B").await.unwrap();
    assert!((20_000..21_000).contains(&bytes(&journal).await), "{}", bytes(&journal).await);
    assert_eq!(take_in(&journal, "C").await.unwrap_err(), JournalError::Full);
    let too_large = journal.queue.take_in(large("D", 30_000), Trust::Unconfirmed, LATE).await;
    assert_eq!(too_large.unwrap_err(), JournalError::Full, "it would not fit into an empty one");
    assert!(journal.queue.take_in(large("P", 30_000), Trust::Confirmed, LATE).await.unwrap().fresh);
    let paid = journal.archive.find(of("P"), 1).await.unwrap()[0].entry;
    let (reason, next) = (Reason::Paid, Some(Transition::Deliver { again_in: LATE, retries: 0 }));
    journal.queue.append(JournalEvent::Decided { entry: paid, reason, verified: Some(verified()), next });
    journal.queue.flush().await.unwrap();
    assert!((20_000..21_000).contains(&bytes(&journal).await), "what is confirmed is not in it");
    // After a restart it is the same.
    let before = bytes(&journal).await;
    drop(journal);
    let journal = store.open_for(room);
    assert_eq!(bytes(&journal).await, before);
    assert_eq!(take_in(&journal, "C").await.unwrap_err(), JournalError::Full);
    // Of what is closed the record stays, and its request gives way.
    let next = Some(Transition::Close);
    journal.queue.append(JournalEvent::Decided { entry: first.entry, reason: Reason::Closed, verified: None, next });
    assert!(take_in(&journal, "C").await.unwrap().fresh);
    assert_eq!(journal.archive.find(of("A"), 1).await.unwrap().len(), 1);
    assert!((20_000..21_000).contains(&bytes(&journal).await));
    // What was given up goes whole.
    let next = Some(Transition::Park);
    journal.queue.append(JournalEvent::Decided {
        entry: second.entry,
        reason: Reason::GaveUpAsking,
        verified: None,
        next,
    });
    assert!(take_in(&journal, "E").await.unwrap().fresh);
    assert!(journal.archive.find(of("B"), 1).await.unwrap().is_empty());
    let made = Box::new(large("E", 100).request.unwrap());
    journal
        .queue
        .append(JournalEvent::Made { entry: journal.archive.find(of("E"), 1).await.unwrap()[0].entry, request: made });
    journal.queue.flush().await.unwrap();
    assert!((10_000..11_000).contains(&bytes(&journal).await), "{}", bytes(&journal).await);
    assert!(take_in(&journal, "F").await.unwrap().fresh, "what was made instead takes less");
}

pub(super) async fn a_request_comes_back_byte_for_byte(store: &dyn Store) {
    let journal = store.open(100);
    let mut text = callback("TEXT");
    text.request.as_mut().unwrap().body = "OrderID=%e5%95%86&a=\0\u{fe}".repeat(2000).into();
    for callback in [text, large("NOISE", 60_000), callback("SMALL")] {
        let expected = callback.request.clone().unwrap();
        journal.queue.take_in(callback, Trust::Unconfirmed, Duration::ZERO).await.unwrap();
        let entry = journal.archive.find(Search::default(), 1).await.unwrap()[0].entry;
        journal.queue.release(entry);
        let [work] = &due(&journal).await[..] else { panic!() };
        let request = work.callback.request.as_ref().unwrap();
        assert_eq!((&request.headers, &request.target), (&expected.headers, &expected.target));
        assert!(request.body == expected.body);
    }
    let figures = journal.archive.figures().await.unwrap();
    assert!((60_000..65_000).contains(&figures.unconfirmed_bytes), "the text takes little: {figures:?}");
}

pub(super) async fn requests_and_answers_go_before_their_entries(store: &dyn Store) {
    let journal = store.open(100);
    for (order, next) in [
        ("TAKEN", Transition::Accepted),
        ("CLOSED", Transition::Close),
        ("PARKED", Transition::Park),
        ("DUE", Transition::Deliver { again_in: LATE, retries: 0 }),
    ] {
        let taken = take_in(&journal, order, LATE).await;
        let verified = (order != "CLOSED").then(verified);
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::Paid,
            verified,
            next: Some(next),
        });
        if next == Transition::Accepted {
            let attempt = attempt_of(&taken, order, 1);
            journal.queue.append(JournalEvent::AttemptStarted { attempt, verified, next: None });
            let (transaction_id, headers) = (Some(self::verified().transaction_id), HeaderMap::new());
            let body = Some(Bytes::from_static(b"taken"));
            let outcome = Outcome::Accepted(Acceptance { transaction_id, status: StatusCode::OK, headers, body });
            journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(next) });
        }
    }
    journal.queue.flush().await.unwrap();
    time_passes(SOON).await;
    let kept = async |journal: &Journal| {
        let all = journal.archive.find(Search::default(), 10).await.unwrap();
        let kept = all.iter().filter(|record| record.request_kept);
        let mut orders: Vec<_> = kept.map(|record| record.claimed.order.to_string()).collect();
        orders.sort();
        (all.len(), orders)
    };
    let nothing = journal.queue.forget(LATE.into(), 10).await.unwrap();
    assert!(nothing.is_nothing(), "{nothing:?}");
    assert_eq!(kept(&journal).await.1.len(), 4);
    let keep = Keep { bodies: SOON, entries: LATE };
    let delivery = DeliveryId::of("app", &OrderId::parse("TAKEN").unwrap());
    assert_eq!(journal.queue.forget(keep, 10).await.unwrap().answers, [delivery]);
    assert!(journal.queue.forget(keep, 10).await.unwrap().is_nothing());
    let (all, orders) = kept(&journal).await;
    assert_eq!((all, orders), (4, vec!["DUE".to_owned(), "PARKED".to_owned()]));
    let accepted = journal.queue.acceptance(delivery, OrderId::parse("TAKEN").unwrap()).await.unwrap().unwrap();
    assert_eq!((accepted.status, accepted.body, accepted.headers.len()), (StatusCode::OK, None, 0));
    assert_eq!(accepted.transaction_id, Some(verified().transaction_id));
    let without: Vec<_> = journal.archive.find(of("TAKEN"), 1).await.unwrap();
    assert!(without[0].is_without_request());
    // It can be asked for all the same.
    let search = of("TAKEN");
    let again = decided::redelivery(search, 10, Overrides::NONE.with(Override::Accepted, true), false);
    assert_eq!(journal.archive.redeliver(again).await.unwrap().entries.len(), 1);
    let [work] = &due(&journal).await[..] else { panic!() };
    assert!(work.callback.request.is_none() && work.asked_for);
}
