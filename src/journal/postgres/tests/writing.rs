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
