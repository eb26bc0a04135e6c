//! What the gates of a journal share, by the database.

use super::{Postgres, begin, replicas};
use crate::domain::order::MerchantId;
use crate::journal::{Attempt, Begun, BoxFuture, Census, Duty, Membership, Myself, Replica, Sending, Shared};
use std::time::Duration;

impl Shared for Postgres {
    fn begin(&self, sending: Sending) -> BoxFuture<'_, Begun> {
        begin::begin(self, sending)
    }

    fn abandon(&self, attempt: Attempt) {
        begin::abandon(self, attempt);
    }

    fn duty(&self, duty: Duty) -> BoxFuture<'_, bool> {
        Box::pin(self.member.duty(duty))
    }

    fn shares(&self, wanted: &[(MerchantId, f64)]) -> Vec<(MerchantId, f64)> {
        self.member.shares(wanted)
    }

    fn membership(&self) -> Membership {
        self.member.membership()
    }

    fn census(&self) -> Census {
        self.member.census()
    }

    fn timeout(&self) -> Duration {
        self.database.settings.timeout
    }

    fn introduce(&self, myself: Myself) {
        self.member.introduce(myself);
    }

    fn replicas(&self) -> BoxFuture<'_, Vec<Replica>> {
        Box::pin(self.list())
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.writer.finish().await;
            self.member.leave().await;
            Ok(())
        })
    }
}

impl Postgres {
    /// The replicas that live, and those that are gone for a day at most.
    pub(super) fn list(&self) -> BoxFuture<'_, Vec<Replica>> {
        let me = self.incarnation.current().map(|current| current.id);
        self.database.read(move |tx| {
            Box::pin(
                async move { tx.rows(replicas::all()).await?.iter().map(|row| replicas::replica(row, me)).collect() },
            )
        })
    }
}
