//! Numbers that are not counted are what counting would give, whatever was done.

use super::super::batch::Batch;
use super::super::budget::Budget;
use super::super::{act, check, forget, redeliver, schema, write};
use super::*;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OrderId, TransactionId};
use crate::journal::audit::{Act, By};
use crate::journal::overrides::{Overrides, Redelivery};
use crate::journal::{Acceptance, Attempt, Callback, DeliveryId, EntryId, Keep, Origin, Outcome, Search, Verified};
use hyper::{HeaderMap, StatusCode};
use proptest::prelude::*;

/// By how much those that are there and those that were removed are not those that were ever taken in.
const EVER_TAKEN_IN: &str = "SELECT abs((SELECT count(*) FROM entry) + (SELECT entries FROM forgotten)
    - coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entry'), 0))";

/// Something that is done about the order and the entry of these numbers.
#[derive(Debug, Clone)]
enum Done {
    TakenIn(u8, Trust),
    Found(u8, bool),
    Decided(i64, bool, Transition),
    Started(i64, u8),
    Ended(i64, u8, bool, Transition),
    Acted(u8, Act),
    Redelivered(u8),
    Forgotten(u8),
    Committed,
    BrokenOff,
}

fn transition() -> impl Strategy<Value = Transition> {
    let again_in = Duration::ZERO;
    prop_oneof![
        Just(Transition::Ask { again_in, retries: 1 }),
        Just(Transition::Deliver { again_in, retries: 1 }),
        Just(Transition::Accepted),
        Just(Transition::Park),
        Just(Transition::Close),
    ]
}

fn done() -> impl Strategy<Value = Done> {
    let trust = prop_oneof![Just(Trust::Unconfirmed), Just(Trust::Likely), Just(Trust::Confirmed)];
    let act = prop_oneof![Just(Act::Park), Just(Act::Unpark), Just(Act::Redeliver)];
    let (order, entry) = (|| 0..4u8, || 1..12i64);
    prop_oneof![
        6 => (order(), trust).prop_map(|(order, trust)| Done::TakenIn(order, trust)),
        2 => (order(), any::<bool>()).prop_map(|(order, anew)| Done::Found(order, anew)),
        6 => (entry(), any::<bool>(), transition()).prop_map(|(entry, paid, next)| Done::Decided(entry, paid, next)),
        3 => (entry(), order()).prop_map(|(entry, order)| Done::Started(entry, order)),
        6 => (entry(), order(), any::<bool>(), transition())
            .prop_map(|(entry, order, accepted, next)| Done::Ended(entry, order, accepted, next)),
        3 => (order(), act).prop_map(|(order, act)| Done::Acted(order, act)),
        2 => order().prop_map(Done::Redelivered),
        1 => (0..3u8).prop_map(Done::Forgotten),
        6 => Just(Done::Committed),
        1 => Just(Done::BrokenOff),
    ]
}

fn order(number: u8) -> OrderId {
    OrderId::parse(&format!("A{number}")).unwrap()
}

fn of(number: u8) -> Search {
    Search { order_id: Some(order(number)), ..Search::default() }
}

fn somebody() -> By {
    By { who: "token".to_owned(), from: "::1".to_owned() }
}

fn verified() -> Verified {
    Verified {
        transaction_id: TransactionId::parse("4200000000000000000000000001").unwrap(),
        amount: Money { fen: Fen(6600), currency: Currency::default() },
        paid_at: None,
        refunded: false,
    }
}

fn attempt(entry: i64, number: u8) -> Attempt {
    let delivery = DeliveryId::of("app", &order(number));
    Attempt { entry: EntryId(entry), delivery, number: 1, origin: Origin::Callback }
}

fn make(batch: &Batch<'_>, done: &Done, at: i64, budget: &mut Budget) -> rusqlite::Result<()> {
    match done {
        Done::TakenIn(number, trust) => {
            let callback = suite::callback(&format!("A{number}"));
            let _full = write::take_in(batch, &callback, false, (*trust, Duration::ZERO), at, budget)?;
        }
        Done::Found(number, anew) => {
            let callback = Callback { origin: Origin::Sweep, request: None, ..*suite::callback(&format!("A{number}")) };
            write::take_in_found(batch, &callback, at, at, *anew)?;
        }
        Done::Decided(entry, paid, next) => {
            let (reason, verified) = if *paid { (Reason::Paid, Some(verified())) } else { (Reason::Closed, None) };
            let event = JournalEvent::Decided { entry: EntryId(*entry), reason, verified, next: Some(*next) };
            write::append(batch, &event, at, budget)?;
        }
        Done::Started(entry, number) => {
            let next = Some(Transition::Deliver { again_in: Duration::ZERO, retries: 0 });
            let attempt = attempt(*entry, *number);
            let event = JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next };
            write::append(batch, &event, at, budget)?;
        }
        Done::Ended(entry, number, accepted, next) => {
            let (status, headers) = (StatusCode::OK, HeaderMap::new());
            let transaction_id = Some(verified().transaction_id);
            let outcome = match accepted {
                true => Outcome::Accepted(Acceptance { transaction_id, status, headers, body: None }),
                false => Outcome::Answered(status),
            };
            let event = JournalEvent::AttemptEnded { attempt: attempt(*entry, *number), outcome, next: Some(*next) };
            write::append(batch, &event, at, budget)?;
        }
        Done::Acted(number, act) => drop(act::act(batch, *act, &of(*number), 10, &somebody(), at)?),
        Done::Redelivered(number) => {
            let (search, by) = (of(*number), somebody());
            let wanted = Redelivery { search, limit: 10, given: Overrides::NONE, because: None, leave_out: true, by };
            redeliver::redeliver(batch, &wanted, at)?;
        }
        Done::Forgotten(limit) => {
            forget::forget(batch, Keep::from(Duration::ZERO), usize::from(*limit), at + 1, budget)?;
        }
        Done::Committed | Done::BrokenOff => {}
    }
    Ok(())
}

/// What is done in one transaction each, and whether it is committed.
fn transactions(all: &[Done]) -> impl Iterator<Item = (&[Done], bool)> {
    all.split_inclusive(|done| matches!(done, Done::Committed | Done::BrokenOff))
        .map(|some| (some, !matches!(some.last(), Some(Done::BrokenOff))))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn numbers_are_as_counted_after_anything_that_can_be_done(all in proptest::collection::vec(done(), 1..60)) {
        let mut connection = schema::model().unwrap();
        let mut budget = Budget::count(&connection, 3.into()).unwrap();
        for (at, (some, is_committed)) in (1_764_500_000_000..).zip(transactions(&all)) {
            let (before, transaction) = (budget, connection.transaction().unwrap());
            let batch = Batch::of(&transaction);
            some.iter().for_each(|done| make(&batch, done, at, &mut budget).unwrap());
            batch.settle().unwrap();
            match is_committed {
                true => transaction.commit().unwrap(),
                false => transaction.rollback().unwrap(),
            }
            budget = if is_committed { budget } else { before };
            let wrong = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            prop_assert_eq!(wrong(check::TALLIED), 0, "{:?}", some);
            prop_assert_eq!(wrong(EVER_TAKEN_IN), 0, "{:?}", some);
            let counted = Budget::count(&connection, 3.into()).unwrap().spent();
            prop_assert_eq!(budget.spent(), counted, "{:?}", some);
        }
    }
}
