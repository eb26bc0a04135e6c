//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::journal::*;

/// As [`Queue::lease_due`].
pub(super) fn lease_due(_: &Postgres, _: usize, _: Throttled) -> BoxFuture<'_, Vec<Job>> {
    Box::pin(async { Err(AWAY) })
}
