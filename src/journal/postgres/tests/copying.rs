use super::{journal, open, server};
use crate::domain::money::Fen;
use crate::domain::order::{ChannelId, MerchantId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::journal::audit::{Act, By};
use crate::journal::copy::{Copied, NotCopied};
use crate::journal::owners::{Owner, OwnerClaim};
use crate::journal::pending_orders::{Found, News, PendingOrder};
use crate::journal::sqlite::Sqlite;
use crate::journal::suite::{accept, accepted, attempt_of, callback, verified};
use crate::journal::sweeps::{Counts, Row, RowKind, RowPayment, SweepEvent, Wanted};
use crate::journal::{
    Attempt, Callback, DatabaseSettings, EntryId, Figures, Journal, JournalEvent, OpenError, Origin, Outcome, Record,
    Refused, Search, SourceHealth, State, Throttled, Transition, Trust, copy_file, migrate,
};
use crate::observe::metrics::{JournalMeters, Moment, Totals};
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::civil::date;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

const LATE: Duration = Duration::from_secs(3600);

fn file(path: &Path) -> Journal {
    Journal::of_one(Sqlite::open(path, 1000.into(), JournalMeters::default()).unwrap())
}

fn app() -> ChannelId {
    ChannelId::parse("app").unwrap()
}

fn found(order: &str, origin: Origin) -> Callback {
    Callback { origin, request: None, ..*callback(order) }
}

/// A journal with something of everything.
async fn fill(journal: &Journal) {
    let take_in = async |order: &str| journal.queue.take_in(callback(order), Trust::Unconfirmed, LATE).await.unwrap();
    // Accepted at once, which stands in its entry alone; accepted at the third attempt, with an answer; sent and refused.
    let plain = take_in("PLAIN").await;
    let attempt = attempt_of(&plain, "PLAIN", 1);
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
    let outcome = Outcome::Accepted(crate::journal::Acceptance { headers: HeaderMap::new(), body: None, ..accepted() });
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
    let third = take_in("THIRD").await;
    for number in [1, 2] {
        let attempt = Attempt { origin: Origin::FollowUp, ..attempt_of(&third, "THIRD", number) };
        let next = Some(Transition::Deliver { again_in: LATE, retries: 2 });
        journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next });
        let outcome = Outcome::Answered(StatusCode::BAD_GATEWAY);
        journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next });
    }
    accept(journal, attempt_of(&third, "THIRD", 3));
    let refused = take_in("WAITS").await;
    let attempt = attempt_of(&refused, "WAITS", 1);
    let next = Some(Transition::Deliver { again_in: Duration::ZERO, retries: 1 });
    let verified = crate::journal::Verified {
        transaction_id: TransactionId::parse("4200000000000000000000000002").unwrap(),
        ..verified()
    };
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified), next });
    let outcome = Outcome::Failed(Reason::UpstreamTimeout);
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next });
    let mut large = callback("LARGE");
    large.request.as_mut().unwrap().body = "OrderID=%e5%95%86&a=\0".repeat(2000).into();
    journal.queue.take_in(large, Trust::Confirmed, LATE).await.unwrap();
    let entry = take_in("ASKED").await.entry;
    journal.queue.append(JournalEvent::Again { entry, request_id: Uuid::now_v7(), reason: Reason::NotPaidYet });
    journal.queue.append(JournalEvent::Flagged { entry, reason: Reason::SecondPayment });
    journal.queue.append(JournalEvent::Refused(Box::new(Refused {
        request_id: Uuid::now_v7(),
        at: None,
        route: Some("app".to_owned()),
        channel: Some(app()),
        order: OrderId::parse("R").ok(),
        reason: Reason::FieldRepeated,
        detail: Some("OrderID stands twice".to_owned()),
    })));
    journal.queue.flush().await.unwrap();
    fill_the_rest(journal).await;
}

