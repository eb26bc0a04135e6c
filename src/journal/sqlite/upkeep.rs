//! What is done from time to time, in one file.

use super::op::Op;
use super::{Sqlite, minutes, times};
use crate::journal::{BoxFuture, Forgotten, Keep, Upkeep};
use crate::observe::metrics::Moment;
use jiff::SignedDuration;

impl Upkeep for Sqlite {
    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten> {
        self.ask(|reply| Op::Forget { keep, limit, reply })
    }

    fn beat(&self) -> BoxFuture<'_, ()> {
        self.write_only(|batch, at| times::beat(batch, at))
    }

    fn clock_was_set(&self, by: SignedDuration) -> BoxFuture<'_, ()> {
        self.ask(|reply| Op::SetClock { by, reply })
    }

    fn keep_minute(&self, minute: Moment) -> BoxFuture<'_, ()> {
        self.write_only(move |connection, _| minutes::keep(connection, &minute))
    }
}
