//! What goes on after the reply: asks again about orders that were not decided, and sends again what was confirmed and
//! not accepted, through the same steps as a callback that waits.
//!
//! The journal is the queue. `FollowUp::step` is one unit of work: it ends with a note of where the entry goes on, so
//! nothing leaves the queue before its success is on disk, and a restart goes on where this process stopped.

pub mod schedule;

mod retry_budgets;

mod found;

mod recovery;

mod familiar;
mod overridden;

use crate::domain::money::Currency;
use crate::domain::reason::{Reason, Verdict};
use crate::follow_up::schedule::{Schedule, jittered};
use crate::gate::channel::Channel;
use crate::gate::claim::{Blank, Claim};
use crate::gate::decide::{self, Confirmed, Mode};
use crate::gate::delivery::Origin;
use crate::gate::flag::Asked;
use crate::gate::notification::Event;
use crate::gate::number_proof::Case;
use crate::gate::record::{self, Record};
use crate::gate::route::Route;
use crate::gate::{Gate, UpstreamRequest};
use crate::journal::{self, Callback, Claimed, DueGroup, EntryId, Job, Override, Queue, Shut, State, Transition};
use crate::observe::traces::Span;
use crate::process::shutdown::Shutdown;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use crate::provider::{AskBy, Evidence};
use crate::server::Peer;
pub use found::next_question;
use hyper::header::HeaderValue;
use recovery::{Recoveries, Ticket, Turn};
use retry_budgets::Lane;
pub use retry_budgets::RetryBudgets;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// Asks again and delivers again.
#[derive(Debug)]
pub struct FollowUp {
    /// Whose steps it takes.
    pub gate: Arc<Gate>,
    /// Its queue.
    pub journal: Arc<dyn Queue>,
    /// When is asked again.
    pub ask_again: Schedule,
    /// When is sent again.
    pub redeliver: Schedule,
    /// How many orders are worked on at once.
    pub concurrency: usize,
    /// How long the upstream has for what nobody waits for.
    pub upstream_timeout: Duration,
    /// How long there is between two tries whether a failing upstream is well again.
    pub probe: Duration,
    /// What the follow-up may spend on queries and deliveries, so that callbacks that wait find enough.
    pub budgets: RetryBudgets,
}

/// What a unit of work came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The upstream took it.
    Delivered,
    /// It had taken the order before.
    AcceptedBefore,
    /// It was sent, and is sent again later.
    NotAccepted,
    /// It is not decided; asked about again later.
    Undecided(Reason),
    /// Somebody has to look.
    Parked(Reason),
    /// Nothing comes of it.
    Closed(Reason),
    /// Another step or a callback sends its order now, or its turn comes at once.
    Deferred,
    /// Its channel gets no more for the moment, in this state.
    Throttled,
}

/// How often the queue is looked at when there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long an entry waits whose order another step or a callback sends now.
const BUSY_PAUSE: Duration = Duration::from_millis(1500);

/// How long a channel that gets no more is left alone.
const THROTTLED_FOR: Duration = Duration::from_millis(250);

/// How often it is looked whether more is likely than was.
const LIFT_EVERY: Duration = Duration::from_secs(1);

/// An order of this age is asked about in the slow lane, since nobody waits for it any more.
const LATE: Duration = Duration::from_secs(30 * 60);

/// An order of this age is asked about rarely: beyond a month WeChat Pay allows few such queries (`wechatpay-v2.md`
/// section 11).
const OLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long such an order waits for its turn.
const OLD_AGAIN: Duration = Duration::from_secs(6);

/// How long it waits when working on it broke off, which is a fault.
const AFTER_A_FAULT: Duration = Duration::from_secs(60);

/// How long a confirmed order waits at most when it cannot be confirmed again at the moment.
const UNTIL_CONFIRMED_AGAIN: Duration = Duration::from_secs(60);

