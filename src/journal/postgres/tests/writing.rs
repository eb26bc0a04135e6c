//! What is written, and read back by other means.

use super::{journal, open, server};
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::journal::suite::{accepted, attempt_of, callback, verified};
use crate::journal::{
    Begun, DatabaseSettings, JournalError, JournalEvent, Origin, Outcome, Sending, State, Taken, Transition, Trust,
};
use std::time::Duration;

const LATE: Duration = Duration::from_secs(3600);

fn ask(settings: &DatabaseSettings, sql: &str) -> String {
    server::run(&sql.replace('~', &format!("{}.", settings.schema)))
}

fn sending(taken: &Taken, order: &str) -> Sending {
    Sending {
        entry: taken.entry,
        delivery: attempt_of(taken, order, 1).delivery,
        order: OrderId::parse(order).unwrap(),
        origin: Origin::Callback,
        verified: verified(),
        next: Some(Transition::Deliver { again_in: LATE, retries: 0 }),
        alone: true,
        leased: false,
        unless_accepted: true,
        same_order_on: vec![callback(order).claimed.channel],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_taken_in_once_and_led_on_until_it_is_accepted() {
    let Some(settings) = server::settings() else { return };
    let opened = open(&settings, 100.into());
    let journal = journal(&opened);
    let taken = journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    assert!(taken.fresh && taken.state == State::Asking && taken.listed == Some(vec![]));
    let again = journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!((again.fresh, again.entry), (false, taken.entry));
    assert_eq!(ask(&settings, "SELECT holder = incarnation FROM ~entry, ~replica"), "t");
    let shared = journal.shared.as_ref().unwrap();
    assert_eq!(shared.begin(sending(&taken, "A")).await.unwrap(), Begun::Number(1));
    let attempt = attempt_of(&taken, "A", 1);
    let outcome = Outcome::Accepted(accepted());
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
    journal.queue.flush().await.unwrap();
    assert_eq!(
        ask(&settings, "SELECT state, holder IS NULL, reason, transaction_id FROM ~entry"),
        format!("accepted|t|paid|{}", verified().transaction_id)
    );
    assert_eq!(
        ask(&settings, "SELECT attempts, sender IS NULL, turn IS NULL, answer_status FROM ~delivery"),
        "1|t|t|200"
    );
    assert_eq!(shared.begin(sending(&taken, "A")).await.unwrap(), Begun::Accepted(accepted()));
    let again = journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!((again.state, again.attempts, again.accepted), (State::Accepted, 1, Some(accepted())));
    assert_eq!(again.paid_by.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_begins_anew_and_gives_way() {
    let Some(settings) = server::settings() else { return };
    let opened = open(&settings, 2.into());
    let journal = journal(&opened);
    let take_in = |order: &str| journal.queue.take_in(callback(order), Trust::Unconfirmed, LATE);
    let close = |taken: &Taken| {
        let next = Some(Transition::Close);
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::Closed,
            verified: None,
            next,
        });
    };
    let first = take_in("A").await.unwrap();
    take_in("B").await.unwrap();
    assert_eq!(take_in("C").await.unwrap_err(), JournalError::Full);
    assert!(!take_in("A").await.unwrap().fresh, "what is known stays known");
    close(&first);
    let again = take_in("A").await.unwrap();
    assert!(again.fresh && again.entry != first.entry);
    close(&again);
    assert!(take_in("C").await.unwrap().fresh);
    assert_eq!(ask(&settings, "SELECT string_agg(\"order\", ' ' ORDER BY id) FROM ~entry"), "B C");
    assert_eq!(ask(&settings, "SELECT count(*) FROM ~request"), "2");
    assert_eq!(ask(&settings, "SELECT sum(entries) FROM ~forgotten"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_herd_on_one_order_has_a_number_each() {
    let Some(settings) = server::settings() else { return };
    let opened = open(&settings, 100.into());
    let journal = journal(&opened);
    let shared = journal.shared.as_ref().unwrap();
    let taken = journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    let forwarded = || Sending { alone: false, unless_accepted: false, ..sending(&taken, "A") };
    let herd: Vec<_> = (0..60).map(|_| shared.begin(forwarded())).collect();
    let mut numbers = Vec::new();
    for begun in herd {
        let Begun::Number(number) = begun.await.unwrap() else { panic!() };
        numbers.push(number);
        let outcome = Outcome::Failed(Reason::UpstreamBroke);
        journal.queue.append(JournalEvent::AttemptEnded {
            attempt: attempt_of(&taken, "A", number),
            outcome,
            next: None,
        });
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=60).collect::<Vec<_>>());
    journal.queue.flush().await.unwrap();
    assert_eq!(ask(&settings, "SELECT count(*), count(ended_at), count(DISTINCT attempt) FROM ~attempt"), "60|60|60");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sends_at_a_time_and_whoever_gives_up_gives_the_turn_back() {
    let Some(settings) = server::settings() else { return };
    let other = DatabaseSettings { replica: "two".to_owned(), ..settings.clone() };
    let (one, two) = (open(&settings, 100.into()), open(&other, 100.into()));
    let (one, two) = (journal(&one), journal(&two));
    let (at_one, at_two) = (one.shared.as_ref().unwrap(), two.shared.as_ref().unwrap());
    let taken = one.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!(at_one.begin(sending(&taken, "A")).await.unwrap(), Begun::Number(1));
    assert_eq!(at_two.begin(sending(&taken, "A")).await.unwrap(), Begun::Busy);
    let leased = Sending { leased: true, alone: false, ..sending(&taken, "A") };
    assert_eq!(at_two.begin(leased).await.unwrap(), Begun::Lost, "the other one has the entry");
    at_one.abandon(attempt_of(&taken, "A", 1));
    one.queue.flush().await.unwrap();
    assert_eq!(at_two.begin(sending(&taken, "A")).await.unwrap(), Begun::Number(2));
    // Its caller leaves before it has its number.
    drop(at_one.begin(Sending { alone: false, ..sending(&taken, "A") }));
    let attempt = attempt_of(&taken, "A", 2);
    let outcome = Outcome::Accepted(accepted());
    // It has no lease of the entry, and an acceptance is a fact.
    two.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
    two.queue.flush().await.unwrap();
    let closed = JournalEvent::Decided {
        entry: taken.entry,
        reason: Reason::NotPaidYet,
        verified: None,
        next: Some(Transition::Park),
    };
    one.queue.append(closed);
    one.queue.flush().await.unwrap();
    assert_eq!(ask(&settings, "SELECT state, reason, holder IS NULL FROM ~entry"), "accepted|paid|t");
    assert_eq!(at_one.begin(sending(&taken, "A")).await.unwrap(), Begun::Accepted(accepted()));
    let mut second = sending(&taken, "A");
    second.verified.transaction_id = crate::domain::order::TransactionId::parse("42").unwrap();
    let first = (callback("A").claimed.channel, verified().transaction_id);
    assert_eq!(at_two.begin(second).await.unwrap(), Begun::PaidBy(first.0, first.1));
}
