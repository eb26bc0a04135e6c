//! Attempts for waiting callbacks that began, and whose end is awaited, so that both are written as one.
//!
//! Of one entry or delivery nothing overtakes: whatever else is said of it is written after that its attempt began.

use super::op::{Began, Op, Stamped};
use crate::journal::{Attempt, DeliveryId, EntryId, JournalEvent, Origin};
use std::collections::VecDeque;
use std::time::Instant;

/// Attempts that are held at once; beyond, the one that began first is written.
const MOST: usize = 256;

/// Attempts that began, the first before the rest; of each entry and each delivery one at most.
#[derive(Debug, Default)]
pub(super) struct Begun(VecDeque<Held>);

#[derive(Debug)]
struct Held {
    attempt: Attempt,
    began: Began,
    seq: u64,
    /// When it came.
    since: Instant,
}

impl Held {
    fn into_op(self) -> Stamped {
        let Began { event, at } = self.began;
        Stamped { op: Op::Append { event, seq: self.seq, began: None }, at }
    }
}

impl Begun {
    /// Holds an event that came at `now`, or puts it behind the `events` that are to be written, after what is held of
    /// its entry.
    pub(super) fn put(&mut self, stamped: Stamped, now: Instant, events: &mut VecDeque<Stamped>) {
        let Stamped { op: Op::Append { event, seq, began: None }, at } = stamped else {
            return events.push_back(stamped);
        };
        if let JournalEvent::AttemptEnded { attempt, .. } = &event
            && let Some(place) = self.0.iter().position(|held| held.attempt == *attempt)
            && let Some(held) = self.0.remove(place)
        {
            let began = Some(Box::new(held.began));
            return events.push_back(Stamped { op: Op::Append { event, seq, began }, at });
        }
        self.release_what_concerns(&event, events);
        match event {
            JournalEvent::AttemptStarted { attempt, .. } if attempt.origin == Origin::Callback => {
                if self.0.len() >= MOST {
                    events.extend(self.0.pop_front().map(Held::into_op));
                }
                self.0.push_back(Held { attempt, began: Began { event, at }, seq, since: now });
            }
            event => events.push_back(Stamped { op: Op::Append { event, seq, began: None }, at }),
        }
    }

    /// When the first that is held came.
    pub(super) fn since(&self) -> Option<Instant> {
        self.0.front().map(|held| held.since)
    }

    /// Puts those that came until then behind the `events`. Returns whether there were any.
    pub(super) fn release(&mut self, until: Instant, events: &mut VecDeque<Stamped>) -> bool {
        let old = self.0.partition_point(|held| held.since <= until);
        events.extend(self.0.drain(..old).map(Held::into_op));
        old > 0
    }

    fn release_what_concerns(&mut self, event: &JournalEvent, events: &mut VecDeque<Stamped>) {
        let concerned = concerned(event);
        while let Some(place) = self.0.iter().position(|held| concerned.has(&held.attempt)) {
            events.extend(self.0.remove(place).map(Held::into_op));
        }
    }
}

/// What an event says something of.
enum Concerned {
    All,
    Entry(EntryId),
    Delivery(EntryId, DeliveryId),
    None,
}

impl Concerned {
    fn has(&self, attempt: &Attempt) -> bool {
        match self {
            Self::All => true,
            Self::Entry(entry) => attempt.entry == *entry,
            Self::Delivery(entry, delivery) => attempt.entry == *entry || attempt.delivery == *delivery,
            Self::None => false,
        }
    }
}

