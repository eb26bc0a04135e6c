//! What waits for an upstream is held back, brought forward, tried in turn, and found when its time is over.

use super::*;

const HOURS: Transition = Transition::Deliver { again_in: LATE, retries: 0 };

/// Every test of this part.
pub(super) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    what_waits_is_due_at_once_the_oldest_first_and_once_for_each_try_of_its_own_timer(&*stores()).await;
    what_is_worked_on_is_not_brought_forward(&*stores()).await;
    what_was_refused_after_another_was_accepted_is_not_brought_forward(&*stores()).await;
    a_large_backlog_is_brought_forward_in_steps(&*stores()).await;
    what_fails_gives_out_nothing_but_what_a_person_asked_for(&*stores()).await;
    an_upstream_gets_no_more_than_its_room(&*stores()).await;
    those_that_wait_take_turns_whenever_they_are_due(&*stores()).await;
    what_was_tried_and_is_over_its_time_is_found(&*stores()).await;
    what_is_held_is_counted_by_why_it_is_and_each_payment_once(&*stores()).await;
}

fn app() -> Vec<ChannelId> {
    vec![ChannelId::parse("app").unwrap()]
}

/// Now, and no earlier by the store's clock.
fn this_moment(store: &dyn Store) -> Timestamp {
    crate::domain::clock::now() + store.own_clock().unwrap_or_default()
}

fn outlet(most: usize, failing: bool) -> Throttled {
    Throttled { groups: Vec::new(), outlets: vec![Outlet { channels: app(), most, failing }] }
}

/// An order that was sent and not accepted.
async fn not_accepted(journal: &Journal, order: &str, next: Transition) -> EntryId {
    let taken = take_in(journal, order, LATE).await;
    tried(journal, taken.entry, order, next);
    journal.queue.flush().await.unwrap();
    time_passes(Duration::ZERO).await;
    taken.entry
}

fn tried(journal: &Journal, entry: EntryId, order: &str, next: Transition) {
    let delivery = DeliveryId::of("app", &OrderId::parse(order).unwrap());
    let attempt = Attempt { entry, delivery, number: 1, origin: Origin::Callback };
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: Some(next) });
    let outcome = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE);
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(next) });
}

fn entries(work: &[Job]) -> Vec<(EntryId, bool)> {
    work.iter().map(|work| (work.entry, work.brought)).collect()
}

async fn what_waits_is_due_at_once_the_oldest_first_and_once_for_each_try_of_its_own_timer(store: &dyn Store) {
    let journal = store.open(100);
    let later = Transition::Deliver { again_in: LATE / 2, retries: 3 };
    let (old, young) = (not_accepted(&journal, "A", HOURS).await, not_accepted(&journal, "B", later).await);
    assert!(journal.queue.lease_due(10, Throttled::default()).await.unwrap().is_empty());
    assert_eq!(journal.queue.bring_forward(Vec::new(), this_moment(store), 10).await.unwrap(), 0, "of no channel");
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 2);
    for _ in 0..2 {
        let due = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
        assert_eq!(entries(&due), [(old, true), (young, true)], "the one received first, at each look");
        due.iter().for_each(|work| journal.queue.release(work.entry));
    }
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 0, "it is due already");
    // Sent between two turns of their own timers, and refused: each keeps its own.
    tried(&journal, old, "A", HOURS);
    tried(&journal, young, "B", later);
    journal.queue.flush().await.unwrap();
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 0, "it was tried");
    // The timer of one of them tries it again.
    tried(&journal, young, "B", Transition::Deliver { again_in: LATE, retries: 4 });
    journal.queue.flush().await.unwrap();
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 1);
    let due = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
    assert_eq!(entries(&due), [(young, true)]);
    due.iter().for_each(|work| journal.queue.release(work.entry));
    // The upstream was failing in between.
    assert_eq!(journal.queue.bring_anew(app(), 10).await.unwrap(), 2);
    assert_eq!(journal.queue.bring_anew(app(), 10).await.unwrap(), 0);
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 1);
    assert_eq!(journal.queue.lease_due(10, Throttled::default()).await.unwrap().len(), 2);
}

async fn what_is_worked_on_is_not_brought_forward(store: &dyn Store) {
    let journal = store.open(100);
    let at_work = not_accepted(&journal, "A", Transition::Deliver { again_in: Duration::ZERO, retries: 0 }).await;
    let [work] = &*journal.queue.lease_due(10, Throttled::default()).await.unwrap() else { panic!() };
    assert_eq!((work.entry, work.brought), (at_work, false));
    // It is being sent: noted where it goes on, and not yet what came of it.
    let delivery = DeliveryId::of("app", &OrderId::parse("A").unwrap());
    let attempt = Attempt { entry: at_work, delivery, number: 2, origin: Origin::FollowUp };
    let next = Some(Transition::Deliver { again_in: LATE, retries: 1 });
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next });
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 0);
    let outcome = Outcome::Failed(Reason::UpstreamTimeout);
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next });
    // Behind that note.
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 1);
}