async fn fill_the_rest(journal: &Journal) {
    let number = |text| OutTradeNo::parse(text).unwrap();
    let order = |text| OrderId::parse(text).unwrap();
    let listed = |name| PendingOrder {
        channel: app(),
        out_trade_no: number(name),
        order: order(name),
        amount: Some(Fen(990)),
        gone_at: None,
    };
    let news = News {
        source: "shop".to_owned(),
        listed: vec![listed("L1"), listed("L2")],
        gone: Vec::new(),
        found: vec![Found { callback: found("P", Origin::Pending), due_in: LATE }],
    };
    journal.queue.take_pending_orders(news).await.unwrap();
    let gone = News { source: "shop".to_owned(), gone: vec![(app(), number("L2"))], ..News::default() };
    journal.queue.take_pending_orders(gone).await.unwrap();
    let health = SourceHealth { name: "shop".to_owned(), failures: 2, ..SourceHealth::default() };
    journal.queue.source_is(health).await.unwrap();
    let claim = OwnerClaim {
        transaction_id: TransactionId::parse("4200000000000000000000000077").unwrap(),
        out_trade_no: number("NUM-OWN"),
        claimant: Owner { channel: app(), order: order("OWN") },
        same_merchant: vec![app()],
        shared_routes: Vec::new(),
    };
    journal.queue.own(claim).await.unwrap();
    let wanted = Wanted {
        mch_id: MerchantId::parse("1900000109").unwrap(),
        bill_date: date(2026, 11, 22),
        channels: vec![app()],
        due_on: Some(date(2026, 11, 23)),
        dry_run: false,
    };
    let sweep = journal.archive.want_sweep(wanted).await.unwrap();
    let follow_up = found("S", Origin::Sweep);
    let payment = RowPayment {
        channel: Some(app()),
        order: Some(follow_up.claimed.order),
        out_trade_no: Some(follow_up.claimed.out_trade_no),
        transaction_id: verified().transaction_id,
        amount: Some(verified().amount),
        refunded: false,
    };
    let row = Row {
        line: 7,
        kind: RowKind::Found,
        payment: Some(payment),
        detail: Some("odd".to_owned()),
        entry: None,
        follow_up: Some(Box::new(follow_up)),
    };
    journal.queue.sweep_rows(sweep, vec![row]).await.unwrap();
    journal.queue.sweep_event(sweep, SweepEvent::Done(Counts { rows: 9, ..Counts::default() }, None)).await.unwrap();
    let by = By { who: "token".to_owned(), from: "::1".to_owned() };
    let search = Search { order: Some(order("ASKED")), ..Search::default() };
    journal.archive.act(Act::Park, search, 10, by).await.unwrap();
    let mut totals = Totals::default();
    totals.outcomes[2] = 7;
    journal.queue.keep_minute(Moment { at: Timestamp::from_second(60).unwrap(), totals }).await.unwrap();
}

/// Everything that is known, but for the numbers of entries, in one text.
async fn told(journal: &Journal) -> String {
    let archive = &journal.archive;
    let mut records = archive.find(Search::default(), 100).await.unwrap();
    records.sort_by_key(|record| record.claimed.order.to_string());
    let records: Vec<Record> = records.into_iter().map(|record| Record { entry: EntryId(0), ..record }).collect();
    let mut sweeps = String::new();
    for sweep in archive.sweeps(None, 10).await.unwrap() {
        let mut rows = archive.swept_rows(sweep.id, None, 0, 10).await.unwrap();
        rows.iter_mut().for_each(|row| row.row.entry = row.row.entry.map(|_| EntryId(0)));
        sweeps.push_str(&format!("{sweep:?} {rows:?}"));
    }
    let mut lines = archive.audits(None, 10).await.unwrap();
    for line in &mut lines {
        line.id = 0;
        line.audit.entries.iter_mut().for_each(|entry| *entry = EntryId(0));
    }
    let mut listed = archive.pending_orders(10).await.unwrap();
    listed.sort_by_key(|(_, order)| order.out_trade_no.to_string());
    let mut figures = Figures { bytes: 0, free_bytes: 0, ..archive.figures().await.unwrap() };
    // They grow while this is asked.
    figures.oldest_unfinished = None;
    figures.oldest_not_accepted = None;
    let refused = archive.refused(Search::default(), 10).await.unwrap();
    let (minutes, sources) = (archive.minutes().await.unwrap(), archive.sources().await.unwrap());
    let made_at = archive.made_at().await.unwrap();
    format!(
        "{records:#?}\n{sweeps}\n{lines:#?}\n{listed:?}\n{figures:#?}\n{refused:?}\n{minutes:?}\n{sources:?}\n{made_at:?}"
    )
}

