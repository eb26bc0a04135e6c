//! One step: an entry that is due takes the request flow from where it was left, through the gate's own steps.

use super::lanes::Lane;
use super::outcome::{Step, end_span, tell};
use super::recovery::{Ticket, Turn};
use super::window::{self, Signature};
use super::{FollowUp, overridden};
use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::gate::begin::{Errand, NotSent, Terms};
use crate::gate::channel::Channel;
use crate::gate::decide::{self, Confirmed};
use crate::gate::delivery::Origin;
use crate::gate::event::Event;
use crate::gate::familiar::Appearance;
use crate::gate::flag::Asked;
use crate::gate::intake::{self, Intake};
use crate::gate::number_proof::Case;
use crate::gate::policy::{Mode, OnSecondPayment};
use crate::gate::record::{self, Record};
use crate::gate::route::Route;
use crate::gate::{NotDelivered, UpstreamRequest};
use crate::journal::{self, Callback, Claimed, EntryId, Job, Override, Queue, State, Transition};
use crate::observe::traces::Span;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use crate::provider::{AskBy, Evidence};
use crate::server::Peer;
use hyper::header::HeaderValue;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an entry waits when a step of it broke off, which is a fault.
const AFTER_A_FAULT: Duration = Duration::from_secs(60);

impl FollowUp {
    /// Takes one step with an entry, and says what came of it.
    pub(super) async fn step(&self, job: Job, ticket: Ticket) -> Step {
        let unfinished = Unfinished { queue: &*self.queue, entry: Some(job.entry) };
        let record = self.gate.records.of_job(&job);
        let (began, entry) = (Instant::now(), job.entry);
        let (claimed, origin) = (job.callback.claimed, job.callback.origin);
        let mut span =
            self.gate.traces.later("follow-up", job.callback.request.as_ref().map(|request| &request.headers));
        let step = self.go_on(job, ticket, &record, &span).await;
        end_span(&mut span, &claimed, origin, step);
        unfinished.finished();
        tell(&claimed, entry, origin, step, record.delivery.attempts(), began);
        let took = Some(began.elapsed()).filter(|_| !matches!(step, Step::Deferred | Step::Throttled));
        self.gate.metrics.follow_up_step(step.as_str(), took);
        step
    }

    pub(super) async fn go_on(&self, job: Job, ticket: Ticket, record: &Record, span: &Span) -> Step {
        let claimed = job.callback.claimed;
        // One at a time for each delivery; a callback that waits goes first.
        let Ok(_turn) = record.delivery.turn.try_lock() else { return self.defer(&job) };
        let Some((route, channel)) = self.place(&job.callback) else { return self.park(record, Reason::RouteGone) };
        if let Some(listed) = &job.listed {
            self.gate.expected.is_told((channel.id, &channel.out_trade_no), claimed.out_trade_no, listed);
        }
        let (origin, at) = (job.callback.origin, job.callback.created_at.unwrap_or_else(clock::now));
        let read = |request| reread(route, channel, &claimed, (origin, at), request);
        let request = job.callback.request.as_ref();
        let read_again = request.and_then(read);
        if request.is_some() && read_again.is_none() {
            return self.park(record, Reason::RouteGone);
        }
        let signature = match (request, &read_again) {
            (Some(request), Some(read)) => window::signature(route, request, read.opened, clock::now()),
            _ => Signature::Good,
        };
        if job.state == State::Delivering
            && let Some(step) = self.waits_for_its_sender(&job, record, signature, None)
        {
            return step;
        }
        if let Some(step) = self.is_delivered_otherwise(&job, record, None).await {
            return step;
        }
        let Some((order_state, evidence)) = self.confirm_again(channel, &job, span).await else {
            return self.not_now(&job);
        };
        // What was made says more than the one that named the order.
        let said = read_again.as_ref().filter(|_| origin.is_found()).map_or(claimed, |read| read.claimed);
        let decided = self.decide((route, channel), &job, said, record, &order_state, span).await;
        self.learn(&job, &decided);
        let confirmed = match decided {
            Ok(confirmed) => confirmed,
            Err(reason) => match &order_state {
                OrderState::Paid(payment) if overridden::is_done(&job, reason, record, payment) => {
                    return self.accepted_before(&job, record, payment);
                }
                _ => return self.not_confirmed(&job, record, reason, &order_state),
            },
        };
        if record.was_accepted(confirmed.payment()) && !job.overrides.has(Override::Accepted) {
            return self.accepted_before(&job, record, confirmed.payment());
        }
        if let Some(step) = self.is_delivered_otherwise(&job, record, Some(confirmed.payment())).await {
            return step;
        }
        if let Some(step) = self.waits_for_its_sender(&job, record, signature, Some(&confirmed)) {
            return step;
        }
        let made = if request.is_none() { self.make(&job, route, channel, &confirmed, &evidence) } else { None };
        let made = || made.as_ref().and_then(|made| Some((made, read(made)?)));
        let Some((request, intake::Callback { fill, opened, .. })) = request.zip(read_again).or_else(made) else {
            return self.park_payment(record, Reason::CannotSynthesize, &order_state);
        };
        let turn = Turn::of(&job, &ticket);
        let Some(_permit) = self.permit(ticket, &job, channel) else {
            return self.defer_confirmed(&job, record, &confirmed);
        };
        let Ok(request_id) = HeaderValue::from_str(&job.callback.request_id.to_string()) else {
            return self.park(record, Reason::InternalError);
        };
        let (head, peer) = (request.head(), Peer::new(request.peer, request.tls));
        let order = Some(claimed.order);
        let (overrides, trace) = (self.overridden(channel, &job, record, &confirmed), span.parent());
        let upstream_request = UpstreamRequest {
            route,
            reading: route.reading(&request.body).unwrap_or(&route.main),
            channel: Some(channel),
            order,
            head: &head,
            body: &request.body,
            fill: fill.as_ref(),
            peer,
            request_id: &request_id,
            trace,
            overrides,
            event: Event::Payment,
            opened,
        };
        let origin = if origin.is_found() { origin } else { Origin::FollowUp };
        let signed_at = window::signed_at(route, request);
        let verified = record::verified(confirmed.payment());
        let step = self.deliver(&job, &upstream_request, record, confirmed, origin, turn).await;
        if step == Step::NotAccepted && signed_at.is_some_and(|at| record.is_signed_after(at)) {
            self.begin_anew(record, verified);
        }
        step
    }

