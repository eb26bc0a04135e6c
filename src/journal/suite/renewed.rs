//! A callback that comes once more under a fresh signature takes the place of the one that is kept.

use super::*;

/// Every test of this part.
pub(super) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    what_waits_for_a_fresh_signature_is_due_by_its_schedule_when_one_comes(&*stores()).await;
    what_needs_no_fresh_signature_is_due_as_before(&*stores()).await;
    what_is_done_with_is_not_renewed(&*stores()).await;
    what_waits_is_due_once_its_route_lets_it_be_sent(&*stores()).await;
}

fn renewed(entry: EntryId, body: &'static [u8], again_in: Option<Duration>) -> JournalEvent {
    let mut request = callback("A").request.unwrap();
    request.body = Bytes::from_static(body);
    request.headers.insert("x-signed", HeaderValue::from_static("later"));
    JournalEvent::Renewed { entry, request: Box::new(request), again_in }
}

fn decided(entry: EntryId, reason: Reason, next: Transition) -> JournalEvent {
    JournalEvent::Decided { entry, reason, verified: Some(verified()), next: Some(next) }
}

async fn due(journal: &Journal) -> Vec<Job> {
    journal.queue.lease_due(10, Throttled::default()).await.unwrap()
}

async fn what_waits_for_a_fresh_signature_is_due_by_its_schedule_when_one_comes(store: &dyn Store) {
    let journal = store.open(100);
    let entry = take_in(&journal, "A", LATE).await.entry;
    let waits = Transition::Deliver { again_in: LATE, retries: 3 };
    journal.queue.append(decided(entry, Reason::WindowOver, waits));
    journal.queue.flush().await.unwrap();
    assert!(due(&journal).await.is_empty());
    let [record] = &*journal.archive.find(of("A"), 10).await.unwrap() else { panic!() };
    assert_eq!(record.reason, Some(Reason::WindowOver));
    journal.queue.append(renewed(entry, b"fresh", Some(Duration::ZERO)));
    journal.queue.flush().await.unwrap();
    // It is on disk: a process that starts anew finds it.
    drop(journal);
    let journal = store.open(100);
    time_passes(SOON).await;
    let [job] = &*due(&journal).await else { panic!() };
    assert_eq!((job.entry, job.retries, job.reason), (entry, 0, Some(Reason::Paid)));
    let request = job.callback.request.as_ref().unwrap();
    assert_eq!(request.body.as_ref(), b"fresh");
    assert_eq!(request.headers.get("x-signed").unwrap(), "later");
    assert!(job.kept_for < LATE);
    let reasons: Vec<_> = record_of(&journal).await;
    assert_eq!(reasons, [Reason::WindowOver, Reason::Paid]);
}

async fn record_of(journal: &Journal) -> Vec<Reason> {
    let [record] = &*journal.archive.find(of("A"), 10).await.unwrap() else { panic!() };
    record.events.iter().filter(|event| event.what == "found").filter_map(|event| event.reason).collect()
}

async fn what_needs_no_fresh_signature_is_due_as_before(store: &dyn Store) {
    let journal = store.open(100);
    let entry = take_in(&journal, "A", SOON).await.entry;
    // Nothing was decided yet: it is asked about when it was to be.
    journal.queue.append(renewed(entry, b"once more", Some(LATE)));
    journal.queue.append(decided(entry, Reason::Paid, Transition::Deliver { again_in: SOON, retries: 3 }));
    journal.queue.append(renewed(entry, b"and once more", None));
    journal.queue.flush().await.unwrap();
    time_passes(SOON).await;
    let [job] = &*due(&journal).await else { panic!() };
    assert_eq!((job.entry, job.retries, job.reason), (entry, 3, Some(Reason::Paid)));
    assert_eq!(job.callback.request.as_ref().unwrap().body.as_ref(), b"and once more");
}

async fn what_is_done_with_is_not_renewed(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    accept(&journal, attempt_of(&taken, "A", 1));
    journal.queue.append(renewed(taken.entry, b"too late", Some(Duration::ZERO)));
    // Nor what is not there.
    journal.queue.append(renewed(EntryId(taken.entry.0 + 1), b"nobody's", Some(Duration::ZERO)));
    journal.queue.flush().await.unwrap();
    time_passes(SOON).await;
    assert!(due(&journal).await.is_empty());
    assert_eq!(take_in(&journal, "A", LATE).await.state, State::Accepted);
}

async fn what_waits_is_due_once_its_route_lets_it_be_sent(store: &dyn Store) {
    let journal = store.open(100);
    let mut entries = Vec::new();
    for order in ["A", "B", "C"] {
        let entry = take_in(&journal, order, LATE).await.entry;
        let reason = if order == "C" { Reason::Paid } else { Reason::WindowOver };
        journal.queue.append(decided(entry, reason, Transition::Deliver { again_in: LATE, retries: 1 }));
        entries.push(entry);
    }
    journal.queue.flush().await.unwrap();
    let app = || vec![ChannelId::parse("app").unwrap()];
    let end = |routes: &[&str], limit| {
        journal.queue.end_waiting(app(), routes.iter().map(|route| (*route).to_owned()).collect(), limit)
    };
    assert_eq!(end(&["other"], 10).await.unwrap(), 0);
    assert_eq!(end(&["other", "app"], 1).await.unwrap(), 1);
    assert_eq!(end(&["app"], 10).await.unwrap(), 1);
    assert_eq!(end(&["app"], 10).await.unwrap(), 0);
    time_passes(SOON).await;
    let mut due: Vec<_> = due(&journal).await.iter().map(|job| (job.entry, job.reason, job.retries)).collect();
    due.sort_unstable_by_key(|(entry, ..)| *entry);
    assert_eq!(due, [(entries[0], Some(Reason::Paid), 0), (entries[1], Some(Reason::Paid), 0)]);
}
