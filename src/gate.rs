//! The request flow: what becomes of a callback, in order.
//!
//! A callback is only a claim. `Gate::process` is the whole flow on one screen; each step is a file of that name below.

pub mod sender;

pub mod policy;

pub mod path;

pub mod route;

pub mod claim;

pub mod event;

pub mod channel;

pub mod intake;

mod refund;

pub mod number_proof;

pub mod record;

pub mod records;

pub mod confirm;

pub mod expected;

pub mod decide;

pub mod familiar;

pub mod flag;

pub mod stamp;

pub mod delivery;

pub mod accepted;

pub mod reply;

pub mod template;

pub mod synthesize;

mod persist;

pub mod begin;

mod deliver;

mod outgoing;

mod resign;

mod replay;

mod context;

mod settle;

mod access_log;

mod detach_on_drop;

pub mod current;

use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::journal::{Claimed, Overrides, Trust};
use crate::observe::metrics::{Counts, Metrics, On, UpstreamMeters};
use crate::observe::traces::{Parent, Traces};
use crate::provider::{OrderState, Payment, SignedBy, Unopened};
use crate::server::{Arrival, Handler};
use crate::upstream::{Forward, Upstream};
use bytes::Bytes;
use channel::{Channel, Channels};
use confirm::{Confirm, Source};
use context::CallbackContext;
use decide::{Confirmed, Pair};
pub use deliver::{Delivered, Forwarder, NotDelivered, Undelivered};
use detach_on_drop::detach_on_drop;
use expected::Expected;
use familiar::{Appearance, Familiar, Familiarity};
use flag::{Asked, Flags};
use http_body_util::Full;
use hyper::Response;
use hyper::http::request::Parts;
use intake::{Callback, Intake};
use number_proof::{Case, Proofs};
pub use outgoing::UpstreamRequest;
use path::PathValues;
use persist::{Limits, Received};
use policy::Mode;
use record::{Record, TakenIn};
use records::Records;
use replay::{Answer, Held};
use reply::Refusal;
use route::{Route, Routes};
use sender::Senders;
use stamp::Stamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
    /// What providers know of orders, asked once and cached.
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
    /// Spans of each step, if an exporter is configured.
    pub traces: Traces,
}

impl Gate {
    /// The whole flow of one callback, up to what its sender is told.
    async fn process<'g>(&'g self, arrival: Arrival, context: &mut CallbackContext<'g>) -> Result<Answer<'g>, Refusal> {
        let Arrival { head, body, peer } = arrival;
        let found = context.span.around("route", || self.routes.find(&head));
        context.route = found.as_ref().ok().map(|(route, _)| *route);
        // What is refused before its body is read is answered by its head.
        context.reading = context.route.map(|route| route.reading_of_head(&head.headers));
        // What the server refused is refused for that, also where no route would take it.
        let body = body?;
        let (route, path) = found?;
        self.senders.admit(peer, &head.headers)?;
        context.deadline = context.began + route.deadline.unwrap_or(self.deadline);
        let reading = route.reading(&body).unwrap_or_else(|_| route.reading_of_head(&head.headers));
        context.reading = Some(reading);

        let read = self.read(route, &path, &head, &body, context).await;
        let verified = match &read {
            Err(reason) => Err(*reason),
            Ok((channel, Callback { claimed, refund: None, .. })) => {
                let received = Received { id: context.id, peer, route, claimed: *claimed, head: &head, body: &body };
                self.verify(channel, received, context).await
            }
            // Boxed here as below: it is rare, and the others should not carry the room for it.
            Ok((channel, refund)) => Box::pin(self.verify_refund(route, channel, refund, context)).await,
        };
        let pass = decide::permit(verified, context.channel.map_or(self.mode, |channel| channel.mode))?;
        context.passed(&pass);

        // A refund that the route does not take was opened too, and is not to be believed.
        let opened = read.as_ref().is_ok_and(|(_, callback)| callback.refund.is_none() || route.events.refund);
        let upstream_request = UpstreamRequest {
            route,
            reading,
            channel: context.channel.map(Arc::as_ref),
            order: context.order,
            head: &head,
            body: &body,
            fill: read.as_ref().ok().and_then(|(_, callback)| callback.fill.as_ref()),
            peer,
            request_id: &context.request_id,
            trace: context.span.parent(),
            overrides: Overrides::NONE,
            event: context.event,
            opened,
        };
        let held = Held { record: context.record.as_ref(), lease: &mut context.lease };
        let answer = self.forwarder().forward_or_replay(&upstream_request, &pass, held, context.deadline).await;
        context.sent(&answer);
        answer.map_err(|undelivered| Refusal::from(undelivered.reason))
    }