impl FollowUp {
    /// Works until `shutdown` begins; what is under way then is finished, unless the gate itself stops and it takes too long.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut steps = JoinSet::new();
        // Beside the others, which go on while probes hang.
        let mut probes = JoinSet::new();
        let mut throttled: Vec<(DueGroup, Instant)> = Vec::new();
        let mut recoveries = Recoveries::of(&self);
        let mut lift_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => break,
                Some(ended) = steps.join_next() => match ended {
                    Ok((queue, Step::Throttled)) => {
                        throttled.push((queue, Instant::now() + THROTTLED_FOR));
                        continue;
                    }
                    // Looked at again with the next tick.
                    Ok((_, Step::Deferred)) => continue,
                    _ => {}
                },
                _ = ticks.tick() => {}
            }
            recoveries.tend();
            while probes.try_join_next().is_some() {}
            if let Some((work, ticket)) = recoveries.probe().await {
                probes.spawn(Arc::clone(&self).stepped(work, ticket));
            }
            let free = self.concurrency.saturating_sub(steps.len());
            if free == 0 {
                continue;
            }
            if lift_at <= Instant::now() {
                lift_at = Instant::now() + LIFT_EVERY;
                self.lift();
            }
            throttled.retain(|(_, until)| *until > Instant::now());
            let groups = throttled.iter().map(|(group, _)| *group).collect();
            match self.journal.lease_due(free, Shut { groups, outlets: recoveries.outlets() }).await {
                Ok(due) => {
                    for work in due {
                        let ticket = self.ticket(&work);
                        steps.spawn(Arc::clone(&self).stepped(work, ticket));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "what is due cannot be read; trying again");
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
            }
        }
        tokio::select! {
            biased;
            () = async { while steps.join_next().await.or(probes.join_next().await).is_some() {} } => {}
            () = self.nobody_may_wait(&shutdown) => {
                let orders = steps.len() + probes.len();
                tracing::warn!(orders, "stopping: the order system takes long; what is under way is sent again after the start");
                steps.shutdown().await;
                probes.shutdown().await;
            }
        }
        recoveries.end().await;
    }

    /// Ready when the gate has been stopping for as long as a callback may take: whoever goes on would wait for longer. What
    /// breaks off then is as after a crash: noted as sent, with no outcome, and due again.
    async fn nobody_may_wait(&self, shutdown: &Shutdown) {
        shutdown.draining().await;
        tokio::time::sleep(self.gate.deadline).await;
    }

    async fn stepped(self: Arc<Self>, work: Job, ticket: Ticket) -> (DueGroup, Step) {
        (work.group(), self.step(work, ticket).await)
    }

    /// Works on one entry, and says what came of it.
    async fn step(&self, work: Job, ticket: Ticket) -> Step {
        let unfinished = Unfinished { journal: &*self.journal, entry: Some(work.entry) };
        let record = self.gate.records.of_work(&work);
        let (began, entry) = (Instant::now(), work.entry);
        let (claimed, origin) = (work.callback.claimed, work.callback.origin);
        let mut span =
            self.gate.traces.later("follow-up", work.callback.request.as_ref().map(|request| &request.headers));
        let step = self.go_on(work, ticket, &record, &span).await;
        end_span(&mut span, &claimed, origin, step);
        unfinished.finished();
        tell(&claimed, entry, origin, step, record.delivery.attempts(), began);
        let took = Some(began.elapsed()).filter(|_| !matches!(step, Step::Deferred | Step::Throttled));
        self.gate.metrics.follow_up_step(step.as_str(), took);
        step
    }

    async fn go_on(&self, work: Job, ticket: Ticket, record: &Record, span: &Span) -> Step {
        let claimed = work.callback.claimed;
        // One at a time for each delivery; a callback that waits goes first.
        let Ok(_turn) = record.delivery.turn.try_lock() else { return self.postpone(&work) };
        let Some((route, channel)) = self.place(&work.callback) else { return self.park(record, Reason::RouteGone) };
        let origin = work.callback.origin;
        let read = |request| reread(route, channel, &claimed, origin, request);
        let request = work.callback.request.as_ref();
        let read_again = request.map(read);
        if matches!(read_again, Some(None)) {
            return self.park(record, Reason::RouteGone);
        }
        if let Some(step) = self.is_delivered_otherwise(&work, record, None).await {
            return step;
        }
        let Some((finding, evidence)) = self.confirm_again(channel, &work, span).await else {
            return self.not_now(&work);
        };
        // What was made says more than the one that named the order.
        let claim =
            read_again.flatten().filter(|_| origin.is_found()).map_or_else(|| claim_of(&claimed), |read| read.claim);
        let decided = self.decide((route, channel), &work, &claim, record, &finding, span).await;
        self.learn(&work, &decided);
        let confirmed = match decided {
            Ok(confirmed) => confirmed,
            Err(reason) => match &finding {
                OrderState::Paid(payment) if overridden::is_done(&work, reason, record, payment) => {
                    return self.accepted_before(&work, record, payment);
                }
                _ => return self.not_confirmed(&work, record, reason, &finding),
            },
        };
        if record.was_accepted(confirmed.payment()) && !work.overrides.has(Override::Accepted) {
            return self.accepted_before(&work, record, confirmed.payment());
        }
        if let Some(step) = self.is_delivered_otherwise(&work, record, Some(confirmed.payment())).await {
            return step;
        }
        let made = if request.is_none() { self.make(&work, route, channel, &confirmed, &evidence) } else { None };
        let Some((request, Some(Read { fill, .. }))) =
            request.or(made.as_ref()).map(|request| (request, read(request)))
        else {
            return self.park_payment(record, Reason::CannotSynthesize, &finding);
        };
        let turn = Turn::of(&work, &ticket);
        let Some(_permit) = self.permit(ticket, &work, channel) else {
            return self.postpone_confirmed(&work, record, &confirmed);
        };
        let Ok(request_id) = HeaderValue::from_str(&work.callback.request_id.to_string()) else {
            return self.park(record, Reason::InternalError);
        };
        let (head, peer) = (request.head(), Peer::new(request.peer, request.tls));
        let (order, body) = (Some(claimed.order), request.body.clone());
        let (overrides, trace) = (self.overridden(channel, &work, record, &confirmed), span.parent());
        let parcel = UpstreamRequest {
            route,
            channel: Some(channel),
            order,
            head,
            body,
            fill,
            peer,
            request_id,
            trace,
            overrides,
            event: Event::Payment,
        };
        let origin = if origin.is_found() { origin } else { Origin::FollowUp };
        self.deliver(parcel, record, confirmed, origin, turn).await
    }

    fn accepted_before(&self, work: &Job, record: &Record, payment: &Payment) -> Step {
        if work.callback.origin.is_found() && work.state == State::Asking {
            return self.close(record, Reason::AlreadyAccepted);
        }
        self.gate.records.found(record, Reason::Paid, Some(record::verified(payment)), Some(Transition::Accepted));
        Step::AcceptedBefore
    }

    async fn decide(
        &self,
        (route, channel): (&Route, &Channel),
        work: &Job,
        claim: &Claim,
        record: &Record,
        finding: &OrderState,
        span: &Span,
    ) -> Result<Confirmed, Reason> {
        let claimed = &work.callback.claimed;
        let (claim, expected) = self.prices(work, claim);
        let (within, until) = (span.parent(), Instant::now() + self.gate.confirm.patience());
        let case = Case { route, channel, claim: &claim, claimed, expected };
        let confirmed = self.gate.judge(&case, finding, until).await?;
        if overridden::is_billed_otherwise(work, confirmed.payment()) && !work.overrides.has(Override::Amount) {
            return Err(Reason::AmountDiffers);
        }
        let asked = Asked { overrides: work.overrides, afresh: work.asked_for, until, within: &within };
        self.gate.flag(&case, Some(record), confirmed, asked).await
    }

    /// Route and channel of a callback, if they are still configured.
    fn place(&self, callback: &Callback) -> Option<(&Route, &Arc<Channel>)> {
        Some((self.gate.routes.named(&callback.route)?, self.gate.channels.get(&callback.claimed.channel)?))
    }

    /// What is known of the order now, and the answer itself where a callback is to be made of it; `None` if this account's
    /// lane or its budget is used up.
    async fn confirm_again(&self, channel: &Arc<Channel>, work: &Job, span: &Span) -> Option<(OrderState, Evidence)> {
        let confirming = span.child("confirm");
        let within = confirming.parent();
        let claimed = &work.callback.claimed;
        let merchant = &channel.account.payee().merchant;
        if work.callback.request.is_none() {
            // Never by the bill's or the source's word for the payment.
            let ask = AskBy::OutTradeNo(claimed.out_trade_no);
            if !self.budgets.to_wechat(merchant, lane(work)) {
                return None;
            }
            return Some(self.gate.confirm.ask_now_within(channel, ask, &within).await).filter(was_asked);
        }
        let ask = channel.ask(&claim_of(claimed), claimed.out_trade_no);
        // An operator may know of a refund that the cache does not.
        let cached = if work.asked_for { None } else { self.gate.confirm.cached(channel, ask).await };
        let rank =
            self.gate.appearance(&work.callback).map_or(work.rank, |it| self.gate.familiar.look(&it).rank(work.rank));
        let lane = Lane::of(rank, work.state, work.asked_for);
        let finding = match cached {
            Some(finding) => finding,
            None if !self.budgets.to_wechat(merchant, lane) => return None,
            None if work.asked_for => self.gate.confirm.ask_now_within(channel, ask, &within).await.0,
            None => self.gate.confirm.ask(channel, ask, lane.part(), &within).await.0,
        };
        Some((finding, Evidence::default())).filter(was_asked)
    }

    async fn deliver(
        &self,
        parcel: UpstreamRequest<'_>,
        record: &Record,
        confirmed: Confirmed,
        origin: Origin,
        turn: Turn,
    ) -> Step {
        let next = turn.next(&self.redeliver);
        let Ok(pass) = decide::permit(Ok(confirmed), Mode::Enforce) else {
            return self.park(record, Reason::InternalError);
        };
        let deadline = Instant::now() + self.upstream_timeout;
        // That it is parked is noted with its reason, at once.
        let noted = Some(next).filter(|next| *next != Transition::Park);
        let overrides = parcel.overrides;
        let delivered = self.gate.deliver(parcel, &pass, record, origin, noted, deadline).await;
        if turn.is_first() {
            overrides.iter().for_each(|one| self.gate.metrics.overridden(one.as_str()));
        }
        match (delivered, next) {
            (Ok(delivered), _) if delivered.is_accepted() => Step::Delivered,
            (_, Transition::Park) => self.park(record, Reason::GaveUpDelivering),
            _ => Step::NotAccepted,
        }
    }

    /// Where an entry goes on that is not confirmed, or not any more.
    fn not_confirmed(&self, work: &Job, record: &Record, reason: Reason, finding: &OrderState) -> Step {
        let delivering = work.state == State::Delivering;
        if !delivering && work.callback.origin.is_found() {
            return self.not_confirmed_without_callback(work, record, reason, finding);
        }
        match reason.verdict() {
            _ if reason.holds_payment() => self.park_payment(record, reason, finding),
            Some(Verdict::Unpaid) if !delivering => self.close(record, reason),
            // What was paid and is not any more is for somebody to look at; so is a claim that is wrong.
            Some(Verdict::Unpaid | Verdict::Refunded | Verdict::Contradicted) => self.park(record, reason),
            Some(Verdict::Pending | Verdict::Unknown | Verdict::Paid) | None if delivering => {
                let Some(delay) = self.redeliver.after(work.retries, work.age) else {
                    return self.park(record, Reason::GaveUpDelivering);
                };
                let again_in = jittered(delay.min(UNTIL_CONFIRMED_AGAIN));
                self.gate.records.found(
                    record,
                    reason,
                    None,
                    Some(Transition::Deliver { again_in, retries: work.retries }),
                );
                Step::Undecided(reason)
            }
            Some(Verdict::Pending | Verdict::Unknown | Verdict::Paid) | None => {
                let Some(delay) = self.ask_again.after(work.retries + 1, work.age) else {
                    return self.give_up(record, reason, finding);
                };
                let next = Transition::Ask { again_in: jittered(delay), retries: work.retries + 1 };
                self.gate.records.found(record, reason, None, Some(next));
                Step::Undecided(reason)
            }
        }
    }

    /// Nobody asks any longer. That an order is paid and its number not proven is said as it is, and its payment is not noted.
    fn give_up(&self, record: &Record, reason: Reason, finding: &OrderState) -> Step {
        if reason == Reason::NumberNotListed {
            return self.park(record, reason);
        }
        self.park_payment(record, Reason::GaveUpAsking, finding)
    }

    fn park(&self, record: &Record, reason: Reason) -> Step {
        self.gate.records.found(record, reason, None, Some(Transition::Park));
        Step::Parked(reason)
    }

    /// Parks what is paid.
    fn park_payment(&self, record: &Record, reason: Reason, finding: &OrderState) -> Step {
        let verified = match finding {
            OrderState::Paid(payment) => Some(record::verified(payment)),
            OrderState::NotPaid(_) => None,
        };
        self.gate.records.found(record, reason, verified, Some(Transition::Park));
        Step::Parked(reason)
    }

    fn close(&self, record: &Record, reason: Reason) -> Step {
        self.gate.records.found(record, reason, None, Some(Transition::Close));
        Step::Closed(reason)
    }

    /// Its lane is full. Old orders share theirs with younger ones that need not wait.
    fn not_now(&self, work: &Job) -> Step {
        if work.callback.request.is_none() && lane(work) == Lane::Old {
            self.journal.postpone(work.entry, jittered(OLD_AGAIN));
            return Step::Deferred;
        }
        self.throttle(work)
    }

    fn postpone(&self, work: &Job) -> Step {
        self.journal.postpone(work.entry, jittered(BUSY_PAUSE));
        Step::Deferred
    }

    fn throttle(&self, work: &Job) -> Step {
        self.journal.release(work.entry);
        Step::Throttled
    }

    /// It is confirmed, and the upstream gets enough for the moment.
    fn postpone_confirmed(&self, work: &Job, record: &Record, confirmed: &Confirmed) -> Step {
        if work.state == State::Delivering {
            return self.throttle(work);
        }
        let verified = Some(record::verified(confirmed.payment()));
        let next = Transition::Deliver { again_in: Duration::ZERO, retries: 0 };
        self.gate.records.found(record, Reason::Paid, verified, Some(next));
        Step::Deferred
    }
}

