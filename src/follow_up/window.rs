//! How long a notification can be sent under the signature that it came with. The gate cannot sign as the provider
//! does, and an order system that looks at the time refuses what is older than `upstream_window`; the provider's own
//! next one is delivered instead.

use super::FollowUp;
use super::outcome::Step;
use crate::domain::reason::Reason;
use crate::gate::decide::Confirmed;
use crate::gate::record::{self, Record};
use crate::gate::route::{Reading, Route};
use crate::journal::{self, Job, Origin, Override, Rank, Transition, Verified};
use hyper::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How long WeChat Pay sends a notification again that was not taken: 24 h 4 min
/// (`docs/reference/wechatpay-v3.md` section 6.1).
const RESENT_FOR: Duration = Duration::from_secs(24 * 60 * 60 + 4 * 60);

/// Whether a request can be sent with what it is signed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// It can: it is signed when it is sent, is young enough, or is of no kind whose signature ages.
    Good,
    /// It was signed at this time, too long ago for the order system.
    Old(Timestamp),
    /// The gate has made it, and the route has nothing any more that signs it.
    Missing,
}

/// When a kept request was signed, if its signature ages.
pub(super) fn signed_at(route: &Route, request: &journal::Request) -> Option<Timestamp> {
    clock_of(route, request)?(&request.headers)
}

/// What reads the time of signing off a request, if its signature ages.
fn clock_of(route: &Route, request: &journal::Request) -> Option<fn(&HeaderMap) -> Option<Timestamp>> {
    route.reading(&request.body).ok()?.preset?.signed_at
}

/// How the signature of a kept request stands on its route; `opened` if its account has opened it.
pub(super) fn signature(route: &Route, request: &journal::Request, opened: bool, now: Timestamp) -> Signature {
    let Some(signed_at) = clock_of(route, request) else { return Signature::Good };
    if route.resign.is_some() && opened {
        return Signature::Good;
    }
    match (signed_at(&request.headers), route.upstream_window) {
        (None, _) => Signature::Missing,
        (Some(at), Some(window)) if now.duration_since(at) >= longest(window) => Signature::Old(at),
        (Some(_), _) => Signature::Good,
    }
}

fn longest(window: Duration) -> SignedDuration {
    SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX)
}

impl FollowUp {
    /// What waits for WeChat Pay under a configuration before this one is due, where this one lets it be sent.
    pub(super) async fn free_what_waits(&self, step: usize) {
        let sends = |route: &&Route| {
            route.readings().any(Reading::ages) && (route.resign.is_some() || route.upstream_window.is_none())
        };
        let routes: Vec<_> = self.gate.routes.iter().filter(sends).map(|route| route.name.clone()).collect();
        let channels: Vec<_> = self.gate.channels.iter().map(|channel| channel.id).collect();
        if routes.is_empty() {
            return;
        }
        loop {
            match self.queue.end_waiting(channels.clone(), routes.clone(), step).await {
                Ok(entries) if entries < step => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "orders with window-over are not brought forward; tollgate redeliver does");
                    return;
                }
            }
        }
    }

    /// While an entry was sent in vain a younger notification of it came: what was sent says nothing of when that is
    /// due.
    pub(super) fn begin_anew(&self, record: &Record, verified: Verified) {
        let next = Transition::Deliver { again_in: self.redeliver.first(), retries: 0 };
        let reason = if verified.refunded { Reason::Refunded } else { Reason::Paid };
        self.gate.records.decided(record, reason, Some(verified), Some(next));
    }

    /// The step of an entry whose request cannot be sent; `None` if it can, or need not be. With what is `confirmed`,
    /// if that is known already: of what is being delivered it is not asked, so that no query is spent.
    pub(super) fn waits_for_its_sender(
        &self,
        job: &Job,
        record: &Record,
        signature: Signature,
        confirmed: Option<&Confirmed>,
    ) -> Option<Step> {
        let taken = record.delivery.accepted().is_some();
        if signature == Signature::Good || (taken && !job.overrides.has(Override::Accepted)) {
            return None;
        }
        let verified = confirmed.map(|confirmed| record::verified(confirmed.payment()));
        let park = |reason| {
            self.gate.records.decided(record, reason, verified, Some(Transition::Park));
            Some(Step::Parked(reason))
        };
        let signed_at = match signature {
            Signature::Good => return None,
            Signature::Missing => return park(Reason::CannotSynthesize),
            Signature::Old(at) => at,
        };
        if record.is_signed_after(signed_at) {
            // A younger one came since this one was read, and is in the journal.
            return Some(self.defer(job));
        }
        // What was taken is sent by WeChat Pay no more, whatever a person wants.
        let comes_again = job.callback.origin == Origin::Callback && !taken;
        let left = RESENT_FOR.checked_sub(job.kept_for).filter(|left| comes_again && !left.is_zero());
        let Some(again_in) = left else { return park(Reason::WindowOver) };
        // What a person asked for was tried with this. Otherwise the entry's own timer stays where it is.
        let retries = job.retries + u32::from(job.rank == Rank::AskedFor);
        let next = Transition::Deliver { again_in, retries };
        self.gate.records.decided(record, Reason::WindowOver, verified, Some(next));
        if record.is_signed_after(signed_at) {
            // It came just now, and what was decided stands behind it in the journal.
            let soon = Transition::Deliver { again_in: self.redeliver.first(), retries: 0 };
            self.gate.records.decided(record, Reason::Paid, verified, Some(soon));
        }
        Some(Step::Waits(Reason::WindowOver))
    }
}
