//! Events, in SQL. Those that are about different entries and deliveries are written together, one statement for each kind;
//! what is said of the same is written in the order in which it was said.

use super::content::Content;
use super::lead::{self, Lead};
use super::op::{Note, Noted, number};
use super::script::{Place, Script};
use super::statement::{List, Statement};
use super::{attempts, lines};
use crate::domain::reason::Reason;
use crate::journal::{DeliveryId, EntryId, JournalEvent, Outcome, Rank, Request};
use std::collections::HashMap;
use std::time::Duration;

/// Writes what was noted, whose entries are locked. Where it will be said which entries somebody else leads on.
pub(super) fn write(script: &mut Script, notes: &[Noted], replica: &str) -> Vec<Place> {
    waves(notes).into_iter().filter_map(|wave| one_wave(script, &wave, replica)).collect()
}

/// How many parts there may be in a batch, each of a few statements.
const MOST_WAVES: usize = 16;

/// How many of these, from the first on, are written in a batch: what is said of one entry again and again has its parts.
pub(super) fn fit(notes: &[Noted]) -> usize {
    let waves = waves(notes);
    if waves.len() <= MOST_WAVES {
        return notes.len();
    }
    // Whatever is in the first part that is too much comes later, and so does all that was said after it.
    let late = waves.get(MOST_WAVES).and_then(|wave| wave.first()).map(|noted| std::ptr::from_ref(*noted));
    notes.iter().position(|noted| Some(std::ptr::from_ref(noted)) == late).unwrap_or(notes.len()).max(1)
}

/// Parts of these, one after the other, in each of which nothing is about what another one is about.
fn waves(notes: &[Noted]) -> Vec<Vec<&Noted>> {
    let mut waves: Vec<Vec<&Noted>> = Vec::new();
    let mut entries: HashMap<EntryId, usize> = HashMap::new();
    let mut deliveries: HashMap<DeliveryId, usize> = HashMap::new();
    // Of any entry that has a payment.
    let mut all = 0;
    for noted in notes {
        let (entry, delivery) = about(noted);
        let of_entry = entry.and_then(|entry| entries.get(&entry)).copied().unwrap_or(all);
        let of_delivery = delivery.and_then(|delivery| deliveries.get(&delivery)).copied().unwrap_or(all);
        let is_of_all = matches!(noted.note, Note::Event(JournalEvent::Refunded { .. }));
        let wave = if is_of_all { waves.len() } else { of_entry.max(of_delivery).max(all) };
        while waves.len() <= wave {
            waves.push(Vec::new());
        }
        if let Some(place) = waves.get_mut(wave) {
            place.push(noted);
        }
        entry.map(|entry| entries.insert(entry, wave + 1));
        delivery.map(|delivery| deliveries.insert(delivery, wave + 1));
        if is_of_all {
            all = wave + 1;
        }
    }
    waves
}

/// The entry and the delivery that something is about.
fn about(noted: &Noted) -> (Option<EntryId>, Option<DeliveryId>) {
    match &noted.note {
        Note::Release(entry) => (Some(*entry), None),
        Note::Abandon => (None, None),
        Note::Event(event) => match event {
            JournalEvent::Decided { entry, .. }
            | JournalEvent::Made { entry, .. }
            | JournalEvent::Renewed { entry, .. }
            | JournalEvent::Flagged { entry, .. }
            | JournalEvent::Again { entry, .. } => (Some(*entry), None),
            JournalEvent::AttemptStarted { attempt, .. } | JournalEvent::AttemptEnded { attempt, .. } => {
                (Some(attempt.entry), Some(attempt.delivery))
            }
            JournalEvent::Counted { entry, delivery, .. } => (Some(*entry), Some(*delivery)),
            JournalEvent::Refunded { .. } | JournalEvent::Refused(_) => (None, None),
        },
    }
}

/// The entry that something is about, which is locked before it is written.
pub(super) fn entry(noted: &Noted) -> Option<EntryId> {
    about(noted).0
}