/// Whether a question was sent, or answered without. What the budget had no place for costs no try: it has its turn later.
fn was_asked((finding, _): &(OrderState, Evidence)) -> bool {
    *finding != OrderState::NotPaid(Reason::RateLimited)
}

/// What the callback claimed when it was taken in, its signature checked.
fn claim_of(claimed: &Claimed) -> Claim {
    Claim {
        order: claimed.order,
        out_trade_no: Some(claimed.out_trade_no),
        transaction_id: claimed.transaction_id,
        amount: claimed.amount.map(|amount| amount.fen),
        currency: claimed.amount.map_or_else(Currency::default, |amount| amount.currency),
    }
}

/// By which lane an order is asked about that never called back.
fn lane(work: &Job) -> Lane {
    let age = found::age(work);
    if age > OLD {
        Lane::Old
    } else if age > LATE {
        Lane::Late
    } else {
        Lane::FollowUp
    }
}

/// What is read in a request again.
struct Read {
    claim: Claim,
    /// What may be filled.
    fill: Option<Blank>,
}

/// Reads a request again. `None` if the route as it is configured now would not read the same in it: what was claimed, or
/// for one that was made at least the same order.
fn reread(
    route: &Route,
    channel: &Channel,
    claimed: &Claimed,
    origin: Origin,
    request: &journal::Request,
) -> Option<Read> {
    let head = request.head();
    let path = route.takes(&head)?;
    let read = route.claim.read(&head, &path, &request.body).ok()?;
    let claim = read.claim;
    let same_order = claim.order == claimed.order && channel.number(&claim) == Ok(claimed.out_trade_no);
    let same_claim = read.channel == Some(claimed.channel)
        && claim.transaction_id == claimed.transaction_id
        && claim.amount == claimed.amount.map(|amount| amount.fen);
    (same_order && (same_claim || origin.is_found() || request.is_made())).then_some(Read { claim, fill: read.fill })
}

