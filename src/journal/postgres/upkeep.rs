//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::journal::*;
use crate::observe::metrics::Moment;
use jiff::SignedDuration;
impl Upkeep for Postgres {
    fn forget(&self, _: Keep, _: usize) -> BoxFuture<'_, Forgotten> {
        Box::pin(async { Err(AWAY) })
    }

    fn beat(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn clock_was_set(&self, _: SignedDuration) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn keep_minute(&self, _: Moment) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