    /// What the callback claims, and of which account.
    async fn read<'g>(
        &'g self,
        route: &'g Route,
        path: &PathValues<'_>,
        head: &Parts,
        body: &Bytes,
        context: &mut CallbackContext<'g>,
    ) -> Result<(&'g Arc<Channel>, Callback), Reason> {
        let read = context.span.around("claim", || Intake::read(route, path, head, body, clock::now()));
        let intake = read.map_err(|unreadable| context.unreadable(unreadable))?;
        context.order = intake.claim().map(|claim| claim.order);
        let until = context.deadline.min(context.began + self.confirm.timeout());
        let fetched = intake.fetch_keys(&self.channels, until).await;
        fetched.map_err(|unopened| self.unopened(unopened, context))?;
        let channel = intake.channel(&self.channels).map_err(|unopened| self.unopened(unopened, context))?;
        context.channel = Some(channel);
        let signed_by = intake.signed_by(channel);
        let callback = intake.open(channel).map_err(|unopened| self.unopened(unopened, context))?;
        if let Some(SignedBy { kind, key }) = signed_by {
            self.metrics.queries.signing().signed(channel.id, On::Notification, kind, &key, clock::now());
        }
        context.read(&callback);
        Ok((channel, callback))
    }

    /// The account does not take the callback for a notification.
    fn unopened(&self, unopened: Unopened, context: &mut CallbackContext<'_>) -> Reason {
        if unopened.reason == Reason::NotificationProbe {
            self.metrics.queries.signing().probe(On::Notification);
        }
        context.unopened(unopened)
    }

    /// Confirms what a callback claims, and persists the callback meanwhile. Nothing in here touches the upstream.
    async fn verify(
        &self,
        channel: &Arc<Channel>,
        received: Received<'_>,
        context: &mut CallbackContext<'_>,
    ) -> Result<Confirmed, Reason> {
        let Received { route, ref claimed, head, .. } = received;
        let (asked_at, mut span) = (Instant::now(), context.span.child("confirm"));
        let (root, within) = (context.span.parent(), span.parent());
        let among_others = self.records.shared().is_some();
        let deadline = if among_others { begin::in_time(context.deadline) } else { context.deadline };
        let limits = Limits::of(channel.mode, context.began + self.confirm.timeout(), deadline);
        let are_kept = self.records.are_kept();
        context.record = if are_kept { self.records.vouched(&route.name, route.duplicates, claimed) } else { None };
        let mut is_new = are_kept && context.record.is_none();
        let appearance = || {
            let from = self.senders.from(received.peer, &head.headers);
            Appearance { channel: channel.id, number: claimed.out_trade_no, from }
        };
        // What the cache knows already is decided first, since a claim that it contradicts is not worth a record.
        let (state, source) = match self.confirm.cached(channel, channel.ask(claimed)).await {
            Some(state) => (state, Source::Hit),
            None => {
                let familiarity = self.familiar.look(&appearance());
                let persist = is_new.then_some((limits, &root));
                // Boxed, since a callback whose order is known should not carry the room for it.
                let asked = Box::pin(self.ask(channel, received, familiarity, persist, &within)).await;
                let (confirmed, taken) = asked?;
                self.taken_in(taken, claimed, channel, context);
                confirmed
            }
        };
        context.confirmation = Some((source, asked_at.elapsed()));
        span.set("tollgate.source", source.as_str());
        drop(span);

        if among_others {
            // What was remembered is enough for a repetition alone.
            let is_remembered = !is_new && context.record.is_some();
            is_new |= context.record.take_if(|record| is_remembered && !is_repeated(record, &state)).is_some();
            if is_new && context.record.is_none() {
                let trust = self.familiar.look(&appearance()).trust();
                Box::pin(self.take_in_first(channel, received, &state, trust, limits, context)).await?;
            }
        }
        let expected = self.expected.amount(channel.id, claimed.out_trade_no);
        let case = Case { route, channel, claimed, expected };
        let decided = self.decide(&case, &state, context.began + self.confirm.timeout()).await;
        if is_new
            && !among_others
            && context.record.is_none()
            && let Some(trust) = persist::trust(&decided, self.familiar.look(&appearance()).trust())
        {
            let taken = Box::pin(received.persist(&self.records, trust, limits, &root)).await?;
            self.taken_in(taken, claimed, channel, context);
        }

        if let Some(record) = &context.record {
            received.renew(&self.records, record, context.made_record);
        }

        let decided = match decided {
            Ok(confirmed) => {
                // An earlier payment is asked about as long as this one was.
                let until = context.deadline.min(Instant::now() + self.confirm.timeout());
                let asked = Asked { overrides: Overrides::NONE, afresh: false, until, within: &root };
                self.flags().flag(&case, context.record.as_deref(), confirmed, asked).await
            }
            refused => refused,
        };
        if source == Source::Miss && (!are_kept || context.lease.is_some()) {
            self.familiar.learn(&appearance(), &decided);
        }
        context.held_payment = held_payment(&state, &decided);
        decided
    }

    /// Asks what the cache does not know. A callback that is new is persisted at the same time, so that it waits for the
    /// longer of the two.
    async fn ask(
        &self,
        channel: &Arc<Channel>,
        received: Received<'_>,
        familiarity: Familiarity,
        persist: Option<(Limits, &Parent)>,
        within: &Parent,
    ) -> Result<((OrderState, Source), Option<TakenIn>), Reason> {
        let confirm = self.confirm.ask(channel, channel.ask(&received.claimed), familiarity.part(), within);
        let Some((limits, root)) = persist else { return Ok((confirm.await, None)) };
        let persist = received.persist(&self.records, familiarity.trust(), limits, root);
        let (confirmed, kept) = tokio::join!(confirm, persist);
        Ok((confirmed, kept?))
    }

    /// What others have come to know of a claim counts when it is decided, so it is taken in before that, unless it is not worth a
    /// record by itself.
    async fn take_in_first(
        &self,
        channel: &Channel,
        received: Received<'_>,
        state: &OrderState,
        trust: Trust,
        limits: Limits,
        context: &mut CallbackContext<'_>,
    ) -> Result<(), Reason> {
        let claimed = &received.claimed;
        let alone = decide::decide(claimed, None, Pair::Proven, state, channel.on_refunded);
        let is_known = self.records.known(&received.route.name, claimed).is_some();
        let Some(trust) = persist::trust(&alone, trust).or(is_known.then_some(trust)) else { return Ok(()) };
        let taken = received.persist(&self.records, trust, limits, &context.span.parent()).await?;
        self.taken_in(taken, claimed, channel, context);
        Ok(())
    }

    /// The callback was taken in, if there is something kept of it now.
    fn taken_in(
        &self,
        taken: Option<TakenIn>,
        claimed: &Claimed,
        channel: &Channel,
        context: &mut CallbackContext<'_>,
    ) {
        if let Some(listed) = taken.as_ref().and_then(|taken| taken.listed.as_ref()) {
            self.expected.is_told((channel.id, &channel.out_trade_no), claimed.out_trade_no, listed);
        }
        context.taken_in(taken);
    }

    /// A refund is confirmed anew and not kept: the provider sends it again until it is taken.
    async fn verify_refund(
        &self,
        route: &Route,
        channel: &Arc<Channel>,
        callback: &Callback,
        context: &mut CallbackContext<'_>,
    ) -> Result<Confirmed, Reason> {
        refund::tell(callback, &context.request_id);
        if !route.events.refund {
            return Err(Reason::NotificationNotPayment);
        }
        let (asked_at, within) = (Instant::now(), context.span.parent());
        let state = self.confirm.ask_again(channel, channel.ask(&callback.claimed), &within).await;
        context.confirmation = Some((Source::Miss, asked_at.elapsed()));
        let confirmed = refund::decide(callback, &state).map_err(|(reason, detail)| {
            context.detail = detail;
            reason
        })?;
        refund::tell_the_payment(&self.records, route, &callback.claimed, &confirmed, context.id);
        Ok(confirmed)
    }

    /// Decides, with what is known of the pair of order id and number.
    ///
    /// # Errors
    /// The reason why the callback may not pass.
    pub async fn decide(&self, case: &Case<'_>, state: &OrderState, until: Instant) -> Result<Confirmed, Reason> {
        let pair = match state {
            OrderState::Paid(payment) => self.proofs().pair(case, payment, until).await,
            OrderState::NotPaid(_) => Pair::Proven,
        };
        decide::decide(case.claimed, case.expected, pair, state, case.channel.on_refunded)
    }

    /// What proves numbers.
    #[must_use]
    pub fn proofs(&self) -> Proofs<'_> {
        let Self { routes, channels, records, .. } = self;
        Proofs { routes, channels, expected: &self.expected, records }
    }

    /// What flags payments.
    #[must_use]
    pub fn flags(&self) -> Flags<'_> {
        Flags { proofs: self.proofs(), confirm: &self.confirm }
    }

    /// What sends callbacks on.
    #[must_use]
    pub fn forwarder(&self) -> Forwarder<'_> {
        let Self { senders, stamp, forward, records, .. } = self;
        Forwarder { senders, stamp, forward, default: &self.upstream, records, meters: &self.sent }
    }
}