fn concerned(event: &JournalEvent) -> Concerned {
    match event {
        JournalEvent::Decided { entry, .. }
        | JournalEvent::Made { entry, .. }
        | JournalEvent::Renewed { entry, .. }
        | JournalEvent::Flagged { entry, .. }
        | JournalEvent::Again { entry, .. } => Concerned::Entry(*entry),
        JournalEvent::AttemptStarted { attempt, .. } | JournalEvent::AttemptEnded { attempt, .. } => {
            Concerned::Delivery(attempt.entry, attempt.delivery)
        }
        JournalEvent::Counted { entry, delivery, .. } => Concerned::Delivery(*entry, *delivery),
        // Of any entry that has the payment.
        JournalEvent::Refunded { .. } => Concerned::All,
        JournalEvent::Refused(_) => Concerned::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::reason::Reason;
    use crate::journal::Outcome;
    use std::time::Duration;
    use uuid::Uuid;

    fn attempt(entry: i64, number: u64, origin: Origin) -> Attempt {
        Attempt { entry: EntryId(entry), delivery: DeliveryId(Uuid::from_u128(1)), number, origin }
    }

    fn of_callback(entry: i64) -> Attempt {
        Attempt {
            delivery: DeliveryId(Uuid::from_u128(entry.unsigned_abs().into())),
            ..attempt(entry, 1, Origin::Callback)
        }
    }

    fn began(attempt: Attempt) -> JournalEvent {
        JournalEvent::AttemptStarted { attempt, verified: None, next: None }
    }

    fn ended(attempt: Attempt) -> JournalEvent {
        let outcome = Outcome::Failed(Reason::UpstreamTimeout);
        JournalEvent::AttemptEnded { attempt, outcome, next: None }
    }

    fn flagged(entry: i64) -> JournalEvent {
        JournalEvent::Flagged { entry: EntryId(entry), reason: Reason::SecondPayment }
    }

    /// What is written of these, in that order; `+` before an end that is written with its beginning.
    fn written(all: &[JournalEvent]) -> (String, Begun) {
        let (mut begun, mut events, now) = (Begun::default(), VecDeque::new(), Instant::now());
        for event in all {
            begun.put(
                Stamped { op: Op::Append { event: event.clone(), seq: 0, began: None }, at: 0 },
                now,
                &mut events,
            );
        }
        let word = |stamped: &Stamped| {
            let Op::Append { event, began, .. } = &stamped.op else { panic!() };
            let plus = if began.is_some() { "+" } else { "" };
            match event {
                JournalEvent::AttemptStarted { attempt, .. } => format!("began {}", attempt.entry.0),
                JournalEvent::AttemptEnded { attempt, .. } => format!("{plus}ended {}", attempt.entry.0),
                _ => "other".to_owned(),
            }
        };
        (events.iter().map(word).collect::<Vec<_>>().join(", "), begun)
    }

    #[test]
    fn an_attempt_is_written_with_its_end() {
        let (one, two) = (of_callback(1), of_callback(2));
        let (written, begun) = written(&[began(one), began(two), flagged(3), ended(one)]);
        assert_eq!((&*written, begun.0.len()), ("other, +ended 1", 1));
    }

    #[test]
    fn nothing_that_is_said_of_an_entry_or_a_delivery_overtakes() {
        let one = of_callback(1);
        assert_eq!(written(&[began(one), flagged(1), ended(one)]).0, "began 1, other, ended 1");
        let (same, other) = (attempt(5, 1, Origin::Callback), attempt(6, 2, Origin::Callback));
        assert_eq!(written(&[began(same), began(other), ended(other), ended(same)]).0, "began 5, +ended 6, ended 5");
        let another = Attempt { number: 2, ..one };
        assert_eq!(written(&[began(one), ended(another)]).0, "began 1, ended 1");
    }

    #[test]
    fn only_what_a_sender_waits_for_is_held_and_not_without_end() {
        let follow_up = attempt(1, 2, Origin::FollowUp);
        assert_eq!(written(&[began(follow_up)]).0, "began 1");
        let many: Vec<_> = (1..=257).map(|entry| began(of_callback(entry))).collect();
        let (written, mut begun) = written(&many);
        assert_eq!((&*written, begun.0.len()), ("began 1", MOST));
        let mut events = VecDeque::new();
        let before = begun.since().unwrap() - Duration::from_millis(1);
        assert!(!begun.release(before, &mut events) && begun.release(Instant::now(), &mut events));
        assert_eq!((events.len(), begun.since()), (MOST, None));
    }
}
