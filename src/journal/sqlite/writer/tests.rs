use super::*;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::OrderId;
use crate::domain::order::TransactionId;
use crate::domain::reason::Reason;
use crate::journal::sqlite::mailbox::Mailbox;
use crate::journal::sqlite::tests::open;
use crate::journal::suite::callback;
use crate::journal::{Acceptance, Attempt, DeliveryId, EntryId, Origin, Outcome, State, Transition, Trust, Verified};
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
    let event = || Op::Append { event: accepted(EntryId(1)), seq: 0, began: None };
    let op = if note { event() } else { Op::Flush(oneshot::channel().0) };
    Stamped { op, at }
}

const LONG: Duration = Duration::from_secs(600);

fn order(batch: &[Stamped]) -> Vec<i64> {
    batch.iter().map(|stamped| stamped.at).collect()
}

#[test]
fn notes_go_first_and_nothing_else_changes_its_place() {
    let mailbox = Arc::new(Mailbox::default());
    let emptier = Emptier::of(&mailbox);
    for (at, note) in [false, true, false, false, true, false].into_iter().enumerate() {
        mailbox.leave(numbered(note, i64::try_from(at).unwrap()));
    }
    let mut inbox = Inbox::default();
    assert!(inbox.fill(&emptier, BATCH, LONG));
    let mut batch = inbox.batch(5);
    assert_eq!(order(&batch), [1, 4, 0, 2, 3]);
    inbox.put_back(batch.drain(3..));
    mailbox.leave(numbered(true, 6));
    mailbox.close();
    assert!(inbox.fill(&emptier, BATCH, LONG));
    assert_eq!(order(&inbox.batch(1)), [6]);
    assert_eq!(order(&inbox.batch(5)), [2, 3, 5]);
    assert!(!inbox.fill(&emptier, BATCH, LONG));
}

#[test]
fn a_note_waits_for_company_unless_somebody_waits_or_there_is_enough_of_it() {
    let mailbox = Arc::new(Mailbox::default());
    let (emptier, mut inbox) = (Emptier::of(&mailbox), Inbox::default());
    mailbox.leave(numbered(true, 1));
    let began = Instant::now();
    assert!(inbox.fill(&emptier, BATCH, Duration::ZERO) && began.elapsed() < LONG / 2);
    mailbox.leave(numbered(true, 2));
    assert!(inbox.fill(&emptier, BATCH, LONG), "it waits for a moment");
    assert_eq!(order(&inbox.batch(BATCH)), [1, 2]);
    mailbox.leave(numbered(true, 3));
    mailbox.leave(numbered(false, 4));
    assert!(inbox.fill(&emptier, BATCH, LONG));
    assert_eq!(order(&inbox.batch(BATCH)), [3, 4]);
    mailbox.leave(numbered(true, 5));
    mailbox.leave(numbered(true, 6));
    assert!(inbox.fill(&emptier, 2, LONG));
    assert_eq!(order(&inbox.batch(BATCH)), [5, 6]);
}

fn began(entry: EntryId) -> Stamped {
    let Op::Append { event: JournalEvent::AttemptEnded { attempt, .. }, .. } = numbered(true, 0).op else { panic!() };
    let event = JournalEvent::AttemptStarted { attempt: Attempt { entry, ..attempt }, verified: None, next: None };
    Stamped { op: Op::Append { event, seq: 0, began: None }, at: 0 }
}

#[test]
fn that_an_attempt_began_waits_for_its_end_and_not_for_ever() {
    let mailbox = Arc::new(Mailbox::default());
    let (emptier, mut inbox) = (Emptier::of(&mailbox), Inbox::default());
    mailbox.leave(began(EntryId(1)));
    mailbox.leave(numbered(true, 1));
    assert!(inbox.fill(&emptier, BATCH, LONG));
    let [Stamped { op: Op::Append { began: Some(_), .. }, at: 1 }] = &*inbox.batch(BATCH) else { panic!("not as one") };
    mailbox.leave(began(EntryId(1)));
    assert!(inbox.fill(&emptier, BATCH, LONG), "it waits for a moment");
    assert_eq!(inbox.batch(BATCH).len(), 1);
    mailbox.leave(began(EntryId(1)));
    mailbox.leave(numbered(false, 2));
    assert!(inbox.fill(&emptier, BATCH, LONG));
    assert_eq!(order(&inbox.batch(BATCH)), [0, 2], "a flush waits for everything");
    mailbox.leave(began(EntryId(1)));
    mailbox.close();
    assert!(inbox.fill(&emptier, BATCH, LONG));
    assert_eq!(inbox.batch(BATCH).len(), 1, "the end waits for everything");
    assert!(!inbox.fill(&emptier, BATCH, LONG));
}

#[tokio::test]
async fn who_is_taken_in_finds_what_was_said_of_its_order() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory.path().join("j.db"), u64::MAX).unwrap();
    let take_in = |order| journal.queue.take_in(callback(order), Trust::Unconfirmed, Duration::MAX);
    let entry = take_in("FIRST").await.unwrap().entry;
    let attempt = Attempt {
        entry,
        delivery: DeliveryId::of("app", &OrderId::parse("FIRST").unwrap()),
        number: 7,
        origin: Origin::Callback,
    };
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: None, next: None });
    let (other, again) = (take_in("OTHER"), take_in("FIRST"));
    let (other, again) = (other.await.unwrap(), again.await.unwrap());
    assert_eq!((other.fresh, again.fresh, again.attempts), (true, false, 7));
}

#[tokio::test]
async fn what_was_confirmed_a_moment_ago_gives_way_to_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let journal = open(&directory.path().join("j.db"), 1).unwrap();
    let take_in = |order| journal.queue.take_in(callback(order), Trust::Unconfirmed, Duration::MAX);
    let entry = take_in("FIRST").await.unwrap().entry;
    let parked =
        JournalEvent::Decided { entry, reason: Reason::OrderNotFound, verified: None, next: Some(Transition::Park) };
    journal.queue.append(parked);
    journal.queue.flush().await.unwrap();
    let attempt = Attempt {
        entry,
        delivery: DeliveryId::of("app", &OrderId::parse("FIRST").unwrap()),
        number: 1,
        origin: Origin::Callback,
    };
    let verified = Some(Verified {
        transaction_id: TransactionId::parse("4200000000000000000000000001").unwrap(),
        amount: Money { fen: Fen(6600), currency: Currency::default() },
        paid_at: None,
        refunded: false,
    });
    let next = Some(Transition::Deliver { again_in: Duration::MAX, retries: 0 });
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified, next });
    assert!(take_in("OTHER").await.unwrap().fresh);
    let again = take_in("FIRST").await.unwrap();
    assert_eq!((again.entry, again.fresh, again.state), (entry, false, State::Delivering));
}