/// Whether a callback repeats what the upstream took before, and is told so.
fn is_repeated(record: &Record, state: &OrderState) -> bool {
    matches!(state, OrderState::Paid(payment) if record.was_accepted(payment))
}

/// The payment that was found, if the callback is held back although its order is paid.
fn held_payment(state: &OrderState, decided: &Result<Confirmed, Reason>) -> Option<Arc<Payment>> {
    match (state, decided) {
        (OrderState::Paid(payment), Err(reason)) if reason.holds_payment() => Some(Arc::clone(payment)),
        _ => None,
    }
}

impl Handler for Gate {
    /// A callback is processed to its end even if the sender hangs up: what was forwarded is then known, and logged.
    fn handle(self: Arc<Self>, arrival: Arrival) -> impl Future<Output = Response<Full<Bytes>>> + Send {
        let gate = self;
        detach_on_drop(async move {
            let span = gate.traces.request("callback", &arrival.head.headers);
            let mut context = CallbackContext::begin(arrival.peer, span);
            let mut under_way = gate.counts.receive();
            let outcome = gate.process(arrival, &mut context).await;
            let refused = outcome.as_ref().err().map(|refusal| refusal.reason);
            let response = match outcome {
                Ok(Answer::Forwarded(delivered)) => {
                    let accepted = delivered.is_accepted();
                    reply::forwarded(context.reply(), delivered.answer, accepted, &context.request_id)
                }
                Ok(Answer::Replayed(style, acceptance)) => reply::absorbed(style, &acceptance, &context.request_id),
                Err(refusal) => reply::refuse(context.reply(), &refusal, &context.request_id),
            };
            settle::settle(&mut context, &gate.records, refused);
            access_log::write(context, &mut under_way, &gate.metrics, refused, response.status());
            response
        })
    }
}
