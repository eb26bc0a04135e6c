//! Keeping a callback while WeChat Pay is asked about it, so that a miss costs the longer of the two.

use super::Gate;
use super::channel::Channel;
use super::claim::Claim;
use super::confirm::Source;
use super::decide::{Confirmed, Mode};
use super::familiar::{Appearance, Familiarity};
use super::flag::Asked;
use super::number_proof::Case;
use super::route::Route;
use super::story::Story;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{Callback, Claimed, EntryKey, Origin, Overrides, Request, Trust};
use crate::provider::AskBy;
use crate::provider::order_state::OrderState;
use crate::server::Peer;
use bytes::Bytes;
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// A callback that was read, as it may have to be kept.
#[derive(Clone, Copy)]
pub(super) struct Sighting<'s> {
    pub(super) route: &'s Route,
    pub(super) claimed: Claimed,
    pub(super) head: &'s Parts,
    pub(super) body: &'s Bytes,
    /// Who called back, and what that makes of it.
    pub(super) appearance: Appearance,
    pub(super) familiarity: Familiarity,
}

impl Sighting<'_> {
    fn callback(self, request_id: Uuid, peer: Peer) -> Callback {
        let Parts { method, uri, headers, .. } = self.head;
        let request = Request {
            peer: peer.addr,
            tls: peer.tls,
            method: method.clone(),
            target: uri.clone(),
            headers: headers.clone(),
            body: self.body.clone(),
        };
        Callback {
            request_id,
            route: self.route.name.clone(),
            origin: Origin::Callback,
            claimed: self.claimed,
            created_at: None,
            request: Some(request),
        }
    }
}

impl Gate {
    /// Confirms, and takes the callback in at the same time: both are done before anything is forwarded or answered.
    /// What the cache knows already is decided first, since a claim that it contradicts is not worth a record.
    pub(super) async fn confirm_and_keep<'g>(
        &'g self,
        channel: &'g Arc<Channel>,
        ask: AskBy,
        claim: &Claim,
        sighting: Sighting<'_>,
        story: &mut Story<'g>,
    ) -> Result<Confirmed, Reason> {
        let asked_at = Instant::now();
        let mut span = story.span.child("confirm");
        let within = span.parent();
        let (kept, part) = (self.records.are_kept(), sighting.familiarity.part());
        let key = || EntryKey::of(&sighting.route.name, &sighting.claimed, Origin::Callback);
        story.record = if kept { self.records.known(&key()) } else { None };
        let unknown = kept && story.record.is_none();
        let cached = if unknown { self.confirm.cached(channel, ask).await } else { None };
        let (finding, source) = match cached {
            Some(finding) => (finding, Source::Hit),
            None if unknown => {
                let keeping = self.keep(sighting, sighting.familiarity.worth(), story);
                let (asked, kept) = tokio::join!(self.confirm.ask(channel, ask, part, &within), keeping);
                kept?;
                asked
            }
            None => self.confirm.ask(channel, ask, part, &within).await,
        };
        story.confirmed(source, asked_at.elapsed());
        span.set("tollgate.source", source.as_str());
        drop(span);
        let until = story.began + self.confirm.patience();
        let expected = self.expected.amount(channel.id, sighting.claimed.out_trade_no);
        let case = Case { route: sighting.route, channel, claim, claimed: &sighting.claimed, expected };
        let decided = self.judge(&case, &finding, until).await;
        if unknown && story.record.is_none() {
            match decided.as_ref().map_err(|reason| (reason.holds_payment(), reason.verdict())) {
                Ok(_) | Err((true, _)) => self.keep(sighting, Trust::Confirmed, story).await?,
                Err((_, Some(Verdict::Contradicted | Verdict::Unpaid))) => {}
                Err(_) => self.keep(sighting, sighting.familiarity.worth(), story).await?,
            }
        }
        let decided = match decided {
            Ok(confirmed) => self.look_over(&case, confirmed, story).await,
            refused => refused,
        };
        if source == Source::Miss && (!kept || story.lease.is_some()) {
            self.familiar.learn(&sighting.appearance, &decided);
        }
        if let (OrderState::Paid(payment), Err(reason)) = (&finding, &decided)
            && reason.holds_payment()
        {
            story.payment = Some(Arc::clone(payment));
        }
        decided
    }

    /// Flags what is odd about a confirmed payment, and holds it back if a person has to decide. An earlier payment is asked about
    /// as long as this one was, and within the callback's deadline.
    async fn look_over(&self, case: &Case<'_>, confirmed: Confirmed, story: &Story<'_>) -> Result<Confirmed, Reason> {
        let until = (story.began + self.deadline_of(case.route)).min(Instant::now() + self.confirm.patience());
        let within = story.span.parent();
        let asked = Asked { overrides: Overrides::NONE, afresh: false, until, within: &within };
        self.flag(case, story.record.as_deref(), confirmed, asked).await
    }

    /// Takes a callback in. Observing goes on without a record if it cannot be written. Nobody waits for a disk that hangs
    /// beyond the deadline; what it writes after all is followed up.
    async fn keep(&self, sighting: Sighting<'_>, worth: Trust, story: &mut Story<'_>) -> Result<(), Reason> {
        let callback = Box::new(sighting.callback(story.id, story.peer));
        let observing = self.mode_of(story) == Mode::Observe;
        // Where everything is forwarded the upstream must have its time all the same.
        let patience = if observing { self.confirm.patience() } else { self.deadline_of(sighting.route) };
        let mut span = story.span.child("journal");
        let taking = timeout_at(story.began + patience, self.records.take_in(callback, worth));
        match taking.await.unwrap_or(Err(Reason::JournalUnavailable)) {
            Ok(Some((record, lease))) => {
                story.kept(record, lease);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(reason) => {
                span.failed(reason.code());
                if observing { Ok(()) } else { Err(reason) }
            }
        }
    }
}
