//! What every journal shows, and what people do to it.

use super::*;
use crate::journal::audit::Action;
use crate::journal::view::{Cursor, Filter, RefusedFilter, Tally};

pub(super) fn somebody() -> By {
    By { who: "session:0123abcd".to_owned(), from: "203.0.113.9".to_owned() }
}

pub(super) async fn all(stores: &dyn Fn() -> Box<dyn Store>) {
    a_list_comes_in_pages_the_latest_first(&*stores()).await;
    a_list_is_filtered_by_everything_at_once(&*stores()).await;
    a_text_is_the_beginning_of_an_id(&*stores()).await;
    a_text_that_many_have_is_found_piece_by_piece(&*stores()).await;
    what_changes_meanwhile_is_seen_all_the_same(&*stores()).await;
    what_is_found_is_of_one_moment(&*stores()).await;
    the_day_is_counted_by_kind(&*stores()).await;
    refusals_come_in_pages(&*stores()).await;
    what_is_parked_stays_parked_until_it_is_unparked(&*stores()).await;
    what_is_parked_and_accepted_all_the_same_is_accepted(&*stores()).await;
    only_what_is_not_finished_is_parked_and_only_what_is_parked_unparked(&*stores()).await;
    what_people_did_is_kept_with_the_change(&*stores()).await;
    wrong_tokens_do_not_bury_what_people_did(&*stores()).await;
}

/// Takes one in that stands so afterwards.
async fn standing(journal: &Journal, channel: &str, order: &str, reason: Reason, next: Transition) -> EntryId {
    let mut callback = callback(order);
    callback.claimed.channel = ChannelId::parse(channel).unwrap();
    let taken = journal.queue.take_in(callback, Trust::Unconfirmed, LATE).await.unwrap();
    let payment = |order: &str| {
        let sum: u32 = order.bytes().map(u32::from).sum();
        Verified { transaction_id: TransactionId::parse(&format!("42{sum:05}{order}")).unwrap(), ..verified() }
    };
    let verified = matches!(next, Transition::Accepted | Transition::Deliver { .. }).then(|| payment(order));
    journal.queue.append(JournalEvent::Decided { entry: taken.entry, reason, verified, next: Some(next) });
    taken.entry
}

const ASK: Transition = Transition::Ask { again_in: LATE, retries: 0 };
const DELIVER: Transition = Transition::Deliver { again_in: LATE, retries: 0 };

async fn listed(journal: &Journal, filter: Filter, limit: usize) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = journal.archive.list(filter, after, limit).await.unwrap();
        assert!(page.records.len() <= limit);
        pages.push(page.records.iter().map(|record| record.claimed.order.to_string()).collect());
        match page.next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

async fn a_list_comes_in_pages_the_latest_first(store: &dyn Store) {
    let journal = store.open(100);
    for (number, next) in
        [ASK, Transition::Accepted, DELIVER, Transition::Park, Transition::Close, Transition::Accepted]
            .into_iter()
            .enumerate()
    {
        standing(&journal, "app", &format!("A{number}"), Reason::Paid, next).await;
    }
    journal.queue.flush().await.unwrap();
    let pages = listed(&journal, Filter::default(), 4).await;
    assert_eq!(pages, [vec!["A5", "A4", "A3", "A2"], vec!["A1", "A0"]]);
    let pages = listed(&journal, Filter::default(), 3).await;
    assert_eq!(pages, [["A5", "A4", "A3"], ["A2", "A1", "A0"]], "no empty page behind a full one");
    // What comes meanwhile moves nothing.
    let first = journal.archive.list(Filter::default(), None, 2).await.unwrap();
    standing(&journal, "app", "B", Reason::Paid, Transition::Accepted).await;
    journal.queue.flush().await.unwrap();
    let second = journal.archive.list(Filter::default(), first.next, 2).await.unwrap();
    assert_eq!(second.records.iter().map(|record| record.claimed.order.as_str()).collect::<Vec<_>>(), ["A3", "A2"]);
    assert!(second.records.iter().all(|record| record.events.is_empty() && record.attempt_log.is_empty()));
}

