//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::domain::order::*;
use crate::journal::sweeps::*;
use crate::journal::*;
impl SweepQueue for Postgres {
    fn next_sweep(&self) -> BoxFuture<'_, Option<Sweep>> {
        Box::pin(async { Err(AWAY) })
    }

    fn found_before(&self, _: SweepId) -> BoxFuture<'_, Vec<TransactionId>> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_rows(&self, _: SweepId, _: Vec<Row>) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_refunds(&self, _: SweepId, _: Vec<TransactionId>) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_event(&self, _: SweepId, _: SweepEvent) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
