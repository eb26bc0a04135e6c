//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::domain::order::*;
use crate::journal::*;
use std::time::Duration;
impl Shared for Postgres {
    fn begin(&self, _: Sending) -> BoxFuture<'_, Begun> {
        Box::pin(async { Err(AWAY) })
    }

    fn abandon(&self, _: Attempt) {}

    fn duty(&self, _: Duty) -> BoxFuture<'_, bool> {
        Box::pin(async { Err(AWAY) })
    }

    fn shares(&self, _: &[(MerchantId, f64)]) -> Vec<(MerchantId, f64)> {
        Vec::new()
    }

    fn membership(&self) -> Membership {
        Membership { lease_holds: false, live: 1, clock_skew_ms: 0 }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn introduce(&self, _: Myself) {}

    fn replicas(&self) -> BoxFuture<'_, Vec<Replica>> {
        Box::pin(async { Err(AWAY) })
    }
}
