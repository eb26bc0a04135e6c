//! Orders that never called back: sweeps and sources, as every journal must keep them.

use super::{Store, accepted, callback, take_in, verified};
use crate::domain::money::Fen;
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::pending_orders::{Found, News, PendingOrder, SourceHealth};
use crate::journal::sweeps::{Counts, Progress, Row, RowKind, RowPayment, SweepEvent, Wanted};
use crate::journal::{
    Attempt, Callback, JournalEvent, Origin, Outcome, Request, Search, State, Throttled, Transition, Trust, Verified,
};
use jiff::civil::{Date, date};
use std::time::Duration;

pub(super) async fn all(store: &dyn Fn() -> Box<dyn Store>) {
    a_schedule_wants_a_bill_once_a_day_and_an_operator_as_often_as_he_likes(&*store()).await;
    a_sweep_that_was_broken_off_begins_anew(&*store()).await;
    what_a_sweep_found_is_followed_up_and_told(&*store()).await;
    an_order_is_found_once_and_asked_about_anew_only_if_it_was_never_confirmed(&*store()).await;
    a_payment_stands_where_its_delivery_does(&*store()).await;
    what_was_made_is_kept(&*store()).await;
    found_orders_do_not_use_up_the_budget_of_callbacks(&*store()).await;
    sources_are_remembered(&*store()).await;
    the_payments_of_an_order_are_known_in_their_order(&*store()).await;
    a_flag_is_told_once(&*store()).await;
}

fn app() -> ChannelId {
    ChannelId::parse("app").unwrap()
}

fn merchant() -> MerchantId {
    MerchantId::parse("1900000109").unwrap()
}

fn wanted(day: Date, due_on: Option<Date>) -> Wanted {
    Wanted { mch_id: merchant(), bill_date: day, channels: vec![app()], due_on, dry_run: false }
}

fn found(order: &str, origin: Origin) -> Callback {
    Callback { origin, request: None, ..*callback(order) }
}

fn row(line: u64, order: &str) -> Row {
    let order = found(order, Origin::Sweep);
    let payment = RowPayment {
        channel: Some(app()),
        order: Some(order.claimed.order),
        out_trade_no: Some(order.claimed.out_trade_no),
        transaction_id: verified().transaction_id,
        amount: Some(verified().amount),
        refunded: false,
    };
    let follow_up = Some(Box::new(order));
    Row { line, kind: RowKind::Found, payment: Some(payment), detail: None, entry: None, follow_up }
}

async fn a_schedule_wants_a_bill_once_a_day_and_an_operator_as_often_as_he_likes(store: &dyn Store) {
    let journal = store.open(100);
    let (day, today) = (date(2026, 11, 22), date(2026, 11, 23));
    let first = journal.archive.want_sweep(wanted(day, Some(today))).await.unwrap();
    assert_eq!(journal.archive.want_sweep(wanted(day, Some(today))).await.unwrap(), first);
    assert_ne!(journal.archive.want_sweep(wanted(day, Some(date(2026, 11, 24)))).await.unwrap(), first);
    let by_hand = journal.archive.want_sweep(wanted(day, None)).await.unwrap();
    assert_ne!(journal.archive.want_sweep(wanted(day, None)).await.unwrap(), by_hand);
    assert!(journal.archive.days_swept(merchant()).await.unwrap().is_empty());
    journal.queue.sweep_event(first, SweepEvent::Done(Counts::default(), None)).await.unwrap();
    assert_eq!(journal.archive.days_swept(merchant()).await.unwrap(), [day]);
    assert_eq!(journal.queue.next_sweep().await.unwrap().unwrap().id, by_hand, "whoever waits comes first");
}

async fn a_sweep_that_was_broken_off_begins_anew(store: &dyn Store) {
    let journal = store.open(100);
    let (early, late) = (wanted(date(2026, 11, 21), None), wanted(date(2026, 11, 22), None));
    let (one, other) =
        (journal.archive.want_sweep(early).await.unwrap(), journal.archive.want_sweep(late).await.unwrap());
    journal
        .queue
        .sweep_event(one, SweepEvent::Again(Duration::from_secs(1800), "Bill Creating".to_owned()))
        .await
        .unwrap();
    journal.queue.sweep_event(other, SweepEvent::Began).await.unwrap();
    journal.queue.sweep_rows(other, vec![row(1, "A")]).await.unwrap();
    journal.queue.sweep_event(other, SweepEvent::Counted(Counts { rows: 7, ..Counts::default() })).await.unwrap();
    drop(journal);
    let journal = store.open(100);
    let next = journal.queue.next_sweep().await.unwrap().unwrap();
    assert_eq!((next.id, next.state, next.counts.rows), (other, Progress::Running, 7));
    journal.queue.sweep_event(other, SweepEvent::Began).await.unwrap();
    assert_eq!(
        journal.queue.found_before(other).await.unwrap(),
        [verified().transaction_id],
        "what was found stays so"
    );
    journal.queue.sweep_event(other, SweepEvent::Failed("no key".to_owned())).await.unwrap();
    assert!(journal.queue.next_sweep().await.unwrap().is_none(), "the other one's time has not come");
    let waiting = journal.archive.sweep(one).await.unwrap().unwrap();
    assert!(waiting.again_at.is_some() && waiting.problem.as_deref() == Some("Bill Creating"));
}

