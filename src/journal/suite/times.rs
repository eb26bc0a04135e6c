//! The journal's own time, as every journal must keep it.

use super::{LATE, Store, accepted, attempt_of, callback, due, of, take_in, verified};
use crate::domain::order::{ChannelId, MerchantId};
use crate::domain::reason::Reason;
use crate::journal::sweeps::Wanted;
use crate::journal::{Journal, gate_since};
use crate::journal::{JournalEvent, Outcome, Record, Transition, Trust};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn all(store: &dyn Fn() -> Box<dyn Store>) {
    a_journal_knows_since_when_it_is_there(&*store()).await;
    for days in [10, -10, 400] {
        a_clock_that_is_set_moves_what_waits_and_makes_nothing_older(&*store(), days).await;
    }
    a_day_that_is_still_to_come_has_wanted_nothing(&*store()).await;
    what_is_due_later_than_any_schedule_says_is_due_now(&*store()).await;
}

async fn one(journal: &Journal, order: &str) -> Record {
    journal.archive.find(of(order), 1).await.unwrap().remove(0)
}

async fn a_journal_knows_since_when_it_is_there(store: &dyn Store) {
    let made_at = store.open(100).archive.made_at().await.unwrap().unwrap();
    assert!(crate::domain::clock::now().duration_since(made_at) < SignedDuration::from_mins(10));
    assert_eq!(store.open(100).archive.made_at().await.unwrap(), Some(made_at), "opened again it is as old");
    assert!(gate_since(made_at).unwrap() > crate::domain::clock::beijing(made_at).date());
}

async fn a_clock_that_is_set_moves_what_waits_and_makes_nothing_older(store: &dyn Store, days: i64) {
    let journal = store.open(100);
    let waits = take_in(&journal, "WAITS", LATE).await;
    let next = Some(Transition::Ask { again_in: LATE, retries: 3 });
    journal.queue.append(JournalEvent::Decided {
        entry: waits.entry,
        reason: Reason::NotPaidYet,
        verified: None,
        next,
    });
    let done = take_in(&journal, "DONE", LATE).await;
    let attempt = attempt_of(&done, "DONE", 1);
    journal.queue.append(JournalEvent::AttemptStarted { attempt, verified: Some(verified()), next: None });
    let outcome = Outcome::Accepted(accepted());
    journal.queue.append(JournalEvent::AttemptEnded { attempt, outcome, next: Some(Transition::Accepted) });
    journal.queue.flush().await.unwrap();
    let before = one(&journal, "WAITS").await;
    let (finished, made_at) = (one(&journal, "DONE").await, journal.archive.made_at().await.unwrap().unwrap());

    let by = SignedDuration::from_hours(24 * days);
    journal.queue.clock_was_set(by).await.unwrap();
    // A clock of its own was not set.
    let by = if store.own_clock().is_some() { SignedDuration::ZERO } else { by };
    let after = one(&journal, "WAITS").await;
    let moved = |after: Timestamp, before: Timestamp| after.duration_since(before);
    let (due_at, due_before) = (after.due_at.unwrap(), before.due_at.unwrap());
    assert_eq!((moved(after.since, before.since), moved(due_at, due_before)), (by, by));
    assert_eq!((after.received_at, after.retries), (before.received_at, before.retries), "what was, was then");
    assert_eq!(one(&journal, "DONE").await.since, finished.since);
    let made = journal.archive.made_at().await.unwrap().unwrap();
    assert_eq!(moved(made, made_at), by, "it was made by the clock that was wrong");
    assert!(journal.queue.forget(DAY.into(), 10).await.unwrap().entries.is_empty(), "{days}");
    // What was stamped before the clock was set, and comes after that, is of the same time.
    let next = Some(Transition::Ask { again_in: LATE, retries: 4 });
    journal.queue.append(JournalEvent::Decided {
        entry: waits.entry,
        reason: Reason::NotPaidYet,
        verified: None,
        next,
    });
    journal.queue.flush().await.unwrap();
    let later = one(&journal, "WAITS").await;
    assert!(moved(later.due_at.unwrap(), due_at).abs() < SignedDuration::from_mins(10));
}

async fn a_day_that_is_still_to_come_has_wanted_nothing(store: &dyn Store) {
    let journal = store.open(100);
    let (mch_id, channels) = (MerchantId::parse("1900000109").unwrap(), vec![ChannelId::parse("app").unwrap()]);
    let wanted =
        |dry_run, due_on| Wanted { mch_id, bill_date: date(2026, 11, 22), channels: channels.clone(), due_on, dry_run };
    let (past, future) = (Some(date(2020, 1, 1)), Some(date(2999, 1, 1)));
    let kept = journal.archive.want_sweep(wanted(false, past)).await.unwrap();
    let gone = journal.archive.want_sweep(wanted(false, future)).await.unwrap();
    let compared = journal.archive.want_sweep(wanted(true, past)).await.unwrap();
    assert!(kept != compared, "one channel's may be compared and another's delivered");
    journal.queue.clock_was_set(SignedDuration::from_hours(-24)).await.unwrap();
    let due_on = async |id| journal.archive.sweep(id).await.unwrap().unwrap().wanted.due_on;
    let still_to_come = future.filter(|_| store.own_clock().is_some());
    assert_eq!((due_on(kept).await, due_on(gone).await, due_on(compared).await), (past, still_to_come, past));
}

async fn what_is_due_later_than_any_schedule_says_is_due_now(store: &dyn Store) {
    let journal = store.open(100);
    for (order, due_in) in [("LATE", 2 * DAY), ("NEVER", 3000 * DAY)] {
        let taken = journal.queue.take_in(callback(order), Trust::Unconfirmed, due_in).await.unwrap();
        journal.queue.release(taken.entry);
    }
    journal.queue.beat().await.unwrap();
    let found = due(&journal).await;
    assert_eq!(found.iter().map(|work| work.callback.claimed.order.as_str()).collect::<Vec<_>>(), ["NEVER"]);
}
