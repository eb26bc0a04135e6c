//! The follow-up (retry worker): after the reply it asks again about orders that were not decided, and sends again what
//! was confirmed and not accepted, through the same steps as a callback whose sender waits.
//!
//! The journal is the queue. `FollowUp::step` is one unit of work: it ends with a journal event that says where the
//! entry goes on, so nothing leaves the queue before its success is on disk, and a restart goes on where this process
//! stopped.

pub mod schedule;

mod jitter;

mod lanes;

mod retry_budgets;

mod step;

mod outcome;

mod window;

mod recovered;

mod recovery;

mod familiar;
mod overridden;

use crate::follow_up::schedule::Schedule;
use crate::gate::Gate;
use crate::journal::{DueGroup, Job, Queue, Throttled};
use crate::observe::log_throttle::LogThrottle;
use crate::process::shutdown::Shutdown;
use jitter::jittered;
pub use outcome::Step;
pub use recovered::next_question;
use recovery::{Recoveries, Ticket};
pub use retry_budgets::RetryBudgets;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// Asks again and delivers again.
#[derive(Debug)]
pub struct FollowUp {
    /// The gate whose steps it takes.
    pub gate: Arc<Gate>,
    /// The journal's queue, which it works off.
    pub queue: Arc<dyn Queue>,
    /// When an order that is not decided is asked about again; `follow_up.ask_again`.
    pub ask_again: Schedule,
    /// When an order that was not accepted is sent again; `follow_up.redeliver`.
    pub redeliver: Schedule,
    /// How many orders are worked on at once.
    pub concurrency: usize,
    /// How long the upstream has for a delivery whose sender does not wait; `follow_up.upstream_timeout`.
    pub upstream_timeout: Duration,
    /// How long there is between two tries whether a failing upstream is well again.
    pub probe: Duration,
    /// What the follow-up may spend on queries and deliveries, so that callbacks that wait find enough.
    pub budgets: RetryBudgets,
}

/// How often the queue is looked at when there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// And how often where other gates have it too: when there was nothing to do a moment ago, and when there was.
const LOOK_AWAY_EVERY: Duration = Duration::from_millis(900);
const LOOK_AWAY_AGAIN: Duration = Duration::from_millis(200);

/// How often it is told that the queue cannot be read.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// How long an entry waits whose order another step or a callback sends now.
const BUSY_PAUSE: Duration = Duration::from_millis(1500);

/// How long a channel that gets no more is left alone.
const THROTTLED_FOR: Duration = Duration::from_millis(250);

/// How often entries that wait are compared with what was confirmed since.
const LIFT_EVERY: Duration = Duration::from_secs(1);

impl FollowUp {
    /// Works until `shutdown` begins; what is under way then is finished, unless the gate itself stops and it takes too
    /// long.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut steps = JoinSet::new();
        // Beside the others, which go on while probes hang.
        let mut probes = JoinSet::new();
        let mut throttled: Vec<(DueGroup, Instant)> = Vec::new();
        let mut recoveries = Recoveries::of(&self);
        // One at a time, which may have much to read.
        let (mut lift_at, mut lifting) = (Instant::now(), JoinSet::new());
        let is_shared = self.gate.records.shared().is_some();
        let (mut look_at, mut unreadable) = (Instant::now(), LogThrottle::new(TELL_EVERY));
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => break,
                Some(ended) = steps.join_next() => match ended {
                    Ok((group, Step::Throttled)) => {
                        throttled.push((group, Instant::now() + THROTTLED_FOR));
                        continue;
                    }
                    // Looked at again with the next tick.
                    Ok((_, Step::Deferred)) => continue,
                    _ => look_at = Instant::now(),
                },
                _ = ticks.tick() => {}
            }
            recoveries.tend();
            while probes.try_join_next().is_some() {}
            if let Some((job, ticket)) = recoveries.probe().await {
                probes.spawn(Arc::clone(&self).stepped(job, ticket));
            }
            let free = self.concurrency.saturating_sub(steps.len());
            if free == 0 {
                continue;
            }
            while lifting.try_join_next().is_some() {}
            if lift_at <= Instant::now() && lifting.is_empty() {
                lift_at = Instant::now() + LIFT_EVERY;
                lifting.spawn(Arc::clone(&self).lift());
            }
            throttled.retain(|(_, until)| *until > Instant::now());
            if is_shared && look_at > Instant::now() {
                continue;
            }
            let groups: Vec<_> = throttled.iter().map(|(group, _)| *group).collect();
            let is_throttled = !groups.is_empty();
            match self.queue.lease_due(free, Throttled { groups, outlets: recoveries.outlets() }).await {
                Ok(due) => {
                    let goes_on = is_throttled || !due.is_empty();
                    look_at = Instant::now() + jittered(if goes_on { LOOK_AWAY_AGAIN } else { LOOK_AWAY_EVERY });
                    for job in due {
                        let ticket = self.ticket(&job);
                        steps.spawn(Arc::clone(&self).stepped(job, ticket));
                    }
                }
                Err(error) => {
                    if !is_shared || unreadable.admits() {
                        tracing::error!(%error, "what is due cannot be read; trying again");
                    }
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

    /// Ready when the gate has been stopping for as long as a callback may take: a step that goes on would wait for
    /// longer. A step that breaks off then is as after a crash: the journal has it as sent, with no outcome, and due
    /// again.
    async fn nobody_may_wait(&self, shutdown: &Shutdown) {
        shutdown.draining().await;
        tokio::time::sleep(self.gate.deadline).await;
    }

    async fn stepped(self: Arc<Self>, job: Job, ticket: Ticket) -> (DueGroup, Step) {
        (job.group(), self.step(job, ticket).await)
    }
}