async fn what_was_refused_after_another_was_accepted_is_not_brought_forward(store: &dyn Store) {
    let journal = store.open(100);
    let early = not_accepted(&journal, "EARLY", HOURS).await;
    let accepted_at = this_moment(store);
    time_passes(store.own_clock().unwrap_or_default() * 2).await;
    not_accepted(&journal, "LATE", HOURS).await;
    assert_eq!(journal.queue.bring_forward(app(), accepted_at, 10).await.unwrap(), 1);
    assert_eq!(entries(&journal.queue.lease_due(10, Throttled::default()).await.unwrap()), [(early, true)]);
    assert_eq!(
        journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(),
        1,
        "the next accepted one brings it"
    );
}

async fn a_large_backlog_is_brought_forward_in_steps(store: &dyn Store) {
    let journal = store.open(1000);
    for index in 0..25 {
        let order = format!("A{index}");
        let taken = take_in(&journal, &order, LATE).await;
        tried(&journal, taken.entry, &order, HOURS);
    }
    journal.queue.flush().await.unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap());
    }
    assert_eq!(steps, [10, 10, 5, 0]);
    assert_eq!(journal.queue.lease_due(100, Throttled::default()).await.unwrap().len(), 25);
}

async fn what_fails_gives_out_nothing_but_what_a_person_asked_for(store: &dyn Store) {
    let journal = store.open(100);
    let now = Transition::Deliver { again_in: Duration::ZERO, retries: 0 };
    let (first, wanted) = (not_accepted(&journal, "A", now).await, not_accepted(&journal, "B", now).await);
    let asking = take_in(&journal, "C", Duration::ZERO).await.entry;
    journal.queue.release(asking);
    let given_out = async || {
        let due = journal.queue.lease_due(10, outlet(10, true)).await.unwrap();
        due.iter().for_each(|work| journal.queue.release(work.entry));
        due.iter().map(|work| work.entry).collect::<Vec<_>>()
    };
    assert_eq!(given_out().await, [asking], "what is asked about costs the upstream nothing");
    let asked = journal.archive.act(Act::Redeliver, of("B"), 10, queries::somebody()).await.unwrap();
    assert_eq!(asked, [wanted]);
    let mut due = given_out().await;
    due.sort_unstable();
    assert_eq!(due, [wanted, asking]);
    assert_eq!(journal.queue.bring_forward(app(), this_moment(store), 10).await.unwrap(), 0);
    // It was tried, which is what it was asked for.
    tried(&journal, wanted, "B", Transition::Deliver { again_in: Duration::ZERO, retries: 1 });
    journal.queue.flush().await.unwrap();
    assert_eq!(given_out().await, [asking]);
    let due = journal.queue.lease_due(10, outlet(10, false)).await.unwrap();
    assert_eq!(due.iter().filter(|work| [first, wanted].contains(&work.entry)).count(), 2);
}

async fn an_upstream_gets_no_more_than_its_room(store: &dyn Store) {
    let journal = store.open(100);
    let now = Transition::Deliver { again_in: Duration::ZERO, retries: 0 };
    let mut orders = Vec::new();
    for index in 0..8 {
        orders.push(not_accepted(&journal, &format!("A{index}"), now).await);
    }
    for (room, taken) in [(0, &orders[..0]), (3, &orders[..3]), (2, &orders[3..5]), (100, &orders[5..])] {
        let due = journal.queue.lease_due(10, outlet(room, false)).await.unwrap();
        assert_eq!(due.iter().map(|work| work.entry).collect::<Vec<_>>(), taken, "{room}");
    }
}

async fn those_that_wait_take_turns_whenever_they_are_due(store: &dyn Store) {
    let journal = store.open(100);
    let again_in = |hours| Transition::Deliver { again_in: LATE * hours, retries: 1 };
    let late = not_accepted(&journal, "A", again_in(2)).await;
    let early = not_accepted(&journal, "B", again_in(1)).await;
    let next = async |tried: &[EntryId]| {
        let next = journal.queue.next_waiting(app(), tried.to_vec()).await.unwrap();
        next.inspect(|work| journal.queue.release(work.entry)).map(|work| work.entry)
    };
    assert_eq!(next(&[]).await, Some(early));
    assert_eq!(next(&[early]).await, Some(late));
    assert_eq!(next(&[early, late]).await, None);
    assert!(journal.queue.next_waiting(Vec::new(), Vec::new()).await.unwrap().is_none(), "of no channel");
    let held = journal.queue.next_waiting(app(), Vec::new()).await.unwrap().unwrap();
    assert_eq!((held.entry, held.state, held.retries), (early, State::Delivering, 1));
    assert_eq!(next(&[]).await, Some(late), "the other is leased");
}

