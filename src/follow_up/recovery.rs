//! What a failing upstream gets, and what follows when it is well again: held orders wait while it fails, one of them
//! is sent every so often, and an accepted delivery brings all of them forward.

use super::FollowUp;
use super::jitter::jittered;
use super::outcome::{Step, tell};
use super::retry_budgets::SendPermit;
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::follow_up::schedule::Schedule;
use crate::gate::channel::Channel;
use crate::journal::{EntryId, Job, Outlet, Rank, State, Transition};
use crate::upstream::Upstream;
use crate::upstream::standing::{Errand, Standing};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Entries that are brought forward in one step, so that what callbacks wait for is written in between.
const STEP: usize = 500;

/// How often entries are looked for whose time is over while their upstream is failing.
const OVERDUE_EVERY: Duration = Duration::from_secs(1);

/// How many of them are parked at once.
const OVERDUE: usize = 100;

/// How long an errand waits after the journal failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// What a step has from its start: a permit to send, and a probe.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    /// The permit to send to the upstream, if one is left.
    permit: Option<SendPermit>,
    /// The probe, if this entry tries whether the upstream is well again.
    probe: Option<Probe>,
}

/// A probe that is under way.
#[derive(Debug)]
struct Probe {
    follow_up: Arc<FollowUp>,
    upstream: Upstream,
    sent: bool,
}

impl Probe {
    fn sent(mut self) -> Self {
        self.sent = true;
        self
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let ended = |standing: &mut Standing| standing.end_probe(Instant::now(), self.sent);
        self.follow_up.gate.forward.standing(&self.upstream, ended);
    }
}

/// Which of its turns to be sent an entry has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Tries by the entry's own timer so far.
    retries: u32,
    age: Duration,
    /// Whether this turn is one of the entry's own timer.
    by_timer: bool,
}

impl Turn {
    pub(super) fn of(job: &Job, ticket: &Ticket) -> Self {
        if job.state != State::Delivering {
            return Self { retries: 0, age: Duration::ZERO, by_timer: true };
        }
        Self { retries: job.retries, age: job.age, by_timer: ticket.probe.is_none() && !job.brought }
    }

    /// Where the entry goes on if this delivery is not accepted. A turn between two of its own timer's does not move
    /// that timer.
    pub(super) fn next(self, redeliver: &Schedule) -> Transition {
        let (delay, retries) = if self.by_timer {
            (self.retries, self.retries + 1)
        } else {
            (self.retries.saturating_sub(1), self.retries)
        };
        let again = redeliver.after(delay, self.age);
        again.map_or(Transition::Park, |delay| Transition::Deliver { again_in: jittered(delay), retries })
    }

    /// Whether the entry was not sent yet since it is to be delivered.
    pub(super) fn is_first(self) -> bool {
        self.retries == 0 && self.by_timer
    }
}

impl FollowUp {
    /// The ticket of an entry that is due: a delivery has its permit from the beginning, so that no order is confirmed
    /// in vain.
    pub(super) fn ticket(&self, job: &Job) -> Ticket {
        let channel = self.gate.channels.get(&job.callback.claimed.channel);
        let permit = channel.filter(|_| job.state == State::Delivering).and_then(|channel| self.permit_for(channel));
        Ticket { permit, probe: None }
    }

    fn permit_for(&self, channel: &Channel) -> Option<SendPermit> {
        self.budgets.to_upstream(&channel.upstream, self.gate.forward.fresh(&channel.upstream))
    }

    /// The ticket of a confirmed order that may be sent now; `None` if the order has to wait. While the upstream is
    /// failing only probes are sent, and what a person asked for, which is one.
    pub(super) fn permit(&self, ticket: Ticket, job: &Job, channel: &Channel) -> Option<Ticket> {
        let is_asked_for = job.rank == Rank::AskedFor || (job.asked_for && job.state == State::Asking);
        if ticket.probe.is_none() && !is_asked_for && self.gate.forward.is_failing(&channel.upstream) {
            return None;
        }
        let mut permit = ticket.permit.or_else(|| self.permit_for(channel))?;
        permit.use_up();
        let probe = ticket.probe.map(Probe::sent);
        Some(Ticket { permit: Some(permit), probe })
    }
}

/// The upstreams, and what is being done for each.
#[derive(Debug)]
pub(super) struct Recoveries {
    follow_up: Arc<FollowUp>,
    recoveries: Vec<Recovery>,
    errands: JoinSet<()>,
    /// Whether it was looked for what waits in vain.
    is_freed: bool,
}

