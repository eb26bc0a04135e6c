//! What every implementation of the journal must do, whatever it keeps its records in. An implementation's tests run
//! [`all`] on a store of its own for each test.

mod attempts;

mod bounds;

mod decided;

mod found;

mod leases;

mod queries;

mod owners;

mod rank;

mod recovery;

mod renewed;

mod times;

mod upkeep;

use super::*;
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::observe::metrics::{Latencies, Moment, Totals};
use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// A store to be tested: what is there when it is opened, and opened again.
pub(crate) trait Store {
    /// Opens it, with this budget for what is unconfirmed.
    fn open_for(&self, room: Room) -> Journal;

    /// By how much its own clock may seem to differ from this process's; `None` if it has none of its own.
    fn own_clock(&self) -> Option<Duration> {
        None
    }

    /// Opens it, with this budget for unconfirmed records.
    fn open(&self, unconfirmed: u64) -> Journal {
        self.open_for(unconfirmed.into())
    }
}

const SOON: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_secs(3600);

pub(crate) fn callback(order: &str) -> Box<Callback> {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.append("x-odd", HeaderValue::from_bytes(b"\xe9 a: b").unwrap());
    Box::new(Callback {
        request_id: Uuid::now_v7(),
        route: "app".to_owned(),
        origin: Origin::Callback,
        created_at: None,
        claimed: Claimed {
            channel: ChannelId::parse("app").unwrap(),
            order: OrderId::parse(order).unwrap(),
            out_trade_no: OutTradeNo::parse(&format!("N{order}")).unwrap(),
            transaction_id: None,
            amount: Some(Money { fen: Fen(6600), currency: Currency::default() }),
        },
        request: Some(Request {
            peer: "203.0.113.9:4711".parse().unwrap(),
            tls: true,
            method: Method::POST,
            target: Uri::from_static("/pay/success?a=%e5&b"),
            headers,
            body: Bytes::from_static(b"OrderID=\xff\0&x"),
        }),
    })
}

pub(crate) fn verified() -> Verified {
    Verified {
        transaction_id: TransactionId::parse("4200000000000000000000000001").unwrap(),
        amount: Money { fen: Fen(6600), currency: Currency::default() },
        paid_at: Some("2026-11-22T02:11:12Z".parse().unwrap()),
        refunded: false,
    }
}

pub(crate) fn accepted() -> Acceptance {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("text/plain"));
    Acceptance {
        transaction_id: Some(verified().transaction_id),
        status: StatusCode::OK,
        headers,
        body: Some(Bytes::from_static(b"order-marked-paid")),
    }
}

pub(crate) fn attempt_of(taken: &Taken, order: &str, number: u64) -> Attempt {
    let delivery = DeliveryId::of("app", &OrderId::parse(order).unwrap());
    Attempt { entry: taken.entry, delivery, number, origin: Origin::Callback }
}

/// The attempt is sent, and the upstream accepts it.
pub(crate) fn accept(journal: &Journal, attempt: Attempt) {
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
    journal.queue.append(JournalEvent::AttemptEnded {
        attempt,
        outcome: Outcome::Accepted(accepted()),
        next: Some(Transition::Accepted),
    });
}

fn of(order: &str) -> Search {
    Search { order: Some(OrderId::parse(order).unwrap()), ..Search::default() }
}

async fn take_in(journal: &Journal, order: &str, due_in: Duration) -> Taken {
    journal.queue.take_in(callback(order), Trust::Unconfirmed, due_in).await.unwrap()
}

/// Waits until what was written so far is older than this, by the clock that the journal goes by: its times are whole
/// milliseconds.
pub(crate) async fn time_passes(by: Duration) {
    let until = clock::now().as_millisecond() + i64::try_from(by.as_millis()).unwrap();
    while clock::now().as_millisecond() <= until {
        tokio::time::sleep(SOON).await;
    }
}

/// Waits until something is due.
async fn due(journal: &Journal) -> Vec<Job> {
    for _ in 0..2000 {
        let work = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
        if !work.is_empty() {
            return work;
        }
        tokio::time::sleep(SOON).await;
    }
    panic!("nothing is due");
}

