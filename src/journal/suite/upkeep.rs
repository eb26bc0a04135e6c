//! What is done from time to time.

use super::*;

pub(super) async fn what_is_done_is_forgotten_after_its_time(store: &dyn Store) {
    let journal = store.open(100);
    for (order, next, verified) in [
        ("ACCEPTED", Transition::Accepted, Some(verified())),
        ("CLOSED", Transition::Close, None),
        ("MADE-UP", Transition::Park, None),
        ("HELD", Transition::Park, Some(verified())),
        ("ASKED", Transition::Ask { again_in: LATE, retries: 0 }, None),
    ] {
        let taken = take_in(&journal, order, LATE).await;
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::NotPaidYet,
            verified,
            next: Some(next),
        });
    }
    journal.queue.flush().await.unwrap();
    assert!(journal.queue.forget(LATE.into(), 10).await.unwrap().entries.is_empty());
    time_passes(SOON).await;
    assert_eq!(journal.queue.forget(SOON.into(), 10).await.unwrap().entries.len(), 3);
    let kept: Vec<_> = journal.archive.find(Search::default(), 10).await.unwrap();
    assert_eq!(kept.iter().map(|record| record.claimed.order.to_string()).collect::<Vec<_>>(), ["ASKED", "HELD"]);
}

pub(super) async fn what_was_taken_in_is_there_or_forgotten(store: &dyn Store) {
    let journal = store.open(u64::MAX);
    for order in ["A1", "A2", "A3"] {
        let entry = take_in(&journal, order, SOON).await.entry;
        let next = if order == "A3" { Transition::Park } else { Transition::Close };
        journal.queue.append(JournalEvent::Decided { entry, reason: Reason::Closed, verified: None, next: Some(next) });
    }
    journal.queue.flush().await.unwrap();
    let law = async || {
        let Figures { entries, taken_in, forgotten, .. } = journal.archive.figures().await.unwrap();
        (taken_in, entries.iter().sum::<u64>(), forgotten)
    };
    assert_eq!(law().await, (3, 3, 0));
    // A claim that was closed begins anew.
    take_in(&journal, "A1", LATE).await;
    assert_eq!(law().await, (4, 3, 1));
    time_passes(Duration::ZERO).await;
    journal.queue.forget(Duration::ZERO.into(), 10).await.unwrap();
    assert_eq!(law().await, (4, 1, 3));
}

pub(super) async fn what_happened_in_a_minute_is_added_up(store: &dyn Store) {
    let journal = store.open(u64::MAX);
    let minute = |second| {
        let mut totals = Totals::default();
        totals.outcomes[2] = 7;
        totals.verdicts[6] = 7;
        totals.latencies = Latencies::from_counts([3, 4]);
        Moment { at: Timestamp::from_second(second).unwrap(), totals }
    };
    for second in [0, 60, 60, 86_400] {
        journal.queue.keep_minute(minute(second)).await.unwrap();
    }
    let journal = {
        drop(journal);
        store.open(u64::MAX)
    };
    let mut twice = minute(60);
    twice.totals.merge(&minute(60).totals);
    assert_eq!(journal.archive.minutes().await.unwrap(), [minute(0), twice, minute(86_400)]);
    journal.queue.keep_minute(minute(86_460)).await.unwrap();
    assert_eq!(journal.archive.minutes().await.unwrap().len(), 3);
}
