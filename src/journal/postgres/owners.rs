//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::journal::owners::*;
use crate::journal::*;
impl Owners for Postgres {
    fn own(&self, _: OwnerClaim) -> BoxFuture<'_, Owner> {
        Box::pin(async { Err(AWAY) })
    }

    fn owner(&self, _: OwnerClaim) -> BoxFuture<'_, Option<Owner>> {
        Box::pin(async { Err(AWAY) })
    }
}