    pub(super) fn accepted_before(&self, job: &Job, record: &Record, payment: &Payment) -> Step {
        if job.callback.origin.is_found() && job.state == State::Asking {
            return self.close(record, Reason::AlreadyAccepted);
        }
        self.gate.records.decided(record, Reason::Paid, Some(record::verified(payment)), Some(Transition::Accepted));
        Step::AcceptedBefore
    }

    pub(super) async fn decide(
        &self,
        (route, channel): (&Route, &Channel),
        job: &Job,
        read: Claimed,
        record: &Record,
        order_state: &OrderState,
        span: &Span,
    ) -> Result<Confirmed, Reason> {
        let (claimed, expected) = self.prices(job, read);
        let (within, until) = (span.parent(), Instant::now() + self.gate.confirm.timeout());
        let case = Case { route, channel, claimed: &claimed, expected };
        let confirmed = self.gate.decide(&case, order_state, until).await?;
        if overridden::is_billed_otherwise(job, confirmed.payment()) && !job.overrides.has(Override::Amount) {
            return Err(Reason::AmountDiffers);
        }
        let asked = Asked { overrides: job.overrides, afresh: job.asked_for, until, within: &within };
        self.gate.flags().flag(&case, Some(record), confirmed, asked).await
    }

    /// Route and channel of a callback, if they are still configured.
    pub(super) fn place(&self, callback: &Callback) -> Option<(&Route, &Arc<Channel>)> {
        Some((self.gate.routes.named(&callback.route)?, self.gate.channels.get(&callback.claimed.channel)?))
    }

    /// The order's state now, and the evidence where a callback is to be made of it; `None` if this account's
    /// lane or its budget is used up.
    pub(super) async fn confirm_again(
        &self,
        channel: &Arc<Channel>,
        job: &Job,
        span: &Span,
    ) -> Option<(OrderState, Evidence)> {
        let confirming = span.child("confirm");
        let within = confirming.parent();
        let claimed = &job.callback.claimed;
        let merchant = &channel.account.payee().merchant;
        if job.callback.request.is_none() {
            // Never by the bill's or the source's word for the payment.
            let ask = AskBy::OutTradeNo(claimed.out_trade_no);
            if !self.budgets.to_wechat(merchant, Lane::of_recovered(job)) {
                return None;
            }
            return Some(self.gate.confirm.ask_now_within(channel, ask, &within).await).filter(was_asked);
        }
        let ask = channel.ask(claimed);
        // An operator may know of a refund that the cache does not.
        let cached = if job.asked_for { None } else { self.gate.confirm.cached(channel, ask).await };
        let appearance = Appearance::of(&job.callback, &self.gate.senders);
        let rank = appearance.map_or(job.rank, |it| self.gate.familiar.look(&it).rank(job.rank));
        let lane = Lane::of(rank, job.state, job.asked_for);
        let order_state = match cached {
            Some(order_state) => order_state,
            None if !self.budgets.to_wechat(merchant, lane) => return None,
            None if job.asked_for => self.gate.confirm.ask_now_within(channel, ask, &within).await.0,
            None => self.gate.confirm.ask(channel, ask, lane.part(), &within).await.0,
        };
        Some((order_state, Evidence::default())).filter(was_asked)
    }

