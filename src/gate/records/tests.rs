use super::*;
use crate::domain::order::MerchantId;
use crate::gate::record::Standing;
use crate::journal::suite;
use crate::journal::{Begun, BoxFuture, Census, Duty, Membership, Myself, Replica, Sending, Settings};
use crate::observe::metrics::JournalMeters;
use tempfile::TempDir;

/// What gates share, as far as records ask for it: nothing.
#[derive(Debug)]
struct Others;

impl Shared for Others {
    fn begin(&self, _: Sending) -> BoxFuture<'_, Begun> {
        Box::pin(async { Ok(Begun::Lost) })
    }

    fn abandon(&self, _: journal::Attempt) {}

    fn duty(&self, _: Duty) -> BoxFuture<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    fn shares(&self, _: &[(MerchantId, f64)]) -> Vec<(MerchantId, f64)> {
        Vec::new()
    }

    fn membership(&self) -> Membership {
        Membership { lease_holds: true, live: 2, clock_skew_ms: 0 }
    }

    fn census(&self) -> Census {
        Census::default()
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn introduce(&self, _: Myself) {}

    fn replicas(&self) -> BoxFuture<'_, Vec<Replica>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

const FIRST: First = First { ask: Duration::from_secs(60), deliver: Duration::from_secs(60) };

/// Two gates' records in one journal, as far as each remembers them.
async fn two_gates() -> (TempDir, Journal, Records, Records) {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::file(directory.path().join("j.db"), 100);
    let journal = journal::open(&settings, JournalMeters::default()).await.unwrap();
    let journal = Journal { shared: Some(Arc::new(Others)), ..journal };
    let records = || Records::new(Some(journal.clone()), 100, FIRST, []);
    let (one, other) = (records(), records());
    (directory, journal, one, other)
}

async fn taken_in(records: &Records, callback: &Callback) -> TakenIn {
    records.take_in(Box::new(callback.clone()), Trust::Confirmed).await.unwrap().unwrap()
}

fn acceptance(transaction_id: &str) -> Acceptance {
    let transaction_id = TransactionId::parse(transaction_id).ok();
    Acceptance { transaction_id, status: hyper::StatusCode::OK, headers: hyper::HeaderMap::new(), body: None }
}

#[tokio::test]
async fn what_another_gate_closed_is_taken_in_anew_and_not_taken_for_known() {
    let (_directory, journal, one, other) = two_gates().await;
    let callback = *suite::callback("A1");
    let here = taken_in(&one, &callback).await;
    assert!(here.lease.is_some());
    let there = taken_in(&other, &callback).await;
    assert_eq!((there.record.entry, there.lease.is_some()), (here.record.entry, false));
    other.decided(&there.record, Reason::Closed, None, Some(Transition::Close));
    journal.queue.flush().await.unwrap();
    for duplicates in [Duplicates::Forward, Duplicates::Absorb] {
        assert!(one.vouched(&callback.route, duplicates, &callback.claimed).is_none());
    }
    let again = taken_in(&one, &callback).await;
    assert!(again.lease.is_some() && again.record.entry != here.record.entry);
    assert_eq!(again.record.state(), State::Asking);
}

#[tokio::test]
async fn what_another_gate_delivered_is_known_when_it_is_taken_in_and_vouched_for_from_then_on() {
    let (_directory, journal, one, other) = two_gates().await;
    let callback = *suite::callback("A1");
    let here = taken_in(&one, &callback).await;
    let there = taken_in(&other, &callback).await;
    let attempt = there.record.delivery.attempt(Some(7), Origin::Callback);
    let line = line(&there.record, &attempt);
    assert_eq!(line.map(|line| line.number), Some(7));
    journal.queue.append(JournalEvent::AttemptStarted { attempt: line.unwrap(), verified: None, next: None });
    let accepted = Outcome::Accepted(acceptance("4200000000000000000000000001"));
    other.attempt_ended(&there.record, &attempt, line, accepted, None);
    journal.queue.flush().await.unwrap();
    assert!(here.record.delivery.accepted().is_none(), "nobody told this gate");
    let again = taken_in(&one, &callback).await;
    assert_eq!((again.record.state(), again.record.delivery.attempts()), (State::Accepted, 7));
    let known = again.record.delivery.accepted().and_then(|accepted| accepted.transaction_id);
    assert_eq!(known, TransactionId::parse("4200000000000000000000000001").ok());
    let vouched = |duplicates| one.vouched(&callback.route, duplicates, &callback.claimed).is_some();
    assert_eq!([Duplicates::Forward, Duplicates::Absorb].map(vouched), [false, true]);
}

#[test]
fn the_first_payment_that_the_journal_names_takes_the_place_of_the_one_that_was_remembered() {
    let records = Records::new(None, 100, FIRST, []);
    let record = records.unkept(DeliveryId::of("app", &OrderId::parse("A1").unwrap()));
    let channel = ChannelId::parse("app").unwrap();
    let payment = |id: &str| TransactionId::parse(id).unwrap();
    let first = |id: &str| Standing { channel, transaction_id: payment(id), asked_at: None };
    let known = || record.payment.lock().map(|first| (first.transaction_id, first.asked_at.is_some()));
    record.stands(State::Asking, Some(Standing { asked_at: Some(tokio::time::Instant::now()), ..first("1") }));
    record.stands(State::Asking, Some(first("1")));
    assert_eq!(known(), Some((payment("1"), true)), "what was found out about it stays");
    record.stands(State::Delivering, None);
    assert_eq!((known(), record.state()), (Some((payment("1"), true)), State::Delivering));
    record.stands(State::Asking, Some(first("2")));
    assert_eq!((known(), record.state()), (Some((payment("2"), false)), State::Asking));
}
