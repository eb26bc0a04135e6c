use super::*;
use crate::domain::order::OrderId;
use crate::journal::sqlite::tests::open;
use crate::journal::suite::callback;
use crate::journal::{Acceptance, Attempt, DeliveryId, EntryId, Origin, Outcome, Transition, Trust};
use hyper::{HeaderMap, StatusCode};
use tokio::sync::oneshot;

/// Callbacks that wait to be taken in.
const RUSH: i64 = 4000;

fn accepted(entry: EntryId) -> JournalEvent {
    let delivery = DeliveryId::of("app", &OrderId::parse("FIRST").unwrap());
    let acceptance = Acceptance { transaction_id: None, status: StatusCode::OK, headers: HeaderMap::new(), body: None };
    let attempt = Attempt { entry, delivery, number: 1, origin: Origin::Callback };
    JournalEvent::AttemptEnded { attempt, outcome: Outcome::Accepted(acceptance), next: Some(Transition::Accepted) }
}

#[tokio::test]
async fn that_an_order_was_accepted_does_not_wait_for_a_rush() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("j.db");
    let journal = open(&path, u64::MAX).unwrap();
    let take_in = |order: String| journal.queue.take_in(callback(&order), Trust::Unconfirmed, Duration::MAX);
    let entry = take_in("FIRST".to_owned()).await.unwrap().entry;
    let beside = Connection::open(&path).unwrap();
    beside
        .execute_batch(
            "CREATE TABLE seen (entries INTEGER);
             CREATE TRIGGER look AFTER UPDATE OF state ON entry WHEN new.state = 'accepted'
             BEGIN INSERT INTO seen SELECT count(*) FROM entry; END;",
        )
        .unwrap();
    let rush: Vec<_> = (0..RUSH).map(|order| take_in(format!("RUSH-{order}"))).collect();
    journal.queue.append(accepted(entry));
    journal.queue.flush().await.unwrap();
    let number = |sql: &str| beside.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("SELECT count(*) FROM entry"), RUSH + 1, "what was asked for before is written");
    let before = number("SELECT entries FROM seen");
    assert!(before < RUSH / 2, "{before} were taken in before");
    for taken in rush {
        assert!(taken.await.unwrap().fresh);
    }
}

fn numbered(note: bool, at: i64) -> Stamped {
    let op = if note { Op::Append { event: accepted(EntryId(1)), seq: 0 } } else { Op::Flush(oneshot::channel().0) };
    Stamped { op, at }
}

#[test]
fn notes_go_first_and_nothing_else_changes_its_place() {
    let (ask, queue) = std::sync::mpsc::channel();
    for (at, note) in [false, true, false, false, true, false].into_iter().enumerate() {
        ask.send(numbered(note, i64::try_from(at).unwrap())).unwrap();
    }
    let mut inbox = Inbox::default();
    assert!(inbox.fill(&queue, Duration::MAX));
    let order = |batch: &[Stamped]| batch.iter().map(|stamped| stamped.at).collect::<Vec<_>>();
    let mut batch = inbox.batch(5);
    assert_eq!(order(&batch), [1, 4, 0, 2, 3]);
    inbox.put_back(batch.drain(3..));
    ask.send(numbered(true, 6)).unwrap();
    drop(ask);
    assert!(inbox.fill(&queue, Duration::MAX));
    assert_eq!(order(&inbox.batch(1)), [6]);
    assert_eq!(order(&inbox.batch(5)), [2, 3, 5]);
    assert!(!inbox.fill(&queue, Duration::MAX));
}