    pub(super) async fn deliver(
        &self,
        job: &Job,
        upstream_request: &UpstreamRequest<'_, '_>,
        record: &Record,
        confirmed: Confirmed,
        origin: Origin,
        turn: Turn,
    ) -> Step {
        let next = turn.next(&self.redeliver);
        let Ok(pass) = decide::permit(Ok(confirmed.clone()), Mode::Enforce) else {
            return self.park(record, Reason::InternalError);
        };
        let overrides = upstream_request.overrides;
        let second_payments = upstream_request.channel.map(|channel| channel.on_second_payment);
        let deadline = Instant::now() + self.upstream_timeout;
        let terms = Terms {
            alone: true,
            leased: true,
            unless_accepted: !job.overrides.has(Override::Accepted),
            unless_paid: second_payments == Some(OnSecondPayment::Park) && !job.overrides.has(Override::SecondPayment),
            until: deadline,
        };
        // A park is appended with its reason, at once.
        let errand = Errand { record, origin, next: Some(next).filter(|next| *next != Transition::Park), terms };
        let delivered = match self.gate.forwarder().deliver(upstream_request, &pass, errand, deadline).await {
            Ok(delivered) => Some(delivered),
            Err(NotDelivered::Unanswered(_)) => None,
            Err(NotDelivered::NotSent(why)) => return self.not_sent(job, record, &confirmed, why),
        };
        if turn.is_first() {
            overrides.iter().for_each(|one| self.gate.metrics.overridden(one.as_str()));
        }
        match (delivered, next) {
            (Some(delivered), _) if delivered.is_accepted() => Step::Delivered,
            (_, Transition::Park) => self.park(record, Reason::GaveUpDelivering),
            _ => Step::NotAccepted,
        }
    }
}

impl FollowUp {
    /// Where an entry goes on that was not sent, since another gate came first or the journal does not say that none did.
    fn not_sent(&self, job: &Job, record: &Record, confirmed: &Confirmed, why: NotSent) -> Step {
        match why {
            NotSent::Accepted(_) => self.accepted_before(job, record, confirmed.payment()),
            NotSent::PaidBy(..) => {
                self.gate.records.flag(Some(record), Reason::SecondPayment);
                let verified = Some(record::verified(confirmed.payment()));
                self.gate.records.decided(record, Reason::SecondPayment, verified, Some(Transition::Park));
                Step::Parked(Reason::SecondPayment)
            }
            NotSent::Lost => {
                let (order, entry) = (&job.callback.claimed.order, job.entry.0);
                tracing::warn!(%order, entry, "not sent: this gate's lease is over, and another may go on with the order");
                self.queue.release(job.entry);
                Step::Deferred
            }
            NotSent::Busy | NotSent::Unavailable(_) => self.defer(job),
        }
    }
}

/// Whether a query was sent, or the cache answered. A query that the budget had no place for costs no try: the entry
/// has its turn later.
fn was_asked((order_state, _): &(OrderState, Evidence)) -> bool {
    *order_state != OrderState::NotPaid(Reason::RateLimited)
}

/// Reads a request again. `None` if the route as it is configured now would not read the same in it: what was claimed,
/// or for one that was made at least the same order.
fn reread(
    route: &Route,
    channel: &Channel,
    claimed: &Claimed,
    (origin, at): (Origin, Timestamp),
    request: &journal::Request,
) -> Option<intake::Callback> {
    let head = request.head();
    let path = route.takes(&head)?;
    let intake = Intake::read(route, &path, &head, &request.body, at).ok()?;
    let selects = intake.selects(channel);
    let read = intake.reopen(channel, claimed).ok()?;
    let fen = |claimed: &Claimed| claimed.amount.map(|amount| amount.fen);
    let same_order = (read.claimed.order, read.claimed.out_trade_no) == (claimed.order, claimed.out_trade_no);
    let same_claim =
        selects && read.claimed.transaction_id == claimed.transaction_id && fen(&read.claimed) == fen(claimed);
    (same_order && (same_claim || origin.is_found() || request.is_made())).then_some(read)
}

/// The lease of a step's entry: a step that broke off is not tried again at once.
struct Unfinished<'j> {
    queue: &'j dyn Queue,
    entry: Option<EntryId>,
}

impl Unfinished<'_> {
    fn finished(mut self) {
        self.entry = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.queue.postpone(entry, AFTER_A_FAULT);
        }
    }
}