async fn a_list_is_filtered_by_everything_at_once(store: &dyn Store) {
    let journal = store.open(100);
    for (channel, order, reason, next) in [
        ("app", "A", Reason::NotPaidYet, ASK),
        ("app", "B", Reason::QueryTimeout, ASK),
        ("2/c1", "C", Reason::NotPaidYet, ASK),
        ("app", "D", Reason::GaveUpDelivering, Transition::Park),
        ("2/c1", "E", Reason::Paid, Transition::Accepted),
    ] {
        standing(&journal, channel, order, reason, next).await;
    }
    journal.queue.flush().await.unwrap();
    let (app, c1) = (ChannelId::parse("app").ok(), ChannelId::parse("2/c1").ok());
    let asking = Some(State::Asking);
    let any = Filter::default();
    for (filter, expected) in [
        (Filter { state: asking, ..any }, &["C", "B", "A"][..]),
        (Filter { channel: c1, ..any }, &["E", "C"]),
        (Filter { reason: Some(Reason::NotPaidYet), ..any }, &["C", "A"]),
        (Filter { state: asking, channel: app, reason: Some(Reason::NotPaidYet), ..any }, &["A"]),
        (Filter { origin: Some(Origin::Callback), channel: app, ..any }, &["D", "B", "A"]),
        (Filter { origin: Some(Origin::Sweep), ..any }, &[]),
        (Filter { confirmed: true, ..any }, &["E"]),
        (Filter { reason: Some(Reason::Revoked), ..any }, &[]),
    ] {
        assert_eq!(listed(&journal, filter, 10).await, [expected], "{filter:?}");
    }
    let all = journal.archive.list(any, None, 10).await.unwrap();
    let times: Vec<_> = all.records.iter().map(|record| record.received_at).collect();
    let earlier = listed(&journal, Filter { until: Some(times[0]), ..any }, 10).await.concat();
    assert!(!earlier.contains(&"E".to_owned()), "until is exclusive: {earlier:?}");
    let later = listed(&journal, Filter { since: Some(times[0]), ..any }, 10).await.concat();
    assert!(later.contains(&"E".to_owned()), "since is inclusive: {later:?}");
    let none = Filter { since: Some(times[0] + jiff::Span::new().hours(1)), ..any };
    assert_eq!(listed(&journal, none, 10).await.concat(), [""; 0]);
}

async fn a_text_is_the_beginning_of_an_id(store: &dyn Store) {
    let journal = store.open(100);
    for order in ["AB1", "AB2", "AC1", "ab1"] {
        standing(&journal, "app", order, Reason::Paid, Transition::Accepted).await;
    }
    standing(&journal, "app", "AB3", Reason::NotPaidYet, ASK).await;
    journal.queue.flush().await.unwrap();
    let [record] = &*journal.archive.find(of("AC1"), 1).await.unwrap() else { panic!() };
    let (transaction, request) = (record.verified.unwrap().transaction_id, record.request_id);
    let text = |text: &str| Filter { text: Some(OrderId::parse(text).unwrap()), ..Filter::default() };
    for (filter, expected) in [
        (text("AB"), &["AB3", "AB2", "AB1"][..]),
        (text("AB1"), &["AB1"]),
        (text("NA"), &["AB3", "AC1", "AB2", "AB1"]),
        (text(transaction.as_str()), &["AC1"]),
        (text(&request.to_string()), &["AC1"]),
        (text("B1"), &[]),
        (Filter { state: Some(State::Asking), ..text("AB") }, &["AB3"]),
        (Filter { confirmed: true, ..text("AB") }, &["AB2", "AB1"]),
    ] {
        assert_eq!(listed(&journal, filter, 10).await, [expected], "{filter:?}");
        assert_eq!(listed(&journal, filter, 1).await.concat(), expected, "{filter:?}, one by one");
    }
}

async fn a_text_that_many_have_is_found_piece_by_piece(store: &dyn Store) {
    let journal = store.open(10_000);
    let taking: Vec<_> = (0..2100)
        .map(|number| journal.queue.take_in(callback(&format!("M{number:04}")), Trust::Unconfirmed, LATE))
        .collect();
    for taken in taking {
        taken.await.unwrap();
    }
    take_in(&journal, "X", LATE).await;
    let text = Filter { text: OrderId::parse("M").ok(), ..Filter::default() };
    let all = listed(&journal, text, 200).await.concat();
    assert_eq!(all.len(), 2100);
    let none = Filter { state: Some(State::Parked), ..text };
    assert_eq!(listed(&journal, none, 200).await.concat().len(), 0);
}

