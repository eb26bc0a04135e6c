//! THE STORY: the way of a callback, in order (design section 2).
//!
//! A callback is only a claim. `Gate::walk` is the whole way on one screen; each step is a file of that name below.

pub mod sender;

pub mod route;

pub mod claim;

pub mod channel;

pub mod notification;

pub mod number_proof;

pub mod record;

pub mod confirm;

pub mod expected;

pub mod decide;

pub mod familiar;

pub mod flag;

pub mod stamp;

pub mod delivery;

pub mod accepted;

pub mod reply;

pub mod synthesize;

mod keep;

mod deliver;

mod outgoing;

mod story;

mod detach_on_drop;

pub mod current;

use crate::domain::money::Money;
use crate::domain::reason::Reason;
use crate::journal::{Claimed, Overrides};
use crate::observe::metrics::{Counts, Metrics, UpstreamMeters};
use crate::observe::traces::Traces;
use crate::provider::{Envelope, Told};
use crate::server::{Arrival, Handler};
use crate::upstream::{Forward, Upstream};
use bytes::Bytes;
use channel::Channels;
use claim::Blank;
use confirm::Confirm;
use decide::{Confirmed, Mode};
use deliver::Answer;
pub use deliver::{Delivered, UpstreamRequest};
use detach_on_drop::detach_on_drop;
use expected::Expected;
use familiar::{Appearance, Familiar};
use http_body_util::Full;
use hyper::Response;
use hyper::http::request::Parts;
use keep::Sighting;
use record::Records;
use reply::Refusal;
use route::{PathValues, Route, Routes};
use sender::Senders;
use stamp::Stamp;
use std::sync::Arc;
use std::time::Duration;
use story::Story;

/// Everything a callback meets on its way, put together by `app`.
#[derive(Debug)]
pub struct Gate {
    /// Which of the legacy system's paths take callbacks.
    pub routes: Routes,
    /// Which merchant accounts there are.
    pub channels: Channels,
    /// Who is in front of the gate, and how much one address may send.
    pub senders: Arc<Senders>,
    /// What callbacks look like that were confirmed.
    pub familiar: Arc<Familiar>,
    /// What WeChat Pay knows.
    pub confirm: Confirm,
    /// What the upstream sees as headers.
    pub stamp: Stamp,
    /// What the merchant's own system expects.
    pub expected: Arc<Expected>,
    /// What is kept of callbacks.
    pub records: Records,
    /// The way to the legacy system.
    pub forward: Forward,
    /// The legacy system of callbacks whose channel is not known; only observe mode sends it any.
    pub upstream: Upstream,
    /// Whether verdicts are enforced for callbacks whose channel is not known.
    pub mode: Mode,
    /// From the whole request to the first byte of the answer, where a route does not say.
    pub deadline: Duration,
    /// Everything that is counted in this process.
    pub metrics: Arc<Metrics>,
    /// What of it is counted of callbacks.
    pub counts: Counts,
    /// And of what is sent on.
    pub sent: UpstreamMeters,
    /// What is told of each step, if somebody wants to know.
    pub traces: Traces,
}

/// A callback that is confirmed, and the blank in it that the transaction id may fill.
struct Checked {
    confirmed: Confirmed,
    fill: Option<Blank>,
}

impl Gate {
    async fn walk<'g>(&'g self, arrival: Arrival, story: &mut Story<'g>) -> Result<Answer<'g>, Refusal> {
        let Arrival { head, body, peer } = arrival;
        let found = story.span.around("route", || self.routes.find(&head));
        story.route = found.as_ref().ok().map(|(route, _)| *route);
        // What the server refused is refused for that, also where no route would take it.
        let body = body?;
        let (route, path) = found?;
        self.senders.admit(peer, &head.headers)?;

        let checked = match self.check_refund(route, &path, &head, &body, story).await {
            Some(refund) => refund,
            None => self.check(route, &path, &head, &body, story).await,
        };
        let fill = checked.as_ref().ok().and_then(|checked| checked.fill.clone());
        let pass = decide::permit(checked.map(|checked| checked.confirmed), self.mode_of(story))?;
        story.passed(&pass);

        let parcel = UpstreamRequest {
            route,
            channel: story.channel.map(Arc::as_ref),
            order: story.order,
            head,
            body,
            fill,
            peer,
            request_id: story.request_id.clone(),
            trace: story.span.parent(),
            overrides: Overrides::NONE,
            event: story.event,
        };
        self.hand_over(parcel, &pass, story).await.map_err(Refusal::from)
    }