async fn what_a_sweep_found_is_followed_up_and_told(store: &dyn Store) {
    let journal = store.open(100);
    let sweep = journal.archive.want_sweep(wanted(date(2026, 11, 22), None)).await.unwrap();
    journal.queue.sweep_event(sweep, SweepEvent::Began).await.unwrap();
    let lost = Row { follow_up: None, kind: RowKind::Malformed, payment: None, ..row(9, "X") };
    journal.queue.sweep_rows(sweep, vec![row(1, "A"), row(2, "B"), lost]).await.unwrap();
    journal.queue.sweep_refunds(sweep, vec![verified().transaction_id]).await.unwrap();
    let work = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
    assert_eq!(work.len(), 2);
    assert!(work.iter().all(|work| work.callback.origin == Origin::Sweep && work.callback.request.is_none()));
    let parked = Some(Transition::Park);
    let entry = work[0].entry;
    journal.queue.append(JournalEvent::Decided { entry, reason: Reason::OrderNotFound, verified: None, next: parked });
    journal.queue.flush().await.unwrap();
    let outcomes = journal.archive.sweep_outcomes(sweep).await.unwrap();
    let told: Vec<_> = outcomes.iter().map(|told| (told.state, told.reason, told.orders, told.untried)).collect();
    assert!(told.contains(&(Some(State::Parked), Some(Reason::OrderNotFound), 1, 0)), "{told:?}");
    assert!(told.contains(&(Some(State::Asking), None, 1, 1)), "{told:?}");
    let rows = journal.archive.swept_rows(sweep, None, 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.row.line).collect::<Vec<_>>(), [1, 2, 9]);
    assert!(rows[0].row.payment.unwrap().refunded && rows[0].tried && !rows[1].tried);
    assert_eq!(journal.archive.swept_rows(sweep, None, 2, 10).await.unwrap().len(), 1);
}

async fn an_order_is_found_once_and_asked_about_anew_only_if_it_was_never_confirmed(store: &dyn Store) {
    let journal = store.open(100);
    let sweep = journal.archive.want_sweep(wanted(date(2026, 11, 22), None)).await.unwrap();
    journal.queue.sweep_rows(sweep, vec![row(1, "A"), row(2, "B")]).await.unwrap();
    for work in journal.queue.lease_due(10, Throttled::default()).await.unwrap() {
        let paid = work.callback.claimed.order.as_str() == "B";
        let (reason, verified) =
            if paid { (Reason::Refunded, Some(verified())) } else { (Reason::OrderNotFound, None) };
        journal.queue.append(JournalEvent::Decided {
            entry: work.entry,
            reason,
            verified,
            next: Some(Transition::Park),
        });
    }
    journal.queue.flush().await.unwrap();
    let again = journal.archive.want_sweep(wanted(date(2026, 11, 22), None)).await.unwrap();
    journal.queue.sweep_rows(again, vec![row(1, "A"), row(2, "B")]).await.unwrap();
    let due = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
    assert_eq!(due.iter().map(|work| work.callback.claimed.order.as_str()).collect::<Vec<_>>(), ["A"]);
    assert_eq!(journal.archive.figures().await.unwrap().entries.iter().sum::<u64>(), 2);
}

async fn a_payment_stands_where_its_delivery_does(store: &dyn Store) {
    let journal = store.open(100);
    let payment = verified().transaction_id;
    let standing = || async { journal.queue.standing(vec![payment]).await.unwrap().remove(0) };
    assert_eq!(standing().await, None);
    let taken = take_in(&journal, "A", Duration::from_secs(3600)).await;
    let next = Some(Transition::Deliver { again_in: Duration::from_secs(3600), retries: 0 });
    journal.queue.append(JournalEvent::Decided {
        entry: taken.entry,
        reason: Reason::Paid,
        verified: Some(verified()),
        next,
    });
    journal.queue.flush().await.unwrap();
    assert!(matches!(standing().await, Some(standing) if !standing.accepted && standing.state == State::Delivering));
    let delivery = callback("A").delivery();
    let attempt = Attempt { entry: taken.entry, delivery, number: 1, origin: Origin::FollowUp };
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
    let outcome = Outcome::Accepted(accepted());
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
    journal.queue.flush().await.unwrap();
    assert!(standing().await.is_some_and(|standing| standing.accepted));
}