/// Nothing may hide between two looks at what there is.
async fn what_changes_meanwhile_is_seen_all_the_same(store: &dyn Store) {
    let journal = store.open(100);
    let entry = standing(&journal, "app", "A", Reason::NotPaidYet, ASK).await;
    for number in 0..40 {
        standing(&journal, &format!("c{number}"), &format!("C{number}"), Reason::NotPaidYet, ASK).await;
    }
    journal.queue.flush().await.unwrap();
    let changing = journal.clone();
    let changes = tokio::spawn(async move {
        for reason in [Reason::UserPaying, Reason::NotPaidYet].into_iter().cycle() {
            changing.queue.append(JournalEvent::Decided { entry, reason, verified: None, next: Some(ASK) });
            if changing.queue.flush().await.is_err() {
                break;
            }
        }
    });
    let app = Filter { channel: ChannelId::parse("app").ok(), ..Filter::default() };
    for _ in 0..100 {
        for filter in [Filter::default(), app] {
            let page = journal.archive.list(filter, None, 100).await.unwrap();
            assert!(page.records.iter().any(|record| record.entry == entry), "{filter:?}");
        }
    }
    changes.abort();
}

/// Whoever looks while an order is being accepted sees it before or after.
async fn what_is_found_is_of_one_moment(store: &dyn Store) {
    let journal = store.open(1000);
    let mut all = Vec::new();
    for index in 0..100 {
        all.push(take_in(&journal, &format!("A{index}"), LATE).await);
    }
    let accept = async {
        for (index, taken) in all.iter().enumerate() {
            let attempt = attempt_of(taken, &format!("A{index}"), 1);
            let next = Some(Transition::Deliver { again_in: LATE, retries: 1 });
            journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next });
            let outcome = Outcome::Accepted(accepted());
            journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
            journal.queue.flush().await.unwrap();
        }
    };
    let look = async {
        loop {
            let found = journal.archive.find(Search::default(), 1000).await.unwrap();
            for record in &found {
                let was_accepted = record.attempt_log.iter().any(|attempt| attempt.accepted);
                assert_eq!(record.state == State::Accepted, was_accepted, "{record:?}");
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = look => {}
    }
}

async fn the_day_is_counted_by_kind(store: &dyn Store) {
    let journal = store.open(100);
    standing(&journal, "app", "A", Reason::NotPaidYet, ASK).await;
    standing(&journal, "app", "B", Reason::NotPaidYet, ASK).await;
    standing(&journal, "2/c1", "C", Reason::Paid, Transition::Accepted).await;
    refuse(&journal, "R", Reason::FieldRepeated);
    journal.queue.flush().await.unwrap();
    let since = crate::domain::clock::now() - jiff::Span::new().hours(1);
    let today = journal.archive.today(since).await.unwrap();
    let (app, c1) = (ChannelId::parse("app").unwrap(), ChannelId::parse("2/c1").unwrap());
    let (origin, confirmed) = (Origin::Callback, true);
    let expected = [
        Tally {
            state: State::Asking,
            channel: app,
            reason: Some(Reason::NotPaidYet),
            origin,
            confirmed: false,
            entries: 2,
        },
        Tally { state: State::Accepted, channel: c1, reason: Some(Reason::Paid), origin, confirmed, entries: 1 },
    ];
    assert_eq!(today.tallies, expected);
    assert_eq!(today.refused, [(Reason::FieldRepeated, 1)]);
    let later = journal.archive.today(crate::domain::clock::now() + jiff::Span::new().hours(1)).await.unwrap();
    assert!(later.tallies.is_empty() && later.refused.is_empty());
}

fn refuse(journal: &Journal, order: &str, reason: Reason) {
    let (order, channel) = (OrderId::parse(order).ok(), ChannelId::parse("app").ok());
    let refused = Refused { request_id: Uuid::now_v7(), at: None, route: None, channel, order, reason, detail: None };
    journal.queue.append(JournalEvent::Refused(Box::new(refused)));
}

async fn refusals_come_in_pages(store: &dyn Store) {
    let journal = store.open(100);
    for (order, reason) in [("A", Reason::FieldRepeated), ("B", Reason::RouteUnknown), ("C", Reason::FieldRepeated)] {
        refuse(&journal, order, reason);
    }
    journal.queue.flush().await.unwrap();
    let any = RefusedFilter::default();
    let first = journal.archive.refusals(any, None, 2).await.unwrap();
    let rest = journal.archive.refusals(any, first.last().map(|(id, _)| *id), 2).await.unwrap();
    let orders = |page: &[(i64, Refused)]| {
        page.iter().map(|(_, refused)| refused.order.unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!((orders(&first), orders(&rest)), (vec!["C".to_owned(), "B".to_owned()], vec!["A".to_owned()]));
    let repeated = RefusedFilter { reason: Some(Reason::FieldRepeated), ..any };
    assert_eq!(orders(&journal.archive.refusals(repeated, None, 10).await.unwrap()), ["C", "A"]);
    let request = first[0].1.request_id.to_string();
    let by_id = RefusedFilter { text: OrderId::parse(&request).ok(), ..any };
    assert_eq!(orders(&journal.archive.refusals(by_id, None, 10).await.unwrap()), ["C"]);
    let future = RefusedFilter { since: Some(crate::domain::clock::now() + jiff::Span::new().hours(1)), ..any };
    assert!(journal.archive.refusals(future, None, 10).await.unwrap().is_empty());
}

async fn one(journal: &Journal, order: &str) -> Record {
    journal.queue.flush().await.unwrap();
    journal.archive.find(of(order), 1).await.unwrap().remove(0)
}

async fn act(journal: &Journal, act: Act, order: &str) -> Vec<EntryId> {
    let search =
        Search { order_id: OrderId::parse(order).ok(), channel: ChannelId::parse("app").ok(), ..Search::default() };
    journal.archive.act(act, search, 10, somebody()).await.unwrap()
}

async fn what_is_parked_stays_parked_until_it_is_unparked(store: &dyn Store) {
    let journal = store.open(100);
    for (order, reason, next, again) in
        [("A", Reason::NotPaidYet, ASK, State::Asking), ("P", Reason::Paid, DELIVER, State::Delivering)]
    {
        let entry = standing(&journal, "app", order, reason, next).await;
        assert_eq!(act(&journal, Act::Park, order).await, [entry]);
        // Somebody who had it leased.
        journal.queue.append(JournalEvent::Decided { entry, reason, verified: None, next: Some(next) });
        let payment = (again == State::Delivering).then(verified);
        journal.queue.append(JournalEvent::Decided {
            entry,
            reason: Reason::QueryTimeout,
            verified: payment,
            next: Some(next),
        });
        let record = one(&journal, order).await;
        let stands = (record.state, record.reason, record.due_at);
        assert_eq!(stands, (State::Parked, Some(Reason::ParkedByOperator), None), "{order}");
        assert_eq!(act(&journal, Act::Unpark, order).await, [entry]);
        let record = one(&journal, order).await;
        assert_eq!((record.state, record.retries, record.due_at.is_some()), (again, 0, true), "{order}");
        assert_ne!(record.reason, Some(Reason::ParkedByOperator));
        assert!(record.events.iter().any(|event| event.what == "unparked"), "{:?}", record.events);
    }
    let work = due(&journal).await;
    assert!(work.iter().all(|work| !work.asked_for), "it goes on by the rules");
}

async fn what_is_parked_and_accepted_all_the_same_is_accepted(store: &dyn Store) {
    let journal = store.open(100);
    let taken = take_in(&journal, "A", LATE).await;
    act(&journal, Act::Park, "A").await;
    let attempt = attempt_of(&taken, "A", 1);
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: Some(DELIVER) });
    assert_eq!(one(&journal, "A").await.state, State::Parked);
    journal.queue.append(JournalEvent::AttemptEnded {
        attempt,
        outcome: Outcome::Accepted(accepted()),
        next: Some(Transition::Accepted),
    });
    let record = one(&journal, "A").await;
    assert_eq!((record.state, record.reason), (State::Accepted, Some(Reason::Paid)));
}

async fn only_what_is_not_finished_is_parked_and_only_what_is_parked_unparked(store: &dyn Store) {
    let journal = store.open(100);
    standing(&journal, "app", "DONE", Reason::Paid, Transition::Accepted).await;
    standing(&journal, "app", "CLOSED", Reason::Closed, Transition::Close).await;
    standing(&journal, "app", "PARKED", Reason::GaveUpAsking, Transition::Park).await;
    standing(&journal, "app", "ASKED", Reason::NotPaidYet, ASK).await;
    journal.queue.flush().await.unwrap();
    for (order, parked, unparked) in
        [("DONE", 0, 0), ("CLOSED", 0, 0), ("PARKED", 0, 1), ("ASKED", 1, 1), ("NONE", 0, 0)]
    {
        assert_eq!(act(&journal, Act::Park, order).await.len(), parked, "{order}");
        assert_eq!(act(&journal, Act::Unpark, order).await.len(), unparked, "{order}");
    }
    let elsewhere =
        Search { order_id: OrderId::parse("ASKED").ok(), channel: ChannelId::parse("b").ok(), ..Search::default() };
    assert!(journal.archive.act(Act::Park, elsewhere, 10, somebody()).await.unwrap().is_empty());
    let by_number = Search { order_id: OrderId::parse("NASKED").ok(), ..Search::default() };
    assert!(journal.archive.act(Act::Park, by_number, 10, somebody()).await.unwrap().is_empty(), "its exact id alone");
}

async fn what_people_did_is_kept_with_the_change(store: &dyn Store) {
    let journal = store.open(100);
    let entry = take_in(&journal, "A", LATE).await.entry;
    act(&journal, Act::Park, "A").await;
    act(&journal, Act::Park, "A").await;
    let login = Audit {
        by: By { who: "token".to_owned(), from: "::1".to_owned() },
        action: Action::Login,
        channel: None,
        order: None,
        entries: Vec::new(),
        outcome: Some("for 12 hours".to_owned()),
        because: Some("a test".to_owned()),
    };
    journal.archive.audit(login.clone()).await.unwrap();
    drop(journal);
    let journal = store.open(100);
    let [latest, first] = &*journal.archive.audits(None, 10).await.unwrap() else {
        panic!("what did nothing has no line")
    };
    assert_eq!(latest.audit, login);
    assert_eq!((first.audit.action, &first.audit.entries[..]), (Action::Act(Act::Park), &[entry][..]));
    assert_eq!((first.audit.by.clone(), first.audit.order), (somebody(), OrderId::parse("A").ok()));
    assert!(first.at <= latest.at && first.id < latest.id);
    assert_eq!(journal.archive.audits(Some(latest.id), 10).await.unwrap().len(), 1);
    time_passes(SOON).await;
    journal.queue.forget(SOON.into(), 10).await.unwrap();
    assert!(journal.archive.audits(None, 10).await.unwrap().is_empty());
    let nowhere = Cursor { received_at: 0, entry: EntryId(0) };
    assert!(journal.archive.list(Filter::default(), Some(nowhere), 10).await.unwrap().records.is_empty());
}

async fn wrong_tokens_do_not_bury_what_people_did(store: &dyn Store) {
    let journal = store.open(100);
    let line = |action, from: String| Audit {
        by: By { who: "nobody".to_owned(), from },
        action,
        channel: None,
        order: None,
        entries: Vec::new(),
        outcome: None,
        because: None,
    };
    journal.archive.audit(line(Action::Login, "::1".to_owned())).await.unwrap();
    let wrong: Vec<_> = (0..1100)
        .map(|number| journal.archive.audit(line(Action::LoginRefused, format!("2001:db8::{number:x}"))))
        .collect();
    for written in wrong {
        written.await.unwrap();
    }
    let kept = journal.archive.audits(None, 2000).await.unwrap();
    assert_eq!(kept.len(), 1001);
    assert_eq!(kept.first().map(|line| line.audit.by.from.as_str()), Some("2001:db8::44b"));
    assert_eq!(kept.last().map(|line| line.audit.action), Some(Action::Login));
}