async fn copied(path: &Path, to: &DatabaseSettings) -> Vec<Copied> {
    let copied = copy_file(path, to).await.unwrap();
    assert!(copied.iter().all(Copied::agrees), "{copied:?}");
    copied
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_copied_with_all_that_is_in_it_and_goes_on_in_the_database() {
    let Some(settings) = server::settings() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("j.db");
    let journal_of_file = file(&path);
    fill(&journal_of_file).await;
    let before = told(&journal_of_file).await;
    let taken = copy_file(&path, &settings).await;
    assert!(matches!(taken, Err(NotCopied::Open(OpenError::Database { .. }))), "there are no tables yet: {taken:?}");
    migrate(&settings).await.unwrap();
    let taken = copy_file(&path, &settings).await;
    assert!(matches!(taken, Err(NotCopied::Open(OpenError::InUse { .. }))), "a gate has the file: {taken:?}");
    drop(journal_of_file);
    let first = copied(&path, &settings).await;
    for one in &first {
        assert!(one.added == one.in_file && one.in_file > 0, "{one:?}");
    }
    let again = copied(&path, &settings).await;
    assert!(again.iter().all(|one| one.added == 0), "{again:?}");
    let opened = open(&settings, 1000.into());
    let taken = copy_file(&path, &settings).await;
    assert!(matches!(taken, Err(NotCopied::WorkedOn(_))), "a gate works on the database: {taken:?}");
    let journal = journal(&opened);
    let after = told(&journal).await;
    assert!(before == after, "{}", first_difference(&before, &after));
    goes_on(&journal).await;
    drop(journal);
    drop(opened);
}

fn first_difference(before: &str, after: &str) -> String {
    let lines = before.lines().zip(after.lines()).find(|(before, after)| before != after);
    lines.map_or_else(|| "one is longer".to_owned(), |(before, after)| format!("{before}\n{after}"))
}

/// What was accepted is known to be, what waits is due with its requests, and numbers go on.
async fn goes_on(journal: &Journal) {
    let again = journal.queue.take_in(callback("THIRD"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!((again.fresh, again.state, again.attempts), (false, State::Accepted, 3));
    assert_eq!(again.accepted, Some(accepted()));
    let plain = journal.queue.take_in(callback("PLAIN"), Trust::Unconfirmed, LATE).await.unwrap();
    assert_eq!((plain.fresh, plain.attempts, plain.accepted.is_some()), (false, 1, true));
    let due = journal.queue.lease_due(10, Throttled::default()).await.unwrap();
    let waits = due.iter().find(|job| job.callback.claimed.order.as_str() == "WAITS").unwrap();
    let (kept, was) = (waits.callback.request.as_ref().unwrap(), callback("WAITS").request.unwrap());
    assert_eq!((&kept.headers, &kept.body, kept.peer, waits.attempts), (&was.headers, &was.body, was.peer, 1));
    let search = Search { order: OrderId::parse("LARGE").ok(), ..Search::default() };
    assert!(journal.archive.find(search, 1).await.unwrap()[0].request_kept);
    let line = journal.archive.audits(None, 1).await.unwrap().remove(0);
    let search = Search { entry: line.audit.entries.first().copied(), ..Search::default() };
    let found = journal.archive.find(search, 1).await.unwrap();
    assert_eq!(found.first().map(|record| record.claimed.order.to_string()).as_deref(), Some("ASKED"));
}