async fn what_was_made_is_kept(store: &dyn Store) {
    let journal = store.open(100);
    let news = News {
        source: "shop".to_owned(),
        found: vec![Found { callback: found("A", Origin::Pending), due_in: Duration::ZERO }],
        ..News::default()
    };
    journal.queue.take_pending_orders(news).await.unwrap();
    let work = journal.queue.lease_due(1, Throttled::default()).await.unwrap().remove(0);
    assert!(work.callback.request.is_none());
    let request = Request { body: "made".into(), ..callback("A").request.unwrap() };
    journal.queue.append(JournalEvent::Made { entry: work.entry, request: Box::new(request) });
    let next = Some(Transition::Deliver { again_in: Duration::ZERO, retries: 0 });
    journal.queue.append(JournalEvent::Decided {
        entry: work.entry,
        reason: Reason::Paid,
        verified: Some(verified()),
        next,
    });
    journal.queue.flush().await.unwrap();
    let work = journal.queue.lease_due(1, Throttled::default()).await.unwrap().remove(0);
    assert_eq!(work.callback.request.unwrap().body.as_ref(), b"made");
    let figures = journal.archive.figures().await.unwrap();
    assert_eq!((figures.found_by_pending, figures.found_by_sweep, figures.paid_not_accepted), (1, 0, 1));
}

async fn found_orders_do_not_use_up_the_budget_of_callbacks(store: &dyn Store) {
    let journal = store.open(1);
    let orders = (0..5)
        .map(|index| Found { callback: found(&format!("P{index}"), Origin::Pending), due_in: Duration::from_secs(60) });
    journal
        .queue
        .take_pending_orders(News { source: "shop".to_owned(), found: orders.collect(), ..News::default() })
        .await
        .unwrap();
    let taken = journal.queue.take_in(callback("A"), Trust::Unconfirmed, Duration::from_secs(60)).await;
    assert!(taken.is_ok());
    let figures = journal.archive.figures().await.unwrap();
    assert_eq!((figures.unconfirmed, figures.in_state(State::Asking)), (1, 6));
}

async fn sources_are_remembered(store: &dyn Store) {
    let journal = store.open(100);
    let number = |text| OutTradeNo::parse(text).unwrap();
    let listed = |text, fen| PendingOrder {
        channel: app(),
        out_trade_no: number(text),
        order: OrderId::parse(text).unwrap(),
        amount: Some(Fen(fen)),
        gone_at: None,
    };
    let news = |listed, gone| News { source: "shop".to_owned(), listed, gone, found: Vec::new() };
    journal.queue.take_pending_orders(news(vec![listed("A", 1), listed("B", 2)], vec![])).await.unwrap();
    journal.queue.take_pending_orders(news(vec![listed("A", 3)], vec![(app(), number("B"))])).await.unwrap();
    let health =
        SourceHealth { name: "shop".to_owned(), failures: 2, problem: Some("down".into()), ..Default::default() };
    journal.queue.source_is(health.clone()).await.unwrap();
    drop(journal);
    let journal = store.open(100);
    let known = journal.archive.pending_orders(10).await.unwrap();
    assert_eq!(known.iter().map(|(source, _)| source.as_str()).collect::<Vec<_>>(), ["shop", "shop"]);
    assert_eq!(known[0].1, listed("A", 3), "those that are listed come first");
    assert!(known[1].1.gone_at.is_some());
    assert_eq!(journal.archive.sources().await.unwrap(), [health]);
    let orders = journal.archive.orders_of(vec![(app(), number("A")), (app(), number("C"))]).await.unwrap();
    assert_eq!(orders, [Some(OrderId::parse("A").unwrap()), None]);
}

async fn the_payments_of_an_order_are_known_in_their_order(store: &dyn Store) {
    let journal = store.open(100);
    let other = TransactionId::parse("4200000000000000000000000002").unwrap();
    let mut later = callback("A");
    "other".clone_into(&mut later.route);
    for (callback, payment) in [(callback("A"), verified().transaction_id), (later, other)] {
        let taken = journal.queue.take_in(callback, Trust::Confirmed, Duration::from_secs(60)).await.unwrap();
        let verified = Some(Verified { transaction_id: payment, ..verified() });
        journal.queue.append(JournalEvent::Decided {
            entry: taken.entry,
            reason: Reason::Paid,
            verified,
            next: Some(Transition::Park),
        });
    }
    journal.queue.flush().await.unwrap();
    let known = take_in(&journal, "A", Duration::from_secs(60)).await;
    assert_eq!(known.paid_by, [(app(), verified().transaction_id), (app(), other)]);
}

async fn a_flag_is_told_once(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", Duration::from_secs(60)).await;
    for _ in 0..2 {
        journal.queue.append(JournalEvent::Flagged { entry: taken.entry, reason: Reason::SecondPayment });
    }
    journal.queue.flush().await.unwrap();
    let record = journal.archive.find(Search::default(), 1).await.unwrap().remove(0);
    assert_eq!(record.flags().collect::<Vec<_>>(), [Reason::SecondPayment]);
    assert_eq!(journal.archive.figures().await.unwrap().second_payments, 1);
}
