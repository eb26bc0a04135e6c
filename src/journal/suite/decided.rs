//! What only a person decides, and what a journal keeps of that.

use super::*;
use crate::journal::overrides::{Needed, Redelivered, Redelivery};
use crate::journal::pending_orders::{News, PendingOrder};

pub(super) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    what_was_accepted_is_due_by_a_decision_alone(&*stores()).await;
    a_price_is_told_beside_what_was_paid(&*stores()).await;
    a_decision_is_with_the_work_and_its_line_until_it_is_done(&*stores()).await;
    a_second_payment_is_to_be_decided_while_it_is_parked_for_that(&*stores()).await;
    a_refunded_payment_is_no_first_one(&*stores()).await;
    claims_that_were_held_with_the_same_payment_are_done_with_it(&*stores()).await;
}

pub(super) fn redelivery(search: Search, limit: usize, given: Overrides, leave_out: bool) -> Redelivery {
    let because = (!given.is_empty()).then(|| "a test".to_owned());
    Redelivery { search, limit, given, because, leave_out, by: queries::somebody() }
}

async fn redeliver(journal: &Journal, order: &str, given: &[Override]) -> Redelivered {
    let given = given.iter().copied().collect();
    journal.archive.redeliver(redelivery(of(order), 10, given, false)).await.unwrap()
}

async fn needed(journal: &Journal, order: &str) -> Needed {
    journal.queue.flush().await.unwrap();
    journal.archive.needed(of(order), 10).await.unwrap().remove(0)
}

async fn parked(journal: &Journal, order: &str, reason: Reason) -> EntryId {
    let entry = take_in(journal, order, LATE).await.entry;
    journal.queue.append(JournalEvent::Decided {
        entry,
        reason,
        verified: Some(verified()),
        next: Some(Transition::Park),
    });
    entry
}

async fn list(journal: &Journal, order: &str, fen: Option<u64>) {
    let listed = PendingOrder {
        channel: ChannelId::parse("app").unwrap(),
        out_trade_no: OutTradeNo::parse(&format!("N{order}")).unwrap(),
        order: OrderId::parse(order).unwrap(),
        amount: fen.map(Fen),
        gone_at: None,
    };
    journal
        .queue
        .take_pending_orders(News { source: "shop".to_owned(), listed: vec![listed], ..News::default() })
        .await
        .unwrap();
}

async fn what_was_accepted_is_due_by_a_decision_alone(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    let attempt = attempt_of(&taken, "A", 1);
    accept(&journal, attempt);
    journal.queue.flush().await.unwrap();
    let refused = redeliver(&journal, "A", &[]).await;
    assert_eq!((refused.entries.len(), refused.held[0].needs.to_string().as_str()), (0, "accepted"));
    let left_out = journal.archive.redeliver(redelivery(Search::default(), 10, Overrides::NONE, true)).await.unwrap();
    assert_eq!((left_out.entries.len(), left_out.held.len(), left_out.last), (0, 1, Some(taken.entry)));
    assert!(journal.archive.act(Act::Redeliver, of("A"), 10, queries::somebody()).await.unwrap().is_empty());
    assert!(journal.archive.audits(None, 10).await.unwrap().is_empty(), "what did nothing has no line");
    let unneeded = redeliver(&journal, "A", &[Override::Accepted, Override::Amount]).await;
    assert_eq!((unneeded.entries.len(), unneeded.unneeded.to_string().as_str()), (0, "amount"));
    assert_eq!(redeliver(&journal, "A", &[Override::Accepted]).await.entries, [taken.entry]);
}

async fn a_price_is_told_beside_what_was_paid(store: &dyn Store) {
    let journal = store.open(100);
    list(&journal, "A", Some(990)).await;
    parked(&journal, "A", Reason::ExpectedAmountDiffers).await;
    let price = |needed: &Needed| needed.price.as_ref().map(|price| (price.amount.fen.0, price.source.clone()));
    let one = needed(&journal, "A").await;
    assert_eq!((one.needs.to_string().as_str(), price(&one)), ("amount", Some((990, "shop".to_owned()))));
    assert_eq!(one.amounts().as_deref(), Some("paid ¥66.00, costs ¥9.90"));
    // It has no price any more, and the order is held at the one that it had.
    list(&journal, "A", None).await;
    assert_eq!(price(&needed(&journal, "A").await), Some((990, "shop".to_owned())));
    let record = journal.archive.find(of("A"), 1).await.unwrap().remove(0);
    assert_eq!(record.price.map(|price| (price.amount.fen.0, price.listed_at.is_some())), Some((990, true)));
    list(&journal, "A", Some(6600)).await;
    assert!(needed(&journal, "A").await.needs.is_empty(), "it was put right");
    // Where nobody ever said a price there is none.
    parked(&journal, "B", Reason::GaveUpDelivering).await;
    let other = needed(&journal, "B").await;
    assert_eq!((other.needs, other.price.is_none()), (Overrides::NONE, true));
}