async fn what_was_tried_and_is_over_its_time_is_found(store: &dyn Store) {
    let journal = store.open(100);
    let old = not_accepted(&journal, "A", HOURS).await;
    // Confirmed while the upstream was failing, and so never sent.
    let untried = take_in(&journal, "B", LATE).await.entry;
    journal.queue.append(JournalEvent::Decided {
        entry: untried,
        reason: Reason::Paid,
        verified: Some(verified()),
        next: Some(HOURS),
    });
    journal.queue.flush().await.unwrap();
    let lasts = Duration::from_millis(20);
    time_passes(lasts).await;
    assert!(journal.queue.overdue(app(), LATE, 10).await.unwrap().is_empty());
    assert!(journal.queue.overdue(app(), lasts, 0).await.unwrap().is_empty());
    assert!(journal.queue.overdue(Vec::new(), lasts, 10).await.unwrap().is_empty());
    let over = journal.queue.overdue(app(), lasts, 10).await.unwrap();
    assert_eq!(over.iter().map(|work| work.entry).collect::<Vec<_>>(), [old]);
    assert!(journal.queue.overdue(app(), lasts, 10).await.unwrap().is_empty(), "it is leased");
}

fn paid_by(order: &str) -> Verified {
    let transaction_id = TransactionId::parse(&format!("4200000000000000000000{order}")).unwrap();
    Verified { transaction_id, ..verified() }
}

async fn what_is_held_is_counted_by_why_it_is_and_each_payment_once(store: &dyn Store) {
    let journal = store.open(100);
    let found = |entry, reason, order: &str, next| {
        let verified = (reason == Reason::Paid).then(|| paid_by(order));
        journal.queue.append(JournalEvent::Decided { entry, reason, verified, next: Some(next) });
    };
    // Two were refused, the second claim of one of them is parked, and one is accepted.
    for order in ["A", "B", "TAKEN"] {
        let taken = take_in(&journal, order, LATE).await;
        found(taken.entry, Reason::Paid, order, HOURS);
        let attempt = attempt_of(&taken, order, 1);
        journal.queue.append(JournalEvent::AttemptStarted {
            attempt,
            verified: Some(paid_by(order)),
            next: Some(HOURS),
        });
        let (outcome, next) = match order {
            "A" => (Outcome::Answered(StatusCode::BAD_GATEWAY), HOURS),
            "B" => (Outcome::Failed(Reason::UpstreamTimeout), HOURS),
            _ => (Outcome::Accepted(accepted()), Transition::Accepted),
        };
        journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(next) });
    }
    let mut other = callback("A");
    other.claimed.transaction_id = Some(paid_by("A").transaction_id);
    let claim = journal.queue.take_in(other, Trust::Confirmed, LATE).await.unwrap();
    found(claim.entry, Reason::Paid, "A", Transition::Park);
    // The second claim of the other one waits like the first.
    let mut other = callback("B");
    other.claimed.transaction_id = Some(paid_by("B").transaction_id);
    let claim = journal.queue.take_in(other, Trust::Confirmed, LATE).await.unwrap();
    found(claim.entry, Reason::Paid, "B", HOURS);
    let parked = take_in(&journal, "UNPAID", LATE).await;
    found(parked.entry, Reason::GaveUpAsking, "UNPAID", Transition::Park);
    let asking = take_in(&journal, "ASKING", LATE).await;
    found(asking.entry, Reason::NotPaidYet, "ASKING", Transition::Ask { again_in: LATE, retries: 1 });
    journal.queue.flush().await.unwrap();
    let figures = journal.archive.figures().await.unwrap();
    let fen = |sums: &[Money]| sums.iter().map(|sum| sum.fen.0).collect::<Vec<_>>();
    let price = paid_by("A").amount.fen.0;
    let told: Vec<_> =
        figures.held.iter().map(|group| (group.state, group.reason, group.count, fen(&group.sums))).collect();
    assert_eq!(
        told,
        [
            (State::Asking, Some(Reason::NotPaidYet), 1, vec![]),
            (State::Delivering, Some(Reason::NotAccepted), 1, vec![price]),
            (State::Delivering, Some(Reason::UpstreamTimeout), 1, vec![price]),
            (State::Parked, Some(Reason::GaveUpAsking), 1, vec![]),
        ]
    );
    assert_eq!((figures.paid_not_accepted, fen(&figures.paid_not_accepted_sums)), (2, vec![2 * price]));
    assert_eq!((figures.in_state(State::Delivering), figures.waiting), (3, vec![(app()[0], 2)]));
}