fn one_wave(script: &mut Script, wave: &[&Noted], replica: &str) -> Option<Place> {
    let mut leads = Vec::new();
    let (mut started, mut ended) = (Vec::new(), Vec::new());
    let (mut released, mut abandoned) = (Vec::new(), Vec::new());
    for noted in wave.iter().copied() {
        match &noted.note {
            Note::Release(entry) => released.push((noted, *entry)),
            Note::Abandon => abandoned.push(noted),
            Note::Event(event) => match event {
                JournalEvent::Decided { entry, reason, verified, next } => {
                    let (reason, verified, next) = (Some(*reason), *verified, *next);
                    leads.push(Lead { noted, entry: *entry, is_decided: true, reason, verified, next });
                }
                JournalEvent::AttemptStarted { attempt, verified, next } => {
                    started.push((noted, *attempt));
                    let (entry, verified, next) = (attempt.entry, *verified, *next);
                    leads.push(Lead { noted, entry, is_decided: false, reason: None, verified, next });
                }
                JournalEvent::AttemptEnded { attempt, outcome, next } => {
                    ended.push((noted, *attempt, outcome));
                    let (entry, next) = (attempt.entry, *next);
                    leads.push(Lead { noted, entry, is_decided: false, reason: None, verified: None, next });
                }
                JournalEvent::Made { entry, request } => {
                    script.add(renew(noted, *entry, request, true, None));
                }
                JournalEvent::Renewed { entry, request, again_in } => {
                    if again_in.is_some() {
                        script.add(waits_no_more(noted, *entry, replica));
                    }
                    script.add(renew(noted, *entry, request, false, *again_in));
                }
                JournalEvent::Refunded { channel, transaction_id, .. } => {
                    script.add(lines::refunded(noted, channel, transaction_id, replica));
                }
                JournalEvent::Flagged { entry, reason } => {
                    script.add(lines::flagged(noted, *entry, *reason, replica));
                }
                JournalEvent::Again { entry, request_id, reason } => {
                    script.add(lines::again(noted, *entry, *request_id, *reason, replica));
                }
                JournalEvent::Counted { entry, delivery, attempts } => {
                    script.add(attempts::counted(noted, *entry, *delivery, *attempts));
                }
                JournalEvent::Refused(refused) => lines::refused(script, noted, refused),
            },
        }
    }
    if !started.is_empty() {
        script.add(attempts::started(&started, replica));
    }
    if !ended.is_empty() {
        script.add(attempts::ended(&ended));
        let accepted: Vec<_> = ended.iter().filter(|(_, _, outcome)| matches!(outcome, Outcome::Accepted(_))).collect();
        if !accepted.is_empty() {
            script.add(attempts::settled(&accepted, replica));
        }
    }
    let place = (!leads.is_empty()).then(|| script.add(lead::statement(&leads, replica)));
    if !released.is_empty() {
        script.add(release(&released));
    }
    if !abandoned.is_empty() {
        script.add(attempts::abandoned(&abandoned));
    }
    place
}

/// Nobody works on these entries any more.
fn release(released: &[(&Noted, EntryId)]) -> Statement {
    Statement::of(
        "UPDATE ~entry e SET holder = NULL FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS w(bucket, entry, hold)
         WHERE e.bucket = w.bucket AND e.id = w.entry AND e.holder = w.hold",
    )
    .with(List(released.iter().map(|(noted, _)| noted.bucket.column()).collect()))
    .with(List(released.iter().map(|(_, entry)| entry.0).collect()))
    .with(List(released.iter().map(|(noted, _)| noted.hold).collect::<Vec<_>>()))
}

/// The line for what waited for a fresh signature, and has one.
fn waits_no_more(noted: &Noted, entry: EntryId, replica: &str) -> Statement {
    Statement::of(
        "INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
         SELECT e.bucket, e.id, $3, @now - $4, 'found', CASE e.trade_state WHEN 'REFUND' THEN $5 ELSE $6 END, $8
         FROM ~entry e WHERE e.bucket = $1 AND e.id = $2 AND e.state = 'delivering' AND e.reason = $7
         ON CONFLICT DO NOTHING",
    )
    .with(noted.bucket.column())
    .with(entry.0)
    .with(noted.id)
    .with(noted.age())
    .with(Reason::Refunded.code())
    .with(Reason::Paid.code())
    .with(Reason::WindowOver.code())
    .with(replica.to_owned())
}

/// Gives an entry this request, in place of what it has; unless it was `made`, only one that is not done with. What is being
/// delivered begins its schedule anew, and is due in `again_in` at the latest.
fn renew(noted: &Noted, entry: EntryId, request: &Request, made: bool, again_in: Option<Duration>) -> Statement {
    let content = Content::of(request);
    let brought = Rank::Brought as u8;
    Statement::of(format!(
        "WITH e AS (
             UPDATE ~entry e SET bytes = $3,
                 due_at = CASE WHEN {ANEW} THEN least(e.due_at, @now - $4 + $5) ELSE e.due_at END,
                 tries = CASE WHEN {ANEW} THEN 0 ELSE e.tries END,
                 rank = CASE WHEN {ANEW} AND e.rank >= {brought} AND e.due_at > @now - $4 THEN 0 ELSE e.rank END,
                 reason = CASE WHEN {ANEW} AND e.reason = 'window-over'
                     THEN CASE e.trade_state WHEN 'REFUND' THEN 'refunded' ELSE 'paid' END ELSE e.reason END
             WHERE e.bucket = $1 AND e.id = $2 AND ($6 OR e.state NOT IN ('accepted', 'closed'))
             RETURNING e.bucket, e.id)
         INSERT INTO ~request (bucket, entry, peer, tls, method, target, headers, body, inflated)
         SELECT e.bucket, e.id, $7, $8, $9, $10, $11, $12, $13 FROM e
         ON CONFLICT (bucket, entry) DO UPDATE SET peer = excluded.peer, tls = excluded.tls, method = excluded.method,
             target = excluded.target, headers = excluded.headers, body = excluded.body, inflated = excluded.inflated"
    ))
    .with(noted.bucket.column())
    .with(entry.0)
    .with(number(content.bytes()))
    .with(noted.age())
    .with(again_in.map(super::op::millis))
    .with(made)
    .with(content.peer)
    .with(content.tls)
    .with(content.method)
    .with(content.target)
    .with(content.headers)
    .with(content.body)
    .with(content.inflated)
}

/// Whether the schedule begins anew.
const ANEW: &str = "(e.state = 'delivering' AND $5 IS NOT NULL)";
