//! TEMPORARY
use super::database::AWAY;
use super::{Postgres, begin};
use crate::domain::order::*;
use crate::journal::*;
use std::time::Duration;
impl Shared for Postgres {
    fn begin(&self, sending: Sending) -> BoxFuture<'_, Begun> {
        begin::begin(self, sending)
    }

    fn abandon(&self, attempt: Attempt) {
        begin::abandon(self, attempt);
    }

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