/// Every test of the suite.
pub(crate) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    a_callback_comes_back_byte_for_byte(&*stores()).await;
    a_claim_is_taken_in_once(&*stores()).await;
    leases::what_is_in_hand_is_due_to_nobody(&*stores()).await;
    leases::a_backlog_in_one_state_does_not_hold_up_the_other(&*stores()).await;
    leases::a_restart_makes_due_what_was_leased(&*stores()).await;
    what_is_decided_goes_on_as_it_was_noted(&*stores()).await;
    attempts::an_acceptance_is_kept_and_stays(&*stores()).await;
    attempts::attempts_are_what_the_upstream_has_seen(&*stores()).await;
    attempts::sendings_that_nobody_saw_do_not_grow_without_end(&*stores()).await;
    attempts::what_is_being_delivered_is_not_closed_by_who_was_slower(&*stores()).await;
    unconfirmed_records_have_a_budget(&*stores()).await;
    bounds::the_bytes_of_what_is_unconfirmed_have_a_budget(&*stores()).await;
    bounds::a_request_comes_back_byte_for_byte(&*stores()).await;
    an_operator_makes_due_what_is_not_closed(&*stores()).await;
    an_order_is_sent_again_once_however_many_claims_name_it(&*stores()).await;
    upkeep::what_is_done_is_forgotten_after_its_time(&*stores()).await;
    upkeep::what_was_taken_in_is_there_or_forgotten(&*stores()).await;
    bounds::requests_and_answers_go_before_their_entries(&*stores()).await;
    upkeep::what_happened_in_a_minute_is_added_up(&*stores()).await;
    refused_callbacks_are_found(&*stores()).await;
    figures_count(&*stores()).await;
    found::all(stores).await;
    owners::all(stores).await;
    queries::all(stores).await;
    rank::all(stores).await;
    recovery::all(stores).await;
    renewed::all(stores).await;
    times::all(stores).await;
    decided::all(stores).await;
}

async fn a_callback_comes_back_byte_for_byte(store: &dyn Store) {
    let journal = store.open(100);
    let sent = callback("A");
    let taken = journal.queue.take_in(sent.clone(), Trust::Unconfirmed, SOON).await.unwrap();
    assert!(taken.fresh && taken.state == State::Asking && taken.attempts == 0 && taken.accepted.is_none());
    journal.queue.release(taken.entry);
    let [work] = &*due(&journal).await else { panic!() };
    let (kept, was) = (&work.callback, &*sent);
    assert_eq!((kept.request_id, &kept.route, kept.claimed), (was.request_id, &was.route, was.claimed));
    let (kept, was) = (kept.request.as_ref().unwrap(), was.request.as_ref().unwrap());
    assert_eq!((kept.peer, kept.tls), (was.peer, was.tls));
    assert_eq!((&kept.method, &kept.target), (&was.method, &was.target));
    assert_eq!((&kept.headers, &kept.body), (&was.headers, &was.body));
    assert_eq!((work.state, work.retries, work.attempts, work.asked_for), (State::Asking, 0, 0, false));
}

async fn a_claim_is_taken_in_once(store: &dyn Store) {
    let journal = store.open(100);
    let all = futures(50, |_| journal.queue.take_in(callback("A"), Trust::Unconfirmed, LATE)).await;
    assert_eq!(all.iter().filter(|taken| taken.fresh).count(), 1);
    assert!(all.iter().all(|taken| taken.entry == all[0].entry));
    let other = take_in(&journal, "B", LATE).await;
    assert!(other.fresh && other.entry != all[0].entry);
}

/// The results of this many calls that run at the same time.
async fn futures<'a, T: Send + 'a>(count: usize, call: impl Fn(usize) -> BoxFuture<'a, T>) -> Vec<T> {
    let calls: Vec<_> = (0..count).map(call).collect();
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap());
    }
    results
}