/// Says in the span what the line says.
fn end_span(span: &mut Span, claimed: &Claimed, origin: Origin, step: Step) {
    if !span.is_wanted() {
        return;
    }
    span.set("tollgate.channel", claimed.channel);
    span.set("tollgate.order", claimed.order);
    span.set("tollgate.out_trade_no", claimed.out_trade_no);
    span.set("tollgate.origin", origin.as_str());
    span.set("tollgate.step", step.as_str());
    if let Step::Undecided(reason) | Step::Parked(reason) | Step::Closed(reason) = step {
        span.set("tollgate.reason", reason);
        if let Some(verdict) = reason.verdict() {
            span.set("tollgate.verdict", verdict);
        }
    }
    if matches!(step, Step::NotAccepted | Step::Parked(_)) {
        span.failed(step.as_str());
    }
}

/// One line in the log for what was done; its fields are those of a callback's.
fn tell(claimed: &Claimed, entry: EntryId, origin: Origin, step: Step, attempts: u64, began: Instant) {
    let (order, channel) = (claimed.order.as_str(), claimed.channel.as_str());
    let reason = match step {
        Step::Undecided(reason) | Step::Parked(reason) | Step::Closed(reason) => Some(reason.code()),
        Step::Delivered | Step::AcceptedBefore | Step::NotAccepted | Step::Deferred | Step::Throttled => None,
    };
    let (entry, origin, outcome) = (entry.0, origin.as_str(), step.as_str());
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match step {
        Step::Deferred | Step::Throttled => {
            tracing::debug!(order, channel, entry, origin, outcome, attempts, elapsed_ms, "follow-up")
        }
        Step::Parked(_) => {
            tracing::warn!(order, channel, entry, origin, outcome, reason, attempts, elapsed_ms, "follow-up")
        }
        _ => tracing::info!(order, channel, entry, origin, outcome, reason, attempts, elapsed_ms, "follow-up"),
    }
}

impl Step {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::AcceptedBefore => "accepted-before",
            Self::NotAccepted => "not-accepted",
            Self::Undecided(_) => "undecided",
            Self::Parked(_) => "parked",
            Self::Closed(_) => "closed",
            Self::Deferred => "postponed",
            Self::Throttled => "throttled",
        }
    }
}

/// Work that broke off is not tried again at once.
struct Unfinished<'j> {
    journal: &'j dyn Queue,
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
            self.journal.postpone(entry, AFTER_A_FAULT);
        }
    }
}
