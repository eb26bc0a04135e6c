//! What is done from time to time.

use super::{Postgres, clock, forget, minutes};
use crate::domain;
use crate::journal::{BoxFuture, Forgotten, Keep, Upkeep};
use crate::observe::metrics::Moment;
use jiff::SignedDuration;

impl Upkeep for Postgres {
    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten> {
        Box::pin(forget::forget(self, keep, limit))
    }

    fn beat(&self) -> BoxFuture<'_, ()> {
        self.database.write(|tx| Box::pin(clock::beat(tx)))
    }

    fn clock_was_set(&self, by: SignedDuration) -> BoxFuture<'_, ()> {
        // Times are the database's, which has a clock of its own.
        domain::clock::settle(by);
        Box::pin(async { Ok(()) })
    }

    fn keep_minute(&self, minute: Moment) -> BoxFuture<'_, ()> {
        Box::pin(minutes::keep(self, minute))
    }
}