async fn what_is_decided_goes_on_as_it_was_noted(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    let found =
        |reason, verified, next| JournalEvent::Decided { entry: taken.entry, reason, verified, next: Some(next) };
    journal.queue.append(found(Reason::NotPaidYet, None, Transition::Ask { again_in: SOON, retries: 3 }));
    let [work] = &*due(&journal).await else { panic!() };
    assert_eq!((work.state, work.retries, work.reason), (State::Asking, 3, Some(Reason::NotPaidYet)));
    journal.queue.append(found(Reason::Paid, Some(verified()), Transition::Deliver { again_in: SOON, retries: 0 }));
    let [work] = &*due(&journal).await else { panic!() };
    assert_eq!((work.state, work.retries, work.reason), (State::Delivering, 0, Some(Reason::Paid)));
    assert!(work.age < LATE);
    journal.queue.append(found(Reason::Refunded, Some(Verified { refunded: true, ..verified() }), Transition::Park));
    journal.queue.flush().await.unwrap();
    let [record] = &*journal.archive.find(of("A"), 10).await.unwrap() else { panic!() };
    assert_eq!((record.state, record.reason, record.due_at), (State::Parked, Some(Reason::Refunded), None));
    assert_eq!(record.verified, Some(Verified { refunded: true, ..verified() }));
    let events: Vec<_> = record.events.iter().map(|event| (&*event.what, event.reason)).collect();
    let reasons = [Reason::NotPaidYet, Reason::Paid, Reason::Refunded].map(|reason| ("found", Some(reason)));
    assert_eq!(events, reasons);
    let closed = take_in(&journal, "B", LATE).await;
    let next = Some(Transition::Close);
    journal.queue.append(JournalEvent::Decided { entry: closed.entry, reason: Reason::Closed, verified: None, next });
    journal.queue.flush().await.unwrap();
    let again = take_in(&journal, "B", LATE).await;
    assert!(again.fresh, "what is closed begins anew when it comes again");
}

async fn unconfirmed_records_have_a_budget(store: &dyn Store) {
    let journal = store.open(2);
    let first = take_in(&journal, "A", LATE).await;
    let second = take_in(&journal, "B", LATE).await;
    let third = journal.queue.take_in(callback("C"), Trust::Unconfirmed, LATE).await;
    assert_eq!(third.unwrap_err(), JournalError::Full);
    assert!(!take_in(&journal, "A", LATE).await.fresh, "what is known stays known");
    assert!(journal.queue.take_in(callback("P"), Trust::Confirmed, LATE).await.unwrap().fresh);
    let next = Some(Transition::Close);
    journal.queue.append(JournalEvent::Decided { entry: first.entry, reason: Reason::Closed, verified: None, next });
    let found =
        JournalEvent::Decided { entry: second.entry, reason: Reason::Paid, verified: Some(verified()), next: None };
    journal.queue.append(found);
    journal.queue.flush().await.unwrap();
    assert!(take_in(&journal, "D", LATE).await.fresh, "a confirmed order is not in the budget, a closed one gives way");
    let given_up = take_in(&journal, "D", LATE).await;
    let next = Some(Transition::Park);
    journal.queue.append(JournalEvent::Decided {
        entry: given_up.entry,
        reason: Reason::GaveUpAsking,
        verified: None,
        next,
    });
    assert!(take_in(&journal, "E", LATE).await.fresh, "so does what was given up");
    assert!(
        journal.archive.find(of("A"), 10).await.unwrap().is_empty()
            && journal.archive.find(of("D"), 10).await.unwrap().is_empty()
    );
    assert_eq!(journal.archive.find(of("B"), 10).await.unwrap().len(), 1);
}

async fn an_operator_makes_due_what_is_not_closed(store: &dyn Store) {
    let journal = store.open(100);
    for (order, next) in [("A", Transition::Accepted), ("B", Transition::Park), ("C", Transition::Close)] {
        let taken = take_in(&journal, order, LATE).await;
        let (attempt, verified) = (attempt_of(&taken, order, 1), Some(verified()));
        journal.queue.append(JournalEvent::AttemptStarted { attempt, verified, next: None });
        journal.queue.append(JournalEvent::AttemptEnded {
            attempt,
            outcome: Outcome::Accepted(accepted()),
            next: Some(next),
        });
    }
    take_in(&journal, "D", LATE).await;
    journal.queue.flush().await.unwrap();
    let day = Search { received_within: Some(LATE), ..Search::default() };
    let redeliver = async |search, limit| {
        let given: Overrides = [Override::Accepted].into_iter().collect();
        let wanted = decided::redelivery(search, limit, given, true);
        journal.archive.redeliver(wanted).await.unwrap().entries
    };
    let asked_for = redeliver(day, 2).await;
    let rest = redeliver(Search { after: asked_for.last().copied(), ..day }, 10).await;
    assert_eq!((asked_for.len(), rest.len()), (2, 1));
    let mut work = due(&journal).await;
    work.sort_by_key(|work| work.entry);
    let seen: Vec<_> = work.iter().map(|work| (work.callback.claimed.order.to_string(), work.state)).collect();
    let expected = [("A", State::Delivering), ("B", State::Delivering)];
    assert_eq!(seen, expected.map(|(order, state)| (order.to_owned(), state)), "D is leased");
    assert!(work.iter().all(|work| work.asked_for && work.accepted.is_some()));
}

