//! Doing what the writer is asked for, each operation as a part of a transaction.

use super::batch::Batch;
use super::budget::Budget;
use super::leases::Leases;
use super::op::{Done, Op, Stamped};
use super::{act, forget, redeliver, times, write};
use rusqlite::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Does one operation, as a part of a transaction. `holds_any` if something that was said of an entry before is held
/// back.
pub(super) fn perform(
    batch: &Batch<'_>,
    Stamped { op, at }: &Stamped,
    was_set: Option<(Instant, i64, i64)>,
    leases: &Arc<Leases>,
    budget: &mut Budget,
    holds_any: bool,
) -> Result<Done> {
    let by_the_clock = |at| by_the_clock_that_was_set(at, was_set);
    let at = &by_the_clock(*at);
    Ok(match op {
        Op::TakeIn { callback, trust, due_in, .. } => {
            let taken = write::take_in(batch, callback, holds_any, (*trust, *due_in), *at, budget)?;
            let Some(taken) = taken else { return Ok(Done::NotYet) };
            // Before it can be seen by anybody else.
            Done::Taken(taken.map(|taken| {
                let lease = if taken.fresh { leases.lease(taken.entry) } else { None };
                (taken, lease)
            }))
        }
        Op::Append { event, began, .. } => {
            match began {
                Some(began) => write::attempted(batch, began, event, (by_the_clock(began.at), *at), budget)?,
                None => write::append(batch, event, *at, budget)?,
            }
            Done::Nothing
        }
        Op::Flush(_) => Done::Nothing,
        Op::Act { act, search, limit, by, .. } => Done::Entries(act::act(batch, *act, search, *limit, by, *at)?),
        Op::Write { write, .. } => Done::Number(write.0(batch, *at)?),
        Op::Redeliver { redelivery, .. } => Done::Redelivered(redeliver::redeliver(batch, redelivery, *at)?),
        Op::SetClock { by, .. } => {
            times::set(batch, *at, *by)?;
            Done::Number(*at)
        }
        Op::Forget { keep, limit, .. } => Done::Forgotten(forget::forget(batch, *keep, *limit, *at, budget)?),
    })
}

/// How long after the clock was set something may come that was stamped before, and how near to that time.
const STAMPED_BEFORE: Duration = Duration::from_secs(60);

/// When something was asked for, if the clock was set since: by the clock as it is now.
fn by_the_clock_that_was_set(at: i64, was_set: Option<(Instant, i64, i64)>) -> i64 {
    let near = i64::try_from(STAMPED_BEFORE.as_millis()).unwrap_or(i64::MAX);
    match was_set {
        Some((set_at, old, by)) if set_at.elapsed() < STAMPED_BEFORE && (at - old).abs() < near && by.abs() > near => {
            at.saturating_add(by)
        }
        _ => at,
    }
}
