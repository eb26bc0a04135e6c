//! What exactly one replica does at a time. Who has a duty is in the database; what this process remembers only spares asking.

use super::error::Error;
use super::replicas::List;
use super::statement::Statement;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// The duties that this process knows of. There are no more than it asked for: sweeping, forgetting and each source.
#[derive(Debug, Default)]
pub(super) struct Duties(Mutex<HashMap<String, Known>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The incarnation that has it, and at which moment it would be free if nothing more was heard of that one.
    holder: Option<(i64, Instant)>,
    asked_at: Instant,
}

/// What can be said without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it.
    Mine,
    /// Another one has it.
    Others,
    /// It may be free.
    Unknown,
}

impl Duties {
    /// Whose a duty is, to the incarnation `me` that asks for it now.
    pub(super) fn ask(&self, name: &str, me: i64) -> Answer {
        let now = Instant::now();
        let mut duties = self.0.lock();
        let Some(known) = duties.get_mut(name) else { return Answer::Unknown };
        known.asked_at = now;
        match known.holder {
            Some((holder, _)) if holder == me => Answer::Mine,
            Some((_, free_at)) if free_at > now => Answer::Others,
            _ => Answer::Unknown,
        }
    }

    /// The database has said whose it is; of another one it is known for this time.
    pub(super) fn is(&self, name: &str, holder: i64, lasts: Duration) {
        let now = Instant::now();
        let known = Known { holder: Some((holder, now + lasts)), asked_at: now };
        self.0.lock().insert(name.to_owned(), known);
    }

    /// The list of the living was read: what others have, and what nobody has.
    pub(super) fn read(&self, list: &List, me: i64) {
        let now = Instant::now();
        let mut duties = self.0.lock();
        for (name, known) in duties.iter_mut() {
            let holder = list.living.iter().find(|one| one.duties.iter().any(|duty| duty == name));
            known.holder = match holder {
                Some(one) if one.incarnation != me => {
                    let left = u64::try_from(one.alive_until.saturating_sub(list.now)).unwrap_or(0);
                    Some((one.incarnation, now + Duration::from_millis(left)))
                }
                // One that was taken while the list was read does not stand on it yet.
                _ => known.holder.filter(|(holder, _)| *holder == me),
            };
        }
    }

    /// Those that the incarnation `me` has and did not ask for within this time, which are its own no more.
    pub(super) fn idle(&self, me: i64, within: Duration) -> Vec<String> {
        let mut duties = self.0.lock();
        let idle =
            |known: &Known| known.holder.is_some_and(|(holder, _)| holder == me) && known.asked_at.elapsed() > within;
        let idle = duties.extract_if(|_, known| idle(known));
        idle.map(|(name, _)| name).collect()
    }

    /// Each that was asked for, by name, and whether the incarnation `me` has it.
    pub(super) fn all(&self, me: Option<i64>) -> Vec<(String, bool)> {
        let duties = self.0.lock();
        let is_mine = |known: &Known| me.is_some() && known.holder.map(|(holder, _)| holder) == me;
        let mut all: Vec<_> = duties.iter().map(|(name, known)| (name.clone(), is_mine(known))).collect();
        all.sort();
        all
    }
}

/// Takes a duty for a living incarnation, unless another one has it that lives; the rows of the last statement say who has it,
/// and for how many milliseconds at least. The row is locked before it is found out who lives: a statement would take it from one
/// that came after that statement began.
pub(super) fn take(name: &str, me: i64) -> [Statement; 4] {
    let make = "INSERT INTO ~duty (name, holder, since) SELECT $1, $2, @now WHERE EXISTS (SELECT 1 FROM ~replica r WHERE \
                r.incarnation = $2 AND r.alive_until > @now) ON CONFLICT (name) DO NOTHING";
    let lock = "SELECT holder FROM ~duty WHERE name = $1 FOR UPDATE";
    let take = "UPDATE ~duty d SET holder = $2, since = @now WHERE d.name = $1 AND EXISTS (SELECT 1 FROM ~replica r WHERE \
                r.incarnation = $2 AND r.alive_until > @now) AND NOT EXISTS (SELECT 1 FROM ~replica r WHERE r.incarnation = \
                d.holder AND r.alive_until > @now)";
    let says = "SELECT d.holder, r.alive_until - @now AS lasts FROM ~duty d JOIN ~replica r ON r.incarnation = d.holder AND \
                r.alive_until > @now WHERE d.name = $1";
    [
        Statement::of(make).with(name.to_owned()).with(me),
        Statement::of(lock).with(name.to_owned()),
        Statement::of(take).with(name.to_owned()).with(me),
        Statement::of(says).with(name.to_owned()),
    ]
}

/// Gives back a duty.
pub(super) fn give_back(name: &str, me: i64) -> Statement {
    Statement::of("DELETE FROM ~duty WHERE name = $1 AND holder = $2").with(name.to_owned()).with(me)
}

/// Who has a duty, by the rows of what [`take`] says.
pub(super) fn holder(rows: &[tokio_postgres::Row]) -> Result<Option<(i64, Duration)>, Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    let lasts = u64::try_from(row.try_get::<_, i64>("lasts")?).unwrap_or(0);
    Ok(Some((row.try_get("holder")?, Duration::from_millis(lasts))))
}