/// What is being done for one upstream, and the channels whose upstream it is.
#[derive(Debug)]
struct Recovery {
    upstream: Upstream,
    channels: Vec<ChannelId>,
    /// When something is to be done for it in the journal again.
    tend_at: Instant,
    overdue_at: Instant,
    /// Whether something waited for it when this began.
    is_looked_at: bool,
}

impl Recoveries {
    pub(super) fn of(follow_up: &Arc<FollowUp>) -> Self {
        let mut recoveries: BTreeMap<String, Recovery> = BTreeMap::new();
        let now = Instant::now();
        for channel in follow_up.gate.channels.iter() {
            let upstream = channel.upstream.clone();
            let recovery =
                || Recovery { upstream, channels: Vec::new(), tend_at: now, overdue_at: now, is_looked_at: false };
            recoveries.entry(channel.upstream.to_string()).or_insert_with(recovery).channels.push(channel.id);
        }
        let recoveries: Vec<_> = recoveries.into_values().collect();
        for Recovery { upstream, channels, .. } in &recoveries {
            follow_up.gate.forward.standing(upstream, |standing| standing.serves(channels));
        }
        Self { follow_up: Arc::clone(follow_up), recoveries, errands: JoinSet::new(), is_freed: false }
    }

    /// Waits until the errands under way have ended; what was leased for them is released.
    pub(super) async fn end(mut self) {
        while self.errands.join_next().await.is_some() {}
    }

    /// How much may be sent to each upstream now.
    pub(super) fn outlets(&self) -> Vec<Outlet> {
        let forward = &self.follow_up.gate.forward;
        let outlet = |recovery: &Recovery| Outlet {
            channels: recovery.channels.clone(),
            most: self.follow_up.budgets.room(&recovery.upstream, forward.fresh(&recovery.upstream)),
            failing: forward.is_failing(&recovery.upstream),
        };
        self.recoveries.iter().map(outlet).collect()
    }

    /// A probe that it is time for, to the first upstream that it is time for.
    pub(super) async fn probe(&mut self) -> Option<(Job, Ticket)> {
        for recovery in &mut self.recoveries {
            recovery.look_at_what_waits(&self.follow_up).await;
            if let Some(probe) = recovery.probe(&self.follow_up).await {
                return Some(probe);
            }
        }
        None
    }

    /// Does what is to be done in the journal, a step of it for each upstream.
    pub(super) fn tend(&mut self) {
        while self.errands.try_join_next().is_some() {}
        // One at a time, since each waits for the one disk.
        if !self.errands.is_empty() {
            return;
        }
        let (follow_up, now) = (&self.follow_up, Instant::now());
        if !std::mem::replace(&mut self.is_freed, true) {
            let this = Arc::clone(follow_up);
            self.errands.spawn(async move { this.free_what_waits(STEP).await });
        }
        for recovery in &mut self.recoveries {
            let failing = follow_up.gate.forward.is_failing(&recovery.upstream);
            let errand = follow_up.gate.forward.standing(&recovery.upstream, |standing| standing.errand()).flatten();
            if failing && recovery.overdue_at <= now {
                recovery.overdue_at = now + OVERDUE_EVERY;
                let (this, channels) = (Arc::clone(follow_up), recovery.channels.clone());
                self.errands.spawn(async move { this.park_overdue(channels).await });
            }
            if let Some(errand) = errand.filter(|_| recovery.tend_at <= now) {
                recovery.tend_at = now + super::LOOK_EVERY;
                let (this, upstream, channels) =
                    (Arc::clone(follow_up), recovery.upstream.clone(), recovery.channels.clone());
                self.errands.spawn(async move { this.run_errand(errand, upstream, channels).await });
            }
        }
    }
}

impl Recovery {
    /// Where nothing waited at the start nothing is to be found out.
    async fn look_at_what_waits(&mut self, follow_up: &FollowUp) {
        if std::mem::replace(&mut self.is_looked_at, true) {
            return;
        }
        let forward = &follow_up.gate.forward;
        if forward.standing(&self.upstream, |standing| standing.is_doubted()) != Some(true) {
            return;
        }
        match follow_up.queue.next_waiting(self.channels.clone(), Vec::new()).await {
            Ok(Some(job)) => follow_up.queue.release(job.entry),
            Ok(None) => drop(forward.standing(&self.upstream, |standing| standing.has_turn(None))),
            Err(_) => {}
        }
    }