async fn an_order_is_sent_again_once_however_many_claims_name_it(store: &dyn Store) {
    let journal = store.open(100);
    let mut entries = Vec::new();
    for (fen, verified) in [(1, None), (6600, Some(verified())), (2, None)] {
        let mut callback = callback("A");
        callback.claimed.amount = Some(Money { fen: Fen(fen), currency: Currency::default() });
        let taken = journal.queue.take_in(callback, Trust::Unconfirmed, LATE).await.unwrap();
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::Paid,
            verified,
            next: Some(Transition::Park),
        });
        entries.push(taken.entry);
    }
    let asked_for = journal.archive.act(Act::Redeliver, of("A"), 10, queries::somebody()).await.unwrap();
    assert_eq!(asked_for, [entries[1]]);
}

async fn refused_callbacks_are_found(store: &dyn Store) {
    let journal = store.open(100);
    let refused = Refused {
        request_id: Uuid::now_v7(),
        at: None,
        route: Some("app".to_owned()),
        channel: None,
        order: OrderId::parse("R").ok(),
        reason: Reason::FieldRepeated,
        detail: Some("OrderID stands twice".to_owned()),
    };
    journal.queue.append(JournalEvent::Refused(Box::new(refused.clone())));
    let taken = take_in(&journal, "A", LATE).await;
    let request_id = Uuid::now_v7();
    journal.queue.append(JournalEvent::Again { entry: taken.entry, request_id, reason: Reason::Paid });
    journal.queue.flush().await.unwrap();
    let by_id = Search { request_id: Some(refused.request_id), ..Search::default() };
    for search in [by_id, of("R")] {
        let [found] = &*journal.archive.refused(search, 10).await.unwrap() else { panic!() };
        assert_eq!((found.reason, &found.detail, found.at.is_some()), (refused.reason, &refused.detail, true));
    }
    let again = Search { request_id: Some(request_id), ..Search::default() };
    assert_eq!(journal.archive.find(again, 10).await.unwrap()[0].entry, taken.entry);
    let delivery = DeliveryId::of("app", &OrderId::parse("A").unwrap());
    let attempt = Attempt { entry: taken.entry, delivery, number: 1, origin: Origin::Callback };
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
    journal.queue.flush().await.unwrap();
    let by_delivery = Search { request_id: Some(delivery.0), ..Search::default() };
    assert_eq!(journal.archive.find(by_delivery, 10).await.unwrap()[0].entry, taken.entry);
}

async fn figures_count(store: &dyn Store) {
    let journal = store.open(100);
    let another = TransactionId::parse("4200000000000000000000000009").unwrap();
    for (order, next, verified) in [
        ("A", Transition::Accepted, Some(verified())),
        (
            "B",
            Transition::Deliver { again_in: LATE, retries: 0 },
            Some(Verified { transaction_id: another, ..verified() }),
        ),
        ("C", Transition::Ask { again_in: LATE, retries: 0 }, None),
    ] {
        let taken = take_in(&journal, order, LATE).await;
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::Paid,
            verified,
            next: Some(next),
        });
    }
    journal.queue.flush().await.unwrap();
    let figures = journal.archive.figures().await.unwrap();
    assert_eq!(figures.entries, [1, 1, 1, 0, 0]);
    assert_eq!((figures.unconfirmed, figures.refused), (1, 0));
    assert!(figures.oldest_not_accepted.is_some() && figures.bytes > 0);
    assert_eq!(figures.paid_not_accepted, 1);
    assert_eq!(figures.in_state(State::Delivering), 1);
}
