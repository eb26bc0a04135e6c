//! A batch: what is written in one transaction, which is one flight of statements.

use super::append;
use super::begin;
use super::begun::Attempts;
use super::connection::Connection;
use super::error::Error;
use super::holds::Holds;
use super::incarnation::Incarnation;
use super::op::{Beginning, Note, Noted, Taking, Wait};
use super::script::{Place, Rows, Script};
use super::statement::{List, Statement};
use super::take_in::{self, Came};
use crate::journal::{Attempt, Begun, EntryId, JournalEvent};
use std::collections::HashMap;

/// How many operations a batch has at most.
pub(super) const MOST: usize = 256;

/// How many sendings of one order are begun in a batch: each has a statement of its own.
const MOST_OF_AN_ORDER: usize = 4;

/// Takes those out that are left for the next batch, so that no flight takes too long.
pub(super) fn leave_out(notes: &mut Vec<Noted>, waits: &mut Vec<Wait>) -> (Vec<Noted>, Vec<Wait>) {
    let late = notes.split_off(append::fit(notes));
    if !late.is_empty() {
        // Nobody overtakes what was said before.
        return (late, std::mem::take(waits));
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let is_too_much = |wait: &mut Wait| {
        let Wait::Begin(one) = wait else { return false };
        let seen = seen.entry(one.sending.order.to_string()).or_default();
        *seen += 1;
        *seen > MOST_OF_AN_ORDER
    };
    (late, waits.extract_if(.., is_too_much).collect())
}

/// What is written together.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "they go from queue to queue, and are large")]
pub(super) struct Batch {
    pub(super) notes: Vec<Noted>,
    pub(super) takings: Vec<Box<Taking>>,
    pub(super) beginnings: Vec<Box<Beginning>>,
    /// Whether some of it may have been written before.
    pub(super) is_unsure: bool,
}

/// Where the answers of a batch will be.
#[derive(Debug)]
struct Asked {
    led: Vec<Place>,
    begun: Vec<(Vec<usize>, Place)>,
    taken: Option<take_in::Asked>,
}

/// What a batch has come to.
#[derive(Debug)]
pub(super) struct Done {
    /// Entries that were to go on, and that somebody else leads on.
    pub(super) lost: Vec<EntryId>,
    pub(super) begun: Vec<Begun>,
    pub(super) came: Vec<Came>,
}

impl Batch {
    /// Those that wait are sorted, so that two replicas wait for each other in one order only.
    pub(super) fn of(notes: Vec<Noted>, mut waits: Vec<Wait>) -> Self {
        waits.sort_by(|one, other| (one.bucket(), one.order()).cmp(&(other.bucket(), other.order())));
        let mut batch = Self { notes, ..Self::default() };
        for wait in waits {
            match wait {
                Wait::TakeIn(taking) => batch.takings.push(taking),
                Wait::Begin(beginning) => batch.beginnings.push(beginning),
            }
        }
        batch
    }

    pub(super) const fn len(&self) -> usize {
        self.notes.len() + self.takings.len() + self.beginnings.len()
    }

    /// In two halves, of which the first is written first.
    pub(super) fn halves(mut self) -> Vec<Self> {
        if self.notes.len() > 1 {
            let rest = self.notes.split_off(self.notes.len() / 2);
            let notes = std::mem::replace(&mut self.notes, rest);
            let first = Self { notes, is_unsure: self.is_unsure, ..Self::default() };
            return vec![first, self];
        }
        let takings = self.takings.split_off(self.takings.len() / 2);
        let beginnings = self.beginnings.split_off(self.beginnings.len() / 2);
        let rest = Self { notes: Vec::new(), takings, beginnings, is_unsure: self.is_unsure };
        [self, rest].into_iter().filter(|half| half.len() > 0).collect()
    }

    /// Each alone.
    pub(super) fn split(self) -> Vec<Self> {
        let of = || Self { is_unsure: self.is_unsure, ..Self::default() };
        let notes = self.notes.into_iter().map(|noted| Self { notes: vec![noted], ..of() });
        let takings = self.takings.into_iter().map(|taking| Self { takings: vec![taking], ..of() });
        let beginnings = self.beginnings.into_iter().map(|one| Self { beginnings: vec![one], ..of() });
        notes.chain(beginnings).chain(takings).collect()
    }

    /// What it is mostly of, for the meters.
    pub(super) const fn what(&self) -> &'static str {
        if !self.beginnings.is_empty() {
            "begin"
        } else if !self.takings.is_empty() {
            "take-in"
        } else {
            "note"
        }
    }

    /// Writes it on this connection. After an error nothing of it was written, or nobody knows.
    pub(super) async fn write(
        &self,
        connection: &Connection,
        incarnation: &Incarnation,
        replica: &str,
    ) -> Result<Done, Error> {
        let takings: Vec<&Taking> = self.takings.iter().map(|taking| &**taking).collect();
        let (statements, asked) = self.script(&takings, replica);
        let rows = Rows(connection.pipeline(&statements).await?);
        let begun = self.begun(&asked.begun, &rows, connection, incarnation).await?;
        let came = match &asked.taken {
            Some(asked) => take_in::answers(asked, &takings, &rows)?,
            None => Vec::new(),
        };
        let lost = asked.led.iter().flat_map(|place| rows.of(*place));
        let lost = lost.map(|row| Ok(EntryId(row.try_get("entry")?))).collect::<Result<_, Error>>()?;
        Ok(Done { lost, begun, came })
    }

    /// What became of those that are to be sent. Why one may not be is asked where that is so: mostly it may.
    async fn begun(
        &self,
        asked: &[(Vec<usize>, Place)],
        rows: &Rows,
        connection: &Connection,
        incarnation: &Incarnation,
    ) -> Result<Vec<Begun>, Error> {
        let mut begun: Vec<Option<Begun>> = self.beginnings.iter().map(|_| None).collect();
        for (places, asked) in asked {
            for (place, number) in begin::given(*asked, rows)? {
                let place = places.get(place).copied().unwrap_or(usize::MAX);
                if let (Some(one), Some(begun)) = (self.beginnings.get(place), begun.get_mut(place)) {
                    *begun = Some(begin::is_given(one, number, incarnation));
                }
            }
        }
        let none: Vec<usize> =
            begun.iter().enumerate().filter(|(_, begun)| begun.is_none()).map(|(place, _)| place).collect();
        if !none.is_empty() {
            let all = self.beginnings_at(&none);
            let rows = connection.pipeline(&[begin::look(&all)]).await?.pop().unwrap_or_default();
            for (place, why) in none.iter().zip(begin::why(&all, &rows, incarnation)?) {
                if let Some(begun) = begun.get_mut(*place) {
                    *begun = Some(why);
                }
            }
        }
        Ok(begun.into_iter().map(|begun| begun.unwrap_or(Begun::Lost)).collect())
    }

    fn script(&self, takings: &[&Taking], replica: &str) -> (Vec<Statement>, Asked) {
        let mut script = Script::begin();
        if !(self.notes.is_empty() && self.beginnings.is_empty()) {
            script.add(self.lock());
        }
        let led = append::write(&mut script, &self.notes, replica);
        let begun = self.one_of_each_order().into_iter().map(|places| {
            let all = self.beginnings_at(&places);
            let asked = begin::write(&mut script, &all);
            (places, asked)
        });
        let begun = begun.collect();
        let taken = (!takings.is_empty()).then(|| take_in::write(&mut script, takings));
        (script.commit(), Asked { led, begun, taken })
    }

    /// Locks the entries that are written, and those of orders of which something is about to be sent, in one order for all.
    fn lock(&self) -> Statement {
        let noted: Vec<_> =
            self.notes.iter().filter_map(|noted| Some((noted.bucket.column(), append::entry(noted)?.0))).collect();
        Statement::of(
            r#"SELECT 1 FROM ~entry e JOIN (
                SELECT * FROM unnest($1::smallint[], $2::bigint[]) AS w(bucket, id)
                UNION SELECT o.bucket, o.id FROM unnest($3::smallint[], $4::text[]) AS w(bucket, ord)
                JOIN ~entry o ON o.bucket = w.bucket AND o."order" = w.ord) w ON e.bucket = w.bucket AND e.id = w.id
            ORDER BY e.bucket, e.id FOR UPDATE OF e"#,
        )
        .with(List(noted.iter().map(|(bucket, _)| *bucket).collect()))
        .with(List(noted.iter().map(|(_, entry)| *entry).collect()))
        .with(List(self.beginnings.iter().map(|one| one.bucket.column()).collect()))
        .with(List(self.beginnings.iter().map(|one| one.sending.order.to_string()).collect()))
    }

    /// The places of the beginnings in parts, in each of which an order is once.
    fn one_of_each_order(&self) -> Vec<Vec<usize>> {
        let mut parts: Vec<Vec<usize>> = Vec::new();
        let mut seen = HashMap::new();
        for (place, one) in self.beginnings.iter().enumerate() {
            let part = seen.entry(one.sending.order.as_str()).or_insert(0_usize);
            while parts.len() <= *part {
                parts.push(Vec::new());
            }
            if let Some(places) = parts.get_mut(*part) {
                places.push(place);
            }
            *part += 1;
        }
        parts
    }

    fn beginnings_at(&self, places: &[usize]) -> Vec<&Beginning> {
        places.iter().filter_map(|place| self.beginnings.get(*place)).map(|one| &**one).collect()
    }
}

/// What is known now of the notes that were written.
pub(super) fn settle(notes: &[Noted], holds: &Holds) {
    notes.iter().filter_map(|noted| noted.ending).for_each(|ending| holds.ended(ending));
}

/// An attempt of this number was begun.
pub(super) fn remember(one: &Beginning, number: u64, attempts: &Attempts) -> Option<Attempt> {
    let op = one.mine.as_ref()?.id;
    let attempt =
        Attempt { entry: one.sending.entry, delivery: one.sending.delivery, number, origin: one.sending.origin };
    attempts.began(one.sending.delivery, number, begin::known(one, op));
    Some(attempt)
}

/// Whether a note says that its worker does not go on with the entry.
pub(super) const fn ends(note: &Note) -> Option<EntryId> {
    match note {
        Note::Release(entry) | Note::Event(JournalEvent::Decided { entry, next: Some(_), .. }) => Some(*entry),
        Note::Event(JournalEvent::AttemptEnded { attempt, next: Some(_), .. }) => Some(attempt.entry),
        Note::Event(_) | Note::Abandon => None,
    }
}