    async fn probe(&self, follow_up: &Arc<FollowUp>) -> Option<(Job, Ticket)> {
        let forward = &follow_up.gate.forward;
        let begin = |standing: &mut Standing| standing.begin_probe(Instant::now(), jittered(follow_up.probe));
        let tried = forward.standing(&self.upstream, begin).flatten()?;
        let mut probe = Probe { follow_up: Arc::clone(follow_up), upstream: self.upstream.clone(), sent: false };
        let permit = follow_up.budgets.probe(&self.upstream, forward.fresh(&self.upstream))?;
        let Some(job) = self.next_in_turn(follow_up, tried).await else {
            // Nothing waits, and looking again at once would find nothing either.
            probe.sent = true;
            return None;
        };
        forward.standing(&self.upstream, |standing| standing.has_turn(Some(job.entry)));
        Some((job, Ticket { permit: Some(permit), probe: Some(probe) }))
    }

    /// An entry that was not `tried`; if there is none, any entry, while the upstream is failing or may be.
    async fn next_in_turn(&self, follow_up: &FollowUp, tried: Vec<EntryId>) -> Option<Job> {
        let all_are_new = tried.is_empty();
        let next = follow_up.queue.next_waiting(self.channels.clone(), tried).await.ok()?;
        if next.is_some() {
            return next;
        }
        let turns_again = |standing: &mut Standing| {
            standing.has_turn(None);
            standing.failing_since().is_some() || standing.is_doubted()
        };
        let turns_again = follow_up.gate.forward.standing(&self.upstream, turns_again);
        if all_are_new || turns_again != Some(true) {
            return None;
        }
        follow_up.queue.next_waiting(self.channels.clone(), Vec::new()).await.ok()?
    }
}

impl FollowUp {
    async fn run_errand(&self, errand: Errand, upstream: Upstream, channels: Vec<ChannelId>) {
        let done = match errand {
            Errand::Anew => self.queue.bring_anew(channels, STEP).await,
            Errand::BringForward(bring) => self.queue.bring_forward(channels, bring.accepted_at, STEP).await,
        };
        match done {
            Ok(done) => {
                if done < STEP {
                    self.gate.forward.standing(&upstream, |standing| standing.did(errand));
                }
                if done > 0 && matches!(errand, Errand::BringForward(_)) {
                    tracing::debug!(%upstream, orders = done, "held orders are brought forward");
                }
            }
            Err(error) => {
                tracing::debug!(%error, %upstream, "held orders cannot be brought forward; trying again");
                tokio::time::sleep(AFTER_A_FAILURE).await;
            }
        }
    }

    /// Parks what has been delivered for as long as may be, while it is not sent by its own timer.
    async fn park_overdue(&self, channels: Vec<ChannelId>) {
        let overdue = self.queue.overdue(channels, self.redeliver.lasts, OVERDUE).await.unwrap_or_default();
        for job in overdue {
            let record = self.gate.records.of_job(&job);
            let Ok(_turn) = record.delivery.turn.try_lock() else {
                self.defer(&job);
                continue;
            };
            let waits = job.reason == Some(Reason::WindowOver);
            let step = self.park(&record, if waits { Reason::WindowOver } else { Reason::GaveUpDelivering });
            let (claimed, origin) = (&job.callback.claimed, job.callback.origin);
            tell(claimed, job.entry, origin, step, record.delivery.attempts(), Instant::now());
            self.gate.metrics.follow_up_step(Step::as_str(step), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_before_its_time_leaves_the_timer_where_it_is() {
        let s = Duration::from_secs;
        let redeliver = Schedule { delays: vec![s(5), s(60), s(3600)], lasts: s(10_000) };
        for (retries, age, by_timer, delay, then) in [
            (0, 0, true, Some(5), 1),
            (1, 5, true, Some(60), 2),
            (2, 65, true, Some(3600), 3),
            (0, 1, false, Some(5), 0),
            (1, 6, false, Some(5), 1),
            (2, 70, false, Some(60), 2),
            (7, 9000, false, Some(1000), 7),
            (7, 10_000, false, None, 0),
        ] {
            let turn = Turn { retries, age: s(age), by_timer };
            let expected = delay.map(|delay| (s(delay).mul_f64(0.9)..=s(delay).mul_f64(1.1), then));
            match (turn.next(&redeliver), expected) {
                (Transition::Deliver { again_in, retries }, Some((about, then))) => {
                    assert!(about.contains(&again_in) && retries == then, "{turn:?}: {again_in:?} {retries}");
                }
                (Transition::Park, None) => {}
                (next, expected) => panic!("{turn:?}: {next:?}, not {expected:?}"),
            }
        }
    }
}
