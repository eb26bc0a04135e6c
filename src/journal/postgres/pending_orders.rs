//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::journal::pending_orders::*;
use crate::journal::*;
impl PendingOrderQueue for Postgres {
    fn take_pending_orders(&self, _: News) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn source_is(&self, _: SourceHealth) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