async fn a_decision_is_with_the_work_and_its_line_until_it_is_done(store: &dyn Store) {
    let journal = store.open(100);
    list(&journal, "A", Some(990)).await;
    let entry = parked(&journal, "A", Reason::ExpectedAmountDiffers).await;
    journal.queue.flush().await.unwrap();
    assert_eq!(redeliver(&journal, "A", &[Override::Amount]).await.entries, [entry]);
    let line = journal.archive.audits(None, 1).await.unwrap().remove(0).audit;
    assert_eq!(line.outcome.as_deref(), Some("override amount: paid 6600, expected 990"));
    assert_eq!(line.because.as_deref(), Some("a test"));
    let amount: Overrides = [Override::Amount].into_iter().collect();
    let noted = async |next| {
        let [work] = &*due(&journal).await else { panic!() };
        assert!(work.asked_for);
        let seen = (work.overrides, work.price.map(|price| price.fen.0));
        journal.queue.append(JournalEvent::Decided {
            entry,
            reason: Reason::QueryTimeout,
            verified: None,
            next: Some(next),
        });
        journal.queue.flush().await.unwrap();
        seen
    };
    let again = Transition::Deliver { again_in: Duration::ZERO, retries: 1 };
    assert_eq!(noted(again).await, (amount, Some(990)));
    assert_eq!(noted(Transition::Park).await, (amount, Some(990)));
    assert_eq!(journal.archive.act(Act::Unpark, of("A"), 1, queries::somebody()).await.unwrap(), [entry]);
    let [work] = &*due(&journal).await else { panic!() };
    assert_eq!((work.overrides, work.asked_for), (Overrides::NONE, false), "a decision is spent with its turn");
    let taken = journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!(taken.price.map(|price| price.fen.0), Some(990), "a callback of it is held against that price too");
}

async fn a_second_payment_is_to_be_decided_while_it_is_parked_for_that(store: &dyn Store) {
    let journal = store.open(100);
    parked(&journal, "A", Reason::SecondPayment).await;
    assert_eq!(needed(&journal, "A").await.needs.to_string(), "second-payment");
    assert!(redeliver(&journal, "A", &[Override::Amount]).await.entries.is_empty());
    assert_eq!(redeliver(&journal, "A", &[Override::SecondPayment]).await.entries.len(), 1);
}

async fn a_refunded_payment_is_no_first_one(store: &dyn Store) {
    let journal = store.open(100);
    parked(&journal, "A", Reason::GaveUpDelivering).await;
    journal.queue.flush().await.unwrap();
    let (channel, transaction_id) = (ChannelId::parse("app").unwrap(), verified().transaction_id);
    let paid_by = async || journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE).await.unwrap().paid_by;
    assert_eq!(paid_by().await, [(channel, transaction_id)]);
    for _ in 0..2 {
        journal.queue.append(JournalEvent::Refunded { channel, order: OrderId::parse("A").unwrap(), transaction_id });
    }
    journal.queue.flush().await.unwrap();
    assert!(paid_by().await.is_empty());
    let record = journal.archive.find(of("A"), 1).await.unwrap().remove(0);
    assert_eq!((record.state, record.verified.map(|verified| verified.refunded)), (State::Parked, Some(true)));
    let told = record.events.iter().filter(|event| event.reason == Some(Reason::Refunded));
    assert_eq!(told.count(), 1, "{:?}", record.events);
}

async fn claims_that_were_held_with_the_same_payment_are_done_with_it(store: &dyn Store) {
    let journal = store.open(100);
    let mut entries = Vec::new();
    for fen in [1, 2, 3] {
        let mut callback = callback("A");
        callback.claimed.amount = Some(Money { fen: Fen(fen), currency: Currency::default() });
        let entry = journal.queue.take_in(callback, Trust::Unconfirmed, LATE).await.unwrap();
        let other = TransactionId::parse("4200000000000000000000000009").unwrap();
        let transaction_id = if fen == 2 { other } else { verified().transaction_id };
        let verified = Some(Verified { transaction_id, ..verified() });
        let reason = Reason::GaveUpDelivering;
        journal.queue.append(JournalEvent::Decided {
            entry: entry.entry,
            reason,
            verified,
            next: Some(Transition::Park),
        });
        entries.push(entry);
    }
    journal.queue.flush().await.unwrap();
    let attempt = attempt_of(&entries[2], "A", 1);
    assert_eq!(redeliver(&journal, "A", &[]).await.entries, [attempt.entry]);
    accept(&journal, attempt);
    journal.queue.flush().await.unwrap();
    let mut records = journal.archive.find(of("A"), 10).await.unwrap();
    records.reverse();
    let states: Vec<_> = records.iter().map(|record| record.state).collect();
    assert_eq!(states, [State::Accepted, State::Parked, State::Accepted], "another payment is not that one");
}