    /// From the whole request to the first byte of the answer, on this route.
    fn deadline_of(&self, route: &Route) -> Duration {
        route.deadline.unwrap_or(self.deadline)
    }

    fn mode_of(&self, story: &Story<'_>) -> Mode {
        story.channel.map_or(self.mode, |channel| channel.mode)
    }

    /// From the claim to the decision: nothing in here touches the upstream.
    async fn check<'g>(
        &'g self,
        route: &'g Route,
        path: &PathValues<'_>,
        head: &Parts,
        body: &Bytes,
        story: &mut Story<'g>,
    ) -> Result<Checked, Reason> {
        let read = story.span.around("claim", || route.claim.read(head, path, body));
        let callback = read.map_err(|unreadable| story.unreadable(unreadable))?;
        let mut claim = callback.claim;
        story.order = Some(claim.order);
        let channel = callback.channel.and_then(|id| self.channels.get(&id)).ok_or(Reason::ChannelUnknown)?;
        story.channel = Some(channel);
        if route.notification {
            let (headers, fields) = (&head.headers, callback.xml.as_ref());
            let opened = channel.account.open(&Envelope { headers, body, fields, sealed: false });
            let opened = opened.map_err(|unopened| notification::unopened(unopened, story))?;
            if let Told::InTheClear { currency } = opened.claim {
                claim.currency = currency;
            }
        }
        let out_trade_no = channel.number(&claim)?;
        story.out_trade_no = Some(out_trade_no);
        let claimed = Claimed {
            channel: channel.id,
            order: claim.order,
            out_trade_no,
            transaction_id: claim.transaction_id,
            amount: claim.amount.map(|fen| Money { fen, currency: claim.currency }),
        };
        let from = self.senders.from(story.peer, &head.headers);
        let appearance = Appearance { channel: channel.id, number: out_trade_no, from };
        let familiarity = self.familiar.look(&appearance);
        let sighting = Sighting { route, claimed, head, body, appearance, familiarity };
        let ask = channel.ask(&claim, out_trade_no);
        let confirmed = self.confirm_and_keep(channel, ask, &claim, sighting, story).await?;
        Ok(Checked { confirmed, fill: callback.fill })
    }
}

impl Handler for Gate {
    /// The way is walked to its end even if the sender hangs up: what was forwarded is then known, and logged.
    fn handle(self: Arc<Self>, arrival: Arrival) -> impl Future<Output = Response<Full<Bytes>>> + Send {
        let gate = self;
        detach_on_drop(async move {
            let span = gate.traces.request("callback", &arrival.head.headers);
            let mut story = Story::begin(arrival.peer, &gate.counts, span);
            let outcome = gate.walk(arrival, &mut story).await;
            let refused = outcome.as_ref().err().map(|refusal| refusal.reason);
            let response = match outcome {
                Ok(Answer::Forwarded(answer)) => reply::forwarded(answer, &story.request_id),
                Ok(Answer::Absorbed(style, acceptance)) => reply::absorbed(style, &acceptance, &story.request_id),
                Err(refusal) => reply::refuse(story.route.map(|route| &route.reply), &refusal, &story.request_id),
            };
            story.settle(&gate.records, refused);
            story.tell(&gate.metrics, refused, response.status());
            response
        })
    }
}
